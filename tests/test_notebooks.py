"""How every lesson is written. (That it runs, with equal outputs, is nbval's part.)"""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from course_lib import plotting
from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SLUG, BRANCH = notebooks.repository()


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return request.param, nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_is_a_lesson():
    assert LESSONS


def test_every_code_cell_was_executed_in_order_and_none_failed(lesson):
    """nbval passes a cell that was never executed."""
    _, notebook = lesson
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))
    assert not [o for cell in code(notebook) for o in cell.outputs if o.output_type == "error"]
    assert not [o for cell in code(notebook) for o in cell.outputs if o.get("name") == "stderr"]


def test_badge_and_setup_cell_are_those_of_the_repository(lesson):
    path, notebook = lesson
    assert notebooks.badge(SLUG, BRANCH, f"notebooks/{path.name}") in notebook.cells[0].source.splitlines()
    assert code(notebook)[0].source == notebooks.setup_cell(SLUG)


# A fence that opens a directive, a role, a label, a comment or a block break of MyST.
DIRECTIVE = re.compile(r"^[\s>*+-]*(:{3,}|(`{3,}|~{3,})[ \t]*\{)|(?<!`)\{[\w:.+-]+\}`|^\s*\([^)]*\)=\s*$|^\s*%|^\+\+\+", re.MULTILINE)
TIMING = re.compile(r"\d (ns|us|µs|ms|[kMGT]?B/s|[kMGT]FLOP/s|tokens/s|it/s)(?!\w)")


@pytest.mark.parametrize("source", [
    ":::{note}", "::::{grid} 2", "text\n:::\n", "```{note}\nx\n```", "````{admonition} T", "~~~{note}", "~~~~ {figure} x",
    "> ```{note}", "- :::{tip}", "  ```{code-cell}", "see {doc}`x`", "{cite:p}`vaswani2017`", "(api-devices)=", "  (a b)=",
    "% a comment", "+++ block"])
def test_a_directive_is_noticed(source):
    assert DIRECTIVE.search(source)


@pytest.mark.parametrize("source", [
    "```python\nx = {1: 2}\n```", "~~~\n{}\n~~~", "a :: b", "a dict `{x}` here", "f(x) = (a)", "(a)= is a label", "50 % of it",
    "| a | b |\n|:---|---:|", "1 + 1\n++ +"])
def test_plain_markdown_is_no_directive(source):
    assert not DIRECTIVE.search(source)


@pytest.mark.parametrize("text, timed", [
    ("3 ms", True), ("1.2 us each", True), ("4 µs", True), ("7 ns,", True), ("88 tokens/s", True), ("12 TFLOP/s", True), ("5 MB/s", True),
    ("3 msgs", False), ("ms 3", False), ("12 tokens", False), ("3 B", False)])
def test_a_timing_is_noticed(text, timed):
    assert bool(TIMING.search(text)) == timed


def test_plain_markdown_only(lesson):
    """Colab shows directives and roles raw."""
    _, notebook = lesson
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not DIRECTIVE.search(cell.source), cell.source
            assert not set(re.findall(r"<(\w+)", cell.source)) - {"details", "summary"}, cell.source


def test_code_fits_the_page(lesson):
    _, notebook = lesson
    long = [line for cell in code(notebook) for line in cell.source.splitlines() if len(line) > 76]
    assert not long, "longer lines are cropped in the book"


def test_cells_are_short(lesson):
    _, notebook = lesson
    assert max(len(cell.source.splitlines()) for cell in code(notebook)) <= 40


def test_every_figure_says_what_it_shows(lesson):
    _, notebook = lesson
    for cell in code(notebook):
        alts = ["".join(o.data["text/plain"]) for o in cell.outputs if "image/svg+xml" in o.get("data", {})]
        assert not [o for o in cell.outputs if "image/png" in o.get("data", {}) and "image/svg+xml" not in o.data]
        if alts:
            assert cell.metadata["mystnb"]["image"]["alt"] == " ".join(alts)


def test_no_trace_of_the_machine_that_ran_it(lesson):
    path, notebook = lesson
    assert set(notebook.metadata) <= {"kernelspec", "language_info", "widgets"}
    assert notebook.metadata["language_info"] == {"name": "python"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags", "mystnb"}
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(home|root|Users|tmp|work)/", text)


def test_outputs_that_depend_on_time_are_tagged_and_something_is_asserted(lesson):
    _, notebook = lesson
    ignored = [cell for cell in code(notebook) if "nbval-ignore-output" in cell.metadata.get("tags", [])]
    if ignored:
        assert any("assert " in cell.source for cell in code(notebook))
    for cell in code(notebook):
        text = "".join(o.get("text", "") for o in cell.outputs)
        if TIMING.search(text):
            assert cell in ignored, f"a timing is compared:\n{cell.source}"


def test_exercises_have_a_check(lesson):
    _, notebook = lesson
    first = [cell.source.splitlines()[0] for cell in code(notebook) if cell.source]
    asked = [line.split(": ")[1] for line in first if line.startswith("# exercise: ")]
    checked = [line.split()[2] for line in first if line.startswith("# check: ")]
    assert asked == checked


# The lesson's own exercise: right answers pass, wrong ones get the diagnosis.

BYTES = "(size * (n * k + k * m + n * m))"
ANSWERS = {
    f"2 * n * k * m / {BYTES}": "right",
    "2 / (size * (1 / n + 1 / k + 1 / m))": "right",
    f"__import__('fractions').Fraction(2 * n * k * m, {BYTES})": "right",
    f"__import__('torch').tensor(2 * n * k * m) / {BYTES}": "right",
    f"__import__('numpy').float32(2 * n * k * m / {BYTES})": "right",
    f"n * k * m / {BYTES}": "no additions",
    f"2 * n * k * m / (2 * {BYTES})": "bytes twice",
    f"n * m * (2 * k - 1) / {BYTES}": "Count k additions",
    "2 * n * k * m / (size * (n * k + k * m))": "result moves",
    "2 * n * k * m": "Divide by the bytes",
    f"{BYTES} / (2 * n * k * m)": "Upside down",
    "2 * n * k * m / (4 * (n * k + k * m + n * m))": "use size, not 4",
    f"2 * n * k * m // {BYTES}": "Whole-number division",
    "2 * n * k * m / (n * k + k * m + n * m)": "A number is `size` bytes",
    "2 * n * k * m * size / (n * k + k * m + n * m)": "Divide by `size`",
    f"2 * n**3 / {BYTES}": "(2, 3, 7, size=1) gave",
    "2 * n * k * m / (size * (n * k + m * m))": "(2, 3, 7, size=1) gave",
    "84 / 41": "(5, 4, 3, size=8)",
    "None": "is there a return?",
    "nothing": "NameError",
}


@pytest.mark.parametrize("answer, diagnosis", ANSWERS.items())
def test_answers_to_the_exercise_of_start_here(answer, diagnosis, capsys):
    notebook = nbformat.read(ROOT / "notebooks" / "00_start.ipynb", as_version=4)
    exercise, check = (
        next(c.source for c in code(notebook) if c.source.startswith(mark)) for mark in ("# exercise: q1", "# check: q1")
    )
    from course_lib.lesson import attempt

    names = {"attempt": attempt}
    exec(exercise.replace("raise NotImplementedError", f"return {answer}"), names)
    exec(check, names)
    assert diagnosis in capsys.readouterr().out


def test_a_wrong_default_is_noticed(capsys):
    notebook = nbformat.read(ROOT / "notebooks" / "00_start.ipynb", as_version=4)
    check = next(c.source for c in code(notebook) if c.source.startswith("# check: q1"))
    from course_lib.lesson import attempt

    exec(check, {"attempt": attempt, "intensity": lambda n, k, m, size=8: 2 / (size * (1 / n + 1 / k + 1 / m))})
    assert "Default size: 4" in capsys.readouterr().out


# tools/notebooks.py


def copied(tmp_path):
    for name in ("_config.yml", "CITATION.cff", "README.md", "CONTRIBUTING.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for folder in ("notebooks", "binder"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("my_results", ".*"))
    return tmp_path


def test_a_fork_changes_one_line_and_runs_one_command(tmp_path):
    root = copied(tmp_path)
    config = root / "_config.yml"
    config.write_text(config.read_text().replace(f"https://github.com/{SLUG}", "https://github.com/ada/course.fork"))
    config.write_text(config.read_text().replace("branch: main", "branch: trunk"))
    assert {path.name for path in notebooks.sync(root)} >= {"00_start.ipynb", "CITATION.cff"}
    assert notebooks.sync(root) == []
    for path in root.rglob("*"):
        if path.is_file():
            assert SLUG not in path.read_text(encoding="utf-8"), path
    notebook = nbformat.read(root / "notebooks" / "00_start.ipynb", as_version=4)
    assert code(notebook)[0].source == notebooks.setup_cell("ada/course.fork")
    assert notebooks.badge("ada/course.fork", "trunk", "notebooks/00_start.ipynb") in notebook.cells[0].source


def test_the_committed_documents_name_this_repository():
    """Every github.com address of ours, in whatever file, is repository.url."""
    for pattern in ("*.md", "*.cff", "*.toml", "binder/*", "book/*.md", "notebooks/*.ipynb"):
        for path in ROOT.glob(pattern):
            for owner in re.findall(rf"github\.com/([\w.-]+)/{SLUG.split('/')[1]}\b", path.read_text(encoding="utf-8")):
                assert owner == SLUG.split("/")[0], path


def test_a_branch_may_have_a_slash_and_the_address_a_suffix(tmp_path):
    root = copied(tmp_path)
    config = (root / "_config.yml").read_text()
    for branch, url in (("next/one", f"https://github.com/{SLUG}.git"), ("main", f"https://github.com/{SLUG}/")):
        (root / "_config.yml").write_text(
            config.replace("branch: main", f"branch: {branch}").replace(f"https://github.com/{SLUG}", url))
        notebooks.sync(root)
        notebook = nbformat.read(root / "notebooks" / "00_start.ipynb", as_version=4)
        assert notebooks.badge(SLUG, branch, "notebooks/00_start.ipynb") in notebook.cells[0].source


@pytest.mark.parametrize("url", ["git@github.com:ada/course.git", "https://gitlab.com/ada/course", "https://github.com/ada",
                                 "https://github.com/ada/course/tree/main"])  # fmt: skip
def test_an_address_of_another_form_is_refused(tmp_path, url):
    root = copied(tmp_path)
    config = (root / "_config.yml").read_text()
    (root / "_config.yml").write_text(config.replace(f"https://github.com/{SLUG}", url))
    with pytest.raises(SystemExit, match="OWNER/NAME"):
        notebooks.sync(root)


def test_a_file_that_cannot_be_read_stops_sync_before_anything_is_written(tmp_path):
    root = copied(tmp_path)
    config = (root / "_config.yml").read_text()
    (root / "_config.yml").write_text(config.replace(f"https://github.com/{SLUG}", "https://github.com/ada/course"))
    broken = root / "notebooks" / "zz.ipynb"
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(SystemExit, match="zz.ipynb: cannot be read"):
        notebooks.sync(root)
    broken.unlink()
    assert {path.name for path in notebooks.sync(root)} >= {"README.md", "CITATION.cff"}


def test_the_old_address_is_rewritten_last(tmp_path, monkeypatch):
    root = copied(tmp_path)
    config = (root / "_config.yml").read_text()
    (root / "_config.yml").write_text(config.replace(f"https://github.com/{SLUG}", "https://github.com/ada/course"))
    assert [path.name for path in notebooks.sync(root)].count("CITATION.cff") == 1
    (root / "_config.yml").write_text(config)
    written = []
    monkeypatch.setattr(Path, "write_text", lambda path, text, encoding: written.append(path.name))
    notebooks.sync(root)
    assert written[-1] == "CITATION.cff" and len(written) > 3


def test_sync_says_what_is_missing(tmp_path):
    root = copied(tmp_path)
    (root / "CITATION.cff").write_text("title: x\n")
    with pytest.raises(SystemExit, match="repository-code"):
        notebooks.sync(root)


def test_execute_keeps_outputs_and_alt_and_drops_the_rest(tmp_path):
    notebook = nbformat.v4.new_notebook(metadata={"author": "somebody"})
    notebook.cells = [
        nbformat.v4.new_code_cell("1 + 1", metadata={"tags": ["keep"], "collapsed": True}),
        nbformat.v4.new_code_cell(
            "from course_lib import plotting\nfig, ax = plotting.figure()\nplotting.show(fig, alt='An empty plot.')"
        ),
    ]
    path = tmp_path / "x.ipynb"
    nbformat.write(notebook, path)
    notebooks.execute(path)
    done = nbformat.read(path, as_version=4)
    assert done.cells[0].outputs[0].data["text/plain"] == "2"
    assert done.cells[0].metadata == {"tags": ["keep"]}
    assert done.cells[1].metadata == {"mystnb": {"image": {"alt": "An empty plot."}}}
    assert set(done.metadata) == {"kernelspec", "language_info"}


def test_execute_leaves_a_failing_notebook_as_it_was(tmp_path):
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    path = tmp_path / "x.ipynb"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.execute(path)
    assert path.read_bytes() == before


def test_figures_are_compared_without_their_coordinates():
    """The last digits of a trained curve differ between processors; labels and marks must not."""
    from nbval.plugin import get_sanitize_patterns

    def compared(curve, label="steps", colour="blue", lines=1):
        fig, ax = plotting.figure()
        for _ in range(lines):
            ax.plot(curve, color=plotting.COLOURS[colour], marker="o")
        ax.imshow([curve], aspect="auto")
        ax.set(xlabel=label, xlim=(0, 2), ylim=(0, 3))
        text = plotting.svg(fig, "a curve")
        for regex, replace in get_sanitize_patterns((ROOT / "tests/figures.cfg").read_text()):
            text = re.sub(regex, replace, text)
        return text

    first = compared([1.0, 2.0, 1.5])
    assert compared([1.1, 2.0, 1.4]) == first
    for other in ({"label": "stepz"}, {"colour": "green"}, {"lines": 2}):
        assert compared([1.0, 2.0, 1.5], **other) != first, other
