"""Bubblewrap around the process that runs a student's code.

What is there: Python, its packages, course_lib without its grading, an empty /tmp; read-only but for
/tmp and /dev/shm, which are small and in memory. What is not: home, the course's sources, other
submissions, programs, the network, other processes. Started by root, the student's code has an unused
user id of its own, so that the limit on processes binds. Started by an ordinary user it runs under
that user's id in a user namespace: a fault of the kernel would then give away the user's files,
where it would otherwise give away nobody's; before Linux 5.14 the limit on processes also counts
those that the user has running already.

What it does not protect against: faults of the Linux kernel, and guesses from how long a grade takes.
"""
import ast
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from course_lib.grading import confine
from course_lib.grading.notebook import Set

HERE = Path(__file__).resolve().parent
INSIDE = ("__init__.py", "confine.py", "names.py", "remote.py", "standins.py", "transport.py", "worker.py")
COURSE = "/course"
USERS = range(61184, 65520)      # of nobody's; systemd leaves them to such users too


@dataclass(frozen=True)
class Limits:
    """Of one question. seconds: of processor time (twice that where there are several processes), and twice
    that of doing nothing; a busy machine takes nothing away. memory: bytes beyond what Python and torch take,
    of all its processes together. file_bytes: of one file, and of /tmp."""
    seconds: float = 5
    memory: int = 2 * 2**30
    processes: int = 32
    file_bytes: int = 64 * 2**20


class SandboxError(RuntimeError):
    """No sandbox can be started here: says why and what to do."""


def own_user() -> bool:
    """Can a process be given a user id of its own? For root, unless it is root in a user namespace only."""
    if os.geteuid() != 0:
        return False
    with open("/proc/self/uid_map") as file:
        return any(int(start) <= USERS[0] and int(start) + int(length) > USERS[-1]
                   for start, _, length in map(str.split, file))


def _reserve() -> tuple[int, socket.socket]:
    """A user id that no other sandbox of this machine has: the kernel's limits on users are then each one's own.

    It is kept by an abstract socket of that name, which goes with the process that holds it.
    """
    for step in range(len(USERS)):
        uid, held = USERS[(os.getpid() + step) % len(USERS)], socket.socket(socket.AF_UNIX)
        try:
            held.bind(f"\0course-grading-{uid}")
            return uid, held
        except OSError:
            held.close()
    raise SandboxError("no user id is left for a sandbox: are thousands of them running?")


def bubblewrap(uid: int) -> list[str]:
    """The command line of bubblewrap up to the program. uid: its user id, 0 for the caller's."""
    if not confine.known():
        raise SandboxError(f"the sandbox knows the system calls of x86-64 and arm64, not of {platform.machine()}: grade on such a machine")
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError("bubblewrap is not installed: `sudo apt install bubblewrap`. Without it, --unsandboxed "
                           "runs students' code with your rights: only for code that you have read")
    if uid:
        # No user namespace: the mounts are root's, and worker.py changes its user with the two capabilities.
        command = [program, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
                   "--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command = [program, "--unshare-all", "--uid", str(USERS[0]), "--gid", str(USERS[0])]
    command += ["--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox"]
    there = set()

    def folders(path):
        for folder in reversed([path, *path.parents][:-1]):
            if folder not in there:       # in bubblewrap, parents that are made on the way are closed to other users
                there.add(folder)
                command.extend(["--perms", "0755", "--dir", str(folder)])

    def bind(source, target=None, kind="--ro-bind"):
        target = Path(target or source)
        if any(parent in bound for parent in [target, *target.parents]):
            return
        folders(target if Path(source).is_dir() else target.parent)
        bound.add(target)
        command.extend([kind, str(source), str(target)])
    bound = set()

    for folder in map(Path, ("/lib", "/lib64", "/lib32", "/libx32")):
        if folder.is_symlink():           # /lib -> usr/lib
            command += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            bind(folder)
    for folder in map(Path, ("/usr/lib", "/usr/lib64", "/usr/lib32", "/usr/libx32")):
        if folder.is_dir():
            bind(folder)
    bind("/etc/ld.so.cache", kind="--ro-bind-try")
    bind(interpreter())
    for folder in libraries():
        bind(folder)
    bind(HERE.parent, f"{COURSE}/course_lib")
    command += ["--tmpfs", f"{COURSE}/course_lib/grading"]
    for name in INSIDE:
        command += ["--ro-bind", str(HERE / name), f"{COURSE}/course_lib/grading/{name}"]
    command += ["--remount-ro", f"{COURSE}/course_lib/grading", "--dir", "/sandbox", "--proc", "/proc", "--remount-ro", "/proc",
                "--dev", "/dev", "--remount-ro", "/dev"]
    for folder in ("/tmp", "/dev/shm"):
        command += ["--size", str(Limits.file_bytes), "--perms", "1777", "--tmpfs", folder]
    for name, value in {"HOME": "/tmp", "USER": "student", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1",
                        "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}.items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", "/tmp", "--remount-ro", "/", "--"]


def interpreter() -> Path:
    return Path(sys.executable).resolve()


def libraries() -> list[Path]:
    """Folders of the standard library and of the installed packages, outermost first."""
    found = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found |= {Path(find_spec(name).origin).resolve().parent.parent for name in ("torch", "numpy")}
    if library := sysconfig.get_config_var("LIBDIR"):
        # libpython and what it needs, where it is shared and lies elsewhere
        found |= {path.resolve() for path in Path(library).glob("libpython*.so*")} if Path(library).is_dir() else set()
    return sorted(path for path in found if path.exists())


class Sandbox:
    """One running worker. imports: modules that it imports before the first question.

    Raises SandboxError where it does not start.
    """

    def __init__(self, limits: Limits = Limits(), imports=(), unsandboxed: bool = False):
        uid, self.reserved = _reserve() if own_user() and not unsandboxed else (0, None)
        processes = limits.processes
        if not uid and (unsandboxed or tuple(map(int, platform.release().split(".")[:2])) < (5, 14)):
            processes += _tasks_of(os.getuid())
        settings = asdict(limits) | {"uid": uid, "processes": processes, "imports": list(imports), "sandboxed": not unsandboxed}
        settings["paths"] = [str(folder) for folder in libraries() if folder.is_dir() and folder.name.endswith("-packages")]
        settings["paths"].insert(0, str(HERE.parent.parent) if unsandboxed else COURSE)
        worker = str(HERE / "worker.py") if unsandboxed else f"{COURSE}/course_lib/grading/worker.py"
        command = [str(interpreter()), "-I", "-S", worker, json.dumps(settings)]
        self.limits, self.folder = limits, tempfile.TemporaryDirectory(prefix="grading-") if unsandboxed else None
        self.base = 0
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with tempfile.TemporaryFile() as errors:
            self.process = subprocess.Popen(
                command if unsandboxed else bubblewrap(uid) + command, stdin=theirs, stdout=subprocess.DEVNULL, stderr=errors,
                cwd=self.folder.name if self.folder else "/", start_new_session=True, preexec_fn=_first_to_go,
                env={"HOME": self.folder.name, "PATH": os.environ.get("PATH", ""), "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1",
                     "MKL_NUM_THREADS": "1"} if unsandboxed else {})
            theirs.close()
            self.control.settimeout(180)
            try:
                ready = self.control.recv(1024)
            except OSError:
                ready = b""
            if ready != b"ready":
                self.close()
                errors.seek(0)
                raise SandboxError(_refused(errors.read().decode(errors="replace")))
        self.control.setblocking(True)
        self.base = self.look()[0]

    def start(self, connection: socket.socket) -> None:
        """Fork a process for a question; it gets `connection`. Raises OSError where the sandbox is gone."""
        socket.send_fds(self.control, [b"run"], [connection.fileno()])

    def stop(self) -> None:
        """Have the question's processes killed; `ended` follows."""
        try:
            self.control.send(b"stop", socket.MSG_DONTWAIT)
        except OSError:
            pass

    def ended(self) -> dict | None:
        """How the question's process ended, {"exit": int, "cpu": seconds}; None where the sandbox is gone."""
        try:
            report = json.loads(self.control.recv(1024) or b"null")
        except (OSError, ValueError):
            return None
        return report

    def look(self) -> tuple[int, float, bool]:
        """Of all processes in the sandbox: bytes beyond those of Python and torch, seconds of processor time,
        and whether one of them runs or would like to."""
        parents, stats = {}, {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    with open(f"/proc/{entry.name}/stat", "rb") as file:
                        stats[int(entry.name)] = parts = file.read().rpartition(b")")[2].split()
                    parents.setdefault(int(parts[1]), []).append(int(entry.name))
                except (OSError, IndexError):
                    continue
        total, ticks, busy, found = 0, 0, False, [self.process.pid]
        while found:
            pid = found.pop()
            found += parents.get(pid, [])
            if pid in stats:
                busy |= stats[pid][0] in (b"R", b"D")
                ticks += sum(map(int, stats[pid][11:15]))       # its own, and those of its children that ended
                total += _memory(pid)
        return total - self.base, ticks / os.sysconf("SC_CLK_TCK"), busy

    def close(self) -> None:
        """Kill everything in the sandbox: with its first process the kernel ends the whole namespace."""
        for kill in (lambda: os.killpg(self.process.pid, signal.SIGKILL), self.process.kill):
            try:
                kill()
            except (ProcessLookupError, PermissionError):
                pass
        self.control.close()
        self.process.wait()
        if self.reserved:
            self.reserved.close()
        if self.folder:
            self.folder.cleanup()


def _memory(pid) -> int:
    """Bytes of a process, of what it shares with others only its part: a forked one is charged for what it changes."""
    for name, fields in (("smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")), ("status", ("RssAnon:", "RssShmem:"))):
        try:
            with open(f"/proc/{pid}/{name}") as file:
                return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(fields))
        except (OSError, ValueError):       # gone; or, without a sandbox, not to be looked into
            continue
    return 0


def _first_to_go() -> None:
    """Short of memory, the kernel ends a sandbox before anything else."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _tasks_of(uid) -> int:
    count = 0
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit() and entry.stat().st_uid == uid:
                count += len(os.listdir(f"/proc/{entry.name}/task"))
        except OSError:
            continue
    return count


def imports(set: Set) -> list[list]:
    """[module, name] of what setup and observe cells import; the name is None where it is the module itself."""
    found = []
    for source in [*set.setup, *(question.observe for question in set.questions.values())]:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                found += [[alias.name, None] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                found += [[node.module, alias.name] for alias in node.names]
    return found


def modules(set: Set) -> list[str]:
    """What a process imports before it forks for questions of the set."""
    found = {name for name, _ in imports(set)}
    if any("optim" in question.observe + question.exercise for question in set.questions.values()):
        found.add("torch._dynamo")      # over a second, which the first optimiser of every process would take
    return sorted(found)


def probe() -> str | None:
    """None where a sandbox can be made here, else why it cannot."""
    try:
        command = [*bubblewrap(USERS[0] if own_user() else 0), str(interpreter()), "-I", "-S", "-c", "import json"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except SandboxError as error:
        return str(error)
    return None if done.returncode == 0 else _refused(done.stderr)


def _refused(said: str) -> str:
    said = said.strip().splitlines() or ["it does not answer"]
    return (f"the sandbox does not start: {said[-1][:300]}. Inside a container and on Ubuntu 24.04, user namespaces may be "
            "forbidden: allow them, or run as root. (--unsandboxed runs students' code with your rights.)")
