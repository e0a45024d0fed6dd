"""Small questions about tensors that several checks ask. Built in chapter 4."""
import random

import numpy
import torch
from torch import Tensor

TOLERANCE = 1e-4    # of the effect of a legitimate change: below it, a dependence is rounding


def is_mask(name, value: Tensor) -> bool:
    """Whether an input is a mask, by its name, its type, or because it holds nothing but 0 and minus infinity."""
    if value.dtype == torch.bool or "mask" in str(name).lower():
        return True
    return value.is_floating_point() and value.numel() > 1 and bool(((value == 0) | (value == -torch.inf)).all()) \
        and bool((value != 0).any())


def marks_padding(value: Tensor, tensors: dict) -> bool:
    """Whether an input of zeros and ones has, beside it, tokens of the same shape that are all one id at its zeros:
    then it is a padding mask, and not an input of segments or bits."""
    if value.dim() != 2 or not bool(((value == 0) | (value == 1)).all()):
        return False
    return any(ids is not value and ids.shape == value.shape and not ids.is_floating_point() and int(ids.max()) > 1
               and bool((value == 1).any()) and len(ids[value == 0].unique()) <= 1 for ids in tensors.values())


def seed_all(seed: int) -> None:
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def shift_of(labels: Tensor, tokens: Tensor) -> int | None:
    """s where labels[:, t] is tokens[:, t + s] at (nearly) every t, s from -2 to 3; None where no s fits.

    labels, tokens: integers, [examples, positions]. Negative labels are ignored ones. 1 means "the next token"; it
    may fail at the last token of each row, whose label is an end that the input does not hold.
    """
    fits = {}
    length = min(labels.shape[1], tokens.shape[1])
    for s in (1, 0, 2, -1, 3, -2):
        start, stop = max(0, -s), min(length, tokens.shape[1] - s)
        if stop - start < 2:
            continue
        label, token = labels[:, start:stop], tokens[:, start + s:stop + s]
        graded = label >= 0
        if int(graded.sum()) >= 4 and len(label[graded].unique()) > 1:
            fits[s] = float((label == token)[graded].float().mean())
    best = max(fits, key=fits.get, default=None)    # the first of equals: 1 before the others
    return best if best is not None and fits[best] >= (0.8 if best == 1 else 0.95) else None


def next_token(labels: Tensor, tokens: Tensor) -> bool:
    return shift_of(labels, tokens) == 1


def is_label(name) -> bool:
    return "label" in str(name).lower()


def along(flags: Tensor, axis: int, value: Tensor) -> Tensor:
    shape = [1] * value.dim()
    shape[axis] = len(flags)
    return flags.reshape(shape).to(value.device)


def gap(a: Tensor, b: Tensor) -> float:
    """Largest absolute difference; NaN at the same places counts as none."""
    return float((a.nan_to_num() - b.nan_to_num()).abs().max()) if a.numel() else 0.0


def short(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:120] if lines else ''}"
