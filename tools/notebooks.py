"""Execute lessons, and keep their badges and setup cells in step with `repository.url`.

    python tools/notebooks.py execute notebooks/00_start.ipynb    run on one thread, save the outputs
    python tools/notebooks.py sync                                after repository.url was changed

A lesson is edited in JupyterLab and then executed with this command, which runs it as the tests do
and saves only what belongs in a commit: outputs, tags, the state of widgets, the alternative text
of figures. No time stamps, no details of the machine that ran it.
"""

import argparse
import os
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def repository(root=ROOT):
    """(owner/name, branch) of `repository:` in `_config.yml`, the one place of the address."""
    import yaml

    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    address = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(\.git)?/?", settings["url"])
    if address is None:
        raise SystemExit(f"_config.yml, repository.url: {settings['url']!r} must be https://github.com/OWNER/NAME")
    return address[1], settings["branch"]


def setup_cell(slug):
    """The first code cell of every notebook. `--no-deps`: it must not replace a preinstalled package."""
    return f"""\
# setup: on Colab, fetch course_lib; replaces no installed package
import importlib.util, subprocess, sys
if importlib.util.find_spec("course_lib") is None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    url = "git+https://github.com/{slug}"
    subprocess.run([*pip, url], check=True)"""


def badge(slug, branch, path):
    """The Markdown link at the head of every notebook; `path` is relative to the repository."""
    return f"[Open in Colab](https://colab.research.google.com/github/{slug}/blob/{branch}/{path})"


def execute(path):
    """Run the notebook at `path` in its own folder on one thread and save it with its outputs."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    os.environ.update(ONE_THREAD)
    began = time.perf_counter()
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}})
    client.execute()
    tidy(notebook)
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    return time.perf_counter() - began


def tidy(notebook):
    """Drop what differs from machine to machine; give every figure the alternative text it was shown with."""
    widgets = notebook.metadata.get("widgets")
    notebook.metadata.clear()
    notebook.metadata.update(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    if widgets:
        notebook.metadata["widgets"] = widgets
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata.clear()
        if tags:
            cell.metadata["tags"] = tags
        alts = [o.data["text/plain"] for o in cell.get("outputs", []) if "image/svg+xml" in o.get("data", {})]
        if alts:
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(alts)}}


def sync(root=ROOT):
    """Rewrite the repository's address wherever it is committed. Returns the files that changed.

    The old address is the one CITATION.cff still carries.
    """
    slug, branch = repository(root)
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    old = re.search(r"^repository-code: \"?https://github\.com/([^/\s]+/[^/\s\"]+)", citation, re.MULTILINE)
    if old is None:
        raise SystemExit("CITATION.cff has no line `repository-code: https://github.com/OWNER/NAME`: add it")
    old = old[1]
    documents = ["README.md", "CONTRIBUTING.md", "CITATION.cff", "pyproject.toml", "binder/*", "book/*.md"]
    changed = {}
    for pattern in [*documents, "notebooks/**/*.ipynb", "exercises/**/*.ipynb"]:
        for file in sorted(root.glob(pattern)):
            try:
                text = file.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise SystemExit(f"{file.relative_to(root)}: cannot be read, so nothing was changed: {error}")
            new = re.sub(rf"{re.escape(old)}(?![\w-])", lambda match: slug, text)
            # A branch may hold a slash; what follows it begins with the folder of notebooks.
            new = re.sub(rf"(colab\.research\.google\.com/github/{re.escape(slug)}/blob/)[^\s)\"]+?/(?=notebooks/|exercises/)",
                         lambda match: f"{match[1]}{branch}/", new)
            if new != text:
                changed[file] = new
    # CITATION.cff, which holds the old address, comes last: an interrupted run can be repeated.
    for file in sorted(changed, key=lambda file: file.name == "CITATION.cff"):
        file.write_text(changed[file], encoding="utf-8")
    return list(changed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("execute", help="run notebooks and save their outputs")
    run.add_argument("paths", nargs="+", type=Path)
    commands.add_parser("sync", help="rewrite badges, setup cells and documents after repository.url changed")
    arguments = parser.parse_args()
    if arguments.command == "sync":
        for file in sync():
            print(f"rewritten: {file.relative_to(ROOT)}")
        return
    for path in arguments.paths:
        if not path.is_file():
            sys.exit(f"{path}: no such notebook")
        print(f"{path}: {execute(path.resolve()):.1f} s")


if __name__ == "__main__":
    main()
