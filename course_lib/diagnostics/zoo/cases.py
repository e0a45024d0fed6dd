"""What a case of the zoo is: a small program, as a person would write it, and one edit that breaks it.

A program is a module of `zoo.programs`: data, model, loss and training loop of one small, real task. It works.
A case names a program and one edit of its source: some consecutive lines and what stands in their place. Running
the edited source gives the buggy model; the healthy twin is the same source without the edit, so the two differ
in exactly these lines, and `Case.diff()` shows them as a reviewer would see them. Built in chapter 4.
"""
import difflib
import functools
import hashlib
import importlib
import inspect
import linecache
import sys
import textwrap
import types
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

#: Steps of the work in which a mistake can be made, as the post lists them.
STEPS = ("data", "model", "loss", "optimiser", "evaluation")
VARIANTS = ("obvious", "silent", "healthy")


@dataclass
class Setup:
    """A program ready to be diagnosed or trained.

    batch: (inputs, targets), inputs a tensor or a tuple of them, 16 examples. batches: what `train` draws from.
    padding_mask: bool [batch, length], True for what is there, where the inputs are padded; else None.
    train(setup, steps) runs the program's own loop over new batches and returns the loss of each step. It calls
    `setup.loss_fn` and enters `setup.evaluating()` around its evaluation, so that a monitor can take their places.
    score(setup): what the program reports on its held-out data, higher is better: accuracy, or the explained
    share of the variance. baseline: what a constant answer would score.
    dataset: the raw examples, a list of dicts, where the bug or the task lies in data; audit: keyword arguments for
    `audit(dataset, ...)`: the tokenizer, a function from text to ids, and max_tokens, where the program cuts them.
    """
    model: nn.Module
    batch: tuple
    loss_fn: Callable
    optimizer: torch.optim.Optimizer
    train: Callable[["Setup", int], list[float]]
    score: Callable[["Setup"], float]
    batches: Iterable
    held_out: Any
    baseline: float
    task: str
    scheduler: Any = None
    forward: Callable | None = None
    output: Callable | None = None
    causal: bool = False
    padding_mask: Tensor | None = None
    dataset: list[dict] | None = None
    audit: dict = field(default_factory=dict)
    evaluating: Callable[[], AbstractContextManager] = nullcontext


@dataclass(frozen=True)
class Case:
    """One bug, or, with variant "healthy", none.

    name: unique. program: module of `zoo.programs`. family: the architecture. cause: an id of
    `causes.CAUSES`, None if healthy; also: other ids that would be right. step: one of STEPS.
    variant: "obvious" (the training shows that something is wrong) or "silent" (the loss falls, nothing crashes,
    the score looks decent), or "healthy". seen: what a reader of the training log would see. fix: in a sentence.
    source: address of a public thread or paper in which such a bug was seen.
    effect: of a silent bug on the score: "worse", "same", or "too good" to be true.
    bug: (lines as they are, lines in their place). setting: such edits that both twins get.
    looks_sick: of a healthy case, what a careless check would take for a bug.
    """
    name: str
    program: str
    family: str
    variant: str
    cause: str | None = None
    also: tuple[str, ...] = ()
    step: str | None = None
    seen: str = ""
    fix: str = ""
    source: str = ""
    effect: str = "worse"
    bug: tuple[str, str] | None = None
    setting: tuple[tuple[str, str], ...] = ()
    looks_sick: str = ""

    def healthy(self) -> "Case":
        """The twin: the same program without the bug."""
        return replace(self, name=f"{self.name} (twin)", variant="healthy", cause=None, also=(), bug=None)

    def code(self) -> str:
        """The whole program as text, with the bug in it."""
        return program_source(self.program, self.setting + ((self.bug,) if self.bug else ()))

    def diff(self, context: int = 2) -> str:
        """The bug as a reviewer sees it: lines of the healthy program with -, of the buggy one with +."""
        lines = difflib.unified_diff(self.healthy().code().splitlines(), self.code().splitlines(),
                                     "healthy", "buggy", lineterm="", n=context)
        return "\n".join(lines)

    def line(self) -> tuple[str, str]:
        """The lines that differ, without indentation: (healthy, buggy)."""
        changed = self.diff(context=0).splitlines()[2:]
        return tuple(textwrap.dedent("\n".join(line[1:] for line in changed if line[0] == sign)) for sign in "-+")

    def module(self) -> types.ModuleType:
        """The program as a module, with the bug in it."""
        return _module(self.program, self.setting + ((self.bug,) if self.bug else ()))

    def build(self, seed: int = 0) -> Setup:
        """The program's model, batch, optimiser and loop. The same seed gives the same; torch's global random
        state is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.module().build(seed)


def run(case: Case, seed: int = 0, steps: int = 60) -> tuple[Setup, list[float], float]:
    """Build, train and score: (setup, losses, score). torch's global random state is left as it was."""
    setup = case.build(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        losses = setup.train(setup, steps)
        return setup, losses, setup.score(setup)


def edit(source: str, old: str, new: str) -> str:
    """Put `new` in the place of the lines `old`; indentation is that of the lines found.

    Raises ValueError unless the lines stand in the source exactly once.
    """
    lines, wanted = source.splitlines(), [line.strip() for line in old.strip("\n").splitlines()]
    found = [i for i in range(len(lines) - len(wanted) + 1)
             if [line.strip() for line in lines[i:i + len(wanted)]] == wanted]
    if len(found) != 1:
        raise ValueError(f"{len(found)} places hold {old!r}: an edit needs exactly one")
    indent = lines[found[0]][:len(lines[found[0]]) - len(lines[found[0]].lstrip())]
    written = textwrap.indent(textwrap.dedent(new.strip("\n")), indent).splitlines()
    return "\n".join(lines[:found[0]] + written + lines[found[0] + len(wanted):]) + "\n"


def program_source(program: str, edits: Sequence[tuple[str, str]] = ()) -> str:
    """Text of a program of the zoo after these edits."""
    source = inspect.getsource(importlib.import_module(f"{__package__}.programs.{program}"))
    for old, new in edits:
        source = edit(source, old, new)
    return source


@functools.cache
def _module(program: str, edits: tuple[tuple[str, str], ...]) -> types.ModuleType:
    source = program_source(program, edits)
    if not edits:
        return importlib.import_module(f"{__package__}.programs.{program}")
    name = f"{__package__}.programs.{program}_{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    module = types.ModuleType(name)
    module.__file__ = f"<{name}>"
    module.__package__ = f"{__package__}.programs"
    # So that a traceback and inspect.getsource show the edited lines.
    linecache.cache[module.__file__] = (len(source), None, source.splitlines(keepends=True), module.__file__)
    sys.modules[name] = module
    exec(compile(source, module.__file__, "exec"), module.__dict__)
    return module
