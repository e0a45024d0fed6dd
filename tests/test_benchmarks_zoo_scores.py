"""The benchmark of the zoo's scores: its figures by hand, and two cases run through it."""
import pytest

from benchmarks import bug_zoo, zoo_scores
from course_lib.results import load


def row(step, cause, way, found=(), crashed=False, family="MLP", same_loss=False, overfits=True, named=False):
    methods = {name: {"detected": name in found, "named": named, "alarms": int(name in found)} for name in bug_zoo.METHODS}
    return {"step": step, "cause": cause, "variant": "silent", "way": way, "crashed": crashed, "family": family,
            "twin_overfits": overfits, "same_loss": same_loss, "methods": methods}


def test_figures_by_hand():
    rows = [row("model", "batch-mixing", 0.9, ["invariance", "doctor"], named=True),
            row("loss", "probabilities-for-logits", 0.85, ["overfit", "recipe", "doctor"], family="transformer encoder"),
            row("optimiser", "learning-rate-zero", 0.1, same_loss=True),
            row("data", "input-truncated", 0.0, ["initial", "recipe"], crashed=True),
            row("model", "capacity", 0.2, ["overfit", "recipe"], overfits=False)]
    healthy = [row("", None, 1, found) for found in ((), (), (), ("overfit",))]
    value = {name: figure.value for name, figure in zoo_scores.figures_of(rows, healthy).items()}
    assert value["cases"] == value["silent-cases"] == 5
    assert value["bugs-do-not-crash"] == pytest.approx(4 / 5)
    assert value["bugs-perform-decently"] == pytest.approx(2 / 5)
    assert value["mistakes-at-every-step"] == 2             # model and loss
    assert value["look-at-predictions"] == 1
    assert value["overfitting-finds-bugs"] == pytest.approx(1 / 5)    # the twin of the last does not overfit either
    assert value["initial-loss-is-a-reference"] == 0        # of model and loss
    assert value["indexing-is-the-worst"] == pytest.approx(100 * (0 - 3 / 4))
    assert value["holds-in-other-fields"] == pytest.approx(1 / 4)
    assert (value["invariance-only"], value["recipe-only"], value["neither"]) == (1, 3, 1)
    assert value["named-first"] == pytest.approx(1 / 5)
    assert value["correct-models-overfit"] == pytest.approx(3 / 4)
    assert value["failing-means-a-bug"] == pytest.approx(0.4 / (0.4 + 0.25))


def test_the_difference_of_two_shares_has_newcombe_s_interval():
    # Newcombe 1998, table II, example (a): 56/70 and 48/80
    found = zoo_scores.difference(bug_zoo.share(56, 70), bug_zoo.share(48, 80))
    assert (found.value, found.low, found.high) == pytest.approx((20.0, 5.24, 33.39), abs=0.01)


def test_two_cases_are_run_and_recorded(tmp_path, capsys):
    names = [zoo_scores.OPEN[0].name, zoo_scores.SEALED[0].name, bug_zoo.HEALTHY[0].name]
    with pytest.raises(SystemExit, match="run python -m benchmarks.bug_zoo"):
        zoo_scores.main(["--results", str(tmp_path)])

    def silent(setup, steps):
        return bug_zoo.Found()

    bug_zoo.main(["--half", "all", "--seeds", "0", "--results", str(tmp_path), "--cases", *names], run=dict.fromkeys(bug_zoo.RUN, silent))
    zoo_scores.main(["--steps", "5", "--limit", "1", "--results", str(tmp_path)])
    (recording,) = load("zoo_scores", tmp_path)
    assert recording.figures["cases"].value == 2
    assert [case["case"] for case in recording.settings["cases"]] == names[:2]
