"""benchmarks/bug_zoo.py on two cases, with stand-ins for the doctor, and its arithmetic."""
import json
import math
from types import SimpleNamespace

import pytest
import torch

from benchmarks import bug_zoo
from benchmarks.bug_zoo import Found, examine, figures_of, judge, main, methods_of, share
from course_lib.diagnostics.zoo.healthy import HEALTHY
from course_lib.diagnostics.zoo.open import OPEN
from course_lib.results import load


def case_of(name, cases=OPEN):
    return next(case for case in cases if case.name == name)


def saw(**causes):
    """As `examine` keeps it."""
    return {name: {"causes": causes.get(name, []), "seconds": 1.0, "error": "", "notes": {}} for name in bug_zoo.RUN}


def test_methods_are_made_of_what_was_run():
    seen = saw(diagnose=[["capacity", 0.4], ["future-leak", 0.9]], invariance=[["future-leak", 0.9]],
               watch=[["future-leak", 0.5], ["loss-scale", 0.6]], overfit=[["alarm", 1.0]])
    assert methods_of(seen) == {
        "diagnose": ["future-leak", "capacity"], "invariance": ["future-leak"], "watch": ["loss-scale", "future-leak"],
        "audit": [], "doctor": ["future-leak", "loss-scale", "capacity"], "initial": [], "overfit": ["alarm"],
        "recipe": ["alarm"]}


@pytest.mark.parametrize("said, detected, named", [
    ([["parameter-unused", 0.5]], True, True),
    ([["loss-detached", 0.5], ["capacity", 0.2]], True, True),                               # also right, second
    ([["capacity", 0.5], ["parameter-unused", 0.2]], True, False),                           # named second
    ([["parameter-unused", 0.5], ["capacity", 0.2], ["loss-scale", 0.1]], True, False),      # one of three
    ([], False, False)])
def test_a_cause_is_named_as_the_first_of_at_most_two(said, detected, named):
    case = case_of("translator-state-detached")
    verdict = judge(case, [saw(diagnose=said)])["doctor"]
    assert (verdict["detected"], verdict["named"]) == (detected, named)


def test_one_seed_that_misses_is_a_miss():
    case, hit = case_of("translator-state-detached"), saw(diagnose=[["parameter-unused", 0.5]])
    assert judge(case, [hit, hit])["doctor"]["named"]
    verdict = judge(case, [hit, saw()])["doctor"]
    assert not verdict["detected"] and not verdict["named"] and verdict["alarms"] == 1


def test_figures_are_those_counted_by_hand():
    cases = [case_of("translator-state-detached"), case_of("gpt-not-causal"), case_of("deep-mlp-without-a-step")]
    seen = [[saw(diagnose=[["parameter-unused", 1.0]])], [saw(watch=[["capacity", 1.0]])],
            [saw(overfit=[["alarm", 1.0]])]]
    verdicts = [judge(case, seeds) for case, seeds in zip(cases, seen)]
    values = {name: figure.value for name, figure in figures_of("open", cases, verdicts, seen).items()}
    assert values["open-doctor-detected"] == pytest.approx(2 / 3)
    assert values["open-doctor-named"] == values["open-recipe-detected"] == pytest.approx(1 / 3)
    assert values["open-doctor-detected-silent"] == 1.0 and values["open-doctor-detected-obvious"] == 0.0
    assert values["open-invariance-detected"] == 0.0 and values["open-diagnose-seconds"] == 1.0
    assert "open-recipe-named" not in values

    healthy = HEALTHY[:2]
    verdicts = [judge(case, seeds) for case, seeds in zip(healthy, seen)]
    figures = figures_of("healthy", healthy, verdicts, seen[:2])
    assert figures["healthy-doctor-false-alarms"].value == 1.0
    assert figures["healthy-diagnose-false-alarms"].value == 0.5


@pytest.mark.parametrize("count, n", [(0, 20), (20, 20), (7, 20)])
def test_intervals_are_wilsons(count, n):
    figure, z, p = share(count, n), 1.959964, count / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    assert (figure.low, figure.high) == pytest.approx((centre - half, centre + half), abs=1e-5)


# The recipe of the post, on real cases

@pytest.mark.parametrize("name, initial, overfit", [
    ("regressor-column-against-row", False, True), ("deep-mlp-mean-divided-again", True, False),
    ("gpt-not-causal", False, None), ("deep-mlp-without-a-step", False, True)])
def test_recipe(name, initial, overfit):
    case = case_of(name)
    assert bool(bug_zoo.initial_loss(case.build(0), 0).causes) == initial
    if overfit is not None:
        assert bool(bug_zoo.overfit_one_batch(case.build(0), 0).causes) == overfit


@pytest.mark.parametrize("program", ["plain-deep-mlp", "plain-regressor", "plain-autoencoder"])
def test_a_healthy_program_passes_the_recipe(program):
    case = case_of(program, HEALTHY)
    for method in (bug_zoo.initial_loss, bug_zoo.overfit_one_batch):
        torch.manual_seed(0)
        assert not method(case.build(0), 0).causes


@pytest.mark.parametrize("program", ["plain-convnet", "plain-deep-mlp"])    # a loader and a stream
def test_overfitting_sees_one_batch_without_regularisation(program, monkeypatch):
    setup, seen = case_of(program, HEALTHY).build(0), set()
    loss_fn = setup.loss_fn
    setup.loss_fn = lambda outputs, targets: seen.add(tuple(targets.tolist())) or loss_fn(outputs, targets)
    monkeypatch.setattr(bug_zoo, "OVERFIT_STEPS", 35)
    bug_zoo.overfit_one_batch(setup, 0)
    assert len(seen) == 1 and all(group["weight_decay"] == 0 for group in setup.optimizer.param_groups)
    assert all(module.p == 0 for module in setup.model.modules() if isinstance(module, torch.nn.Dropout))


def test_expected_loss_is_that_of_a_constant_guess():
    expected = {case.name: bug_zoo.guess_loss(case.build(0)) for case in HEALTHY[:15]}
    assert expected["plain-classifier"] == pytest.approx(math.log(4))
    assert expected["plain-gpt"] == pytest.approx(math.log(24))
    assert expected["plain-matcher"] == pytest.approx(math.log(2))
    assert 0.3 < expected["plain-regressor"] < 3 and expected["plain-two-tasks"] is None


# Whole runs

def finds(cause):
    def method(setup, steps):
        assert steps == 3
        return Found([(cause, 0.9)] if len(setup.train(setup, steps)) == 3 else [])
    return method


def raises(setup, steps):
    raise RuntimeError("no such luck")


def test_two_cases_from_end_to_end(tmp_path, capsys):
    stand_ins = {"diagnose": finds("future-leak"), "invariance": finds("future-leak"), "watch": raises,
                 "audit": lambda setup, steps: Found(),
                 "initial": bug_zoo.initial_loss, "overfit": lambda setup, steps: Found()}
    arguments = ["--half", "open", "--cases", "gpt-not-causal", "deep-mlp-mean-divided-again", "--seeds", "0", "1",
                 "--steps", "3", "--results", str(tmp_path)]
    main(arguments, stand_ins)
    [recording] = load("bug_zoo", tmp_path)
    figures = recording.figures
    assert figures["open-doctor-detected"].value == 1.0 and figures["open-doctor-named"].value == 0.5
    assert figures["open-initial-detected"].value == 0.5
    rows = {row["case"]: row for row in recording.settings["cases"]["open"]}
    assert rows["gpt-not-causal"]["methods"]["doctor"]["named"]
    assert rows["gpt-not-causal"]["methods"]["watch"]["errors"] == 2
    output = capsys.readouterr().out
    assert "no such luck" in output and "gpt-not-causal" in output
    assert len((tmp_path / "bug_zoo" / "unfinished.jsonl").read_text().splitlines()) == 4

    # Nothing is run a second time.
    main(arguments, dict.fromkeys(stand_ins, raises))
    assert load("bug_zoo", tmp_path)[0].figures == figures
    assert json.loads(next(tmp_path.glob("bug_zoo/*.json")).read_text())["settings"]["seeds"] == [0, 1]


def test_a_case_that_is_not_there(tmp_path):
    with pytest.raises(SystemExit, match="no case nothing"):
        main(["--half", "healthy", "--cases", "nothing", "--results", str(tmp_path)])


def test_findings_of_any_report_are_read():
    finding = SimpleNamespace(cause="capacity", confidence=0.5)
    assert bug_zoo._findings([finding]) == bug_zoo._findings(SimpleNamespace(findings=[finding])) == [("capacity", 0.5)]


def test_methods_get_a_fresh_setup_each():
    seen = []
    examine(case_of("plain-deep-mlp", HEALTHY), 0, 3,
            {"one": lambda setup, steps: seen.append(setup) or Found(),
             "two": lambda setup, steps: seen.append(setup) or Found()})
    assert seen[0] is not seen[1] and seen[0].model is not seen[1].model
