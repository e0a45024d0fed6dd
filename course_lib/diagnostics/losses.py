"""What the loss grades: which label grades which output, and what the loss takes its outputs for.

The loss function is asked, not read: change one label and see at which output the gradient changes; feed it outputs
that a model could give and see which it likes. So it may be written in any way. Built in chapter 4.
"""
import math

import torch
from torch import Tensor

from course_lib.diagnostics.batch import class_count
from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.probe import Probe
from course_lib.diagnostics.tensors import along, shift_of


def alignment(probe: Probe) -> list[Finding]:
    """The label at (n, t) grades one output, that of example n; in a language model, of the position before it.

    labels-misaligned: it grades another example's output, or the token that it names is not the next one after that
    output's position: the same (not shifted), or the one after (shifted twice). loss-broadcast: it grades the outputs
    of all examples. position-mixing: it grades numbers of several positions.
    """
    found = _graded(probe)
    if isinstance(found, Finding):
        return [found]
    labels, offset = probe.labels, 0 if found is None else found
    if labels is None or labels.dim() != 2:
        return []
    names = [probe.decoder_name] if probe.decoder_name is not None else list(probe.tokens)[:1]
    if probe.task == "token-classification" and names and offset == 0:
        return _tags(labels, probe.tokens[names[0]])
    for name in names:
        tokens = probe.tokens[name]
        if tokens.shape[0] != labels.shape[0]:
            continue
        shift = shift_of(labels, tokens)
        ahead = None if shift is None else shift - offset
        if ahead == 1:
            probe.next_token_of = name
        elif ahead is not None and _says_next(probe, name):
            words = {0: "the very token that the model is given at that position: the labels are not shifted",
                     2: "the token after the next: the labels are shifted twice"}.get(
                         ahead, f"the token {abs(ahead)} positions {'later' if ahead > 0 else 'earlier'}")
            return [Finding("alignment", "labels-misaligned", f"the output at position t is graded by {words}",
                            "where labels are shifted: it must happen once, in the data or in the loss (models of "
                            "transformers shift by themselves if they are given labels=)", 0.93,
                            ("label-leak",) if ahead == 0 else ())]
        elif ahead is None and probe.task in ("language-model", "sequence-to-sequence"):
            rolled = [r for r in range(1, probe.size) if shift_of(labels.roll(r, 0), tokens) in (0, 1)]
            if rolled:
                return [Finding("alignment", "labels-misaligned", "the labels fit the inputs of other examples, "
                                f"{rolled[0]} rows away",
                                "what sorts or shuffles inputs and labels: it must do both alike", 0.9)]
    return []


def _tags(labels: Tensor, tokens: Tensor) -> list[Finding]:
    """A tag is foretold by its own token better than by a neighbour's, in nearly all tagging. The share of tags that
    the most frequent tag of each token gets right; only a clear case counts, with each token seen several times."""
    if tokens.shape != labels.shape:
        return []

    def right(shift):
        start, stop = max(0, -shift), labels.shape[1] - max(0, shift)
        label, token = labels[:, start:stop], tokens[:, start + shift:stop + shift]
        label, token = label[label >= 0], token[label >= 0]
        pairs, counts = torch.stack([token, label]).unique(dim=1, return_counts=True)
        best = sum(int(counts[pairs[0] == value].max()) for value in pairs[0].unique())
        return best / max(len(label), 1), len(label) / max(len(pairs[0].unique()), 1)

    own, often = right(0)
    for shift in (1, -1, 2, -2):
        other, _ = right(shift)
        if often >= 4 and other > 0.95 and own < 0.8:
            return [Finding("alignment", "labels-misaligned", f"the token {abs(shift)} "
                            f"{'after' if shift > 0 else 'before'} a tag foretells it ({other:.0%} of them), its own "
                            f"token does not ({own:.0%})", "what lines tags up with tokens: special tokens at the "
                            "beginning, pieces of words", 0.6)]
    return []


def _says_next(probe: Probe, name) -> bool:
    """Whether the model is meant to predict the next token of this input."""
    if probe.causal is False or probe.task in ("token-classification", "classification", "regression"):
        return False
    if probe.causal or probe.task == "language-model" or name == probe.decoder_name:
        return True
    length = probe.tokens[name].shape[1]     # nothing said: does it look to the left only?
    with probe.jiggled():
        before = probe.per_position(probe.run())
        if before is None:
            return False
        later = torch.arange(length) >= length // 2
        later = along(later, 1 - probe.axis, probe.tensors[name])
        after = probe.per_position(probe.run({name: torch.where(later, probe.other(name), probe.tensors[name])}))
        gap = (after - before).abs()
        past = probe.per_position(probe.run({name: torch.where(later, probe.tensors[name], probe.other(name))}))
    mixes = float((past - before)[:, -1].abs().max()) > 0
    return mixes and float(gap[:, :length // 2].max()) <= 1e-5 * float(gap.max())


def _graded(probe: Probe) -> Finding | int | None:
    """Offset (position of the output) - (position of the label that grades it); a finding where that is no place at
    all."""
    targets = probe.targets if isinstance(probe.targets, Tensor) else probe.tensors.get("labels")
    base = None if targets is None or probe.size < 2 else probe.loss_gradient(probe.targets)
    if base is None:
        return None
    _, out, grad = base
    by_position = probe.per_position(out) is not None and (probe.labels is None or probe.labels.dim() == 2) \
        and targets.numel() >= probe.size * (probe.length or 1)
    view = probe.per_position if by_position else probe.per_example
    if view(grad) is None:
        return None
    shape = view(grad).shape[:-1]
    offsets = []
    for index in _places(probe, targets):
        other = targets.clone()
        if targets.is_floating_point():
            other[index] = (1 - other[index]) if bool(((targets == 0) | (targets == 1)).all()) else \
                2 * out.mean() - other[index] + 1e-3    # on the other side of the outputs, for losses that see a sign
        else:
            known = targets[targets >= 0].unique()
            if len(known) < 2:
                return None
            other[index] = known[known != other[index]][0]
        changed = probe.loss_gradient(other)
        if changed is None or changed[2].shape != grad.shape or _differ(changed[1], out):
            return None    # the model reads its labels: a library's decoder shifts them by itself
        touched = _touched(view(grad).reshape(-1, view(grad).shape[-1]),
                           view(changed[2]).reshape(-1, view(grad).shape[-1]))
        touched = [divmod(int(t), shape[1]) if len(shape) == 2 else (int(t), 0) for t in touched]
        if not touched:
            continue
        row, place = _where(probe, targets, index, by_position)
        examples = sorted({n for n, _ in touched})
        if len(examples) > 1 and targets.is_floating_point() and out.shape != targets.shape:
            return Finding("alignment", "loss-broadcast", "the target of one example grades the outputs of "
                           f"{len(examples)} examples: output {list(out.shape)} against target "
                           f"{list(targets.shape)}", "the shapes given to the loss: squeeze(-1) the output or "
                           "unsqueeze(-1) the target, so that both are equal", 0.96)
        if examples != [row] and not _grid(probe, targets, by_position):
            return None
        if examples != [row]:
            return Finding("alignment", "labels-misaligned" if len(touched) == 1 else "position-mixing",
                           f"the label of example {row} grades the output of example{'s' * (len(examples) > 1)} "
                           f"{', '.join(map(str, examples[:4]))}", "a view or reshape of outputs or labels between "
                           "model and loss: transpose before you flatten", 0.9,
                           ("position-mixing" if len(touched) == 1 else "labels-misaligned",))
        if len(touched) > 1 and by_position:
            return Finding("alignment", "position-mixing", f"one label grades numbers of {len(touched)} positions",
                           "view(batch, classes, length) in place of transpose(1, 2) before the loss", 0.9,
                           ("labels-misaligned",))
        offsets.append(touched[0][1] - place)
    return offsets[0] if offsets and len(set(offsets)) == 1 and by_position else 0 if offsets else None


def _differ(a: Tensor, b: Tensor) -> bool:
    return a.shape != b.shape or float((a - b).abs().max()) > 1e-5 * float(b.abs().max())


def _places(probe: Probe, targets: Tensor) -> list[tuple]:
    """Indices of up to three graded labels, spread over the batch and away from the ends of rows."""
    graded = torch.ones_like(targets, dtype=torch.bool) if targets.is_floating_point() else targets >= 0
    if graded.dim() == 2 and graded.shape[1 - probe.axis] > 4:
        inner = torch.zeros_like(graded)
        inner.narrow(1 - probe.axis, 1, graded.shape[1 - probe.axis] - 2).fill_(True)
        graded = graded & inner if bool((graded & inner).any()) else graded
    places = graded.nonzero()
    chosen = {0, len(places) // 3, (2 * len(places)) // 3} if len(places) else ()
    return [tuple(places[place].tolist()) for place in sorted(chosen)]


def _where(probe: Probe, targets: Tensor, index: tuple, by_position: bool) -> tuple[int, int]:
    """(example, position) of an entry of the targets."""
    if targets.dim() >= 2 and targets.shape[probe.axis] == probe.size:
        return index[probe.axis], index[1 - probe.axis]
    if len(targets) == probe.size:
        return index[0], 0
    outer, inner = divmod(index[0], probe.size if probe.axis else max(len(targets) // probe.size, 1))
    return (inner, outer) if probe.axis else (outer, inner)


def _grid(probe: Probe, targets: Tensor, by_position: bool) -> bool:
    """Whether it is known which entry of the targets belongs to which example."""
    rows = targets.dim() > 1 and targets.shape[probe.axis] == probe.size
    return by_position or rows or targets.shape[0] == probe.size


def _touched(before: Tensor, after: Tensor) -> Tensor:
    """Rows whose gradient changed by more than a factor common to all (the factor of a weighted mean)."""
    change = (after - before).abs().amax(-1)
    rest = torch.ones(len(before), dtype=torch.bool, device=before.device)
    rest[change.argmax()] = False
    norm = float((before[rest] ** 2).sum())
    factor = float((before[rest] * after[rest]).sum()) / norm if norm > 0 else 1.0
    change = (after - factor * before).abs().amax(-1)
    return ((change > 1e-3 * change.max()) & (change > 0)).nonzero().flatten()


def scale(probe: Probe) -> list[Finding]:
    """The loss of a batch written twice is the same if the loss is a mean, and double if it is a sum."""
    if not isinstance(probe.targets, Tensor):
        return []
    twice = {name: torch.cat([value, value], probe.axis) for name,
             value in probe.tensors.items() if probe.batched(name)}
    targets = probe.targets
    if targets.dim() > probe.axis and targets.shape[probe.axis] == probe.size:
        targets = torch.cat([targets, targets], probe.axis)
    elif not probe.axis or targets.dim() and len(targets) == probe.size:
        targets = torch.cat([targets, targets])
    else:
        return []
    with torch.no_grad():
        once = float(probe.loss_of(probe.raw()))
        both = float(probe.loss_of(probe.raw(probe.with_tensors(twice)), targets))
    if abs(once) < 1e-6 or not math.isfinite(both / once):
        return []
    ratio = both / once
    for value, words in ((2, "a sum over the batch"), (0.5, "divided by the batch size twice")):
        if abs(ratio - value) < 0.01 * value:
            return [Finding("scale of the loss", "loss-scale", f"the same batch written twice has {ratio:.3g} times "
                            f"the loss: it is {words}",
                            "reduction= of the loss, .sum() and divisions after it; or fit the learning rate to the "
                            "batch size", 0.6)]
    return []


def logits(probe: Probe, out: Tensor) -> list[Finding]:
    """Does the model give what the loss expects?

    Cross-entropy does not care about a constant added to all classes: it expects logits. A negative log-likelihood is
    linear in its input: it expects log-probabilities. Outputs that are never negative and add up to 1 are
    probabilities; those that stay within bounds however the weights are scaled were squashed. Log-probabilities given
    to a cross-entropy do no harm.
    """
    binary = _binary(probe, out)
    classes = class_count(probe, out)
    if classes is None and not binary:
        return []
    outputs = probe.raw()
    if probe.replaced(outputs, out) is None:
        return []
    axis = _class_axis(out, classes)

    def loss_at(value):
        return float(probe.loss_of(probe.replaced(outputs, value)).detach())

    try:
        noise = torch.randn(out.shape, generator=torch.Generator().manual_seed(3)).to(out.device, out.dtype)
        plain, moved, double = loss_at(noise), loss_at(noise + 1.7), loss_at(2 * noise)
    except (RuntimeError, ValueError):    # binary_cross_entropy refuses what is no probability
        return []
    normalises = abs(plain - moved) < 1e-4 * max(1.0, abs(plain))
    linear = abs(double - 2 * plain) < 1e-4 * max(1.0, abs(plain))
    if not binary:
        for wrong in range(out.dim()):
            if wrong != axis and out.shape[wrong] > 1 and _kind(out, wrong) != "logits" and _kind(out,
                                                                                                  axis) == "logits":
                return [Finding("logits", "wrong-dimension", f"the outputs are {_kind(out, wrong)} over dimension "
                                f"{wrong} of {list(out.shape)}; the classes are dimension "
                                f"{axis}", "dim= of the softmax", 0.97,
                                ("probabilities-for-logits",))]
        kind = _kind(out, axis)
        if linear and kind != "log-probabilities":
            return [Finding("logits", "probabilities-for-logits", "the loss is linear in its input, as a negative "
                            "log-likelihood is, and gets "
                            f"{kind}" + (f": the first loss is {loss_at(out):.3g}" if kind == "logits" else ""),
                            "cross_entropy takes logits; nll_loss and kl_div take log_softmax(logits)", 0.95)]
        if normalises and kind == "probabilities":
            return [_squashed(probe, out, classes, "the outputs are probabilities (none negative, sums of 1)", 0.96)]
    if binary and (linear or normalises) or not binary and not normalises:
        return []
    low, high, zeros = _range(probe)
    if low >= 0 and high <= 1 or low >= -1 and high <= 1:
        return [_squashed(probe, out, classes, f"the outputs stay between {low:.3g} and {high:.3g} however the weights "
                          "are scaled",
                          0.93 if low >= 0 else 0.8)]
    if low >= 0 and zeros > 0.1:
        return [Finding("logits", "dead-units", f"no output is ever negative, and {zeros:.0%} are exactly 0: a ReLU "
                        "stands before the loss",
                        "the last layer: a loss that takes logits wants them without an activation", 0.8,
                        ("probabilities-for-logits",))]
    return []


def _squashed(probe: Probe, out: Tensor, classes: int | None, seen: str, confidence: float) -> Finding:
    least = f"log(e + C - 1) - 1 = {math.log(math.e + classes - 1) - 1:.4f}" if classes else \
        "log(1 + 1/e) = 0.3133 for a 1 and log 2 = 0.6931 for a 0"
    seen += f", and the loss applies a softmax or sigmoid by itself; so it cannot fall below {least}"
    return Finding("logits", "probabilities-for-logits", seen,
                   "leave softmax or sigmoid out of the model; the loss takes logits", confidence)


def _binary(probe: Probe, out: Tensor) -> bool:
    targets = probe.targets
    return isinstance(targets, Tensor) and targets.is_floating_point() and targets.numel() == out.numel() \
        and bool(((targets == 0) | (targets == 1)).all()) and len(targets.unique()) == 2 and probe.task != "regression"


def _class_axis(out: Tensor, classes: int | None) -> int:
    return out.dim() - 1 if classes is None or out.shape[-1] == classes else 1


def _kind(out: Tensor, axis: int) -> str:
    """"probabilities" or "log-probabilities" over an axis, else "logits"."""
    if out.shape[axis] < 2:
        return "logits"
    if float(out.min()) >= 0 and float((out.sum(axis) - 1).abs().max()) < 1e-3:
        return "probabilities"
    if float(out.max()) <= 0 and float(out.logsumexp(axis).abs().max()) < 1e-3:
        return "log-probabilities"
    return "logits"


def _range(probe: Probe) -> tuple[float, float, float]:
    """Lowest and highest output with strongly changed weights, and the share of exact zeros."""
    with probe.jiggled(10, 2, least=1):
        out = probe.run().nan_to_num()
    return float(out.min()), float(out.max()), float((out == 0).float().mean())
