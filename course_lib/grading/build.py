"""Student notebooks and assignments from the sources of the exercise sets.

`notebooks/exercises/NN_name.ipynb` is what students open; it is committed and never edited. In
`_build/exercises/`, not committed, are assignments composed of several sets, copies with solutions
and copies for nbgrader.

The same source gives the same bytes: cell ids come from the questions, there are no outputs and no
dates.
"""
import ast
import json
from dataclasses import replace
from pathlib import Path

from course_lib.grading import notebook
from course_lib.grading.names import bound, used
from course_lib.grading.notebook import Cell, NotebookError, Set

STUDENTS = Path("notebooks/exercises")
OTHERS = Path("_build/exercises")
# As in the lessons.
METADATA = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}}


def student(set: Set) -> str:
    """The student's notebook, as the text of its file.

    The observe and check cells of a question become one cell: run apart, a check would judge what an
    earlier version of the answer gave.
    """
    return _document(set, _student)


def with_solutions(set: Set) -> str:
    """The source again, cell by cell: solutions, hidden tests, explanations and rubrics."""
    return _document(set, lambda set, cell: (cell.source, {}))


def nbgrader(set: Set) -> str:
    """A notebook for the `source` folder of an nbgrader course, of its metadata version 3.

    nbgrader 0.9 then makes its own student version: the markers are the same, and the metadata say
    which cells are answers, which are tests and what they are worth.
    """
    return _document(set, _nbgrader)


def _student(set, cell):
    """(source, metadata) of a cell in the student's notebook, or None where it has none."""
    question = set.questions.get(cell.question)
    if cell.role == "exercise":
        return question.stub, {}
    if cell.role == "check":
        tests = _joined(cell.source, question.observe_visible, question.check_visible)
        return f'{tests}\n\nprint("{cell.question}: every test in this cell passes")', {}
    if cell.role == "rubric":
        return f"<!-- answer: {cell.question} -->\n{notebook.PLACEHOLDER}", {}
    if cell.role in ("observe", "solution"):
        return None
    # The badge of a source opens the source; the students' opens theirs.
    return cell.source.replace(f"/exercises/{set.name}/source.ipynb", f"/{STUDENTS.as_posix()}/{set.name}.ipynb"), {}


def _nbgrader(set, cell):
    question = set.questions.get(cell.question)
    known = {"schema_version": 3, "grade_id": _id(cell), "task": False}
    if cell.role == "exercise":
        return cell.source, {"nbgrader": known | {"solution": True, "grade": False, "locked": False}}
    if cell.role == "check":
        tests = known | {"solution": False, "grade": True, "locked": True, "points": question.points}
        return _joined(cell.source, question.observe, question.check), {"nbgrader": tests}
    if cell.role == "rubric":
        by_hand = known | {"solution": True, "grade": True, "locked": False, "points": question.points}
        return cell.source, {"nbgrader": by_hand}
    return _student(set, cell)


def _joined(marker_cell, observe, check):
    """The first line of the check, then what is observed, then what is checked."""
    parts = [source.partition("\n")[2].strip("\n") for source in (observe, check)]
    return marker_cell.partition("\n")[0] + "\n" + "\n\n".join(part for part in parts if part)


def _id(cell):
    return f"{cell.question}-{cell.role}" if cell.question else f"{cell.role}-{cell.number}"


def _document(set, made):
    cells = []
    for cell in set.cells:
        if (result := made(set, cell)) is None:
            continue
        source, metadata = result
        entry = {"cell_type": cell.type, "id": _id(cell), "metadata": metadata, "source": source.splitlines(keepends=True)}
        if cell.type == "code":
            entry |= {"execution_count": None, "outputs": []}
        cells.append(entry)
    return dump({"cells": cells, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5})


def dump(document: dict) -> str:
    """A notebook as nbformat writes it."""
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


# ---- composing ----------------------------------------------------------------------------------


def needs(set: Set, id: str) -> list[str]:
    """Ids of the earlier questions whose answers question `id` uses by name, in order."""
    question = set.questions[id]
    own = "\n".join((question.exercise, question.observe, question.check))
    known = bound(own).union(*map(bound, set.setup))
    earlier = list(set.questions)[:list(set.questions).index(id)]
    return [other for other in earlier if bound(set.questions[other].exercise) & (used(own) - known)]


def compose(selection: list[tuple[Set, str]], name: str) -> Set:
    """A set of the chosen questions, chapter by chapter, each chapter with the setup cells that they
    need (and the text right above them). Question q4 of 08_sparsity becomes 08q4.

    It is a set like any other: it can be built, solved and graded. Raises NotebookError for a question
    that uses the answer of one not chosen, and where two chapters' setup cells give one name two
    meanings, since the grader runs all setup cells before every question.
    """
    chosen = {}
    for set, id in selection:
        if id not in set.questions:
            raise NotebookError(f"{set.name} has no question {id}; it has {', '.join(set.questions)}")
        chosen.setdefault(set.name, (set, {}))[1][id] = set.questions[id].points
    points = [points for _, ids in chosen.values() for points in ids.values()]
    cells = [Cell(0, "markdown", f"# {name}\n\n{len(points)} questions, {sum(points)} points. Answer in the cells that "
                                 "begin with `# exercise:` and leave that line as it is. The cell below an answer checks it.")]
    setup = {name: _setup_for(set, ids) for name, (set, ids) in chosen.items()}
    _refuse_two_meanings(setup)
    for set, ids in chosen.values():
        for id in ids:
            if missing := [f"{set.name[:2]}:{other}" for other in needs(set, id) if other not in ids]:
                raise NotebookError(f"{set.name[:2]}:{id} uses the answer of {', '.join(missing)}: choose that too")
        for above, cell in zip([cells[0], *set.cells], set.cells):
            if cell.question in ids:
                first, rest = cell.source.partition("\n")[::2]
                first = first.replace(cell.question, set.name[:2] + cell.question, 1)
                cells.append(replace(cell, source=f"{first}\n{rest}"))
            elif cell in setup[set.name] and cell.source not in [other.source for other in cells]:
                if above.role == "text" and above is not set.cells[0]:
                    cells.append(above)
                cells.append(cell)
    cells = [replace(cell, number=number) for number, cell in enumerate(cells, 1)]
    return notebook.make_set(name, Path(f"{name}.ipynb"), cells)


def _setup_for(set, ids):
    """The setup cells above the first question, which may do more than bind names, and those of the
    rest that questions `ids` need."""
    first_question = next(cell.number for cell in set.cells if cell.question)
    needed = {name for cell in set.cells if cell.question in ids and cell.type == "code" for name in used(cell.source)}
    chosen = []
    for cell in reversed(set.cells):
        if cell.role == "setup" and (cell.number < first_question or bound(cell.source) & needed):
            needed |= used(cell.source)
            chosen.insert(0, cell)
    return chosen


def _refuse_two_meanings(setup):
    known = {}
    for chapter, cells in setup.items():
        own = {}
        for cell in cells:
            for name, meaning in _meanings(cell.source):
                own.setdefault(name, {})[meaning] = None  # in order, each once
        for name, meaning in own.items():
            other, before = known.setdefault(name, (chapter, meaning))
            if before != meaning:
                raise NotebookError(f"the setup cells of {other} and {chapter} both define {name}, differently, and the "
                                    "grader runs all of them before every question: assign the two chapters separately")


def _meanings(source):
    """Pairs of a name that `source` binds and what it is bound by."""
    for statement in ast.parse(source).body:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            for alias in statement.names:
                yield alias.asname or alias.name.partition(".")[0], f"{getattr(statement, 'module', '')} {alias.name}"
        else:
            for name in bound(ast.unparse(statement)):
                yield name, ast.dump(statement)
