"""The exercises of "Encoder-decoders": the reference passes, the stub does not, each wrong answer gets its diagnosis."""

import ast
import copy
import doctest
import re
from pathlib import Path

import nbformat
import pytest
import torch

from tools import notebooks

FOLDER = Path(__file__).resolve().parent.parent / "exercises" / "02_seq2seq"
NOTEBOOK = nbformat.read(FOLDER / "source.ipynb", as_version=4)
CODE = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code"]
TEXT = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown"]
KINDS = ("exercise", "observe", "check")
MARKED = {
    (match[1], match[2]): source for source in CODE if (match := re.match(r"# (exercise|observe|check): (q\d+)", source))
}
SETUP = [source for source in CODE if not re.match(rf"# ({'|'.join(KINDS)}):", source)]
QUESTIONS = [question for kind, question in MARKED if kind == "exercise"]
POINTS = {q: int(re.match(r"# check: q\d+ points=(\d+)\n", MARKED["check", q])[1]) for q in QUESTIONS}
WRONG = sorted((FOLDER / "wrong").glob("*.py"))


def question_and_diagnosis(path):
    found = re.search(r'"""\n# question: (q\d+)\n# diagnosis: (.+)\n', path.read_text(encoding="utf-8"))
    assert found, f"{path.name} must say # question: and # diagnosis: behind its docstring"
    return found.groups()


def stub(source, question):
    """The cell as students get it."""
    return re.sub(
        r"^( *)### BEGIN SOLUTION$.*?^ *### END SOLUTION$",
        rf'\1raise NotImplementedError("{question}: your code here")',
        source,
        flags=re.MULTILINE | re.DOTALL,
    )


def visible(source):
    return re.sub(r"^ *### BEGIN HIDDEN TESTS$.*?^ *### END HIDDEN TESTS$\n?", "", source, flags=re.MULTILINE | re.DOTALL)


def set_up():
    names = {"__name__": "exercises"}
    for source in SETUP:
        exec(compile(source, "<setup>", "exec"), names)
    return names


def observations(source):
    """The names that an observe cell assigns."""
    return {
        target.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        for target in ast.walk(ast.Tuple(node.targets))
        if isinstance(target, ast.Name)
    }


def can_be_sent(value):
    if type(value) is list:
        return all(map(can_be_sent, value))
    if type(value) is dict:
        return all(type(key) is str and can_be_sent(part) for key, part in value.items())
    return type(value) in (torch.Tensor, bool, int, float, str, type(None))


def judge(question, answer=None, shown=lambda source: source):
    """What the check says of an answer, None where it passes; exceptions of the answer itself pass through.

    As in grading: setup, earlier reference answers, the answer and the observe cell share one
    namespace; the check sees a setup of its own and what was observed, and nothing else.
    """
    student = set_up()
    for earlier in QUESTIONS[: QUESTIONS.index(question)]:
        exec(MARKED["exercise", earlier], student)
    exec(compile(answer or MARKED["exercise", question], "<answer>", "exec"), student)
    observe, check = (shown(MARKED[kind, question]) for kind in ("observe", "check"))
    exec(compile(observe, "<observe>", "exec"), student)
    sent = {name: student[name] for name in observations(observe)}
    for name, value in sent.items():
        assert name.startswith(f"{question}_") and can_be_sent(value), f"{name} is no observation of {question}: {value!r}"
    checker = set_up() | copy.deepcopy(sent)
    try:
        exec(compile(check, "<check>", "exec"), checker)
    except AssertionError as error:
        return str(error) or "an assert without a message"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.delenv("COURSE_STUDENT_SEED", raising=False)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 12345, 2**64 + 7])
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_reference_passes_whatever_the_student_s_seed(question, seed, monkeypatch):
    monkeypatch.setenv("COURSE_STUDENT_SEED", str(seed))
    assert judge(question) is None


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_reference_passes_what_students_see(question):
    assert judge(question, shown=visible) is None


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_stub_fails_at_its_own_question(question):
    source = stub(MARKED["exercise", question], question)
    assert "SOLUTION" not in source
    with pytest.raises(NotImplementedError, match=f"^{question}: your code here$"):
        judge(question, source)


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_every_wrong_answer_gets_its_diagnosis(path, seed, monkeypatch):
    monkeypatch.setenv("COURSE_STUDENT_SEED", str(seed))
    question, diagnosis = question_and_diagnosis(path)
    message = judge(question, path.read_text(encoding="utf-8"))
    assert message and diagnosis in message


def test_there_are_enough_wrong_answers():
    counts = [sum(question_and_diagnosis(path)[0] == q for path in WRONG) for q in QUESTIONS]
    assert min(counts) >= 2 and sum(counts) >= 3 * len(QUESTIONS)
    for path in WRONG:
        assert path.stem.startswith(question_and_diagnosis(path)[0] + "_")


def test_the_whole_notebook_runs_in_one_namespace():
    """As an instructor runs it, top to bottom; a name of one cell must not break a later one."""
    names = {"__name__": "__main__"}
    for source in CODE:
        exec(compile(source, source.splitlines()[0], "exec"), names)


def test_the_cells_of_a_question_are_complete_and_in_order():
    assert QUESTIONS == [f"q{i}" for i in range(1, len(QUESTIONS) + 1)] and len(QUESTIONS) >= 8
    assert list(MARKED) == [(kind, q) for q in QUESTIONS for kind in KINDS]
    for question in QUESTIONS:
        assert "### BEGIN SOLUTION" in MARKED["exercise", question]
        assert f"<!-- solution: {question} -->" in "\n".join(TEXT)


def test_difficulty_and_points_in_the_text_are_those_of_the_checks():
    heads = re.findall(
        r"^## Exercise (q\d+): .+\n\n\*Difficulty (●+)(○*) · (\d+) minutes · (\d+) points\*$", "\n\n".join(TEXT), re.MULTILINE
    )
    rubric = re.findall(r"^<!-- rubric: (q\d+) points=(\d+) -->$", "\n".join(TEXT), re.MULTILINE)
    assert {q: int(points) for q, *_, points in heads} == POINTS | {q: int(points) for q, points in rubric}
    assert all(len(full + empty) == 5 for _, full, empty, *_ in heads)
    difficulties = [len(full) for _, full, *_ in heads]
    assert difficulties == sorted(difficulties) and set(difficulties) == {1, 2, 3, 4, 5} and heads[-1][0] == rubric[-1][0]
    total = sum(int(points) for *_, points in heads)
    assert f"{total} points" in TEXT[0]


def test_the_points_of_a_rubric_add_up():
    for cell in TEXT:
        if found := re.match(r"<!-- rubric: q\d+ points=(\d+) -->", cell):
            assert sum(map(int, re.findall(r"^- (\d+) points?:", cell, re.MULTILINE))) == int(found[1])


def test_the_examples_in_the_text_are_true():
    names = set_up()
    for question in QUESTIONS:
        exec(MARKED["exercise", question], names)
    examples = [block for cell in TEXT for block in re.findall(r"```python\n(>>> .*?)```", cell, re.DOTALL)]
    assert len(examples) == len(QUESTIONS)
    for block in examples:
        result = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(block, names, block, None, 0))
        assert not result.failed


def test_the_beginning_of_the_investigation_runs(capsys):
    block, = [block for cell in TEXT for block in re.findall(r"```python\n((?!>>>).*?)```", cell, re.DOTALL)]
    block = block.replace("STEPS, PAIRS, ASKED = 20, 200, 20", "STEPS, PAIRS, ASKED = 2, 40, 4")
    torch.set_num_threads(1)
    exec(block, {})
    assert re.fullmatch(r"\d\.\d\d of the predicted queries return what they should\n", capsys.readouterr().out)


def test_hidden_parts_can_be_cut_out():
    hidden = 0
    for question in QUESTIONS:
        for kind in ("observe", "check"):
            source = visible(MARKED[kind, question])
            ast.parse(source)
            assert "HIDDEN" not in source
            hidden += source != MARKED[kind, question]
    assert hidden > len(QUESTIONS)


def test_a_check_overwrites_neither_the_setup_nor_an_answer():
    """In the student's notebook they share one namespace."""
    kept = set(set_up()) | {n.name for q in QUESTIONS for n in ast.parse(MARKED["exercise", q]).body if hasattr(n, "name")}
    for question in QUESTIONS:
        for node in ast.walk(ast.parse(MARKED["check", question])):
            stored = isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id
            assert (stored or getattr(node, "name", None)) not in kept, (question, stored)


def test_notebook_is_as_lessons_are():
    slug, branch = notebooks.repository()
    assert notebooks.badge(slug, branch, "notebooks/exercises/02_seq2seq.ipynb") in TEXT[0].splitlines()
    assert CODE[0] == notebooks.setup_cell(slug)
    assert set(NOTEBOOK.metadata) == {"kernelspec", "language_info"}
    for cell in NOTEBOOK.cells:
        assert not cell.metadata and not cell.get("outputs") and not cell.get("execution_count")
    assert not [line for source in CODE for line in source.splitlines() if len(line) > 76]
    for cell in TEXT:
        assert not re.search(r"^\s*(:::|```\{|\{[\w:-]+\}`)|\{[\w:-]+\}`|^\(.*\)=$", cell, re.MULTILINE), cell
        assert not set(re.findall(r"<(\w+)", re.sub(r"```.*?```", "", cell, flags=re.DOTALL))) - {"details", "summary"}, cell
