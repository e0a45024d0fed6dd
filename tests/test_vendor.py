"""The committed scripts, fonts and inventories are the ones their tables name."""

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


vendor, inventories = tool("vendor"), tool("inventories")


def test_every_vendored_file_is_the_published_one():
    assert vendor.differences() == []


@pytest.mark.parametrize("change, complaint", [
    (lambda p: p.unlink(), "is missing"),
    (lambda p: p.write_bytes(p.read_bytes() + b" "), "is not the file of"),
    (lambda p: p.with_name("stray.js").write_text(""), "is in no package"),
])
def test_a_changed_file_is_noticed(tmp_path, change, complaint):
    for folder in (vendor.VENDOR, vendor.FONTS):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    assert vendor.differences(tmp_path) == []
    change(tmp_path / vendor.VENDOR / "mermaid" / "mermaid.esm.min.mjs")
    assert [line for line in vendor.differences(tmp_path) if complaint in line]


def test_a_missing_licence_is_noticed(tmp_path):
    for folder in (vendor.VENDOR, vendor.FONTS):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / vendor.VENDOR / "widgets" / "LICENSE-html-manager.txt").write_text("")
    assert any("licence text" in line for line in vendor.differences(tmp_path))


def test_every_font_of_the_style_sheet_is_committed_and_used():
    style = (ROOT / "_static" / "fonts.css").read_text()
    named = set(re.findall(r'url\("fonts/([^"]+)"\)', style))
    assert named == {p.name for p in (ROOT / "_static" / "fonts").glob("*.woff2")}


@pytest.mark.parametrize("project", sorted(inventories.NAMES))
def test_the_inventory_is_what_its_table_gives(project):
    # zlib may compress differently from build to build: compare what Sphinx reads
    from sphinx.util.inventory import InventoryFile
    import io
    read = lambda data: InventoryFile.load(io.BytesIO(data), "https://docs.example/", lambda *parts: "".join(parts))
    assert read((ROOT / "_inv" / f"{project}.inv").read_bytes()) == read(
        inventories.inventory(project, inventories.NAMES[project]))


# What mermaid calls its diagrams, and the script that each needs.
NEEDS = {"flowchart": "flowDiagram", "graph": "flowDiagram", "sequenceDiagram": "sequenceDiagram",
         "stateDiagram-v2": "stateDiagram-v2", "classDiagram": "classDiagram-v2",
         "timeline": "timeline-definition", "gantt": "ganttDiagram"}


def test_every_diagram_of_the_book_is_of_a_vendored_kind():
    pages = [*ROOT.glob("book/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]
    for page in pages:
        for kind in re.findall(r"(?:```|:::){mermaid}[^\n]*\n(?::[^\n]*\n|\s*\n)*\s*([\w-]+)", page.read_text()):
            assert NEEDS.get(kind) in vendor.DIAGRAMS, (
                f"{page.name} draws a {kind}, whose script is not vendored: "
                "add its name to DIAGRAMS in tools/vendor.py and run `python tools/vendor.py --rebuild --write`")
