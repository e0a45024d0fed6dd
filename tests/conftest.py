"""Shared by all tests: a random order, one build of the book, the running time of each lesson."""

import random
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from filelock import FileLock

from tools import book

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "_ext"))  # the book's Sphinx extensions


def pytest_addoption(parser):
    parser.addoption("--shuffle-seed", type=int, default=None, help="run the tests in this random order")


def pytest_collection_modifyitems(config, items):
    """Shuffle files, and the tests in a file; the cells of a notebook keep their order."""
    seed = config.getoption("--shuffle-seed")
    if seed is None:
        return
    files = defaultdict(list)
    for item in items:
        files[item.nodeid.split("::")[0]].append(item)
    order = random.Random(seed)
    names = list(files)
    order.shuffle(names)
    for name in names:
        if not name.endswith(".ipynb"):
            order.shuffle(files[name])
    items[:] = [item for name in names for item in files[name]]


@pytest.fixture(scope="session")
def site(tmp_path_factory, worker_id):
    """The folder of the built book: built once, whatever the number of workers."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    output = shared / "book"
    with FileLock(shared / "book.lock"):
        if not (output / "built").exists():
            try:
                book.build(ROOT, output)
            except SystemExit as error:
                pytest.fail(str(error))
            (output / "built").touch()
    return output / "_build" / "html"


_seconds = defaultdict(float)


def pytest_runtest_logreport(report):
    name = report.nodeid.split("::")[0]
    if name.endswith(".ipynb"):
        _seconds[name] += report.duration


def pytest_terminal_summary(terminalreporter):
    if _seconds:
        terminalreporter.section("seconds a lesson took, on one thread (60 is the limit)")
        for name, seconds in sorted(_seconds.items()):
            terminalreporter.write_line(f"{seconds:6.1f}  {name}" + ("  TOO LONG" if seconds > 60 else ""))
