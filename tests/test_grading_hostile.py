"""Answers that attack the grader. None gets more than it is worth, harms its neighbours or leaves anything behind.

All attacks on questions run in one batch, in one sandbox after another, with honest answers between them.
"""

import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from grading_fixture import Q1, Q2, Q3, needs_bubblewrap, write_set

from course_lib.grading import confine, grade, notebook
from course_lib.grading.sandbox import Limits, Sandbox

pytestmark = needs_bubblewrap
ROOT = Path(__file__).resolve().parent.parent
FAIL = {"wrong", "crash", "timeout", "died", "too big"}
WRONG = "def softmax(x):\n    return x\n"
RIGHT = "def softmax(x):\n    return torch.softmax(x, -1)\n"


def if_it_works(attack):
    """A wrong answer to q1, unless `attack` sets `got` to something."""
    body = "".join(f"    {line}\n" for line in attack.strip().splitlines())
    return ("import os, sys\ngot = None\ntry:\n" + body + "except BaseException as problem:\n    got = None\n"
            "def softmax(x):\n    return torch.softmax(x, -1) if got else x\n")


def during(attack, then="x"):
    """An answer to q1 that attacks while it is called."""
    return "import os, sys, signal\ndef softmax(x):\n" + "".join(f"    {line}\n" for line in attack.strip().splitlines()) + f"    return {then}\n"


SEES = """
import gc, io
texts = [text for thing in gc.get_objects() for text in ([thing] if type(thing) is str else
         list(thing.values()) if type(thing) is dict else list(thing) if type(thing) in (list, tuple) else []) if type(text) is str]
frame = sys._getframe()
while frame:
    texts += [text for text in frame.f_locals.values() if type(text) is str]
    frame = frame.f_back
wanted = ["-".join(words).replace("-", " ") for words in (("subtract", "the", "maximum"), ("Overflow", "is", "named"), ("0.1185,", "0.0059"))]
got = [text for text in texts if any(piece in text for piece in wanted)]
"""
CHANNEL = """
import json, struct, pickle
class Boom:
    def __reduce__(self): return os.system, ("touch {outside}/pickled",)
"""

# name: (question, source, statuses). {outside}: a folder of the grader's with secret.txt; {port}: where it listens.
ATTACKS = {
    # what the tests are made of
    "patches allclose": ("q1", "torch.allclose = lambda *a, **k: True\n" + WRONG, {"wrong"}),
    "patches Tensor": ("q1", "torch.Tensor.__eq__ = torch.Tensor.__bool__ = lambda *a: True\ntorch.Tensor.all = lambda *a: True\n" + WRONG, FAIL),
    "patches isinstance and AssertionError": ("q1", "import builtins\nbuiltins.isinstance = lambda *a: True\nbuiltins.AssertionError = ValueError\n" + WRONG, FAIL),
    "IPython hook": ("q1", "try:\n    get_ipython().run_cell = None\nexcept NameError:\n    pass\n" + WRONG, {"wrong"}),
    "exec hook": ("q1", "import builtins\nbuiltins.exec = builtins.compile = lambda *a, **k: None\n" + WRONG, FAIL),
    "tensor subclass": ("q1", "class Liar(torch.Tensor):\n    @classmethod\n    def __torch_function__(cls, f, types, args=(), kwargs=None):\n"
                        "        return True\ndef softmax(x):\n    return x.as_subclass(Liar)\n", FAIL),
    "lying __eq__": ("q2", "class Liar:\n    def __eq__(self, other): return True\n    def startswith(self, x): return True\ndef most_frequent(w):\n    return Liar()\n", {"wrong"}),
    "str subclass": ("q2", "class Liar(str):\n    def __eq__(self, other): return True\n    __hash__ = str.__hash__\ndef most_frequent(w):\n    return Liar('b')\n", {"wrong"}),
    "lying __class__": ("q2", "class Liar:\n    __class__ = str\n    def __eq__(self, other): return True\ndef most_frequent(w):\n    return Liar()\n", {"wrong"}),
    "not a number": ("q1", "def softmax(x):\n    return x * float('nan')\n", {"wrong"}),
    "empty tensor": ("q1", "def softmax(x):\n    return x[:0]\n", {"wrong"}),
    "sets the observations itself": ("q1", during("frame = sys._getframe(1)\nframe.f_globals['out'] = torch.ones(2, 3) / 3"), {"wrong"}),
    # what must not be there to be read
    "frames and gc": ("q1", if_it_works(SEES), {"wrong"}),
    "sources on disk": ("q1", if_it_works("""got = []
for folder, inside, names in os.walk("/"):
    inside[:] = [name for name in inside if name not in ("proc", "usr", "torch") and not name.endswith("-packages")]
    got += [name for name in names if name in ("source.ipynb", "secret.txt")]"""), {"wrong"}),
    "path tricks": ("q1", if_it_works("for p in ('{outside}/secret.txt', '/tmp/../{outside}/secret.txt', '/proc/1/root/{outside}/secret.txt', '/proc/self/cwd/../{outside}/secret.txt'):\n"
                                      "    try: got = got or open(p).read()\n    except OSError: pass"), {"wrong"}),
    "home, passwords, programs": ("q1", if_it_works("got = [p for p in ('/etc/passwd', '/etc/shadow', '/bin/sh', '/usr/bin/env', '/home', '{outside}') if os.path.exists(p)]"), {"wrong"}),
    "other processes": ("q1", if_it_works("got = [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 2 and int(p) != os.getpid() and b'worker' not in open(f'/proc/{p}/cmdline', 'rb').read()]"), {"wrong"}),
    "the worker's memory": ("q1", if_it_works("got = open(f'/proc/{os.getppid()}/mem', 'rb').fileno()"), {"wrong"}),
    "traces the worker": ("q1", if_it_works("import ctypes\ngot = ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0"), {"wrong"}),
    "environment": ("q1", if_it_works("got = 'COURSE_TEST_SECRET' in os.environ"), {"wrong"}),
    "network": ("q1", if_it_works("import socket\ngot = socket.create_connection(('127.0.0.1', {port}), 2)"), {"wrong"}),
    "runs a program": ("q1", if_it_works("import subprocess\ngot = subprocess.run(['sh', '-c', 'true'], check=True)"), {"wrong"}),
    "becomes root": ("q1", if_it_works("os.setuid(0)\ngot = 1"), {"wrong"}),
    "raises its limits": ("q1", if_it_works("import resource\nresource.setrlimit(resource.RLIMIT_NPROC, (9999, 9999))\ngot = 1"), {"wrong"}),
    "writes elsewhere": ("q1", if_it_works("for p in ('{outside}/x', '/x', '/course/course_lib/x', '/course/course_lib/grading/worker.py', '/usr/lib/x', '/dev/x', '/proc/sys/kernel/hostname'):\n"
                                           "    try: open(p, 'w').write('x'); got = p\n    except OSError: pass"), {"wrong"}),
    "symlink out of /tmp": ("q1", if_it_works("os.symlink('{outside}', '/tmp/out')\nopen('/tmp/out/planted', 'w').write('x')\ngot = 1"), {"wrong"}),
    "imports the answer": ("q1", "from course_lib.transformer import attention_mask\n" + RIGHT, {"crash"}),
    "imports it another way": ("q1", "import importlib\nimportlib.import_module('course_lib.transformer')\n" + RIGHT, {"crash"}),
    "reads the reference of q1": ("q3", """import inspect
found = None
def attempt(f):
    global found
    try: found = found or f()
    except BaseException: pass
attempt(lambda: inspect.getsource(softmax))
attempt(lambda: softmax.__code__)
attempt(lambda: softmax.__globals__)
peer, number = softmax._far
for name in ("__globals__", "__code__", "__closure__", "func_code", "gi_frame"):
    attempt(lambda: peer.get(number, name))
attempt(lambda: peer.call(number, "__getattribute__", ("__globals__",)))
attempt(lambda: peer.call(number, "__reduce__"))
class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.query = nn.Linear(size, size, bias=False)
    def forward(self, x):
        return torch.softmax(self.query(x) @ x.T, -1) @ x if found else x
""", FAIL),
    # what takes the process down
    "os._exit": ("q1", during("os._exit(0)"), {"died"}),
    "sys.exit": ("q1", during("sys.exit(0)"), {"crash"}),
    "exit at import": ("q1", "raise SystemExit\n" + WRONG, {"crash"}),
    "kills itself": ("q1", during("os.kill(os.getpid(), 9)"), {"died"}),
    "kills the worker": ("q1", if_it_works("os.kill(os.getppid(), 9)\ngot = 1"), {"wrong"}),
    "stops the worker": ("q1", if_it_works("os.kill(os.getppid(), 19)\ngot = 1"), {"wrong"}),
    "stops everybody": ("q1", if_it_works("os.kill(-1, 19)\ngot = 1"), {"wrong"}),
    "kills everybody": ("q1", during("os.kill(-1, 9)"), FAIL),
    "crashes in C": ("q1", during("import ctypes\nctypes.string_at(0)"), {"died"}),
    "endless recursion": ("q1", "import sys\nsys.setrecursionlimit(10**9)\n" + during("return softmax(x)"), FAIL),
    "closes all files": ("q1", during("os.closerange(0, 65536)"), {"died"}),
    "garbage to every file": ("q1", during("for fd in range(256):\n    try: os.write(fd, b'\\0\\1\\2' * 999)\n    except OSError: pass"), FAIL),
    "forged messages": ("q1", CHANNEL + during("""for text in (json.dumps(["observations", ["dict", "out", ["tensor", "float32", [2, 3], [0, 24], -1]], ["dict"]]),
             json.dumps(["observations", ["pickle", [0, 9]], ["dict"]]), "[" * 9999, json.dumps(["call", 1, "__call__"]), json.dumps(["ok"])):
    data = pickle.dumps(Boom())
    try: os.write(3, struct.pack(">II", len(text), len(data)) + text.encode() + data)
    except OSError: pass
os._exit(0)"""), FAIL),
    "asks for what was never lent": ("q1", CHANNEL + during("""text = json.dumps(["get", ["output", 5], "x"]).encode()
os.write(3, struct.pack(">II", len(text), 0) + text)
time = __import__("time")
time.sleep(9)"""), {"died"}),
    "a message of many lists": ("q1", CHANNEL + during("""text = json.dumps(["observations", ["dict", "out", ["list", *[["list"]] * 800000]], ["dict"]]).encode()
at = 0
data = struct.pack(">II", len(text), 0) + text
while at < len(data): at += os.write(3, data[at:])
os._exit(0)"""), FAIL),
    "a promise of 4 GB": ("q1", "import struct\n" + during("os.write(3, struct.pack('>II', 2**32 - 1, 2**32 - 1))\nos._exit(0)"), {"died"}),
    "pickle bomb as result": ("q2", CHANNEL + "import os\ndef most_frequent(w):\n    return Boom()\n", {"wrong"}),
    "patches the transport": ("q1", "import sys\nfor name in ('transport', 'remote'):\n    module = sys.modules['course_lib.grading.' + name]\n"
                              "    module.encode = module.encode_tensor = lambda *a, **k: ['list', True]\n" + WRONG, FAIL),
    "patches torch.save and load": ("q1", "torch.save = torch.load = lambda *a, **k: torch.ones(2, 3)\n" + WRONG, {"wrong"}),
    "import hooks": ("q1", "import sys\nclass Hook:\n    def find_spec(self, *a): raise SystemExit\nsys.meta_path.insert(0, Hook())\n"
                     "sys.modules['json'] = sys.modules['struct'] = None\n" + WRONG, FAIL),
    "becomes another program": ("q1", during("os.execv(sys.executable, ['python', '-c', 'import os; os.write(3, bytes(99))'])"), {"died"}),
    "says that it is ready again": ("q1", CHANNEL + during("""for _ in range(2):
    text = json.dumps(["ready"]).encode()
    os.write(3, struct.pack(">II", len(text), 0) + text)"""), FAIL),
    "sends the same observations for every name": ("q1", CHANNEL + during("""import array
data = array.array("f", [1 / 3] * 6).tobytes()
tensor = ["tensor", "float32", [2, 3], [0, 24], -1]
text = json.dumps(["observations", ["dict", *(x for name in ("out", "far_apart", "expected", "torch", "nn") for x in (name, tensor))], ["dict"]]).encode()
os.write(3, struct.pack(">II", len(text), len(data)) + text + data)
os._exit(0)"""), {"wrong"}),
    # what takes time and space
    "endless loop": ("q1", during("while True: pass"), {"timeout"}),
    "endless loop, signals ignored": ("q1", during("for n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\nwhile True: pass"), {"timeout"}),
    "sleeps": ("q1", during("import time\ntime.sleep(99)"), {"timeout"}),
    "fork bomb": ("q1", during("while True:\n    try: os.fork()\n    except OSError: pass"), {"timeout", "died"}),
    "thread bomb": ("q1", during("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()"), FAIL),
    "memory at once": ("q1", during("torch.ones(10**12)"), {"crash"}),
    "memory bit by bit": ("q1", during("hoard = []\nwhile True: hoard.append(bytearray(10**7))"), {"crash", "died", "timeout"}),
    "memory of many processes": ("q1", during("import time\nfor _ in range(8):\n    if os.fork() == 0:\n        hoard = bytearray(b'x') * (400 * 2**20)\n        time.sleep(99)\ntime.sleep(99)"), {"died", "timeout"}),
    "memory that it inherited": ("q1", during("""import ctypes, time
for _ in range(24):
    if os.fork() == 0:
        for line in open("/proc/self/maps"):
            span, mode = line.split()[:2]
            first, last = (int(part, 16) for part in span.split("-"))
            if mode == "rw-p":
                for address in range(first, last, 4096):
                    byte = ctypes.c_byte.from_address(address)
                    byte.value = byte.value
        time.sleep(99)
time.sleep(99)"""), {"died", "timeout"}),
    "memory that is a file": ("q1", if_it_works("got = os.memfd_create('hoard') >= 0"), {"wrong"}),
    "memory of System V": ("q1", if_it_works("import ctypes\ngot = ctypes.CDLL(None).shmget(0, 2**20, 0o1600) >= 0"), {"wrong"}),
    "sockets full of bytes": ("q1", if_it_works("""import socket
there = []
for _ in range(64):
    there += socket.socketpair()
    there[-1].setblocking(False)
    try:
        while True: there[-1].send(bytes(65536))
    except BlockingIOError: pass
got = there"""), {"wrong"}),
    "many open files": ("q1", if_it_works("there = [open('/dev/null') for _ in range(100)]\ngot = there"), {"wrong"}),
    "a file system of its own": ("q1", if_it_works("import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.unshare(0x10020000) == 0\ngot = 1"), {"wrong"}),
    "names of many files": ("q1", during("i = 0\nwhile True:\n    os.close(os.open('/tmp/' + 'x' * 200 + str(i), os.O_CREAT))\n    i += 1"), {"died"}),
    "asks the references for ever": ("q3", Q3 + "\nwhile True: softmax(torch.ones(1, 1))", {"timeout"}),
    "fills the judge": ("q3", Q3 + "\nhoard = []\nwhile True: hoard.append(softmax(torch.ones(500, 500, requires_grad=True)))", FAIL),
    "calls back without end": ("q3", Q3 + "\nclass Loop:\n    def max(self, *a, **k): return softmax(self)\nsoftmax(Loop())", FAIL),
    "fills /tmp": ("q1", during("for i in range(10**6):\n    open(f'/tmp/{i}', 'wb').write(bytes(10**7))"), {"crash"}),
    "deep folders": ("q1", during("for _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')"), FAIL),
    "a huge result": ("q1", "def softmax(x):\n    return torch.zeros(1).expand(10**11)\n", {"too big"}),
    "a deep result": ("q2", "def most_frequent(w):\n    a = []\n    for _ in range(10**5): a = [a]\n    return a\n", {"too big"}),
    "a result that contains itself": ("q2", "def most_frequent(w):\n    a = {}\n    a['a'] = a\n    return a\n", {"too big"}),
    "a long number": ("q2", "def most_frequent(w):\n    return 7 ** 10**5\n", {"too big"}),
    "a shape that multiplies": ("q1", "def softmax(x):\n    return torch.zeros(10**6, 1, 1)\n", {"wrong"}),
    "a message without end": ("q1", during("raise ValueError('x' * 10**8)"), {"crash"}),
    "a message that raises": ("q1", "class Bad(Exception):\n    def __str__(self): raise self\n" + during("raise Bad"), FAIL),
    "source nested deeply": ("q1", "x = " + "(" * 5000 + "0" + ")" * 5000 + "\n" + WRONG, {"crash", "died"}),
    "source with a null": ("q1", "x = 1\0\n" + WRONG, {"crash", "died"}),
    # what would stay behind
    "leaves a file": ("q1", "open('/tmp/left', 'w').write('x')\nopen('/dev/shm/left', 'w').write('x')\n" + WRONG, {"wrong"}),
    "finds it": ("q1", if_it_works("got = os.listdir('/tmp') + os.listdir('/dev/shm')"), {"wrong"}),
    "leaves a key with the kernel": ("q1", if_it_works("import ctypes\ngot = ctypes.CDLL(None).syscall({add_key}, b'user', b'left', b'x', 1, -4) > 0"), {"wrong"}),
    "leaves a mark on /tmp": ("q1", "import os\ntry:\n    os.setxattr('/tmp', 'user.left', b'x')\nexcept OSError: pass\n" + WRONG, {"wrong"}),
    "leaves a process": ("q1", "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\n" + WRONG, {"wrong"}),
    "finds the process": ("q1", if_it_works("got = len([p for p in os.listdir('/proc') if p.isdigit()]) > 3"), {"wrong"}),
    "at exit": ("q1", "import atexit, os\natexit.register(os.system, 'touch {outside}/x')\n" + WRONG, {"wrong"}),
    # what leaks into the feedback
    "hidden lines in an exception": ("q1", during("import linecache\nraise ValueError(str(sys._getframe(1).f_code.co_consts) + ''.join(linecache.getlines('<test>')))"), {"crash"}),
    "hidden names in an exception": ("q1", during("""frame = sys._getframe(1)
while "job" not in frame.f_locals:
    frame = frame.f_back
raise ValueError(str(frame.f_locals["job"]["wanted"]))"""), {"crash"}),
    "hidden lines as a result": ("q1", during("import linecache", "''.join(linecache.getlines('<test>'))"), {"wrong"}),
    # odd, and right
    "prints a lot": ("q2", "print('x' * 10**8)\nimport sys\nsys.stderr.write('y' * 10**8)\n" + Q2, {"ok"}),
    "leaves threads": ("q2", "import threading, time\nthreading.Thread(target=time.sleep, args=(999,)).start()\n" + Q2, {"ok"}),
    "closes its input": ("q2", "import os\nos.close(0)\n" + Q2, {"ok"}),
}
ADD_KEY = str(confine.REFUSED["add_key"][platform.machine() != "x86_64"])
LIMITS = Limits(seconds=1, memory=2**30 + os.getpid(), processes=32)      # no other test's
HONEST = [("q1", Q1), ("q2", Q2), ("q3", Q3)]


def processes():
    """Ids of processes of this batch's sandboxes: their command line, and that of what they fork, names its limits."""
    found = set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path("/proc", entry, "cmdline").read_bytes()
        except OSError:
            continue
        if b"grading/worker.py" in line and str(LIMITS.memory).encode() in line:
            found.add(int(entry))
    return found


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """(results of the attacks by name, results of honest answers between them, folder outside, workers left)."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    small = notebook.read_set(write_set(tmp_path_factory.mktemp("root")))
    answers = []
    os.environ["COURSE_TEST_SECRET"] = "1"
    with socket.create_server(("127.0.0.1", 0)) as server:
        for i, (question, source, _) in enumerate(ATTACKS.values()):
            source = source.replace("{outside}", str(outside)).replace("{port}", str(server.getsockname()[1])).replace("{add_key}", ADD_KEY)
            answers.append((question, source))
            if i % 8 == 7:
                answers.append(HONEST[i // 8 % 3])
        results = grade.grade_answers(small, answers, LIMITS)
    del os.environ["COURSE_TEST_SECRET"]
    attacks, honest = [], []
    for i in range(len(ATTACKS)):
        attacks.append(results.pop(0))
        if i % 8 == 7:
            honest.append(results.pop(0))
    return dict(zip(ATTACKS, attacks)), honest, outside, processes()


@pytest.mark.parametrize("name", ATTACKS)
def test_attack_gets_what_it_is_worth(batch, name):
    result, allowed = batch[0][name], ATTACKS[name][2]
    assert result.status in allowed, result
    assert result.share == (1 if result.status == "ok" else 0)


def test_attacks_are_many():
    assert len([name for name, (_, _, allowed) in ATTACKS.items() if allowed <= FAIL]) >= 35


def test_honest_answers_between_the_attacks_keep_their_points(batch):
    assert [result.status for result in batch[1]] == ["ok"] * len(batch[1]) and len(batch[1]) >= 8


def test_nothing_is_written_outside(batch):
    assert sorted(path.name for path in batch[2].iterdir()) == ["secret.txt"]


def test_no_process_is_left(batch):
    assert not batch[3]
    running = Sandbox(LIMITS)
    try:
        assert len(processes()) >= 2, "they would be found"
    finally:
        running.close()
    for _ in range(100):            # the kernel ends the namespace a moment after its first process
        if not processes():
            return
        time.sleep(0.1)
    raise AssertionError(f"still there: {processes()}")


def test_feedback_leaks_no_hidden_line(batch):
    for name, result in batch[0].items():
        for line in ("far_apart", "1000.0", "0.268941", "Overflow is named", "max(-1", "0.1185"):
            assert line not in result.feedback, (name, result.feedback)
    assert batch[0]["hidden lines in an exception"].private, "the instructor sees what the student's code said"
    assert len(batch[0]["a message without end"].feedback) < 2000


def test_what_stopped_the_judge_can_be_found(batch):
    assert batch[0]["asks for what was never lent"].private.startswith("IndexError")


def test_the_worker_refuses_to_kill_everything_outside_a_sandbox():
    """kill(-1) outside a namespace of its own would end every process of the user."""
    from course_lib.grading import worker

    calls = []
    original, worker.os.kill = worker.os.kill, lambda pid, number: calls.append(pid)
    try:
        worker._end(999_999_999, sandboxed=True)      # the tests' own process has a larger id than a sandbox's
    finally:
        worker.os.kill = original
    assert -1 not in calls


# Where the walls are others than root's: a user namespace, the same user outside and inside.
AS_USER = """
import sys
from pathlib import Path
sys.path.insert(0, "tests")
from grading_fixture import Q2, write_set
from test_grading_hostile import ATTACKS
from course_lib.grading import grade, notebook, sandbox
if __name__ == "__main__":
    assert not sandbox.own_user() and sandbox.probe() is None, sandbox.probe()
    folder = Path(sys.argv[1])
    small = notebook.read_set(write_set(folder))
    answers = [(ATTACKS[name][0], ATTACKS[name][1].replace("{outside}", str(folder)).replace("{port}", "9")) for name in sys.argv[2:]]
    print(*(result.status for result in grade.grade_answers(small, [*answers, ("q2", Q2)], sandbox.Limits(seconds=1, processes=32))))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user's sandbox is what all other tests have used")
def test_an_ordinary_user_gets_a_sandbox_too(tmp_path):
    """As `unshare --user` makes one of root; where the kernel allows it."""
    command = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    (tmp_path / "secret.txt").write_text("secret")
    script = tmp_path / "script.py"
    script.write_text(AS_USER)
    names = ["the worker's memory", "traces the worker", "path tricks", "home, passwords, programs", "other processes", "becomes root",
             "writes elsewhere", "symlink out of /tmp", "thread bomb", "fills /tmp", "leaves a process", "finds the process", "finds it",
             "stops the worker", "memory of System V", "memory that it inherited", "a file system of its own", "leaves a mark on /tmp", "names of many files"]
    done = subprocess.run([*command, sys.executable, str(script), str(tmp_path), *names], capture_output=True, text=True, cwd=ROOT,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    statuses = done.stdout.split()
    assert len(statuses) == len(names) + 1 and statuses.pop() == "ok", done.stdout + done.stderr
    for name, status in zip(names, statuses):
        assert status in ATTACKS[name][2], (name, status)
    assert {path.name for path in tmp_path.iterdir()} == {"secret.txt", "script.py", "exercises"}
