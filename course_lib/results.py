"""Recorded measurements: one JSON file a benchmark and machine, `<benchmark>/<hardware>.json`.

`record` writes, by default to `my_results/` in the current folder; `load` reads what the
course ships. To send yours, copy `my_results/<benchmark>/<hardware>.json` to the same place
under `results/` and open a pull request (CONTRIBUTING.md). A file holds no host name, user
name or absolute path: `record` takes them out of the command, and refuses a path, an e-mail or an IP
address elsewhere; what you write into `what` and `settings`, read before you send it.

Schema 1, every field required::

    schema     1
    benchmark  name, as its folder: lower-case words joined by - or _
    what       one sentence: what was measured
    date       ISO day
    hardware   devices.machine()
    versions   devices.versions()
    settings   plain JSON: sizes, dtypes, seeds, threads
    figures    {name: {value, low, high, unit, n, spread}}
    command    what was run, sanitised

Built in the lesson "Start here".
"""
import datetime
import getpass
import json
import math
import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path

from course_lib import devices

_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_PATH = re.compile(r"""((?<![\w.])/[A-Za-z_.]|~\w*[\\/]|\b[A-Za-z]:\\|\\\\\w)[^\s'",;]*""")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_IP = re.compile(r"(?<![\w.])\d{1,3}(\.\d{1,3}){3}(?![\w.])"
                 r"|(?<![\w:.])([0-9a-f]{1,4}:){1,6}(:[0-9a-f]{1,4})+"
                 r"|(?<![\w:.])([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}", re.IGNORECASE)


def _need(ok: bool, field: str, rule: str) -> None:
    if not ok:
        raise ValueError(f"{field}: {rule}")


def _text(x) -> bool:
    return isinstance(x, str) and bool(x.strip())


@dataclass(frozen=True)
class Figure:
    """A measured number: `value` (mostly a median) between `low` and `high`, in `unit`, from
    `n` samples; `spread` says what low and high are ("95 % bootstrap interval", "IQR").

    Raises ValueError, naming the field, unless the numbers are finite and in this order.
    """
    value: float
    low: float
    high: float
    unit: str
    n: int
    spread: str = "95 % bootstrap interval"

    def __post_init__(self):
        for field in ("value", "low", "high"):
            x = getattr(self, field)
            _need(isinstance(x, Real) and not isinstance(x, bool) and math.isfinite(x), field,
                  f"{x!r} is not a finite number")
        _need(self.low <= self.value <= self.high, "value",
              f"{self.value} is not between low {self.low} and high {self.high}")
        for field in ("unit", "spread"):
            _need(_text(getattr(self, field)), field, "a word is needed")
        _need(type(self.n) is int and self.n > 0, "n", f"{self.n!r} is not a number of samples")

    def __str__(self) -> str:
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}] {self.unit}"


@dataclass(frozen=True)
class Recording:
    """One file: the fields of the schema, with `figures` a dict of `Figure`.

    Raises ValueError, naming the field, for anything that is not schema 1.
    """
    schema: int
    benchmark: str
    what: str
    date: str
    hardware: dict
    versions: dict
    settings: dict
    figures: dict[str, Figure]
    command: str

    def __post_init__(self):
        _need(self.schema == 1, "schema", f"{self.schema!r} is not 1; install a newer course_lib")
        for name in ("benchmark", "what", "date", "command"):
            _need(_text(getattr(self, name)), name, "a text is needed")
        for name in ("hardware", "versions", "settings", "figures"):
            _need(isinstance(getattr(self, name), dict), name, "an object is needed")
        for field, name in [("benchmark", self.benchmark), *((f"figures.{name}", name) for name in self.figures)]:
            _need(_NAME.fullmatch(name), field, f"{name!r} must be lower-case words joined by - or _")
        try:
            datetime.date.fromisoformat(self.date)
        except ValueError:
            _need(False, "date", f"{self.date!r} is not an ISO day such as 2026-01-31")
        for name in ("system", "cpu", "cores", "memory_gib", "gpu", "gpu_count"):
            _need(name in self.hardware, f"hardware.{name}", "missing")
        for name, value in self.settings.items():
            try:
                json.dumps(value, allow_nan=False)
            except (TypeError, ValueError):
                _need(False, f"settings.{name}", f"{value!r} is not plain JSON; str(value) is")
        _need(self.figures, "figures", "at least one is needed")
        for name, figure in self.figures.items():
            _need(isinstance(figure, Figure), f"figures.{name}", f"a Figure is needed, not {figure!r}")


def record(benchmark: str, figures: dict[str, Figure], *, what: str, settings: dict,
           command: str | list[str] | None = None, folder: str | Path | None = None,
           device: str | devices.Device = "auto") -> Path:
    """Write `<folder>/<benchmark>/<hardware>.json` and return its path.

    folder: default `my_results`. device: what was measured on, for the hardware field.
    command: default, the running command. An older file of the same name is replaced whole.
    Raises ValueError, naming the field, before anything is written.
    """
    recording = Recording(1, benchmark, what, datetime.date.today().isoformat(), devices.machine(device),
                          devices.versions(), settings, figures, sanitise(command))
    data = asdict(recording)
    for figure in data["figures"].values():   # six digits are more than a timing has
        figure.update({key: float(f"{figure[key]:.6g}") for key in ("value", "low", "high")})
    for field, kind, text in find_private(data):
        raise ValueError(f"{field} holds {kind}, which would be published: {text!r}; leave it out")
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"

    path = Path(folder or "my_results") / benchmark / f"{hardware_slug(recording.hardware)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def load(benchmark: str, folder: str | Path | None = None) -> list[Recording]:
    """All recordings of a benchmark, sorted by file name.

    folder: default, those of the course. Raises ValueError for a benchmark that is not there,
    naming those that are, and for an invalid file, naming file and field.
    """
    folder = Path(folder or results_folder())
    paths = sorted(folder.glob("*/*.json"))
    there = sorted({path.parent.name for path in paths})
    if benchmark not in there:
        raise ValueError(f"no recordings of {benchmark!r} in {folder}; there are: {', '.join(there) or 'none'}")
    return [read(path) for path in paths if path.parent.name == benchmark]


def read(path: str | Path) -> Recording:
    """One recorded file. Raises ValueError, naming file and field, for what is not valid."""
    path = Path(path)
    field = ""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        _need(isinstance(data, dict) and isinstance(data.get("figures"), dict), "figures", "an object is needed")
        for name in data["figures"]:
            field = f"figures.{name}: "
            data["figures"][name] = Figure(**data["figures"][name])
        field = ""
        recording = Recording(**data)
        _need(recording.benchmark == path.parent.name, "benchmark", "must be the name of the folder")
        return recording
    except (TypeError, ValueError) as error:   # TypeError: a missing or an unknown field, named
        raise ValueError(f"{path}: {field}{error}") from error


def results_folder() -> Path:
    """`results/` of the checkout that course_lib is used from, else the copy in the package."""
    package = Path(devices.__file__).parent
    checkout = package.parent / "results"
    # pyproject.toml too: beside an installed package, "results" may be anybody's.
    if checkout.is_dir() and (package.parent / "pyproject.toml").is_file():
        return checkout
    return package / "_results"


def hardware_slug(hardware: dict) -> str:
    """File name of a machine: the GPU's model, or the CPU's and the number of logical cores.

    Lower case; "(R)", "(TM)", "CPU", "Processor" and a clock rate are dropped, what is neither
    letter nor digit becomes one hyphen: "nvidia-h100-80gb-hbm3", "amd-epyc-2-cores".
    """
    name = hardware["gpu"]
    if name is None:
        model = re.sub(r"(?i)\((R|TM)\)|\b(CPU|Processor)\b|@.*", " ", hardware["cpu"])
        name = f"{model} {hardware['cores']} core{'s' * (hardware['cores'] != 1)}"
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def sanitise(command: str | list[str] | None = None) -> str:
    """The command without what is private; default, the command of this process.

    Absolute paths are cut to their last part; the names of user and host become USER and HOST,
    addresses ADDRESS. `python -m module` stays as it is; in a notebook: "in a notebook".
    """
    if command is None:
        command = sys.orig_argv
        if any("kernel_launcher" in word for word in command):
            return "in a notebook"
    if isinstance(command, str):
        command = shlex.split(command, posix="\\" not in command)
    host = socket.gethostname()
    names = {host: "HOST", host.partition(".")[0]: "HOST", Path.home().name: "USER"}
    try:
        names[getpass.getuser()] = "USER"
    except (KeyError, OSError, ImportError):   # a container without such a user
        pass

    def clean(word: str) -> str:
        option, equals, value = word.strip("\"'").rpartition("=")
        if _PATH.match(value):   # whole, because it may hold spaces
            value = _last_part(value)
        word = _PATH.sub(lambda match: _last_part(match[0]), option + equals + value)
        word = _IP.sub("ADDRESS", _EMAIL.sub("ADDRESS", word))
        for name, stand_in in names.items():
            if name:
                word = re.sub(rf"(?i)(?<!\w){re.escape(name)}(?!\w)", stand_in, word)
        return word

    words = [clean(word) for word in command]
    if words and re.fullmatch(r"python[\d.]*(\.exe)?", _last_part(words[0])):
        words[0] = "python"
    return shlex.join(words)


def _last_part(path: str) -> str:
    return re.split(r"[\\/]", path.rstrip("\\/"))[-1]


def find_private(data, field: str = "") -> Iterator[tuple[str, str, str]]:
    """(field, kind, text) of what looks like an absolute path, an e-mail address or an IP
    address in the strings of nested JSON, keys included."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from find_private(str(key), field)
            yield from find_private(value, f"{field}.{key}".lstrip("."))
    elif isinstance(data, (list, tuple)):
        for value in data:
            yield from find_private(value, field)
    elif isinstance(data, str):
        for kind, pattern in (("a path", _PATH), ("an e-mail address", _EMAIL), ("an IP address", _IP)):
            if match := pattern.search(data):
                yield field, kind, match[0]
