"""benchmarks/generation_speed.py on a model of one layer."""
import runpy
from pathlib import Path

import pytest
import torch

from course_lib.results import load

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "generation_speed.py"
SMALL = ["--device", "cpu", "--layers", "1", "--width", "64", "--new-tokens", "4", "--repeats", "5"]


def test_it_records_rates_and_their_ratio(tmp_path, capsys):
    runpy.run_path(str(SCRIPT))["main"](["--results", str(tmp_path), *SMALL])
    [found] = load("generation_speed", tmp_path)
    units = {"ours": "tokens/s", "transformers": "tokens/s", "speed-over-transformers": "x",
             "matrices": "tokens/s", "transformers-time-over-matrices": "x", "modules": "tokens/s"}
    assert {name: figure.unit for name, figure in found.figures.items()} == {
        f"{name}-batch-{batch}": unit for batch in (1, 3) for name, unit in units.items()}
    for batch in (1, 3):
        ours, theirs, ratio, products, most, _ = (found.figures[f"{name}-batch-{batch}"].value
                                                  for name in units)
        assert ratio == pytest.approx(ours / theirs, rel=1e-3)
        assert most == pytest.approx(products / theirs, rel=1e-3)
    assert (found.settings["new_tokens"], found.settings["batches"]) == (4, [1, 3])
    assert capsys.readouterr().out.splitlines()[-1].startswith("wrote ")


def test_it_refuses_to_time_different_texts(tmp_path):
    script = runpy.run_path(str(SCRIPT))
    generate = script["generate"]

    def wrong(*arguments, **options):
        found = generate(*arguments, **options)
        found.sequences[-1, -1] = (found.sequences[-1, -1] + 1) % 2000
        return found
    script["main"].__globals__["generate"] = wrong
    with pytest.raises(RuntimeError, match="batch 1: the two wrote different ids"):
        script["main"](["--results", str(tmp_path), *SMALL])
    assert not any(tmp_path.iterdir())


def test_the_matrices_alone_are_those_of_the_model(monkeypatch):
    script = runpy.run_path(str(SCRIPT))
    ours, _ = script["models"](1, 64)
    seen, linear = [], torch.nn.functional.linear

    def watched(x, weight, bias=None):
        seen.append((x.shape, weight.shape, bias is not None))
        return linear(x, weight, bias)
    monkeypatch.setattr(torch.nn.functional, "linear", watched)
    x = torch.randn(3, 64)
    with torch.inference_mode():
        ours(torch.zeros(3, 1, dtype=torch.int64))
    model_did, seen[:] = seen[:], []
    script["products"](ours, x, 2)()
    assert seen == 2 * model_did


def test_modules_is_generation_without_the_flat_step(tmp_path, monkeypatch):
    from course_lib.generation import state
    script, taken = runpy.run_path(str(SCRIPT)), []
    make_step, compare = state.make_step, script["compare"]

    def watched(variants, **options):
        for name in ("ours", "modules"):
            made = []
            monkeypatch.setattr(state, "make_step", lambda model: made.append(make_step(model)))
            variants[name]()
            taken.append((name, made != [None]))
        monkeypatch.setattr(state, "make_step", make_step)
        return compare(variants, **options)
    script["main"].__globals__["compare"] = watched
    script["main"](["--results", str(tmp_path), *SMALL, "--batches", "2"])
    assert taken == [("ours", True), ("modules", False)]


def test_every_parameter_of_the_pair_is_random():
    ours, theirs = runpy.run_path(str(SCRIPT))["models"](1, 64)
    for model in (ours, theirs):
        assert not model.training
        for parameter in model.parameters():
            assert parameter.std() > 0.01
    assert torch.equal(ours.head.output.weight, theirs.lm_head.weight)
