"""Exercise sets: the format, student notebooks, assignments, scaffold, leaks; and every set held to it."""

import copy
import html
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.grading import __main__ as command
from course_lib.grading import build, notebook, scaffold
from course_lib.grading.leaks import leaks
from course_lib.grading.names import bound, observations, used
from course_lib.grading.notebook import NotebookError, read_set, read_wrong
from course_lib.grading.submissions import read_submission
from tools import notebooks as lessons

ROOT = Path(__file__).resolve().parent.parent
SETS = sorted((ROOT / "exercises").glob("*/source.ipynb"))
SLUG, BRANCH = lessons.repository()

# A small set. SECRET marks what no student may see.
SMALL = [
    ("markdown", "# Exercises: small\n\n[Open in Colab](https://example.org/blob/main/exercises/01_small/source.ipynb)"),
    ("code", "import math\nFACTOR = 2"),
    ("markdown", "## Exercise q1: double\n\n*Difficulty ●○○○○ · 1 minute · 1 point*\n\nDouble it."),
    ("code", '# exercise: q1\ndef double(x):\n    """Twice x."""\n    ### BEGIN SOLUTION\n    secret_1 = FACTOR * x\n'
             "    return secret_1\n    ### END SOLUTION"),
    ("code", "# observe: q1\nq1_three = double(3)\n### BEGIN HIDDEN TESTS\nq1_minus = double(-1)  # SECRET two\n### END HIDDEN TESTS"),
    ("code", '# check: q1 points=1\nassert q1_three != 9, "squared, not doubled"\nassert q1_three == 6, "double(3) is 6"\n'
             '### BEGIN HIDDEN TESTS\nassert q1_minus == -2, "SECRET three: \\"lost\\" & sign"\n### END HIDDEN TESTS'),
    ("markdown", "<!-- solution: q1 -->\nSECRET four: what people get wrong."),
    ("markdown", "Some data for the next one."),
    ("code", "DATA = [1, 2, 3]"),
    ("markdown", "## Exercise q2: four times\n\n*Difficulty ●●○○○ · 5 minutes · 2 points*\n\nUse `double`."),
    ("code", "# exercise: q2\nclass Four:\n    def __call__(self, x):\n        ### BEGIN SOLUTION\n        return double(double(x))  # SECRET five\n"
             "        ### END SOLUTION"),
    ("code", "# observe: q2\nq2_all = [Four()(x) for x in DATA]"),
    ("code", '# check: q2 points=2\nassert q2_all == [4 * x for x in DATA], f"not four times: {q2_all}"'),
    ("markdown", "## Exercise q3: discuss\n\n*Difficulty ●●●●● · 30 minutes · 4 points*\n\nWhy?"),
    ("markdown", "<!-- rubric: q3 points=4 -->\n- SECRET six: 4 points for a reason."),
]
SECRETS = ["secret_1 = FACTOR * x", "SECRET two", "SECRET three", "SECRET four", "SECRET five", "SECRET six"]


def write(path, cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [(nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell)(source) for kind, source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), path)
    return path


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A course with one lesson and the small set; the current folder."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "notebooks/00_first.ipynb", [
        ("markdown", f"# First\n\n{lessons.badge(SLUG, BRANCH, 'notebooks/00_first.ipynb')}"), ("code", "# setup: here")])
    write(tmp_path / "exercises/01_small/source.ipynb", SMALL)
    return tmp_path


@pytest.fixture
def small(course):
    return read_set(course / "exercises/01_small/source.ipynb")


def cells(text):
    return [(cell.cell_type, cell.source) for cell in nbformat.reads(text, as_version=4).cells]


def judge(set, id, answer, whole=True):
    """Run `answer` as the grader does: observed beside the student's code, checked where that is not.

    Raises what the answer, its observation or its check raises. whole: hidden tests too.
    """
    question, student, trusted = set.questions[id], {}, {}
    for source in set.setup:
        exec(source, student)
        exec(source, trusted)
    for earlier in list(set.questions.values())[:list(set.questions).index(id)]:
        exec(earlier.exercise, student)
    exec(answer, student)
    observe, check = (question.observe, question.check) if whole else (question.observe_visible, question.check_visible)
    exec(observe, student)
    exec(check, trusted | {name: student[name] for name in observations(observe, check)})


# ---- reading a set ------------------------------------------------------------------------------


def test_a_set_is_read(small):
    assert (small.name, small.setup, small.points) == ("01_small", ["import math\nFACTOR = 2", "DATA = [1, 2, 3]"], 7)
    assert list(small.questions) == ["q1", "q2", "q3"]
    one, two, three = small.questions.values()
    assert (one.title, one.difficulty, one.minutes, one.points) == ("double", 1, 1, 1)
    assert (two.difficulty, two.minutes, two.points) == (2, 5, 2)
    assert one.observations == ["q1_minus", "q1_three"]
    assert "SECRET" in one.observe and "SECRET" not in one.observe_visible + one.check_visible
    assert one.stub.splitlines()[-1] == '    raise NotImplementedError("q1: your code here")'
    assert three.rubric == "- SECRET six: 4 points for a reason." and not three.exercise


def test_a_stub_raises_wherever_the_solution_stood(course):
    answer = ("# exercise: q1\n### BEGIN SOLUTION\nlimit = 3\n### END SOLUTION\nclass A:\n    def f(self):\n"
              "        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION\n    def double(self, x):\n        return 2 * x\n"
              "double = A().double")
    stub = read_set(write(course / "x.ipynb", SMALL[:3] + [("code", answer)] + SMALL[4:6])).questions["q1"].stub
    assert stub.count("raise NotImplementedError") == 2 and "limit" not in stub and "return 1" not in stub
    with pytest.raises(NotImplementedError, match="^q1: your code here$"):
        exec(stub, {})
    names = {}
    exec(stub.replace('raise NotImplementedError("q1: your code here")', "pass", 1), names)
    with pytest.raises(NotImplementedError, match="^q1: your code here$"):
        names["A"]().f()


def replaced(number, old, new):
    """The small set with `old` replaced in the cell of this number."""
    changed = list(SMALL)
    kind, source = changed[number - 1]
    assert old in source
    changed[number - 1] = kind, source.replace(old, new)
    return changed


HIDDEN_IN_5 = "### BEGIN HIDDEN TESTS\nq1_minus = double(-1)  # SECRET two\n### END HIDDEN TESTS"
MALFORMED = {
    "a marker with a slip": (replaced(4, "# exercise: q1", "# Exercise q1"), 4, "nearly a marker"),
    "no points": (replaced(6, " points=1", ""), 6, "nearly a marker"),
    "a heading of another level": (replaced(3, "## Exercise", "### Exercise"), 3, "nearly a marker"),
    "a heading inside a cell": (replaced(3, "## Exercise", "Text.\n\n## Exercise"), 3, "split the cell"),
    "a rubric without points": (replaced(15, " points=4", ""), 15, "nearly a marker"),
    "points of text and check differ": (replaced(6, "points=1", "points=2"), 6, "make them equal"),
    "no difficulty": (replaced(3, "*Difficulty ●○○○○ · 1 minute · 1 point*", ""), 3, "*Difficulty"),
    "six dots": (replaced(3, "●○○○○", "●●○○○○"), 3, "five dots"),
    "no solution": (replaced(4, "    ### BEGIN SOLUTION\n", ""), 4, "none is open"),
    "a block that is not closed": (replaced(4, "    ### END SOLUTION", ""), 4, "has no `### END`"),
    "a block inside a block": (replaced(4, "    return", "    ### BEGIN SOLUTION\n    return"), 4, "inside another"),
    "a block with a slip": (replaced(4, "### END SOLUTION", "### END  SOLUTIONS"), 4, "nearly a marker"),
    "an empty solution": (replaced(4, "    secret_1 = FACTOR * x\n    return secret_1\n", ""), 4, "has no solution"),
    "hidden tests in the answer": (replaced(4, "SOLUTION", "HIDDEN TESTS"), 4, "has no meaning here"),
    "a solution in the setup": (replaced(2, "FACTOR = 2", "### BEGIN SOLUTION\nFACTOR = 2\n### END SOLUTION"), 2, "has no meaning here"),
    "no Python": (replaced(4, "def double", "deff double"), 4, "not valid Python"),
    "a magic in the setup": (replaced(2, "import math", "%matplotlib inline"), 2, "No magics"),
    "a return outside a function": (replaced(5, "q1_three = double(3)", "return double(3)"), 5, "not valid Python"),
    "no Python without the hidden part": (
        replaced(5, HIDDEN_IN_5, "if FACTOR:\n    " + HIDDEN_IN_5.replace("\n", "\n    ")), 5, "as students get it, not valid Python"),
    "a check that calls the answer": (replaced(6, "q1_three == 6", "double(3) == 6"), 6, "uses double"),
    "a check that reads what only the hidden part observes": (replaced(6, "q1_three == 6", "q1_minus == -2"), 6, "student's copy"),
    "a visible check that asserts nothing": (
        replaced(6, '\nassert q1_three != 9, "squared, not doubled"\nassert q1_three == 6, "double(3) is 6"', "\nprint(q1_three)"),
        6, "asserts nothing"),
    "a check of nothing": (replaced(13, "q2_all == [4 * x for x in DATA], f\"not four times: {q2_all}\"", "DATA"), 12, "checks nothing"),
    "no observe": (SMALL[:4] + SMALL[5:], 3, "heading, exercise, check"),
    "an answer twice": (SMALL[:4] + SMALL[3:], 3, "exercise, exercise"),
    "check before observe": (SMALL[:4] + [SMALL[5], SMALL[4]] + SMALL[6:], 3, "in this order"),
    "no heading": (SMALL[:2] + SMALL[3:], 3, "has the cells exercise"),
    "an empty cell": (SMALL[:2] + [("code", " ")] + SMALL[2:], 3, "delete it"),
}


@pytest.mark.parametrize("changed, cell, message", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_source_says_where_and_what_to_do(course, changed, cell, message):
    path = write(course / "exercises/02_bad/source.ipynb", changed)
    with pytest.raises(NotebookError, match=re.escape(message)) as caught:
        read_set(path)
    assert str(caught.value).startswith(f"{path}, cell {cell}: ")


def test_a_source_without_questions_and_one_with_a_raw_cell(course):
    with pytest.raises(NotebookError, match="no question"):
        read_set(write(course / "x.ipynb", SMALL[:2]))
    path = write(course / "x.ipynb", SMALL)
    content = json.loads(path.read_text())
    content["cells"][0]["cell_type"] = "raw"
    path.write_text(json.dumps(content))
    with pytest.raises(NotebookError, match="cell 1: a cell of type raw would be lost"):
        read_set(path)


def test_names_are_found_without_running():
    source = ("import os.path, math as m\nfrom a import b\nx, (y, *z) = f(1)\nfor i in x: pass\nwith o() as w: pass\n"
              "def g(p, q=default):\n    global late\n    late = outer + p\nclass C:\n    base = inherited\n"
              "squares = [k * factor for k in x]\nif (n := 3): pass\nscale = lambda v: v * unit")
    assert bound(source) == {"os", "m", "b", "x", "y", "z", "i", "w", "g", "C", "squares", "n", "late", "scale"}
    assert {"f", "o", "default", "outer", "inherited", "factor", "unit", "x"} <= used(source)
    assert not used(source) & {"p", "q", "k", "v", "base"}
    assert observations("import math\na = math.pi\nb = c = 1\ndef f(): pass", "assert a and c and math and f") == ["a", "c"]


# ---- the student's notebook ---------------------------------------------------------------------


def test_the_student_s_notebook_holds_what_it_should(small):
    text = build.student(small)
    for secret in SECRETS:
        assert secret not in text
    made = cells(text)
    assert [source.split("\n")[0] for _, source in made] == [
        "# Exercises: small", "import math", "## Exercise q1: double", "# exercise: q1", "# check: q1 points=1",
        "Some data for the next one.", "DATA = [1, 2, 3]", "## Exercise q2: four times", "# exercise: q2", "# check: q2 points=2",
        "## Exercise q3: discuss", "<!-- answer: q3 -->"]
    assert made[4][1] == ('# check: q1 points=1\nq1_three = double(3)\n\nassert q1_three != 9, "squared, not doubled"\n'
                          'assert q1_three == 6, "double(3) is 6"\n\nprint("q1: every test in this cell passes")')
    assert "/blob/main/notebooks/exercises/01_small.ipynb" in made[0][1]


def test_the_student_s_notebook_is_valid_clean_and_always_the_same(small, course):
    text = build.student(small)
    read = nbformat.reads(text, as_version=4)
    nbformat.validate(read)
    assert nbformat.writes(read) + "\n" == text, "not as nbformat writes it"
    lesson = nbformat.read(ROOT / "notebooks/00_start.ipynb", as_version=4)
    assert read.metadata.kernelspec == lesson.metadata.kernelspec
    assert all(cell.execution_count is None and cell.outputs == [] for cell in read.cells if cell.cell_type == "code")
    assert text == build.student(read_set(small.path))
    assert len({cell.id for cell in read.cells}) == len(read.cells)
    # ids belong to questions: a cell more at the top leaves them as they are
    more = read_set(write(course / "exercises/01_small/source.ipynb", [SMALL[0], ("markdown", "More."), *SMALL[1:]]))
    ids = {cell.id for cell in nbformat.reads(build.student(more), as_version=4).cells}
    assert {"q1-heading", "q1-exercise", "q1-check", "q3-rubric"} <= ids


def test_the_copy_with_solutions_is_a_set_again(small, course):
    path = course / "01_small_solutions.ipynb"
    path.write_text(build.with_solutions(small))
    again = read_set(path)
    assert (again.name, again.questions, again.setup) == (small.name, small.questions, small.setup)
    nbformat.validate(nbformat.read(path, as_version=4))


def test_the_notebook_for_nbgrader(small):
    """What nbgrader 0.9.6 asks of a cell; its own validator, version 3."""
    read = nbformat.reads(build.nbgrader(small), as_version=4)
    nbformat.validate(read)
    by_id = {cell.metadata.nbgrader.grade_id: cell for cell in read.cells if "nbgrader" in cell.metadata}
    assert set(by_id) == {"q1-exercise", "q1-check", "q2-exercise", "q2-check", "q3-rubric"}
    for cell in by_id.values():
        marks = cell.metadata.nbgrader
        assert marks.schema_version == 3 and marks.task is False and set(marks) - {"points"} == {
            "schema_version", "grade_id", "task", "solution", "grade", "locked"}
        assert ("points" in marks) == marks.grade
    answer, tests, by_hand = by_id["q1-exercise"], by_id["q1-check"], by_id["q3-rubric"]
    assert answer.metadata.nbgrader.solution and "### BEGIN SOLUTION" in answer.source
    assert tests.metadata.nbgrader.locked and tests.metadata.nbgrader.points == 1 and not tests.metadata.nbgrader.solution
    assert tests.source.count("### BEGIN HIDDEN TESTS") == 2 and "double(3)" in tests.source
    assert by_hand.metadata.nbgrader.solution and by_hand.metadata.nbgrader.points == 4
    # everything else is shown as it is, so it must hold no secret
    assert not [cell for cell in read.cells if "SECRET" in cell.source and "nbgrader" not in cell.metadata]


def test_leaks_are_found_in_text_json_and_html(small):
    lines = {line for line in leaks(small.path.read_text(), small)}
    for secret in SECRETS:
        found = [line for line in lines if secret in line]
        assert len(found) == 1, secret
        for text in (found[0], json.dumps(found[0]), f"<pre>{html.escape(found[0])}</pre>",
                     "".join(f"<span>{html.escape(part)}</span>" for part in re.split(r"(\W)", found[0]))):
            assert leaks(f"before {text} after", small) == found, text
    assert leaks(build.student(small), small) == []
    assert leaks('def double(x):\n    """Twice x."""\nassert q1_three == 6, "double(3) is 6"', small) == []


def test_a_hidden_line_that_is_also_shown_is_no_leak(course):
    twice = replaced(5, "### BEGIN HIDDEN TESTS\n", "### BEGIN HIDDEN TESTS\nq1_three = double(3)\n")
    again = read_set(write(course / "exercises/01_small/source.ipynb", twice))
    assert leaks(build.student(again), again) == []


# ---- submissions --------------------------------------------------------------------------------


def submission(course, small, change=lambda cells: cells):
    """What is read of the student's notebook, solved with marks "q1 solved" and then changed."""
    solved = [(kind, source.replace('raise NotImplementedError("', "pass  # solved ").replace(': your code here")', "")
               .replace("*Write your answer here.*", "solved q3")) for kind, source in cells(build.student(small))]
    return read_submission(write(course / "in.ipynb", change(solved)), small)


def test_an_unanswered_notebook(course, small):
    handed_in = read_submission(build.student(small).encode(), small)
    assert handed_in.answers == {id: small.questions[id].stub for id in ("q1", "q2")}
    assert handed_in.helpers == [] and handed_in.written == {"q3": ""}


CHANGES = {
    "as it is": lambda cells: cells,
    "in another order": lambda cells: cells[::-1],
    "checks and setup deleted": lambda cells: [cell for cell in cells if not re.match("# check|import|DATA", cell[1])],
    "texts deleted": lambda cells: [cell for cell in cells if cell[0] == "code" or "answer" in cell[1]],
    "Windows line ends": lambda cells: [(kind, source.replace("\n", "\r\n")) for kind, source in cells],
    "a cell magic above the marker": lambda cells: [
        (kind, "%%time\n" + source if source.startswith("# exercise") else source) for kind, source in cells],
    "blank lines above the marker": lambda cells: [(kind, "\n \n" + source) for kind, source in cells],
    "other spaces in the marker": lambda cells: [(kind, source.replace("# exercise: ", "#Exercise :  ")) for kind, source in cells],
    "checks edited": lambda cells: [(kind, source.replace("assert", "print")) for kind, source in cells],
    "an earlier copy of a cell": lambda cells: [cells[3][:1] + ("# exercise: q1\nold",), *cells],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_answers_are_found_whatever_a_front_end_did(course, small, change):
    found = submission(course, small, change)
    assert "solved q1" in found.answers["q1"] and "def double(x):" in found.answers["q1"]
    assert "solved q2" in found.answers["q2"] and list(found.answers) == ["q1", "q2"]
    assert found.helpers == [] and found.written == {"q3": "solved q3"}
    for source in found.answers.values():
        compile(source, "answer", "exec")
        assert "\r" not in source


def test_a_deleted_answer_is_missing_and_a_later_copy_counts(course, small):
    assert list(submission(course, small, lambda cells: cells[:3] + cells[4:]).answers) == ["q2"]
    later = submission(course, small, lambda cells: [*cells, ("code", "# exercise: q1\nlater = 1")])
    assert later.answers["q1"] == "# exercise: q1\nlater = 1"
    assert "q9" not in submission(course, small, lambda cells: [*cells, ("code", "# exercise: q9\n1")]).answers


def test_cells_of_a_student_s_own_are_helpers(course, small):
    own = [("code", "def mine(x):\n    return x"), ("code", "%timeit mine(1)\n  !ls\ny = 1"), ("code", "FACTOR = 3"),
           ("markdown", "Notes."), ("code", "\n"), ("code", "%matplotlib inline"), ("code", "import math\nFACTOR = 2  ")]
    helpers = submission(course, small, lambda cells: [*own, *cells]).helpers
    assert helpers == [own[0][1], "pass\n  pass\ny = 1", "FACTOR = 3"]


def test_magics_in_a_string_stay(course, small):
    answer = '# exercise: q1\ntext = """\n%s items\n!important"""'
    assert submission(course, small, lambda cells: [*cells, ("code", answer)]).answers["q1"] == answer


UNREADABLE = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "empty"),
    "no JSON": (b"{'cells': []}", "not JSON"),
    "half a file": (b'{"cells": [{"cell_type": "co', "not JSON"),
    "Latin-1": ('{"cells": [], "x": "\xe9"}'.encode("latin-1"), "not UTF-8"),
    "too deep": (b'{"cells": ' + b"[" * 200_000, "too deeply"),
    "a list": (b"[1, 2]", "no list of cells"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "cells are no list": (b'{"cells": {"a": 1}}', "no list of cells"),
    "a cell is a number": (b'{"cells": [3]}', "cell 1"),
    "a source is a number": (b'{"cells": [{"cell_type": "code", "source": 3}]}', "cell 1"),
    "a source of numbers": (b'{"cells": [{"cell_type": "code", "source": [3]}]}', "cell 1"),
    "a number too long to read": (b'{"cells": ' + b"9" * 5000 + b"}", "not JSON"),
    "many cells": (b'{"cells": [' + b",".join([b'{"cell_type": "code"}'] * 2001) + b"]}", "2001 cells"),
    "20 MB": (b" " * (20 * 2**20) + b"{}", "larger than 20 MB"),
}


@pytest.mark.parametrize("data, message", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_notebook_is_refused_with_a_reason(small, data, message):
    with pytest.raises(NotebookError, match=f"^ada.ipynb.*{message}"):
        read_submission(data, small, "ada.ipynb")


def test_files_that_are_none(small, tmp_path):
    for path in (tmp_path / "none.ipynb", tmp_path):
        with pytest.raises(NotebookError, match="no such file"):
            read_submission(path, small)


def test_encodings_that_json_allows(small):
    text = build.student(small)
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert read_submission(text.encode(encoding), small).answers["q1"] == small.questions["q1"].stub
    half = json.dumps({"cells": [{"cell_type": "code", "source": "# exercise: q1\nx = '\ud800'"}]}).encode()
    read_submission(half, small).answers["q1"].encode("utf-8")


# ---- composing ----------------------------------------------------------------------------------

OTHER = [
    ("markdown", "# Exercises: other"),
    ("code", "import math\nLIMIT = 10"),
    ("markdown", "## Exercise q1: halve\n\n*Difficulty ●○○○○ · 1 minute · 3 points*"),
    ("code", "# exercise: q1\ndef halve(x):\n    ### BEGIN SOLUTION\n    return x / 2\n    ### END SOLUTION"),
    ("code", "# observe: q1\nq1_half = halve(LIMIT)"),
    ("code", '# check: q1 points=3\nassert q1_half == 5, "not half"'),
]


def test_an_assignment_across_chapters(course, small):
    other = read_set(write(course / "exercises/02_other/source.ipynb", OTHER))
    made = build.compose([(other, "q1"), (small, "q2"), (small, "q1"), (small, "q1")], "quiz")
    assert made.name == "quiz" and made.points == 6 and list(made.questions) == ["02q1", "01q1", "01q2"]
    assert made.cells[0].source.startswith("# quiz\n\n3 questions, 6 points.")
    assert made.setup == ["import math\nLIMIT = 10", "import math\nFACTOR = 2", "DATA = [1, 2, 3]"]
    assert made.questions["01q1"].stub.endswith('raise NotImplementedError("01q1: your code here")')
    text = build.student(made)
    assert "Some data for the next one." in text and "SECRET" not in text
    path = course / "quiz_solutions.ipynb"
    path.write_text(build.with_solutions(made))
    again = read_set(path)
    for id in again.questions:
        judge(again, id, again.questions[id].exercise)


def test_an_assignment_brings_the_setup_that_it_needs_and_no_more(course, small):
    assert build.compose([(small, "q1")], "quiz").setup == ["import math\nFACTOR = 2"]
    later = [("code", "FIRST = 1"), ("code", "DATA = [FIRST, 2]"), ("code", "UNUSED = DATA")]
    chain = read_set(write(course / "exercises/01_small/source.ipynb", SMALL[:7] + later + SMALL[9:]))
    assert build.compose([(chain, "q1"), (chain, "q2")], "quiz").setup == ["import math\nFACTOR = 2", "FIRST = 1", "DATA = [FIRST, 2]"]


def test_an_assignment_that_cannot_be_is_refused(course, small):
    with pytest.raises(NotebookError, match="01:q2 uses the answer of 01:q1: choose that too"):
        build.compose([(small, "q2")], "quiz")
    with pytest.raises(NotebookError, match="01_small has no question q7; it has q1, q2, q3"):
        build.compose([(small, "q7")], "quiz")
    clash = read_set(write(course / "exercises/02_other/source.ipynb", [OTHER[0], ("code", "LIMIT = 10\nFACTOR = 7"), *OTHER[2:]]))
    with pytest.raises(NotebookError, match="01_small and 02_other both define FACTOR, differently"):
        build.compose([(small, "q1"), (clash, "q1")], "quiz")


# ---- wrong answers, scaffold --------------------------------------------------------------------


def test_wrong_answers_are_read_with_both_orders_of_the_head(tmp_path):
    (tmp_path / "q1_a.py").write_text('# question: q1\n# diagnosis: squared\n"""Squares."""\ndef double(x):\n    return x * x\n')
    (tmp_path / "q1_b.py").write_text('"""Returns nothing."""\n# question: q1\n# diagnosis: a return?\ndef double(x):\n    2 * x\n')
    one, two = read_wrong(tmp_path)
    assert (one.name, one.question, one.diagnosis, one.mistake) == ("q1_a", "q1", "squared", "Squares.")
    assert two.mistake == "Returns nothing." and "2 * x" in two.source
    assert read_wrong(tmp_path / "none") == []
    for text, message in (("x = (", "not valid Python"), ('"""A."""\n# question: q1\n', "diagnosis"), ("# question: q1\n# diagnosis: a\n", "docstring"),
                          ('"""A."""\n# diagnosis: a\n', "# question: q1")):
        (tmp_path / "q2_c.py").write_text(text)
        with pytest.raises(NotebookError, match=message):
            read_wrong(tmp_path)


@pytest.mark.parametrize("name", ["05_porting", "01"])
def test_the_scaffold_works_from_the_start(course, name):
    written = scaffold.new(name, "q8")
    scaffold.new(name, "q9", open_question=True)
    made = read_set(written[0])
    assert list(made.questions)[-2:] == ["q8", "q9"] and made.questions["q9"].rubric
    judge(made, "q8", made.questions["q8"].exercise)
    wrong = read_wrong(written[0].parent / "wrong")
    assert len(wrong) == 2
    for answer in wrong:
        with pytest.raises(AssertionError, match=answer.diagnosis):
            judge(made, "q8", answer.source)
    first = cells(build.student(made))
    if name == "05_porting":
        assert lessons.badge(SLUG, BRANCH, "notebooks/exercises/05_porting.ipynb") in first[0][1] and first[1][1] == "# setup: here"
    nbformat.validate(nbformat.read(written[0], as_version=4))


def test_the_scaffold_overwrites_nothing(course, small):
    before = small.path.read_bytes()
    with pytest.raises(NotebookError, match="there is a question q1 already"):
        scaffold.new("01", "q1")
    (small.path.parent / "wrong").mkdir()
    (small.path.parent / "wrong/q8_squared.py").write_text("mine")
    with pytest.raises(NotebookError, match="would be overwritten"):
        scaffold.new("01", "q8")
    for name, id, message in (("07", "q1", "names no chapter"), ("small", "q1", "names no chapter"), ("01", "8", "no name of a question")):
        with pytest.raises(NotebookError, match=message):
            scaffold.new(name, id)
    assert small.path.read_bytes() == before and (small.path.parent / "wrong/q8_squared.py").read_text() == "mine"


def test_the_scaffold_knows_the_name_of_a_chapter(course):
    (course / "book").mkdir()
    (course / "book/05_porting.md").write_text("# Porting\n")
    assert scaffold.new("05", "q1")[0].parent.name == "05_porting"


# ---- the command line ---------------------------------------------------------------------------


def run(*arguments):
    return command.main([str(argument) for argument in arguments])


def test_build_and_check(course, small, capsys):
    student = course / "notebooks/exercises/01_small.ipynb"
    assert run("build", "--check") == 1 and "01_small.ipynb is not what its source makes" in capsys.readouterr().err
    assert not student.exists(), "--check writes nothing"
    assert run("build") == 0 and student.read_text() == build.student(small)
    assert run("build", "--check") == 0 and run("build", "01", "--check") == 0
    student.write_text(student.read_text().replace("Double it", "Treble it"))
    assert run("build", "01", "--check") == 1
    assert run("build", "01_small") == 0 and run("build", "--check") == 0
    (student.parent / "09_gone.ipynb").write_text("{}")
    capsys.readouterr()
    assert run("build", "--check") == 1 and "09_gone.ipynb" in capsys.readouterr().err
    assert run("build", "01", "--check") == 0


def test_the_other_forms_never_touch_the_student_s_notebooks(course, small, capsys):
    write(course / "exercises/02_other/source.ipynb", OTHER)
    assert run("build", "01", "--with-solutions") == run("build", "01", "--nbgrader") == 0
    assert run("build", "--select", "02:q1, 01:q1", "--name", "quiz") == 0
    assert run("build", "--select", "02:q1,01:q1", "--name", "quiz", "--with-solutions", "--output", "elsewhere") == 0
    assert run("build", "01", "--output", "elsewhere") == 0
    made = {path.relative_to(course).as_posix() for folder in ("_build", "elsewhere") for path in (course / folder).rglob("*.ipynb")}
    assert made == {"_build/exercises/01_small_solutions.ipynb", "_build/exercises/01_small/01_small.ipynb",
                    "_build/exercises/quiz.ipynb", "elsewhere/quiz_solutions.ipynb", "elsewhere/01_small.ipynb"}
    assert not (course / "notebooks/exercises").exists()
    assert run("build", "elsewhere/quiz_solutions.ipynb", "--output", "again") == 0
    assert (course / "again/quiz.ipynb").read_text() == (course / "_build/exercises/quiz.ipynb").read_text()


@pytest.mark.parametrize("arguments, message", [
    (["build", "07"], "no exercise sets are called '07'; there are: 01_small"),
    (["build", "none.ipynb"], "no such notebook"),
    (["build", "--check", "--nbgrader"], "--check looks at"),
    (["build", "--with-solutions", "--nbgrader"], "run the command twice"),
    (["build", "01", "--select", "01:q1"], "leave the numbers out"),
    (["build", "--select", "01q1"], "not like 02:q1"),
    (["build", "--select", "01:q1", "--name", "../x"], "becomes a file name"),
    (["new", "01", "q1"], "already"),
])
def test_the_command_line_explains(course, arguments, message, capsys):
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err


def test_outside_of_the_repository(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run("build") == 1 and run("build", "01") == 1 and run("new", "01_x", "q1") == 1
    assert capsys.readouterr().err.count("root of the repository") == 3


def test_new_says_what_to_do_next(course, capsys):
    assert run("new", "01", "q8") == 0
    assert "course_lib.grading build 01" in capsys.readouterr().out


# ---- every set of the course --------------------------------------------------------------------


@pytest.fixture(scope="module", params=SETS, ids=lambda path: path.parent.name)
def real(request):
    return read_set(request.param)


def test_there_are_sets():
    assert "00_start" in [path.parent.name for path in SETS]


def test_the_committed_student_notebook_is_what_the_source_makes(real):
    path = ROOT / build.STUDENTS / f"{real.name}.ipynb"
    assert path.is_file() and path.read_text(encoding="utf-8") == build.student(real), "run python -m course_lib.grading build"
    assert {path.stem for path in (ROOT / build.STUDENTS).glob("*.ipynb")} == {path.parent.name for path in SETS}


def test_badge_setup_and_markdown_are_as_in_the_lessons(real):
    made = cells(build.student(real))
    assert lessons.badge(SLUG, BRANCH, f"notebooks/exercises/{real.name}.ipynb") in made[0][1].splitlines()
    assert next(source for kind, source in made if kind == "code") == lessons.setup_cell(SLUG)
    for kind, source in made:
        if kind == "code":
            assert not [line for line in source.splitlines() if len(line) > 76], "longer lines are cropped in the book"
        else:
            assert not re.search(r"^\s*(:::|```\{|\{[\w:-]+\}`)|\{[\w:-]+\}`|^\(.*\)=$", source, re.MULTILINE), source
            tags = re.findall(r"<(\w+)", re.sub(r"```.*?```", "", source, flags=re.DOTALL))
            assert not set(tags) - {"details", "summary"}, source
            assert source.count("<details>") == source.count("</details>") == source.count("<summary>")


def test_a_source_has_no_outputs(real):
    content = nbformat.read(real.path, as_version=4)
    nbformat.validate(content)
    assert not [cell for cell in content.cells if cell.cell_type == "code" and (cell.outputs or cell.execution_count)]


def test_references_pass_and_stubs_do_not(real):
    for question in real.questions.values():
        if question.exercise:
            judge(real, question.id, question.exercise)
            judge(real, question.id, question.exercise, whole=False)
            with pytest.raises(NotImplementedError, match=f"^{question.id}: your code here$"):
                judge(real, question.id, question.stub)


def test_wrong_answers_get_their_diagnosis(real):
    wrong = read_wrong(real.path.parent / "wrong")
    coded = [id for id, question in real.questions.items() if question.exercise]
    count = {id: sum(answer.question == id for answer in wrong) for id in coded}
    assert sum(count.values()) == len(wrong), "a wrong answer to a question that is not there"
    assert min(count.values()) >= 2 and len(wrong) >= 3 * len(coded), count
    for answer in wrong:
        with pytest.raises(AssertionError) as caught:
            judge(real, answer.question, answer.source)
            pytest.fail(f"{answer.name} is not caught")
        assert answer.diagnosis in str(caught.value), answer.name


# Observations of what must not have happened, or whose value another one's test limits: alone, an odd one passes.
ASIDE = re.compile(r"q\d+_borrowed|q2_later|q5_other|q10_asked")


def test_no_check_passes_where_an_observation_is_missing(real):
    """A loop over nothing asserts nothing: whoever empties a list in the sandbox must not get the points."""
    student, trusted = {}, {}
    for source in real.setup:
        exec(source, student)
        exec(source, trusted)
    for question in real.questions.values():
        if not question.exercise:
            continue
        exec(question.exercise, student)
        exec(question.observe, student)
        seen = {name: student[name] for name in question.observations}
        every = [name for name in seen if not ASIDE.fullmatch(name)]
        for empty in ([], {}, "", None):
            forged = [{name: empty} for name in every if not (type(seen[name]) is type(empty) and seen[name] == empty)]
            for changed in [*forged, dict.fromkeys(seen, empty)]:
                try:
                    exec(question.check, trusted | copy.deepcopy(seen) | changed)
                except Exception:
                    continue
                pytest.fail(f"{question.id} passes with {changed}")


def test_a_student_s_notebook_stops_at_the_first_question_and_helps(real):
    made = [source for kind, source in cells(build.student(real)) if kind == "code"]
    first = next(question.id for question in real.questions.values() if question.exercise)
    names = {}
    for source in made:
        if source.startswith(f"# check: {first} "):
            with pytest.raises(NotImplementedError, match=f"^{first}: your code here$"):
                exec(source, names)
            break
        exec(source, names)
    else:
        pytest.fail("no check")


def test_a_solved_student_s_notebook_runs_to_its_end(real):
    names = {}
    for kind, source in cells(build.student(real)):
        if kind == "code":
            exercise = re.match(r"# exercise: (\w+)", source)
            exec(real.questions[exercise[1]].exercise if exercise else source, names)


def test_no_solution_or_hidden_test_reaches_students(real, site):
    text = build.student(real)
    assert "BEGIN SOLUTION" not in text and "BEGIN HIDDEN" not in text and not leaks(text, real)
    pages = [path for path in site.rglob("*") if path.suffix in (".html", ".ipynb", ".md", ".txt", ".js", ".json")
             and not {"vendor", "_static"} & set(path.relative_to(site).parts)]
    assert len(pages) > 5
    for path in pages:
        found = leaks(path.read_text(encoding="utf-8", errors="replace"), real)
        # A lesson may hold a line that is also one of a solution, such as a call to softmax.
        # The page for instructors shows a wrong answer, which shares three lines with the right one.
        allowed = 0 if "exercises" in path.relative_to(site).as_posix() else 3 if path.stem == "instructors" else 2
        assert len(found) <= allowed, f"{path.relative_to(site)} shows {found}"


# ---- the pages for instructors and students -----------------------------------------------------


def commands_of(page):
    text = (ROOT / "book" / page).read_text(encoding="utf-8")
    lines = [line.strip() for block in re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
             for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if "course_lib.grading" in line]


@pytest.fixture(scope="module")
def help_of():
    """What `python -m course_lib.grading COMMAND --help` prints."""
    def ask(name):
        result = subprocess.run([sys.executable, "-m", "course_lib.grading", name, "--help"], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        return result.stdout

    return {name: ask(name) for name in ("build", "new", "grade")}


@pytest.mark.parametrize("page", ["instructors.md", "students.md"])
def test_commands_in_the_pages_exist(page, help_of):
    found = commands_of(page)
    assert found or page == "students.md"
    for words in found:
        assert words[1:3] == ["-m", "course_lib.grading"], words
        name, *rest = words[3:]
        for word in rest:
            if word.startswith("-"):
                assert re.search(rf"(?<![\w-]){re.escape(word.partition('=')[0])}(?![\w-])", help_of[name]), f"{name} has no {word}"
        if name == "grade":
            from course_lib.grading import grade

            grade.parser().parse_args(rest)
        else:
            command.parser().parse_args([name, *rest])


def test_the_page_for_students_explains_every_status():
    from course_lib.grading.gradebook import STATUSES

    page = (ROOT / "book/students.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z ]+)` \|", page, re.MULTILINE)) == set(STATUSES) - {"error"}


def test_the_examples_for_instructors_are_true(tmp_path):
    from course_lib.grading.grade import with_private
    from course_lib.grading.gradebook import read_policy

    page = (ROOT / "book/instructors.md").read_text(encoding="utf-8")
    wrong, private = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert wrong == (ROOT / "exercises/00_start/wrong/q5_same_order.py").read_text(encoding="utf-8")
    (tmp_path / "00_start").mkdir()
    (tmp_path / "00_start/q1.py").write_text(private)
    start = with_private(read_set(ROOT / "exercises/00_start/source.ipynb"), tmp_path)
    judge(start, "q1", start.questions["q1"].exercise)
    with pytest.raises(AssertionError, match="numbers of two bytes"):
        judge(start, "q1", start.questions["q1"].exercise.replace("/ (size", "/ (1 if (n, size) == (3, 2) else size"))
    (tmp_path / "times.csv").write_text("student,submitted\n")
    (tmp_path / "policy.yaml").write_text(re.search(r"^```yaml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1])
    assert read_policy(tmp_path / "policy.yaml").percent_per_day == 10


def test_the_commands_are_listed():
    result = subprocess.run([sys.executable, "-m", "course_lib.grading", "--help"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0
    for name in ("build", "new", "grade"):
        assert re.search(rf"^ +{name} ", result.stdout, re.MULTILINE)
