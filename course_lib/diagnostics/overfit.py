"""Remember one batch: the post's best advice, with a reference to hold the loss against.

"Overfit a small batch": a model that is right can bring its loss on 16 examples down to the lowest that any function
of its inputs could reach (`floor`). Where it stops tells why. Sanh 2020, section 3. Built in chapter 4.
"""
import math
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from course_lib.diagnostics.batch import class_count
from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.probe import Probe

RATES = (3e-3, 1e-3, 3e-4, 1e-2)    # of Adam, tried in this order until one remembers the batch
CLOSE = 0.05                        # of the way from the first loss to the floor: no other rate is tried below that
LARGE = 3_000_000                   # parameters: from here on one rate is tried


@dataclass
class Run:
    """losses: of each step of the best learning rate. floor: the lowest loss that any function of the inputs could have
    (None: not known). rate: the learning rate. finished: whether it ran to its end, or to its goal, before the time
    was up."""
    losses: list[float] = field(default_factory=list)
    floor: float | None = None
    rate: float = 0.0
    finished: bool = True

    @property
    def lowest(self) -> float:
        """The loss of the last steps (their median, as single steps jump)."""
        tail = sorted(self.losses[-5:])
        return tail[len(tail) // 2] if tail else math.nan


def overfit_batch(probe: Probe, steps: int = 200, seconds: float = 40.0, goal: float = 0.01) -> Run:
    """Train on the batch by Adam, without dropout or weight decay, until the loss is `goal` above the floor.

    Dropout is off as the model is in evaluation mode; BatchNorm layers are in training mode, as in training. Several
    learning rates are tried, for one that is too high or too low is no bug; if none suffices, the best runs longer.
    Parameters are put back.
    """
    parameters = [p for _, p in probe.trainable]
    if not parameters or not probe.loss().requires_grad:
        return Run()
    saved = [p.detach().clone() for p in parameters]
    buffers = [(b, b.detach().clone()) for b in probe.model.buffers()]
    large = sum(p.numel() for p in parameters) > LARGE
    started, best = time.process_time(), Run(floor=floor(probe))
    with probe.as_trained():
        rates = [(rate, steps) for rate in (RATES[1:2] if large else RATES)]
        # at last, longer, at the best of the rates
        for rate, count in rates + ([] if large else [(None, 4 * steps)]):
            try:
                run = _train(probe, parameters, rate or best.rate, count, seconds - (time.process_time() - started),
                             goal,
                             best.floor)
            finally:
                for tensor, old in (*zip(parameters, saved), *buffers):
                    tensor.data.copy_(old)
            if rate is None and not run.finished:
                break
            if not best.losses or run.lowest < best.lowest or not math.isfinite(best.lowest):
                best = run
            if best.lowest - (best.floor or 0.0) <= max(goal,
                                                        CLOSE * (best.losses[0] - (best.floor
                                                                                   or 0.0))) or not run.finished:
                break
    return best


def _train(probe: Probe, parameters: list, rate: float, steps: int, seconds: float, goal: float,
           lowest: float | None) -> Run:
    run, started = Run(floor=lowest, rate=rate), time.process_time()
    optimizer = torch.optim.Adam(parameters, lr=rate)
    for _ in range(steps):
        if time.process_time() - started > seconds:
            run.finished = False
            break
        loss = probe.loss()
        run.losses.append(float(loss.detach()))
        if not math.isfinite(run.losses[-1]) or run.losses[-1] <= (lowest or 0.0) + goal:
            break
        for p, grad in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True)):
            p.grad = grad
        nn.utils.clip_grad_norm_(parameters, 1.0 if probe.labels is not None else 1e6)
        optimizer.step()
    for p in parameters:
        p.grad = None
    return run


def floor(probe: Probe, steps: int = 120) -> float | None:
    """The lowest loss that any function of the inputs can have on this batch, None where it cannot be found.

    The outputs themselves are optimised, with equal outputs wherever the model sees the same: examples with the same
    input, or, if it reads from left to right, positions with the same beginning. So contradicting labels, soft labels
    and the first token of a text, which nothing foretells, are accounted for.
    """
    outputs = probe.raw()
    out = probe.examined(outputs).detach()
    if probe.replaced(outputs, out) is None or out.numel() > 2_000_000 or not isinstance(probe.targets, Tensor):
        return None
    element = _tied(probe, out)
    targets = probe.targets.float()
    spread = float(targets.std()) if probe.targets.is_floating_point() and targets.numel() > 1 else 0.0
    binary = not probe.targets.is_floating_point() or bool(((targets == 0) | (targets == 1)).all())
    start = 0.0 if binary else float(targets.mean())
    free = torch.full((int(element.max()) + 1,), start, device=out.device, requires_grad=True)
    optimizer = torch.optim.Adam([free], lr=0.5 if binary else 0.1 * (spread or 1.0))
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    lowest = math.inf
    with torch.enable_grad():
        for _ in range(steps):
            try:
                loss = probe.loss_of(probe.replaced(outputs, free[element].to(out.dtype)))
            except RuntimeError:    # binary_cross_entropy refuses what is no probability
                return None
            if not loss.requires_grad or not math.isfinite(float(loss.detach())):
                return None
            lowest = min(lowest, float(loss.detach()))
            free.grad = torch.autograd.grad(loss, free, allow_unused=True)[0]
            if free.grad is None:
                return None
            optimizer.step()
            decay.step()
    # log-probabilities: no bound for free outputs
    return None if probe.labels is not None and lowest < -0.01 else lowest


def _tied(probe: Probe, out: Tensor) -> Tensor:
    """For each entry of the output the number of the free value that it takes: equal where the model sees the same."""
    places = torch.arange(out.numel(), device=out.device).reshape(out.shape)
    ordered = probe.per_position(places)
    causal = probe.next_token_of
    if ordered is None:
        ordered = probe.per_example(places)
        if ordered is None:
            return places
        ordered, causal = ordered[:, None], None
    count, length, width = ordered.shape
    rest = [probe.examples_first(value).detach().cpu() for name, value in probe.tensors.items()
            if probe.batched(name) and name != causal]
    first = probe.examples_first(probe.tensors[causal]).detach().cpu() if causal is not None else None
    groups: dict = {}
    result = torch.empty(out.numel(), dtype=torch.long, device=out.device)
    for n in range(count):
        row = tuple(value[n].float().numpy().tobytes() for value in rest)
        for t in range(length):
            seen = tuple(first[n, :t + 1].tolist()) if first is not None else t
            group = groups.setdefault((row, seen), len(groups))
            result[ordered[n, t].flatten()] = group * width + torch.arange(width, device=out.device)
    return result.reshape(out.shape)


def overfit(probe: Probe, steps: int = 200, seconds: float = 40.0) -> list[Finding]:
    """Does the model remember the batch? If not, which plateau did the loss stop at?

    log(e + C - 1) - 1: softmax before cross-entropy. The variance of the targets: outputs that are broadcast, or all
    the same. The entropy of the labels' frequencies: all examples get the same answer.
    """
    goal = 0.01 * max(1.0, float(probe.loss().detach()))
    run = probe.run_of_batch = overfit_batch(probe, steps, seconds, goal)
    if len(run.losses) < 2:
        return []
    base = run.floor or 0.0
    gap, start = run.lowest - base, run.losses[0] - base
    probe.notes.append(f"Overfitting {probe.size} examples: loss {run.losses[0]:.3g} to {run.lowest:.3g} in "
                       f"{len(run.losses)} steps of Adam at "
                       f"{run.rate:g}" + (f"; the lowest possible is {base:.3g}" if run.floor else "")
                       + ("" if run.finished else "; stopped as the time was up") + ".")
    if not math.isfinite(run.lowest) or not run.finished:
        return []
    half = run.losses[len(run.losses) // 2:]
    falling = half[0] - run.lowest > 0.1 * gap
    marginal, seen = _marginal(probe), f"the loss on {probe.size} examples stops at {run.lowest:.4g}"
    classes = class_count(probe, probe.run())
    plateau = math.log(math.e + classes - 1) - 1 if classes else None
    if plateau and classes > 2 and (abs(run.floor - plateau) < 1e-3 * plateau if run.floor is not None else
                                    -1e-4 < run.lowest - plateau < 0.02 * plateau and not falling):
        return [Finding("overfit", "probabilities-for-logits", f"{seen}, and log(e + C - 1) - 1 = {plateau:.4g}",
                        "a softmax before the cross-entropy, in the model or in the loss", 0.9)]
    if gap < 0.3 * max(start, (marginal or 0.0) - base) or gap < 0.05 or falling:
        return []
    if marginal and abs(run.lowest - marginal) < 0.03 * marginal:
        word = "the variance of the targets" if probe.targets.is_floating_point() else "the entropy of the labels"
        return [Finding("overfit", "input-ignored", f"{seen}; {word}, reached without looking at the inputs, is "
                        f"{marginal:.4g}",
                        "what keeps the signal from the output: dead units, a saturated or constant layer, an input "
                        "that is cut off",
                        0.5, ("dead-units", "gradients-vanishing", "loss-broadcast"))]
    if _hidden_layers(probe.model) and not _mostly_frozen(probe.model):
        return [Finding("overfit", "capacity", f"{seen}, at several learning rates; {base:.3g} is possible",
                        "a layer that is too narrow; a mistake that the other checks do not see; labels that the "
                        "inputs do not determine", 0.4,
                        ("labels-misaligned", "position-mixing"))]
    return []


def _marginal(probe: Probe) -> float | None:
    """The best loss of one and the same answer for all, by the mean squared error or the cross-entropy."""
    if probe.labels is not None and probe.task != "regression":
        graded = probe.labels[probe.labels >= 0]
        share = graded.unique(return_counts=True)[1].float() / max(len(graded), 1)
        return float(-(share * share.log()).sum())
    if isinstance(probe.targets, Tensor) and probe.targets.is_floating_point():
        return float(probe.targets.float().var(0, unbiased=False).mean())
    return None


def _hidden_layers(model: nn.Module) -> bool:
    return sum(isinstance(module, (nn.Linear, nn.RNNBase, nn.modules.conv._ConvNd)) for module in model.modules()) > 1


def _mostly_frozen(model: nn.Module) -> bool:
    return sum(p.numel() for p in model.parameters() if not p.requires_grad) > 0.3 * sum(p.numel()
                                                                                         for p in model.parameters())
