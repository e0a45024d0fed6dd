"""What a training run went through: losses, norms, updates, dead units and outputs, drawn and read. For example::

    with watch(model, optimizer) as seen:
        run = Dynamics(seen, show=lambda: translate(model, "a red house"), at=(0, 100, 400))
        ...                                     # the loop
    print(run.text())
    run.draw_losses()

`monitor.watch` writes the numbers down; this reads them. Built in chapter 4.
"""
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import torch

from course_lib import plotting
from course_lib.diagnostics.monitor import Watch
from course_lib.diagnostics.monitor_model import dead_units
from course_lib.diagnostics.monitor_record import Step
from course_lib.training import evaluating

USUAL = 1e-3        # update:weight, Karpathy's rule of thumb (CS231n)
TURNED = 0.02       # an evaluation loss so far above its lowest one has turned up


class Dynamics:
    """A run's curves. Made inside `watch`, or after it where no outputs are to be shown.

    seen: the watch. show: called without arguments, in evaluation mode, without gradients and with the random state
    put back, after the steps of the optimiser in `at` (0: before the first forward pass is judged, that is at once);
    what it returns is kept as text. evaluate: the same, for the evaluation loss, each `every` steps; without it, the
    losses that the loop computes without gradients, or in `seen.evaluating()`, are taken.

    Raises ValueError for `every` below 1 and for `at` without `show`.
    """

    def __init__(self, seen: Watch, *, show: Callable[[], object] | None = None, at: Sequence[int] = (),
                 evaluate: Callable[[], float] | None = None, every: int = 100):
        if every < 1:
            raise ValueError(f"every={every}: evaluate each so many steps, at least 1")
        if at and show is None:
            raise ValueError("at says when outputs are shown: give show, a function that returns them")
        self.seen, self.show, self.at, self.evaluate, self.every = seen, show, set(at), evaluate, every
        self.outputs: list[tuple[int, str]] = []
        self._evaluations: list[tuple[int, float]] = []
        if 0 in self.at:
            self._keep_outputs(0)
        seen.on_step.append(self._after)

    def _after(self, step: Step) -> None:
        done = step.number + 1
        if done in self.at:
            self._keep_outputs(done)
        if self.evaluate is not None and done % self.every == 0:
            self._evaluations.append((done, float(self._aside(self.evaluate))))

    def _keep_outputs(self, done: int) -> None:
        self.outputs.append((done, str(self._aside(self.show))))

    def _aside(self, function: Callable):
        """Call it so that the loop does not notice, and is not said to have done it."""
        active, self.seen.active = self.seen.active, False
        devices = [torch.cuda.current_device()] if torch.cuda.is_available() and torch.cuda.is_initialized() else []
        modes = [(module, module.training) for module in self.seen.model.modules()]
        try:
            with torch.random.fork_rng(devices), evaluating(self.seen.model):
                return function()
        finally:
            self.seen.active = active
            for module, mode in modes:
                module.training = mode

    # Curves: lists of (steps done, value)

    def losses(self) -> list[tuple[int, float]]:
        """Training loss of each step, before it."""
        return [(step.number, step.loss) for step in self.seen.steps if not math.isnan(step.loss)]

    def evaluations(self) -> list[tuple[int, float]]:
        """Evaluation losses."""
        return self._evaluations or list(self.seen.evaluations)

    def gradient_norms(self) -> list[tuple[int, float]]:
        """Norm of all gradients, as the last backward pass gave them: before clipping."""
        return [(step.number, step.raw) for step in self.seen.steps]

    def parameter_norms(self) -> list[tuple[int, float]]:
        """Norm of all parameters, before the step."""
        return [(step.number, math.hypot(*step.weights)) for step in self.seen.steps if step.weights]

    def layers(self) -> dict[str, list[int]]:
        """Indices of the matrices, by layer: the name up to its first number, or the module's."""
        found: dict[str, list[int]] = {}
        for i, (name, p) in enumerate(zip(self.seen.names, self.seen.parameters)):
            if p.dim() > 1:    # biases begin at 0: a ratio says nothing of them
                match = re.match(r".*?\.?\d+(?=\.)", name)
                found.setdefault(match[0] if match else name.rsplit(".", 1)[0], []).append(i)
        return found

    def update_ratios(self) -> dict[str, list[tuple[int, float]]]:
        """Norm of the update in terms of the norm of the weights, by layer."""
        curves = {}
        for layer, members in self.layers().items():
            curves[layer] = [(step.number, math.hypot(*(step.updates[i] for i in members)) / weight)
                             for step in self.seen.steps if step.updates
                             and (weight := math.hypot(*(step.weights[i] for i in members))) > 0]
        return curves

    def dead_units(self) -> dict[str, float]:
        """Share of each matrix's units whose weights had a gradient of 0 in each step looked at, where not 0."""
        return dead_units(self.seen)

    # What they say

    def turned(self) -> tuple[int, float] | None:
        """(steps done, value) of the lowest evaluation loss, where the last one lies 2 % or more above it; else None.

        The training loss must have gone on falling: else it is not over-fitting, but divergence or noise.
        """
        found, losses = self.evaluations(), self.losses()
        if len(found) < 3 or not losses:
            return None
        best = min(found, key=lambda entry: entry[1])
        after = [value for done, value in found if done > best[0]]
        size = max(1, len(losses) // 10)
        around = [value for done, value in losses if best[0] - size <= done < best[0]] or [losses[0][1]]
        falling = fmean(value for _, value in losses[-size:]) < fmean(around)
        rise = after and fmean(after[-2:]) >= best[1] + TURNED * abs(best[1])
        return best if rise and falling else None

    def best(self) -> tuple[int, float]:
        """(steps done, value) of the lowest evaluation loss. Raises ValueError where there was none."""
        if not self.evaluations():
            raise ValueError("no evaluation loss was seen: compute it under no_grad in the loop, or give evaluate")
        return min(self.evaluations(), key=lambda entry: entry[1])

    def text(self) -> str:
        """The run in a few lines, and the outputs that were kept."""
        lines, losses, ratios = [], self.losses(), self.update_ratios()
        if losses:
            lines.append(f"training loss {losses[0][1]:.3g} to {losses[-1][1]:.3g} in {len(self.seen.steps)} steps")
        if self.evaluations():
            done, value = self.best()
            last = self.evaluations()[-1]
            lines.append(f"evaluation loss lowest after {done} steps, {value:.3g}; " + (
                f"since then it has turned up, to {last[1]:.3g}: stop there" if self.turned() else
                f"{last[1]:.3g} after {last[0]}"))
        for name, curve in (("parameter norm", self.parameter_norms()), ("gradient norm", self.gradient_norms())):
            if curve:
                lines.append(f"{name} {curve[0][1]:.3g} to {curve[-1][1]:.3g}")
        lines += [f"update:weight of {layer} {curve[0][1]:.1g} to {curve[-1][1]:.1g}"
                  for layer, curve in ratios.items() if curve]
        lines += [f"{share:.0%} of the units of {name} never had a gradient"
                  for name, share in self.dead_units().items()]
        lines += [f"after {done} steps: {text}" for done, text in self.outputs]
        return "\n".join(lines) or "no step of the optimiser was seen"

    # Figures

    def draw_losses(self, name: str | None = None) -> None:
        """Training and evaluation loss, and where the latter turned up."""
        losses, found, turned = self.losses(), self.evaluations(), self.turned()
        self._need(losses or found, "no loss was seen: losses of torch.nn.functional are, others through loss_fn")
        fig, ax = plotting.figure()
        said = []
        if losses:
            self._line(ax, losses, "blue", "training", thin=True)
            said.append(f"The training loss goes from {losses[0][1]:.3g} to {losses[-1][1]:.3g}.")
        if found:
            self._line(ax, found, "vermilion", "evaluation", marker="o")
            said.append(f"The evaluation loss is lowest after {self.best()[0]} steps, {self.best()[1]:.3g}, and ends "
                        f"at {found[-1][1]:.3g}.")
        if turned:
            ax.axvline(turned[0], color=plotting.COLOURS["muted"], linestyle="--", linewidth=1)
            ax.set_title(f"The evaluation loss turns up after step {turned[0]}")
        elif found:
            ax.set_title("The evaluation loss has not turned up")
        else:
            ax.set_title(f"The training loss {'falls' if losses[-1][1] < losses[0][1] else 'does not fall'}")
        ax.set_xlabel("steps")
        ax.set_ylabel("loss")
        plotting.show(fig, " ".join(said), name)

    def draw_ratios(self, name: str | None = None) -> None:
        """update:weight of the layers, on a logarithmic scale, beside the usual 1e-3."""
        curves = {layer: curve for layer, curve in self.update_ratios().items() if any(value > 0 for _, value in curve)}
        self._need(curves, "no update was measured, or none changed a matrix")
        last = {layer: curve[-1][1] for layer, curve in curves.items()}
        low, high = min(last, key=last.get), max(last, key=last.get)
        fig, ax = plotting.figure()
        for layer, curve in curves.items():
            colour = {low: "vermilion", high: "blue"}.get(layer, "muted")
            self._line(ax, [(done, value) for done, value in curve if value > 0], colour,
                       layer if layer in (low, high) else "", thin=layer not in (low, high),
                       offset={low: -16, high: 14}.get(layer, 5))
        ax.axhline(USUAL, color=plotting.COLOURS["ink"], linestyle="--", linewidth=1)
        ax.annotate("usual: 0.001", (0, USUAL), xytext=(2, 3), textcoords="offset points")
        ax.set_yscale("log")
        most = f" to {last[high]:.0e}" if len(last) > 1 else ""
        ax.set_title(f"A step ends up changing weights by {last[low]:.0e}{most}")
        ax.set_xlabel("steps")
        ax.set_ylabel("update : weight")
        plotting.show(fig, f"Size of an update in terms of the weights, by layer: in the end {last[low]:.1g} in {low}, "
                           f"the least, and {last[high]:.1g} in {high}, the most, of {len(last)} layers.", name)

    def draw_norms(self, name: str | None = None) -> None:
        """Norms of the parameters and of the gradients, each in terms of its first value."""
        curves = {"parameters": self.parameter_norms(), "gradients": self.gradient_norms()}
        curves = {what: [(done, value / curve[0][1]) for done, value in curve if math.isfinite(value)]
                  for what, curve in curves.items() if curve and 0 < curve[0][1] < math.inf}
        self._need(curves, "no step of the optimiser was seen")
        fig, ax = plotting.figure()
        for (what, curve), colour in zip(curves.items(), ("blue", "vermilion")):
            self._line(ax, curve, colour, what, thin=what == "gradients")
        ends = {what: curve[-1][1] for what, curve in curves.items()}
        first = next(iter(ends))
        ax.set_yscale("log")
        ax.set_title(f"The {first}' norm ends {ends[first]:.2g} times as large")
        ax.set_xlabel("steps")
        ax.set_ylabel("norm / its first value")
        plotting.show(fig, "Norms in terms of their first value; in the end " + ", ".join(
            f"{value:.2g} of the {what}" for what, value in ends.items()) + ".", name)

    @staticmethod
    def _need(there, message: str) -> None:
        if not there:
            raise ValueError(message)

    @staticmethod
    def _line(ax, curve, colour: str, label: str, thin: bool = False, marker: str | None = None,
              offset: int = 5) -> None:
        x, y = zip(*curve)
        ax.plot(x, y, color=plotting.COLOURS[colour], linewidth=1 if thin else 1.8, marker=marker)
        ax.annotate(label, (x[-1], y[-1]), xytext=(0, offset), textcoords="offset points", ha="right",
                    color=plotting.COLOURS[colour])

    # TensorBoard

    def tensorboard(self, folder: str | Path) -> Path:
        """Write all curves and outputs as files for `tensorboard --logdir`. Returns the folder.

        Raises ImportError, naming the package, where tensorboard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError("files of TensorBoard need the package tensorboard: pip install tensorboard") from error
        curves = {"loss/training": self.losses(), "loss/evaluation": self.evaluations(),
                  "norm/gradients": self.gradient_norms(), "norm/parameters": self.parameter_norms(),
                  **{f"update_to_weight/{layer}": curve for layer, curve in self.update_ratios().items()},
                  "learning_rate": [(step.number, step.rates[0]) for step in self.seen.steps]}
        with SummaryWriter(str(folder)) as writer:
            for name, curve in curves.items():
                for done, value in curve:
                    writer.add_scalar(name, value, done)
            for done, text in self.outputs:
                writer.add_text("outputs", text, done)
        return Path(folder)
