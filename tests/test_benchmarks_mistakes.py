"""The benchmark of single mistakes: what it compares, on a few steps and by hand."""
import math

import pytest
import torch
from torch import nn

from benchmarks import small_mistakes as bench
from course_lib.results import load


def test_padding_does_not_change_a_classification():
    torch.manual_seed(0)
    model = bench.Classifier(20, bench.QUICK).eval()
    ids = torch.randint(2, 20, (3, 7))
    padded = torch.cat([ids, torch.zeros(3, 4, dtype=torch.int64)], 1)
    assert torch.allclose(model(ids), model(padded), atol=1e-6)


def test_accuracy_and_loss_by_hand():
    class Table(nn.Module):
        def forward(self, ids):
            return torch.tensor([[0.0, math.log(3)]]).repeat(len(ids), 1)

    part = ([[2], [3, 4], [5], [6]], torch.tensor([1, 1, 1, 0]))
    accuracy, loss = bench.accuracy_and_loss(Table(), part, batch=3)
    assert accuracy == 0.75
    assert loss == pytest.approx(-(3 * math.log(0.75) + math.log(0.25)) / 4)

    class Broken(nn.Module):
        def forward(self, ids):
            return torch.full((len(ids), 2), math.nan)

    assert bench.accuracy_and_loss(Broken(), part)[0] == 0.5


def test_one_thing_is_changed():
    """Clearing, probabilities and activation each change the weights; the same seed does not."""
    texts = [[2, 3, 4], [5, 6], [7, 8, 9, 2], [3, 3]] * 4
    part = texts, torch.tensor([0, 1, 1, 0] * 4)

    def weights(**changes):
        model = bench.fit(part, 12, bench.QUICK, 0, steps=3, **changes)
        return torch.cat([weight.flatten() for weight in model.parameters()])

    right = weights()
    assert torch.equal(right, weights())
    for changes in ({"clear": False}, {"probabilities": True}, {"activation": "tanh"}, {"optimiser": "sgd"}, {"dropout": 0.0}):
        assert not torch.allclose(right, weights(**changes)), changes


def test_figures_are_differences_within_a_seed():
    def seed(shift):
        one = {name: 80.0 + shift for name in ("adam", "relu-validation", "gelu-validation", "silu-validation", "relu-test",
                                                "gelu-test", "silu-test", "tanh-test", "sgd")}
        return one | {"adam-in-training-mode": 78.0 + shift, "adam-not-cleared": 70.0 + shift, "sgd-not-cleared": 77.0 + shift,
                      "probabilities": 79.0 + shift, "tanh-validation": 81.0 + shift, "tanh-test": 80.5 + shift,
                      "overfitting": 1.5, "spearman": 0.9, "chrf": [10.0, 30.0]}

    figures = bench.figures_of([seed(0), seed(5), seed(9)])
    value = {name: figure.value for name, figure in figures.items()}
    assert value["eval-forgotten"] == pytest.approx(2)
    assert value["zero-grad-adam"] == pytest.approx(10) and value["zero-grad-sgd"] == pytest.approx(3)
    assert value["zero-grad-forgotten"] == pytest.approx(3)    # the smaller difference
    assert value["probabilities-for-logits"] == pytest.approx(1)
    assert value["activation-tweaks-pointless"] == pytest.approx(0.5)    # tanh is picked on validation, and compared on test data
    assert value["overfitting-turns-the-loss"] == 1.5 and value["translations-improve"] == pytest.approx(0.9)
    assert figures["eval-forgotten"].low == pytest.approx(2)    # paired: the seeds' own levels drop out


def test_it_runs_and_records(tmp_path, capsys):
    bench.main(["--quick", "--seeds", "0", "1", "--results", str(tmp_path)])
    (recording,) = load("small_mistakes", tmp_path)
    assert {"eval-forgotten", "zero-grad-forgotten", "translations-improve"} <= set(recording.figures)
    assert recording.settings["seeds"] == [0, 1]
    assert not list(tmp_path.glob("**/unfinished.jsonl"))
