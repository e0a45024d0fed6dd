"""Read exercise sets and their wrong answers. (submissions.py reads what students hand in.)

A set is a notebook, `exercises/NN_name/source.ipynb`, that runs from top to bottom with the reference
solutions in place. Cells are found by their first line and never by metadata, which front ends strip:

    ## Exercise q1: a title            Markdown; then *Difficulty ●○○○○ · 10 minutes · 2 points*
    # exercise: q1                     the answer, with ### BEGIN SOLUTION ... ### END SOLUTION
    # observe: q1                      runs the answer and assigns names: its observations
    # check: q1 points=2               asserts on the observations; never calls the answer
    <!-- solution: q1 -->              Markdown for instructors only
    <!-- rubric: q7 points=4 -->       Markdown; an open question, graded by hand
    (no marker)                        Markdown is shown as it is; code is setup, run before every question

`### BEGIN HIDDEN TESTS ... ### END HIDDEN TESTS` in observe and check cells is left out of the
student's notebook. The markers are those of nbgrader (Project Jupyter et al. 2019, Journal of Open Source Education 2(16)).

Everything here is plain reading: no code of a notebook is run. Standard library only.
"""
import ast
import builtins
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from course_lib.grading.names import bound, observations, used

MAX_BYTES = 20 * 2**20
MAX_CELLS = 2000
FOLDER = Path("exercises")
PLACEHOLDER = "*Write your answer here.*"

ID = r"(?:\d\d)?q\d+"           # q4, or 08q4 in an assignment composed of several chapters
_HEADING = re.compile(rf"## Exercise ({ID}): (\S.*)")
_TERMS = re.compile(r"\*Difficulty (●{1,5})(○{0,4}) · (\d+) minutes? · (\d+) points?\*")
_CODE = re.compile(rf"# (?:(exercise|observe): ({ID})|(check): ({ID}) points=(\d+))")
_TEXT = re.compile(rf"<!-- (?:(solution): ({ID})|(rubric): ({ID}) points=(\d+)) -->")
_NEARLY_CODE = re.compile(r"#+ *(exercise|observe|check|rubric|solution) *:? *(\d\d)?q\d", re.IGNORECASE)
_NEARLY_TEXT = re.compile(r"#* *exercise *:? *(\d\d)?q\d|<!--+ *(exercise|observe|check|rubric|solution|answer)\b", re.IGNORECASE)
_MARK = re.compile(r"(\s*)### (BEGIN|END) (SOLUTION|HIDDEN TESTS)\s*")
_NEARLY_MARK = re.compile(r"#+ *(BEGIN|END) +(SOLUTION|HIDDEN)", re.IGNORECASE)


class NotebookError(ValueError):
    """A notebook or a wrong answer that cannot be used: says which file, which cell, what to do."""


@dataclass(frozen=True)
class Cell:
    """One cell. number: from 1, all cells counted. role: text, setup, heading, exercise, observe,
    check, solution or rubric; question: its id, "" for text and setup."""
    number: int
    type: str
    source: str
    role: str = ""
    question: str = ""


@dataclass(frozen=True)
class Question:
    """One question. difficulty: 1 to 5. An open question has a `rubric` (Markdown) and no code.

    exercise, observe, check: sources of the cells, whole, markers and hidden parts included (they are
    comments, so the sources run). stub: the exercise as a student gets it. ``*_visible``: without the
    hidden parts.
    """
    id: str
    title: str
    difficulty: int
    minutes: int
    points: int
    exercise: str = ""
    stub: str = ""
    observe: str = ""
    observe_visible: str = ""
    check: str = ""
    check_visible: str = ""
    rubric: str = ""

    @cached_property
    def observations(self) -> list[str]:
        """What the observe cell assigns and the check cell reads, and so what has to cross."""
        return observations(self.observe, self.check)


@dataclass(frozen=True)
class Set:
    """An exercise set. name: NN_name. setup: sources of the setup cells, in order, all of them to be
    run before any question. questions: by id, in the order of the notebook. cells: all cells."""
    name: str
    path: Path
    setup: list[str]
    questions: dict[str, Question]
    cells: list[Cell]

    @property
    def points(self) -> int:
        return sum(question.points for question in self.questions.values())


@dataclass(frozen=True)
class Wrong:
    """A wrong answer of the bank. name: the file's. source: replaces the exercise cell of `question`.
    diagnosis: text that the message of the failing assert must contain. mistake: the docstring."""
    name: str
    question: str
    diagnosis: str
    mistake: str
    source: str


# ---- files --------------------------------------------------------------------------------------


def find_set(name: str) -> Path:
    """The source notebook of a set, by number ("02"), by name ("02_seq2seq") or by path.

    Numbers and names are looked up in `exercises/` of the current folder.
    """
    path = Path(name)
    if path.suffix == ".ipynb":
        if path.is_file():
            return path
        raise NotebookError(f"{path}: no such notebook")
    if not FOLDER.is_dir():
        raise NotebookError("there is no folder exercises/ here: run this from the root of the repository")
    sets = find_sets()
    found = [path for path in sets if name in (path.parent.name, path.parent.name[:2])]
    if len(found) != 1:
        raise NotebookError(f"{len(found) or 'no'} exercise sets are called {name!r}; "
                            f"there are: {', '.join(path.parent.name for path in sets) or 'none'}")
    return found[0]


def find_sets() -> list[Path]:
    """The source notebooks of all sets in `exercises/` of the current folder."""
    return sorted(FOLDER.glob("[0-9][0-9]_*/source.ipynb"))


def read_cells(notebook: Path | bytes, name: str = "notebook") -> list[Cell]:
    """The cells of a notebook file, or of its bytes; no more is looked at.

    Raises NotebookError for what is no notebook: missing, empty, over 20 MB or 2000 cells, not
    JSON, not UTF-8, nested too deeply, of the wrong shape.
    """
    if isinstance(notebook, bytes):
        data = notebook
    else:
        name = str(notebook)
        if not notebook.is_file():
            raise NotebookError(f"{name}: no such file")
        with notebook.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NotebookError(f"{name}: larger than {MAX_BYTES // 2**20} MB; clear the outputs and save again")
    if not data.strip():
        raise NotebookError(f"{name}: the file is empty; save the notebook again")
    try:
        content = json.loads(data)
    except UnicodeDecodeError:
        raise NotebookError(f"{name}: not UTF-8; save it with JupyterLab or Colab") from None
    except RecursionError:
        raise NotebookError(f"{name}: nested too deeply for a notebook") from None
    except ValueError as error:
        raise NotebookError(f"{name}: not a notebook: not JSON ({error}); save it with JupyterLab or Colab") from None
    found = content.get("cells") if isinstance(content, dict) else None
    if not isinstance(found, list):
        raise NotebookError(f"{name}: no list of cells; save it as a notebook of format 4")
    if len(found) > MAX_CELLS:
        raise NotebookError(f"{name}: {len(found)} cells, more than {MAX_CELLS}")
    cells = []
    for number, cell in enumerate(found, 1):
        source = cell.get("source", "") if isinstance(cell, dict) else None
        if isinstance(source, list) and all(isinstance(line, str) for line in source):
            source = "".join(source)
        if not isinstance(source, str):
            raise NotebookError(f"{name}, cell {number}: its source is not text; save it with JupyterLab or Colab")
        # JSON can hold halves of surrogate pairs, which no file and no console takes.
        source = source.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        kind = cell.get("cell_type")
        cells.append(Cell(number, kind if isinstance(kind, str) else "", source))
    return cells


# ---- sets ---------------------------------------------------------------------------------------


def read_set(path: Path) -> Set:
    """Read and check a source notebook. Raises NotebookError with file, cell number and what to do."""
    path = Path(path)
    name = path.parent.name if path.name == "source.ipynb" else path.stem.removesuffix("_solutions")
    return make_set(name, path, read_cells(path))


def make_set(name: str, path: Path, cells: list[Cell]) -> Set:
    """A set of these cells, whose roles are found here; `path` is named in errors."""
    cells = [_classify(path, cell) for cell in cells]
    order = list(dict.fromkeys(cell.question for cell in cells if cell.question))
    setup = [cell for cell in cells if cell.role == "setup"]
    for cell in setup:
        _parse(path, cell, cell.source)
    ready = set().union(*(bound(cell.source) for cell in setup)) | set(dir(builtins)) | {"__name__"}
    questions = {id: _question(path, [cell for cell in cells if cell.question == id], ready) for id in order}
    if not questions:
        raise NotebookError(f"{path}: no question; one begins with a Markdown cell `## Exercise q1: title`")
    return Set(name, path, [cell.source for cell in setup], questions, cells)


def _fail(path, cell, problem):
    raise NotebookError(f"{path}, cell {cell.number}: {problem}")


def _classify(path, cell):
    """The cell with its role and question; refuses what is nearly a marker."""
    first, _, rest = cell.source.partition("\n")
    role, question, found = ("setup" if cell.type == "code" else "text"), "", None
    if cell.type not in ("code", "markdown"):
        _fail(path, cell, f"a cell of type {cell.type} would be lost: make it Markdown or code")
    if cell.type == "code":
        found = _CODE.fullmatch(first.rstrip())
        if found is None and _NEARLY_CODE.match(first.strip()):
            _fail(path, cell, f"`{first}` is nearly a marker. Write `# exercise: q1`, `# observe: q1` or `# check: q1 points=2`")
    else:
        found = _HEADING.fullmatch(first.rstrip())
        if found:
            role, question = "heading", found[1]
        else:
            found = _TEXT.fullmatch(first.rstrip())
            if found is None and _NEARLY_TEXT.match(first.strip()):
                _fail(path, cell, f"`{first}` is nearly a marker. Write `## Exercise q1: title`, "
                                  "`<!-- solution: q1 -->` or `<!-- rubric: q1 points=2 -->`")
        if re.search(rf"^## Exercise {ID}\b", rest, re.MULTILINE):
            _fail(path, cell, "the heading of an exercise must be the first line of its cell: split the cell there")
    if found and role != "heading":
        role, question = (found[1], found[2]) if found[1] else (found[3], found[4])
    allowed = {"exercise": "SOLUTION", "observe": "HIDDEN TESTS", "check": "HIDDEN TESTS"}.get(role)
    if not cell.source.strip():
        _fail(path, cell, "empty: delete it")
    for line in cell.source.split("\n"):
        mark = _MARK.fullmatch(line)
        if mark is None and _NEARLY_MARK.search(line):
            _fail(path, cell, f"`{line.strip()}` is nearly a marker; write `### BEGIN {allowed or 'SOLUTION'}` alone on its line")
        if mark and mark[3] != allowed:
            _fail(path, cell, f"`{line.strip()}` has no meaning here. SOLUTION belongs in `# exercise:` cells, "
                              "HIDDEN TESTS in `# observe:` and `# check:` cells; did the first line of the cell change?")
    return Cell(cell.number, cell.type, cell.source, role, question)


def _question(path, cells, ready):
    """Put one question together from its cells, in notebook order. ready: names known before it."""
    id = cells[0].question
    roles = [cell.role for cell in cells if cell.role != "solution"]
    if roles not in (["heading", "exercise", "observe", "check"], ["heading", "rubric"]):
        _fail(path, cells[0], f"{id} has the cells {', '.join(roles)}. A question has, in this order and once each, "
                              "heading, exercise, observe, check; an open one has heading, rubric")
    by_role = {cell.role: cell for cell in cells}
    heading, last = by_role["heading"], by_role.get("check") or by_role["rubric"]
    lines = [line.strip() for line in heading.source.split("\n") if line.strip()]
    terms = _TERMS.fullmatch(lines[1]) if len(lines) > 1 else None
    if terms is None or len(terms[1] + terms[2]) != 5:
        _fail(path, heading, "below the heading there must be a line like "
                             "*Difficulty ●●○○○ · 10 minutes · 2 points*, with five dots")
    points = int(terms[4])
    given = int(re.search(r"points=(\d+)", last.source)[1])
    if points != given or points < 1:
        _fail(path, last, f"{id}: the text says {points} points and this cell {given}; make them equal, 1 or more")
    common = dict(id=id, title=_HEADING.match(lines[0])[2], difficulty=len(terms[1]), minutes=int(terms[3]), points=points)
    if "rubric" in by_role:
        return Question(**common, rubric=last.source.partition("\n")[2].strip())

    exercise, observe, check = (by_role[role] for role in ("exercise", "observe", "check"))
    stub, solution = cut(path, exercise, f'raise NotImplementedError("{id}: your code here")')
    if not solution:
        _fail(path, exercise, f"{id} has no solution: put it between `### BEGIN SOLUTION` and `### END SOLUTION`")
    observe_visible, check_visible = cut(path, observe)[0], cut(path, check)[0]
    for cell, students in ((exercise, stub), (observe, observe_visible), (check, check_visible)):
        _parse(path, cell, cell.source)
        _parse(path, cell, students, "as students get it, ")
    if "assert " not in check_visible:
        _fail(path, check, f"{id}: the student's copy of this check asserts nothing; leave one assert outside the hidden tests")
    question = Question(**common, exercise=exercise.source, stub=stub, observe=observe.source, observe_visible=observe_visible,
                        check=check.source, check_visible=check_visible)
    # The check is run where the student's code is not: all it has are setup names and observations.
    for whose, seen, tests in (("this check", observe.source, check.source),
                               ("the student's copy of this check", observe_visible, check_visible)):
        if unknown := used(tests) - bound(tests) - ready - set(observations(seen, tests)):
            _fail(path, check, f"{id}: {whose} uses {', '.join(sorted(unknown))}. A check may use names that setup cells "
                               "define and plain values that the observe cell assigns, nothing of the answer itself")
    if not question.observations:
        _fail(path, observe, f"{id}: the check reads no name that this cell assigns, so it checks nothing of the answer")
    return question


def cut(path: Path, cell: Cell, replacement: str | None = None) -> tuple[str, list[str]]:
    """(the source without its marked blocks, the lines that were in them). Each block leaves
    `replacement` behind, indented as its marker."""
    kept, cut, indent = [], [], None
    for line in cell.source.split("\n"):
        mark = _MARK.fullmatch(line)
        if mark and (mark[2] == "BEGIN") != (indent is None):
            _fail(path, cell, f"`{line.strip()}` where none is open, or a second one inside another; pair BEGIN and END")
        if mark and mark[2] == "BEGIN":
            indent = mark[1]
            if replacement:
                kept.append(indent + replacement)
        elif mark:
            indent = None
        else:
            (kept if indent is None else cut).append(line)
    if indent is not None:
        _fail(path, cell, "a `### BEGIN` has no `### END`: add it")
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(kept)).strip("\n"), cut


def _parse(path, cell, source, which=""):
    try:
        compile(source, "cell", "exec", dont_inherit=True)
    except SyntaxError as error:
        _fail(path, cell, f"{which}not valid Python: {error.msg} in line {error.lineno}. (No magics: the grader runs plain "
                          "Python. Where only hidden lines stand under a `with` or `if`, hide that line too.)")


# ---- wrong answers -------------------------------------------------------------------------------


def read_wrong(folder: Path) -> list[Wrong]:
    """The wrong answers of `exercises/NN_name/wrong/`, by file name; [] where there is no folder.

    In the head of each file, before or after its docstring: `# question: q1` and
    `# diagnosis: part of the message`.
    """
    found = []
    for path in sorted(Path(folder).glob("*.py")):
        source = path.read_text(encoding="utf-8")
        try:
            tree = ast.parse(source)
        except SyntaxError as error:
            raise NotebookError(f"{path}: not valid Python: {error.msg} in line {error.lineno}") from None
        mistake = ast.get_docstring(tree)
        question = re.search(rf"^# question: ({ID})\s*$", source, re.MULTILINE)
        diagnosis = re.search(r"^# diagnosis: (\S.*?)\s*$", source, re.MULTILINE)
        for what, there in (("docstring that describes the mistake", mistake), ("line `# question: q1`", question),
                            ("line `# diagnosis: part of the message`", diagnosis)):
            if not there:
                raise NotebookError(f"{path}: no {what}: add it at the top")
        found.append(Wrong(path.stem, question[1], diagnosis[1], mistake, source))
    return found
