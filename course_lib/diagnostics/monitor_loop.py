"""What a watched training loop did wrong: checks of what `monitor.Watch` wrote down. Built in chapter 4.

Each check takes the watch and gives findings. `EXPLAINS` says which causes bring others about: these are folded in.
"""
import math
import re
from collections.abc import Iterator
from statistics import median

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.monitor_model import (dead, depth, divergence, inside, modes, not_finite, ratios, still,
                                                  untrained, whole_ratio)

#: Causes that follow from a cause, and are not told beside it.
EXPLAINS = {
    "loss-detached": ("parameter-unused", "parameter-not-in-optimizer", "learning-rate-zero", "dead-units",
                      "optimizer-step-missing", "gradients-vanishing"),
    "input-scale": ("gradients-exploding", "learning-rate-too-high"),
    "optimizer-step-missing": ("zero-grad-missing", "learning-rate-zero", "scheduler-misused", "learning-rate-too-high",
                               "parameter-not-in-optimizer"),
    "zero-grad-missing": ("learning-rate-too-high", "gradients-exploding", "loss-scale", "dead-units",
                          "learning-rate-zero"),
    "scheduler-misused": ("learning-rate-zero",),
    "loss-broadcast": ("learning-rate-too-high",),
    "loss-scale": ("learning-rate-too-high", "gradients-exploding"),
    "learning-rate-too-high": ("gradients-exploding", "gradients-vanishing", "dead-units"),
    "gradients-exploding": ("gradients-vanishing", "dead-units"),
    "parameter-unused": ("dead-units", "gradients-vanishing"),
}
LOW_RATE = 0.02         # of the highest learning rate: too low to train
NEGLIGIBLE = 5e-7       # update:weight; float32 itself is exact to 6e-8, AdamW at 1e-6 makes about 3e-5


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
        notes.append(f"{len(seen.steps)} steps were seen; pace, learning rate and order of batches need ten or more")
    if not any(len(step.updates) for step in seen.steps) and seen.steps:
        notes.append("no update was measured")
    return [finding for finding in found if finding.cause not in folded], notes


# Whether backward and step do their work

def detached(seen) -> Iterator[Finding]:
    backwards = seen.events.count("B")
    if seen.detached or (seen.unreached and seen.unreached > backwards):
        times = seen.detached or seen.unreached
        yield Finding(
            "backward", "loss-detached",
            f"backward was called {times} times on a loss that leads to no parameter of the model",
            "detach(), no_grad, .item(), argmax or a new tensor between the model and the loss; or the loss of "
            "another model", 0.95)


def stepping(seen) -> Iterator[Finding]:
    backwards, steps = seen.events.count("B"), len(seen.steps)
    if backwards and not steps:
        yield Finding(
            "steps", "optimizer-step-missing",
            f"{backwards} backward passes and no step of this optimiser",
            "optimizer.step() after loss.backward(); is it the optimiser that the loop "
            "steps?", 0.9 if backwards > 1 else 0.5)
    early = len(re.findall(r"FL*S[SL]*(?=B)", seen.events))
    if steps >= 2 and early >= max(2, 0.5 * (steps - 1)):
        yield Finding(
            "steps", "optimizer-step-missing",
            f"{early} of {steps} steps came between a forward pass and its backward pass: the optimiser gets an old "
            "gradient, or none",
            "the order is zero_grad, backward, step", 0.95)
    elif steps >= 2 and not backwards and not seen.detached and not seen.unreached:
        yield Finding(
            "steps", "optimizer-step-missing",
            f"{steps} steps of the optimiser and no backward pass through this model",
            "is it the model that the loop trains, and is loss.backward() called?", 0.9, ("loss-detached",))


def clearing(seen) -> Iterator[Finding]:
    """A gradient that a step has used, and that the next one still finds in .grad."""
    steps = [step for step in seen.steps if step.backwards]
    stale = [step for step in steps[1:] if step.stale > 0]
    if len(stale) >= max(1, 0.1 * len(steps)):
        last = stale[-1]
        yield Finding(
            "gradients", "zero-grad-missing",
            f"{len(stale)} of {len(steps)} steps used gradients of earlier steps again; at step {last.number} these "
            f"were {last.stale:.3g} times as large as what the backward pass gave",
            "optimizer.zero_grad() once a step, before loss.backward()", 0.97)
        return
    lost = [step for step in steps if step.empty]
    if len(lost) > 0.5 * len(steps) and seen.reached & inside(seen):
        trained = [step for step in lost if step.raw > 0]
        if trained:
            yield Finding(
                "gradients", "zero-grad-missing",
                f"{len(trained)} of {len(steps)} steps had no gradient left, though a backward pass had given one: it "
                "was cleared before the step",
                "zero_grad() before backward() or after step(), not between them", 0.9)
            return
    twice = [step for step in seen.steps[1:] if not step.backwards and not step.empty]
    if len(twice) >= max(2, 0.2 * len(seen.steps)):
        yield Finding(
            "gradients", "zero-grad-missing",
            f"{len(twice)} of {len(seen.steps)} steps had no backward pass of their own and used the gradient of the "
            "step before again",
            "one optimizer.step() for one loss.backward(): is it called in two places?", 0.75)
        return
    wiped = [step for step in steps if step.wiped]
    if len(steps) >= 2 and len(wiped) > 0.5 * len(steps):
        yield Finding(
            "gradients", "zero-grad-missing",
            f"in {len(wiped)} of {len(steps)} steps gradients were cleared before any step had used them: of several "
            "backward passes only the last counts",
            "to accumulate, call zero_grad() once a step and not once a backward pass", 0.75)


# The learning rate

def top_rates(seen) -> list[float]:
    """The highest learning rate of any group, at each step."""
    return [max(step.rates) for step in seen.steps]


def scheduling(seen) -> Iterator[Finding]:
    scheduler, steps = seen.scheduler, len(seen.steps)
    if scheduler is None or not steps:
        return
    name = type(scheduler).__name__
    look = "scheduler.step() after optimizer.step(): once a batch or once an epoch, as it was built"
    own = getattr(scheduler, "optimizer", None)
    own = getattr(own, "optimizer", own)
    if own is not None and getattr(own, "param_groups", None) is not seen.optimizer.param_groups:
        yield Finding(
            "scheduler", "scheduler-misused",
            f"the {name} holds another optimiser than the one that is stepped",
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
            yield Finding(
                "scheduler", "scheduler-misused",
                f"{each}: the learning rate stays where its warm-up begins, at {peak:.2g} of {base:.2g}",
                look, 0.9, ("learning-rate-zero",))
        elif steps >= 20 and epochs >= 2 or steps >= 100:
            yield Finding(
                "scheduler", "scheduler-misused",
                f"{each}, which saw each example {epochs:.1f} times: the learning rate stays at {peak:.2g}",
                look, 0.75 if epochs >= 2 else 0.55)
    elif paced >= 1.5 * steps and steps >= 2:
        yield Finding(
            "scheduler", "scheduler-misused",
            f"{each}: the schedule runs {paced / steps:.3g} times as fast as the training",
            look, 0.85)
    elif peak > 0 and len(low) >= max(5, 0.2 * steps) and paced > 0.5 * steps:
        ratio = [whole_ratio(seen, step) for step in seen.steps if step.updates]
        yield Finding(
            "scheduler", "scheduler-misused",
            f"{each}: the learning rate fell from {peak:.2g} to {top[-1]:.2g} within {until} steps, and the "
            f"update:weight ratio from {max(ratio):.1g} to {ratio[-1]:.1g}; the other {len(low)} steps hardly train",
            look, 0.9, ("learning-rate-zero",))
    elif (horizon := geometric(scheduler)) and paced > 0.8 * steps and steps >= 10 and horizon < 150:
        yield Finding(
            "scheduler", "scheduler-misused",
            f"{each}: at this pace the learning rate is down to a thousandth after {horizon:.0f} batches",
            look, 0.65)
    elif name == "CosineAnnealingLR" and scheduler.last_epoch > 1.1 * scheduler.T_max:
        yield Finding(
            "scheduler", "scheduler-misused",
            f"{each}, and it was built for {scheduler.T_max}: behind these the learning rate rises again",
            look, 0.75)
    elif len(re.findall(r"BL+S", seen.events)) > 0.5 * steps:
        yield Finding(
            "scheduler", "scheduler-misused",
            f"in {len(re.findall('BL+S', seen.events))} of {steps} steps the {name} was stepped before the optimiser: "
            "the first value of the learning rate is left out",
            look, 0.8)
    elif seen.fresh_optimizer and re.match(r"E*L", seen.events):
        yield Finding(
            "scheduler", "scheduler-misused",
            f"the {name} was stepped before the first step of the optimiser: the first value of the learning rate is "
            "left out",
            look, 0.7)


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
        yield Finding(
            "learning rate", "learning-rate-zero",
            f"the learning rate is 0 in {sum(rate == 0 for rate in top)} of {len(top)} steps",
            look, 0.95, ("scheduler-misused",) if seen.scheduler is not None else ())
    elif len(trained) >= 3 and seen.trouble is None:
        largest = median(max(ratios(seen, step), default=math.nan) for step in trained)
        if largest < NEGLIGIBLE:
            yield Finding(
                "learning rate", "learning-rate-zero",
                f"in a step even the matrix that changes most changes by {largest:.1g} of its size (learning rate "
                f"{median(top):.1g}): nothing is learned",
                look, 0.85)
