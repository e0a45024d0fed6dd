"""What a watched training loop did wrong: checks of what `monitor.Watch` wrote down. Built in chapter 4.

Each check takes the watch and gives findings. `EXPLAINS` says which causes bring others about: these are folded in.
"""
import math
import re
from collections.abc import Iterator
from statistics import fmean, median

from course_lib.diagnostics.findings import Finding

#: Causes that follow from a cause, and are not told beside it.
EXPLAINS = {
    "loss-detached": ("parameter-unused", "parameter-not-in-optimizer", "learning-rate-zero", "dead-units",
                      "optimizer-step-missing", "gradients-vanishing"),
    "input-scale": ("gradients-exploding", "learning-rate-too-high"),
    "optimizer-step-missing": ("zero-grad-missing", "learning-rate-zero", "scheduler-misused", "learning-rate-too-high",
                               "parameter-not-in-optimizer"),
    "zero-grad-missing": ("learning-rate-too-high", "gradients-exploding", "loss-scale", "dead-units", "learning-rate-zero"),
    "scheduler-misused": ("learning-rate-zero",),
    "loss-broadcast": ("learning-rate-too-high",),
    "loss-scale": ("learning-rate-too-high", "gradients-exploding"),
    "learning-rate-too-high": ("gradients-exploding", "gradients-vanishing", "dead-units"),
    "gradients-exploding": ("gradients-vanishing", "dead-units"),
    "parameter-unused": ("dead-units", "gradients-vanishing"),
}
LOW_RATE = 0.02         # of the highest learning rate: too low to train
NEGLIGIBLE = 5e-7       # update:weight; float32 itself is exact to 6e-8, AdamW at 1e-6 makes about 3e-5
HUGE = 0.3              # update:weight at which a step replaces what was learned
DUST = 1e-7             # gradient of a matrix, root mean square, in terms of the largest of all matrices


def judge(seen) -> tuple[list[Finding], list[str]]:
    """Findings and notes of a `monitor.Watch`."""
    notes = []
    if not seen.events and not seen.detached:
        return [], ["nothing was seen: the loop ran no forward pass, backward pass or step of what is watched"]
    if seen.stopped:
        notes.append(f"the loop ended with {seen.stopped}")
    accumulating = bool(seen.steps) and median(step.backwards for step in seen.steps) > 1
    found = [*seen.losses.findings(accumulating), *detached(seen), *stepping(seen), *clearing(seen), *scheduling(seen),
             *rates(seen), *not_finite(seen), *divergence(seen), *untrained(seen), *depth(seen), *dead(seen),
             *modes(seen), *still(seen, notes)]
    causes = {finding.cause for finding in found if finding.confidence >= 0.5}
    folded = {after for cause in causes for after in EXPLAINS.get(cause, ())}
    if len(seen.steps) < 10 and len(seen.steps) > 0:
        notes.append(f"{len(seen.steps)} steps were seen; pace, learning rate and order of the batches need ten or more")
    if not any(len(step.updates) for step in seen.steps) and seen.steps:
        notes.append("no update was measured")
    return [finding for finding in found if finding.cause not in folded], notes


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


# Whether backward and step do their work

def detached(seen) -> Iterator[Finding]:
    backwards = seen.events.count("B")
    if seen.detached or (seen.unreached and seen.unreached > backwards):
        times = seen.detached or seen.unreached
        yield Finding("backward", "loss-detached", f"backward was called {times} times on a loss that leads to no parameter "
                      "of the model", "detach(), no_grad, .item(), argmax or a new tensor between the model and the loss; or "
                      "the loss of another model", 0.95)


def stepping(seen) -> Iterator[Finding]:
    backwards, steps = seen.events.count("B"), len(seen.steps)
    if backwards and not steps:
        yield Finding("steps", "optimizer-step-missing", f"{backwards} backward passes and no step of this optimiser",
                      "optimizer.step() after loss.backward(); is it the optimiser that the loop steps?",
                      0.9 if backwards > 1 else 0.5)
    early = len(re.findall(r"FL*S[SL]*(?=B)", seen.events))
    if steps >= 2 and early >= max(2, 0.5 * (steps - 1)):
        yield Finding("steps", "optimizer-step-missing", f"{early} of {steps} steps came between a forward pass and its "
                      "backward pass: the optimiser gets an old gradient, or none", "the order is zero_grad, backward, step",
                      0.95)
    elif steps >= 2 and not backwards and not seen.detached and not seen.unreached:
        yield Finding("steps", "optimizer-step-missing", f"{steps} steps of the optimiser and no backward pass through this "
                      "model", "is it the model that the loop trains, and is loss.backward() called?", 0.9,
                      ("loss-detached",))


def clearing(seen) -> Iterator[Finding]:
    """A gradient that a step has used, and that the next one still finds in .grad."""
    steps = [step for step in seen.steps if step.backwards]
    stale = [step for step in steps[1:] if step.stale > 0]
    if len(stale) >= max(1, 0.1 * len(steps)):
        last = stale[-1]
        yield Finding("gradients", "zero-grad-missing", f"{len(stale)} of {len(steps)} steps used gradients of earlier "
                      f"steps again; at step {last.number} these were {last.stale:.3g} times as large as what the backward "
                      "pass gave", "optimizer.zero_grad() once a step, before loss.backward()", 0.97)
        return
    lost = [step for step in steps if step.empty]
    if len(lost) > 0.5 * len(steps) and seen.reached & inside(seen):
        trained = [step for step in lost if step.raw > 0]
        if trained:
            yield Finding("gradients", "zero-grad-missing", f"{len(trained)} of {len(steps)} steps had no gradient left, "
                          "though a backward pass had given one: it was cleared before the step",
                          "zero_grad() before backward() or after step(), not between them", 0.9)
            return
    twice = [step for step in seen.steps[1:] if not step.backwards and not step.empty]
    if len(twice) >= max(2, 0.2 * len(seen.steps)):
        yield Finding("gradients", "zero-grad-missing", f"{len(twice)} of {len(seen.steps)} steps had no backward pass of their own "
                      "and used the gradient of the step before again", "one optimizer.step() for one loss.backward(): is it "
                      "called in two places?", 0.75)
        return
    wiped = [step for step in steps if step.wiped]
    if len(steps) >= 2 and len(wiped) > 0.5 * len(steps):
        yield Finding("gradients", "zero-grad-missing", f"in {len(wiped)} of {len(steps)} steps gradients were cleared before "
                      "any step had used them: of several backward passes only the last counts",
                      "to accumulate, call zero_grad() once a step and not once a backward pass", 0.75)


# The learning rate

def top_rates(seen) -> list[float]:
    """The highest learning rate of any group, at each step."""
    return [max(step.rates) for step in seen.steps]


def scheduling(seen) -> Iterator[Finding]:
    scheduler, steps = seen.scheduler, len(seen.steps)
    if scheduler is None or not steps:
        return
    name, look = type(scheduler).__name__, "scheduler.step() after optimizer.step(): once a batch or once an epoch, as it was built"
    own = getattr(scheduler, "optimizer", None)
    own = getattr(own, "optimizer", own)
    if own is not None and own is not seen.optimizer and getattr(own, "param_groups", None) is not seen.optimizer.param_groups:
        yield Finding("scheduler", "scheduler-misused", f"the {name} holds another optimiser than the one that is stepped",
                      "make the scheduler after the optimiser, and from it", 0.95)
        return
    paced = seen.events.count("L")
    top = top_rates(seen)
    peak = max(top)
    after = top[top.index(peak):]
    low = [rate for rate in after if rate <= LOW_RATE * peak]
    until = steps - len(low)
    each = f"{paced} steps of the {name} in {steps} steps of the optimiser"
    if not paced:
        base = max([group.get("initial_lr", 0) for group in seen.optimizer.param_groups], default=0)
        epochs = seen.examples / max(1, len(seen.rows))
        if base and peak < 0.1 * base and steps >= 5:
            yield Finding("scheduler", "scheduler-misused", f"{each}: the learning rate stays where its warm-up begins, at "
                          f"{peak:.2g} of {base:.2g}", look, 0.9, ("learning-rate-zero",))
        elif steps >= 20 and epochs >= 2 or steps >= 100:
            yield Finding("scheduler", "scheduler-misused", f"{each}, which saw each example {epochs:.1f} times: the learning "
                          f"rate stays at {peak:.2g}", look, 0.75 if epochs >= 2 else 0.55)
    elif paced >= 1.5 * steps and steps >= 2:
        yield Finding("scheduler", "scheduler-misused", f"{each}: the schedule runs {paced / steps:.3g} times as fast as the "
                      "training", look, 0.85)
    elif peak > 0 and len(low) >= max(5, 0.2 * steps) and paced > 0.5 * steps:
        ratio = [whole_ratio(seen, step) for step in seen.steps if step.updates]
        yield Finding("scheduler", "scheduler-misused", f"{each}: the learning rate fell from {peak:.2g} to {top[-1]:.2g} within "
                      f"{until} steps, and the update:weight ratio from {max(ratio):.1g} to {ratio[-1]:.1g}; the other "
                      f"{len(low)} steps hardly train", look, 0.9, ("learning-rate-zero",))
    elif (horizon := geometric(scheduler)) and paced > 0.8 * steps and steps >= 10 and horizon < 150:
        yield Finding("scheduler", "scheduler-misused", f"{each}: at this pace the learning rate is down to a thousandth "
                      f"after {horizon:.0f} batches", look, 0.65)
    elif getattr(scheduler, "T_max", None) and name.startswith("CosineAnnealingLR") and scheduler.last_epoch > 1.1 * scheduler.T_max:
        yield Finding("scheduler", "scheduler-misused", f"{each}, and it was built for {scheduler.T_max}: behind these the "
                      "learning rate rises again", look, 0.75)
    elif len(re.findall(r"BL+S", seen.events)) > 0.5 * steps:
        yield Finding("scheduler", "scheduler-misused", f"in {len(re.findall('BL+S', seen.events))} of {steps} steps the {name} "
                      "was stepped before the optimiser: the first value of the learning rate is left out", look, 0.8)
    elif seen.fresh_optimizer and re.match(r"E*L", seen.events):
        yield Finding("scheduler", "scheduler-misused", f"the {name} was stepped before the first step of the optimiser: the "
                      "first value of the learning rate is left out", look, 0.7)


def geometric(scheduler) -> float | None:
    """Steps until a scheduler that multiplies by gamma again and again is down to a thousandth."""
    gamma, every = getattr(scheduler, "gamma", None), getattr(scheduler, "step_size", 1)
    if type(scheduler).__name__ not in ("StepLR", "ExponentialLR") or not 0 < gamma < 1:
        return None
    return every * math.log(1e-3) / math.log(gamma)


def rates(seen) -> Iterator[Finding]:
    top = top_rates(seen)
    trained = [step for step in seen.steps if step.updates and not step.empty and math.isfinite(sum(step.updates))]
    look = "the lr of each group: print(optimizer.param_groups); a schedule that divides integers, or was not begun"
    if len(top) >= 3 and sum(rate == 0 for rate in top) > 0.5 * len(top):
        yield Finding("learning rate", "learning-rate-zero", f"the learning rate is 0 in {sum(rate == 0 for rate in top)} of "
                      f"{len(top)} steps", look, 0.95, ("scheduler-misused",) if seen.scheduler is not None else ())
    elif len(trained) >= 3 and seen.trouble is None:
        largest = median(max(ratios(seen, step), default=math.nan) for step in trained)
        if largest < NEGLIGIBLE:
            yield Finding("learning rate", "learning-rate-zero", f"in a step even the matrix that changes most changes by "
                          f"{largest:.1g} of its size (learning rate {median(top):.1g}): nothing is learned", look, 0.85)


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
    seen_ = (f"updates are {early:.2g} of the weights in the first steps and {late:.2g} later; the weights grew "
             f"{grown:.3g}-fold")
    if losses:
        seen_ += f"; the loss went from {losses[0]:.3g} to {losses[-1]:.3g}"
    if (worse and max(early, late) > 0.03) or (stuck and max(early, late) > HUGE) or (
            stuck and late > 0.1) or (not losses and (late > HUGE or grown > 30)):
        yield Finding("updates", "learning-rate-too-high", seen_, "a learning rate ten times lower; about 1e-3 of the weights "
                      "a step is usual", 0.8, ("gradients-exploding", "loss-scale"))


# Numbers that leave the range

def not_finite(seen) -> Iterator[Finding]:
    bad = seen.trouble
    if bad is None:
        return
    where = f"in the output of {bad.module or 'the model itself'}" if bad.module is not None else "in the backward pass"
    text = f"step {bad.step}: loss {bad.loss:.3g}, gradient norm {bad.gradient:.3g}; first not finite {where}"
    if bad.input:
        yield Finding("finite", "input-scale", f"{text}; the input holds NaN or infinity already", "the data: missing values, a "
                      "division by a deviation of 0", 0.95)
        return
    before = [step for step in seen.steps[:bad.step + 1] if step.updates and all(map(math.isfinite, step.updates))]
    ratio = max((whole_ratio(seen, step) for step in before[-10:]), default=0.0)
    norms = [step.gradient_norm for step in before]
    if ratio > 0.1 and not huge_from_the_start(seen):
        yield Finding("finite", "learning-rate-too-high", f"{text}; just before, a step changed the weights by {ratio:.2g} of "
                      "their size", "a learning rate ten times lower, or clip_grad_norm_", 0.85, ("gradients-exploding",))
    else:
        grew = f"; gradient norms before: {norms[0]:.2g} to {norms[-1]:.2g}" if norms else ""
        yield Finding("finite", "gradients-exploding", text + grew + f"; updates were at most {ratio:.2g} of the weights",
                      "a logarithm or root of 0, a division, a row that is masked whole; torch.autograd.detect_anomaly() "
                      "names the line", 0.85, ("learning-rate-too-high", "input-scale"))


def depth(seen) -> Iterator[Finding]:
    """How the gradient is spread over the matrices: dust in some, or far beyond the weights."""
    steps = [step for step in seen.steps if not step.empty][:20]
    if len(steps) < 2:
        return
    sizes = {}
    for i, p in enumerate(seen.parameters):
        values = [step.gradients[i] for step in steps if step.gradients[i] is not None and math.isfinite(step.gradients[i])]
        if p.dim() > 1 and values and max(values) > 0:
            sizes[seen.names[i]] = median(values) / math.sqrt(p.numel())
    if len(sizes) >= 2:
        largest = max(sizes, key=sizes.get)
        dust = [name for name in sizes if 0 < sizes[name] < DUST * sizes[largest]]
        if dust:
            least = min(dust, key=sizes.get)
            yield Finding("depth", "gradients-vanishing", f"the gradient of {least} is {sizes[least]:.1g} a weight, that of "
                          f"{largest} {sizes[largest]:.1g}; as small: {share(dust)}", "saturated activations, a deep stack without "
                          "residuals or norms, an initialisation that is too small", 0.75)
    if huge := huge_from_the_start(seen):
        yield Finding("depth", "gradients-exploding", f"before any update the norm of the gradient is {huge[0]:.2g}, that of the "
                      f"weights {huge[1]:.2g}", "initialisation, recurrence over many steps, a norm that is missing; "
                      "clip_grad_norm_ helps", 0.85, ("activation-scale", "loss-scale"))


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
    outside_ = [p for group in seen.optimizer.param_groups for p in group["params"]]
    own = {id(p) for p in seen.parameters}
    if outside_ and not any(id(p) in own for p in outside_):
        yield Finding("optimiser", "parameter-not-in-optimizer", "none of the optimiser's parameters is one of the model's",
                      "make the optimiser after the model is finished: after it is loaded, replaced or wrapped", 0.97)
        return
    new = [name for name, p in seen.model.named_parameters() if id(p) not in own and p.requires_grad and id(p) not in
           {id(q) for q in outside_}]
    if new:
        yield Finding("optimiser", "parameter-not-in-optimizer", f"the model has new parameters, of which the optimiser knows "
                      f"nothing: {share(new)}", "make the optimiser after the last layer was added or replaced", 0.9)
        return
    still = {i for i, p in enumerate(seen.parameters) if p.requires_grad and i not in held and not seen.moved(i)}
    forgotten = [seen.names[i] for i in sorted(still & seen.reached)]
    if forgotten:
        yield Finding("optimiser", "parameter-not-in-optimizer", f"{len(forgotten)} of {len(own)} parameters get gradients, are "
                      f"not in the optimiser and do not change: {share(forgotten)}", "pass model.parameters(), after the last "
                      "layer was added; or freeze them with requires_grad_(False)", 0.85)
    unused = [seen.names[i] for i, p in enumerate(seen.parameters) if p.requires_grad and i not in seen.reached]
    if unused:
        yield Finding("parameters", "parameter-unused", f"{len(unused)} of {len(own)} parameters got no gradient in "
                      f"{seen.events.count('B')} backward passes: {share(unused)}", "is the layer called, and is its output used; "
                      "is there a detach() or no_grad on the way?", 0.85)


def dead(seen) -> Iterator[Finding]:
    """Rows of a matrix (the weights into one unit) whose gradient was 0 in each step."""
    from torch import nn
    tables = {id(m.weight) for m in seen.model.modules() if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
    worst, text = 0.0, ""
    if len([step for step in seen.steps if not step.empty]) < 5:
        return
    for name, p, alive in zip(seen.names, seen.parameters, seen.rows_alive):
        if alive is not None and id(p) not in tables and len(alive) >= 4:
            lost = 1 - float(alive.float().mean())
            if lost > worst:
                worst, text = lost, f"{lost:.0%} of the units of {name} had a gradient of 0 in each of {len(seen.steps)} steps"
    if worst >= 0.6:
        yield Finding("units", "dead-units", text, "large negative biases, a learning rate that was too high, inputs far from 0; "
                      "or a detach() behind them", 0.7, ("parameter-unused",))


# Modes and data

def modes(seen) -> Iterator[Finding]:
    trained = [one for one in seen.passes if one.trained and one.live is not None]
    frozen = sum(p.numel() for p in seen.parameters if not p.requires_grad) > sum(p.numel() for p in seen.parameters) / 2
    still_ = [one for one in trained if not one.live and not one.training]
    if len(still_) >= max(2, 0.2 * len(trained)) and not frozen:
        yield Finding("modes", "mode-wrong", f"{len(still_)} of {len(trained)} training passes ran in evaluation mode: dropout is off, "
                      "batch statistics are not updated", "model.train() before training, and again after each evaluation", 0.9)
        return
    # Neither eval() nor no_grad: a loss was computed and no backward pass came.
    idle = [one for one in seen.passes if one.recording and one.judged and not one.trained and one.live and one.training]
    if trained and len(idle) >= max(2, 0.05 * len(trained)):
        yield Finding("modes", "mode-wrong", f"{len(idle)} losses were computed in training mode and led to no backward pass, "
                      "as evaluation does", "model.eval() and torch.no_grad() before evaluating, model.train() after", 0.7)
        return
    evaluated = [one for one in seen.passes if not one.recording and one.live is not None]
    noisy = [one for one in evaluated if one.live and one.training]
    if noisy and len(noisy) >= 0.5 * len(evaluated) and trained:
        marked = any(one.marked for one in noisy)
        yield Finding("modes", "mode-wrong", f"{len(noisy)} of {len(evaluated)} passes without gradients ran in training mode: with "
                      "dropout, or with the statistics of their own batch", "model.eval() before evaluating, model.train() after",
                      0.95 if marked else 0.75)


def still(seen, notes: list[str]) -> Iterator[Finding]:
    trained = [one for one in seen.passes if one.trained]
    if len(trained) < 5 or len({one.data for one in trained}) > 1 or not trained[0].rows:
        return
    rows, anew = trained[0].rows, not all(one.same_memory for one in trained[1:])
    others = [one for one in seen.passes if not one.trained and one.data != trained[0].data]
    if rows <= 64 and sum({one.data: one.rows for one in others}.values()) > rows:    # nobody evaluates on more
        yield Finding("batches", "data-not-moving", f"each of {len(trained)} training passes saw the same {rows} examples, while "
                      "others are evaluated on", "the batch must be drawn in the loop: for x, y in loader", 0.7)
    elif anew and rows <= 128:
        yield Finding("batches", "data-not-moving", f"each of {len(trained)} training passes saw the same {rows} examples, "
                      "read anew", "next(iter(loader)) begins at the first batch each time; a seed set within the loop", 0.75)
    else:
        notes.append(f"each of {len(trained)} training passes saw the same {trained[0].rows} examples: right for an overfit test or "
                     "for training on the whole set at once")
