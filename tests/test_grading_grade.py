"""The grader: good, broken and deceitful notebooks by the command line, the gradebook, what crosses the sandbox's wall."""

import argparse
import csv
import dataclasses
import datetime
import json
import math
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from grading_fixture import CELLS, EXERCISES, Q1, Q2, Q3, SETUP, handed_in, needs_bubblewrap, notebook, write_set
from torch import nn

from course_lib.grading import feedback, grade, gradebook, judge, transport
from course_lib.grading.gradebook import Policy, Result
from course_lib.grading.leaks import leaks
from course_lib.grading.notebook import NotebookError, read_set
from course_lib.grading.referee import Referee
from course_lib.grading.remote import Peer
from course_lib.grading.submissions import find_submissions

ROOT = Path(__file__).resolve().parent.parent
WRONG1 = "# exercise: q1\ndef softmax(x):\n    return x"
LOOP3 = "# exercise: q3\nclass Attention(nn.Module):\n    def __init__(self, size):\n        while True:\n            pass"


def command(root, *arguments, start=subprocess.run, **options):
    return start([sys.executable, "-m", "course_lib.grading", "grade", "05", *map(str, arguments)], cwd=root, text=True,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, **options)


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return {row["Student"]: row for row in csv.DictReader(file)}


# ---- one batch: the table of the exercises' note, row by row --------------------------------------

READS = """# exercise: q1
import glob, re
text = "".join(open(path).read() for pattern in ("*.ipynb", "**/source.ipynb", "../exercises/*/*.ipynb", "/course/**/*.ipynb", "/home/*/*.ipynb")
               for path in glob.glob(pattern, recursive=True))
def softmax(x):
    return torch.softmax(x, -1) if "powers" in text else x"""
HELPED = "# exercise: q1\ndef softmax(x):\n    return over_last(my_exp(x - maximum(x)))"
HELPERS = ["import math\ndef maximum(x):\n    return x.max(-1, keepdim=True).values", "while True: pass   # an experiment that nothing uses",
           "from torch import exp as my_exp", "def over_last(p):\n    return p / p.sum(-1, keepdim=True)\n1 / 0"]

# student: (notebook, points of 7, statuses of q1, q2, q3)
BATCH = {
    "perfect": (handed_in(), 7, "ok ok ok"),
    "blank": (None, 0, "not attempted|not attempted|not attempted"),
    "partial": (handed_in(q2="# exercise: q2\ndef most_frequent(words):\n    return words[0]", q3="# exercise: q3\nclass Attention: ..."), 2, "ok wrong crash"),
    "infinite_loop": (handed_in(q3=LOOP3), 4, "ok ok timeout"),
    "patches_allclose": (handed_in(q1=WRONG1 + "\ntorch.allclose = lambda *a, **k: True", q3=None), 2, "wrong ok missing"),
    "ipython_hook": (handed_in(q1="# exercise: q1\nip = get_ipython()\nip.input_transformers_cleanup.append(lambda lines: [])", q3=None), 2, "crash ok missing"),
    "reads_disk": (handed_in(q1=READS, q3=None), 2, "wrong ok missing"),
    "exits": (handed_in(q1="# exercise: q1\nimport os\nos._exit(0)", q3=None), 2, "died ok missing"),
    "deleted_checks": (handed_in(q1=WRONG1, q3=None), 2, "wrong ok missing"),
    "stripped_metadata": (json.dumps({"cells": [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in (Q3, Q2, Q1)]}), 7, "ok ok ok"),
    "duplicated_cell": (notebook([("code", WRONG1), ("code", SETUP), ("code", Q1), ("code", Q1), ("code", Q2), ("code", Q3)]), 7, "ok ok ok"),
    "invalid_json": ('{"cells": [', 0, "unreadable unreadable unreadable"),
    "empty_file": ("", 0, "unreadable unreadable unreadable"),
    # more than the table
    "helpers": (handed_in(q1=HELPED, q2=None, q3=None, helpers=HELPERS), 2, "ok missing missing"),
    "overflows": (handed_in(q1="# exercise: q1\ndef softmax(x):\n    return x.exp() / x.exp().sum(-1, keepdim=True)", q2=None, q3=None), 0, "wrong missing missing"),
    "latin1": (b'{"cells": [{"cell_type": "code", "source": "# caf\xe9"}]}', 0, "unreadable unreadable unreadable"),
    "utf16": (handed_in().encode("utf-16"), 7, "ok ok ok"),
    "with_bom": (b"\xef\xbb\xbf" + handed_in(q1=None, q3=None).encode(), 2, "missing ok missing"),
    "deep": ('{"cells": ' + "[" * 200_000 + "]" * 200_000 + "}", 0, "unreadable unreadable unreadable"),
    "enormous": (b" " * (21 * 2**20), 0, "unreadable unreadable unreadable"),
    "spaces_without_end": (notebook([("code", "# exercise" + " " * 400_000 + "x")]), 0, "missing missing missing"),
    "a_book_of_code": (notebook([("code", "%time\nx = [" + "a," * 10**6 + "]")]), 0, "unreadable unreadable unreadable"),
    "odd_cell_types": (json.dumps({"cells": [{"cell_type": json.loads("[" * 500 + "]" * 500), "source": "x"}]}), 0, "missing missing missing"),
    "many_cells": (notebook([("code", "1")] * 3000), 0, "unreadable unreadable unreadable"),
    "no_cells": ('{"cells": {"0": 1}}', 0, "unreadable unreadable unreadable"),
    "half_a_pair": (handed_in(q1=None, q2=None, q3=None).replace("import torch", "'\\ud800'; import torch"), 0, "missing missing missing"),
    "=cmd|'C calc'!A0": (handed_in(q1=None, q2=None, q3=None), 0, "missing missing missing"),
    "<script>alert(1)": (handed_in(q1="# exercise: q1\nraise ValueError('<script>alert(1)</script>')", q2=None, q3=None), 0, "crash missing missing"),
}



@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    write_set(folder)
    return folder


@pytest.fixture(scope="module")
def small(root):
    return read_set(root / "exercises/05_small/source.ipynb")


@pytest.fixture(scope="module")
def batch(root, small):
    """The folder after all of BATCH was graded once: handed_in/, grades.csv, grades.sqlite, pages/."""
    folder = root / "handed_in"
    folder.mkdir()
    blank = handed_in(*(small.questions[id].stub for id in EXERCISES), q4="<!-- answer: q4 -->\n")
    for student, (text, _, _) in BATCH.items():
        text = blank if text is None else text
        (folder / f"{student}.ipynb").write_bytes(text if isinstance(text, bytes) else text.encode())
    secret = root / "secret.ipynb"
    secret.write_text(handed_in())
    (folder / "link.ipynb").symlink_to(secret)
    (folder / "linked_folder").symlink_to(root, target_is_directory=True)
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "a_folder").mkdir()
    (folder / "a_folder" / "My copy.ipynb").write_text(handed_in(q1=None, q3=None))
    (folder / "a_folder" / "notes.txt").write_text("not this")
    (folder / "empty_folder").mkdir()
    (folder / "two_notebooks").mkdir()
    for name in "ab":
        (folder / "two_notebooks" / f"{name}.ipynb").write_text(handed_in())
    (folder / "bad\udcff name.ipynb").write_text("")
    os.mkdir(os.fsencode(folder) + b"/bad\xff folder")
    (folder / "twice").mkdir()
    (folder / "twice" / "05_small.ipynb").write_text(handed_in())
    (folder / "twice.ipynb").write_text(handed_in())
    done = command(root, folder, "--time-limit", "1", "--jobs", "2", "--feedback", "pages", timeout=1500)
    assert done.returncode == 0, done.stderr
    return root


@needs_bubblewrap
@pytest.mark.parametrize("student", BATCH)
def test_points_and_statuses(batch, student):
    _, points, statuses = BATCH[student]
    row = rows(batch / "grades.csv")[("'" if student.startswith("=") else "") + student]
    assert [row[f"{id} status"] for id in EXERCISES] == (statuses.split("|") if "|" in statuses else statuses.split())
    assert float(row["Score"]) == points and row["Points possible"] == "10"


@needs_bubblewrap
def test_odd_files_and_folders(batch):
    table = rows(batch / "grades.csv")
    assert table["a_folder"]["Score"] == "2" and table["empty_folder"]["q1 status"] == "missing"
    assert table["bad\ufffd folder"]["q1 status"] == "missing"
    for student in ("link", "pipe", "two_notebooks", "twice", "bad\ufffd name"):
        assert table[student]["q1 status"] == "unreadable" and float(table[student]["Score"]) == 0, student
    assert "linked_folder" not in table


@needs_bubblewrap
def test_open_questions_wait_for_their_points(batch):
    table = rows(batch / "grades.csv")
    assert table["perfect"]["q4 status"] == "by hand" and table["perfect"]["Still to grade"] == "q4" and table["perfect"]["q4"] == ""
    assert table["blank"]["q4 status"] == "missing"


@needs_bubblewrap
def test_pages_leak_nothing_and_run_nothing(batch, small):
    pages = {path.name: path.read_text(encoding="utf-8") for path in (batch / "pages").iterdir()}
    assert len(pages) == len(rows(batch / "grades.csv"))
    for name, text in pages.items():
        assert leaks(text, small) == [], name
        assert "<script>" not in text and "0.268941" not in text, name
    assert "7 of 10 points" in pages["perfect.html"]
    assert "A hidden test failed: large numbers overflow: subtract the maximum" in pages["overflows.html"]
    assert "(line 2 of your cell)" in pages[feedback.file_name("<script>alert(1)")]


@needs_bubblewrap
def test_canvas_gets_its_columns(batch):
    with open(batch / "grades_canvas.csv", encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "05_small"]
    assert table[1][0].strip() == "Points Possible" and table[1][-1] == "10"
    assert ["perfect", "", "", "perfect", "", "7"] in table
    # the rules of Canvas's lib/gradebook_importer.rb, revision 00b222d: header, student columns, assignments, points
    header, points, *students = table
    assert "Student" in header[0] and "ID" in header[1] and re.search(r"SIS\s+User\s+ID", header[2])
    assert re.search(r"SIS\s+Login\s+ID", header[3]) and "Section" in header[4]
    assert not re.search("(Current|Final) (Score|Points|Grade)|Override (Score|Grade|Status)", header[5])
    assert "Points Possible" in points[0] and {len(row) for row in table} == {6} and "" not in {row[5] for row in students}


@needs_bubblewrap
def test_moodle_gets_a_column_of_users_and_one_of_numbers(batch):
    """Its import maps columns by their heads, a row each user, and refuses what is no number (gradeimport_csv, load_data.php)."""
    with open(batch / "grades.csv", encoding="utf-8", newline="") as file:
        header, *students = list(csv.reader(file))
    assert header[:2] == ["Student", "Score"] and len(set(header)) == len(header)
    assert len({row[0] for row in students}) == len(students) and all(math.isfinite(float(row[1])) for row in students)


@needs_bubblewrap
def test_the_same_command_grades_nothing_again_and_merges_points_by_hand(batch):
    before = (batch / "grades.sqlite").read_bytes()
    (batch / "points.csv").write_text("student,question,points,comment\nperfect,q4,2.5,say it\nblank,q1,1,a kind heart\n")
    (batch / "policy.yaml").write_text("visible_share: 0.5\n")
    done = command(batch, batch / "handed_in", "--time-limit", "1", "--feedback", "pages_by_hand", "--manual", "points.csv",
                   "--late", "policy.yaml", "--csv", "again.csv", timeout=300)
    assert done.returncode == 0, done.stderr
    table = rows(batch / "again.csv")
    assert (table["perfect"]["Score"], table["perfect"]["q4 status"], table["perfect"]["Still to grade"]) == ("9.5", "graded", "")
    assert table["blank"]["Score"] == "1" and "say it" in (batch / "pages_by_hand/perfect.html").read_text()
    assert table["overflows"]["q1"] == "1", "half for passing all tests that students have"
    assert (batch / "grades.sqlite").read_bytes() == before


@needs_bubblewrap
def test_interrupted_and_started_again_it_continues(root):
    folder = root / "later"
    folder.mkdir()
    for i in range(3):
        (folder / f"student{i}.ipynb").write_text(handed_in(q1=None, q3=None))
    process = command(root, folder, "--db", "later.sqlite", "--csv", "later.csv", "--jobs", "1", start=subprocess.Popen, start_new_session=True)

    def graded():
        if not (root / "later.sqlite").exists():
            return []
        with sqlite3.connect(root / "later.sqlite") as database:
            try:
                return database.execute("select student, graded from submission").fetchall()
            except sqlite3.OperationalError:
                return []
    while not graded() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    first = graded()
    assert process.returncode == 130 and "continues" in said and "Traceback" not in said, said
    assert 1 <= len(first) < 3 and not (root / "later.csv").exists()
    done = command(root, folder, "--db", "later.sqlite", "--csv", "later.csv", "--jobs", "1", timeout=300)
    assert done.returncode == 0 and set(first) <= set(graded()) and len(graded()) == 3
    assert {row["Score"] for row in rows(root / "later.csv").values()} == {"2"}


def test_without_bubblewrap_it_refuses_and_says_what_to_do(root):
    folder = root / "refused"
    folder.mkdir()
    (folder / "a.ipynb").write_text(handed_in(q1=None, q3=None))
    path = {**os.environ, "PATH": str(root), "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-m", "course_lib.grading", "grade", "05", "refused", "--db", "refused.sqlite", "--csv", "refused.csv"]
    done = subprocess.run(line, cwd=root, env=path, capture_output=True, text=True)
    assert done.returncode == 2 and "apt install bubblewrap" in done.stderr and not (root / "refused.csv").exists()
    done = subprocess.run([*line, "--unsandboxed"], cwd=root, env=path, capture_output=True, text=True)
    assert done.returncode == 0 and "with your rights" in done.stderr, done.stderr
    assert rows(root / "refused.csv")["a"]["Score"] == "2"


# ---- what the reference answers lend --------------------------------------------------------------

LENDER = '''
def attention(q, k, v):
    scores = q @ k.T
    return scores.softmax(-1) @ v, scores
class Layer(nn.Module):
    def __init__(self, size, p=0.5):
        super().__init__()
        self.size, self.inner = size, nn.Linear(size, size)
        self.rest = nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(size))
        self.tied = self.inner
    def forward(self, x):
        return self.rest(self.tied(x))
    def project(self, x):
        return self.inner(x)
class Words:
    def __init__(self, words): self.words = list(words)
    def __len__(self): return len(self.words)
    def __getitem__(self, i): return self.words[i]
    @classmethod
    def of(cls, text): return cls(text.split())
def count(n):
    for i in range(n):
        yield torch.full((2,), i)
def twice(f, x):
    return f(f(x))
def refuse():
    raise ValueError("no")
'''


@pytest.fixture(scope="module")
def lent():
    """(stand-ins, the originals, the peer that the stand-ins use); the originals' side runs in a thread."""
    module = sys.modules["lender"] = types.ModuleType("lender")
    exec("import torch\nfrom torch import nn\n" + LENDER, vars(module))
    ours, theirs = socket.socketpair()
    names = ("attention", "Layer", "Words", "count", "twice", "refuse")
    there, here = Peer(theirs, "lender"), Peer(ours)

    def serve():
        try:
            there.send("names", {name: getattr(module, name) for name in names}, other=there._lend)
            while True:
                there.serve(*there.receive(there._stand_in))
        except (EOFError, OSError):
            pass
    thread = threading.Thread(target=serve)
    thread.start()
    _, nodes, decoder = here.receive(here._stand_in)
    yield types.SimpleNamespace(**decoder(nodes[0])), module, here
    ours.shutdown(socket.SHUT_RDWR)
    thread.join()
    del sys.modules["lender"]


def test_gradients_flow_through_a_lent_function(lent):
    q, k, v = (torch.randn(n, 4, requires_grad=True) for n in (3, 5, 5))
    gradients = []
    for attention in (lent[0].attention, lent[1].attention):
        mixed, scores = attention(q, k, v)
        gradients.append((mixed, *torch.autograd.grad(mixed.sum() + scores.pow(2).sum(), (q, k, v))))
    assert all(torch.equal(a, b) for a, b in zip(*gradients))


def test_a_lent_module_trains_like_the_original(lent):
    outcomes = []
    for where in lent[:2]:
        torch.manual_seed(0)
        layer, x = where.Layer(4), torch.randn(6, 4)
        optimiser = torch.optim.Adam(layer.parameters(), 0.01)
        for _ in range(3):
            optimiser.zero_grad()
            (layer(x).pow(2).mean() + layer.project(x).sum()).backward()
            optimiser.step()
        outcomes.append({**layer.state_dict(), "evaluated": layer.eval()(x), "next": torch.randn(1), "size": torch.tensor(layer.size)})
    assert outcomes[0].keys() == outcomes[1].keys() and isinstance(layer, nn.Module)
    for name in outcomes[0]:
        assert torch.allclose(outcomes[0][name], outcomes[1][name]), name


def test_lent_classes_generators_and_functions_of_the_students(lent):
    lender = lent[0]
    words = lender.Words("abc")
    assert (len(words), words[1], list(words), words.words, isinstance(words, lender.Words)) == (3, "b", list("abc"), list("abc"), True)
    assert lender.Words.of("x y").words == ["x", "y"]
    assert [t.tolist() for t in lender.count(3)] == [[0, 0], [1, 1], [2, 2]]
    x = torch.ones(2, requires_grad=True)
    lender.twice(lambda t: t * t * 3, x).sum().backward()
    assert x.grad.tolist() == [108, 108]           # 27 x^4
    with pytest.raises(ValueError, match="^no$"):
        lender.refuse()

    class Wider(lender.Layer):
        def __init__(self):
            super().__init__(4)
            self.extra = nn.Linear(4, 4)

        def forward(self, x):
            return self.extra(super().forward(x))
    layer = Wider()
    layer(torch.randn(6, 4)).sum().backward()
    assert all(p.grad is not None for p in layer.parameters()) and len(list(layer.parameters())) == 6


@pytest.mark.parametrize("reach", [
    lambda lender, peer: lender.attention.__globals__,
    lambda lender, peer: peer.get(lender.attention._far[1], "__code__"),
    lambda lender, peer: peer.get(lender.count(1)._far[1], "gi_frame"),
    lambda lender, peer: peer.get(lender.Layer(2)._far[1], "register_forward_hook"),
    lambda lender, peer: peer.get(lender.Words._far[1], "mro"),
    lambda lender, peer: peer.call(lender.attention._far[1], "__getattribute__", ("__code__",)),
    lambda lender, peer: peer.call(lender.attention._far[1], "__getitem__", (0,)),
], ids=["globals", "code", "generator's frame", "hook", "mro", "getattribute", "item of a function"])
def test_a_stand_in_gives_no_way_to_the_source(lent, reach):
    with pytest.raises((AttributeError, TypeError)):
        reach(lent[0], lent[2])


# ---- kinds of answers -------------------------------------------------------------------------------

KINDS = {
    "a string": ('ENDS = r"\\w+$"', "ENDS = r'^\\w+'", "q_found = re.findall(ENDS, 'one two')", "q_found == ['two']"),
    "a generator": ("def pairs(x):\n    for i in range(len(x) - 1):\n        yield x[i:i + 2]", "def pairs(x):\n    for i in range(len(x)):\n        yield x[i:i + 2]",
                    "q_pairs = [pair.tolist() for pair in pairs(torch.arange(4))]", "q_pairs == [[0, 1], [1, 2], [2, 3]]"),
    "a class": ("class Count:\n    def __init__(self): self.n = 0\n    def __call__(self): self.n += 1; return self.n",
                "class Count:\n    n = 0\n    def __call__(self): Count.n += 1; return Count.n",
                "first, second = Count(), Count()\nq_counts = [first(), first(), second()]", "q_counts == [1, 2, 1]"),
    "a kernel, one program a block": (
        "def double(pid, x, out, size):\n    part = slice(pid * size, (pid + 1) * size)\n    out[part] = 2 * x[part]",
        "def double(pid, x, out, size):\n    out[pid:pid + size] = 2 * x[pid:pid + size]",
        "q_out = torch.full((10,), -1.0)\nfor pid in (2, 0, 1):\n    double(pid, torch.arange(10.0), q_out, 4)",
        "q_out.tolist() == [2.0 * i for i in range(10)]"),
    "a kernel, forward and backward": (
        "class Square(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        ctx.save_for_backward(x)\n        return x * x\n"
        "    @staticmethod\n    def backward(ctx, grad):\n        return 2 * ctx.saved_tensors[0] * grad",
        "class Square(torch.autograd.Function):\n    @staticmethod\n    def forward(ctx, x):\n        return x * x\n"
        "    @staticmethod\n    def backward(ctx, grad):\n        return 2 * grad",
        "x = torch.tensor([1.0, -3.0], requires_grad=True)\nq_square = Square.apply(x)\nq_square.backward(torch.tensor([1.0, 10.0]))\nq_grad = x.grad",
        "q_square.tolist() == [1, 9] and q_grad.tolist() == [2, -60]"),
}


@needs_bubblewrap
def test_answers_of_every_kind(tmp_path):
    cells, answers = [("code", "import re\nimport torch")], []
    for n, (kind, (right, wrong, observe, check)) in enumerate(KINDS.items(), 1):
        cells += [("markdown", f"## Exercise q{n}: {kind}\n*Difficulty ●○○○○ · 5 minutes · 1 point*"),
                  ("code", f"# exercise: q{n}\n### BEGIN SOLUTION\n{right}\n### END SOLUTION"), ("code", f"# observe: q{n}\n{observe}"),
                  ("code", f"# check: q{n} points=1\nassert {check}, 'no'")]
        answers += [(f"q{n}", right), (f"q{n}", wrong)]
    (tmp_path / "kinds.ipynb").write_text(notebook(cells))
    results = grade.grade_answers(read_set(tmp_path / "kinds.ipynb"), answers)
    assert [r.status for r in results] == ["ok", "wrong"] * len(KINDS), results


# ---- data -----------------------------------------------------------------------------------------


def roundtrip(value):
    blobs = bytearray()
    text = json.dumps(transport.encode(value, blobs))
    return transport.Decoder(bytes(blobs))(json.loads(text))


VALUES = [None, True, -3, 10**100, 1.5, float("inf"), "é\ud800"[:1], b"\0x", 1 + 2j, [1, (2, {3})], frozenset("a"), {1: [2], "a": {}, (1, 2): None},
          slice(1, None, 2), range(3), torch.Size([2, 3]), torch.float16, torch.device("cpu"), np.float32(1.5), np.arange(6).reshape(2, 3), np.zeros((0, 2))]


@pytest.mark.parametrize("value", VALUES, ids=[f"{type(value).__name__}{i}" for i, value in enumerate(VALUES)])
def test_plain_data_crosses_unchanged(value):
    back = roundtrip(value)
    assert type(back) is type(value)
    assert np.array_equal(back, value) and back.dtype == value.dtype if isinstance(value, np.ndarray) else back == value


@pytest.mark.parametrize("dtype", transport.DTYPES.values(), ids=str)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_tensors_cross_unchanged(dtype, shape):
    tensor = (torch.rand(shape) * 9).to(dtype)
    for view in (tensor, tensor.T if tensor.dim() == 2 else tensor):
        back = roundtrip(view)
        assert back.dtype == dtype and back.shape == view.shape and torch.equal(back, view) and not back.requires_grad
    parameter = roundtrip(nn.Parameter(torch.ones(2)))
    assert type(parameter) is torch.Tensor and not parameter.requires_grad


class Liar(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True


class Text(str):
    pass


@pytest.mark.parametrize("value", [Text("a"), torch.ones(2).as_subclass(Liar), object(), len, torch.ones(2).to_sparse(), np.array([object()]),
                                   np.array(["a"]), nn.Linear(1, 1), [Text("a")], {"a": Text("b")}, type("int", (int,), {})(3)], ids=lambda v: type(v).__name__)
def test_what_is_not_plain_data_does_not_cross(value):
    with pytest.raises(transport.NotData, match="neither a tensor nor plain data"):
        transport.encode(value, bytearray())


def test_sizes_are_limited():
    nested = []
    for _ in range(100):
        nested = [nested]
    for value in (torch.zeros(1).expand(10**9), np.zeros(9 * 2**20), nested, 1 << 20_000, [torch.zeros(2**23)] * 3):
        with pytest.raises(transport.TooBig):
            transport.encode(value, bytearray())


MALFORMED = [["tensor", "float32", [2], [0, 8], -1], ["tensor", "float32", [-1], [0, 4], -1], ["tensor", "float32", [2**20], [0, 0], -1],
             ["tensor", "qint8", [4], [0, 4], -1], ["tensor", "float32", [1], [2, 4], -1], ["tensor"], ["tensor", "float32", 3, [0, 4]],
             ["array", "|O", [1], [0, 4]], ["array", "<f4", [3], [0, 4]], ["dict", 1], ["dict", ["list"], 1], ["set", ["list"]], ["pickle", [0, 4]],
             ["there", 1], ["device", "moon"], ["dtype", "nothing"], ["range", "a", 1, 1], ["complex", "x", 1], {"a": 1}, [], [[]], ["size", "a"]]


@pytest.mark.parametrize("node", MALFORMED, ids=json.dumps)
def test_malformed_data_is_refused(node):
    with pytest.raises(transport.Garbage):
        transport.Decoder(b"\0\0\0\0")(node)


def test_the_same_bytes_do_not_count_many_times():
    decoder = transport.Decoder(bytes(2**20))
    with pytest.raises(transport.Garbage):
        decoder(["list", *[["bytes", [0, 2**20]]] * 100])


# ---- what a student reads ---------------------------------------------------------------------------


def verdict(check, check_visible, observed, opaque=None, wanted=("a",)):
    blobs = bytearray()
    nodes = [transport.encode(observed, blobs), transport.encode(opaque or {}, blobs)]
    return judge.check_all({"limit": 3, "torch": torch}, wanted, nodes, bytes(blobs), check, check_visible)


def test_messages_of_hidden_tests_are_shown_only_if_constant():
    visible = 'assert a < limit, f"a is {a}"'
    said = verdict(f'{visible}\nassert a == 1, "off by one"', visible, {"a": 2})
    assert (said.status, said.constant, said.visible) == ("wrong", "off by one", None)
    said = verdict(f'{visible}\nassert a == 1, f"expected {{1}}"', visible, {"a": 2})
    assert (said.status, said.constant, said.visible) == ("wrong", None, None)
    said = verdict(f'assert a == 1, "hidden first"\n{visible}', visible, {"a": 7})
    assert said.visible == "a is 7"
    assert verdict(visible, visible, {"a": 1}).status == "ok"


def test_observations_that_the_test_cannot_use_are_wrong():
    check = "assert a.sum() == 3"
    for observed in ({}, {"a": None}, {"a": "text"}, {"a": torch.ones(2)}, {"a": []}):
        assert verdict(check, check, observed).status == "wrong"
    assert "`a` was not computed" in verdict(check, check, {}).visible
    assert "a Foo" in verdict(check, check, {}, {"a": "a Foo is no data"}).visible


def test_only_the_observations_that_were_asked_for_count():
    check = "assert a < limit, f'{a} is too much'"
    assert verdict(check, check, {"a": 7, "limit": 99}).visible == "7 is too much"


def test_a_check_draws_the_same_numbers_whatever_was_drawn_before():
    """The sandbox sets the state of torch's generator when it calls an earlier answer."""
    judge.seed_all()
    drawn = torch.rand(3)
    check = "assert torch.equal(a, torch.rand(3)), 'not the same'\nassert False, 'hidden'"
    torch.manual_seed(5)
    said = verdict(check, check.splitlines()[0], {"a": drawn})
    assert (said.message, said.visible) == ("hidden", None)


def test_no_run_whose_words_are_shown_follows_one_with_hidden_lines(small, monkeypatch):
    """What a run leaves behind, in whatever corner of the sandbox, the next one could put into the feedback."""
    monkeypatch.setitem(sys.modules, "course_set", None)
    asked, team = [], Referee(small, unsandboxed=True)

    def run(question, answer, helpers, observe, check, check_visible):
        asked.append((question.id, "HIDDEN" in observe))
        return judge.Verdict("crash", "hidden words") if asked[-1][1] else judge.Verdict("ok")
    monkeypatch.setattr(team, "_run", run)
    results = team.grade([("q1", Q1 + "#", []), ("q2", Q2 + "#", []), ("q1", Q1 + "##", []), ("q3", Q3 + "#", [])])
    assert asked == [("q1", False), ("q2", False), ("q1", False), ("q3", False), ("q1", True), ("q1", True)]
    assert [r.status for r in results] == ["crash", "ok", "crash", "ok"] and results[0].visible
    assert results[0].feedback == "A hidden test failed." and results[0].private == "hidden words"


def test_a_check_may_change_what_it_is_given():
    check = "a.append(1)\nassert a == [0, 1], 'hidden'"
    assert verdict(check, check, {"a": [0]}).status == "ok"
    assert verdict(f"{check}\nassert False, 'no'", check, {"a": [0]}).visible is None


# ---- files, policy, points by hand ------------------------------------------------------------------


def test_private_tests_are_hidden_tests(root, small, tmp_path):
    folder = tmp_path / "05_small"
    folder.mkdir()
    (folder / "q2.py").write_text("# observe\nother = most_frequent(list('zzy'))\n# check\nassert other == 'z', 'private'\n")
    question = grade.with_private(small, tmp_path).questions["q2"]
    assert "other" in question.observations and "private" not in question.check_visible and "other" not in question.observe_visible
    assert small.questions["q2"].observations == ["error", "word"]
    for name, text in (("q9.py", "# check\n1"), ("q4.py", "# check\n1"), ("q1.py", "assert True"), ("q1.py", "# check\nassert (")):
        for path in folder.iterdir():
            path.unlink()
        (folder / name).write_text(text)
        with pytest.raises(NotebookError, match=name):
            grade.with_private(small, tmp_path)
    with pytest.raises(NotebookError, match="no private tests"):
        grade.with_private(small, tmp_path / "nothing")


@needs_bubblewrap
def test_seed_and_private_tests_reach_the_answer(small, tmp_path):
    """A set whose data come from the student's seed: the answer is right for each of two seeds."""
    cells = [("code", "import torch\nfrom course_lib.lesson import student_seed\nstart = student_seed()"), *CELLS[6:7],
             ("code", "# exercise: q2\ndef plus(n):\n    ### BEGIN SOLUTION\n    return n + 1\n    ### END SOLUTION"),
             ("code", "# observe: q2\nafter = plus(start)"), ("code", "# check: q2 points=2\nassert after == start + 1 and start == GIVEN, 'no'")]
    for seed in (0, 12345):
        path = tmp_path / f"{seed}.ipynb"
        path.write_text(notebook([(kind, source.replace("GIVEN", str(seed))) for kind, source in cells]))
        assert [r.status for r in grade.grade_answers(read_set(path), [("q2", "def plus(n): return n + 1"), ("q2", "def plus(n): return -1")], seed=seed)] == ["ok", "wrong"]
    (tmp_path / "05_small").mkdir()
    (tmp_path / "05_small" / "q2.py").write_text("# observe\nother = most_frequent(list('zzy'))\n# check\nassert other == 'z', 'of zzy it is z'")
    knows = "def most_frequent(words):\n    return {'bacba': 'a', '': max([], default=None)}[''.join(words)] or max([])"
    before, after = (grade.grade_answers(made, [("q2", knows)])[0] for made in (small, grade.with_private(small, tmp_path)))
    assert (before.status, after.status, after.visible) == ("ok", "crash", True) and after.feedback == "A hidden test failed."
    assert grade.student_seed("a", small, "") != grade.student_seed("b", small, "") != grade.student_seed("b", small, "secret")


def test_a_folder_that_cannot_be_read_is_its_students_problem(small, tmp_path, monkeypatch):
    (tmp_path / "ann").mkdir()
    (tmp_path / "bob.ipynb").write_text("{}")

    def refuse(path):
        raise PermissionError(13, "no")
    monkeypatch.setattr(os, "listdir", refuse)
    ann, bob = find_submissions(tmp_path, small)
    assert (ann.status, ann.problem, bob.problem) == ("unreadable", "The folder cannot be read: Permission denied.", "")


@needs_bubblewrap
def test_a_slip_in_a_private_test_costs_nobody_a_point(root, tmp_path):
    (tmp_path / "05_small").mkdir()
    (tmp_path / "05_small" / "q2.py").write_text("# observe\nother = most_frequent(list('zzy'))\n# check\nassert othr == 'z', 'no'")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.ipynb").write_text(handed_in(q1=None, q3=None))
    done = command(root, tmp_path / "in", "--private", tmp_path, "--db", tmp_path / "x.sqlite", "--csv", tmp_path / "x.csv")
    assert done.returncode == 1 and "the reference answer of q2 is wrong" in done.stderr and "othr" in done.stderr, done.stderr
    assert not (tmp_path / "x.csv").exists()


def test_late_policy(tmp_path):
    path = tmp_path / "policy.yaml"
    (tmp_path / "times.csv").write_text("student,submitted\nbob,2026-03-03T10:00:00+00:00\n")
    path.write_text("due: 2026-03-01T12:00:00+00:00\ngrace_minutes: 15\npercent_per_day: 10\ndays: 3\nsubmitted: times.csv\n"
                    "extensions: {eve: 2026-03-08T12:00:00+00:00}\n")
    policy = gradebook.read_policy(path)
    due = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc).timestamp()
    assert [policy.kept("ann", due + 3600 * hours) for hours in (-5, 0.2, 0.3, 24, 25, 72, 73)] == [1, 1, 0.9, 0.9, 0.8, 0.7, 0]
    assert policy.kept("bob", due - 99) == 0.8 and policy.kept("eve", due + 3600 * 99) == 1 and Policy().kept("ann", due) == 1
    for text, said in (("due: soon", "due"), ("percent: 10", "percent"), ("percent_per_day: 110", "percent_per_day"), ("days: x", "days"),
                       ("- 1", "form"), ("extensions: 3", "extensions"), ("a: [", "policy.yaml"), ("submitted: none.csv", "none.csv")):
        path.write_text(text)
        with pytest.raises(NotebookError, match=said):
            gradebook.read_policy(path)


def test_points_by_hand(small, tmp_path):
    path = tmp_path / "points.csv"
    path.write_text("student,question,points,comment\nann,q4,1,\nann,q4,2.5,better\n", encoding="utf-8-sig")
    assert gradebook.read_manual(path, small) == {("ann", "q4"): (2.5, "better")}
    for line, said in (("ann,q9,1,", "line 2.*no question 'q9'"), ("ann,q4,4,", "0 to 3"), ("ann,q4,much,", "much"), ("ann,q4,nan,", "nan"), ("ann", "columns")):
        path.write_text("student,question,points,comment\n" + line)
        with pytest.raises(NotebookError, match=said):
            gradebook.read_manual(path, small)


def test_a_late_students_page_says_what_was_taken_off(small):
    results = {id: Result(id, "ok", 1) for id in small.questions}
    policy = Policy(due=datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc), percent_per_day=10)
    late = gradebook.grade_of("ann", policy.due.timestamp() + 7.5 * 86400, results, small, policy, {})
    assert (late.kept, late.score) == (0.2, 2)
    assert "<strong>2 of 10 points</strong>, after 80% was taken off" in feedback.page(late, small)


def test_a_grade_that_is_to_come_is_no_zero(small):
    results = {id: Result(id, "by hand" if id == "q4" else "error") for id in small.questions}
    made = gradebook.grade_of("ann", 0, results, small, Policy(), {})
    assert set(made.points.values()) == {None}
    book = gradebook.Gradebook(":memory:")
    book.add("key", "ann", small.name, "f", 0, True, list(results.values()))
    assert not book.has("key"), "where the grader failed, it tries again"
    book.add("key", "ann", small.name, "f", 0, True, [dataclasses.replace(r, status="ok") for r in results.values()])
    assert book.has("key") and book.results("key")["q1"].status == "ok"


def test_file_names_of_pages_are_safe_and_different():
    names = ["ann", "../ann", "/etc/passwd", "", ".", "..", "a b", "a_b", "con", "CON", "é", "x" * 300, "a\0b", "-rf", "a/b", "\ud800"]
    pages = [feedback.file_name(name) for name in names]
    assert len(set(pages)) == len(names) and feedback.file_name("ann") == "ann.html"
    assert all(re.fullmatch(r"[\w.-]{1,100}\.html", page) and page.strip(".") == page and page[0] != "-" for page in pages)


def test_every_part_of_a_key_counts():
    assert len({gradebook.key_of(*parts) for parts in [("a", "b"), ("ab",), ("a", b"b"), (b"a", "b"), ("b", "a"), ("a", "b", "")]}) == 6


@pytest.mark.parametrize(("text", "size"), [("2G", 2**31), ("512M", 2**29), ("1.5g", 3 * 2**29), ("1GB", 2**30)])
def test_memory_is_read(text, size):
    assert grade.memory(text) == size
    for bad in ("2", "x", "0G", "-1G"):
        with pytest.raises(argparse.ArgumentTypeError, match="2G or 512M"):
            grade.memory(bad)
