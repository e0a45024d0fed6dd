"""The directives and roles of `_ext/`, in a book of one page."""

import io
import json
import re
import shutil
from pathlib import Path

import claims
import ledger
import nbformat
import pytest
import yaml
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from course_lib import results
from course_lib.lesson import glue
from course_lib.plotting import figure, show

ROOT = Path(__file__).resolve().parent.parent
CLAIMS = {
    "chapter": "01_mt_history", "post": "somebody2019", "status": "planned", "claims": [
        {"id": "faster", "section": "Results", "claim": "It is faster.", "kind": "measurement", "year": 2019, "machine": "V100",
         "metric": "time over time", "rule": {"by": "measuring", "holds": "low >= 1.1 and value != 3", "partly": "value > 1"},
         "result": {"cpu": "results/race/cpu.json::gain"}},
        {"id": "older", "section": "Dates", "claim": "It is older.", "kind": "history", "year": 2018, "machine": None,
         "rule": {"by": "sources", "holds": "a source says so"}, "sources": [], "verdict": None, "why": None},
        {"id": "loved", "section": "Ends", "claim": "It is loved.", "kind": "advice", "year": 2018, "machine": None,
         "rule": {"by": "none", "why": "nobody was asked"}},
    ],
}  # fmt: skip
HARDWARE = {"system": "Linux", "cpu": "Abacus", "cores": 2, "memory_gib": 8, "gpu": None, "gpu_count": 0}


def recording(benchmark, **figures):
    return {"schema": 1, "benchmark": benchmark, "what": "a test", "date": "2026-11-22", "hardware": HARDWARE, "versions": {},
            "settings": {}, "command": "x", "figures": {
                name: dict(zip(("value", "low", "high", "unit", "n"), (*numbers, 3))) for name, numbers in figures.items()}}  # fmt: skip


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A repository with one claims file, one lesson and two recordings; returns a function that builds one page."""
    for benchmark, figures in (("race", {"gain": (1.25, 1.1, 1.5, "x")}),
                               ("lesson_cost", {"01_x_seconds": (12.4, 12, 13, "s"), "01_x_peak_memory": (640, 600, 700, "MiB")})):
        (tmp_path / "results" / benchmark).mkdir(parents=True)
        (tmp_path / "results" / benchmark / "cpu.json").write_text(json.dumps(recording(benchmark, **figures)))
    (tmp_path / "book" / "claims").mkdir(parents=True)
    (tmp_path / "book" / "claims" / "01_mt_history.yaml").write_text(yaml.safe_dump(CLAIMS))
    outputs = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: outputs.append(
        nbformat.v4.new_output("display_data", data=data, metadata=more.get("metadata") or {})))
    glue("answer", 42.5)
    show(figure()[0], alt="An empty plot.", name="plot")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=outputs)])
    (tmp_path / "notebooks").mkdir()
    nbformat.write(notebook, tmp_path / "notebooks" / "01_x.ipynb")
    monkeypatch.setattr(ledger, "ROOT", tmp_path)
    monkeypatch.setattr(results, "results_folder", lambda: tmp_path / "results")

    def build(text):
        source = tmp_path / "page"
        shutil.rmtree(source, ignore_errors=True)
        source.mkdir()
        (source / "index.md").write_text("# A page\n\n" + text)
        (source / "conf.py").write_text(
            "extensions = ['myst_parser', 'claims', 'recorded', 'figures']\nmyst_enable_extensions = ['colon_fence']\n"
            "html_theme_options = {}\nhtml_theme = 'basic'\n")
        warnings = io.StringIO()
        with docutils_namespace():
            app = Sphinx(source, source, source / "out", source / "trees", "html", status=None, warning=warnings)
            app.config.html_theme_options.update(repository_url="https://github.com/ada/course", repository_branch="main")
            app.build(force_all=True)
        html = (source / "out" / "index.html").read_text()
        said = re.sub(r"\x1b\[[\d;]*m", "", warnings.getvalue()).splitlines()   # without colours
        return re.sub(r"[ \n]+", " ", html), "\n".join(line for line in said if "unsupported theme option" not in line)

    return build


@pytest.mark.parametrize(
    "text, message",
    [
        ("{recorded}`race/cpu::loss`", "{recorded}: result key 'results/race/cpu.json::loss': nothing of this name"),
        ("{recorded}`race/gpu::gain`", "{recorded}: result key 'results/race/gpu.json::gain': there is no such file"),
        ("{recorded}`race/cpu::gain:.1q`", "{recorded}: "),
        ("{glued}`01_x::question`", "{glued}: result key 'notebooks/01_x.ipynb::question': nothing of this name"),
        ("{count}`stars`", "{count}: 'stars' is not one of"),
        ("{recorded-machine}`race/gpu`", "{recorded-machine}: there is no recording 'race/gpu'"),
        ("```{claims} 02_none\n```", "{claims}: "),
        ("```{lesson-strip} 02_none\n```", "{lesson-strip}: there is no lesson '02_none'"),
        ("```{lesson-figure} 02_none plot\n```", "{lesson-figure}: there is no lesson 02_none.ipynb"),
        ("```{lesson-figure} 01_x picture\n```", "{lesson-figure}: 01_x.ipynb has no figure named 'picture'"),
        ("```{lesson-figure} 01_x plot\nOne.\n\nTwo.\n```", "{lesson-figure}: the caption must be one paragraph"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_page_and_line(book, text, message):
    _, warnings = book(f"Words.\n\n{text}\n")
    assert re.search(r"index\.md:5: (ERROR|WARNING)", warnings), warnings
    assert message in warnings


def test_a_broken_claims_file_is_reported_where_it_is_shown(book):
    path = ledger.ROOT / "book" / "claims" / "01_mt_history.yaml"
    path.write_text(path.read_text().replace("year: 2019", "year: soon"))
    for text, where in (("```{claims} 01_mt_history\n```", "claims"), ("```{ledger}\n```", "ledger"), ("{count}`claims`", "count")):
        _, warnings = book(text)
        assert re.search(rf"index\.md:3: .*{{{where}}}: .*claim 'faster': year", warnings), warnings


def test_values_stand_in_the_text(book):
    html, warnings = book(
        "On {recorded-machine}`race/cpu` {recorded}`race/cpu::gain:.1f`, {recorded}`race/cpu::gain`, {measured}`race/cpu::gain:.1f`, {glued}`01_x::answer:.0f`; "
        "{count}`claims` claims, {count}`decided` decided, {count}`untestable` not testable, {count}`finished` chapters done.\n")
    assert not warnings
    assert "On Abacus 1.2\N{NO-BREAK SPACE}x, 1.25\N{NO-BREAK SPACE}x, 1.2 [1.1, 1.5] x, 42; 3 claims, 1 decided, 1 not testable, 0 chapters done" in html


def test_the_strip_gives_the_recorded_cost_and_three_ways_to_run(book):
    html, warnings = book("```{lesson-strip} 01_x\n```\n")
    assert not warnings
    text = re.sub(r"<[^>]+>", "", html)
    for words in ("Time on Abacus, one thread 12 s", "Peak memory 640 MiB", "Downloads none", "make lab"):
        assert words in re.sub(r"\s+", " ", text)
    assert 'href="https://colab.research.google.com/github/ada/course/blob/main/notebooks/01_x.ipynb"' in html
    assert 'href="https://mybinder.org/v2/gh/ada/course/main?urlpath=lab/tree/notebooks/01_x.ipynb"' in html


def test_a_lesson_s_figure_with_its_words(book):
    html, warnings = book("```{lesson-figure} 01_x plot\nA *caption*.\n```\n")
    assert not warnings
    assert 'alt="An empty plot."' in html and 'id="01-x-plot"' in html and "A <em>caption</em>." in html
    [svg] = (ledger.ROOT / "page" / "out" / "_images").glob("*.svg")
    assert "<title>An empty plot.</title>" in svg.read_text()


def test_the_table_of_claims(book):
    html, warnings = book("```{claims} 01_mt_history\n```\n")
    assert not warnings
    rows = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", row)).strip() for row in html.split("<tr")[1:]]
    assert "It is faster. 2019, Results, V100" in rows[1]
    assert "time over time." in rows[1] and "Holds: the interval’s low end ≥ 1.1 and the value ≠ 3; Partly: the value &gt; 1" in rows[1]
    assert "CPU: 1.25 [1.1, 1.5] x" in rows[1] and "holds" in rows[1].split("x")[-1]
    assert "Holds: a source says so" in rows[2] and rows[2].split("</table>")[0].endswith("not measured yet")
    assert "Not testable here: nobody was asked" in rows[3] and "cannot be tested here" in rows[3]
    for name, verdict in (("faster", "holds"), ("older", "pending"), ("loved", "untestable")):
        assert f'id="claim-01-mt-history-{name}"' in html and f"verdict {verdict}" in html


@pytest.mark.parametrize("figure, text", [
    ({"value": 1.0, "low": 1.0, "high": 1.0, "unit": "true or false"}, "yes"), ({"value": 0.0, "low": 0, "high": 0, "unit": "true or false"}, "no"),
    ({"value": 0.5, "low": 0.4, "high": 0.6, "unit": "share"}, "0.5 [0.4, 0.6]"), ({"value": 2.0, "low": 2.0, "high": 2.0, "unit": "s"}, "2 s"),
    ({"value": True, "low": True, "high": True, "unit": ""}, "yes"), ({"value": "red", "low": "red", "high": "red", "unit": ""}, "red"),
    ({"value": -0.5, "low": -0.6, "high": 0.1, "unit": "ratio"}, "\N{MINUS SIGN}0.5 [\N{MINUS SIGN}0.6, 0.1]"),
])
def test_how_a_figure_reads(figure, text):
    assert claims.number(figure) == text


def test_the_words_of_verdicts(book):
    assert [ledger.decide(claim) for claim in CLAIMS["claims"]] == ["holds", "pending", "untestable"]
    assert set(claims.TITLES) == {path.name[3:-5] for path in (ROOT / "book" / "claims").glob("*.yaml")}
    assert claims.verdict_node("no", "history").astext() == "does not hold"
    assert claims.verdict_node("no", "measurement").astext() == "no longer holds"
    assert claims.verdict_node("partly", "mechanism").astext() == "holds partly"
