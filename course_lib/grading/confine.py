"""What a student's process may not ask of the kernel: a seccomp filter, and limits on its resources.

Runs inside the sandbox, in the forked process, before the student's code, which can take neither back
(Linux's seccomp(2) and setrlimit(2)). The filter names what is refused, since torch's own needs are not
known: what would outlive the process or be counted to nobody (System V memory, memory files, keys), what
reaches other processes, and what is there for programs of another kind and has had most of the kernel's
faults (user namespaces, io_uring, bpf, sockets of other families).
"""
import ctypes
import os
import platform
import resource
import struct

# Numbers of the calls on x86-64 and on arm64 (Linux's asm/unistd.h).
REFUSED = {
    # outlive the process, or are nobody's memory
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semctl": (66, 191), "msgget": (68, 186),
    "msgctl": (71, 187), "mq_open": (240, 180), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # other processes
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "tkill": (200, 130),
    # the kernel's large surfaces
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "fsopen": (430, 430), "open_tree": (428, 428),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
}
_PROCESSORS = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_SOCKET, _CLONE, _CLONE3, _KILL, _TGKILL = (41, 198), (56, 220), (435, 435), (62, 129), (234, 131)
_NAMESPACES = 0x7E020080        # the CLONE_NEW... flags
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_LOAD, _EQUAL, _ATLEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _PROCESSOR, _FIRST = 0, 4, 16        # offsets in what the filter sees; the first argument's lower half


def known(machine: str | None = None) -> bool:
    """Is there a filter for this processor?"""
    return (machine or platform.machine()) in _PROCESSORS


def program(pid: int, machine: str | None = None) -> list[tuple[int, int, int, int]]:
    """The filter, for classic BPF: (code, jump if true, jump if false, value). It lets process `pid` signal itself only."""
    column, processor = _PROCESSORS[machine or platform.machine()]
    refuse, absent = (_RETURN, 0, 0, _REFUSE | 1), (_RETURN, 0, 0, _REFUSE | 38)      # EPERM, ENOSYS
    made = [(_LOAD, 0, 0, _PROCESSOR), (_EQUAL, 1, 0, processor), refuse,
            (_LOAD, 0, 0, _NUMBER), (_ATLEAST, 0, 1, 0x40000000), refuse]      # numbers of the x32 interface
    for numbers in REFUSED.values():
        made += [(_EQUAL, 0, 1, numbers[column]), refuse]
    # glibc then takes clone, whose flags can be seen
    made += [(_EQUAL, 0, 1, _CLONE3[column]), absent]
    made += [(_EQUAL, 0, 4, _CLONE[column]), (_LOAD, 0, 0, _FIRST), (_ANY_BIT, 0, 1, _NAMESPACES), refuse, (_RETURN, 0, 0, _ALLOW)]
    made += [(_EQUAL, 0, 4, _SOCKET[column]), (_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, 1), refuse, (_RETURN, 0, 0, _ALLOW)]   # AF_UNIX
    for numbers in (_KILL, _TGKILL):
        made += [(_EQUAL, 0, 4, numbers[column]), (_LOAD, 0, 0, _FIRST), (_EQUAL, 1, 0, pid), refuse, (_RETURN, 0, 0, _ALLOW)]
    return [*made, (_RETURN, 0, 0, _ALLOW)]


def close_kernel() -> None:
    """Filter this process's calls from here on, and those of all it starts. Raises OSError where the kernel will not."""
    code = b"".join(struct.pack("HBBI", *step) for step in program(os.getpid()))
    steps = ctypes.create_string_buffer(code, len(code))
    filter = struct.pack("HP", len(code) // 8, ctypes.addressof(steps))
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_NO_NEW_PRIVS; PR_SET_SECCOMP, SECCOMP_MODE_FILTER
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.c_char_p(filter), 0, 0):
        raise OSError(ctypes.get_errno(), "no seccomp filter")


def limits(settings: dict) -> None:
    """From here on: memory and time beyond what is used now; sizes and numbers of files; processes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = max(1, round(used.ru_utime + used.ru_stime + settings["seconds"]))
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    for name, soft, hard in (("CORE", 0, 0), ("CPU", seconds, seconds + 1), ("AS", *[mapped + settings["memory"]] * 2),
                             ("FSIZE", *[settings["file_bytes"]] * 2), ("NPROC", *[settings["processes"]] * 2),
                             ("NOFILE", 64, 64), ("MSGQUEUE", 0, 0)):
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (soft, hard))
