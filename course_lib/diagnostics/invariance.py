"""What must not change when something else is changed. Built in chapter 4.

Most checks run the model with its parameters moved a little at random (`Probe.jiggled`): whether one number depends on
another is a matter of the architecture, and a zero-initialised head must not hide it. Every run uses the same random
numbers, so that dropout that is always on does not disturb the other checks. A dependence counts if the change that it
makes is above rounding: TOLERANCE of what a legitimate change makes.
"""
import torch
from torch import Tensor, nn

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.flow import Flow
from course_lib.diagnostics.padding import padding_mask_of
from course_lib.diagnostics.probe import Probe
from course_lib.diagnostics.tensors import TOLERANCE, along, gap

MIXERS = (nn.RNNBase, nn.modules.conv._ConvNd, nn.MultiheadAttention)


def determinism(probe: Probe) -> list[Finding]:
    """In evaluation mode two passes over the same inputs, with different random numbers, give the same outputs."""
    first, second = probe.run(seed=1), probe.run(seed=2)
    if first.shape == second.shape and torch.equal(first.nan_to_num(), second.nan_to_num()):
        return []
    again = probe.run(seed=1)
    size = gap(first, second) if first.shape == second.shape else float("inf")
    if size <= 1e-5 * float(first.abs().max()):    # the order of a sum
        return []
    with Flow(probe.model, probe.size) as flow:
        probe.run()
    where = f"dropout with training=True in {', '.join(dict.fromkeys(flow.random))}" if flow.random else \
        "dropout called with its own flag, noise added in forward(), or sampling"
    still = [name for name, module in probe.model.named_modules() if module.training]
    if still:
        where = f"eval() leaves {', '.join(still[:3])} in training mode"
    state = "" if again.shape == first.shape and torch.equal(again.nan_to_num(), first.nan_to_num()) else \
        "; with the same random numbers they differ too, so the model keeps a state between calls"
    return [Finding("determinism", "nondeterministic-eval", "two passes in evaluation mode over the same inputs "
                    f"differ by {size:.2g} (the outputs' size is {float(first.abs().max()):.2g}){state}",
                    f"{where}: pass training=self.training to F.dropout, or use nn.Dropout", 0.93)]


def layout(probe: Probe) -> list[Finding]:
    """The two laws of `flow`: an axis holds positions or features; the weights of a sum add up to 1."""
    with probe.jiggled(), Flow(probe.model, probe.size) as flow:
        for value in probe.contents.values():
            flow.label_input(value)
        probe.run()
    probe.attention = flow.attention
    if flow.wrong_sums:
        where, seen = flow.wrong_sums[0]
        return [Finding("layout", "wrong-dimension", f"in {where}: {seen}", "the dim of the softmax: the source "
                        "positions are the last dimension of [batch, heads, target, "
                        "source]", 0.97, ("position-mixing",))]
    if flow.mixed:
        where, seen = flow.mixed[0]
        return [Finding("layout", "position-mixing", f"in {where}: {seen}", "view or reshape beside a transpose: split "
                        "heads by .view(batch, length, heads, width).transpose(1, 2) and join them by .transpose(1, "
                        "2).reshape(batch, length, heads * width)", 0.95)]
    return []


def batch_independence(probe: Probe) -> list[Finding]:
    """In evaluation mode the output of an example does not depend on the other examples of its batch.

    Half of the examples get other contents; the outputs of the other half must stay. And the examples change their
    places:
    the outputs must move with them. In training mode BatchNorm mixes
    legitimately; in evaluation mode it does not. An output of examples against examples (contrastive) is left out.
    """
    if probe.size < 2:
        probe.notes.append("Batch independence needs two examples; the batch has one.")
        return []
    with probe.jiggled():
        before = probe.run()
        rows = probe.per_example(before)
        if rows is None:
            probe.notes.append(f"Batch independence was not checked: no axis of the output, {list(before.shape)}, has "
                               f"the size of the batch, {probe.size}; give output=.")
            return []
        if before.dim() == 2 and before.shape == (probe.size, probe.size) and probe.labels is not None \
                and torch.equal(probe.labels.cpu(), torch.arange(probe.size)):
            probe.notes.append("The output compares examples with examples (labels 0, 1, 2, ...): batch independence "
                               "was left out.")
            return []
        number = torch.arange(probe.size)
        leak = own = 0.0
        for changed in (number % 2 == 0, number % 2 == 1, number < (probe.size + 1) // 2, number == 0):
            after = probe.run({name: probe.mix(name, changed) for name in probe.contents})
            after = probe.per_example(after)
            if after is None or after.shape != rows.shape:
                continue
            leak = max(leak, gap(after[~changed], rows[~changed]))
            own = max(own, gap(after[changed], rows[changed]))
        rolled = {name: value.roll(1, probe.axis) for name, value in probe.tensors.items() if probe.batched(name)}
        moved = probe.per_example(probe.run(rolled))
        moved = gap(moved.roll(-1, 0), rows) if moved is not None and moved.shape == rows.shape else 0.0
        leak, place = max(leak, moved), moved > leak
        if leak <= max(TOLERANCE * own, 1e-5 * float(rows.abs().max())):
            return []
        if probe.size == probe.length and not probe.axis and probe.labels is not None and probe.labels.dim() == 1 \
                and _sequence_first(probe, rows):
            probe.notes.append("The batch was taken to be dimension 1 (sequence first), as the model reads it so "
                               "throughout.")
            probe.axis = 1
            return []
    stats = [name for name, module in probe.model.named_modules()
             if isinstance(module,
                           nn.modules.batchnorm._BatchNorm) and (module.running_mean is None or module.training)]
    look = f"{stats[0]} uses the statistics of the batch in evaluation mode" if stats else \
        "batch_first; a view, transpose or softmax(dim=0) that takes the batch for another dimension; [0] for [:, 0]"
    if place:
        return [Finding("batch independence", "batch-mixing", "at another place in the batch an example's output "
                        f"differs by {leak:.2g}",
                        "positions, masks or states that are indexed by the batch's dimension (position encodings for "
                        "sequence-first inputs, added to batch-first ones)", 0.93, ("input-ignored",))]
    return [Finding("batch independence", "batch-mixing", "changing other examples of the batch changes an example's "
                    f"output by {leak:.2g} (changing the example itself: {own:.2g}); it must be exactly 0", look,
                    0.6 if stats else 0.95, ("position-mixing",) if not stats else ("mode-wrong",))]


def _sequence_first(probe: Probe, rows: Tensor) -> bool:
    """Whether output n depends on column n of every input only: then batch and sequence are merely in another order."""
    column = torch.arange(probe.size) == 0
    changed = {}
    for name, value in probe.contents.items():
        if value.dim() < 2 or value.shape[1] != probe.size:
            return False
        changed[name] = torch.where(along(column, 1, value), probe.other(name), value)
    after = probe.per_example(probe.run(changed))
    return gap(after[1:], rows[1:]) <= TOLERANCE * gap(after[:1], rows[:1])


def causality(probe: Probe) -> list[Finding]:
    """Where position t predicts token t + 1, changing what comes later than t must not change output t.

    Checked if `causal` is True or the labels are the next tokens of an input, and never with causal=False.
    """
    probe.leaks = False
    name = _causal_input(probe)
    if name is None:
        return []
    length = probe.examples_first(probe.tensors[name]).shape[1]
    with probe.jiggled():
        before = probe.by_length(probe.run(), length)
        if before is None:
            probe.notes.append("Causality was not checked: the output has no axis of positions; give output=.")
            return []
        leak = own = 0.0
        for start in sorted({1, length // 3, length // 2, length - 1} - {0}):
            later = torch.arange(length) >= start
            other = probe.other(name)
            changed = torch.where(along(later, 1 - probe.axis, other), other, probe.tensors[name])
            after = probe.by_length(probe.run({name: changed}), length)
            leak = max(leak, gap(after[:, :start], before[:, :start]))
            own = max(own, gap(after[:, start:], before[:, start:]))
    if leak <= max(TOLERANCE * own, 1e-5 * float(before.abs().max())):
        return []
    probe.leaks = True
    return [Finding("causality", "future-leak", "changing later tokens changes the output at earlier positions by "
                    f"{leak:.2g} (at the changed ones: {own:.2g}); it must be exactly 0",
                    "the causal mask: is it given, is its diagonal right, does True mean what the layer expects, is it "
                    "added before the softmax with minus infinity; convolutions padded on both sides; norms over "
                    "positions",
                    0.94)]


def context_used(probe: Probe) -> list[Finding]:
    """A model with attention, recurrence or convolution over positions must let something pass between positions."""
    if probe.length is None or probe.length < 3 or not (_attends(probe) or any(isinstance(m,
                                                                                          MIXERS)
                                                                               for m in probe.model.modules())):
        return []
    name = _causal_input(probe) or next((key for key, value in probe.contents.items()
                                         if value.dim() > 1 and value.shape[1 - probe.axis] == probe.length), None)
    if name is None or probe.labels is None or probe.labels.dim() != 2:
        return []
    if probe.tensors[name].shape[1 - probe.axis] != probe.length:
        return []
    with probe.jiggled():
        before = probe.per_position(probe.run())
        if before is None:
            return []
        last = torch.arange(probe.length) == probe.length - 1
        mask = padding_mask_of(probe, name) if name in probe.tokens else None
        if mask is not None and not bool(mask[:, -1].any()):
            return []
        other = probe.other(name)
        after = probe.per_position(probe.run({name: torch.where(along(last, 1 - probe.axis, other),
                                                                probe.tensors[name], other)}))
        kept, own = gap(after[:, -1], before[:, -1]), gap(after[:, :-1], before[:, :-1])
    if kept > 1e-6 * max(own, 1e-6) or not own:
        return []
    return [Finding("context", "input-ignored", "changing all other tokens does not change the output at the last "
                    "position",
                    "what the attention attends to: the mask, batch_first, or a result that is not added", 0.85,
                    ("batch-mixing",))]


def inputs_used(probe: Probe) -> list[Finding]:
    """Every input that varies must have an effect on the output; and so must every position of a sequence to
    classify."""
    outputs = []
    with probe.jiggled():
        before = probe.run()
        for name, value in probe.tensors.items():
            if name not in probe.contents or len(value.unique()) < 2:
                continue
            after = probe.run({name: probe.other(name)})
            if after.shape == before.shape and gap(after, before) <= 1e-7 * float(before.abs().max()):
                outputs.append(name)
        if outputs:
            words = "the model's only input" if len(probe.contents) == 1 else f"input {', '.join(map(repr, outputs))}"
            return [Finding("inputs used", "input-ignored", f"replacing {words} by other contents does not change the "
                            "output",
                            "the forward pass: cross-attention left out or given the wrong memory, an argument that is "
                            "never used, an embedding that is not added", 0.96)]
        return _positions_used(probe, before)


def _positions_used(probe: Probe, before: Tensor) -> list[Finding]:
    if probe.labels is None or probe.labels.dim() != 1 or len(probe.contents) != 1:
        return []
    name, value = next(iter(probe.contents.items()))
    length = value.shape[1 - probe.axis] if value.dim() in (2, 3) else 0
    if length < 4 or value.dim() == 2 and value.is_floating_point():
        return []
    other, effect = probe.other(name), []
    for place in range(min(length, 24)):
        here = torch.arange(length) == place
        effect.append(gap(probe.run({name: torch.where(along(here, 1 - probe.axis, value), other, value)}), before))
    mask = padding_mask_of(probe, name) if name in probe.tokens else None
    real = torch.ones(len(effect), dtype=torch.bool) if mask is None else mask[:, :len(effect)].any(0).cpu()
    used = (torch.tensor(effect) > 1e-7 * float(before.abs().max()))[real]
    if len(used) < 4 or int(used.sum()) > max(1, len(used) // 3) or not bool(used.any()):
        return []
    only = [place for place, size in enumerate(effect) if size > 1e-7 * float(before.abs().max())]
    tail = len(only) > 1 and only == list(range(len(only)))
    return [Finding("inputs used", "input-truncated" if tail else "input-ignored", f"of {len(used)} positions only "
                    f"{', '.join(map(str, only[:4]))} has an effect on the "
                    "output", "which hidden state is classified: the first of a model that reads from left to right "
                    "has seen one token; inputs that forward() "
                    "cuts", 0.8, ("input-ignored",) if tail else ("input-truncated",))]


def order_used(probe: Probe) -> list[Finding]:
    """A Transformer without positions sees a bag of tokens. Shuffle all positions: if the outputs are just shuffled
    (or, for a classifier, unchanged), the order is ignored. Only for attention over tokens: averages of word vectors
    ignore the order by design, causal masks give one away, and sets of vectors have none."""
    if not _attends(probe) or len(probe.tokens) != 1:
        return []
    name, ids = next(iter(probe.tokens.items()))
    length = ids.shape[1]
    if length < 4 or padding_mask_of(probe, name) is not None:
        return []
    generator = torch.Generator().manual_seed(5)
    order = torch.randperm(length, generator=generator)
    with probe.jiggled():
        before = probe.run()
        after = probe.run({name: probe.tensors[name].index_select(1 - probe.axis, order.to(ids.device))})
        positions = probe.per_position(before) if probe.labels is None or probe.labels.dim() == 2 else None
        one, two = (before, after) if positions is None else (positions[:, order], probe.per_position(after))
        plain = gap(probe.run({name: probe.other(name)}), before)
    if one.shape != two.shape or gap(one, two) > 1e-4 * plain or not plain:
        return []
    return [Finding("order used", "input-ignored", "shuffling the tokens of each example only shuffles the outputs: "
                    "the model does not see their order",
                    "position embeddings: are they added, and are the positions 0, 1, 2, ... along the right "
                    "dimension", 0.6)]


def _causal_input(probe: Probe):
    """Name of the input whose later positions must not be seen, or None where nothing claims that."""
    if probe.causal is False:
        return None
    if probe.next_token_of is not None:
        return probe.next_token_of
    if not probe.causal:
        return None
    decoder = probe.decoder_name
    if decoder is not None:
        return decoder
    return next((name for name, value in probe.contents.items() if value.dim() > 1
                 and probe.length in (None, value.shape[1 - probe.axis])), None)


def _attends(probe: Probe) -> bool:
    return probe.attention or any(isinstance(module, nn.MultiheadAttention) for module in probe.model.modules())
