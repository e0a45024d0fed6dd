"""The zoo of bugs: each case is one edit of a program that works, silent cases are silent, healthy ones learn."""
import ast
import functools
import inspect
import math
import warnings
from collections import Counter
from pathlib import Path

import pytest
import torch

from course_lib.diagnostics import zoo
from course_lib.diagnostics.causes import CAUSES
from course_lib.diagnostics.zoo.cases import STEPS, VARIANTS, Case, edit, program_source, run
from course_lib.diagnostics.zoo.healthy import HEALTHY, PLAIN
from course_lib.diagnostics.zoo.open import OPEN
from course_lib.diagnostics.zoo.sealed import SEALED

BUGS = SEALED + OPEN
PROGRAMS = sorted({case.program for case in BUGS + HEALTHY})
SILENT = [case for case in BUGS if case.variant == "silent"]
OBVIOUS = [case for case in BUGS if case.variant == "obvious"]

def named(cases):
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


#: Causes of the data alone, for which the audit has planted defects of its own.
OF_DATA_ALONE = {"label-imbalance", "label-noise", "examples-contradict", "examples-duplicated", "test-overlap",
                 "input-markup", "input-outliers", "tokenizer-mismatch"}


@functools.cache
def trained(case: Case, steps: int = 60):
    """Losses and score of a short training, and what a constant answer would score."""
    steps = max(steps, 50) if case.program == "reviews" else steps    # learns late
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")    # that output and target differ in shape is the bug
        setup, losses, score = run(case, seed=0, steps=steps)
    return losses, score, setup.baseline


@functools.cache
def twin(program: str, setting, steps: int = 60):
    """The healthy twin's, once for all cases that share it."""
    return trained(Case("twin", program, "", "healthy", setting=setting), steps)


def mean(values):
    return sum(values) / len(values)


# What the zoo holds

def test_there_are_enough_of_each():
    assert len(BUGS) >= 40 and len(HEALTHY) >= 24
    assert len({case.family for case in HEALTHY}) >= 8
    assert abs(len(SEALED) - len(OPEN)) <= 4
    names = Counter(case.name for case in BUGS + HEALTHY)
    assert names.most_common(1)[0][1] == 1


def test_every_cause_is_in_either_half_where_there_are_two():
    seen = Counter(case.cause for case in BUGS)
    assert {*seen} == {*CAUSES} - OF_DATA_ALONE
    sealed, opened = ({case.cause for case in half} for half in (SEALED, OPEN))
    assert {cause for cause in seen if seen[cause] > 1} == sealed & opened
    # Where a bug can be obvious or silent, the zoo has it in both ways.
    both = {cause for cause in CAUSES if len({case.variant for case in BUGS if case.cause == cause}) == 2}
    assert len(both) >= 20


@named(BUGS)
def test_a_case_says_what_it_is(case):
    assert case.cause in CAUSES and set(case.also) <= {*CAUSES} - {case.cause} and len(case.also) <= 1
    assert case.variant in VARIANTS[:2] and case.step in STEPS and case.program in PROGRAMS
    assert case.effect in ("worse", "same", "too good")
    assert case.source.startswith("https://") and case.family
    assert case.seen.endswith(".") and case.fix.endswith(".")


@named(HEALTHY)
def test_a_healthy_case_says_why_it_looks_sick(case):
    assert case.variant == "healthy" and case.cause is None and case.bug is None
    assert case.looks_sick.endswith(".") and case.family


def test_all_steps_of_the_work_have_silent_bugs():
    assert {case.step for case in SILENT} == {*STEPS}


# Twins

@named(BUGS)
def test_twins_differ_by_the_bug_only(case):
    healthy, buggy = case.healthy().code(), case.code()
    assert healthy == program_source(case.program, case.setting)
    assert edit(healthy, *case.bug) == buggy != healthy
    hunks = [line for line in case.diff(context=0).splitlines() if line.startswith("@@")]
    changed = [line for line in case.diff(context=0).splitlines()[2:] if line[0] in "+-"]
    assert len(hunks) <= 3 and len(changed) <= 11
    before, after = case.line()
    assert before != after and "\n".join(line.strip() for line in before.splitlines()) in "\n".join(
        line.strip() for line in healthy.splitlines()) or len(hunks) > 1
    ast.parse(buggy)


@pytest.mark.parametrize("old, new, wanted", [
    ("b()", "c()\nd()", "def f():\n    a()\n    c()\n    d()\n"),
    ("a()\nb()", "if x:\n    b()", "def f():\n    if x:\n        b()\n"),
    ("a()", "", "def f():\n    b()\n")])
def test_edit_keeps_the_indentation(old, new, wanted):
    assert edit("def f():\n    a()\n    b()\n", old, new) == wanted


@pytest.mark.parametrize("old, count", [("c()", 0), ("a()", 2)])
def test_an_edit_needs_one_place(old, count):
    with pytest.raises(ValueError, match=f"{count} places"):
        edit("a()\nb()\na()\n", old, "x()")


def test_the_source_of_a_buggy_model_is_the_edited_one():
    case = next(case for case in OPEN if case.name == "gpt-not-causal")
    source = inspect.getsource(type(case.build().model.blocks[0]))
    assert "attention(q, k, v)" in source and "is_causal" not in source
    assert "is_causal=True" in inspect.getsource(type(case.healthy().build().model.blocks[0]))


# Building

@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_seed_builds_the_same(program):
    case = Case("plain", program, "", "healthy")
    state = torch.get_rng_state()
    first, again, other = case.build(1), case.build(1), case.build(2)
    assert torch.equal(state, torch.get_rng_state())

    def flat(value):
        return [value] if not isinstance(value, (tuple, list)) else [x for part in value for x in flat(part)]

    for a, b in zip(flat(first.batch), flat(again.batch), strict=True):
        assert torch.equal(a, b)
    assert any(a.shape != b.shape or not torch.equal(a, b) for a, b in zip(flat(first.batch), flat(other.batch)))
    weights = [torch.cat([p.flatten() for p in setup.model.parameters()]) for setup in (first, again, other)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    # and trains the same
    losses = [run(case, seed=1, steps=4)[1] for _ in range(2)]
    assert losses[0] == losses[1]


@named(BUGS + HEALTHY)
def test_a_setup_is_small_and_complete(case):
    setup = case.build(0)
    inputs, targets = setup.batch
    first = inputs[0] if isinstance(inputs, tuple) else inputs
    assert len(first) == 16
    held = sum(p.numel() for p in setup.model.parameters())
    assert 0 < held < 100_000
    assert setup.task in ("classification", "language-model", "sequence-to-sequence", "regression",
                          "token-classification")
    if setup.padding_mask is not None:
        assert setup.padding_mask.dtype == torch.bool and setup.padding_mask.shape == first.shape
        assert (setup.padding_mask == (first != 0)).all()
    if setup.dataset is not None:
        assert {"text", "label"} <= {*setup.dataset[0]} and len({row["label"] for row in setup.dataset}) <= 2
        assert setup.audit["max_tokens"] > 0 and setup.audit["tokenizer"](setup.dataset[0]["text"])
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = setup.model(*inputs) if isinstance(inputs, tuple) else setup.model(inputs)
        assert isinstance(setup.loss_fn(outputs, targets), torch.Tensor)
    if setup.output is not None:
        assert isinstance(setup.output(outputs), torch.Tensor)


@named(PLAIN)
def test_training_uses_what_a_monitor_puts_in_its_place(case):
    setup, calls = case.build(0), Counter()
    loss_fn = setup.loss_fn

    def watched(outputs, targets):
        calls["loss"] += 1
        return loss_fn(outputs, targets)

    class Marked:
        def __enter__(self):
            calls["evaluation"] += 1

        def __exit__(self, *error):
            pass

    setup.loss_fn, setup.evaluating = watched, Marked
    assert len(setup.train(setup, 3)) == 3 and calls["loss"] >= 3
    score = setup.score(setup)
    assert calls["evaluation"] >= 1 and -10 < score <= 1


# Training

@named(SILENT)
def test_a_silent_bug_is_silent(case):
    losses, score, baseline = trained(case)
    _, best, _ = twin(case.program, case.setting)
    assert all(map(math.isfinite, losses))
    assert mean(losses[-10:]) < 0.95 * mean(losses[:3])
    assert score >= baseline + 0.3 * (best - baseline)


@named(SILENT)
def test_a_silent_bug_costs_what_it_says(case):
    losses, score, baseline = trained(case)
    healthy, best, _ = twin(case.program, case.setting)
    if case.effect == "worse":
        assert mean(losses[-10:]) > 1.04 * mean(healthy[-10:]) or score < best - 0.02
    elif case.effect == "same":
        assert score >= baseline + 0.65 * (best - baseline)
    else:
        assert mean(losses[-10:]) < 0.97 * mean(healthy[-10:]) and score >= best - 0.02


@named(OBVIOUS)
def test_an_obvious_bug_shows_in_the_training(case):
    steps = 50 if case.cause == "zero-grad-missing" else 25    # a missing zero_grad helps at first
    losses, score, baseline = trained(case, steps)
    healthy, best, _ = twin(case.program, case.setting, steps)
    last, right = mean(losses[-5:]), mean(healthy[-5:])
    assert right < 0.9 * mean(healthy[:3]) and best > baseline + 0.15    # the twin learns
    assert not math.isfinite(last) or last < 0 or last > 1.2 * right or score < best - 0.1


@named(HEALTHY)
def test_a_healthy_program_learns(case):
    losses, score, baseline = twin(case.program, case.setting, 30)
    assert mean(losses[-5:]) < 0.985 * mean(losses[:3])
    assert score > baseline - 0.05


# The rule of the game

def test_no_check_reads_the_zoo():
    folder = Path(zoo.__file__).parent
    for path in folder.parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
            module = getattr(node, "module", None) or ""
            assert "zoo" not in module and not any("zoo" in name for name in names), path.name
