"""What the first outputs, the first loss and the first gradients say. Built in chapter 4."""
import math

import torch
from torch import Tensor, nn

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.flow import Flow
from course_lib.diagnostics.padding import masked_away
from course_lib.diagnostics.probe import Probe


def initial_loss(probe: Probe, out: Tensor) -> list[Finding]:
    """A model that knows nothing should do about as badly as constant outputs, by its own loss function (with class
    labels: ln C). Far worse means outputs that are far too large. A lower loss is no alarm: imbalance, pretraining."""
    with probe.as_trained():
        outputs = probe.raw()
    loss = float(probe.loss_of(outputs).detach())
    out = probe.examined(outputs).detach().float()
    if not math.isfinite(loss) or not bool(torch.isfinite(out).all()):
        masked = masked_away(probe, out)
        if masked:
            return masked
        return [Finding("initial loss", "activation-scale", f"the first loss is {loss}, the largest output "
                        f"{float(out.abs().max()):.3g}",
                        "divisions by 0, logarithms of 0, rows that are masked as a whole, too large weights", 0.8,
                        ("input-scale",))]
    blank = probe.replaced(outputs, torch.zeros_like(probe.examined(outputs)))
    if blank is None or probe.labels is None or probe.task == "regression":
        return []
    reference = float(probe.loss_of(blank).detach())
    if reference > 0.05 and loss > 4 * reference + 1:
        return [Finding("initial loss", "activation-scale", f"the first loss is {loss:.3g}; constant outputs would "
                        f"have {reference:.3g}. The outputs spread by {float(out.std()):.3g}",
                        "the initialisation of the last layers (and a missing division by the square root of the "
                        "width, or a norm left out); an embedding with deviation 1 used as the output's matrix",
                        0.8 if loss > 8 * reference else 0.6)]
    return []


def activations(probe: Probe) -> list[Finding]:
    """Signals neither explode nor die out on their way: the output of each layer, its size and how much of it depends
    on the input; and units that say the same for every example."""
    scales, handles = {}, []

    def watch(name):
        def hook(_, __, out):
            if isinstance(out, Tensor) and out.is_floating_point() and out.numel() > 1:
                scales.setdefault(name, float(out.detach().float().abs().mean()))
        return hook

    for name, module in probe.model.named_modules():
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd, nn.Embedding)):
            handles.append(module.register_forward_hook(watch(name)))
    flow = Flow(probe.model, probe.size)
    try:
        with probe.as_trained(), flow:
            out = probe.run()
    finally:
        for handle in handles:
            handle.remove()
    look = "the initialisation of this layer and what comes before it: its deviation should be about 1 / sqrt(inputs)"
    largest = max(scales, key=scales.get, default=None)
    inputs = max([float(v.float().abs().mean()) for v in probe.contents.values() if v.is_floating_point()] + [1.0])
    if largest is not None and not scales[largest] <= 100 * max(inputs, 1):
        return [Finding("activation scale", "activation-scale", f"the output of {largest} is {scales[largest]:.3g} on "
                        "average in size", look, 0.85)]
    dead = [entry for entry in flow.dead if entry[1] >= 0.75]
    if dead:
        where, share, units = max(dead, key=lambda entry: entry[1])
        return [Finding("dead units", "dead-units", f"{share:.0%} of the {units} units in {where} are at their flat "
                        "end for every example of the batch, so that no gradient "
                        "passes", "the biases and weights before this layer (large negative biases, saturation), and "
                        "the scale of its input", 0.7 + 0.2 * (share > 0.95),
                        ("activation-scale",))]
    rows = probe.per_example(out)
    if rows is None or probe.size < 3:
        return []
    return _constant(probe, rows, look)


def _constant(probe: Probe, rows: Tensor, look: str) -> list[Finding]:
    """Outputs that are the same for all examples, though no zero-initialised layer makes them so."""
    spread, level = float((rows - rows.mean(0)).abs().max()), float(rows.abs().max())
    varied = any(bool((value != value.narrow(probe.axis, 0, 1)).any()) for value in probe.contents.values())
    zero = any(p.dim() > 1 and not bool(p.detach().any()) for p in probe.model.parameters())
    if not varied or zero or spread > 1e-5 * max(level, 1e-3):
        return []
    return [Finding("activation scale", "activation-scale", f"the outputs of the {probe.size} examples differ by "
                    f"{spread:.1g} at most, their size is {level:.2g}: the signal dies out on its way", look, 0.6,
                    ("dead-units", "input-ignored"))]


def gradients(probe: Probe, steps: int = 2) -> list[Finding]:
    """The first gradients, and those after two small steps (so that zero-initialised layers have moved).

    symmetric-init: rows of a matrix that are equal and whose gradients are equal stay equal for ever; and no sound
    initialisation makes all rows of a layer equal and not 0. Not meant: zero-initialised heads and adapters, whose
    gradients differ, and the rows of classes.
    gradients-exploding, gradients-vanishing: not finite, or of numerical dust in most matrices.
    dead-units: a whole matrix with a gradient of exactly 0.
    """
    with probe.as_trained():
        return _gradients(probe, steps)


def _gradients(probe: Probe, steps: int) -> list[Finding]:
    first = probe.gradients()
    reached = {name: grad for name, grad in first.items() if grad is not None and not grad.is_sparse}
    broken = [name for name, grad in reached.items() if not bool(torch.isfinite(grad).all())]
    if broken:
        return [Finding("gradients", "gradients-exploding", f"the first gradient of {broken[0]} and {len(broken) - 1} "
                        "others is NaN or "
                        "infinite", "square roots and logarithms at 0, rows that are masked as a whole", 0.9)]
    parameters = dict(probe.trainable)
    saved = {name: p.detach().clone() for name, p in parameters.items()}
    try:
        constant, grads = _constant_rows(probe), reached
        for _ in range(steps):
            for name, grad in grads.items():
                p = parameters[name]
                p.data.sub_(grad * (1e-2 * float(p.detach().abs().mean() + 1e-2) / (float(grad.abs().max()) + 1e-30)))
            grads = {name: grad for name, grad in probe.gradients().items() if name in reached and grad is not None}
        equal = _equal_rows(probe, parameters, grads)
    finally:
        for name, p in parameters.items():
            p.data.copy_(saved[name])
    if constant:
        return [Finding("symmetry", "symmetric-init", "all rows are equal, so that all units weigh their inputs "
                        f"alike, in {len(constant)} matrices: "
                        f"{', '.join(constant[:3])}", "initialise with random numbers (nn.init.xavier_uniform_, "
                        "normal_), not with one constant", 0.93)]
    if equal:
        count = sum(equal.values())
        return [Finding("symmetry", "symmetric-init", f"in {len(equal)} matrices units start equal and get equal "
                        f"gradients: {count} rows, in "
                        f"{', '.join(list(equal)[:3])}", "initialise with random numbers (nn.init.xavier_uniform_, "
                        "normal_), not with one constant", 0.95)]
    return _dust(probe, reached, grads)


def _constant_rows(probe: Probe) -> list[str]:
    """Weights of linear, convolutional and recurrent layers whose rows are all equal, and not 0 (or most of them 0: one
    layer of zeros is an intended start, of a head or an adapter)."""
    found, zero, count = [], [], 0
    for name, module in probe.model.named_modules():
        if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd, nn.RNNBase)):
            for key, p in module.named_parameters(recurse=False):
                p = p.detach()
                if p.dim() > 1 and p.shape[0] >= 4 and p.shape[0] != probe.outputs and p.shape[1:].numel() > 1 \
                        and getattr(module, "groups", 1) == 1:
                    count += 1
                    if bool((p == p[:1]).all()):
                        (found if bool(p.any()) else zero).append(f"{name}.{key}" if name else key)
    return found or (zero if len(zero) > 1 and len(zero) > count / 2 else [])


def _equal_rows(probe: Probe, parameters: dict, grads: dict) -> dict[str, int]:
    """Matrices whose rows that get a gradient are all the same, and their gradients too: name -> number of rows."""
    found = {}
    for name, grad in grads.items():
        p = parameters[name].detach()
        if p.dim() < 2 or p.shape[0] < 4 or p.shape[0] == probe.outputs or p.shape[1:].numel() < 2:
            continue
        rows, grad = p.reshape(p.shape[0], -1).float(), grad.reshape(p.shape[0], -1).float()
        moved = grad.abs().amax(1) > 1e-12
        if int(moved.sum()) < 4:
            continue
        rows, grad = rows[moved], grad[moved]
        if _distinct(rows) <= len(rows) // 2 and _distinct(torch.cat([rows, grad / grad.abs().max()],
                                                                     1)) <= len(rows) // 2:
            found[name] = len(rows)
    return found


def _distinct(rows: Tensor) -> int:
    """Number of different rows, up to rounding."""
    scale = float(rows.abs().max()) or 1.0
    return len(torch.unique((rows / scale * 1e4).round(), dim=0)) if len(rows) <= 4096 else len(rows)


def _dust(probe: Probe, first: dict, grads: dict) -> list[Finding]:
    matrices = {name: float(grad.abs().max()) for name, grad in grads.items() if grad.dim() > 1}
    if len(matrices) < 2:
        return []
    largest = max(matrices.values())
    zero = [name for name, size in matrices.items() if size == 0]
    if largest == 0 and not any(bool(p.detach().any()) for _, p in probe.trainable if p.dim() > 1):
        return [Finding("symmetry", "symmetric-init", f"all {len(matrices)} matrices are 0, and so are their gradients",
                        "initialise with random numbers (nn.init.xavier_uniform_, normal_)", 0.95)]
    if largest == 0:
        return [Finding("gradients", "dead-units", f"all {len(matrices)} matrices have a gradient of exactly 0",
                        "units that are at their flat end, a loss that is constant, weights that are all 0", 0.8,
                        ("activation-scale", "loss-detached"))]
    recurrent = [name for name in zero if "hh" in name and (probe.length or 1) == 1]
    zero = [name for name in zero if name not in recurrent and not _one_key(probe)]
    early = {name: float(grad.abs().max()) for name, grad in first.items() if grad.dim() > 1}
    dust = [name for name, size in early.items() if 0 < size < 1e-8 * max(early.values())]
    if len(dust) >= max(1, len(matrices) // 4):
        return [Finding("gradients", "gradients-vanishing", f"{len(dust)} of {len(matrices)} matrices get a gradient "
                        f"below 1e-8 of the largest one, {dust[0]} {early[dust[0]]:.1g} against "
                        f"{max(early.values()):.1g}", "saturating activations, many layers without residual "
                        "connections or norms, a tiny initialisation", 0.75, ("activation-scale",))]
    if zero:
        return [Finding("gradients", "parameter-unused", f"{len(zero)} of {len(matrices)} matrices get a gradient of "
                        "exactly 0: "
                        f"{', '.join(zero[:3])}", "a result that is multiplied by 0, or units at their flat end", 0.5,
                        ("dead-units",))]
    return []


def _one_key(probe: Probe) -> bool:
    return any(value.shape[1 - probe.axis] == 1 for value in probe.contents.values() if value.dim() > 1)
