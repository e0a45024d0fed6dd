"""The benchmark of overfitting one batch: its figures by hand, and a few steps of it."""
import math

import pytest
import torch
from torch import nn

from benchmarks import overfit_batch as bench
from course_lib.diagnostics.zoo.healthy import PLAIN
from course_lib.results import load

CASES = {case.name: case for case in PLAIN}


def test_widths_give_the_sizes():
    for wanted in bench.SIZES["sizes"]:
        width = bench.width_for(wanted)
        nearest = abs(math.log(bench.parameters_of(width) / wanted))
        assert nearest < 0.15
        assert all(abs(math.log(bench.parameters_of(other) / wanted)) >= nearest for other in (width - 1, width + 1))


def test_fit_stops_when_the_mean_of_the_window_is_below():
    """loss = weight, which SGD at 0.25 takes from 1 down by 0.25 a step: losses 1, 0.75, 0.5, 0.25, 0."""
    def run(**settings):
        weight = nn.Parameter(torch.tensor(1.0))
        model = nn.Module()
        model.weight = weight
        return bench.fit(model, lambda: weight * 1.0, torch.optim.SGD([weight], lr=0.25), **settings)

    assert run(steps=9, below=0.6)["steps"] == 3
    assert run(steps=9, below=0.6, window=3)["steps"] == 4    # (0.75 + 0.5 + 0.25) / 3
    late = run(steps=2, below=0.6)
    assert not late["reached"] and late["steps"] == 2 and late["loss"] == 0.75


def test_a_loss_that_is_not_finite_counts_as_infinite():
    weight = nn.Parameter(torch.tensor(1e30))
    run = bench.fit(nn.Module(), lambda: weight * weight, torch.optim.SGD([weight], lr=1.0), 5, below=1.0)
    assert run["loss"] == math.inf and not run["reached"] and run["steps"] == 1


@pytest.mark.parametrize("name", ["plain-convnet", "plain-matcher"])    # with dropout layers, and without
def test_regularisation_is_set_and_acts(name):
    case = CASES[name]

    def losses(dropout, decay):
        setup = case.build(0)
        bench.regularise(setup, dropout, decay)
        setup.model.train()
        torch.manual_seed(0)
        return [bench.loss_on_batch(setup).item() for _ in range(2)], setup

    (first, second), setup = losses(0.0, 0.1)
    assert first == second and {group["weight_decay"] for group in setup.optimizer.param_groups} == {0.1}
    (first, second), setup = losses(0.1, 0.0)
    assert first != second and {group["weight_decay"] for group in setup.optimizer.param_groups} == {0.0}


def test_decay_is_decoupled_where_asked():
    setup = CASES["plain-matcher"].build(0)    # Adam
    bench.regularise(setup, 0.0, 0.1)
    assert not setup.optimizer.param_groups[0]["decoupled_weight_decay"]
    bench.regularise(setup, 0.0, 0.1, True)
    assert setup.optimizer.param_groups[0]["decoupled_weight_decay"]


def test_a_warm_up_does_not_lower_the_rate():
    setup = CASES["plain-gpt"].build(0)
    assert setup.optimizer.param_groups[0]["lr"] < 1e-3
    bench.regularise(setup, 0.0, 0.0)
    assert setup.optimizer.param_groups[0]["lr"] == 6e-3


def test_of_equal_losses_the_highest_rate_is_best():
    assert bench.best_rate([3.0, 2.0, 1.0, 1.0, *[math.inf] * 6]) == bench.WIDE_RATES[3]


def test_figures_by_hand():
    def run(reached):
        return {"reached": reached}

    def regularised(*reached):
        return {name: run(one) for name, one in zip(bench.REGULARISATION, reached)}

    def wide(best):
        return [float(rate != best) for rate in bench.WIDE_RATES]

    figures = bench.figures_of(
        [run(True), run(True), run(True), run(False)],
        [{"12": [6.0, 30, 1e-3], "2": [2.0, 10, 1e-3]}, {"12": [8.0, 20, 1e-3], "2": [2.0, 10, 1e-2]},
         {"12": [5.0, 10, 1e-3], "2": [1.0, 10, 1e-2]}],
        [regularised(True, True, True, True, False), regularised(True, False, True, False, True),
         regularised(True, False, True, True, True), regularised(False)],
        [{"sgd": wide(1.0), "adam": wide(1e-3)}, {"sgd": wide(10.0), "adam": wide(1e-2)}])
    value = {name: figure.value for name, figure in figures.items()}
    assert value["capacity-rarely-to-blame"] == 0.25    # one of four stays above
    assert value["regularisation-off"] == 0.5 and value["overfitted-without-regularisation"] == 0.75
    assert [value[f"stuck-with-{name}"] for name in ("dropout", "small-decay", "large-decay")] == [0.5, 0, 0.25]
    assert value["regularisation-off-decoupled"] == 0.75 and value["stuck-with-decoupled-decay"] == 0.25
    assert value["small-model-is-quicker"] == 4.0 and value["steps-deep-over-shallow"] == 2.0
    assert (figures["small-model-is-quicker"].low, figures["small-model-is-quicker"].high) == (3.0, 5.0)
    assert value["absurd-learning-rate-is-a-sign"] == 0.5    # a best rate of 10 is not below 10
    assert value["best-rate-below-10-sgd"] == 0.5 and value["best-rate-below-10-adam"] == 1.0
    assert figures["capacity-rarely-to-blame"].low == pytest.approx(0.0456, abs=1e-4)    # Wilson, 1 of 4


def test_it_runs_and_records(tmp_path, capsys):
    bench.main(["--quick", "--seeds", "0", "1", "--results", str(tmp_path)])
    (recording,) = load("overfit_batch", tmp_path)
    assert {"capacity-rarely-to-blame", "regularisation-off", "small-model-is-quicker",
            "absurd-learning-rate-is-a-sign"} <= set(recording.figures)
    assert len(recording.settings["programs"]) == 3
    assert not list(tmp_path.glob("**/unfinished.jsonl"))
