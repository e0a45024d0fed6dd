"""The commands, the packaging, the workflows and the documents of the repository."""

import ast
import email
import hashlib
import importlib.metadata
import json
import mimetypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import tomllib
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import course_lib
from tools import book, bootstrap, run_tests

ROOT = Path(__file__).resolve().parent.parent
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


# ---- make setup ---------------------------------------------------------------------------------

# Makes a wheel that points at the folder it lies in: setuptools is not in every new environment.
BACKEND = """
import zipfile
from pathlib import Path
def build_editable(folder, config_settings=None, metadata_directory=None):
    info = "demo_course-1.0.dist-info/"
    with zipfile.ZipFile(Path(folder, "demo_course-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("demo_course.pth", str(Path.cwd()))
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: demo-course\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\nRoot-Is-Purelib: true\\n")
        wheel.writestr(info + "RECORD", "")
    return "demo_course-1.0-py3-none-any.whl"
"""


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """A course with one small dependency, in a folder with a space in its name, and no index."""
    root = tmp_path / "a course"
    (root / "tools").mkdir(parents=True)
    shutil.copy(ROOT / "tools/bootstrap.py", root / "tools")
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n')
    (root / "requirements.txt").write_text("tiny==1.0\n")
    with zipfile.ZipFile(tmp_path / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", "")
        wheel.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\nRoot-Is-Purelib: true\n")
        wheel.writestr("tiny-1.0.dist-info/RECORD", "")
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return root


def setup(root):
    """Run the bootstrap script of `root`: (exit status, what it printed)."""
    result = subprocess.run([sys.executable, root / "tools/bootstrap.py"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert "Traceback" not in result.stdout
    return result.returncode, result.stdout


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if "__pycache__" not in str(path)}


@posix
def test_setup_installs_once_and_goes_on_after_a_failure(demo):
    python = bootstrap.python_of(demo / ".venv")
    code, said = setup(demo)
    assert code == 0 and "is ready" in said
    subprocess.run([python, "-c", "import tiny, backend"], check=True, cwd="/")

    before = snapshot(demo)
    code, said = setup(demo)
    assert code == 0 and "nothing to install" in said
    assert snapshot(demo) == before

    (demo / "requirements.txt").write_text("tiny==2.0\n")  # there is none
    code, said = setup(demo)
    assert code == 1 and "pip failed" in said and "tiny==2.0" in said and "setup.log" in said

    # Back at the first pins, which an earlier run had installed: not taken for granted.
    (demo / "requirements.txt").write_text("tiny==1.0\n")
    next(demo.rglob("site-packages/tiny.py")).unlink()
    shutil.rmtree(next(demo.rglob("tiny-1.0.dist-info")))
    assert setup(demo)[0] == 0
    subprocess.run([python, "-c", "import tiny"], check=True)


@posix
def test_an_environment_of_another_python_is_made_anew(demo):
    python = bootstrap.python_of(demo / ".venv")
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3 9\n")
    python.chmod(0o755)
    (demo / ".venv/course-stamp").write_text(bootstrap.fingerprint(demo))
    code, said = setup(demo)
    assert code == 0 and "making it anew" in said
    subprocess.run([python, "-c", "import tiny"], check=True)


@posix
def test_setup_without_a_network_says_so(demo, monkeypatch):
    shutil.copytree(Path(sys.prefix) / "bin", demo / ".venv/bin", symlinks=True)  # spares a real venv
    shutil.copy(Path(sys.prefix) / "pyvenv.cfg", demo / ".venv")
    (demo / ".venv/lib").symlink_to(Path(sys.prefix) / "lib")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening: every connection is refused
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        monkeypatch.delenv("PIP_NO_INDEX")
        (demo / "requirements.txt").write_text("no-such-package==1.0\n")
        code, said = setup(demo)
    assert code == 1 and "is this machine online" in said


def test_bootstrap_is_readable_for_an_old_python():
    ast.parse(text("tools/bootstrap.py"), feature_version=(3, 6))


@pytest.mark.parametrize("installed, advice", [
    (["python3.12"], "make PYTHON=python3.12 ..."),
    ([], "Get one from"),
])
def test_too_old_a_python(monkeypatch, installed, advice):
    monkeypatch.setattr(bootstrap.shutil, "which", lambda name: name if name in installed else None)
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or newer, this is 3\.10") as exit_:
        bootstrap.check_python((3, 10, 13))
    assert advice in str(exit_.value)
    bootstrap.check_python((3, 11, 0))
    bootstrap.check_python((4, 0, 0))


def refused(root, message):
    with pytest.raises(SystemExit, match=message):
        bootstrap.main(root)
    assert not (root / ".venv").exists()


def test_too_little_disk(demo, monkeypatch):
    full = shutil.disk_usage(demo)._replace(free=10**9)
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda path: full)
    refused(demo, r"needs about 2\.5 GB .* 1\.0 GB free")


def test_a_folder_that_is_not_writable(demo, monkeypatch):
    monkeypatch.setattr(bootstrap.os, "access", lambda *args: False)
    refused(demo, "is not writable")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv(demo, monkeypatch, module):
    monkeypatch.setattr(bootstrap.importlib.util, "find_spec", lambda name: None if name == module else 1)
    refused(demo, f"lacks its module `{module}`.*apt install python3-venv")


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
@pytest.mark.parametrize("arguments, command", [
    (["book"], "tools/book.py serve"),
    (["book", "PORT=8123"], "tools/book.py serve --port 8123"),
    (["lab"], "-m jupyter lab --notebook-dir=notebooks"),
    (["test", "SEED=7", "ARGS=-k results"], "tools/run_tests.py --seed 7 -k results"),
    (["setup", "PYTHON=python3.12"], "python3.12 tools/bootstrap.py"),
])
def test_make_targets(arguments, command):
    # not what an outer `make test` hands down
    env = {name: value for name, value in os.environ.items()
           if not re.match("MAKE|MFLAGS|(PYTHON|PORT|SEED|ARGS)$", name)}
    lines = subprocess.run(["make", "-n", "PYTHON=python3", *arguments], cwd=ROOT, check=True, env=env,
                           capture_output=True, text=True).stdout.split("\n")
    assert lines[0].endswith("tools/bootstrap.py")
    assert lines[-2].rstrip().endswith(command)


# ---- make book ----------------------------------------------------------------------------------

@pytest.fixture
def pages(tmp_path):
    folder = tmp_path / "html"
    (folder / "empty").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("not yours")
    for name in ("index.html", "404.html", "a.mjs", "a.woff2", "a.svg", "a.js", "a.css"):
        (folder / name).write_text(f"this is {name}")
    return folder


@pytest.fixture
def address(pages):
    with book.server(pages) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.status, reply.headers.get_content_type(), reply.read()
    except urllib.error.HTTPError as reply:
        return reply.code, reply.headers.get_content_type(), reply.read()


@pytest.mark.parametrize("path, kind", [
    ("/", "text/html"), ("/a.mjs", "text/javascript"), ("/a.js", "text/javascript"), ("/a.css", "text/css"),
    ("/a.woff2", "font/woff2"), ("/a.svg", "image/svg+xml"),
])
def test_pages_are_served_with_their_type(address, path, kind, monkeypatch):
    monkeypatch.setattr(mimetypes, "guess_type", lambda path: (None, None))  # a machine that knows no types
    assert get(address + path) == (200, kind, f"this is {path[1:] or 'index.html'}".encode())


@pytest.mark.parametrize("path", ["/nowhere", "/nowhere/deep.html", "/empty/", "/../secret.txt", "/%2e%2e/secret.txt"])
def test_what_is_not_there_gets_the_books_own_page(address, path):
    assert get(address + path) == (404, "text/html", b"this is 404.html")
    with socket.create_connection(("127.0.0.1", int(address.rsplit(":")[-1])), 10) as raw:  # urllib drops the body
        raw.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        reply = b"".join(iter(lambda: raw.recv(4096), b""))
    assert reply.startswith(b"HTTP/1.0 404 ") and reply.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/a.js", "/a.mjs", "/a.css", "/nowhere", "/empty/"])
def test_headers(address, path, capfd):
    """Text is UTF-8, nothing is kept by the browser, the length is right, and nothing is printed."""
    with socket.create_connection(("127.0.0.1", int(address.rsplit(":")[-1])), 10) as raw:
        raw.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: raw.recv(4096), b"")).partition(b"\r\n\r\n")
    headers = email.message_from_bytes(head.partition(b"\r\n")[2])
    assert headers.get_content_charset() == "utf-8"
    assert headers["Cache-Control"] == "no-cache"
    assert int(headers["Content-Length"]) == len(body) > 0
    assert capfd.readouterr() == ("", "")


def test_without_a_page_of_its_own_and_for_other_errors_the_server_says_what_is_wrong(address, pages):
    request = urllib.request.Request(address + "/index.html", method="DELETE")
    with pytest.raises(urllib.error.HTTPError, match="501") as refused:
        urllib.request.urlopen(request, timeout=10)
    assert b"this is 404.html" not in refused.value.read()
    (pages / "404.html").unlink()
    code, _, body = get(address + "/nowhere")
    assert code == 404 and b"404" in body


def test_the_server_listens_on_this_machine_only(pages):
    with book.server(pages) as running:
        assert running.server_address[0] == "127.0.0.1"


def test_no_book_built_yet(tmp_path):
    with pytest.raises(SystemExit, match="run `make book`"):
        book.serve(folder=tmp_path)


def test_an_asked_for_port_in_use(pages):
    with book.server(pages) as running:
        port = running.server_address[1]
        with pytest.raises(SystemExit, match=rf"Port {port} is in use.*make book PORT="):
            book.serve(port, pages)


def test_the_next_free_port_is_taken_when_none_was_asked_for(pages, monkeypatch, capsys):
    def interrupted(self):
        raise KeyboardInterrupt

    with book.server(pages) as running:
        monkeypatch.setattr(book, "PORT", running.server_address[1])
        monkeypatch.setattr(book.Server, "serve_forever", interrupted)
        book.serve(folder=pages)
    said = capsys.readouterr().out
    assert f"Port {book.PORT} is in use." in said
    assert book.PORT < int(re.search(r"http://127\.0\.0\.1:(\d+)/", said)[1]) < book.PORT + book.TRIES


@pytest.mark.parametrize("port", [-1, 70000])
def test_a_port_that_cannot_be(pages, port):
    with pytest.raises(SystemExit, match="make book PORT="):
        book.serve(port, pages)


@posix
def test_ctrl_c_ends_the_server_quietly(pages):
    # A background job inherits an ignored SIGINT, which Python then leaves ignored.
    code = ("import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
            f"from tools import book; book.serve(0, {str(pages)!r})")
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert "http://127.0.0.1:" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20)[1] == "" and process.returncode == 0
        finally:
            process.kill()


def test_a_warning_fails_the_build_and_old_pages_go(tmp_path, capsys):
    (tmp_path / "_config.yml").write_text("title: Demo\nonly_build_toc_files: true\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "index.md").write_text("# Demo\n\n{py:func}`nowhere`\n")  # a warning with -n only
    old = tmp_path / "_build/html/old.html"
    old.parent.mkdir(parents=True)
    old.write_text("")
    with pytest.raises(SystemExit, match="nowhere(.|\n)*not built: 1 warnings") as failure:
        book.build(tmp_path, tmp_path)
    assert "\x1b" not in str(failure.value)
    assert "nowhere" in (tmp_path / "_build/build.log").read_text()

    (tmp_path / "index.md").write_text("# Demo\n")
    html = book.build(tmp_path, tmp_path)
    assert "0 warnings" in capsys.readouterr().out
    assert (html / "index.html").exists() and not old.exists()


# ---- make test ----------------------------------------------------------------------------------

def test_the_network_is_cut():
    if os.environ.get(run_tests.VARIABLE) != "cut":
        pytest.skip("the network is not cut: no network namespace here, or not run by `make test`")
    assert [name for _, name in socket.if_nameindex()] == ["lo"]
    with pytest.raises(OSError), socket.create_connection(("192.0.2.1", 80), timeout=5):
        pass


@pytest.fixture
def suite(tmp_path, monkeypatch):
    """A test suite of two tests, one of which fails when told to: a function that runs it."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/run_tests.py", tmp_path / "tools")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = tests\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text(
        "def pytest_addoption(parser): parser.addoption('--shuffle-seed', type=int)\n")
    (tmp_path / "tests/test_demo.py").write_text(
        "import os, socket\n"
        "def test_loopback():\n"
        "    with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "        socket.create_connection(server.getsockname(), 5).close()\n"
        "def test_environment(request):\n"
        "    assert os.environ['OMP_NUM_THREADS'] == os.environ['HF_HUB_OFFLINE'] == '1'\n"
        "    assert request.config.getoption('--shuffle-seed') != int(os.environ.get('BAD_SEED', -1))\n")
    for name in (run_tests.VARIABLE, "OMP_NUM_THREADS", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments):
        result = subprocess.run([sys.executable, tmp_path / "tools/run_tests.py", "-n", "0", "-p", "no:nbval",
                                 *arguments],
                                text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return result.returncode, result.stdout.strip().splitlines()
    return run


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has network namespaces")
def test_the_network_is_cut_wherever_it_can_be(suite, tmp_path):
    """Seen from inside a run: a namespace of its own, with nothing but loopback in it."""
    def possible(*prefix):
        try:
            return subprocess.run([*prefix, "true"], capture_output=True).returncode == 0
        except OSError:
            return False

    (tmp_path / "tests/test_demo.py").write_text(
        "import json, os, pathlib, socket\n"
        "def test_inside():\n"
        "    seen = [os.environ['COURSE_NETWORK'], os.readlink('/proc/self/ns/net'), [n for _, n in socket.if_nameindex()]]\n"
        f"    pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps(seen))\n")
    code, lines = suite("--seed", "7")
    network, namespace, interfaces = json.loads((tmp_path / "seen").read_text())
    assert code == 0
    said = any(line.startswith("The network is not cut (") for line in lines)
    if possible("unshare", "--net") or possible("unshare", "--user", "--map-root-user", "--net"):
        assert (network, interfaces, said) == ("cut", ["lo"], False)
        assert namespace != os.readlink("/proc/self/ns/net")
    else:
        assert (network, namespace, said) == ("open", os.readlink("/proc/self/ns/net"), True)


def test_two_passes_with_two_seeds_end_in_one_closing_line(suite):
    code, lines = suite()
    seeds = re.findall(r"seed (\d+)", "\n".join(lines))
    assert code == 0 and any(re.fullmatch(r"pass 1: seed \d+: ok", line) for line in lines)
    assert len(set(seeds)) == 2
    assert [line for line in lines if " passed" in line] == lines[-1:]


def test_a_failure_ends_the_run_and_names_the_seed(suite, monkeypatch):
    monkeypatch.setenv("BAD_SEED", "7")
    code, lines = suite("--seed", "7")
    assert code == 1 and "1 failed, 1 passed" in lines[-1] and "pass 1" not in "\n".join(lines)
    assert suite("--seed", "8")[0] == 0


def test_a_failure_in_the_first_pass_is_shown(suite):
    code, lines = suite("-k", "no_such_test")  # pytest exits 5
    assert code == 5
    assert re.search(r"pass 1: seed (\d+): failed; this order again: make test SEED=\1", "\n".join(lines))
    assert "2 deselected" in lines[-1]


def test_without_namespaces_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(run_tests.sys, "platform", "darwin")
    assert "only Linux" in run_tests.enter_namespace([])
    monkeypatch.setattr(run_tests.sys, "platform", "linux")
    monkeypatch.setattr(run_tests, "NAMESPACES", [["no-such-unshare"]])
    assert "no-such-unshare" in run_tests.enter_namespace([])


# ---- packaging ----------------------------------------------------------------------------------

def pins(path):
    found = [Requirement(line) for line in text(path).splitlines() if re.match(r"\w", line)]
    return {canonicalize_name(pin.name): pin for pin in found if not pin.marker or pin.marker.evaluate()}


def test_every_installed_package_is_pinned_at_its_version():
    pinned = pins("requirements.txt")
    # The environment's own folder: once imported, setuptools puts its copies of packages on the path.
    for distribution in importlib.metadata.distributions(path=[sysconfig.get_path("purelib")]):
        name = canonicalize_name(distribution.name)
        # pip comes with Python; the rest with a CUDA build of torch
        if name in ("pip", "attention-to-detail") or name.startswith(("triton", "nvidia-", "cuda-")):
            continue
        assert name in pinned, f"{name} is installed and not pinned in requirements.txt"
        assert pinned[name].specifier.contains(distribution.version), (
            f"{name} {distribution.version} is installed, requirements.txt has {pinned[name]}")


def test_every_pin_is_exact_and_installed():
    for name, pin in pins("requirements.txt").items():
        assert re.fullmatch(r"==[\w.]+", str(pin.specifier)), f"{pin}: not an exact version"
        importlib.metadata.version(name)


def test_the_installed_packages_agree():
    result = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_binder_has_the_same_versions():
    pinned = pins("requirements.txt")
    for name, pin in pins("binder/requirements.txt").items():
        assert str(pin.specifier).removesuffix("+cpu") == str(pinned[name].specifier)


def test_the_package_sets_lower_bounds_only():
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert [Requirement(line).name for line in project["dependencies"]] == ["torch", "numpy", "matplotlib"]
    pinned = pins("requirements.txt")
    for line in sum(project["optional-dependencies"].values(), project["dependencies"]):
        bound = Requirement(line)
        if bound.name == project["name"]:
            continue
        assert [one.operator for one in bound.specifier] == [">="], line
        if canonicalize_name(bound.name) in pinned:
            assert bound.specifier.contains(str(pinned[bound.name].specifier)[2:]), line


def test_the_wheel_holds_the_library_and_the_recorded_measurements(tmp_path):
    for name in ("course_lib", "results"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "results/demo").mkdir()
    (tmp_path / "results/demo/machine.json").write_text("{}")
    (tmp_path / "course_lib/demo").mkdir()
    (tmp_path / "course_lib/demo/__init__.py").write_text("")  # a new sub-package needs no listing
    wanted = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "course_lib").rglob("*") if path.is_file()}
    wanted |= {f"course_lib/_results/{path.relative_to(tmp_path / 'results').as_posix()}"
               for path in (tmp_path / "results").glob("*/*.json")}
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "--no-index", "--wheel-dir", tmp_path / "out", tmp_path], check=True)
    (wheel,) = (tmp_path / "out").glob("attention_to_detail-*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == wanted, "list data files in pyproject.toml under [tool.setuptools.package-data]"
    assert f"-{course_lib.__version__}-" in wheel.name


# Imports every module of course_lib where nothing else is to be had than the standard library,
# torch, numpy, matplotlib and what those require.
ALONE = """
import importlib, importlib.metadata as metadata, pkgutil, re, sys
from packaging.requirements import Requirement

wanted, names = ["torch", "numpy", "matplotlib"], set()
while wanted:
    name = re.sub("[-_.]+", "-", wanted.pop()).lower()
    if name not in names:
        names.add(name)
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        wanted += [r.name for r in map(Requirement, needs) if not r.marker or r.marker.evaluate({"extra": ""})]
known = {top for top, owners in metadata.packages_distributions().items()
         if not {re.sub("[-_.]+", "-", owner).lower() for owner in owners} & names}

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in known - {"course_lib"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for module in [m for m in sys.modules if m.partition(".")[0] in known]:
    del sys.modules[module]
sys.meta_path.insert(0, Absent())
for name in ("scipy", "IPython", "ipywidgets"):
    try:
        importlib.import_module(name)
        sys.exit(f"{name} was not blocked")
    except ModuleNotFoundError:
        pass
import course_lib
for module in pkgutil.walk_packages(course_lib.__path__, "course_lib."):
    importlib.import_module(module.name)
    print(module.name)
"""


def test_the_library_needs_torch_numpy_and_matplotlib_only():
    result = subprocess.run([sys.executable, "-c", ALONE], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "course_lib.results" in result.stdout.split()


# ---- workflows and documents --------------------------------------------------------------------

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_there_is_a_workflow_for_each_place():
    assert [path.stem for path in WORKFLOWS] == ["colab", "gpu", "pages", "tests"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow(path):
    content = path.read_text(encoding="utf-8")
    workflow = yaml.safe_load(content)
    assert workflow[True], "no trigger"  # YAML reads the key `on` as true
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in content
    targets = set(re.findall(r"^(\w+):", text("Makefile"), re.MULTILINE))
    for job in workflow["jobs"].values():
        assert job["runs-on"] and job["timeout-minutes"] <= 60
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
                continue
            for target in re.findall(r"\bmake (\w+)", step["run"]):
                assert target in targets
            for script in re.findall(r"(?:tools|\.ci)/[\w.]+", step["run"]):
                assert (ROOT / script).is_file(), f"{path.name} names {script}"


SCRIPTS = [".ci/run", ".ci/colab", "binder/postBuild"]


@posix
@pytest.mark.parametrize("path", SCRIPTS)
def test_shell_scripts_parse_and_are_executable(path):
    assert os.access(ROOT / path, os.X_OK)
    assert "set -euo pipefail" in text(path)
    subprocess.run(["bash", "-n", ROOT / path], check=True)


def test_the_readme_names_the_system_packages_that_ci_installs():
    installed = set(re.findall(r"missing\+=\(([\w-]+)\)", text(".ci/run"))) - {"make", "python3-venv"}
    named = re.search(r"^sudo apt install (.+)$", text("README.md"), re.MULTILINE)[1].split()
    assert installed == set(named)


def test_licences_are_whole():
    # the text of https://www.apache.org/licenses/LICENSE-2.0.txt
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == (
        "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30")
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text("LICENSE-TEXT.md")


def test_the_citation_is_complete():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "repository-code"} <= set(citation)
    assert citation["version"] == course_lib.__version__
    code_licence = tomllib.loads(text("pyproject.toml"))["project"]["license"]
    assert citation["license"] == [code_licence, "CC-BY-4.0"]


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", "LICENSE-TEXT.md"])
def test_documents_name_what_exists(path):
    content = text(path)
    links = re.findall(r"\]\((?!https?:)([^)#]+)", content)
    named = re.findall(r"`((?:tools|tests|notebooks|book|binder|_\w+|\.ci|\.github)/[\w./]*)`", content)
    for name in {*links, *named} - {"_build/"}:
        if "NN_name" not in name:
            assert (ROOT / name).exists(), f"{path} names {name}"
    for command in re.findall(r"\bmake (\w+)", content):
        if command in ("book", "lab", "test", "setup"):
            assert re.search(rf"^{command}:", text("Makefile"), re.MULTILINE)
