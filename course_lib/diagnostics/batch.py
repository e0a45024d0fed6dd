"""What the batch says by itself: inputs and targets, before the model is asked. Built in chapter 4."""
import torch
from torch import Tensor, nn

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.padding import real_positions
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
                return [Finding("data", "input-scale", f"{what}: {broken} of {value.numel()} numbers are NaN or "
                                "infinite",
                                "the reading of the data: missing values, a division by a deviation of 0, a log of "
                                "0", 0.99)]
            if name != "targets":
                findings += _scale(probe, name, what, value.float())
    for name, ids in probe.tokens.items():
        findings += _tokens(probe, name, ids)
    return findings[:1] or _leak(probe)


def _scale(probe: Probe, name, what: str, value: Tensor) -> list[Finding]:
    if not probe.batched(name) or value.shape[probe.axis] < 2 or value.numel() < 16:
        return []
    look = "subtract the mean and divide by the deviation of the training set (images: divide by 255 first)"
    if bool((value == value.narrow(probe.axis, 0, 1)).all()):
        return [Finding("data", "input-scale", f"{what} is the same for all {probe.size} examples",
                        "the loading of the data", 0.85, ("input-corrupted",))]
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
                    "the tokenizer and its vocabulary: everything unknown, or the wrong one; decode a few rows and "
                    "read them", 0.75)]


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
                return [Finding("data", "label-leak", f"column {column} of input {name!r} is the target, up to scale "
                                f"and offset, in all {probe.size} "
                                "examples", "how the features are made: is the target among them", 0.75)]
    return []


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
        return [Finding("labels", "label-out-of-range", "every label is an ignored one (-100)",
                        "what sets labels to -100",
                        0.9)]
    low, high = int(graded.min()), int(graded.max())
    if high >= classes or low < 0:
        return [Finding("labels", "label-out-of-range", f"labels run from {low} to {high}; the model has {classes} "
                        f"outputs, so 0 to {classes - 1} are "
                        "valid", "labels that count from 1, a wrong number of classes, or a padding label that is not "
                        "ignored", 0.98)]
    if low == high and len(graded) >= 32:
        return [Finding("labels", "label-out-of-range", f"all {len(graded)} labels of the batch are {low}",
                        "how labels are read; whether the batches come in the order of the labels", 0.6,
                        ("data-not-moving",))]
    if low == high and len(graded) > 1:
        probe.notes.append(f"All {len(graded)} labels of this batch are {low}: checks of labels say little. Give a "
                           "larger batch.")
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
