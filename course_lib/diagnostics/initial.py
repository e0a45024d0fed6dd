"""What the first outputs, the first loss and the first gradients say. Built in chapter 4."""
import math

import torch
from torch import Tensor, nn

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.flow import Flow
from course_lib.diagnostics.probe import Probe


def data(probe: Probe) -> list[Finding]:
    """Inputs and targets by themselves: NaN, infinite, constant, far from unit scale, one token everywhere."""
    findings = []
    for name, value in {**probe.tensors, "targets": probe.targets}.items():
        if not isinstance(value, Tensor) or value.numel() == 0:
            continue
        what = "the targets" if name == "targets" else f"input {name!r}"
        if value.is_floating_point() and name not in probe.masks:
            broken = int((~torch.isfinite(value)).sum())
            if broken:
                return [Finding("data", "input-scale", f"{what}: {broken} of {value.numel()} numbers are NaN or infinite",
                                "the reading of the data: missing values, a division by a deviation of 0, a logarithm of "
                                "0", 0.99)]
            if name != "targets":
                findings += _scale(probe, name, what, value.float())
    for name, ids in probe.tokens.items():
        findings += _tokens(probe, name, ids)
    return findings[:1] or _leak(probe)


def _leak(probe: Probe) -> list[Finding]:
    """A column of a table that is the label, up to scale and offset."""
    targets = probe.targets
    if not isinstance(targets, Tensor) or targets.numel() != probe.size or probe.size < 8 or len(targets.unique()) < 2:
        return []
    y = targets.flatten().double()
    for name, value in probe.contents.items():
        if value.dim() != 2 or not value.is_floating_point() or value.shape[0] != probe.size:
            continue
        for column in range(min(value.shape[1], 2000)):
            x = value[:, column].double()
            if float(x.std()) > 0 and abs(float(torch.corrcoef(torch.stack([x, y]))[0, 1])) > 1 - 1e-6:
                return [Finding("data", "label-leak", f"column {column} of input {name!r} is the target, up to scale and offset, in all "
                                f"{probe.size} examples", "how the features are made: is the target among them", 0.75)]
    return []


def _scale(probe: Probe, name, what: str, value: Tensor) -> list[Finding]:
    if not probe.batched(name) or value.shape[probe.axis] < 2 or value.numel() < 16:
        return []
    look = "subtract the mean and divide by the deviation of the training set (images: divide by 255 first)"
    if bool((value == value.narrow(probe.axis, 0, 1)).all()):
        return [Finding("data", "input-scale", f"{what} is the same for all {probe.size} examples", "the loading of the "
                        "data", 0.85, ("input-corrupted",))]
    if _normalises_first(probe.model):
        return []
    spread, level = float(value.std()), float(value.abs().mean())
    if level > 20:
        return [Finding("data", "input-scale", f"{what} has mean {float(value.mean()):.3g} and deviation {spread:.3g}: "
                        f"on average {level:.3g} in size, where a network's initialisation expects about 1", look,
                        0.85 if level > 50 else 0.6)]
    if value.dim() == 2:    # features of a table, each with its own scale
        spreads = probe.examples_first(value).std(0)
        spreads = spreads[spreads > 0]
        if len(spreads) > 1 and float(spreads.max()) > 100 and float(spreads.max() / spreads.min()) > 1000:
            return [Finding("data", "input-scale", f"the features of {what} have deviations from "
                            f"{float(spreads.min()):.3g} to {float(spreads.max()):.3g}", look, 0.6)]
    if 0 < level < 1e-3 and spread < 1e-3:
        return [Finding("data", "input-scale", f"{what} is tiny: {level:.3g} on average in size", look, 0.6)]
    return []


def _normalises_first(model: nn.Module) -> bool:
    """Whether the first layer with parameters or statistics is a norm."""
    leaves = [module for module in model.modules() if not list(module.children())
              and (list(module.parameters()) or list(module.buffers()) or "Norm" in type(module).__name__)]
    return bool(leaves) and "Norm" in type(leaves[0]).__name__


def _tokens(probe: Probe, name, ids: Tensor) -> list[Finding]:
    tables = [module.num_embeddings for module in probe.model.modules() if isinstance(module, nn.Embedding)]
    real = ids[real_positions(probe, name)]
    if not tables or max(tables) < 20 or len(real) < 32:
        return []
    values, counts = real.unique(return_counts=True)
    share = float(counts.max() / len(real))
    if share < 0.6:
        return []
    return [Finding("data", "input-corrupted", f"{share:.0%} of the real tokens of input {name!r} are the same id, "
                    f"{int(values[counts.argmax()])}; the table has {max(tables)} rows",
                    "the tokenizer and its vocabulary: everything unknown, or another vocabulary; decode a few rows and "
                    "read them", 0.75)]


def real_positions(probe: Probe, name) -> Tensor:
    """bool, [examples, positions]: False in the padding, by the mask where there is one, else by a run of one id that
    ends (or begins) rows of different lengths and stands nowhere else."""
    ids = probe.tokens[name]
    mask = padding_mask_of(probe, name)
    if mask is not None:
        return mask
    for flipped in (ids.flip(1), ids):    # padding at the end, then in front
        pad = flipped[:, 0].mode().values
        run = (flipped == pad).long().cumprod(1).bool()
        many = len(run.sum(1).unique()) > 1 and int((run.sum(1) > 1).sum()) > 1
        if many and not bool(((flipped == pad) & ~run).any()) and float(run.float().mean()) > 0.03:    # it occurs nowhere else
            return ~(run.flip(1) if flipped is not ids else run)
    return torch.ones_like(ids, dtype=torch.bool)


def padding_mask_of(probe: Probe, name=None) -> Tensor | None:
    """The padding mask of an input, bool [examples, positions], True for what is real; None where none is known.

    From `padding_mask=` (a tensor, or a dict by input), else from an input that is a mask of the same shape. Which of its
    values means padding is read off the tokens: padding holds one id only, at the end or the beginning of rows.
    """
    ids = probe.tokens.get(name) if name is not None else None
    shape = None if ids is None else ids.shape
    given = probe.padding_mask.get(name) if isinstance(probe.padding_mask, dict) else probe.padding_mask
    if given is not None and (isinstance(probe.padding_mask, dict) or name is None or name != probe.decoder_name):
        given = probe.examples_first(given) if given.dim() == 2 and given.shape[0] != probe.size else given
        if shape is None or given.shape == shape:
            return given.bool()
        return None
    decoder = any(word in str(name).lower() for word in ("decoder", "tgt", "target", "trg"))
    for key, value in probe.tensors.items():
        if key not in probe.masks or value.dim() != 2 or "memory" in str(key):
            continue
        if shape is None or decoder != any(word in str(key).lower() for word in ("decoder", "tgt", "target", "trg")):
            continue
        value = value if value.shape[0] == probe.size else probe.examples_first(value)
        if value.shape != shape:
            continue
        value = value == 0 if value.is_floating_point() and bool(torch.isinf(value).any()) else value.bool()
        for real in (value, ~value):
            if bool((~real).any()) and bool(real.any(1).all()) and len(ids[~real].unique()) == 1 and _runs(~real):
                return real
    return None


def _runs(padding: Tensor) -> bool:
    """Whether the padding of every row is one run at its end or beginning."""
    ends = padding.flip(1).long().cumprod(1).sum(1), padding.long().cumprod(1).sum(1)
    return bool((torch.maximum(*ends) == padding.sum(1)).all())


def labels_in_range(probe: Probe, out: Tensor) -> list[Finding]:
    """Class labels count from 0 to C - 1. One label for everything teaches nothing."""
    labels = probe.labels
    if labels is None or probe.task == "regression":
        return []
    classes = class_count(probe, out)
    if classes is None or classes < 2:
        return []
    graded = labels[labels != getattr(probe.loss_fn, "ignore_index", -100)]
    graded = graded[graded != -100]
    if not len(graded):
        return [Finding("labels", "label-out-of-range", "every label is an ignored one (-100)", "what sets labels to -100",
                        0.9)]
    low, high = int(graded.min()), int(graded.max())
    if high >= classes or low < 0:
        return [Finding("labels", "label-out-of-range", f"labels run from {low} to {high}; the model has {classes} outputs, so "
                        f"0 to {classes - 1} are valid", "labels that count from 1, a wrong number of classes, or a padding "
                        "label that is not ignored", 0.98)]
    if low == high and len(graded) >= 32:
        return [Finding("labels", "label-out-of-range", f"all {len(graded)} labels of the batch are {low}",
                        "how labels are read; whether the batches come in the order of the labels", 0.6,
                        ("data-not-moving",))]
    if low == high and len(graded) > 1:
        probe.notes.append(f"All {len(graded)} labels of this batch are {low}: checks of labels say little. Give a larger "
                           "batch.")
    return []


def class_count(probe: Probe, out: Tensor) -> int | None:
    """Number of classes of an output that class labels grade; None where it has none."""
    labels = probe.labels
    if labels is None:
        return None
    if labels.dim() == 1:
        return out.shape[1] if out.dim() == 2 and probe.size in (out.shape[0],) else None
    by_position = probe.per_position(out)
    if by_position is not None:
        return by_position.shape[-1]
    return out.shape[-1] if out.dim() == 3 else None


def initial_loss(probe: Probe, out: Tensor) -> list[Finding]:
    """A model that knows nothing should do about as badly as constant outputs, by its own loss function (with class
    labels: ln C). Far worse means outputs that are far too large. A lower loss is no alarm: imbalance, pretraining."""
    with probe.as_trained():
        outputs = probe.raw()
    loss = float(probe.loss_of(outputs).detach())
    out = probe.examined(outputs).detach().float()
    if not math.isfinite(loss) or not bool(torch.isfinite(out).all()):
        masked = _masked_away(probe, out)
        if masked:
            return masked
        return [Finding("initial loss", "activation-scale", f"the first loss is {loss}, the largest output {float(out.abs().max()):.3g}",
                        "divisions by 0, logarithms of 0, rows that are masked as a whole, too large an initialisation", 0.8,
                        ("input-scale",))]
    blank = probe.replaced(outputs, torch.zeros_like(probe.examined(outputs)))
    if blank is None or probe.labels is None or probe.task == "regression":
        return []
    reference = float(probe.loss_of(blank).detach())
    if reference > 0.05 and loss > 4 * reference + 1:
        return [Finding("initial loss", "activation-scale", f"the first loss is {loss:.3g}; constant outputs would have "
                        f"{reference:.3g}. The outputs spread by {float(out.std()):.3g}",
                        "the initialisation of the last layers (and a missing division by the square root of the width, or a "
                        "norm left out); an embedding with deviation 1 used as the output's matrix", 0.8 if loss > 8 * reference else 0.6)]
    return []


def _masked_away(probe: Probe, out: Tensor) -> list[Finding]:
    """NaN in exactly the examples without padding: the mask hides what is real. (A softmax over nothing is NaN.)"""
    rows = probe.per_example(out)
    for name in probe.tokens if rows is not None else ():
        real = padding_mask_of(probe, name)
        broken = torch.isnan(rows).any(1).cpu()
        if real is not None and bool((~real).any()) and bool(broken.any()) and bool((broken == real.all(1).cpu()).all()):
            return [Finding("initial loss", "padding-leak", f"the outputs of exactly the {int(broken.sum())} examples without padding are NaN",
                            "what True means in the padding mask: key_padding_mask of torch is True at padding", 0.95)]
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
        return [Finding("activation scale", "activation-scale", f"the output of {largest} is {scales[largest]:.3g} on average in "
                        "size", look, 0.85)]
    dead = [entry for entry in flow.dead if entry[1] >= 0.75]
    if dead:
        where, share, units = max(dead, key=lambda entry: entry[1])
        return [Finding("dead units", "dead-units", f"{share:.0%} of the {units} units in {where} are at their flat end for every "
                        "example of the batch, so that no gradient passes", "the biases and weights before this layer (large "
                        "negative biases, saturation), and the scale of its input", 0.7 + 0.2 * (share > 0.95),
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
    return [Finding("activation scale", "activation-scale", f"the outputs of the {probe.size} examples differ by {spread:.1g} at "
                    f"most, their size is {level:.2g}: the signal dies out on its way", look, 0.6, ("dead-units", "input-ignored"))]


def gradients(probe: Probe, steps: int = 2) -> list[Finding]:
    """The first gradients, and those after two small steps (so that zero-initialised layers have moved).

    symmetric-init: rows of a matrix that are equal and whose gradients are equal stay equal for ever; and no sound
    initialisation makes all rows of a layer equal and not 0. Not meant: zero-initialised heads and adapters, whose gradients
    differ, and the rows of classes.
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
        return [Finding("gradients", "gradients-exploding", f"the first gradient of {broken[0]} and {len(broken) - 1} others is NaN "
                        "or infinite", "square roots and logarithms at 0, rows that are masked as a whole", 0.9)]
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
        return [Finding("symmetry", "symmetric-init", f"all rows are equal, so that all units weigh their inputs alike, in {len(constant)} "
                        f"matrices: {', '.join(constant[:3])}", "initialise with random numbers (nn.init.xavier_uniform_, normal_), "
                        "not with one constant", 0.93)]
    if equal:
        count = sum(equal.values())
        return [Finding("symmetry", "symmetric-init", f"in {len(equal)} matrices units start equal and get equal gradients: {count} rows, "
                        f"in {', '.join(list(equal)[:3])}", "initialise with random numbers (nn.init.xavier_uniform_, "
                        "normal_), not with one constant", 0.95)]
    return _dust(probe, grads)


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
        if _distinct(rows) <= len(rows) // 2 and _distinct(torch.cat([rows, grad / grad.abs().max()], 1)) <= len(rows) // 2:
            found[name] = len(rows)
    return found


def _distinct(rows: Tensor) -> int:
    """Number of different rows, up to rounding."""
    scale = float(rows.abs().max()) or 1.0
    return len(torch.unique((rows / scale * 1e4).round(), dim=0)) if len(rows) <= 4096 else len(rows)


def _dust(probe: Probe, grads: dict) -> list[Finding]:
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
    dust = [name for name, size in matrices.items() if 0 < size < 1e-8 * largest]
    if len(dust) >= max(1, len(matrices) // 4):
        return [Finding("gradients", "gradients-vanishing", f"{len(dust)} of {len(matrices)} matrices get a gradient below 1e-8 of the "
                        f"largest one, {dust[0]} {matrices[dust[0]]:.1g} against {largest:.1g}", "saturating activations, many layers "
                        "without residual connections or norms, a tiny initialisation", 0.75, ("activation-scale",))]
    if zero:
        return [Finding("gradients", "parameter-unused", f"{len(zero)} of {len(matrices)} matrices get a gradient of exactly 0: "
                        f"{', '.join(zero[:3])}", "a result that is multiplied by 0, or units at their flat end", 0.5,
                        ("dead-units",))]
    return []


def _one_key(probe: Probe) -> bool:
    return any(value.shape[1 - probe.axis] == 1 for value in probe.contents.values() if value.dim() > 1)
