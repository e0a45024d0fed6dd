"""Does a text contain what students must not see?"""
import html
import json
import re

from course_lib.grading.notebook import Set, cut


def leaks(text: str, set: Set) -> list[str]:
    """Lines of a solution, a hidden test, an explanation or a rubric of `set` that stand in `text`.

    text: a notebook's JSON, a page's HTML, anything. Lines that students are shown anyway, and lines
    of fewer than 8 signs, tell nothing and are not looked for.
    """
    secret, shown = [], []
    for cell in set.cells:
        if cell.role in ("solution", "rubric"):
            secret += cell.source.split("\n")[1:]
        elif cell.role in ("exercise", "observe", "check"):
            visible, hidden = cut(set.path, cell)
            secret += hidden
            shown.append(visible)
        else:
            shown.append(cell.source)
    seen = "\n".join(shown)
    lines = dict.fromkeys(line.strip() for line in secret)
    pages = (text, html.unescape(re.sub(r"<[^>]*>", "", text)))
    return [line for line in lines if len(re.sub(r"[\W_]", "", line)) >= 8 and line not in seen
            and any(form in page for page in pages for form in _forms(line))]


def _forms(line: str):
    """`line` as it stands in plain text and in JSON."""
    return {line, json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1]}
