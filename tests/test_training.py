"""The training loop against torch's own schedulers and optimisers, closed forms and broken runs."""
import math
import random

import numpy
import pytest
import torch
from torch.nn import functional as F

from course_lib import training
from course_lib.training import (
    Diverged,
    LengthBatches,
    cross_entropy,
    language_model_loss,
    learning_rate_at,
    make_optimizer,
    pad,
    seq2seq_loss,
    set_seed,
    train,
)
from course_lib.transformer import Transformer, TransformerConfig


def test_seed_reaches_every_generator():
    def draw():
        return random.random(), numpy.random.rand(), torch.rand(1).item()
    set_seed(4)
    first = draw()
    assert all(a != b for a, b in zip(first, draw()))
    set_seed(4)
    assert draw() == first
    set_seed(5)
    assert all(a != b for a, b in zip(first, draw()))


# Batches

@pytest.mark.parametrize("side, wanted, real", [
    ("right", [[3, 1, 4], [1, 9, 9], [5, 9, 9]], [[1, 1, 1], [1, 0, 0], [1, 0, 0]]),
    ("left", [[3, 1, 4], [9, 9, 1], [9, 9, 5]], [[1, 1, 1], [0, 0, 1], [0, 0, 1]]),
])
def test_pad(side, wanted, real):
    ids, mask = pad([[3, 1, 4], torch.tensor([1]), (5,)], value=9, side=side)
    assert ids.tolist() == wanted and ids.dtype == torch.int64
    assert mask.tolist() == torch.tensor(real).bool().tolist() and mask.dtype == torch.bool


def test_pad_keeps_an_empty_row_among_others():
    ids, mask = pad([[], [2]])
    assert ids.tolist() == [[0], [2]] and mask.tolist() == [[False], [True]]


@pytest.mark.parametrize("sequences, side", [([], "right"), ([[], []], "right"), ([[1]], "middle")])
def test_pad_refuses(sequences, side):
    with pytest.raises(ValueError):
        pad(sequences, side=side)


LENGTHS = random.Random(1).choices(range(1, 30), k=203)


@pytest.mark.parametrize("size", [dict(batch_size=8), dict(max_tokens=64)])
def test_every_epoch_has_each_index_once_in_another_order(size):
    batches = LengthBatches(LENGTHS, **size)
    first, second = list(batches), list(batches)
    for epoch in (first, second):
        assert sorted(index for batch in epoch for index in batch) == list(range(203))
    assert first != second
    again = LengthBatches(LENGTHS, **size)
    assert [list(again), list(again)] == [first, second]
    assert list(LengthBatches(LENGTHS, **size, seed=1)) != first
    members = [{tuple(sorted(batch)) for batch in epoch} for epoch in (first, second)]
    assert len(members[0] & members[1]) < len(members[0]) / 2, "equal lengths meet others in each epoch"
    longest = [max(LENGTHS[i] for i in batch) for batch in first]
    assert longest != sorted(longest), "short ones do not always come first"


def test_batches_hold_little_padding():
    batches = list(LengthBatches(LENGTHS, batch_size=8))
    assert sorted(map(len, batches))[1:] == [8] * 25 and min(map(len, batches)) == 3
    spans = [(min(lengths), max(lengths)) for lengths in ([LENGTHS[i] for i in batch] for batch in batches)]
    spans.sort()
    for (_, high), (low, _) in zip(spans, spans[1:]):
        assert high <= low, "sorted by length, the batches do not overlap"


def test_max_tokens_counts_padding_and_is_used_up():
    batches = list(LengthBatches(LENGTHS, max_tokens=64))
    costs = sorted(len(batch) * max(LENGTHS[i] for i in batch) for batch in batches)
    assert costs[-1] <= 64 and costs[len(costs) // 2] > 48
    assert list(LengthBatches([5, 5], max_tokens=10)) in ([[0, 1]], [[1, 0]])


@pytest.mark.parametrize("arguments, message", [
    (([1, 2],), "give batch_size or max_tokens"),
    (([1, 2], 3, 4), "give batch_size or max_tokens"),
    (([1, 2], 0, None), "at least 1"),
    (([], 3), "no sequences"),
    (([1, 99], None, 10), "a sequence has 99 tokens, and max_tokens is 10"),
])
def test_length_batches_refuse(arguments, message):
    names = ("lengths", "batch_size", "max_tokens")
    with pytest.raises(ValueError, match=message):
        LengthBatches(**dict(zip(names, arguments)))


# Losses

def model_of(**settings):
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(**(dict(vocabulary=11, width=16, heads=2, context=12) | settings)))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
    return model.eval()


def nats(logits, label):
    return float(logits.double().logsumexp(-1) - logits[label].double())


@torch.no_grad()
def test_language_model_loss_by_hand():
    model, rows = model_of(layers=2), [[3, 1, 4, 1, 5], [9, 2, 6], [5]]
    wanted = [nats(model(torch.tensor([row[:i]])).logits[0, -1], row[i])
              for row in rows for i in range(1, len(row))]
    for side in ("right", "left"):
        ids, mask = pad(rows, value=7, side=side)
        found = float(language_model_loss(model, ids, mask))
        assert found == pytest.approx(sum(wanted) / len(wanted), rel=1e-5)
        assert float(language_model_loss(model, ids, mask.long())) == found
    whole = language_model_loss(model, torch.tensor([rows[0]]))
    assert float(whole) == pytest.approx(sum(wanted[:4]) / 4, rel=1e-5)


@torch.no_grad()
def test_seq2seq_loss_by_hand():
    model = model_of(encoder_layers=1, decoder_layers=2)
    sources, targets = [[3, 1, 4], [1]], [[0, 5, 9], [0, 2, 6, 5, 3]]
    wanted = [nats(model(torch.tensor([source]), torch.tensor([target[:i]])).logits[0, -1], target[i])
              for source, target in zip(sources, targets) for i in range(1, len(target))]
    found = seq2seq_loss(model, *pad(sources), *pad(targets))
    assert float(found) == pytest.approx(sum(wanted) / len(wanted), rel=1e-5)
    one = seq2seq_loss(model, torch.tensor(sources[:1]), None, torch.tensor(targets[:1]))
    assert float(one) == pytest.approx(sum(wanted[:2]) / 2, rel=1e-5)


def test_cross_entropy_is_in_float32_and_skips_ignored():
    logits = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).bfloat16()
    labels = torch.tensor([[1, 2, -100], [0, -100, 4]])
    kept = [F.cross_entropy(logits[i, j].float(), labels[i, j])
            for i, j in ((0, 0), (0, 1), (1, 0), (1, 2))]
    loss = cross_entropy(logits, labels)
    assert loss.dtype == torch.float32 and float(loss) == pytest.approx(float(sum(kept)) / 4, rel=1e-6)
    assert math.isnan(cross_entropy(logits, torch.full((2, 3), -100)))


# The schedule and the optimiser

@pytest.mark.parametrize("decay", ["cosine", "linear", "constant"])
@pytest.mark.parametrize("floor", [0.0, 0.02])
def test_schedule_by_its_formula(decay, floor):
    rates = [learning_rate_at(step, steps=50, peak=0.1, warmup=9, decay=decay, floor=floor)
             for step in range(50)]
    assert rates[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    scheduler = {
        "cosine": lambda: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 41, eta_min=floor),
        "linear": lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, floor / 0.1, 41),
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)}[decay]()
    for step in range(9, 50):
        assert rates[step] == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-9), step
        optimizer.step()
        scheduler.step()


def test_schedule_without_warmup_and_beyond_its_end():
    assert learning_rate_at(0, steps=10, peak=0.3) == 0.3
    assert learning_rate_at(10, steps=10, peak=0.3, floor=0.1) == pytest.approx(0.1)
    assert learning_rate_at(99, steps=10, peak=0.3, floor=0.1) == pytest.approx(0.1)
    assert learning_rate_at(3, steps=4, peak=0.3, warmup=8) == pytest.approx(0.3 * 4 / 9)
    with pytest.raises(ValueError, match="cosine, linear, constant"):
        learning_rate_at(0, steps=10, peak=0.3, decay="exponential")


def test_only_matrices_decay():
    model = model_of(layers=1).train()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = make_optimizer(model, 0.1, weight_decay=0.5, betas=(0.8, 0.9))
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.detach(), before[name] * (0.95 if weight.dim() > 1 else 1.0))
    assert {group["betas"] for group in optimizer.param_groups} == {(0.8, 0.9)}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(before)


# The loop

def slope(start=3.0):
    """One weight w, and the loss w times the batch: its gradient is the batch."""
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(start)
    return model


def product(model, batch):
    return (model.weight * batch).sum()


def square(model, batch):
    return ((model.weight - batch) ** 2).sum()


def as_given(model, batch):
    """The batch itself as the loss; the weight has a gradient of 0."""
    return model.weight.sum() * 0 + batch


def test_equals_a_loop_written_out():
    settings = dict(vocabulary=11, width=16, heads=2, context=12, layers=1)
    batches = [torch.randint(11, (4, 9), generator=torch.Generator().manual_seed(i)) for i in range(3)]
    # Double: the biases of keys have no effect, and AdamW would take steps from their rounding errors.
    ours, theirs = model_of(**settings).double(), model_of(**settings).double()
    history = train(ours, batches, language_model_loss, steps=7, learning_rate=0.02, warmup=2, decay="linear",
                    weight_decay=0.3, betas=(0.85, 0.95), clip=0.5, progress=False)
    optimizer = torch.optim.AdamW([
        {"params": [w for w in theirs.parameters() if w.dim() > 1], "weight_decay": 0.3},
        {"params": [w for w in theirs.parameters() if w.dim() < 2], "weight_decay": 0.0}], betas=(0.85, 0.95))
    losses, norms, rates = [], [], []
    for step in range(7):
        rates.append(0.02 * ((step + 1) / 3 if step < 2 else (7 - step) / 5))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        ids = batches[step % 3]
        loss = F.cross_entropy(theirs(ids[:, :-1]).logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        norms.append(float(torch.cat([w.grad.flatten() for w in theirs.parameters()]).norm()))
        for weight in theirs.parameters():
            weight.grad *= min(1.0, 0.5 / norms[-1])
        optimizer.step()
        losses.append(loss.item())
    assert max(norms) > 0.5, "something was clipped"
    assert history.losses == pytest.approx(losses)
    assert history.gradient_norms == pytest.approx(norms)
    assert history.learning_rates == pytest.approx(rates)
    for a, b in zip(ours.parameters(), theirs.parameters()):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
    assert history.stopped == "" and history.validation == []


def test_without_clip_the_gradient_is_used_whole():
    def step(clip):
        model, seen = slope(), []
        model.weight.register_post_accumulate_grad_hook(lambda weight: seen.append(weight))
        train(model, [torch.tensor([50.0])], product, steps=1, clip=clip, progress=False)
        return float(seen[0].grad)
    assert step(None) == 50 and step(1.0) == pytest.approx(1.0) and step(80.0) == 50


def test_it_learns_a_language():
    """Counting modulo 11: after enough steps every next token is certain."""
    model = model_of(layers=1)
    rows = (torch.arange(40)[:, None] + torch.arange(9)) % 11
    history = train(model, LengthBatches([9] * 40, batch_size=8),
                    lambda model, batch: language_model_loss(model, rows[batch]),
                    steps=150, learning_rate=0.01, warmup=10, progress=False)
    assert history.losses[0] > 2 and history.losses[-1] < 0.05
    with torch.no_grad():
        assert model(torch.tensor([[4, 5, 6]])).logits[0, -1].argmax() == 7


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 5.0
        return self.now


def test_seconds_and_modes():
    model, modes = slope().eval(), []

    def loss_of(model, batch):
        modes.append(model.training)
        return square(model, batch)

    def validate():
        modes.append((model.training, torch.is_grad_enabled()))
        return 1.0
    history = train(model, [torch.zeros(1)], loss_of, steps=2, validate=validate, validate_every=1,
                    clock=Clock(), progress=False)
    assert modes == [True, (False, False)] * 2 and not model.training
    assert history.seconds == 5.0
    train(model.train(), [torch.zeros(1)], square, steps=1, progress=False)
    assert model.training


def test_best_validation_is_kept_and_patience_ends_the_run():
    model, values, weights = slope(), iter([5.0, 3.0, 4.0, 3.0, 3.5, 0.0]), []

    def validate():
        weights.append(model.weight.item())
        return next(values)
    history = train(model, [torch.ones(1)], product, steps=100, validate=validate, validate_every=10,
                    patience=3, progress=False)
    assert history.validation == [(10, 5.0), (20, 3.0), (30, 4.0), (40, 3.0), (50, 3.5)]
    assert history.best == (20, 3.0) and len(history.losses) == 50
    assert history.stopped == "no better validation than 3 of step 20"
    assert model.weight.item() == weights[1] != weights[-1]


@pytest.mark.parametrize("steps, every, wanted", [(10, 4, [4, 8, 10]), (8, 4, [4, 8]), (3, 4, [3])])
def test_the_last_step_is_validated_once(steps, every, wanted):
    history = train(slope(), [torch.ones(1)], product, steps=steps, validate=lambda: -1.0,
                    validate_every=every, progress=False)
    assert [done for done, _ in history.validation] == wanted and history.stopped == ""


def test_batches_that_run_out_end_the_run_and_say_so():
    model, seen = slope(), []
    history = train(model, (torch.ones(1) for _ in range(3)), product, steps=10, progress=False,
                    validate=lambda: seen.append(model.weight.item()) or 1.0)
    assert len(history.losses) == 3 and "ran out after 3 steps" in history.stopped
    assert seen == [model.weight.item()], "what was trained last is validated too"


def test_no_batch_is_drawn_that_is_not_used():
    drawn = []

    def endless():
        while True:
            drawn.append(1)
            yield torch.ones(1)
    train(slope(), endless(), product, steps=4, progress=False)
    assert len(drawn) == 4


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(bad):
    model, before = slope(), []

    def batches():
        for i in range(5):
            before.append(model.weight.item())
            yield torch.tensor([1.0 if i < 3 else bad])
    with pytest.raises(Diverged, match=f"a loss of {bad} at step 4.*lower learning rate") as caught:
        train(model, batches(), product, steps=5, learning_rate=0.1, progress=False)
    assert len(caught.value.history.losses) == 4
    assert model.weight.item() == before[-1], "the bad step was not taken"
    assert caught.value.history.seconds > 0


def test_a_gradient_that_is_not_finite_stops_the_run():
    def loss_of(model, batch):
        return (model.weight - model.weight.detach()).sqrt().sum()   # 0, with a gradient of infinity
    model = slope()
    with pytest.raises(Diverged, match="a gradient of norm (inf|nan) at step 1"):
        train(model, [None], loss_of, steps=5, progress=False)
    assert model.weight.item() == 3.0


def test_a_loss_that_stays_far_too_high_stops_the_run():
    level = iter([1.0] * 5 + [3.1] * 19 + [2.9] + [3.1] * 50)    # 19 in a row are not enough
    with pytest.raises(Diverged, match="a loss of 3.1, from 1, at step 45"):
        train(slope(), level, as_given, steps=100, progress=False)
    steady = [3.0] * 60    # twice the first plus 1, no more
    history = train(slope(), [1.0, *steady], as_given, steps=61, progress=False)
    assert len(history.losses) == 61


def test_a_real_run_with_far_too_high_a_learning_rate_is_stopped():
    model = model_of(layers=2).train()
    rows = torch.randint(11, (64, 9), generator=torch.Generator().manual_seed(0))
    with pytest.raises(Diverged):
        train(model, [rows], language_model_loss, steps=400, learning_rate=30.0, decay="constant", clip=None,
              progress=False)


def test_after_divergence_the_best_weights_are_back():
    model, seen = slope(), []
    batches = [torch.tensor([1.0])] * 5 + [torch.tensor([math.nan])]
    values = iter([2.0, 1.0, 3.0, 4.0, 5.0])

    def validate():
        seen.append(model.weight.item())
        return next(values)
    with pytest.raises(Diverged) as caught:
        train(model, batches, product, steps=9, validate=validate, validate_every=1, progress=False)
    assert model.weight.item() == seen[1] != seen[-1]
    assert caught.value.history.best == (2, 1.0)


def test_a_validation_of_nan_stops_the_run():
    with pytest.raises(Diverged, match="validation of nan at step 2"):
        train(slope(), [torch.ones(1)], product, steps=9, validate=lambda: math.nan, validate_every=2,
              progress=False)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_autocast(dtype):
    model, seen = model_of(layers=1), []
    rows = (torch.arange(16)[:, None] + torch.arange(9)) % 11

    def loss_of(model, batch):
        seen.append(model(batch[:, :-1]).logits.dtype)
        return language_model_loss(model, batch)
    history = train(model, [rows], loss_of, steps=60, learning_rate=0.01, dtype=dtype, progress=False)
    assert set(seen) == {dtype} and history.losses[-1] < history.losses[0] / 2
    assert next(model.parameters()).dtype == torch.float32
    finite = [norm for norm in history.gradient_norms if math.isfinite(norm)]
    assert max(finite) < 100, "norms are those of the unscaled gradient"


def test_frozen_weights_stay():
    model = model_of(layers=1)
    model.decoder.requires_grad_(False)
    model.head.output.weight = torch.nn.Parameter(model.head.output.weight.detach().clone())
    before = [weight.detach().clone() for weight in model.decoder.parameters()]
    head = model.head.output.weight.detach().clone()
    train(model, [torch.ones(2, 5, dtype=torch.long)], language_model_loss, steps=2, progress=False)
    assert all(map(torch.equal, before, model.decoder.parameters()))
    assert not torch.equal(head, model.head.output.weight)


@pytest.mark.parametrize("arguments, message", [
    (dict(steps=0), "at least 1"),
    (dict(validate_every=0), "at least 1"),
    (dict(patience=0, validate=lambda: 0.0), "at least 1"),
    (dict(patience=2), "patience needs validate"),
    (dict(clip=0.0), "clip=0.0 would stop all learning"),
    (dict(decay="slow"), "cosine, linear, constant"),
    (dict(batches=[]), "there are no batches"),
    (dict(batches=iter([])), "there are no batches"),
])
def test_train_refuses(arguments, message):
    model = slope()
    options = dict(batches=[torch.ones(1)], steps=3, progress=False) | arguments
    with pytest.raises(ValueError, match=message):
        train(model, options.pop("batches"), product, **options)
    assert model.weight.item() == 3.0


def test_nothing_to_train():
    with pytest.raises(ValueError, match="no weight of this model requires a gradient"):
        train(slope().requires_grad_(False), [1], product, steps=1)


def test_progress_bar(monkeypatch, capsys):
    train(slope(), [torch.ones(1)], product, steps=3)
    assert "3/3" in capsys.readouterr().err
    train(slope(), [torch.ones(1)], product, steps=3, progress=False)
    assert capsys.readouterr().err == ""
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    assert training._bar(3) is None
    assert len(train(slope(), [torch.ones(1)], product, steps=3).losses) == 3
