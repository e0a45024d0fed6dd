"""Padding: where it stands, and that neither the outputs nor the loss depend on it. Built in chapter 4."""
import torch
from torch import Tensor

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.probe import Probe
from course_lib.diagnostics.tensors import TOLERANCE, gap, short


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
        # it occurs nowhere else
        if many and not bool(((flipped == pad) & ~run).any()) and float(run.float().mean()) > 0.03:
            return ~(run.flip(1) if flipped is not ids else run)
    return torch.ones_like(ids, dtype=torch.bool)


def padding_mask_of(probe: Probe, name=None) -> Tensor | None:
    """The padding mask of an input, bool [examples, positions], True for what is real; None where none is known.

    From `padding_mask=` (a tensor, or a dict by input), else from an input that is a mask of the same shape. Which of
    its values means padding is read off the tokens: padding holds one id only, at the end or the beginning of rows.
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


def padding(probe: Probe) -> list[Finding]:
    """Outputs at real positions must depend neither on what stands in the padding nor on how much of it there is.

    Contents are changed only where the model is given a mask (else the changed tokens would be real ones); the amount,
    where the padding stands at the end.
    """
    for name in list(probe.tokens) + [key for key, value in probe.contents.items() if value.dim() == 3]:
        real = padding_mask_of(probe, name) if name in probe.tokens else _float_mask(probe, name)
        if real is None or bool(real.all()):
            continue
        finding = _padding_contents(probe, name, real) or _padding_amount(probe, name, real)
        if finding:
            return finding
    return []


def _float_mask(probe: Probe, name) -> Tensor | None:
    given = probe.padding_mask
    value = probe.examples_first(probe.tensors[name])
    return given.bool() if isinstance(given, Tensor) and given.shape == value.shape[:2] else None


def _padding_contents(probe: Probe, name, real: Tensor) -> list[Finding]:
    masks = [key for key, value in probe.tensors.items() if key not in probe.contents and value.dim() == 2
             and probe.examples_first(value).shape == real.shape]
    if not masks and name in probe.tokens:
        return []
    with probe.jiggled():
        before = probe.run()
        value, other = probe.tensors[name], probe.other(name)
        keep = probe.examples_first(real) if probe.axis else real
        keep = keep.reshape(*keep.shape, *[1] * (value.dim() - 2)).to(value.device)
        after = probe.run({name: torch.where(keep, value, other)})
        leak, scale = _real_gap(probe, before, after, real), float(before.abs().max())
        own = gap(probe.run({name: torch.where(keep, other, value)}), before)
    if leak <= max(TOLERANCE * own, 1e-5 * scale):
        return []
    return [Finding("padding", "padding-leak", f"changing the contents of the padding of input {name!r} changes "
                    f"outputs at real positions by {leak:.2g} (changing real tokens: "
                    f"{own:.2g})", "the padding mask: is it given to every attention and to the pooling, does True "
                    "mean what the layer expects (key_padding_mask: True is padding), does it mask keys, not "
                    "queries", 0.92)]


def _padding_amount(probe: Probe, name, real: Tensor) -> list[Finding]:
    if not bool(real[:, 0].all()):    # padding in front moves the positions: not decided here
        return []
    value = probe.tensors[name]
    ids = probe.examples_first(value)
    fill = ids[~real.to(ids.device)][:1]
    changed = {}
    for key, tensor in probe.tensors.items():
        if tensor.dim() < 2 or not probe.batched(key) or probe.examples_first(tensor).shape[:2] != real.shape:
            continue
        extra = probe.examples_first(tensor)[:, -1:].clone()
        if key == name:
            extra[:] = fill
        elif key in probe.contents and key in probe.tokens:
            return []    # another sequence of the same length: which padding it has is not known
        else:
            pads = probe.examples_first(tensor)[~real.to(tensor.device)]
            extra[:] = pads[:1] if len(pads) else 0
        longer = torch.cat([probe.examples_first(tensor), extra, extra, extra], 1)
        changed[key] = probe.examples_first(longer)
    try:
        with probe.jiggled():
            before, after = probe.run(), probe.run(changed)
            own = gap(probe.run({name: probe.other(name)}), before)
            leak = _real_gap(probe, before, after, real)
    except (RuntimeError, IndexError, ValueError, TypeError, AssertionError) as error:
        probe.notes.append("The amount of padding was not checked: the model does not take longer inputs "
                           f"({short(error)}).")
        return []
    if leak <= max(10 * TOLERANCE * own, 1e-5 * float(before.abs().max())):
        return []
    given = len(changed) > 1
    return [Finding("padding", "padding-leak", "three more columns of padding change outputs at real positions by "
                    f"{leak:.2g} (other tokens: "
                    f"{own:.2g})", "averages and last positions that count padding; a mask that is not used",
                    0.85 if given else 0.65)]


def _real_gap(probe: Probe, before: Tensor, after: Tensor, real: Tensor) -> float:
    """Largest change at real positions, or anywhere for an output without positions."""
    length = real.shape[1]
    one, two = probe.by_length(before, length), probe.by_length(after,
                                                           after.shape[1 - probe.axis] if after.dim() > 1 else 0)
    by_position = probe.labels is None or probe.labels.dim() == 2
    if by_position and one is not None and two is not None and one.shape[1] == length:
        shared = min(one.shape[1], two.shape[1])
        change = (one[:, :shared] - two[:, :shared]).abs().flatten(2).amax(-1)
        return float(change[real[:, :shared].to(change.device)].max())
    return gap(before, after)


def padding_counts(probe: Probe) -> list[Finding]:
    """The loss must have no gradient at outputs of padding positions."""
    labels = probe.labels
    if labels is None or labels.dim() != 2:
        return []
    name = probe.next_token_of if probe.next_token_of is not None else probe.decoder_name
    if name is None:
        name = next((key for key, ids in probe.tokens.items() if ids.shape == labels.shape), None)
    if name is not None and probe.tokens[name].shape == labels.shape:
        real, sure = real_positions(probe, name), padding_mask_of(probe, name) is not None
    elif isinstance(probe.padding_mask, Tensor) and probe.padding_mask.shape == labels.shape:
        real, sure = probe.padding_mask.bool(), True
    else:
        return []
    pads = ~real
    pads[:, :-1] &= ~real[:, 1:]    # before the first real token, the output of padding may predict it
    if not bool(pads.any()):
        return []
    found = probe.loss_gradient(probe.targets)
    grad = None if found is None else probe.per_position(found[2])
    if grad is None:
        return []
    size = grad.abs().amax(-1)
    graded, padded = size > 1e-6 * float(size.max()), pads.to(size.device)
    if not bool((graded & padded).any()):
        return []
    share = float((graded & padded).sum() / graded.sum())
    return [Finding("padding in the loss", "padding-in-loss", f"{share:.0%} of the positions that the loss counts are "
                    "padding",
                    "ignore_index of the loss, or labels of -100 where the padding mask is 0", 0.92 if sure else 0.8)]


def masked_away(probe: Probe, out: Tensor) -> list[Finding]:
    """NaN in exactly the examples without padding: the mask hides what is real. (A softmax over nothing is NaN.)"""
    rows = probe.per_example(out)
    for name in probe.tokens if rows is not None else ():
        real = padding_mask_of(probe, name)
        broken = torch.isnan(rows).any(1).cpu()
        if real is None or bool(real.all()) or not bool(broken.any()):
            continue
        if torch.equal(broken, real.all(1).cpu()):
            return [Finding("initial loss", "padding-leak", f"the outputs of exactly the {int(broken.sum())} examples "
                            "without padding are NaN",
                            "what True means in the padding mask: key_padding_mask of torch is True at padding", 0.95)]
    return []
