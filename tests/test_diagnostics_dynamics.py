"""Curves against numbers by hand, figures as shown, event files as TensorBoard reads them."""
import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib import plotting
from course_lib.diagnostics.dynamics import Dynamics
from course_lib.diagnostics.monitor import watch


def one_weight(steps=3, **options):
    """w = 2, mean squared error of w: the gradient is 2 w, and SGD at 0.1 leaves 0.8 w."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(2.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        run = Dynamics(seen, **({name: value(model) if name in ("show", "evaluate") else value
                                 for name, value in options.items()}))
        for _ in range(steps):
            optimizer.zero_grad()
            F.mse_loss(model(torch.ones(4, 1)), torch.zeros(4, 1)).backward()
            optimizer.step()
    return run


@pytest.fixture
def shown(monkeypatch):
    """Figures that were shown: (figure, alternative text)."""
    found = []
    monkeypatch.setattr(plotting, "show", lambda fig, alt, name=None: found.append((fig, alt, name)))
    return found


def made_up(train, evaluation):
    """A run with these losses."""
    steps = [SimpleNamespace(number=i, loss=loss, raw=1.0, weights=[1.0], updates=[0.1], rates=[1.0])
             for i, loss in enumerate(train)]
    return Dynamics(SimpleNamespace(steps=steps, evaluations=evaluation, on_step=[], names=["0.weight"],
                                    parameters=[torch.ones(1, 1)], rows_alive=[None], model=nn.Linear(1, 1)))


def test_the_curves_by_hand():
    run = one_weight()
    weights = [2.0, 1.6, 1.28]
    assert run.losses() == [(i, pytest.approx(w * w)) for i, w in enumerate(weights)]
    assert run.parameter_norms() == [(i, pytest.approx(w)) for i, w in enumerate(weights)]
    assert run.gradient_norms() == [(i, pytest.approx(2 * w)) for i, w in enumerate(weights)]
    assert run.update_ratios() == {"weight": [(i, pytest.approx(0.2)) for i in range(3)]}
    assert "training loss 4 to 1.64 in 3 steps" in run.text()


def test_outputs_and_evaluation_at_chosen_steps():
    run = one_weight(4, show=lambda model: lambda: f"w = {float(model.weight):.3f}, {model.training}", at=(0, 1, 3),
                     evaluate=lambda model: lambda: float(model.weight), every=2)
    assert run.outputs == [(0, "w = 2.000, False"), (1, "w = 1.600, False"), (3, "w = 1.024, False")]
    assert run.evaluations() == [(2, pytest.approx(1.28)), (4, pytest.approx(0.8192))]
    assert run.seen.events == "FBS" * 4 and run.seen.model.training
    assert "after 3 steps: w = 1.024" in run.text()


def test_outputs_change_nothing():
    def trained(show):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        model[1].eval()    # one layer alone in evaluation mode: it must stay so, and the others not
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with watch(model, optimizer) as seen:
            Dynamics(seen, show=lambda: (torch.rand(3), model(torch.randn(2, 4)), show)[2], at=(1, 2) if show else ())
            for _ in range(3):
                optimizer.zero_grad()
                model(torch.randn(4, 4)).pow(2).mean().backward()
                optimizer.step()
        return model[0].weight, model[1].training, model[2].training

    (a, *modes), (b, *_) = trained("text"), trained("")
    assert torch.equal(a, b) and modes == [False, True]


def test_where_the_evaluation_loss_turned_up():
    falling = [1.0 / (i + 1) for i in range(60)]
    turned = made_up(falling, [(10, 0.9), (20, 0.5), (30, 0.6), (40, 0.8), (50, 1.0)])
    assert turned.turned() == (20, 0.5) and "turned up, to 1: stop there" in turned.text()
    assert made_up(falling, [(10, 0.9), (20, 0.5), (30, 0.505), (40, 0.502)]).turned() is None    # noise
    assert made_up(falling, [(10, 0.9), (20, 0.5), (30, 0.4)]).turned() is None
    assert made_up(falling, [(10, 0.5), (20, 0.9)]).turned() is None    # too few to say
    rising = [1.0 + i for i in range(60)]    # the training loss rises as well: it diverges
    assert made_up(rising, [(10, 0.9), (20, 0.5), (30, 0.6), (40, 0.8), (50, 1.0)]).turned() is None
    with pytest.raises(ValueError, match="no evaluation loss was seen"):
        made_up(falling, []).best()


def test_layers_have_the_names_of_blocks():
    model = nn.ModuleDict({"table": nn.Embedding(3, 4), "blocks": nn.ModuleList(
        [nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4)) for _ in range(2)]), "head": nn.Linear(4, 3)})
    run = Dynamics(watch(model, torch.optim.SGD(model.parameters(), 0.1)))
    names = run.seen.names
    assert {layer: [names[i] for i in members] for layer, members in run.layers().items()} == {
        "table": ["table.weight"], "blocks.0": ["blocks.0.0.weight", "blocks.0.2.weight"],
        "blocks.1": ["blocks.1.0.weight", "blocks.1.2.weight"], "head": ["head.weight"]}
    assert run.text() == "no step of the optimiser was seen"


def test_dead_units_are_counted():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    model[0].bias.data[:6] = -100
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with watch(model, optimizer) as seen:
        for _ in range(8):
            optimizer.zero_grad()
            model(torch.randn(32, 4)).pow(2).mean().backward()
            optimizer.step()
    assert Dynamics(seen).dead_units() == {"0.weight": 0.75}
    assert "75% of the units of 0.weight never had a gradient" in Dynamics(seen).text()


def test_figures_are_titled_by_what_they_show(shown):
    run = made_up([1.0 / (i + 1) for i in range(60)], [(10, 0.9), (20, 0.5), (40, 0.8), (50, 1.0)])
    run.draw_losses("losses")
    run.draw_ratios()
    run.draw_norms()
    titles = [fig.axes[0].get_title(loc="left") for fig, _, _ in shown]
    assert titles == ["The evaluation loss turns up after step 20", "A step ends up changing weights by 1e-01",
                      "The parameters' norm ends 1 times as large"]
    assert shown[0][2] == "losses" and all(alt.endswith(".") for _, alt, _ in shown)
    lines = shown[0][0].axes[0].lines
    assert list(lines[0].get_xdata()) == list(range(60)) and list(lines[1].get_ydata()) == [0.9, 0.5, 0.8, 1.0]
    made_up([1.0, 2.0], []).draw_losses()
    assert shown[-1][0].axes[0].get_title(loc="left") == "The training loss does not fall"
    for fig, alt, _ in shown:
        assert plotting.svg(fig, alt)


def test_figures_without_anything_to_draw(shown):
    run = made_up([], [])
    for draw, message in ((run.draw_losses, "no loss was seen"), (run.draw_ratios, "no update was measured"),
                          (run.draw_norms, "no step of the optimiser")):
        with pytest.raises(ValueError, match=message):
            draw()
    assert not shown


def test_the_event_file_of_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = one_weight(4, show=lambda model: lambda: "hello", at=(2,), evaluate=lambda model: lambda: 0.25, every=2)
    assert run.tensorboard(tmp_path / "run") == tmp_path / "run"
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss/training")] == [
        (i, pytest.approx(4 * 0.64 ** i)) for i in range(4)]
    assert [(event.step, event.value) for event in events.Scalars("loss/evaluation")] == [(2, 0.25), (4, 0.25)]
    assert [event.value for event in events.Scalars("update_to_weight/weight")] == pytest.approx([0.2] * 4)
    assert events.Tensors("outputs/text_summary")[0].tensor_proto.string_val[0] == b"hello"


def test_without_tensorboard(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        one_weight(1).tensorboard(tmp_path)


def test_bad_arguments():
    seen = watch(nn.Linear(1, 1), torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1))
    with pytest.raises(ValueError, match="at least 1"):
        Dynamics(seen, every=0)
    with pytest.raises(ValueError, match="give show"):
        Dynamics(seen, at=(1,))
