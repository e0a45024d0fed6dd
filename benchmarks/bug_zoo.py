"""What each method finds in the zoo of bugs: the doctor, its parts, and the recipe of the post alone.

    python -m benchmarks.bug_zoo --half open|sealed|healthy|all [--seeds 0 1 2] [--cases NAME ...]
                                 [--steps 100] [--results results]

Every case of `course_lib.diagnostics.zoo` is built and handed to each method, once a seed:

    diagnose     the doctor on model, batch, loss and optimiser
    invariance   its tests of the forward pass alone
    watch        the monitor around the program's own training loop, --steps steps
    audit        the audit of the data set, where the case has one
    doctor       the three together: findings of one cause are one, ordered by confidence
    initial      the first loss against a constant guess's: outside [2/3, 3/2] is an alarm
    overfit      the program's own loop on one batch of 16, dropout and weight decay off: a loss above 0.01 (of a
                 regression, above a hundredth of the target's variance) after 600 steps is an alarm
    recipe       the two together, the post's advice

A bug is detected if a method says anything at all, and its cause is named if the first of at most two findings
gives the cause, or one that the case lists as right too. It counts only if it is so with every seed. Healthy programs
with any finding, with any seed, are false alarms. Intervals are Wilson's, 95 %, over cases; what was seen for each
case stands in the settings. Finished runs are kept if the script is interrupted.

Whoever writes checks must not run `--half sealed`.
"""
import argparse
import contextlib
import copy
import hashlib
import itertools
import math
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from scipy.stats import binomtest
from torch import nn
from tqdm.auto import tqdm

from benchmarks.over_seeds import Runs
from course_lib.benchmarking import benchmark
from course_lib.diagnostics.audit import audit
from course_lib.diagnostics.doctor import CHECKS, diagnose
from course_lib.diagnostics.monitor import watch
from course_lib.diagnostics.zoo.cases import Case, Setup
from course_lib.diagnostics.zoo.healthy import HEALTHY
from course_lib.diagnostics.zoo.open import OPEN
from course_lib.diagnostics.zoo.sealed import SEALED
from course_lib.results import Figure, record
from course_lib.training import set_seed

HALVES = {"open": OPEN, "sealed": SEALED, "healthy": HEALTHY}
METHODS = ("diagnose", "invariance", "watch", "audit", "doctor", "initial", "overfit", "recipe")
OVERFIT_STEPS, OVERFITTED = 600, 0.01


@dataclass
class Found:
    """What one method said of one case: (cause, confidence) of each finding, the most certain first."""
    causes: list[tuple[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""
    notes: dict = field(default_factory=dict)


def _findings(report) -> list[tuple[str, float]]:
    findings = getattr(report, "findings", report)
    return [(finding.cause, float(finding.confidence)) for finding in findings]


# The methods. Each takes a fresh setup.

def diagnosis(setup: Setup, steps: int, checks: list[str] | None = None) -> Found:
    return Found(_findings(diagnose(
        setup.model, setup.batch, setup.loss_fn, forward=setup.forward, output=setup.output,
        optimizer=setup.optimizer, task=setup.task, causal=setup.causal, padding_mask=setup.padding_mask,
        checks=checks)))


def invariance_tests(setup: Setup, steps: int) -> Found:
    return diagnosis(setup, steps, [name for name, check in CHECKS.items() if check.__module__.endswith("invariance")])


def monitor(setup: Setup, steps: int) -> Found:
    with watch(setup.model, setup.optimizer, scheduler=setup.scheduler, loss_fn=setup.loss_fn) as seen:
        setup.loss_fn, setup.evaluating = seen.loss_fn, seen.evaluating
        setup.train(setup, steps)
    return Found(_findings(seen.report()))


def data_audit(setup: Setup, steps: int) -> Found:
    if setup.dataset is None:
        return Found()
    return Found(_findings(audit(setup.dataset, **setup.audit)))


def guess_loss(setup: Setup) -> float | None:
    """Loss of a constant guess; None where the outputs do not tell what it is."""
    inputs, targets = setup.batch
    if not isinstance(targets, torch.Tensor):
        return None
    if setup.task == "regression":
        return targets.var().item()
    model = copy.deepcopy(setup.model).eval()
    with torch.no_grad():
        outputs = model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    outputs = outputs if setup.output is None else setup.output(outputs)
    return math.log(outputs.size(-1)) if outputs.dim() > 1 else math.log(2)


def initial_loss(setup: Setup, steps: int) -> Found:
    expected = guess_loss(setup)
    inputs, targets = setup.batch
    with torch.no_grad():
        outputs = setup.model(*inputs) if isinstance(inputs, tuple) else setup.model(inputs)
        loss = setup.loss_fn(outputs, targets).mean().item()
    notes = {"loss": _plain(loss), "expected": expected and _plain(expected)}
    wrong = expected is not None and not 2 / 3 <= loss / expected <= 3 / 2
    return Found([("alarm", 1.0)] if wrong else [], notes=notes)


def overfit_one_batch(setup: Setup, steps: int) -> Found:
    for module in setup.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for group in setup.optimizer.param_groups:
        group["weight_decay"] = 0.0
    variance = setup.batch[1].var().item() if setup.task == "regression" else 1.0
    one = next(iter(setup.batches))
    # A loader is gone through once an epoch, a stream without end.
    setup.batches = itertools.repeat(one) if hasattr(setup.batches, "__next__") else [one] * 30
    losses = setup.train(setup, OVERFIT_STEPS)
    last = statistics.fmean(losses[-10:])
    return Found([] if last < OVERFITTED * variance else [("alarm", 1.0)], notes={"loss": _plain(last)})


def _plain(number: float) -> float | str:
    return round(number, 5) if math.isfinite(number) else str(number)


#: What is run; the other methods are made of these.
RUN: dict[str, Callable[[Setup, int], Found]] = {
    "diagnose": diagnosis, "invariance": invariance_tests, "watch": monitor, "audit": data_audit,
    "initial": initial_loss, "overfit": overfit_one_batch}


def examine(case: Case, seed: int, steps: int, run: dict[str, Callable] = RUN) -> dict:
    """All methods on one case, as plain JSON: {method: {causes, seconds, error, notes}}.

    A method that raises has found nothing; its error is kept and printed.
    """
    seen = {}
    for name, method in run.items():
        setup = case.build(seed)
        set_seed(seed)
        start = time.perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = method(setup, steps)
        except Exception as error:    # a table with a hole is better than none
            found = Found(error=f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}")
            tqdm.write(f"{case.name}, seed {seed}, {name}: {found.error}")
        found.seconds = time.perf_counter() - start
        seen[name] = found.__dict__ | {"causes": [list(pair) for pair in found.causes]}
    return seen


def methods_of(seen: dict) -> dict[str, list[str]]:
    """Causes that each of METHODS named, the most certain first, from what `examine` saw."""
    causes = {name: [tuple(pair) for pair in found["causes"]] for name, found in seen.items()}
    causes["doctor"] = causes["diagnose"] + causes["watch"] + causes["audit"]
    causes["recipe"] = causes["initial"] + causes["overfit"]
    ordered = {}
    for name in METHODS:
        by_confidence = sorted(causes[name], key=lambda pair: -pair[1])
        ordered[name] = [*dict.fromkeys(cause for cause, _ in by_confidence)]
    return ordered


def judge(case: Case, seeds: list[dict]) -> dict:
    """{method: {detected, named, findings, seconds}} of one case over its seeds.

    detected and named: with every seed. findings: the most of any seed. alarms: seeds with any finding.
    """
    right = {case.cause, *case.also}
    verdict = {}
    for name in METHODS:
        said = [methods_of(seen)[name] for seen in seeds]
        verdict[name] = {
            "detected": all(said), "alarms": sum(map(bool, said)),
            "named": all(causes and len(causes) <= 2 and causes[0] in right for causes in said),
            "findings": max(map(len, said)), "causes": said[0],
            "errors": sum(bool(seen[name]["error"]) for seen in seeds if name in seen)}
    return verdict


def share(count: int, n: int) -> Figure:
    """A share with its 95 % Wilson interval."""
    interval = binomtest(count, n).proportion_ci(method="wilson")
    value = count / n    # at 0 and 1 rounding may put the value outside
    return Figure(value, min(interval.low, value), max(interval.high, value), "share", n, "95 % Wilson interval")


def figures_of(half: str, cases: list[Case], verdicts: list[dict], seen: list[list[dict]]) -> dict[str, Figure]:
    """The figures of one half: shares detected and named, by variant and by method; of healthy cases, false alarms."""
    figures = {}
    for name in METHODS:
        if half == "healthy":
            count = sum(verdict[name]["alarms"] > 0 for verdict in verdicts)
            figures[f"healthy-{name}-false-alarms"] = share(count, len(cases))
            continue
        for variant in ("all", "obvious", "silent"):
            chosen = [verdict[name] for case, verdict in zip(cases, verdicts) if variant in ("all", case.variant)]
            if not chosen:
                continue
            suffix = "" if variant == "all" else f"-{variant}"
            figures[f"{half}-{name}-detected{suffix}"] = share(sum(v["detected"] for v in chosen), len(chosen))
            if name not in ("initial", "overfit", "recipe"):    # these name no cause
                figures[f"{half}-{name}-named{suffix}"] = share(sum(v["named"] for v in chosen), len(chosen))
    for name in ("diagnose", "watch"):
        seconds = sorted(one[name]["seconds"] for seeds in seen for one in seeds)
        figures[f"{half}-{name}-seconds"] = Figure(statistics.median(seconds), seconds[0], seconds[-1], "s",
                                                   len(seconds), "fastest and slowest")
    return figures


def table(cases: list[Case], verdicts: list[dict]) -> list[dict]:
    """A row a case, for the chapter's table: the case, and what each method found."""
    return [{"case": case.name, "family": case.family, "variant": case.variant, "cause": case.cause or "",
             "step": case.step or "", "methods": verdict} for case, verdict in zip(cases, verdicts)]


def main(arguments: list[str] | None = None, run: dict[str, Callable] = RUN) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=[*HALVES, "all"], required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--cases", nargs="+", help="names; default, all of the half")
    parser.add_argument("--steps", type=int, default=100, help="training steps that are watched (default: 100)")
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    halves = [*HALVES] if options.half == "all" else [options.half]
    chosen = {half: [case for case in HALVES[half] if not options.cases or case.name in options.cases]
              for half in halves}
    unknown = {*(options.cases or [])} - {case.name for cases in chosen.values() for case in cases}
    if unknown:
        raise SystemExit(f"no case {', '.join(sorted(unknown))} in {options.half}")

    runs, figures, tables = Runs(options.results, "bug_zoo"), {}, {}
    work = [(case, seed) for cases in chosen.values() for case in cases for seed in options.seeds]
    with benchmark.set_torch_threads(options.threads), contextlib.closing(tqdm(total=len(work))) as bar:
        seen = {}
        for case, seed in work:
            # The program's text is part of the key: a case that changes is run again.
            key = {"case": case.name, "seed": seed, "steps": options.steps, "code": hash_of(case)}
            seen[case.name, seed] = runs.get(key, lambda: examine(case, seed, options.steps, run))
            bar.update()
    for half, cases in chosen.items():
        if not cases:
            continue
        by_case = [[seen[case.name, seed] for seed in options.seeds] for case in cases]
        verdicts = [judge(case, seeds) for case, seeds in zip(cases, by_case)]
        figures |= figures_of(half, cases, verdicts, by_case)
        tables[half] = table(cases, verdicts)
        show(half, cases, verdicts)
    for name, figure in figures.items():
        print(f"{name:40} {figure}")
    path = record("bug_zoo", figures, folder=options.results, device="cpu",
                  what="What the doctor, its parts and the post's recipe find in the zoo of bugs, and their false "
                       "alarms on healthy programs.",
                  settings={"halves": halves, "seeds": options.seeds, "steps": options.steps,
                            "overfit_steps": OVERFIT_STEPS, "overfitted": OVERFITTED, "threads": options.threads,
                            "cases": tables})
    print(f"wrote {path}")


def hash_of(case: Case) -> str:
    """A short name of the program's text, bug included."""
    return hashlib.sha256(case.code().encode()).hexdigest()[:12]


def show(half: str, cases: list[Case], verdicts: list[dict]) -> None:
    """What each method finds, a line a case: N named, d detected, - not; of healthy cases, ! a false alarm."""
    print(f"\n{half:44} {' '.join(f'{name:>10}' for name in METHODS)}")
    for case, verdict in zip(cases, verdicts):
        marks = []
        for name in METHODS:
            one = verdict[name]
            marks.append(("!" if one["alarms"] else "-") if half == "healthy" else
                         "N" if one["named"] else "d" if one["detected"] else "-")
        print(f"{case.name:44} {' '.join(f'{mark:>10}' for mark in marks)}  {', '.join(verdict['doctor']['causes'])}")


if __name__ == "__main__":
    main()
