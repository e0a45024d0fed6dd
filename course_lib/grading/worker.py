"""The process inside the sandbox: imports torch once, then forks for every question.

Started by sandbox.py, never imported. It holds nothing of a question: each forked process gets its
job over its own connection, and what is left of it and of all it started is killed when it ends. The
student's code can do to its own process whatever it likes; what comes back is data (transport.py).
"""
import builtins
import ctypes
import importlib
import json
import linecache
import os
import random
import select
import shutil
import signal
import socket
import sys
import traceback
import types

SANDBOX = "/sandbox"        # the root of the sandbox has this folder; nothing else does
FOLDERS = "/tmp", "/dev/shm"
MAX_FILES = 10_000


def main() -> None:
    """The loop: a connection in, the end of the question's process out."""
    settings = json.loads(sys.argv[1])
    control = socket.socket(fileno=0)
    sandboxed = os.path.isdir(SANDBOX)
    if settings["uid"]:
        os.setgroups([])
        os.setresgid(*[settings["uid"]] * 3)
        os.setresuid(*[settings["uid"]] * 3)
    _dumpable(0)        # the student's processes have the same user: no ptrace, no /proc/PID/mem
    sys.path[:0] = settings["paths"]
    for name in ["torch", "numpy", *("course_lib.grading." + name for name in ("confine", "remote", "names")), *settings["imports"]]:
        try:
            importlib.import_module(name)
        except ImportError:
            if name.startswith(("torch", "course_lib.grading")):
                raise
    import torch
    torch.set_num_threads(1)
    control.send(b"ready")
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1024, 1)
        if not message:
            return
        if not descriptors:     # a "stop" that crossed the report of the end
            continue
        pid = os.fork()
        if pid == 0:
            control.close()
            child(descriptors[0], settings)
        os.close(descriptors[0])
        ended = os.pidfd_open(pid)
        readable = []
        while not readable and not (sandboxed and _littered()):
            readable, _, _ = select.select([ended, control], [], [], 0.2)
        if control in readable and not control.recv(16):
            return
        os.close(ended)
        _end(pid, sandboxed)
        used = os.wait4(pid, 0)
        while _reap():
            pass
        report = {"exit": os.waitstatus_to_exitcode(used[1]), "cpu": used[2].ru_utime + used[2].ru_stime}
        if sandboxed and not all(map(_emptied, FOLDERS)):
            return
        control.send(json.dumps(report).encode())


def _end(pid, sandboxed) -> None:
    """Kill the question's process and, in the sandbox, everything else that runs there."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    try:
        os.kill(pid, signal.SIGKILL)
        if sandboxed and os.getpid() < 10:        # never where -1 would mean the machine's processes
            os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _reap() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _littered() -> bool:
    """Do so many files lie in /tmp or /dev/shm that the kernel's memory goes into their names?"""
    there = map(os.statvfs, FOLDERS)
    return any(disk.f_files - disk.f_ffree > MAX_FILES for disk in there)


def _emptied(folder) -> bool:
    """Remove what a question left; whether that worked."""
    try:
        for entry in os.scandir(folder):
            shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
        return True
    except (OSError, RecursionError):
        return False


def _dumpable(flag) -> None:
    ctypes.CDLL(None).prctl(4, flag, 0, 0, 0)       # PR_SET_DUMPABLE


# ---- one question -------------------------------------------------------------------------------


def child(descriptor: int, settings: dict) -> None:
    """Run one question and send back its observations or how it stopped. Does not return."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    channel = os.dup2(descriptor, 3)
    os.closerange(4, 65536)
    _dumpable(1)
    from course_lib.grading.remote import Peer
    peer = Peer(socket.socket(fileno=channel))
    try:
        kind, nodes, decoder = peer.receive(peer._stand_in)
        job = decoder(nodes[0])
        run(peer, job, settings)
    except BaseException:       # the connection is closed or a message too big: the grader sees the end
        os._exit(3)
    os._exit(0)


def run(peer, job: dict, settings: dict) -> None:
    import numpy
    import torch

    from course_lib.grading import confine
    from course_lib.grading.names import bound, used
    from course_lib.grading.transport import NotData, TooBig, encode

    os.environ["COURSE_STUDENT_SEED"] = str(job["seed"])
    keep = sys.modules["__main__"]
    module = sys.modules["__main__"] = types.ModuleType("__main__")
    module.display = lambda *args, **kwargs: None
    names, errors = vars(module), []
    random.seed(0)
    numpy.random.seed(0)
    torch.manual_seed(0)
    for number, source in enumerate(job["setup"]):
        execute(source, f"<setup {number}>", names)
    # Only references that the answer can reach, under their public names; they win over helpers of that name.
    earlier = job["earlier"]
    names.update(earlier)
    confine.limits(settings)
    if settings["sandboxed"]:
        confine.close_kernel()
    peer.send("ready")
    _close_course_lib(job["imports"])

    where = "answer"
    try:
        wanted, chosen, sources = used(job["answer"]) - set(earlier), set(), []
        while True:
            more = {i for i, source in enumerate(job["helpers"]) if i not in chosen and _gives(source, wanted, bound)}
            if not more:
                break
            chosen |= more
            wanted = wanted.union(*(used(job["helpers"][i]) for i in more)) - set(earlier)
        for i in sorted(chosen):
            try:
                execute(job["helpers"][i], f"<helper {i}>", names)
            except Exception as error:
                errors.append(f"{type(error).__name__}: {error}")
        names.update(earlier)
        execute(job["answer"], "<answer>", names)
        where = "test"
        execute(job["observe"], "<test>", names)
        where = "result"
        observed, opaque = {}, {}
        for name in job["wanted"]:
            if name in names:
                try:
                    encode(names[name], bytearray())
                    observed[name] = names[name]
                except NotData as error:
                    opaque[name] = str(error)
        peer.send("observations", observed, opaque)
    except TooBig as error:
        peer.send("too big", str(error)[:300])
    except BaseException as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<answer>"]
        line = frames[-1].lineno if frames else getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        if errors and isinstance(error, NameError):
            text += f" (a cell of yours that this answer uses stopped: {errors[0][:300]})"
        peer.send("crash", type(error).__name__[:100], str(text)[:1000], line if type(line) is int else None, where)
    del keep


def _gives(source, wanted, bound) -> bool:
    try:
        return bool(bound(source) & wanted) or "import *" in source
    except SyntaxError:
        return False


def execute(source: str, name: str, names: dict) -> None:
    """Run a cell; its lines are known to tracebacks and to inspect."""
    linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name
    exec(compile(source, name, "exec", dont_inherit=True), names)


def _close_course_lib(allowed: list) -> None:
    """An answer imports from course_lib only what the set itself imports: [module, name] or [module, None] for all."""
    allowed = {tuple(pair) for pair in allowed}
    ask, load = builtins.__import__, importlib.import_module

    def refuse(name):
        raise ImportError(f"Write it yourself, without {name}: of course_lib, an answer imports what the notebook's own cells import")

    def guarded(name, globals=None, locals=None, fromlist=(), level=0):
        if name.partition(".")[0] == "course_lib" and not str((globals or {}).get("__name__")).startswith("course_lib"):
            for part in fromlist or (None,):
                if (name, part) not in allowed and (name, None) not in allowed:
                    refuse(name if part is None else f"{name}.{part}")
        return ask(name, globals, locals, fromlist, level)

    def guarded_load(name, package=None):
        if name.partition(".")[0] == "course_lib" and (name, None) not in allowed:
            refuse(name)
        return load(name, package)
    builtins.__import__, importlib.import_module = guarded, guarded_load


if __name__ == "__main__":
    main()
