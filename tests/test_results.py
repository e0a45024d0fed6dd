import dataclasses
import datetime
import getpass
import json
import math
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from course_lib import devices, results
from course_lib.results import Figure, Recording, find_private, hardware_slug, load, record, sanitise

FIGURE = Figure(1.5, 1.25, 2.0, "ms", 30)
T4 = {"system": "Linux x86_64", "cpu": "Intel(R) Xeon(R) CPU @ 2.20GHz", "cores": 2, "memory_gib": 13,
      "gpu": "Tesla T4", "gpu_count": 1}


@pytest.fixture
def on_a_t4(monkeypatch):
    monkeypatch.setattr(devices, "machine", lambda device: T4)


@pytest.fixture
def named(monkeypatch):
    """A user jane on a host atlas.example.org."""
    monkeypatch.setattr(getpass, "getuser", lambda: "jane")
    monkeypatch.setattr(socket, "gethostname", lambda: "atlas.example.org")
    monkeypatch.setattr(Path, "home", lambda: Path("/home/jdoe"))


def write(folder, **changes):
    arguments = {"benchmark": "copy", "figures": {"copy-64-mib": FIGURE}, "what": "A copy.",
                 "settings": {"mib": [64], "threads": 1}, "command": "python -m benchmarks.copy", "folder": folder}
    return record(**arguments | changes)


# ---------------------------------------------------------------- record and load

def test_file_is_the_schema(tmp_path, on_a_t4):
    path = write(tmp_path)
    assert path == tmp_path / "copy" / "tesla-t4.json"
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "schema": 1, "benchmark": "copy", "what": "A copy.", "date": datetime.date.today().isoformat(),
        "hardware": T4, "versions": devices.versions(), "settings": {"mib": [64], "threads": 1},
        "figures": {"copy-64-mib": {"value": 1.5, "low": 1.25, "high": 2.0, "unit": "ms", "n": 30,
                                    "spread": "95 % bootstrap interval"}},
        "command": "python -m benchmarks.copy"}
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert [entry.name for entry in path.parent.iterdir()] == ["tesla-t4.json"]


def test_round_trip(tmp_path, on_a_t4):
    write(tmp_path)
    [found] = load("copy", tmp_path)
    assert isinstance(found, Recording)
    assert found.figures == {"copy-64-mib": FIGURE}
    assert found.figures["copy-64-mib"].value == 1.5
    assert (found.benchmark, found.hardware, found.settings["mib"]) == ("copy", T4, [64])


def test_device_decides_the_hardware(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(devices, "machine", lambda device: asked.append(device) or T4)
    write(tmp_path)
    write(tmp_path, device="cpu")
    assert asked == ["auto", "cpu"]


def test_default_folder_is_the_readers_own(tmp_path, monkeypatch, on_a_t4):
    monkeypatch.chdir(tmp_path)
    assert write(None) == Path("my_results/copy/tesla-t4.json")
    assert (tmp_path / "my_results/copy/tesla-t4.json").is_file()


def test_numbers_keep_six_digits_and_numpy_is_fine(tmp_path, on_a_t4):
    third = numpy.float32(1 / 3)
    write(tmp_path, figures={"a": Figure(third, numpy.float64(0.1234567891), 1, "s", 5)})
    figure = load("copy", tmp_path)[0].figures["a"]
    assert (figure.value, figure.low, figure.high) == (0.333333, 0.123457, 1.0)


def test_recordings_come_sorted_and_only_of_the_benchmark(tmp_path, monkeypatch):
    for gpu in ("Tesla V100", "NVIDIA A100", "Tesla T4"):
        monkeypatch.setattr(devices, "machine", lambda device: T4 | {"gpu": gpu})
        write(tmp_path)
    write(tmp_path, benchmark="matmul")
    assert [recording.hardware["gpu"] for recording in load("copy", tmp_path)] == ["NVIDIA A100", "Tesla T4", "Tesla V100"]


def test_unknown_benchmark_names_those_there_are(tmp_path, on_a_t4):
    with pytest.raises(ValueError, match="no recordings of 'copy' in .*; there are: none"):
        load("copy", tmp_path / "nowhere")
    write(tmp_path)
    write(tmp_path, benchmark="matmul")
    with pytest.raises(ValueError, match="no recordings of 'sort' in .*; there are: copy, matmul"):
        load("sort", tmp_path)


def test_an_older_file_is_replaced_whole_or_kept(tmp_path, on_a_t4, monkeypatch):
    path = write(tmp_path, what="A long sentence, " * 100)
    write(tmp_path, what="Short.")
    assert load("copy", tmp_path)[0].what == "Short."

    before = path.read_bytes()

    def full(*_, **__):
        raise OSError("no space left on device")
    for owner, name in ((os, "replace"), (Path, "write_text")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, full)
            with pytest.raises(OSError, match="no space"):
                write(tmp_path, what="Other.")
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]


# ---------------------------------------------------------------- bad input

@pytest.mark.parametrize("changes, message", [
    ({"value": math.nan}, "value: nan is not a finite number"),
    ({"high": math.inf}, "high: inf is not a finite number"),
    ({"low": "1"}, "low: '1' is not a finite number"),
    ({"low": True}, "low: True is not a finite number"),
    ({"low": 1.6}, "value: 1.5 is not between low 1.6 and high 2.0"),
    ({"high": 1.4}, "value: 1.5 is not between low 1.25 and high 1.4"),
    ({"unit": " "}, "unit: a word is needed"),
    ({"spread": ""}, "spread: a word is needed"),
    ({"n": 0}, "n: 0 is not a number of samples"),
    ({"n": 2.5}, "n: 2.5 is not a number of samples"),
])
def test_bad_figures(changes, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        dataclasses.replace(FIGURE, **changes)


def test_figure_text():
    assert str(Figure(93.6123, 93.04, 94.5, "GFLOP/s", 30)) == "93.6 [93, 94.5] GFLOP/s"


@pytest.mark.parametrize("changes, message", [
    ({"benchmark": "../copy"}, "benchmark: '../copy' must be lower-case words"),
    ({"benchmark": "Copy"}, "benchmark: 'Copy' must be lower-case words"),
    ({"benchmark": ""}, "benchmark: a text is needed"),
    ({"what": "  "}, "what: a text is needed"),
    ({"figures": {}}, "figures: at least one is needed"),
    ({"figures": {"a b": FIGURE}}, "figures.a b: 'a b' must be lower-case words"),
    ({"figures": {"a-": FIGURE}}, "figures.a-: 'a-' must be lower-case words"),
    ({"figures": {"a": 1.5}}, "figures.a: a Figure is needed, not 1.5"),
    ({"settings": {"n": 2, "dtype": complex}}, "settings.dtype: <class 'complex'> is not plain JSON"),
    ({"settings": {"scale": math.inf}}, "settings.scale: inf is not plain JSON"),
    ({"settings": [1]}, "settings: an object is needed"),
    ({"settings": {"data": {"file": "/data/corpus.txt"}}}, "settings.data.file holds a path, .*'/data/corpus.txt'"),
    ({"what": "Ask jane@example.org."}, "what holds an e-mail address"),
    ({"settings": {"peers": ["10.0.0.7"]}}, "settings.peers holds an IP address"),
    ({"command": ""}, "command: a text is needed"),
])
def test_bad_recordings_write_nothing(tmp_path, on_a_t4, changes, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        write(tmp_path, **changes)
    assert list(tmp_path.rglob("*")) == []


def edit(path, change):
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.parametrize("change, message", [
    (lambda d: d.update(schema=2), "schema: 2 is not 1; install a newer course_lib"),
    (lambda d: d.update(date="22 November"), "date: '22 November' is not an ISO day"),
    (lambda d: d.update(date=20261122), "date: a text is needed"),
    (lambda d: d.update(hardware=[]), "hardware: an object is needed"),
    (lambda d: d.update(versions="1"), "versions: an object is needed"),
    (lambda d: d["hardware"].pop("gpu"), "hardware.gpu: missing"),
    (lambda d: d.update(benchmark="other"), "benchmark: must be the name of the folder"),
    (lambda d: d.pop("what"), ".*missing.*'what'"),
    (lambda d: d.update(note="x"), ".*unexpected.*'note'"),
    (lambda d: d.update(figures=[]), "figures: an object is needed"),
    (lambda d: d.pop("figures"), "figures: an object is needed"),
    (lambda d: d["figures"].update(slow=3), "figures.slow: "),
    (lambda d: d["figures"]["copy-64-mib"].pop("unit"), "figures.copy-64-mib: .*missing.*'unit'"),
    (lambda d: d["figures"]["copy-64-mib"].update(sd=1), "figures.copy-64-mib: .*unexpected.*'sd'"),
    (lambda d: d["figures"]["copy-64-mib"].update(low=9), "figures.copy-64-mib: value: 1.5 is not between low 9"),
    (lambda d: d["figures"]["copy-64-mib"].update(value=math.nan), "figures.copy-64-mib: value: nan is not a finite"),
])
def test_invalid_files_are_named_with_the_field(tmp_path, on_a_t4, change, message):
    path = write(tmp_path)
    edit(path, change)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: {message}"):
        load("copy", tmp_path)


@pytest.mark.parametrize("content", [b"", b'{"schema": 1', b"[1]", b"\xff\xfe\x00"])
def test_corrupt_files_are_named(tmp_path, on_a_t4, content):
    path = write(tmp_path)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}: "):
        load("copy", tmp_path)


# ---------------------------------------------------------------- file names

@pytest.mark.parametrize("cpu, cores, gpu, slug", [
    ("AMD EPYC", 2, None, "amd-epyc-2-cores"),
    ("AMD EPYC 7B13 64-Core Processor", 8, None, "amd-epyc-7b13-64-core-8-cores"),
    ("Intel(R) Xeon(R) CPU @ 2.20GHz", 2, None, "intel-xeon-2-cores"),
    ("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", 1, None, "intel-core-i7-8650u-1-core"),
    ("Apple M2", 8, None, "apple-m2-8-cores"),
    ("AMD EPYC", 16, "NVIDIA H100 80GB HBM3", "nvidia-h100-80gb-hbm3"),
    ("AMD EPYC", 2, "Tesla T4", "tesla-t4"),
])
def test_hardware_slug(cpu, cores, gpu, slug):
    assert hardware_slug(T4 | {"cpu": cpu, "cores": cores, "gpu": gpu}) == slug


def test_results_of_a_checkout_or_of_the_package(tmp_path, monkeypatch):
    package = tmp_path / "course_lib"
    monkeypatch.setattr(devices, "__file__", str(package / "devices.py"))
    assert results.results_folder() == package / "_results"
    (tmp_path / "results").mkdir()   # beside an installed package: not ours
    assert results.results_folder() == package / "_results"
    (tmp_path / "pyproject.toml").touch()
    assert results.results_folder() == tmp_path / "results"


def test_load_looks_there_by_default(tmp_path, monkeypatch, on_a_t4):
    write(tmp_path)
    monkeypatch.setattr(results, "results_folder", lambda: tmp_path)
    assert load("copy")[0].what == "A copy."


# ---------------------------------------------------------------- privacy

@pytest.mark.parametrize("command, clean", [
    ("python -m benchmarks.machine --results results", "python -m benchmarks.machine --results results"),
    ("/home/x/.venv/bin/python3.11 -m benchmarks.machine", "python -m benchmarks.machine"),
    (".venv/bin/python benchmarks/machine.py", "python benchmarks/machine.py"),
    ("/opt/tool/run --device cuda:1", "run --device cuda:1"),
    (["python", "x.py", "/Users/Ann Lee/My Results"], "python x.py 'My Results'"),
    (["python", "x.py", "--out=/Users/Ann Lee/My Results/"], "python x.py '--out=My Results'"),
    (["C:\\Program Files\\Py\\python.exe", "x.py", "--out=D:\\a b\\c"], "python x.py --out=c"),
    ('"C:\\Users\\Ann Lee\\python.exe" -m x', "python -m x"),
    ("python x.py ~/out ~bob/data", "python x.py out data"),
    ("python x.py a=1,/srv/x/y,b=2", "python x.py a=1,y,b=2"),
    ("python x.py \\\\server\\share\\file", "python x.py file"),
    ("python x.py ../here ./there results/machine 1/2", "python x.py ../here ./there results/machine 1/2"),
    ("python x.py --to a.b@mail.example.org --at 192.168.0.12:80", "python x.py --to ADDRESS --at ADDRESS:80"),
    ("python x.py --at fe80::1 12:30:15", "python x.py --at ADDRESS 12:30:15"),
    ("torchrun --rdzv Atlas:29500 --by JANE run.py", "torchrun --rdzv HOST:29500 --by USER run.py"),
    ("python x.py atlas.example.org janet /srv/jdoe", "python x.py HOST janet USER"),
])
def test_sanitise(named, command, clean):
    assert sanitise(command) == clean
    assert list(find_private(clean)) == []


def test_sanitise_without_a_user(named, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found")
    monkeypatch.setattr(getpass, "getuser", nobody)
    monkeypatch.setattr(Path, "home", lambda: Path("/"))   # its name is empty
    assert sanitise("python x.py --n 3") == "python x.py --n 3"


def test_the_running_command(tmp_path):
    script = tmp_path / "bench.py"
    script.write_text("from course_lib.results import sanitise; print(sanitise())")
    root = Path(devices.__file__).parent.parent
    run = {"capture_output": True, "text": True, "check": True, "cwd": tmp_path,
           "env": os.environ | {"PYTHONPATH": str(root)}}
    assert subprocess.run([sys.executable, script, "--n", "3"], **run).stdout == "python bench.py --n 3\n"
    assert subprocess.run([sys.executable, "-m", "bench"], **run).stdout == "python -m bench\n"


@pytest.mark.parametrize("launcher", ["ipykernel_launcher", "/usr/lib/colab_kernel_launcher.py"])
def test_a_notebook_has_no_command(monkeypatch, launcher):
    monkeypatch.setattr(sys, "orig_argv", ["python3", "-m", launcher, "-f", "/home/x/kernel-1234.json"])
    assert sanitise() == "in a notebook"


@pytest.mark.parametrize("text, kind", [
    ("see /srv", "a path"), ("file:///etc/hosts", "a path"), ("--out=/srv/x", "a path"), ("C:\\x", "a path"),
    ("~/x", "a path"), ("~ann/x", "a path"), ("\\\\nas\\x", "a path"), ("https://example.org/x", "a path"),
    ("a@b.cd", "an e-mail address"), ("at 127.0.0.1:80", "an IP address"), ("2001:db8::8a2e:370:7334", "an IP address"),
    ("2001:db8:0:0:0:8a2e:370:7334", "an IP address"),
])
def test_find_private(text, kind):
    assert [found[:2] for found in find_private({"a": [{"b": text}]})] == [("a.b", kind)]
    assert [found[1] for found in find_private({text: 1})] == [kind]


@pytest.mark.parametrize("text", [
    "GFLOP/s", "tokens/s", "results/machine", "../x", "./x", "1/2", "a / b", "12:30:15", "x[::2]", "2.13.0+cpu",
    "12.8.1", "pass@k", "~5 %", "org/model-7b", "AMD Ryzen 5 w/ Radeon", "cuda:1", "test.py::test_a", "and/or",
])
def test_what_is_not_private(text):
    assert list(find_private([text])) == []


# ---------------------------------------------------------------- what is committed

COMMITTED = sorted((Path(__file__).parent.parent / "results").glob("**/*.json"))


def test_something_is_committed():
    assert COMMITTED


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_committed_recordings(path):
    assert path.parents[1].name == "results", "results/<benchmark>/<hardware>.json"
    [found] = [recording for recording in load(path.parent.name, path.parents[1])
               if hardware_slug(recording.hardware) == path.stem]
    text = path.read_text(encoding="utf-8")
    assert list(find_private(json.loads(text))) == []
    for host in {socket.gethostname(), socket.gethostname().partition(".")[0]} - {"", "localhost"}:
        assert not re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w.-])", text, re.IGNORECASE), "a host name"
    assert found.date <= (datetime.date.today() + datetime.timedelta(days=1)).isoformat()
    assert found.command
