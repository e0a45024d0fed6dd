"""The watch: one cause for each broken loop, nothing for healthy ones, and everything as it was afterwards."""
import copy
import io
import pickle
from types import SimpleNamespace

import pytest
import torch
import torch.utils.checkpoint
from torch import nn
from torch.nn import functional as F
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader, TensorDataset

from course_lib.diagnostics.monitor import watch
from course_lib.diagnostics.monitor_loss import padding_of
from course_lib.training import IGNORED, language_model_loss, train
from course_lib.transformer import Transformer, TransformerConfig


def data(size=64, seed=0, features=8, classes=3):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(size, features, generator=generator)
    return x, (x @ torch.randn(features, classes, generator=generator)).argmax(1)


def batches(steps, size=16, seed=0, **options):
    x, y = data(seed=seed, **options)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(x), (size,), generator=generator)
        yield x[chosen], y[chosen]


def classifier(dropout=0.1, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 32), nn.ReLU(),
                         nn.Linear(32, 3))


def tokens(steps=20, vocabulary=20, length=12, batch=8, seed=0):
    """Sequences that count up by 1 to 3, so that the next token depends on the two before it."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        start = torch.randint(vocabulary, (batch, 1), generator=generator)
        by = torch.randint(1, 4, (batch, 1), generator=generator)
        yield (start + by * torch.arange(length)) % (vocabulary - 2) + 2


def language_model(seed=0, **options):
    torch.manual_seed(seed)
    return Transformer(TransformerConfig(vocabulary=20, width=32, heads=2, layers=2, context=16, **options))


def seen_in(loop, model=None, optimizer=None, scheduler=None, loss_fn=None, steps=30):
    model = classifier() if model is None else model
    optimizer = torch.optim.Adam(model.parameters(), 3e-3) if optimizer is None else optimizer(model)
    scheduler = None if scheduler is None else scheduler(optimizer)
    with watch(model, optimizer, scheduler, loss_fn) as seen:
        loop(SimpleNamespace(model=model, optimizer=optimizer, scheduler=scheduler, seen=seen, steps=steps))
    return seen


def plain(it, before=lambda it, step: None, after=lambda it, step: None, clear=True, loss_fn=F.cross_entropy):
    for step, (x, y) in enumerate(batches(it.steps)):
        before(it, step)
        if clear:
            it.optimizer.zero_grad()
        loss_fn(it.model(x), y).backward()
        it.optimizer.step()
        after(it, step)


# Loops with one thing wrong, and the cause that must stand first

def never_cleared(it):
    plain(it, clear=False)


def cleared_each_fifth(it):
    plain(it, lambda it, step: it.optimizer.zero_grad() if step % 5 == 0 else None, clear=False)


def cleared_between(it):
    for x, y in batches(it.steps):
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.zero_grad()
        it.optimizer.step()


def cleared_while_accumulating(it):
    for step, (x, y) in enumerate(batches(it.steps)):
        it.optimizer.zero_grad()
        (F.cross_entropy(it.model(x), y) / 4).backward()
        if step % 4 == 3:
            it.optimizer.step()


def never_stepped(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()


def stepped_too_early(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        loss = F.cross_entropy(it.model(x), y)
        it.optimizer.step()
        loss.backward()


def stepped_a_batch_late(it):    # the gradient is the last batch's: it trains, and torch raises in deeper models only
    for x, y in batches(it.steps):
        loss = F.cross_entropy(it.model(x), y)
        it.optimizer.step()
        it.optimizer.zero_grad()
        loss.backward()


def scheduled(it):
    plain(it, after=lambda it, step: it.scheduler.step())


def scheduled_first(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        it.scheduler.step()
        it.optimizer.step()


def scheduled_each_micro_batch(it):
    for step, (x, y) in enumerate(batches(it.steps)):
        (F.cross_entropy(it.model(x), y) / 4).backward()
        if step % 4 == 3:
            it.optimizer.step()
            it.optimizer.zero_grad()
        it.scheduler.step()


def trained_in_eval(it):
    it.model.eval()
    plain(it)


def left_in_eval(it):
    def evaluate(it, step):
        if step == 10:
            it.model.eval()
            with torch.no_grad():
                it.model(data()[0])
    plain(it, after=evaluate)


def evaluated_in_training_mode(it):
    def evaluate(it, step):
        if step % 10 == 9:
            with torch.no_grad():
                F.cross_entropy(it.model(data(seed=1)[0]), data(seed=1)[1])
    plain(it, after=evaluate)


def evaluated_with_gradients(it):    # neither eval() nor no_grad
    def evaluate(it, step):
        if step % 10 == 9:
            F.cross_entropy(it.model(data(seed=1)[0]), data(seed=1)[1])
    plain(it, after=evaluate)


def head_replaced(it):
    it.model[-1] = nn.Linear(32, 3)
    plain(it)


def detached(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x).detach().requires_grad_(), y).backward()
        it.optimizer.step()


def detached_and_raises(it):
    try:
        for x, y in batches(it.steps):
            F.cross_entropy(it.model(x).detach(), y).backward()
    except RuntimeError:
        pass


def softmax_first(it):
    plain(it, loss_fn=lambda output, y: F.cross_entropy(output.softmax(1), y))


def broadcast(it, loss=F.mse_loss):
    for x, _ in batches(it.steps):
        it.optimizer.zero_grad()
        loss(it.model(x)[:, :1], x[:, 0]).backward()
        it.optimizer.step()


def broadcast_by_hand(it):
    broadcast(it, lambda output, y: ((output - y) ** 2).mean())


def summed(it):
    plain(it, loss_fn=lambda output, y: F.cross_entropy(output, y, reduction="sum"))


def first_batch_again(it):
    loader = DataLoader(TensorDataset(*data()), batch_size=16)
    for _ in range(it.steps):
        x, y = next(iter(loader))
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.step()


def one_batch_and_an_evaluation(it):
    x, y = next(batches(1))
    for step in range(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.step()
        if step % 10 == 9:
            it.model.eval()
            with torch.no_grad():
                it.model(data(seed=1)[0])
            it.model.train()


def stepped_twice(it):
    plain(it, after=lambda it, step: it.optimizer.step())


def in_order_of_labels(it):
    x, y = data(size=480)
    order = y.argsort()
    for chosen in order.split(16):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x[chosen]), y[chosen]).backward()
        it.optimizer.step()


def sigmoid_first(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(it.model(x)[:, 0].sigmoid(), (y == 0).float()).backward()
        it.optimizer.step()


def in_order_of_targets(it):
    x, _ = data(size=480)
    for x in x[x[:, 0].argsort()].split(16):
        it.optimizer.zero_grad()
        F.mse_loss(it.model(x)[:, 0], x[:, 0]).backward()
        it.optimizer.step()


def large(factor, layers=20):
    torch.manual_seed(0)
    middle = [layer for _ in range(layers) for layer in (nn.Linear(32, 32), nn.ReLU())]
    model = nn.Sequential(nn.Linear(8, 32), *middle, nn.Linear(32, 3))
    for p in model.parameters():
        p.data.mul_(factor)
    return model


def bad_input(it):
    for step, (x, y) in enumerate(batches(it.steps)):
        x = x.masked_fill(torch.rand(x.shape) < 0.1, torch.nan) if step == 7 else x
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.step()


def root_of_zero(it):    # finite forward, a gradient of 0 / 0
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        (F.cross_entropy(it.model(x), y) + (it.model[0].weight * 0).norm(dim=1).pow(2).sqrt().sum() * 0).backward()
        it.optimizer.step()


def predicts(shift):
    def loop(it):
        for ids in tokens(it.steps):
            it.optimizer.zero_grad()
            logits = it.model(ids).logits
            if shift == 0:
                loss = F.cross_entropy(logits.flatten(0, 1), ids.flatten())
            elif shift == 2:
                loss = F.cross_entropy(logits[:, :-2].flatten(0, 1), ids[:, 2:].flatten())
                loss = F.cross_entropy(logits.flatten(0, 1), F.pad(ids[:, 2:], (0, 2), value=IGNORED).flatten())
            else:
                loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
            loss.backward()
            it.optimizer.step()
    return loop


def padded(it, ignore=False):
    for step, ids in enumerate(tokens(it.steps)):
        lengths = torch.randint(4, 13, (len(ids),), generator=torch.Generator().manual_seed(step))
        mask = torch.arange(12) < lengths[:, None]
        ids = ids.masked_fill(~mask, 0)
        labels = ids[:, 1:].masked_fill(~mask[:, 1:], IGNORED) if ignore else ids[:, 1:]
        it.optimizer.zero_grad()
        logits = it.model(ids, padding_mask=mask).logits[:, :-1]
        F.cross_entropy(logits.flatten(0, 1), labels.flatten()).backward()
        it.optimizer.step()


def rate(value, kind=torch.optim.Adam):
    return lambda model: kind(model.parameters(), value)


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.extra = classifier(), nn.Linear(8, 8)

    def forward(self, x):
        return self.body(x)


class Deep(nn.Module):
    """Sigmoids in a row: each divides the gradient by four or more."""
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layers = [nn.Linear(8, 32)]
        for _ in range(14):
            layers += [nn.Sigmoid(), nn.Linear(32, 32)]
        self.body = nn.Sequential(*layers, nn.Sigmoid(), nn.Linear(32, 3))

    def forward(self, x):
        return self.body(x)


def dying():
    model = classifier()
    model[0].bias.data.fill_(-20)
    return model


BROKEN = {
    "never cleared": (never_cleared, {}, "zero-grad-missing"),
    "never cleared, SGD": (never_cleared, {"optimizer": rate(0.5, torch.optim.SGD)}, "zero-grad-missing"),
    "cleared each fifth step": (cleared_each_fifth, {}, "zero-grad-missing"),
    "cleared between backward and step": (cleared_between, {}, "zero-grad-missing"),
    "cleared while accumulating": (cleared_while_accumulating, {}, "zero-grad-missing"),
    "never stepped": (never_stepped, {}, "optimizer-step-missing"),
    "stepped too early": (stepped_too_early, {}, "optimizer-step-missing"),
    "stepped a batch late": (stepped_a_batch_late, {"model": lambda: nn.Linear(8, 3)}, "optimizer-step-missing"),
    "per batch, gamma .1": (scheduled, {"scheduler": lambda o: lr_scheduler.StepLR(o, 1, 0.1)}, "scheduler-misused"),
    "per batch, gamma .1 in 5": (scheduled, {"scheduler": lambda o: lr_scheduler.StepLR(o, 5, 0.1)},
                                 "scheduler-misused"),
    "per batch, gamma .9": (scheduled, {"scheduler": lambda o: lr_scheduler.ExponentialLR(o, 0.9)},
                            "scheduler-misused"),
    "per batch, cosine of 10 epochs": (
        scheduled, {"scheduler": lambda o: lr_scheduler.CosineAnnealingLR(o, 10)}, "scheduler-misused"),
    "linear to zero, and on": (
        scheduled, {"scheduler": lambda o: lr_scheduler.LambdaLR(o, lambda n: max(0, 1 - n / 10))},
        "scheduler-misused"),
    "scheduler first": (scheduled_first, {"scheduler": lambda o: lr_scheduler.CosineAnnealingLR(o, 30)},
                        "scheduler-misused"),
    "scheduler each micro-batch": (
        scheduled_each_micro_batch, {"scheduler": lambda o: lr_scheduler.CosineAnnealingLR(o, 30)},
        "scheduler-misused"),
    "warm-up never begun": (plain, {"scheduler": lambda o: lr_scheduler.LambdaLR(o, lambda n: min(1, n / 10))},
                            "scheduler-misused"),
    "scheduler never stepped": (plain, {"scheduler": lambda o: lr_scheduler.StepLR(o, 10)}, "scheduler-misused"),
    "another optimiser's scheduler": (
        scheduled, {"scheduler": lambda o: lr_scheduler.StepLR(torch.optim.SGD(nn.Linear(1, 1).parameters(), 1.0), 9)},
        "scheduler-misused"),
    "integers divided": (scheduled, {"scheduler": lambda o: lr_scheduler.LambdaLR(o, lambda n: n // 100)},
                         "learning-rate-zero"),
    "learning rate 0": (plain, {"optimizer": rate(0.0)}, "learning-rate-zero"),
    "learning rate 1e-12": (plain, {"optimizer": rate(1e-12)}, "learning-rate-zero"),
    "learning rate 5": (plain, {"optimizer": rate(5.0)}, "learning-rate-too-high"),
    "learning rate 300, SGD": (plain, {"optimizer": rate(300.0, torch.optim.SGD)}, "learning-rate-too-high"),
    "trained in eval mode": (trained_in_eval, {}, "mode-wrong"),
    "left in eval mode": (left_in_eval, {}, "mode-wrong"),
    "evaluated in training mode": (evaluated_in_training_mode, {}, "mode-wrong"),
    "evaluated without eval and no_grad": (evaluated_with_gradients, {}, "mode-wrong"),
    "the last layer replaced": (head_replaced, {}, "parameter-not-in-optimizer"),
    "far too large from the start": (plain, {"model": lambda: large(5)}, "gradients-exploding"),
    "probabilities to BCE with logits": (sigmoid_first, {}, "probabilities-for-logits"),
    "logits to nll_loss": (lambda it: plain(it, loss_fn=F.nll_loss), {}, "probabilities-for-logits"),
    "divided twice": (lambda it: plain(it, loss_fn=lambda output, y: F.cross_entropy(output, y) / len(y)), {},
                      "loss-scale"),
    "targets in their order": (in_order_of_targets, {}, "data-not-moving"),
    "detached": (detached, {}, "loss-detached"),
    "detached and raises": (detached_and_raises, {}, "loss-detached"),
    "softmax before cross-entropy": (softmax_first, {}, "probabilities-for-logits"),
    "broadcast": (broadcast, {}, "loss-broadcast"),
    "broadcast by hand": (broadcast_by_hand, {}, "loss-broadcast"),
    "summed": (summed, {}, "loss-scale"),
    "the first batch again": (first_batch_again, {}, "data-not-moving"),
    "one batch and an evaluation": (one_batch_and_an_evaluation, {}, "data-not-moving"),
    "stepped twice": (stepped_twice, {}, "zero-grad-missing"),
    "in order of labels": (in_order_of_labels, {}, "data-not-moving"),
    "NaN in the input": (bad_input, {}, "input-scale"),
    "root of zero": (root_of_zero, {}, "gradients-exploding"),
    "not shifted": (predicts(0), {"model": language_model}, "labels-misaligned"),
    "shifted twice": (predicts(2), {"model": language_model}, "labels-misaligned"),
    "padding in the loss": (padded, {"model": language_model}, "padding-in-loss"),
    "an unused layer": (plain, {"model": Unused}, "parameter-unused"),
    "only the last layer": (plain, {"optimizer": lambda m: torch.optim.Adam(m[-1].parameters(), 3e-3)},
                            "parameter-not-in-optimizer"),
    "another model's optimiser": (plain, {"optimizer": lambda m: torch.optim.Adam(classifier().parameters(), 3e-3)},
                                  "parameter-not-in-optimizer"),
    "sigmoids in a row": (plain, {"model": Deep}, "gradients-vanishing"),
    "dead units": (plain, {"model": dying}, "dead-units"),
}


def run(loop, options):
    options = dict(options)
    if "model" in options:
        options["model"] = options["model"]()
    return seen_in(loop, **options)


@pytest.mark.filterwarnings("ignore:Detected call of", "ignore:Using a target size")
@pytest.mark.parametrize("name", BROKEN)
def test_the_cause_stands_first_of_at_most_two(name):
    loop, options, cause = BROKEN[name]
    report = run(loop, options).report()
    assert report.causes[:1] == [cause] and len(report) <= 2, report.text()


# Healthy loops that look sick

def accumulated(it):
    for step, (x, y) in enumerate(batches(it.steps)):
        (F.cross_entropy(it.model(x), y) / 4).backward()
        if step % 4 == 3:
            nn.utils.clip_grad_norm_(it.model.parameters(), 0.1)
            it.optimizer.step()
            it.optimizer.zero_grad(set_to_none=False)


def cleared_through_the_model(it):
    for x, y in batches(it.steps):
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.step()
        it.model.zero_grad()


def cleared_by_hand(it):
    def clear(it, step):
        for p in it.model.parameters():
            p.grad = None
    plain(it, clear, clear=False)


def clipped(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        nn.utils.clip_grad_norm_(it.model.parameters(), 1e-3)
        nn.utils.clip_grad_value_(it.model.parameters(), 1e-4)
        it.optimizer.step()


def with_closure(it, of=None):
    for x, y in of or batches(it.steps):
        def closure():
            it.optimizer.zero_grad()
            loss = F.cross_entropy(it.model(x), y)
            loss.backward()
            return loss
        it.optimizer.step(closure)


def evaluated_well(it):
    def evaluate(it, step):
        if step % 5 == 4:
            it.model.eval()
            with torch.no_grad():
                F.cross_entropy(it.model(data(seed=1)[0]), data(seed=1)[1])
            it.model.train()
            if it.scheduler is not None:
                it.scheduler.step()
    plain(it, after=evaluate)


def evaluated_on_a_copy(it):
    average = copy.deepcopy(it.model).requires_grad_(False).eval()

    def keep(it, step):
        with torch.no_grad():
            for mean, p in zip(average.parameters(), it.model.parameters()):
                mean.lerp_(p, 0.1)
            average(data()[0])
    plain(it, after=keep)


def attacked(it):    # the gradient of the first pass is for the input alone
    for x, y in batches(it.steps):
        x = x.requires_grad_()
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.zero_grad()
        F.cross_entropy(it.model((x + 0.05 * x.grad.sign()).detach()), y).backward()
        it.optimizer.step()


def penalised(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        loss = F.cross_entropy(it.model(x), y)
        gradients = torch.autograd.grad(loss, list(it.model.parameters()), create_graph=True)
        (loss + 1e-3 * sum(g.pow(2).sum() for g in gradients)).backward()
        it.optimizer.step()


def saved(it):
    def save(it, step):
        if step % 10 == 0:
            torch.save([it.model.state_dict(), it.optimizer.state_dict(), it.scheduler.state_dict()], io.BytesIO())
        it.scheduler.step()
    plain(it, after=save)


def overfitted(it):
    x, y = next(batches(1))
    for _ in range(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.step()


def discriminator(it):    # its gradients from the generator's loss are cleared, its labels are constant
    torch.manual_seed(0)
    generator = nn.Linear(4, 8)
    other = torch.optim.Adam(generator.parameters(), 1e-3)
    for x, _ in batches(it.steps):
        made = generator(torch.randn(16, 4))
        other.zero_grad()
        F.binary_cross_entropy_with_logits(it.model(made)[:, :1], torch.ones(16, 1)).backward()
        other.step()
        it.optimizer.zero_grad()
        real, false = it.model(x)[:, :1], it.model(made.detach())[:, :1]
        (F.binary_cross_entropy_with_logits(real, torch.ones(16, 1))
         + F.binary_cross_entropy_with_logits(false, torch.zeros(16, 1))).backward()
        it.optimizer.step()


def stopped_branch(it):    # one of two passes is left out of the backward pass, on purpose
    for x, _ in batches(it.steps):
        it.optimizer.zero_grad()
        (-F.cosine_similarity(it.model(x), it.model(x + 0.1).detach()).mean()).backward()
        it.optimizer.step()


def prototypes(it):    # all outputs against all centres
    centres = torch.randn(16, 3, generator=torch.Generator().manual_seed(0))
    for x, _ in batches(it.steps):
        it.optimizer.zero_grad()
        (it.model(x)[:, None] - centres[None]).pow(2).sum(-1).min(1).values.mean().backward()
        it.optimizer.step()


def sampled_dropout(it):
    def sample(it, step):
        if step % 10 == 9:
            it.model.eval()
            it.model[2].train()
            with torch.no_grad():
                it.model(data()[0])
            it.model.train()
    plain(it, after=sample)


def statistics_collected(it):
    plain(it)
    torch.optim.swa_utils.update_bn(batches(5), it.model)


def rare_label(it):
    for step, (x, _) in enumerate(batches(it.steps)):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x), (torch.arange(16) == step % 40).long()).backward()
        it.optimizer.step()


def whole_set(it):
    for _ in range(it.steps):
        for x, y in DataLoader(TensorDataset(*data(size=200)), batch_size=200):
            it.optimizer.zero_grad()
            F.cross_entropy(it.model(x), y).backward()
            it.optimizer.step()


class Checkpointed(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = classifier()

    def forward(self, x):
        return torch.utils.checkpoint.checkpoint(self.body, x, use_reentrant=False)


def batch_norm():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def in_halves(it):
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(it.model(x), y)
        torch.autograd.backward(loss)
        it.optimizer.step()


def own_loop(it):
    train(it.model, list(tokens()), language_model_loss, steps=30, warmup=10, progress=False, validate_every=10,
          validate=lambda: float(language_model_loss(it.model, next(tokens(1, seed=1)))))


def mse(it):
    for x, _ in batches(it.steps):
        it.optimizer.zero_grad()
        F.mse_loss(it.model(x)[:, :1], x[:, :1]).backward()
        it.optimizer.step()


def scaled(it):    # half precision's scaler, the first steps left out because the scale is too high
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0 ** 127)
    for x, y in batches(it.steps + 10):
        it.optimizer.zero_grad()
        scaler.scale(F.cross_entropy(it.model(x), y)).backward()
        scaler.step(it.optimizer)
        scaler.update()
        it.scheduler.step()


def two_optimisers(it):
    head = torch.optim.SGD(it.model[-1].parameters(), 0.1)
    for x, y in batches(it.steps):
        it.optimizer.zero_grad()
        head.zero_grad()
        F.cross_entropy(it.model(x), y).backward()
        it.optimizer.step()
        head.step()


def frozen():
    model = classifier()
    model[0].requires_grad_(False)
    return model


def frozen_batch_norm():
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8),
                          nn.ReLU(), nn.Dropout(0.2), nn.Flatten(), nn.Linear(128, 3))
    model[1].eval().requires_grad_(False)
    return model


def images(it):
    for x, y in batches(it.steps, features=64):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(x.view(-1, 1, 8, 8)), y).backward()
        it.optimizer.step()


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.cell = nn.Embedding(20, 16, padding_idx=0), nn.LSTM(16, 16, 2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(16, 20)

    def forward(self, ids):
        return SimpleNamespace(logits=self.head(self.cell(self.table(ids))[0])).logits


def recurrent(it):
    for ids in tokens(it.steps):
        it.optimizer.zero_grad()
        F.cross_entropy(it.model(ids)[:, :-1].transpose(1, 2), ids[:, 1:]).backward()
        it.optimizer.step()


def masked_words(it):
    for step, ids in enumerate(tokens(it.steps)):
        chosen = torch.rand(ids.shape, generator=torch.Generator().manual_seed(step)) < 0.15
        it.optimizer.zero_grad()
        logits = it.model(ids.masked_fill(chosen, 1)).logits
        F.cross_entropy(logits.flatten(0, 1), ids.masked_fill(~chosen, IGNORED).flatten()).backward()
        it.optimizer.step()


def auto_encoder():
    torch.manual_seed(0)
    return Transformer(TransformerConfig(vocabulary=20, width=32, heads=2, encoder_layers=1, context=16))


def seq2seq():
    torch.manual_seed(0)
    return Transformer(TransformerConfig(vocabulary=20, width=32, heads=2, encoder_layers=1, decoder_layers=1,
                                         context=16))


def copying(it):    # the source is the target
    for ids in tokens(it.steps):
        it.optimizer.zero_grad()
        logits = it.model(ids, F.pad(ids, (1, 0), value=1)[:, :-1]).logits
        F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
        it.optimizer.step()


def groups(model):
    return torch.optim.AdamW([{"params": model[0].parameters(), "lr": 1e-6}, {"params": model[3].parameters()},
                              {"params": model[5].parameters(), "weight_decay": 0.0}], lr=3e-3, weight_decay=0.3)


def probed():
    """A frozen body in evaluation mode; only the last layer is trained."""
    model = classifier().eval()
    model[:-1].requires_grad_(False)
    return model


def probing(it):
    it.model.eval()
    plain(it)


HEALTHY = {
    "plain": (plain, {}),
    "accumulated": (accumulated, {}),
    "model.zero_grad after the step": (cleared_through_the_model, {}),
    "cleared by hand": (cleared_by_hand, {}),
    "clipped hard": (clipped, {}),
    "a closure, SGD": (with_closure, {"optimizer": rate(0.1, torch.optim.SGD)}),
    "L-BFGS": (lambda it: with_closure(it, [data()] * it.steps), {
        "optimizer": lambda m: torch.optim.LBFGS(m.parameters(), line_search_fn="strong_wolfe"), "steps": 6}),
    "evaluated well": (evaluated_well, {}),
    "scheduler each epoch": (evaluated_well, {"scheduler": lambda o: lr_scheduler.StepLR(o, 2, 0.3)}),
    "average copy": (evaluated_on_a_copy, {}),
    "attacked": (attacked, {}),
    "gradient penalty": (penalised, {}),
    "saved, warm-up": (saved, {"scheduler": lambda o: lr_scheduler.LinearLR(o, 1e-3, total_iters=100)}),
    "cosine": (scheduled, {"scheduler": lambda o: lr_scheduler.CosineAnnealingLR(o, 30)}),
    "linear": (scheduled, {"scheduler": lambda o: lr_scheduler.LambdaLR(o, lambda n: 1 - n / 30)}),
    "warm-up from 0, then linear": (
        scheduled, {"scheduler": lambda o: lr_scheduler.LambdaLR(o, lambda n: min(n / 5, (30 - n) / 25))}),
    "one cycle": (scheduled, {"scheduler": lambda o: lr_scheduler.OneCycleLR(o, 3e-3, total_steps=30)}),
    "restarts": (scheduled, {"scheduler": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10)}),
    "ExponentialLR .99": (scheduled, {"scheduler": lambda o: lr_scheduler.ExponentialLR(o, 0.99)}),
    "warm-up and cosine in sequence": (scheduled, {"scheduler": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.01, total_iters=5), lr_scheduler.CosineAnnealingLR(o, 25)], [5])}),
    "half precision": (scaled, {"scheduler": lambda o: lr_scheduler.CosineAnnealingLR(o, 40)}),
    "a discriminator": (discriminator, {}),
    "a stopped branch": (stopped_branch, {}),
    "prototypes": (prototypes, {}),
    "dropout sampled on purpose": (sampled_dropout, {}),
    "statistics collected": (statistics_collected, {"model": batch_norm}),
    "a rare label": (rare_label, {}),
    "the whole set at once": (whole_set, {}),
    "checkpointed": (plain, {"model": Checkpointed}),
    "bfloat16": (in_halves, {}),
    "one step": (plain, {"steps": 1}),
    "overfit one batch": (overfitted, {}),
    "learning rate 1e-6": (plain, {"optimizer": rate(1e-6, torch.optim.AdamW)}),
    "several groups, strong decay": (plain, {"optimizer": groups}),
    "two optimisers": (two_optimisers, {"optimizer": lambda m: torch.optim.Adam(m[:-1].parameters(), 3e-3)}),
    "frozen layer": (plain, {"model": frozen}),
    "a frozen body in evaluation mode": (probing, {"model": probed}),
    "nine of ten outputs unused": (
        mse, {"model": lambda: nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 10))}),
    "strong dropout": (plain, {"model": lambda: classifier(0.9)}),
    "regression": (mse, {}),
    "convolution, one frozen norm": (images, {"model": frozen_batch_norm}),
    "LSTM": (recurrent, {"model": Recurrent}),
    "tied transformer": (predicts(1), {"model": lambda: language_model(dropout=0.1)}),
    "post-norm transformer": (predicts(1), {"model": lambda: language_model(norm="post")}),
    "padding ignored": (lambda it: padded(it, ignore=True), {"model": language_model}),
    "masked words": (masked_words, {"model": auto_encoder}),
    "an auto-encoder": (predicts(0), {"model": auto_encoder}),
    "a copying task": (copying, {"model": seq2seq}),
}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", HEALTHY)
def test_no_alarm(name, seed, monkeypatch):
    manual_seed = torch.manual_seed
    monkeypatch.setattr(torch, "manual_seed", lambda _: manual_seed(seed))
    report = run(*HEALTHY[name]).report()
    assert not report, report.text()


# What it leaves behind

def hooks_of(model, optimizer, scheduler):
    found = [len(hooks) for module in model.modules() for hooks in (
        module._forward_hooks, module._forward_pre_hooks, module._forward_hooks_always_called, module._backward_hooks)]
    found += [len(p._backward_hooks or {}) + len(getattr(p, "_post_accumulate_grad_hooks", None) or {})
              for p in model.parameters()]
    return [*found, len(optimizer._optimizer_step_pre_hooks), len(optimizer._optimizer_step_post_hooks),
            type(scheduler), sorted(vars(scheduler)), sorted(vars(model)), torch._C._len_torch_function_stack()]


def trained(watched):
    model = classifier()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, 20)
    it = SimpleNamespace(model=model, optimizer=optimizer, scheduler=scheduler, steps=20)
    before = hooks_of(model, optimizer, scheduler)
    if watched:
        with watch(model, optimizer, scheduler) as it.seen:
            scheduled(it)
        it.seen.report()
    else:
        scheduled(it)
    assert hooks_of(model, optimizer, scheduler) == before
    return [*model.parameters(), *(p.grad for p in model.parameters()), torch.get_rng_state(),
            torch.tensor(scheduler.get_last_lr())], model, scheduler


def test_it_changes_nothing():
    (one, model, scheduler), (other, _, plain_scheduler) = trained(True), trained(False)
    assert all(torch.equal(a, b) for a, b in zip(one, other))
    assert scheduler.state_dict() == plain_scheduler.state_dict()
    pickle.dumps(model)


def test_it_leaves_after_an_exception():
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = lr_scheduler.StepLR(optimizer, 10)
    before = hooks_of(model, optimizer, scheduler)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        with watch(model, optimizer, scheduler) as seen:
            model(torch.randn(4, 9))
    assert hooks_of(model, optimizer, scheduler) == before
    assert any("mat1 and mat2" in note for note in seen.report().notes)
    with pytest.raises(KeyboardInterrupt):
        with watch(model, optimizer, scheduler) as seen:
            raise KeyboardInterrupt
    assert hooks_of(model, optimizer, scheduler) == before and not seen.report()
    with pytest.raises(RuntimeError, match="for one loop"):
        with seen:
            pass


def test_a_copy_made_inside_is_silent():
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        copied = copy.deepcopy(model)
        copied(data()[0]).sum().backward()
        assert seen.events == ""
    copied(data()[0])
    assert seen.events == "" and not seen.report() and seen.report().notes


def test_events_and_numbers_by_hand():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(2.0)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer) as seen:
        for _ in range(2):
            F.mse_loss(model(torch.ones(4, 1)), torch.zeros(4, 1)).backward()
            optimizer.step()
        with torch.no_grad():
            F.mse_loss(model(torch.ones(4, 1)), torch.zeros(4, 1))
    assert seen.events == "FBSFBSE"
    first, second = seen.steps
    assert [first.loss, first.gradient_norm, *first.updates, *first.weights] == pytest.approx([4.0, 4.0, 0.4, 2.0])
    # Gradients 2w: 4, then 3.2 onto the 4 that is still there, so that 1.6 becomes 1.6 - .72.
    assert [second.loss, second.raw, second.gradient_norm, second.stale] == pytest.approx([2.56, 3.2, 7.2, 4 / 3.2])
    assert seen.evaluations == [(2, pytest.approx(0.88 ** 2))]


def test_the_loss_is_told_without_the_factors_of_accumulation_and_scaler():
    def losses(factor):
        model = nn.Linear(1, 1, bias=False)
        model.weight.data.fill_(2.0)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        with watch(model, optimizer) as seen:
            (factor * F.mse_loss(model(torch.ones(4, 1)), torch.zeros(4, 1))).backward()
            model.weight.grad /= factor
            optimizer.step()
        return seen.steps[0].loss, seen.steps[0].raw

    assert losses(1.0) == (4.0, 4.0)
    assert losses(2.0 ** 16) == (4.0, 4.0)
    assert losses(1 / 4) == (4.0, 1.0)    # a part of the gradient is what this pass gave
    assert losses(3.0) == (12.0, 12.0)    # a weight of the loss


def test_a_report_inside_the_loop_leaves_no_trace():
    events = []

    def loop(it):
        predicts(0)(it)
        events.append(it.seen.events)
        assert it.seen.report().causes == ["labels-misaligned"] and it.model.training
        assert it.seen.events == events[0]

    seen_in(loop, language_model(dropout=0.1), steps=12)


def test_which_passes_were_trained():
    seen = seen_in(stopped_branch, steps=2)
    assert [one.trained for one in seen.passes] == [True, False] * 2

    class Own:    # an output in which no tensor is found: the last pass is taken
        def __init__(self, logits):
            self.logits = logits

    class Wrapped(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = classifier()

        def forward(self, x):
            return Own(self.body(x))

    def loss_fn(output, y):
        return F.cross_entropy(output.logits, y)

    seen = seen_in(lambda it: plain(it, loss_fn=loss_fn), Wrapped(), steps=2)
    assert [one.trained for one in seen.passes] == [True, True] and not seen.report()


def test_the_mark_of_an_evaluation():
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    (x, y), = batches(1)
    with watch(model, optimizer) as seen:
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
        with seen.evaluating():
            F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert seen.events == "FBSEFBS" and len(seen.evaluations) == 1
    assert seen.report().causes == ["mode-wrong"] and "without gradients" in seen.report()[0].seen


def test_a_loss_of_its_own_is_seen():
    def squared(output, target):
        return (output - target).pow(2).mean()

    def loop(it):
        broadcast(it, it.seen.loss_fn)

    assert seen_in(loop, loss_fn=squared).report().causes == ["loss-broadcast"]
    loss_fn = nn.CrossEntropyLoss()
    seen = seen_in(lambda it: plain(it, loss_fn=loss_fn), loss_fn=loss_fn)
    assert not seen.report() and not loss_fn._forward_hooks and seen.losses.calls == 30


def test_the_course_s_own_loop_runs_as_it_is():
    # Its optimiser is made inside, so that another one is given: what is left to see is that this one never steps.
    model = language_model(dropout=0.1)
    with watch(model, torch.optim.SGD(model.parameters(), 0.1)) as seen:
        own_loop(SimpleNamespace(model=model))
    assert seen.report().causes == ["optimizer-step-missing"]
    assert [step for step, _ in seen.evaluations] == [0] * 3 and seen.events.count("B") == 30


def test_the_course_s_own_loop_is_healthy(monkeypatch):
    from course_lib import training
    model = language_model(dropout=0.1)
    optimizer = training.make_optimizer(model, 1e-3)
    monkeypatch.setattr(training, "make_optimizer", lambda *args, **kwargs: optimizer)
    with watch(model, optimizer) as seen:
        own_loop(SimpleNamespace(model=model))
    assert not seen.report(), seen.report().text()
    assert len(seen.steps) == 30 and [step for step, _ in seen.evaluations] == [10, 20, 30]


@pytest.mark.parametrize("shift", [False, True])
def test_a_loop_of_transformers(shift):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=20, n_positions=16, n_embd=32, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0))
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    scheduler = transformers.get_linear_schedule_with_warmup(optimizer, 3, 16)
    with watch(model, optimizer, scheduler) as seen:
        for ids in tokens(16):
            labels = F.pad(ids[:, 1:], (0, 1), value=IGNORED) if shift else ids    # the model shifts them itself
            model(input_ids=ids, labels=labels).loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
    assert seen.report().causes == ["labels-misaligned"] * shift, seen.report().text()


def test_where_padding_is():
    ids = torch.tensor([[5, 6, 7, 0, 0, 0], [5, 6, 7, 8, 9, 0], [5, 3, 6, 7, 8, 9]])
    assert torch.equal(padding_of(ids), ids == 0)
    assert torch.equal(padding_of(ids.flip(1)), ids.flip(1) == 0)
    assert padding_of(torch.randint(1, 8, (16, 10), generator=torch.Generator().manual_seed(0))) is None
    assert padding_of(torch.tensor([[0, 1, 0, 0, 0], [1, 2, 3, 4, 5]])) is None    # 0 is a token too


@pytest.mark.parametrize("arguments, error, message", [
    (lambda m, o: (None, o), TypeError, "give the nn.Module"),
    (lambda m, o: (m, None), TypeError, "give the torch.optim.Optimizer"),
    (lambda m, o: (m, o, 3), TypeError, "has no step"),
    (lambda m, o: (m, o, None, 3), TypeError, "loss_fn cannot be called"),
    (lambda m, o: (nn.ReLU(), o), ValueError, "no parameters"),
    (lambda m, o: (nn.LazyLinear(3), o), ValueError, "run one batch"),
])
def test_bad_arguments(arguments, error, message):
    model = classifier()
    with pytest.raises(error, match=message):
        watch(*arguments(model, torch.optim.SGD(model.parameters(), 0.1)))
    with pytest.raises(ValueError, match="at least 1"):
        watch(model, torch.optim.SGD(model.parameters(), 0.1), every=0)


def test_a_scheduler_of_another_kind():
    class Own:
        def step(self):
            pass

    seen = seen_in(scheduled, scheduler=lambda optimizer: Own())
    assert seen.events.count("L") == 30 and not seen.report()


def test_updates_are_measured_each_few_steps():
    model = classifier()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with watch(model, optimizer, every=4) as seen:
        plain(SimpleNamespace(model=model, optimizer=optimizer, steps=10))
    assert [bool(step.updates) for step in seen.steps] == [True, False, False, False] * 2 + [True, False]
    assert not seen.report()
