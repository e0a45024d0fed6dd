"""What a watched model went through: numbers that leave the range, parameters, modes, batches. Checks of what
`monitor.Watch` wrote down, called by `monitor_loop`. Built in chapter 4."""
import math
from collections.abc import Iterator
from statistics import fmean, median

from torch import nn

from course_lib.diagnostics.findings import Finding

HUGE = 0.3              # update:weight at which a step replaces what was learned
DUST = 1e-7             # gradient of a matrix, root mean square, in terms of the largest of all matrices
DEAD = 0.75             # share of a layer's units


def share(names, limit: int = 3) -> str:
    """Names for a sentence."""
    names = list(names)
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def ratios(seen, step) -> list[float]:
    """update:weight of each matrix in a step; biases begin at 0 and tell nothing."""
    return [update / weight for update, weight, p in zip(step.updates, step.weights, seen.parameters)
            if p.dim() > 1 and weight > 0 and math.isfinite(update)]


def whole_ratio(seen, step) -> float:
    """update:weight of all parameters together; nan where it was not measured."""
    weight = math.sqrt(sum(w * w for w in step.weights))
    return math.sqrt(sum(u * u for u in step.updates)) / weight if weight > 0 else math.nan


def inside(seen) -> set[int]:
    """Indices of the parameters that the optimiser has."""
    held = {id(p) for group in seen.optimizer.param_groups for p in group["params"]}
    return {i for i, p in enumerate(seen.parameters) if id(p) in held}


# Numbers that leave the range

def divergence(seen) -> Iterator[Finding]:
    steps = [step for step in seen.steps if step.updates]
    if len(steps) < 5 or huge_from_the_start(seen):
        return
    whole = [whole_ratio(seen, step) for step in steps]
    losses = [step.loss for step in seen.steps if not math.isnan(step.loss)]
    early, late = max(whole[:5]), median(whole[len(whole) // 2:])
    start = math.sqrt(sum(w * w for w in steps[0].weights)) or math.nan
    grown = math.sqrt(sum(w * w for w in steps[-1].weights)) / start
    stuck = worse = False
    if len(losses) >= 10:
        first, last = min(losses[0], fmean(losses[:3])), fmean(losses[-max(3, len(losses) // 5):])
        worse = last > 1.5 * first + 0.1 and first > 0
        stuck = last > 0.98 * first > 0
    text = (f"updates are {early:.2g} of the weights in the first steps and {late:.2g} later; the weights grew "
            f"{grown:.3g}-fold")
    if losses:
        text += f"; the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
    if (worse and max(early, late) > 0.03) or (stuck and max(early, late) > HUGE) or (
            stuck and late > 0.1) or (not losses and (late > HUGE or grown > 30)):
        yield Finding(
            "updates", "learning-rate-too-high",
            text,
            "a learning rate ten times lower; about 1e-3 of the weights a step is usual", 0.8,
            ("gradients-exploding", "loss-scale"))


def not_finite(seen) -> Iterator[Finding]:
    bad = seen.trouble
    if bad is None:
        return
    where = f"in the output of {bad.module or 'the model itself'}" if bad.module is not None else "in the backward pass"
    text = f"step {bad.step}: loss {bad.loss:.3g}, gradient norm {bad.gradient:.3g}; first not finite {where}"
    if bad.input:
        yield Finding(
            "finite", "input-scale",
            f"{text}; the input holds NaN or infinity already",
            "the data: missing values, a division by a deviation of 0", 0.95)
        return
    before = [step for step in seen.steps[:bad.step + 1] if step.updates and all(map(math.isfinite, step.updates))]
    ratio = max((whole_ratio(seen, step) for step in before[-10:]), default=0.0)
    norms = [step.gradient_norm for step in before]
    if ratio > 0.1 and not huge_from_the_start(seen):
        yield Finding(
            "finite", "learning-rate-too-high",
            f"{text}; just before, a step changed the weights by {ratio:.2g} of their size",
            "a learning rate ten times lower, or clip_grad_norm_", 0.85, ("gradients-exploding",))
    else:
        grew = f"; gradient norms before: {norms[0]:.2g} to {norms[-1]:.2g}" if norms else ""
        yield Finding(
            "finite", "gradients-exploding",
            f"{text}{grew}; updates were at most {ratio:.2g} of the weights",
            "a logarithm or root of 0, a division, a row that is masked whole; torch.autograd.detect_anomaly() names "
            "the line", 0.85, ("learning-rate-too-high", "input-scale"))


def depth(seen) -> Iterator[Finding]:
    """How the gradient is spread over the matrices: dust in some, or far beyond the weights."""
    steps = [step for step in seen.steps if not step.empty][:20]
    if len(steps) < 2:
        return
    sizes = {}
    for i, p in enumerate(seen.parameters):
        values = [x for step in steps if (x := step.gradients[i]) is not None and math.isfinite(x)]
        if p.dim() > 1 and values and max(values) > 0:
            sizes[seen.names[i]] = median(values) / math.sqrt(p.numel())
    if len(sizes) >= 2:
        largest = max(sizes, key=sizes.get)
        dust = [name for name in sizes if 0 < sizes[name] < DUST * sizes[largest]]
        if dust:
            least = min(dust, key=sizes.get)
            yield Finding(
                "depth", "gradients-vanishing",
                f"the gradient of {least} is {sizes[least]:.1g} a weight, that of {largest} {sizes[largest]:.1g}; as "
                f"small: {share(dust)}",
                "saturated activations, a deep stack without residuals or norms, an initialisation that is too "
                "small", 0.75)
    if huge := huge_from_the_start(seen):
        yield Finding(
            "depth", "gradients-exploding",
            f"before any update the norm of the gradient is {huge[0]:.2g}, that of the weights {huge[1]:.2g}",
            "initialisation, recurrence over many steps, a norm that is missing; clip_grad_norm_ "
            "helps", 0.85, ("activation-scale", "loss-scale"))


def huge_from_the_start(seen) -> tuple[float, float] | None:
    """Norms of gradient and weights at the first step, where the one is far beyond the other.

    A large loss gives a large gradient: where targets are large, or where it is a sum. But no cross-entropy is large
    for that reason.
    """
    if not seen.steps or not seen.steps[0].weights:
        return None
    first = seen.steps[0]
    weight = math.sqrt(sum(w * w for w in first.weights))
    averaged = seen.losses.kinds == {"cross_entropy"} and all(how == "mean" for how, *_ in seen.losses.scales)
    if weight and math.inf > first.raw > 1e3 * weight and (averaged or not first.loss > 1e3):
        return first.raw, weight
    return None


# Parameters

def untrained(seen) -> Iterator[Finding]:
    if not seen.steps or not seen.reached:
        return
    held = inside(seen)
    held_by_it = [p for group in seen.optimizer.param_groups for p in group["params"]]
    own = {id(p) for p in seen.parameters}
    if held_by_it and not any(id(p) in own for p in held_by_it):
        yield Finding(
            "optimiser", "parameter-not-in-optimizer",
            "none of the optimiser's parameters is one of the model's",
            "make the optimiser after the model is finished: after it is loaded, replaced or wrapped", 0.97)
        return
    new = [name for name, p in seen.model.named_parameters() if id(p) not in own and p.requires_grad and id(p) not in
           {id(q) for q in held_by_it}]
    if new:
        yield Finding(
            "optimiser", "parameter-not-in-optimizer",
            f"the model has new parameters, of which the optimiser knows nothing: {share(new)}",
            "make the optimiser after the last layer was added or replaced", 0.9)
        return
    forgotten = [seen.names[i] for i in sorted(seen.reached - held)
                 if seen.parameters[i].requires_grad and not seen.moved(i)]
    if forgotten:
        yield Finding(
            "optimiser", "parameter-not-in-optimizer",
            f"{len(forgotten)} of {len(own)} parameters get gradients, are not in the optimiser and do not change: "
            f"{share(forgotten)}",
            "pass model.parameters(), after the last layer was added; or freeze them with requires_grad_(False)", 0.85)
    unused = [seen.names[i] for i, p in enumerate(seen.parameters) if p.requires_grad and i not in seen.reached]
    if unused:
        yield Finding(
            "parameters", "parameter-unused",
            f"{len(unused)} of {len(own)} parameters got no gradient in {seen.events.count('B')} backward passes: "
            f"{share(unused)}",
            "is the layer called, and is its output used; is there a detach() or no_grad on the way?", 0.85)


def dead_units(seen) -> dict[str, float]:
    """Share of each matrix's rows (the weights into one unit) that had a gradient of 0 whenever it was looked at, where
    not 0. Tables of embeddings are left out: what did not occur has no gradient."""
    tables = {id(module.weight) for module in seen.model.modules()
              if isinstance(module, (nn.Embedding, nn.EmbeddingBag))}
    shares = {name: 1 - float(alive.float().mean()) for name, p, alive in
              zip(seen.names, seen.parameters, seen.rows_alive) if alive is not None and id(p) not in tables}
    return {name: share for name, share in shares.items() if share}


def dead(seen) -> Iterator[Finding]:
    last = [name for name, p in zip(seen.names, seen.parameters) if p.dim() > 1][-1:]
    lost = {name: share for name, share in dead_units(seen).items()
            if share >= DEAD and name not in last}    # of outputs, a loss may leave some out
    if lost and sum(not step.empty for step in seen.steps) >= 5:
        worst = max(lost, key=lost.get)
        yield Finding(
            "units", "dead-units",
            f"{lost[worst]:.0%} of the units of {worst} had a gradient of 0 in each of {len(seen.steps)} steps",
            "large negative biases, a learning rate that was too high, inputs far from 0; or a detach() behind them",
            0.7, ("parameter-unused",))


# Modes and data

def modes(seen) -> Iterator[Finding]:
    trained = [one for one in seen.passes if one.trained and one.live is not None]
    sizes = [(p.numel(), p.requires_grad) for p in seen.parameters]
    frozen = sum(size for size, moves in sizes if not moves) > sum(size for size, moves in sizes if moves)
    silent = [one for one in trained if not one.live and not one.training]
    if len(silent) >= max(2, 0.2 * len(trained)) and not frozen:
        yield Finding(
            "modes", "mode-wrong",
            f"{len(silent)} of {len(trained)} training passes ran in evaluation mode: dropout is off, batch "
            "statistics are not updated",
            "model.train() before training, and again after each evaluation", 0.9)
        return
    # Neither eval() nor no_grad: a loss was computed and no backward pass came.
    unused = [one for one in seen.passes if one.recording and one.judged and not one.trained]
    idle = [one for one in unused if one.live and one.training]
    if trained and len(idle) >= max(2, 0.05 * len(trained)):
        yield Finding(
            "modes", "mode-wrong",
            f"{len(idle)} losses were computed in training mode and led to no backward pass, as evaluation does",
            "model.eval() and torch.no_grad() before evaluating, model.train() after", 0.7)
        return
    evaluated = [one for one in seen.passes if not one.recording and one.live is not None]
    noisy = [one for one in evaluated if one.live and one.training]
    if noisy and len(noisy) >= 0.5 * len(evaluated) and trained:
        marked = any(one.marked for one in noisy)
        yield Finding(
            "modes", "mode-wrong",
            f"{len(noisy)} of {len(evaluated)} passes without gradients ran in training mode: with dropout, or with "
            "the statistics of their own batch",
            "model.eval() before evaluating, model.train() after", 0.95 if marked else 0.75)


def still(seen, notes: list[str]) -> Iterator[Finding]:
    trained = [one for one in seen.passes if one.trained]
    if len(trained) < 5 or len({one.data for one in trained}) > 1 or not trained[0].rows:
        return
    rows, anew = trained[0].rows, not all(one.same_memory for one in trained[1:])
    others = [one for one in seen.passes if not one.trained and one.data != trained[0].data]
    if rows <= 64 and sum({one.data: one.rows for one in others}.values()) > rows:    # nobody evaluates on more
        yield Finding(
            "batches", "data-not-moving",
            f"each of {len(trained)} training passes saw the same {rows} examples, while others are evaluated on",
            "the batch must be drawn in the loop: for x, y in loader", 0.7)
    elif anew and rows <= 128:
        yield Finding(
            "batches", "data-not-moving",
            f"each of {len(trained)} training passes saw the same {rows} examples, read anew",
            "next(iter(loader)) begins at the first batch each time; a seed set within the loop", 0.75)
    else:
        notes.append(f"each of {len(trained)} training passes saw the same {rows} examples: right for an overfit test "
                     "or for training on the whole set at once")
