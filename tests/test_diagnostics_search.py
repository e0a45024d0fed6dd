"""Searches against brute force, importance against a closed form and optuna's, and nothing lost to a bad run."""
import itertools
import json
import math
import sys

import numpy
import pytest

from course_lib import plotting
from course_lib.diagnostics import search
from course_lib.diagnostics.search import (Comparison, Run, Search, best_so_far, bootstrap, compare_with_bayes, draw,
                                           importance, log_range, random_search)

SPACE = {"rate": log_range(1e-4, 1e-1, 4), "width": [8, 16, 32], "kind": ["relu", "gelu"]}


def score(settings):
    """Additive: best at rate .01, width 32, gelu."""
    return -abs(math.log10(settings["rate"]) + 2) + settings["width"] / 32 + 0.1 * (settings["kind"] == "gelu")


@pytest.fixture
def shown(monkeypatch):
    found = []
    monkeypatch.setattr(plotting, "show", lambda fig, alt, name=None: found.append((fig, alt, name)))
    return found


def test_ranges():
    assert log_range(1e-4, 1e-1, 4) == [1e-4, 1e-3, 1e-2, 1e-1]
    assert log_range(1, 2, 3) == [1.0, 1.41, 2.0]
    for low, high, points in ((0, 1, 3), (2, 1, 3), (1, 2, 1)):
        with pytest.raises(ValueError, match="0 < low < high"):
            log_range(low, high, points)


def test_points_are_those_of_the_product():
    assert [search.point(SPACE, i) for i in range(24)] == [
        dict(zip(SPACE, values)) for values in itertools.product(*SPACE.values())]
    points = draw(SPACE, 24, seed=3)
    assert len({json.dumps(one) for one in points}) == 24
    assert points[:5] == draw(SPACE, 5, seed=3) != draw(SPACE, 5, seed=4)


def test_points_are_drawn_with_equal_chances():
    counts = numpy.zeros(6)
    space = {"a": [0, 1, 2], "b": [0, 1]}
    for seed in range(3000):
        for one in draw(space, 2, seed):
            counts[one["a"] * 2 + one["b"]] += 1
    assert counts.sum() == 6000 and (abs(counts - 1000) < 5 * math.sqrt(6000 * 1 / 6 * 5 / 6)).all()


def test_the_whole_grid_has_its_best_point():
    found = random_search(score, SPACE, runs=24)
    assert found.best.settings == {"rate": 1e-2, "width": 32, "kind": "gelu"} and len(found.runs) == 24
    lowest = random_search(lambda settings: -score(settings), SPACE, 24, maximise=False)
    assert lowest.best.settings == found.best.settings
    assert found.best_so_far() == list(itertools.accumulate((run.value for run in found.runs), max))
    assert [row["value"] for row in found.table()] == sorted((run.value for run in found.runs), reverse=True)


def test_best_so_far_passes_over_what_failed():
    nan = math.nan
    assert best_so_far([nan, 1.0, nan, 3.0, 2.0])[1:] == [1.0, 1.0, 3.0, 3.0] and math.isnan(best_so_far([nan])[0])
    assert best_so_far([2.0, nan, 1.0], maximise=False) == [2.0, 2.0, 1.0]


def test_a_bad_run_loses_no_other(tmp_path):
    calls = []

    def objective(settings):
        calls.append(settings)
        if len(calls) == 3:
            raise RuntimeError("diverged")
        if len(calls) == 5:
            return math.nan
        if len(calls) == 7:
            raise KeyboardInterrupt
        return score(settings)

    keep = tmp_path / "new" / "runs.jsonl"
    with pytest.raises(KeyboardInterrupt):
        random_search(objective, SPACE, 10, keep=keep)
    with keep.open("a") as file:
        file.write('{"number": 6, "sett')    # cut off
    found = random_search(objective, SPACE, 10, keep=keep)
    assert len(calls) == 11
    assert [bool(run.error) for run in found.runs] == [False, False, True, False, True] + [False] * 5
    assert found.runs[2].error == "RuntimeError: diverged" and "nan" in found.runs[4].error
    assert found.best.value == max(run.value for run in found.runs if not run.error)
    assert [row["error"] != "" for row in found.table()][-2:] == [True, True]
    longer = random_search(objective, SPACE, 12, keep=keep)
    assert len(calls) == 13 and [run.value for run in longer.finished[:8]] == [run.value for run in found.finished]
    with pytest.raises(ValueError, match="belongs to another search"):
        random_search(objective, SPACE, 10, seed=1, keep=keep)
    (tmp_path / "mine.txt").write_text("a shopping list\n")
    with pytest.raises(ValueError, match="belongs to another search"):
        random_search(objective, SPACE, 10, keep=tmp_path / "mine.txt")
    assert (tmp_path / "mine.txt").read_text() == "a shopping list\n"


def test_a_search_in_which_nothing_finishes():
    def objective(settings):
        raise RuntimeError("no data")

    found = random_search(objective, SPACE, 3)
    with pytest.raises(ValueError, match="none of 3 runs finished; the first said: RuntimeError: no data"):
        found.best
    assert all(map(math.isnan, found.best_so_far()))
    assert random_search(score, SPACE, 1).best.number == 0


@pytest.mark.parametrize("space, message", [
    ({}, "the space is empty"), ({"rate": []}, "rate: give a list"), ({"rate": "abc"}, "rate: give a list"),
    ({"rate": 0.1}, "rate: give a list"), ({"rate": [0.1, 0.1]}, "stands there twice"),
    ({"rate": [object()]}, "give what cannot be written down a name"), ({"rate": [math.nan]}, "cannot be written down"),
])
def test_bad_spaces(space, message):
    for function in (random_search, compare_with_bayes):
        with pytest.raises(ValueError, match=message):
            function(score, space, 1)


@pytest.mark.parametrize("runs", [0, 25])
def test_bad_numbers_of_runs(runs):
    for function in (random_search, compare_with_bayes):
        with pytest.raises(ValueError, match="the grid"):
            function(score, SPACE, runs)


# Against a Bayesian search

def test_the_comparison_is_of_equal_runs():
    calls = []
    found = compare_with_bayes(lambda settings: calls.append(json.dumps(settings)) or score(settings), SPACE, 12,
                               repeats=2)
    assert found.curves["random"].shape == found.curves["bayes"].shape == (2, 12) and len(calls) == 48
    for start in range(0, 48, 12):    # no search pays for a point twice
        assert len(set(calls[start:start + 12])) == 12
    assert found.curves["random"][1].tolist() == random_search(score, SPACE, 12, seed=1).best_so_far()
    assert score(found.chosen["bayes"][0]) == found.curves["bayes"][0, -1]
    whole = compare_with_bayes(score, SPACE, 24, repeats=1)    # both see the whole grid
    assert whole.curves["bayes"][0, -1] == whole.curves["random"][0, -1] and whole.difference().value == 0


def test_the_bayesian_search_finds_a_valley():
    space = {name: list(range(12)) for name in "ab"}
    def valley(settings):
        return (settings["a"] - 8) ** 2 + (settings["b"] - 3) ** 2

    found = compare_with_bayes(valley, space, 40, repeats=6, maximise=False)
    assert found.difference().low > 0 and found.curves["bayes"][:, -1].mean() < found.curves["random"][:, -1].mean()
    assert found.difference(5).value <= found.difference().value + 10    # curves, not only ends


def test_failed_runs_count_as_runs():
    def objective(settings):
        if settings["kind"] == "relu":
            raise RuntimeError("diverged")
        return score(settings)

    found = compare_with_bayes(objective, SPACE, 12, repeats=2)
    assert numpy.nanmax(found.curves["bayes"]) <= score({"rate": 1e-2, "width": 32, "kind": "gelu"})
    def fails(settings):
        raise RuntimeError("no data")

    with pytest.raises(ValueError, match="every run failed"):
        compare_with_bayes(fails, SPACE, 2, repeats=1).difference()


def test_without_optuna_or_scikit_learn(monkeypatch):
    found = random_search(score, SPACE, 12)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ImportError, match="pip install optuna"):
        compare_with_bayes(score, SPACE, 3)
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        importance(found)


def test_the_bootstrap():
    rng = numpy.random.default_rng(0)
    values = rng.normal(3.0, 2.0, 400)
    figure = bootstrap([values], "points")
    assert figure.value == pytest.approx(values.mean()) and figure.n == 400
    half = 1.96 * values.std() / 20    # of the mean, by the central limit theorem
    assert [figure.value - figure.low, figure.high - figure.value] == pytest.approx([half, half], rel=0.15)
    # Groups that differ: it is their number that counts, not that of the values.
    groups = [numpy.full(100, float(i)) for i in range(5)]
    grouped = bootstrap(groups, "points")
    assert grouped.value == 2.0 and grouped.high - grouped.low == pytest.approx(2 * 1.96 * math.sqrt(2 / 5), rel=0.25)
    assert bootstrap([[1.0, math.nan], [math.nan]], "points").spread == "one run, no interval"


def test_the_figure_of_the_comparison(shown):
    random = numpy.linspace(0, 0.5, 6) + numpy.zeros((4, 1)) + numpy.array([[0.0], [0.01], [0.02], [0.03]])
    comparison = Comparison({"random": random, "bayes": random + 0.2}, {})
    comparison.draw("searches")
    Comparison({"random": random, "bayes": random[::-1]}, {}).draw()
    titles = [fig.axes[0].get_title(loc="left") for fig, _, _ in shown]
    assert titles == ["After 6 runs Bayesian search is ahead", "After 6 runs neither search is ahead"]
    assert list(shown[0][0].axes[0].lines[0].get_ydata()) == pytest.approx(list(random.mean(0)))
    assert shown[0][2] == "searches" and "random search has 0.515" in shown[0][1]


# What matters

def whole(function, space):
    """Every point of the grid as a finished run."""
    points = [dict(zip(space, values)) for values in itertools.product(*space.values())]
    return Search(space, True, [Run(i, one, float(function(one)), 0.0) for i, one in enumerate(points)])


def test_importance_of_an_additive_function_in_closed_form():
    # 3 a + b + 0 c, each uniform on 0 to 7: the variances are as 9 to 1.
    space = {name: list(range(8)) for name in "cba"}
    found = importance(whole(lambda one: 3 * one["a"] + one["b"], space), resamples=20, trees=16)
    assert list(found) == ["a", "b", "c"]
    assert [figure.value for figure in found.values()] == pytest.approx([0.9, 0.1, 0.0], abs=0.01)
    assert all(figure.low <= figure.value <= figure.high for figure in found.values())


def test_importance_leaves_out_what_two_explain_together():
    space = {"a": [-1, 1], "b": [-1, 1], "c": ["x", "y", "z"]}
    # a b has no effect of its own; of c in {0, 1, 0}, the variance is 2/9, that of a b is 1.
    search_ = whole(lambda one: one["a"] * one["b"] + (one["c"] == "y"), space)
    search_.runs = 20 * search_.runs
    found = importance(search_, resamples=0)
    assert found["c"].value == pytest.approx(2 / 9 / (1 + 2 / 9), abs=0.06)
    assert found["a"].value < 0.05 and found["b"].value < 0.05 and found["a"].spread == "no interval"


@pytest.mark.filterwarnings("ignore:Argument ``normalize``")
def test_importance_against_optuna_s():
    import optuna
    rng = numpy.random.default_rng(0)
    space = {"a": list(range(10)), "b": list(range(10)), "c": list(range(10))}
    found = random_search(lambda one: one["a"] + 0.5 * one["b"] + 0.02 * one["a"] * one["c"] + rng.normal(0, 0.3),
                          space, 120)
    study = optuna.create_study(direction="maximize")
    for run in found.runs:
        study.add_trial(optuna.trial.create_trial(params=run.settings, value=run.value, distributions={
            name: optuna.distributions.IntDistribution(0, 9) for name in space}))
    theirs = optuna.importance.get_param_importances(
        study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0), normalize=False)
    ours = importance(found, resamples=0)
    assert list(ours) == list(theirs)
    assert [ours[name].value for name in space] == pytest.approx([theirs[name] for name in space], abs=0.05)


def test_few_runs_leave_importance_uncertain():
    space = {name: list(range(6)) for name in "abc"}
    rng = numpy.random.default_rng(1)
    def noisy(one):
        return one["a"] + 0.5 * one["b"] + rng.normal(0, 1)

    few, many = (importance(random_search(noisy, space, runs, seed=2), resamples=40, trees=16) for runs in (8, 150))
    assert few["a"].high - few["a"].low > 2 * (many["a"].high - many["a"].low)
    assert next(iter(many)) == "a" and many["a"].low > many["c"].high


def test_importance_of_too_little():
    with pytest.raises(ValueError, match="needs at least 3"):
        importance(random_search(score, SPACE, 2))
    with pytest.raises(ValueError, match="all 5 values are equal, 1"):
        importance(random_search(lambda settings: 1.0, SPACE, 5))
    with pytest.raises(ValueError, match="give fewer values"):
        importance(random_search(lambda one: one["a"], {name: list(range(100)) for name in "abc"}, 5))


def test_the_figure_of_importance(shown):
    space = {name: list(range(6)) for name in "ab"}
    search.draw_importance(importance(whole(lambda one: 3 * one["a"] + one["b"], space), resamples=10))
    search.draw_importance({"a": bootstrap([[0.4, 0.6]], "share"), "b": bootstrap([[0.3, 0.5]], "share")})
    search.draw_importance({"a": bootstrap([[0.4, 0.6]], "share")})
    titles = [fig.axes[0].get_title(loc="left") for fig, _, _ in shown]
    assert titles == ["a matters most", "a or b matters most", "a matters most"]
    assert all(plotting.svg(fig, alt) for fig, alt, _ in shown)
