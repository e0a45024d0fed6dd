"""Recorded measurements in the prose: never a typed figure.

    {recorded}`machine/amd-epyc-2-cores::matmul_512:.0f`     one figure and its unit
    {measured}`machine/amd-epyc-2-cores::matmul_512:.0f`     the same with its interval
    {glued}`00_start::ways:d`                                one value that a lesson kept with `glue`
    ```{lesson-strip} 00_start                               what a lesson costs, and three ways to run it
"""

import ledger
from claims import number
from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from course_lib import results

COST = "lesson_cost"  # recorded by benchmarks/lesson_cost.py


class Value(SphinxRole):
    """`file::name` and, after a last colon, a format: a value and its unit. files: where the first part stands for."""

    def __init__(self, files, interval=True):
        super().__init__()
        self.files, self.interval = files, interval

    @ledger.in_role
    def run(self):
        file, _, rest = self.text.partition("::")
        name, _, form = rest.partition(":")
        path = self.files.format(file)
        self.env.note_dependency(str(ledger.ROOT / path))
        figure = ledger.resolve(f"{path}::{name}")
        if self.interval:
            return [nodes.Text(number(figure, form or ".3g"))], []
        value = {**figure, "low": figure["value"], "high": figure["value"]}
        return [nodes.Text(number(value, form or ".3g").replace(" ", "\N{NO-BREAK SPACE}"))], []


class RecordedMachine(SphinxRole):
    """`benchmark/hardware`: the model of the machine that a file was recorded on."""

    @ledger.in_role
    def run(self):
        try:
            hardware = results.read(ledger.ROOT / f"results/{self.text}.json").hardware
        except OSError as error:
            raise ledger.LedgerError(f"there is no recording {self.text!r}") from error
        return [nodes.Text(hardware["gpu"] or hardware["cpu"])], []


class LessonStrip(SphinxDirective):
    """The cost of a lesson on every recorded machine, and links to run it on Colab, Binder or at home."""

    required_arguments = 1
    option_spec = {"downloads": str}

    @ledger.in_directive
    def run(self):
        lesson = self.arguments[0]
        if not (ledger.ROOT / f"notebooks/{lesson}.ipynb").is_file():
            raise ledger.LedgerError(f"there is no lesson {lesson!r}")
        strip = nodes.container(classes=["lesson-strip"])
        for machine, seconds, memory in costs(lesson):
            strip += item(f"Time on {machine}", seconds)
            strip += item("Peak memory", memory)
        strip += item("Downloads", self.options.get("downloads", "none"))
        links = nodes.paragraph(classes=["run-links"])
        for label, address in run_links(self.config.html_theme_options, lesson).items():
            links += [nodes.reference("", label, refuri=address), nodes.Text(" ")]
        links += [nodes.Text("or "), nodes.literal("", "make lab"), nodes.Text(" on your own machine")]
        strip += links
        return [strip]


def costs(lesson):
    """(machine, time, peak memory) of a lesson, a row for each machine it was recorded on."""
    for recording in results.load(COST):
        figures = recording.figures
        if f"{lesson}_seconds" in figures:
            name = recording.hardware["gpu"] or f"{recording.hardware['cpu']}, one thread"
            seconds, memory = figures[f"{lesson}_seconds"].value, figures[f"{lesson}_peak_memory"].value
            yield name, f"{seconds:.0f} s", f"{memory:.0f} MiB"


def run_links(theme, lesson):
    owner, repo = theme["repository_url"].rstrip("/").removesuffix(".git").split("/")[-2:]
    branch = theme["repository_branch"]
    path = f"notebooks/{lesson}.ipynb"
    return {
        "Open in Colab": f"https://colab.research.google.com/github/{owner}/{repo}/blob/{branch}/{path}",
        "Open in Binder": f"https://mybinder.org/v2/gh/{owner}/{repo}/{branch}?urlpath=lab/tree/{path}",
    }


def item(label, value):
    term = nodes.inline("", label, classes=["label"])
    return nodes.container("", nodes.paragraph("", "", term, nodes.Text(" "), nodes.inline("", value, classes=["value"])), classes=["item"])


def setup(app):
    app.add_role("recorded", Value("results/{}.json", interval=False))
    app.add_role("measured", Value("results/{}.json"))
    app.add_role("glued", Value("notebooks/{}.ipynb"))
    app.add_role("recorded-machine", RecordedMachine())
    app.add_directive("lesson-strip", LessonStrip)
    return {"parallel_read_safe": True}
