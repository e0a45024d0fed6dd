"""A figure of a lesson on a page of the book, drawn once, by the lesson.

    ```{lesson-figure} 00_start rates
    Caption in Markdown.
    ```

takes the SVG that `course_lib.plotting.show(fig, alt, name="rates")` left in the committed notebook.
"""

import os
from pathlib import Path

import ledger
import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

FOLDER = "_figures"  # inside the doctree folder: not committed, not scanned for pages


class LessonFigure(SphinxDirective):
    required_arguments = 2
    has_content = True

    @ledger.in_directive
    def run(self):
        lesson, name = self.arguments
        notebook = ledger.ROOT / "notebooks" / f"{lesson}.ipynb"
        self.env.note_dependency(str(notebook))
        svg, alt = find(notebook, name)
        file = Path(self.env.doctreedir) / FOLDER / f"{lesson}-{name}.svg"
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(svg, encoding="utf-8")
        uri = "/" + os.path.relpath(file, self.env.srcdir)  # a leading slash means the source folder
        figure = nodes.figure("", nodes.image("", uri=uri, alt=alt))
        figure["ids"].append(f"{lesson}-{name}".replace("_", "-"))
        if self.content:
            block = nodes.Element()
            self.state.nested_parse(StringList(self.content, source="lesson-figure"), 0, block)
            if len(block) != 1 or not isinstance(block[0], nodes.paragraph):
                raise ledger.LedgerError("the caption must be one paragraph")
            figure += nodes.caption("", "", *block[0].children)
        return [figure]


def find(notebook, name):
    """The SVG and the alternative text of the figure called `name`."""
    if not notebook.is_file():
        raise ledger.LedgerError(f"there is no lesson {notebook.name}")
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.get("metadata", {}).get("figure") == name:
                return output.data["image/svg+xml"], output.data["text/plain"]
    raise ledger.LedgerError(f"{notebook.name} has no figure named {name!r}: show(fig, alt, name={name!r})")


def setup(app):
    app.add_directive("lesson-figure", LessonFigure)
    return {"parallel_read_safe": True}
