"""The setup cell on a machine like Colab: course_lib arrives, nothing that was there is replaced."""

import importlib.util
import json
import os
import shutil
import subprocess
import venv
from pathlib import Path

import pytest

from tools import notebooks

ROOT = Path(__file__).resolve().parent.parent
SLUG, _ = notebooks.repository()


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A fresh environment with old torch, numpy and matplotlib, and our repository behind its address.

    The three are empty packages of versions below our lower bounds: an installation that cared
    about dependencies would replace them.
    """
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(run(python, "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    for name in ("torch", "numpy", "matplotlib"):
        info = site / f"{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "RECORD").write_text("")
        (site / f"{name}.py").write_text("")

    # What a push of this working tree would publish.
    origin = folder / "origin"
    origin.mkdir()
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, origin)
    for name in ("course_lib", "results"):
        shutil.copytree(ROOT / name, origin / name, ignore=shutil.ignore_patterns("__pycache__"))
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.invalid", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"]):
        subprocess.run([*git, *arguments], cwd=origin, check=True)

    # The build backend, which on Colab comes from the index.
    backend = folder / "backend"
    backend.mkdir()
    # Found, not imported: setuptools would put its own copies of other packages on the path.
    installed = Path(importlib.util.find_spec("setuptools").origin).parent
    shutil.copytree(installed, backend / "setuptools")
    shutil.copytree(next(installed.parent.glob("setuptools-*.dist-info")), backend / "setuptools.dist-info")
    environment = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin.as_uri()}.insteadOf",
        "GIT_CONFIG_VALUE_0": f"https://github.com/{SLUG}",
        "PIP_NO_BUILD_ISOLATION": "0",  # sic: pip reads this variable the wrong way round
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": str(backend),
    }
    return python, environment


def run(python, script, environment=None, cwd=None):
    result = subprocess.run([python, "-c", script], env=environment, cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def installed(python):
    listed = run(python, "import json; from importlib.metadata import distributions as d; "
                         "print(json.dumps({x.metadata['Name']: x.version for x in d()}))", cwd=Path(python).parent)  # fmt: skip
    return json.loads(listed)


def test_setup_cell(colab, tmp_path):
    python, environment = colab
    before = installed(python)
    assert {"torch", "numpy", "matplotlib"} <= set(before) and "attention-to-detail" not in before
    cell = notebooks.setup_cell(SLUG)

    run(python, cell, environment, tmp_path)
    after = installed(python)
    assert after.pop("attention-to-detail")
    assert after == before

    # The library, its fonts and the recorded machines came along.
    found = run(python, "import importlib.util as u, pathlib; p = pathlib.Path(u.find_spec('course_lib').origin).parent; "
                        "print(len(list(p.glob('fonts/*.ttf'))), len(list(p.glob('_results/machine/*.json'))))", cwd=tmp_path)  # fmt: skip
    assert found.split()[0] == "2" and int(found.split()[1]) >= 1

    # A second run does nothing: not even with an address that leads nowhere.
    environment = {**environment, "GIT_CONFIG_VALUE_0": "https://elsewhere.invalid"}
    run(python, cell, environment, tmp_path)
    assert installed(python) == after | {"attention-to-detail": installed(python)["attention-to-detail"]}


def test_a_cell_without_no_deps_would_be_caught(colab, tmp_path):
    """With its dependencies the installation looks for a newer torch, and fails here, offline."""
    python, environment = colab
    cell = notebooks.setup_cell(SLUG).replace('"--no-deps"', '"--force-reinstall"').replace(
        'find_spec("course_lib") is None', "find_spec('sys') is not None"
    )
    result = subprocess.run([python, "-c", cell], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode != 0 and "satisfies the requirement" in result.stderr
