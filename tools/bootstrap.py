"""Make or update the environment, .venv: the packages of requirements.txt and the course itself.

    python3 tools/bootstrap.py

Needs Python 3.11 or newer and its standard library only. The syntax here stays at that of
Python 3.6, so that an older interpreter gets the message below and not a syntax error.
"""
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
# .venv takes 1.8 GB with the CPU build of torch; its downloads lie beside it for a while.
DISK_GB = 2.5
OFFLINE = ("Failed to establish a new connection", "Failed to resolve", "Max retries exceeded",
           "Temporary failure in name resolution", "Network is unreachable")


def main(root=ROOT):
    check_python(sys.version_info)
    root = Path(root)
    folder = root / ".venv"
    stamp = folder / "course-stamp"
    wanted = fingerprint(root)
    if stamp.is_file() and stamp.read_text() == wanted and works(folder):
        print("The environment is up to date: nothing to install.", flush=True)
        return
    start = time.perf_counter()
    check_room(root)
    try:
        if stamp.exists():
            stamp.unlink()  # an installation that is interrupted must not look complete
        if not works(folder):
            make_venv(folder)
        install(folder, root, ["-r", "requirements.txt"])
        install(folder, root, ["--no-deps", "--no-build-isolation", "-e", "."])
        stamp.write_text(wanted)
    except PermissionError as error:
        fail("{} is not writable. Make the folder yours (or copy the course to one that is), "
             "then run this again.".format(error.filename))
    except OSError as error:
        fail("{}\nFree some disk space if that is the reason, then run this again; it goes on "
             "where it stopped.".format(error))
    except KeyboardInterrupt:
        fail("Interrupted. Run this again; it goes on where it stopped.")
    print("The environment is ready, after {:.0f} s.".format(time.perf_counter() - start),
          flush=True)


def fail(message):
    """Exit with status 1 and the message on stderr."""
    sys.exit("\nerror: " + message)


def check_python(version):
    """Exit with advice if `version` (as sys.version_info) is older than the course needs."""
    if tuple(version[:2]) >= OLDEST:
        return
    others = ["python3.{}".format(minor) for minor in (13, 12, 11)]
    found = [name for name in others if shutil.which(name)]
    advice = ("This machine has {0}: run `make PYTHON={0} ...`.".format(found[0]) if found else
              "Get one from your system's packages or from https://www.python.org/downloads/, "
              "then run `make PYTHON=python3.12 ...` if it is not the default `python3`.")
    fail("The course needs Python {}.{} or newer, this is {}.{}. {}".format(
        OLDEST[0], OLDEST[1], version[0], version[1], advice))


def check_room(root):
    """Exit with advice if the environment cannot be made in folder `root`."""
    if not os.access(str(root), os.W_OK):
        fail("{} is not writable. Make the folder yours (or copy the course to one that is), "
             "then run this again.".format(root))
    free = shutil.disk_usage(str(root)).free / 1e9
    if free < DISK_GB:
        fail("The environment needs about {} GB of disk with the CPU build of PyTorch (a CUDA "
             "build several more); {} has {:.1f} GB free.".format(DISK_GB, root, free))


def python_of(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def works(folder):
    """Whether `folder` is an environment of this Python version, with pip in it."""
    probe = "import sys, pip; print(*sys.version_info[:2])"
    try:
        result = subprocess.run([str(python_of(folder)), "-c", probe],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError:
        return False
    return result.returncode == 0 and result.stdout.split() == [
        str(part).encode() for part in sys.version_info[:2]]


def make_venv(folder):
    missing = [name for name in ("venv", "ensurepip") if not importlib.util.find_spec(name)]
    if missing:
        fail("This Python lacks its module `{}`. On Debian and Ubuntu: "
             "`sudo apt install python3-venv`, then run this again.".format(missing[0]))
    if folder.exists():
        print("{} is incomplete or of another Python: making it anew.".format(folder.name))
    result = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode:
        fail("The environment could not be made in {}:\n{}".format(
            folder, result.stdout.decode(errors="replace").strip()))


def install(folder, root, what):
    """Run `pip install what`; its output goes to .venv/setup.log, large downloads to the screen."""
    log_file = folder / "setup.log"
    print("Installing {} (log: {})".format(" ".join(what), log_file.relative_to(root)), flush=True)
    lines = []
    with open(str(log_file), "w", encoding="utf-8") as log:
        pip = subprocess.Popen(
            [str(python_of(folder)), "-m", "pip", "install", "--disable-pip-version-check",
             "--no-input", "--progress-bar", "off"] + what,
            cwd=str(root), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for line in pip.stdout:
            lines.append(line.decode(errors="replace").rstrip())
            log.write(lines[-1] + "\n")
            if re.search(r"Downloading .*\((\d{3,}\.?\d* MB|.* GB)\)", lines[-1]):
                print("  " + lines[-1].strip(), flush=True)
    if pip.wait():
        text = "\n".join(lines)
        why = "\n".join([line for line in lines if line.startswith("ERROR")][-3:])
        if any(sign in text for sign in OFFLINE):
            why += "\nThe package index was not reached: is this machine online, or behind a proxy?"
        elif "No space left on device" in text:
            why += "\nThe disk is full: free some space."
        fail("pip failed. {}\nThe whole log: {}. Run this again to go on.".format(
            why.strip(), log_file))


def fingerprint(root):
    """What the environment depends on: the pins, the project's description, the interpreter and
    the place, since the course is installed from where it lies."""
    digest = hashlib.sha256(repr((sys.version_info[:2], str(root))).encode())
    for name in ("requirements.txt", "pyproject.toml", "setup.py"):
        path = root / name
        digest.update(path.read_bytes() if path.exists() else b"")
    return digest.hexdigest()


if __name__ == "__main__":
    main()
