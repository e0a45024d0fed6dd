"""The training loop: seeds, batches of like length, warm-up and decay, clipping, early stop, history.

Built in chapter 2.
"""
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

DECAYS = ("cosine", "linear", "constant")
IGNORED = -100    # label of a position without a loss, as in torch and transformers
HIGH_FOR = 20     # steps of a far too high loss that make a run a diverged one


def set_seed(seed: int) -> None:
    """Seed Python's `random`, numpy's global state and torch's generators of all devices."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


# Batches

def pad(sequences: Sequence[Sequence[int]], value: int = 0, side: str = "right",
        device: torch.device | str | None = None) -> tuple[Tensor, Tensor]:
    """Sequences of integers as one tensor: ids, int64 [batch, longest], and their padding mask, bool, True
    for what was there.

    side: of the padding; "left" for prompts that a decoder goes on from. Raises ValueError for no
    sequences and for sequences that are all empty.
    """
    if side not in ("left", "right"):
        raise ValueError(f"side={side!r}: use left or right")
    longest = max(map(len, sequences), default=0)
    if not longest:
        raise ValueError("nothing to pad: give at least one sequence that is not empty")
    ids = torch.full((len(sequences), longest), value, dtype=torch.int64)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        start = longest - len(sequence) if side == "left" else 0
        ids[row, start:start + len(sequence)] = torch.as_tensor(sequence, dtype=torch.int64)
        mask[row, start:start + len(sequence)] = True
    return ids.to(device), mask.to(device)


class LengthBatches:
    """Batches of indices of sequences of like length, so that little of a batch is padding.

    lengths: of each sequence, in tokens. batch_size: sequences in a batch, or max_tokens: its rows times
    its longest. Each pass over it is another epoch: every index once, in batches of another random
    order. The same seed gives the same epochs.

    Raises ValueError unless exactly one of the two sizes is given, and where a sequence is longer than
    max_tokens.
    """

    def __init__(self, lengths: Sequence[int], *, batch_size: int | None = None,
                 max_tokens: int | None = None, seed: int = 0):
        if (batch_size is None) == (max_tokens is None) or 0 in (batch_size, max_tokens):
            raise ValueError("give batch_size or max_tokens, one of them, and at least 1")
        if not len(lengths):
            raise ValueError("no sequences to make batches of")
        if max_tokens is not None and max(lengths) > max_tokens:
            raise ValueError(f"a sequence has {max(lengths)} tokens, and max_tokens is {max_tokens}")
        self.lengths, self.batch_size, self.max_tokens = lengths, batch_size, max_tokens
        self.random = random.Random(seed)

    def __iter__(self) -> Iterator[list[int]]:
        order = list(range(len(self.lengths)))
        self.random.shuffle(order)    # sorting keeps it among equal lengths
        order.sort(key=self.lengths.__getitem__)
        batches: list[list[int]] = [[]]
        for index in order:    # ascending: the new one is the longest
            rows = len(batches[-1]) + 1
            full = rows > self.batch_size if self.batch_size else rows * self.lengths[index] > self.max_tokens
            if full:
                batches.append([])
            batches[-1].append(index)
        self.random.shuffle(batches)
        return iter(batches)


# Losses

def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-probability of the labels, in nats.

    logits: [..., vocabulary]; half precision is raised to float32. labels: [...], int64, `IGNORED` where
    there is no loss. NaN where all are.
    """
    if logits.dtype in (torch.bfloat16, torch.float16):
        logits = logits.float()
    return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=IGNORED)


def language_model_loss(model: nn.Module, ids: Tensor, padding_mask: Tensor | None = None) -> Tensor:
    """Of a decoder, nats a token: each real token is to be predicted from those before it.

    ids: [batch, length]; the first token of a row has no loss. padding_mask: [batch, length].
    """
    labels = ids[:, 1:]
    if padding_mask is not None:    # the first real token has nothing to be predicted from either
        padding_mask = padding_mask.bool()
        labels = labels.masked_fill(~(padding_mask[:, 1:] & padding_mask[:, :-1]), IGNORED)
        padding_mask = padding_mask[:, :-1]
    return cross_entropy(model(ids[:, :-1], padding_mask=padding_mask).logits, labels)


def seq2seq_loss(model: nn.Module, source: Tensor, source_mask: Tensor | None, target: Tensor,
                 target_mask: Tensor | None = None) -> Tensor:
    """Of an encoder-decoder, nats a token of the target, each given the source and the target before it.

    target: [batch, length], from the token that starts the decoder to the end token; padding on the right.
    """
    labels = target[:, 1:]
    if target_mask is not None:
        labels = labels.masked_fill(~target_mask[:, 1:].bool(), IGNORED)
    return cross_entropy(model(source, target[:, :-1], padding_mask=source_mask).logits, labels)


# The loop

def learning_rate_at(step: int, *, steps: int, peak: float, warmup: int = 0, decay: str = "cosine",
                     floor: float = 0.0) -> float:
    """The learning rate of step 0 to steps - 1: up to `peak` in `warmup` steps, then down to `floor`.

    Linear warm-up; decay by "cosine" (Loshchilov and Hutter 2017), "linear" or not at all, "constant".
    """
    if decay not in DECAYS:
        raise ValueError(f"decay={decay!r} is not one of: {', '.join(DECAYS)}")
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)    # not 0, which would waste the first step
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    left = {"cosine": (1 + math.cos(math.pi * done)) / 2, "linear": 1 - done, "constant": 1.0}[decay]
    return floor + (peak - floor) * left


def make_optimizer(model: nn.Module, learning_rate: float, *, weight_decay: float = 0.01,
                   betas: tuple[float, float] = (0.9, 0.999)) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019), fused; matrices decay, biases and norms do not."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [{"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": weight_decay},
              {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=betas, fused=True)


@dataclass
class History:
    """What happened in each step: loss, learning rate, norm of the gradient before clipping.

    validation: (steps done, value) of each. best: the lowest of them. seconds: of the whole run.
    stopped: why it ended before its last step; empty if it did not.
    """
    losses: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    stopped: str = ""

    @property
    def best(self) -> tuple[int, float]:
        """(steps done, value) of the lowest validation. Raises ValueError where there was none."""
        return min(self.validation, key=lambda entry: entry[1])


class Diverged(RuntimeError):
    """A run that has left the ground. history: of the run so far."""

    def __init__(self, message: str, history: History):
        super().__init__(message)
        self.history = history


def train(model: nn.Module, batches: Iterable, loss_of: Callable[[nn.Module, object], Tensor], *, steps: int,
          learning_rate: float = 1e-3, warmup: int = 0, decay: str = "cosine", floor: float = 0.0,
          weight_decay: float = 0.01, betas: tuple[float, float] = (0.9, 0.999), clip: float | None = 1.0,
          validate: Callable[[], float] | None = None, validate_every: int = 100, patience: int | None = None,
          dtype: torch.dtype = torch.float32, progress: bool = True,
          clock: Callable[[], float] = time.perf_counter) -> History:
    """Train a model for `steps` batches; it ends up with the weights of its best validation, if any.

    batches: gone through again and again, so a list, a `LengthBatches` or an endless generator.
    loss_of: `loss_of(model, batch)`, a mean as a scalar tensor. warmup, decay, floor: see
    `learning_rate_at`. clip: largest norm of the gradient. validate: lower is better; called in
    evaluation mode without gradients, every `validate_every` steps and after the last. patience: stop
    after so many validations in a row without a new best. dtype: of autocast; float16 scales the loss.
    clock: seconds.

    Raises `Diverged`, saying what to try, at a loss or gradient that is not finite, or where the loss has
    been above twice the first one plus 1 for 20 steps. The model then has the weights of its best
    validation, else those of before that step. Raises ValueError for bad arguments, before the first step.
    """
    if steps < 1 or validate_every < 1 or (patience is not None and patience < 1):
        raise ValueError("steps, validate_every and patience must be at least 1")
    if patience is not None and validate is None:
        raise ValueError("patience needs validate: there is nothing to be patient about")
    if clip is not None and clip <= 0:
        raise ValueError(f"clip={clip} would stop all learning; None is for no clipping")
    schedule = {"steps": steps, "peak": learning_rate, "warmup": warmup, "decay": decay, "floor": floor}
    learning_rate_at(0, **schedule)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise ValueError("no weight of this model requires a gradient")
    device = weights[0].device.type
    optimizer = make_optimizer(model, learning_rate, weight_decay=weight_decay, betas=betas)
    scaler = torch.amp.GradScaler(device, enabled=dtype == torch.float16)
    history, best, validated, high, rate = History(), None, False, 0, learning_rate
    began, was_training = clock(), model.training

    def diverged(what: str) -> Diverged:
        return Diverged(f"{what} at step {len(history.losses)}, learning rate {rate:.2g}: the run diverged; "
                        "try a lower learning rate, a longer warm-up or a lower clip, and look for bad "
                        "values in that batch", history)

    def keep_if_best() -> None:
        nonlocal best
        done = len(history.losses)
        with evaluating(model):
            history.validation.append((done, float(validate())))
        if math.isnan(history.validation[-1][1]):
            raise diverged("a validation of nan")
        if history.best[0] == done:
            best = {name: value.detach().clone() for name, value in model.state_dict().items()}

    bar = _bar(steps) if progress else None
    model.train()
    try:
        for step, batch in zip(range(steps), _again_and_again(batches, history)):
            rate = learning_rate_at(step, **schedule)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(device, dtype, enabled=dtype != torch.float32):
                loss = loss_of(model, batch)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            norm = float(nn.utils.clip_grad_norm_(weights, clip or math.inf))
            history.losses.append(float(loss.detach()))
            history.learning_rates.append(rate)
            history.gradient_norms.append(norm)
            if not math.isfinite(history.losses[-1]):
                raise diverged(f"a loss of {history.losses[-1]}")
            if not math.isfinite(norm) and not scaler.is_enabled():    # a scaler skips such a step
                raise diverged(f"a gradient of norm {norm}")
            high = high + 1 if history.losses[-1] > 2 * history.losses[0] + 1 else 0
            if high == HIGH_FOR:
                raise diverged(f"a loss of {history.losses[-1]:.3g}, from {history.losses[0]:.3g},")
            scaler.step(optimizer)
            scaler.update()
            if bar is not None:
                bar.set_postfix(loss=f"{history.losses[-1]:.3f}", refresh=False)
                bar.update()
            validated = False
            if validate is not None and (step + 1) % validate_every == 0:
                keep_if_best()
                validated = True
                waited = sum(done > history.best[0] for done, _ in history.validation)
                if patience is not None and waited >= patience:
                    done, value = history.best
                    history.stopped = f"no better validation than {value:.4g} of step {done}"
                    break
        if validate is not None and not validated:
            keep_if_best()
    finally:
        if best is not None:
            model.load_state_dict(best)
        model.train(was_training)
        history.seconds = clock() - began
        if bar is not None:
            bar.close()
    return history


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards the mode it was in."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def _again_and_again(batches: Iterable, history: History) -> Iterator:
    while True:
        before = len(history.losses)
        yield from batches
        if len(history.losses) == before:    # nothing came: empty, or a generator that has ended
            if not before:
                raise ValueError("there are no batches")
            history.stopped = f"the batches ran out after {before} steps; a list can be gone through again"
            return


def _bar(steps: int):
    try:
        from tqdm.auto import tqdm
    except ImportError:    # training does not need it
        return None
    return tqdm(total=steps, desc="training", unit="step")
