"""A small exercise set, and notebooks as students hand them in, for the tests of the grader."""

import functools
import json
import shutil
import subprocess

import pytest

SETUP = "import torch\nfrom torch import nn\nfrom course_lib.lesson import caught"
Q1 = '''# exercise: q1
def softmax(x):
    ### BEGIN SOLUTION
    powers = torch.exp(x - x.max(-1, keepdim=True).values)
    return powers / powers.sum(-1, keepdim=True)
    ### END SOLUTION'''
Q2 = '''# exercise: q2
def most_frequent(words):
    ### BEGIN SOLUTION
    return max(sorted(set(words)), key=list(words).count)
    ### END SOLUTION'''
Q3 = '''# exercise: q3
class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        ### BEGIN SOLUTION
        self.query = nn.Linear(size, size, bias=False)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        return softmax(self.query(x) @ x.T) @ x
        ### END SOLUTION'''
CELLS = [
    ("markdown", "# A small set"),
    ("code", SETUP),
    ("markdown", "## Exercise q1: softmax\n*Difficulty ●○○○○ · 5 minutes · 2 points*\nOver the last dimension."),
    ("code", Q1),
    ("code", '''# observe: q1
out = softmax(torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]]))
### BEGIN HIDDEN TESTS
far_apart = softmax(torch.tensor([[1000.0, 1001.0]]))
### END HIDDEN TESTS'''),
    ("code", '''# check: q1 points=2
expected = torch.tensor([[0.1185, 0.0059, 0.8756], [0.5465, 0.3315, 0.1220]])
assert isinstance(out, torch.Tensor) and out.shape == (2, 3), f"a softmax has the shape of its input, not {out}"
assert torch.allclose(out.sum(-1), torch.ones(2)), "the rows do not sum to 1: divide by the sum"
assert torch.allclose(out, expected, atol=1e-4), "wrong values: over the last dimension?"
### BEGIN HIDDEN TESTS
assert torch.allclose(far_apart, torch.tensor([[0.268941, 0.731059]])), "large numbers overflow: subtract the maximum"
### END HIDDEN TESTS'''),
    ("markdown", "## Exercise q2: words\n*Difficulty ●○○○○ · 5 minutes · 2 points*\nThe first in the alphabet of the most frequent."),
    ("code", Q2),
    ("code", '# observe: q2\nword = most_frequent(["b", "a", "c", "b", "a"])\nerror = caught(most_frequent, [])'),
    ("code", '''# check: q2 points=2
assert word == "a", f"of a and b, both twice, it must be a, not {word}"
### BEGIN HIDDEN TESTS
assert error is not None and error.startswith("ValueError"), f"hidden: {error}"
### END HIDDEN TESTS'''),
    ("markdown", "## Exercise q3: a layer\n*Difficulty ●●○○○ · 10 minutes · 3 points*\nUse `softmax`."),
    ("code", Q3),
    ("code", '''# observe: q3
torch.manual_seed(3)
layer, x = Attention(4), torch.randn(5, 4)
with torch.no_grad():
    next(layer.parameters()).copy_(torch.eye(4))
mixed = layer(x)
mixed.pow(2).sum().backward()
gradient = next(layer.parameters()).grad
optimiser = torch.optim.SGD(layer.parameters(), lr=0.01)
losses = []
for _ in range(3):
    optimiser.zero_grad()
    loss = layer(x).pow(2).mean()
    loss.backward()
    optimiser.step()
    losses.append(loss.item())'''),
    ("code", '''# check: q3 points=3
torch.manual_seed(3)
nn.Linear(4, 4, bias=False)
given = torch.randn(5, 4)
weight = torch.eye(4, requires_grad=True)
wanted = ((given @ weight.T) @ given.T).softmax(-1) @ given
wanted.pow(2).sum().backward()
assert mixed.shape == (5, 4) and torch.allclose(mixed, wanted, atol=1e-5), "the mixture is wrong"
assert gradient is not None and torch.allclose(gradient, weight.grad, atol=1e-4), "no gradient reaches the query"
assert losses == sorted(losses, reverse=True), "training does not lower the loss"'''),
    ("markdown", "## Exercise q4: why\n*Difficulty ●●○○○ · 5 minutes · 3 points*\nWhy is the maximum subtracted?"),
    ("markdown", "<!-- rubric: q4 points=3 -->\nOverflow is named: 3 points."),
]
EXERCISES = {"q1": Q1, "q2": Q2, "q3": Q3}


def notebook(cells) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": kind, "metadata": {}, "source": source, **({"outputs": [], "execution_count": None} if kind == "code" else {})}
        for kind, source in cells]})


def handed_in(q1=Q1, q2=Q2, q3=Q3, helpers=(), q4="<!-- answer: q4 -->\nIt overflows.") -> str:
    """A student's notebook; None leaves a cell out."""
    return notebook([("code", SETUP), *(("code", source) for source in (*helpers, q1, q2, q3) if source is not None), ("markdown", q4)])


def write_set(root):
    """exercises/05_small/source.ipynb below `root`; its path."""
    path = root / "exercises" / "05_small" / "source.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(notebook(CELLS), encoding="utf-8")
    return path


@functools.cache
def _bubblewrap() -> bool:
    program = shutil.which("bwrap")
    return program is not None and subprocess.run(
        [program, "--ro-bind", "/", "/", "--unshare-pid", "--unshare-net", "--proc", "/proc", "true"], capture_output=True).returncode == 0


needs_bubblewrap = pytest.mark.skipif(not _bubblewrap(), reason="bubblewrap is not installed, or may not make namespaces here")
