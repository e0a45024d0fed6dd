"""A page for each student: points, what became of each answer, the message of its test.

The text of `Result.feedback` alone goes in: it comes from runs that held no hidden test, or is an
assert's constant message (referee.py). All of it is escaped.
"""
import hashlib
import html
import re
from pathlib import Path

from course_lib.grading.gradebook import STATUSES, Grade
from course_lib.grading.notebook import Set

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{set}: {student}</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; overflow-wrap: anywhere }}</style></head>
<body><h1>{set}: {student}</h1>
<p><strong>{score:g} of {possible} points</strong>{late}</p>
<table><thead><tr><th scope="col">Exercise</th><th scope="col">Points</th><th scope="col">Status</th><th scope="col">What the tests say</th></tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""


def page(grade: Grade, set: Set) -> str:
    rows = []
    for id, question in set.questions.items():
        points = "to come" if grade.points[id] is None else f"{grade.points[id]:g}"
        status = f"{grade.status[id]}: {STATUSES.get(grade.status[id], '')}"
        cells = [f"{id}: {question.title}", f"{points} of {question.points}", status, grade.feedback[id]]
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    late = f", after {1 - grade.kept:.0%} was taken off for lateness" if grade.kept < 1 else ""
    return _PAGE.format(set=html.escape(set.name), student=html.escape(grade.student), score=grade.score,
                        possible=set.points, late=late, rows="\n".join(rows))


def file_name(student: str) -> str:
    """A name for `student`'s page that is safe on every system, and different for different students."""
    safe = re.sub(r"[^\w.-]", "_", student, flags=re.ASCII).lstrip(".-")[:80]
    if not safe or safe != student or re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", safe):
        safe = f"{safe}_{hashlib.sha256(student.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return safe + ".html"


def write(folder: Path, grades: list[Grade], set: Set) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for grade in grades:
        (folder / file_name(grade.student)).write_text(page(grade, set), encoding="utf-8", errors="replace")
