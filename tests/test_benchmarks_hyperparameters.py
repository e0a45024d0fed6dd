"""The benchmark of searches: its figures against tables made by hand, and one quick run."""
import itertools

import pytest
import torch
from scipy import stats

from benchmarks import hyperparameters
from course_lib.results import load

SIZES = hyperparameters.SIZES | dict(repeats=2, process_repeats=1, draws=50, trees=8)
POINTS = [dict(zip(hyperparameters.SPACE, values)) for values in itertools.product(*hyperparameters.SPACE.values())]


def test_places_in_the_grid():
    assert [hyperparameters.index_of(one) for one in POINTS] == list(range(108))


def test_the_choice_is_made_in_validation_and_judged_in_test():
    assert hyperparameters.chosen([0.1, 0.9, 0.5], [0.7, 0.2, 0.8], [0, 1, 2]) == 0.2
    assert hyperparameters.chosen([0.1, 0.9, 0.5], [0.7, 0.2, 0.8], [0, 2]) == 0.8


def test_wilson_s_interval_against_scipy():
    for right, n in ((0, 10), (7, 10), (52, 65), (65, 65)):
        figure, theirs = hyperparameters.wilson(right, n), stats.binomtest(right, n).proportion_ci(method="wilson")
        assert [figure.low, figure.high] == pytest.approx([theirs.low, theirs.high], abs=1e-6)


def test_the_figures_of_a_table_by_hand():
    rates = hyperparameters.SPACE["learning_rate"]
    # Accuracy rises with the learning rate, from .5 in steps of .05; nothing else matters.
    test = [0.5 + 0.05 * rates.index(one["learning_rate"]) for one in POINTS]
    table = {"validation": test, "test": test, "default": 0.6, "seconds": 1.0}
    figures, curves = hyperparameters.figures_of([table, table], SIZES)
    assert figures["best-of-the-grid"].value == 0.75 and figures["median-of-the-grid"].value == 0.625
    # 10 of 108 points miss the 18 best with the chance C(90, 10) / C(108, 10) = .145.
    missed = stats.hypergeom(108, 18, 10).pmf(0)
    assert figures["random-search-effective"].value == pytest.approx(1 - missed * 0.05 / 0.125, abs=0.05)
    assert figures["thousand-runs-pointless"].value == pytest.approx(5 * stats.hypergeom(108, 18, 20).pmf(0), abs=0.15)
    assert figures["tuned-gain"].value == pytest.approx(15, abs=0.3)
    assert figures["importance-learning-rate"].value > 0.95 and figures["importance-width"].value < 0.01
    # Eight points rank it first, too, but for draws that hold few rates.
    assert figures["few-runs-show-importance"].n == 26 and figures["few-runs-show-importance"].value > 0.6
    assert abs(figures["random-is-tough-to-beat"].value) < 4 and len(curves["bayes"]) == 20
    assert curves["random"] == sorted(curves["random"])


def test_a_table_in_which_all_is_equal():
    table = {"validation": [0.5] * 107 + [0.6], "test": [0.5] * 108, "default": 0.5, "seconds": 1.0}
    figures, _ = hyperparameters.figures_of([table], SIZES)
    assert figures["random-search-effective"].value == 0 and figures["few-runs-show-importance"].value < 0.2


@pytest.fixture
def folder(tmp_path):
    """Real reviews in small: one word tells."""
    for name, word in (("pos", "fine"), ("neg", "dull")):
        lines = [f"the film of day {i} was {word} , said {i % 7}" for i in range(120)]
        (tmp_path / f"reviews.{name}").write_text("\n".join(lines), encoding="utf-8")
    return str(tmp_path)


def test_a_run_learns_and_one_that_diverges_counts_as_chance(folder, monkeypatch):
    task = hyperparameters.Task(folder, hyperparameters.SIZES | dict(reviews=160, held_out=40, epochs=8), seed=0)
    assert "fine" in task.words and len(task.parts["test"][0]) == 40
    settings = {"learning_rate": 3e-2, "width": 16, "dropout": 0.0, "batch": 32}
    found = task.run(settings)
    assert found["validation"] > 0.9 and found["test"] > 0.9
    assert task.run(settings)["test"] == found["test"]

    def diverges(*args, **kwargs):
        raise hyperparameters.Diverged("no", None)

    monkeypatch.setattr(hyperparameters, "train", diverges)
    assert task.run(settings)["validation"] == 0.5


def test_the_mean_leaves_padding_out():
    model = hyperparameters.DeepAveraging(10, 4, 0.0).eval()
    assert torch.allclose(model(torch.tensor([[3, 4, 0, 0]])), model(torch.tensor([[3, 4]])))


def test_it_runs(tmp_path, capsys, monkeypatch):
    # A grid of eight is enough to see it through.
    monkeypatch.setattr(hyperparameters, "SPACE", {name: values[:2 if name != "learning_rate" else 3]
                                                   for name, values in hyperparameters.SPACE.items()})
    hyperparameters.main(["--quick", "--seeds", "0", "1", "--results", str(tmp_path), "--runs", str(tmp_path)])
    [found] = load("hyperparameters", tmp_path)
    assert {"random-search-effective", "random-is-tough-to-beat", "thousand-runs-pointless",
            "few-runs-show-importance"} <= found.figures.keys()
    assert found.settings["real_reviews"] is False and len(found.settings["tables"]) == 2
    assert not list(tmp_path.glob("*/unfinished.jsonl"))
    assert capsys.readouterr().out.splitlines()[-1].startswith("wrote ")
