"""The doctor as a whole: silent on healthy models, nothing changed behind it, bad input said clearly."""
import random
import sys
from pathlib import Path

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics import Finding, Report, diagnose
from course_lib.diagnostics import doctor as module
from course_lib.diagnostics.doctor import CHECKS

sys.path.insert(0, str(Path(__file__).resolve().parent))
import diagnostics_healthy as healthy  # noqa: E402
from diagnostics_models import CLASSES, Recurrent, Tokens, classes, ids, images, network, text, token_loss  # noqa: E402

WITHOUT_TRAINING = [name for name in CHECKS if name != "overfit"]
cross_entropy = nn.CrossEntropyLoss()


def diagnosed(build, seed, **options):
    torch.manual_seed(seed)
    model, batch, loss, arguments = build()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-6, weight_decay=0.1)    # tiny rate, strong decay
    return diagnose(model, batch, loss, optimizer=optimizer, **arguments, **options)


# Healthy models

@pytest.mark.parametrize("build", healthy.OTHERS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_no_alarm(build, seed):
    report = diagnosed(build, seed, checks=WITHOUT_TRAINING)
    assert not report, str(report)
    assert not [note for note in report.notes if "did not run" in note]


@pytest.mark.parametrize("build", healthy.LIBRARY, ids=lambda build: build.__name__)
def test_no_alarm_on_transformers(build):
    pytest.importorskip("transformers")
    report = diagnosed(build, 0, checks=WITHOUT_TRAINING)
    assert not report, str(report)
    assert not [note for note in report.notes if "did not run" in note]


@pytest.mark.parametrize("build", [healthy.encoder, healthy.convolutional, healthy.regression,
                                   healthy.log_probabilities,
                                   healthy.linear_regression, healthy.encoder_contradicting_labels],
                         ids=lambda build: build.__name__)
def test_no_alarm_after_training(build):
    report = diagnosed(build, 0, steps=60)
    assert not report, str(report)
    assert any("Overfitting" in note for note in report.notes)


# Nothing changed

class Everything(nn.Module):
    """BatchNorm, dropout, a frozen layer, a counter, a list that grows, a random generator and an unregistered
    layer."""

    def __init__(self):
        super().__init__()
        self.net = images()
        self.drop, self.extra = nn.Dropout(0.3), [nn.Linear(CLASSES, CLASSES)]
        self.calls, self.log, self.generator = 0, [], torch.Generator().manual_seed(1)
        self.norm = nn.BatchNorm1d(CLASSES)
        self.net[0].requires_grad_(False)

    def forward(self, x):
        self.calls += 1
        self.log.append(self.calls)
        self.last = self.norm(self.drop(self.extra[0](self.net(x))))
        return self.last + 0 * torch.rand(1, generator=self.generator) + random.random() * 0 + numpy.random.rand() * 0


def snapshot(model, optimizer, scheduler):
    modules = dict(model.named_modules()) | {"extra": model.extra[0]}
    return {
        "values": {name: value.clone() for name, value in model.state_dict(keep_vars=False).items()},
        "extra": {name: value.clone() for name, value in model.extra[0].state_dict().items()},
        "grads": {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()},
        "same grads": {name: id(p.grad) for name, p in model.named_parameters()},
        "needs": {name: p.requires_grad for name, p in model.named_parameters()},
        "modes": {name: part.training for name, part in modules.items()},
        "hooks": {name: (len(part._forward_hooks), len(part._forward_pre_hooks)) for name, part in modules.items()},
        "attributes": (model.calls, list(model.log), hasattr(model, "last"), model.generator.get_state()),
        "optimizer": {key: {name: value.clone() if isinstance(value, torch.Tensor) else value for name,
                            value in state.items()}
                      for key, state in optimizer.state_dict()["state"].items()},
        "groups": optimizer.state_dict()["param_groups"], "scheduler": scheduler.state_dict(),
        "random": (random.getstate(), str(numpy.random.get_state()), torch.get_rng_state()),
        "global": (torch.is_grad_enabled(), torch.backends.cudnn.enabled),
    }


def equal(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b))
    return a == b


def everything():
    torch.manual_seed(0)
    model = Everything()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad])
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    batch = torch.randn(16, 3, 8, 8), classes()
    cross_entropy(model(batch[0]), batch[1]).backward()
    optimizer.step(), scheduler.step()
    model.net[1].eval(), model.net[3].register_forward_hook(lambda *_: None)
    return model, optimizer, scheduler, batch


@pytest.mark.parametrize("stop", [None, RuntimeError("a check failed"), KeyboardInterrupt()],
                         ids=["whole", "error", "Ctrl-C"])
@pytest.mark.parametrize("gradients", [True, False])
def test_nothing_is_changed(stop, gradients, monkeypatch):
    model, optimizer, scheduler, batch = everything()
    if stop is not None:
        # in the middle of training on the batch, with weights moved and modes changed
        original, count = torch.optim.Adam.step, [0]

        def step(self, *args):
            count[0] += 1
            if count[0] == 3:
                raise stop
            return original(self, *args)
        monkeypatch.setattr(torch.optim.Adam, "step", step)
    before, inputs = snapshot(model, optimizer, scheduler), batch[0].clone()
    with torch.set_grad_enabled(gradients):
        before["global"] = torch.is_grad_enabled(), torch.backends.cudnn.enabled
        if isinstance(stop, KeyboardInterrupt):
            with pytest.raises(KeyboardInterrupt):
                diagnose(model, batch, cross_entropy, optimizer=optimizer, steps=5,
                         checks=["gradients", "layout", "overfit"])
        else:
            report = diagnose(model, batch, cross_entropy, optimizer=optimizer, steps=5,
                              checks=["gradients", "layout", "overfit"])
            assert any("did not run" in note for note in report.notes) == (stop is not None)
            diagnose(model, batch, cross_entropy, optimizer=optimizer, steps=3)
        after = snapshot(model, optimizer, scheduler)
    for part in before:
        assert equal(before[part], after[part]), part
    assert torch.equal(inputs, batch[0])


def test_a_loss_that_was_computed_before_can_still_be_differentiated_after():
    model, batch = network(), (torch.randn(16, 8), classes())
    model(batch[0]).sum().backward()
    grads = [p.grad.clone() for p in model.parameters()]
    diagnose(model, batch, cross_entropy, steps=3)
    model.zero_grad()
    model(batch[0]).sum().backward()
    assert all(torch.equal(p.grad, grad) for p, grad in zip(model.parameters(), grads))


def test_the_same_report_twice():
    model, batch = Tokens("dropout always on", pool=True), (ids(), classes())
    one, two = (diagnose(model, batch, cross_entropy, checks=WITHOUT_TRAINING) for _ in range(2))
    assert one.table() == two.table()


# What is said

def test_consequences_are_folded_into_their_cause():
    torch.manual_seed(0)
    model = Recurrent("plain list", causal=True)    # neither trained nor reached by eval()
    report = diagnose(model, text(), token_loss, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    assert report.causes == ["layer-not-registered"]


def test_two_bugs_are_two_findings():
    torch.manual_seed(0)
    model = Tokens("batch and length swapped", pool=True)
    optimizer = torch.optim.Adam(list(model.parameters())[:-2])
    report = diagnose(model, (ids(), classes()), cross_entropy, optimizer=optimizer, checks=WITHOUT_TRAINING)
    assert set(report.causes) == {"batch-mixing", "parameter-not-in-optimizer"}


def test_task_and_seconds_are_noted():
    report = diagnose(Recurrent(causal=True), text(), token_loss, steps=3)
    assert any("language-model" in note for note in report.notes) and any("seconds" in note for note in report.notes)


def test_report():
    weak, strong = Finding("a", "capacity", "1", "x", 0.5), Finding("b", "capacity", "<2>", "y", 0.9,
                                                                    also=("dead-units",))
    faint = Finding("c", "dead-units", "3", "z", 0.1)
    report = Report([weak, faint, strong], ["a note"])
    assert report.causes == ["capacity"] and report[0] is strong and len(report) == 1 and report
    assert "<2>" in str(report) and "a note" in report.text() and "dead-units" in report.text()
    assert report.table()[0]["also"] == "dead-units" and "&lt;2&gt;" in report._repr_html_()
    assert not Report() and "Nothing found" in str(Report())
    with pytest.raises(ValueError, match="no cause is named"):
        Finding("a", "gremlins", "1", "x", 0.5)
    with pytest.raises(ValueError, match="confidence"):
        Finding("a", "capacity", "1", "x", 0.0)


# Bad input

class Special(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x, *, scale):
        return {"scores": self.net(x * scale), "rest": 1}


def tables():
    return torch.randn(16, 8), classes()


def test_a_model_with_special_inputs():
    model = Special()
    with pytest.raises(RuntimeError, match="give forward=") as caught:
        diagnose(model, tables(), cross_entropy)
    assert isinstance(caught.value.__cause__, TypeError)
    report = diagnose(model, tables(), lambda o, y: F.cross_entropy(o["scores"], y), forward=lambda model,
                      x: model(x, scale=1.0),
                      output=lambda outputs: outputs["scores"], steps=5)
    assert not report, str(report)


def test_no_tensor_in_the_output():
    class Text(nn.Module):
        def forward(self, x):
            return "positive"
    with pytest.raises(ValueError, match="give output="):
        diagnose(Text(), tables(), cross_entropy)


def test_a_model_or_loss_that_raises_is_left_as_it_was():
    class Breaks(nn.Sequential):
        def forward(self, x):
            if self.training:
                raise ZeroDivisionError("in training")
            self[0].weight.data.zero_()
            raise ZeroDivisionError("in evaluation")
    model, batch = Breaks(nn.Linear(8, 5)), tables()
    weight, random_state = model[0].weight.clone(), torch.get_rng_state()
    with pytest.raises(RuntimeError, match="in evaluation") as caught:
        diagnose(model, batch, cross_entropy)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert torch.equal(model[0].weight, weight) and model.training and torch.equal(torch.get_rng_state(), random_state)
    with pytest.raises(RuntimeError, match="loss function failed"):
        diagnose(network(), tables(), lambda o, y: o.nothing)


def test_other_devices():
    with pytest.raises(ValueError, match="meta device"):
        diagnose(network().to("meta"), tables(), cross_entropy)
    x, y = tables()
    with pytest.raises(ValueError, match=r"move the batch by \.to\(device\)"):
        diagnose(network(), (x.to("meta"), y), cross_entropy)


def test_token_ids_beyond_the_table():
    with pytest.raises(RuntimeError, match="oken ids go up to 99"):
        diagnose(Recurrent(pool=True), (torch.full((4, 6), 99), classes(4)), cross_entropy)


def test_a_vector_of_losses_is_averaged():
    report = diagnose(network(), tables(), nn.CrossEntropyLoss(reduction="none"), steps=3)
    assert not report and any("its mean was taken" in note for note in report.notes)


@pytest.mark.parametrize("model, shape", [(images, (1, 3, 8, 8)), (network, (1, 8)), (lambda: Tokens(pool=True), None)],
                         ids=["images", "numbers", "tokens"])
def test_a_batch_of_one(model, shape):
    torch.manual_seed(0)
    inputs = ids(1) if shape is None else torch.randn(shape)
    report = diagnose(model(), (inputs, classes(1)), cross_entropy, steps=10)
    assert not report, str(report)
    assert any("the batch has one" in note for note in report.notes)


def test_nan_in_data_stops_the_rest():
    x, y = tables()
    x[3, 2] = float("nan")
    report = diagnose(network(), (x, y), cross_entropy)
    assert report.causes == ["input-scale"] and "1 of 128" in report[0].seen
    assert "other checks did not run" in str(report)


def test_a_loss_that_is_no_tensor():
    with pytest.raises(ValueError, match="must return a tensor"):
        diagnose(network(), tables(), lambda o, y: {"loss": F.cross_entropy(o, y)})


def test_a_model_for_one_batch_size():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = network()

        def forward(self, x):
            return self.net(x.view(20, 8))
    report = diagnose(Fixed(), (torch.randn(20, 8), classes(20)), cross_entropy, steps=3)
    assert not report and any("20 examples" in note for note in report.notes)


def test_arguments_that_do_not_fit():
    x, y = tables()
    for arguments, message in [((lambda x: x, (x, y), cross_entropy), "nn.Module"),
                               ((network(), x, cross_entropy), "batch must be"),
                               ((network(), (x, y), None), "loss_fn"),
                               ((network(), (3, y), cross_entropy), "hold no tensor")]:
        with pytest.raises(ValueError, match=message):
            diagnose(*arguments)
    with pytest.raises(ValueError, match="task='translation'"):
        diagnose(network(), (x, y), cross_entropy, task="translation")
    with pytest.raises(ValueError, match="no check is named"):
        diagnose(network(), (x, y), cross_entropy, checks=["luck"])


def test_time_is_limited(monkeypatch):
    """A clock that runs fast: the overfit test stops, says so, and claims nothing."""
    from course_lib.diagnostics import overfit
    now = iter(range(0, 10 ** 6, 10))
    monkeypatch.setattr(overfit.time, "process_time", lambda: float(next(now)))
    report = diagnose(network(), tables(), cross_entropy, seconds=200, checks=["overfit"])
    assert not report and any("time was up" in note for note in report.notes), str(report)


def test_every_check_is_run(monkeypatch):
    ran = []
    for name in CHECKS:
        monkeypatch.setitem(module.CHECKS, name, lambda *_, name=name: ran.append(name) or [])
    diagnose(network(), tables(), cross_entropy)
    assert ran == list(CHECKS)
