"""`new NN qN`: a question to start from, with a check and two wrong answers that already work."""
import json
import re
from pathlib import Path

from course_lib.grading import notebook
from course_lib.grading.build import METADATA, dump
from course_lib.grading.notebook import ID, NotebookError

HEADING = """\
## Exercise {id}: a title that says what is made

*Difficulty ●○○○○ · 10 minutes · 1 point*

Why the chapter needs this, in a sentence. Then the task: names, shapes, dtypes, an example with its
result, what happens in the corner cases.

<details><summary>Hint 1</summary>

A first step.

</details>"""
EXERCISE = '''\
# exercise: {id}
def double_{id}(x):
    """Twice the number `x`."""
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION'''
OBSERVE = """\
# observe: {id}
{id}_small = double_{id}(3)
### BEGIN HIDDEN TESTS
{id}_negative = double_{id}(-2.5)
### END HIDDEN TESTS"""
CHECK = """\
# check: {id} points=1
assert {id}_small is not None, "double_{id} returns None: is there a return?"
assert {id}_small != 9, "squared, not doubled"
assert {id}_small == 6, f"double_{id}(3) gave {{{id}_small}}, not 6"
### BEGIN HIDDEN TESTS
assert {id}_negative != 5, "the sign is lost"
assert {id}_negative == -5, "wrong for a negative number"
### END HIDDEN TESTS"""
SOLUTION = """\
<!-- solution: {id} -->
For instructors: what the exercise is about, and what people get wrong."""
OPEN = """\
<!-- rubric: {id} points=1 -->
- 1 point: what an answer must contain."""
WRONG = {
    "squared": ('"""Squares instead of doubling."""', "squared, not doubled", "x ** 2"),
    "absolute": ('"""Takes the absolute value first; right for positive numbers."""', "the sign is lost", "2 * abs(x)"),
}


def new(name: str, id: str, open_question: bool = False) -> list[Path]:
    """Append question `id` to the set `name`, which is made if there is none. Returns the files written.

    name: "08" or "08_sparsity"; a number alone is enough where the set or the chapter exists.
    Nothing that exists is overwritten: raises NotebookError if the question is there already.
    """
    if not re.fullmatch(ID, id):
        raise NotebookError(f"{id!r} is no name of a question: write q1, q2, ...")
    folder = notebook.FOLDER / _full_name(name)
    path = folder / "source.ipynb"
    if path.exists():
        if id in notebook.read_set(path).questions:
            raise NotebookError(f"{path}: there is a question {id} already")
        document = json.loads(path.read_text(encoding="utf-8"))
    else:
        document = {"cells": _first_cells(folder.name), "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}
    wrong = {} if open_question else {
        folder / "wrong" / f"{id}_{mistake}.py":
            f"{doc}\n# question: {id}\n# diagnosis: {diagnosis}\n\n\ndef double_{id}(x):\n    return {result}\n"
        for mistake, (doc, diagnosis, result) in WRONG.items()}
    if there := [str(file) for file in wrong if file.exists()]:
        raise NotebookError(f"{', '.join(there)}: there already, and would be overwritten; move it away")
    parts = {"heading": HEADING, "rubric": OPEN} if open_question else {
        "heading": HEADING, "exercise": EXERCISE, "observe": OBSERVE, "check": CHECK, "solution": SOLUTION}
    for role, source in parts.items():
        kind = "code" if role in ("exercise", "observe", "check") else "markdown"
        document["cells"].append(_cell(kind, f"{id}-{role}", source.format(id=id)))
    for file, text in {path: dump(document), **wrong}.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    return [path, *wrong]


def _full_name(name):
    if re.fullmatch(r"\d\d_[a-z0-9_]+", name):
        return name
    if re.fullmatch(r"\d\d", name):
        found = {path.parent.name for path in notebook.find_sets()} or set()
        found |= {path.stem for path in Path("book").glob("[0-9][0-9]_*.md")}
        found = [full for full in found if full[:2] == name]
        if len(found) == 1:
            return found[0]
    raise NotebookError(f"{name!r} names no chapter: write its number and name, such as 08_sparsity")


def _first_cells(name):
    """Title, badge and setup cell; the last two as the first lesson has them."""
    lesson = next(iter(sorted(Path("notebooks").glob("*.ipynb"))), None)
    if lesson is None:
        raise NotebookError("there is no lesson in notebooks/ to take the setup cell from: run this from the root of the repository")
    cells = notebook.read_cells(lesson)
    badge = re.search(r"^\[Open in Colab\]\(\S+/blob/[^/]+/", cells[0].source, re.MULTILINE)
    setup = next(cell.source for cell in cells if cell.type == "code")
    title = f"# Exercises: {name[3:].replace('_', ' ')}"
    link = f"\n\n{badge[0]}notebooks/exercises/{name}.ipynb)" if badge else ""
    return [_cell("markdown", "title", title + link), _cell("code", "setup", setup)]


def _cell(kind, id, source):
    cell = {"cell_type": kind, "id": id, "metadata": {}, "source": source.splitlines(keepends=True)}
    return cell | {"execution_count": None, "outputs": []} if kind == "code" else cell
