"""The filter of system calls: read as the kernel reads it, and in a process that has it."""

import ctypes
import os
import platform
import socket
import threading

import pytest

from course_lib.grading import confine

PROCESSORS = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CALLS = {"read": (0, 63), "openat": (257, 56), "mmap": (9, 222), "futex": (202, 98), "execve": (59, 221), "exit_group": (231, 94)}


def verdict(machine, number, argument=0, processor=None, pid=77):
    """What the filter returns for a call: classic BPF, as far as the filter uses it."""
    steps, at, loaded = confine.program(pid, machine), 0, None
    seen = {0: number, 4: PROCESSORS[machine] if processor is None else processor, 16: argument}
    while True:
        code, if_true, if_false, value = steps[at]
        at += 1
        if code == 0x06:
            return value
        if code == 0x20:
            loaded = seen[value]
        else:
            at += if_true if {0x15: loaded == value, 0x35: loaded >= value, 0x45: bool(loaded & value)}[code] else if_false


ALLOWED, NOT_PERMITTED, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026


@pytest.mark.parametrize("machine", PROCESSORS)
def test_the_filter_refuses_what_it_says(machine):
    column = list(PROCESSORS).index(machine)
    for name, numbers in confine.REFUSED.items():
        assert verdict(machine, numbers[column]) == NOT_PERMITTED, name
    for name, numbers in CALLS.items():
        assert verdict(machine, numbers[column]) == ALLOWED, name
    clone, clone3, kill, tgkill, open_socket = ((56, 220), (435, 435), (62, 129), (234, 131), (41, 198))
    assert verdict(machine, clone3[column]) == UNKNOWN
    assert verdict(machine, clone[column], 0x3D0F00) == ALLOWED, "a thread"
    for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, clone[column], flag | 17) == NOT_PERMITTED
    for call in (kill, tgkill):
        assert [verdict(machine, call[column], pid) for pid in (77, 1, 78, 2**32 - 1)] == [ALLOWED, *[NOT_PERMITTED] * 3]
    assert [verdict(machine, open_socket[column], family) for family in (1, 2, 10, 16, 38, 40)] == [ALLOWED, *[NOT_PERMITTED] * 5]
    assert verdict(machine, CALLS["read"][column], processor=0x40000003) == NOT_PERMITTED, "32-bit calls have other numbers"
    assert verdict(machine, 0x40000000) == NOT_PERMITTED


def test_no_sandbox_on_a_processor_whose_calls_are_not_known(monkeypatch):
    from course_lib.grading import sandbox

    assert confine.known("x86_64") and confine.known("aarch64") and not confine.known("riscv64")
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "not of riscv64" in sandbox.probe()


@pytest.mark.skipif(not confine.known(), reason="another processor")
def test_the_kernel_follows():
    """In a forked process: it cannot take the filter back."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            confine.close_kernel()
            os.write(write, ",".join(_seen()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read) as file:
        said = file.read()
    os.waitpid(pid, 0)
    assert said == "thread,fork,pair,self"


def _seen():
    """What is possible."""
    libc, column = ctypes.CDLL(None, use_errno=True), platform.machine() != "x86_64"
    for name, numbers in confine.REFUSED.items():
        if libc.syscall(numbers[column], -1, -1, -1, -1, -1) != -1 or ctypes.get_errno() != 1:
            yield name
    threads = []
    thread = threading.Thread(target=threads.append, args=("thread",))
    thread.start()
    thread.join()
    yield from threads
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    if os.waitpid(pid, 0) == (pid, 0):
        yield "fork"
    attempts = {"network": lambda: socket.socket(socket.AF_INET), "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
                "pair": socket.socketpair, "parent": lambda: os.kill(os.getppid(), 0), "self": lambda: os.kill(os.getpid(), 0)}
    for name, attempt in attempts.items():
        try:
            attempt()
            yield name
        except PermissionError:
            pass
