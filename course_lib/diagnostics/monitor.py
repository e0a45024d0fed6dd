"""Watching a training loop that was not written to be watched. For example::

    with watch(model, optimizer, scheduler) as seen:
        for x, y in batches:    # any loop, as it is
            ...
    print(seen.report())

What happens is written down as a string of events, in their order, so that a check can be a pattern:

    F  a forward pass that records gradients     S  a step of the optimiser
    E  a forward pass that does not              L  a step of the scheduler
    B  a backward pass that reached the model

Beside it stand the numbers of each step of the optimiser, and what the losses were given. `monitor_loop` and
`monitor_loss` judge them; `dynamics` draws them. Built in chapter 4.
"""
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from course_lib.diagnostics import monitor_loop
from course_lib.diagnostics.findings import Report
from course_lib.diagnostics.monitor_loss import LOSSES, LossWatch
from course_lib.diagnostics.monitor_record import (Pass, Step, Tally, Trouble, fingerprint, has_two_modes, is_live,
                                                   norm, sums_of, tensors_in)

BACKWARDS = (torch.Tensor.backward, torch.autograd.backward)
DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout)
DIFFERENCES = ("sub", "__sub__", "rsub", "__rsub__")


class _Calls(TorchFunctionMode):
    """Torch's own way to look on: it is told of each call of a torch function, and does it."""

    def __init__(self, seen: "Watch"):
        super().__init__()
        self.seen = seen

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, seen = kwargs or {}, self.seen
        if func in BACKWARDS:
            return seen._backward(func, args, kwargs)
        result = func(*args, **kwargs)
        if func in LOSSES:
            seen._loss(LOSSES[func], args, kwargs, result)
        elif func in DROPOUTS and seen._depth:
            p, on = (*args, *(None,) * 3)[1:3]
            p, on = kwargs.get("p", 0.5 if p is None else p), kwargs.get("training", on is None or on)
            if p > 0:
                seen._live = bool(seen._live or on)
        elif not seen._depth and getattr(func, "__name__", "") in DIFFERENCES:
            seen.losses.difference(args, result)
        return result


class Watch:
    """What `watch` gives: see there. Made for one loop.

    names: of the parameters. steps: list of `Step`. passes: list of `Pass`. events: as above. evaluations: (steps
    done, mean loss) of each evaluation. trouble: `Trouble` or None. stopped: the exception that ended the loop, or
    empty. on_step: functions called after each step of the optimiser with the `Step`.
    """

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer, scheduler=None,
                 loss_fn: Callable | None = None, *, every: int = 1):
        optimizer = optimizer if isinstance(optimizer, torch.optim.Optimizer) else getattr(optimizer, "optimizer", None)
        if not isinstance(model, nn.Module):
            raise TypeError(f"model is a {type(model).__name__}: give the nn.Module that the loop trains")
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError("optimizer: give the torch.optim.Optimizer that the loop steps")
        if scheduler is not None and not callable(getattr(scheduler, "step", None)):
            raise TypeError(f"scheduler is a {type(scheduler).__name__}, which has no step()")
        if loss_fn is not None and not callable(loss_fn):
            raise TypeError("loss_fn cannot be called: give the function or module that the loop calls")
        if every < 1:
            raise ValueError(f"every={every}: updates are measured each `every` steps, at least 1")
        named = list(model.named_parameters())
        if not named:
            raise ValueError("this model has no parameters; layers in a plain list are not found, nn.ModuleList is")
        if any(isinstance(p, nn.UninitializedParameter) for _, p in named):
            raise ValueError("a lazy layer has no weights yet: run one batch through the model before watching it")
        self.model, self.optimizer, self.scheduler, self.every = model, optimizer, scheduler, every
        self.names, self.parameters = [name for name, _ in named], [p for _, p in named]
        self.modules = {id(module): name for name, module in model.named_modules()}
        self.fresh_optimizer = not optimizer.state
        self.events, self.steps, self.passes, self.evaluations = "", [], [], []
        self.trouble, self.stopped, self.detached, self.unreached, self.reached = None, "", 0, 0, set()
        self.examples, self.rows = 0, set()
        self.losses = LossWatch()
        self.loss_fn = loss_fn
        self.on_step: list[Callable[[Step], None]] = []
        self.active, self._undo, self._marked, self._depth, self._live = False, None, False, 0, None
        self._in_backward, self._inputs, self._evaluation, self._outputs = False, [], [], []
        self._gradients: list[float | None] = []
        self._hooked, self._used, self._tally, self._copies = set(), set(), Tally(), None
        self._last = None
        self._arriving, self._arrived, self._round, self._raw = {}, {}, set(), {}
        self.left_over = 0
        self.rows_alive = [None] * len(named)
        self._moody = [module for module in model.modules() if has_two_modes(module)]

    # Going in and out

    def __enter__(self) -> "Watch":
        if self._undo is not None:
            raise RuntimeError("a watch is for one loop: call watch(...) again for another")
        with ExitStack() as undo:
            undo.callback(setattr, self, "active", False)
            self._undo_hooks = undo
            for module in self.model.modules():
                undo.callback(module.register_forward_pre_hook(
                    lambda module, args, kwargs: self._enter_module(module, args, kwargs), with_kwargs=True).remove)
                undo.callback(module.register_forward_hook(
                    lambda module, args, kwargs, output: self._leave_module(module, args, kwargs, output),
                    with_kwargs=True, always_call=True).remove)
            self._hook_parameters()
            undo.callback(self.optimizer.register_step_pre_hook(self._before_step).remove)
            undo.callback(self.optimizer.register_step_post_hook(self._after_step).remove)
            if self.scheduler is not None:
                self._watch_scheduler(undo)
            self._watch_loss(undo)
            self.before = [sums_of(p) for p in self.parameters]
            undo.enter_context(_Calls(self))
            self.active = True
            self._undo = undo.pop_all()
            self._undo_hooks = self._undo
        return self

    def __exit__(self, kind, error, trace) -> None:
        try:
            if error is not None:
                self.stopped = f"{kind.__name__}: {error}"
            self._settle()
            self._look_for_trouble()
            self._end_evaluation()
            self.left_over = self._tally.backwards
        finally:
            self._undo.close()
            self._inputs, self._outputs, self._copies, self._last = [], [], None, None

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Marks evaluation inside the loop: its losses are evaluation losses, its passes should be in eval mode."""
        before, self._marked = self._marked, True
        try:
            yield
        finally:
            self._marked = before

    def report(self) -> Report:
        """What the loop did wrong, one finding a root problem, and what could not be judged. During or after it."""
        active, self.active = self.active, False
        try:
            return Report(*monitor_loop.judge(self))
        finally:
            self.active = active

    def moved(self, i: int) -> bool:
        """Whether parameter i has changed since the watch began, by whomever."""
        return sums_of(self.parameters[i]) != self.before[i]

    def _hook_parameters(self) -> None:
        for i, parameter in enumerate(self.parameters):    # called again: one may be unfrozen in the loop
            if i not in self._hooked and parameter.requires_grad:
                self._hooked.add(i)
                self._undo_hooks.callback(parameter.register_hook(
                    lambda gradient, i=i: self._gradient_arrives(i, gradient)).remove)
                self._undo_hooks.callback(parameter.register_post_accumulate_grad_hook(
                    lambda parameter, i=i: self._gradient_arrived(i)).remove)

    def _watch_scheduler(self, undo: ExitStack) -> None:
        # A class in its place, not an attribute: state_dict() of a scheduler holds all of its attributes.
        scheduler, seen, kind = self.scheduler, self, type(self.scheduler)

        def step(self, *args, **kwargs):
            kind.step(self, *args, **kwargs)
            seen.events += "L"

        try:
            scheduler.__class__ = type(kind.__name__, (kind,), {"step": step, "__module__": kind.__module__})
        except TypeError as error:
            raise TypeError(f"steps of a {kind.__name__} cannot be watched ({error}); leave scheduler out") from None
        undo.callback(setattr, scheduler, "__class__", kind)

    def _watch_loss(self, undo: ExitStack) -> None:
        given = self.loss_fn
        if isinstance(given, nn.Module):
            undo.callback(given.register_forward_hook(
                lambda module, args, output: self._own_loss(args, output)).remove)
        elif given is not None:
            def loss_fn(*args, **kwargs):
                loss = given(*args, **kwargs)
                self._own_loss(args, loss)
                return loss
            self.loss_fn = loss_fn

    # Forward

    def _enter_module(self, module: nn.Module, args, kwargs) -> None:
        if not self.active or id(module) not in self.modules:    # another model's: a copy takes the hooks along
            return
        self._depth += 1
        if self._depth > 1 or self._in_backward:    # a checkpoint is computed again in the backward pass
            return
        self._hook_parameters()
        tensors = list(tensors_in((args, kwargs)))
        recording = torch.is_grad_enabled() and not self._marked
        if recording:
            self._end_evaluation()
            self._look_for_trouble()
            self._outputs = []
        data = hash(tuple(fingerprint(t) for t in tensors[:3]))
        same = len(tensors) == len(self._inputs) and bool(tensors) and all(
            a.data_ptr() == b.data_ptr() and a.shape == b.shape for a, b in zip(tensors, self._inputs))
        self._inputs = tensors    # kept, so that their memory is not given to the next batch
        self._live = any(map(is_live, self._moody)) if self._moody else None
        self.passes.append(Pass(self.model.training, recording, self._marked, self._live, data,
                                len(tensors[0]) if tensors and tensors[0].dim() else 0, same,
                                any(t.requires_grad for t in tensors)))
        self.events += "F" if recording else "E"
        self.losses.inputs = list(tensors_in((args, {name: x for name, x in kwargs.items() if "label" not in name})))
        if recording and tensors and tensors[0].dim():
            rows = {fingerprint(row) for row in tensors[0]}
            self.examples += len(tensors[0])
            self.rows |= rows

    def _leave_module(self, module: nn.Module, args, kwargs, output) -> None:
        if not self.active or id(module) not in self.modules or not self._depth:
            return
        self._depth -= 1
        if self._in_backward or not self.passes:
            return
        if self.passes[-1].recording:
            for tensor in list(tensors_in(output))[:2]:
                if tensor.is_floating_point() and tensor is not self._last:    # a parent often returns its child's
                    self._last = tensor
                    self._outputs.append((self.modules[id(module)], tensor.detach().sum(dtype=torch.float32)))
        if not self._depth:
            one = self.passes[-1]
            one.live = self._live
            for tensor in tensors_in(output):
                if one.recording and tensor.requires_grad:
                    one.hooked = True
                    tensor.register_hook(lambda gradient, one=one: setattr(one, "trained", True))
            if self.passes[-1].recording and id(module) == id(self.model):
                self.losses.outputs(list(tensors_in(output)), self.model, args, kwargs)

    # Losses

    def _loss(self, name: str, args, kwargs, result) -> None:
        self.losses.call(name, args, kwargs, result)
        self._value(result)
        if self.passes and isinstance(result, Tensor) and result.requires_grad:
            self.passes[-1].judged = True

    def _own_loss(self, args, loss) -> None:
        if self.active and isinstance(loss, Tensor):
            if self.losses.own(args, loss):
                self._value(loss)

    def _value(self, loss) -> None:
        if isinstance(loss, Tensor) and loss.numel() and (self._marked or not torch.is_grad_enabled()):
            self._evaluation.append(loss.detach().float().mean())

    def _end_evaluation(self) -> None:
        if self._evaluation:
            self.evaluations.append((len(self.steps), float(torch.stack(self._evaluation).mean())))
            self._evaluation = []

    # Backward

    def _backward(self, func, args, kwargs):
        losses = list(tensors_in(args[:1]))
        if not any(loss.requires_grad for loss in losses):
            self.detached += 1
        if len(losses) == 1 and losses[0].numel() == 1:
            self._tally.values.append(self.losses.backward(losses[0]))
        self._in_backward, self._round, hits = True, set(), len(self.reached)
        try:
            return func(*args, **kwargs)
        finally:
            self._in_backward = False
            if self._round:
                self._new_backward()
            elif losses and losses[0].requires_grad:
                self.unreached += 1
            self._round = set()

    def _new_backward(self) -> None:
        self.events += "B"
        self._tally.backwards += 1
        if self.passes and self.passes[-1].recording and not self.passes[-1].hooked:
            self.passes[-1].trained = True

    def _gradient_arrives(self, i: int, gradient: Tensor) -> None:
        if self.active:
            before = self.parameters[i].grad
            self._arriving[i] = (None if before is None else norm(before), norm(gradient),
                                 bool(self.passes and self.passes[-1].input_gradient))

    def _gradient_arrived(self, i: int) -> None:
        if not self.active or i not in self._arriving:
            return
        if not self._in_backward and (i in self._round or not self.events.endswith("B")):
            self._round = set()    # a backward pass that was not called through torch's Python functions
            self._new_backward()
        self._round.add(i)
        self.reached.add(i)
        self._arrived.setdefault(i, []).append(self._arriving.pop(i))

    def _settle(self) -> None:
        """Tell apart, by parameter, what came new, what was still there from before a step, and what was cleared."""
        for i, arrivals in self._arrived.items():
            stale = new = 0.0
            for number, (before, fresh, excused) in enumerate(arrivals):
                before = 0.0 if before is None else float(before)
                if before == 0:
                    self._used.discard(i)
                    stale = new = 0.0
                    # An attack on the inputs, or a generator's loss, clears on purpose what it left behind.
                    self._tally.wiped += number > 0 and not arrivals[number - 1][2]
                elif i in self._used and not number:
                    stale = before ** 2
                new += float(fresh) ** 2
                self._raw[i] = float(fresh)
            self._tally.stale += stale
            self._tally.fresh += new
        self._tally.accumulated |= bool(self._arrived)
        self._arrived = {}

    # The optimiser

    def _before_step(self, optimizer, args, kwargs):
        if not self.active:
            return None
        self._settle()
        measured = len(self.steps) % self.every == 0
        self._copies = [p.detach().clone() for p in self.parameters] if measured else None
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        self._closure = closure is not None
        if closure is None:
            self._read_gradients()
            return None
        calls = 0

        def counted(*positional, **named):    # each call of a closure is used by the optimiser, as a step is
            nonlocal calls
            self._settle()
            if calls:
                self._mark_used()
            calls += 1
            return closure(*positional, **named)

        if len(args) > 1:
            return (args[0], counted, *args[2:]), kwargs
        return args, kwargs | {"closure": counted}

    def _read_gradients(self) -> None:
        self._gradients = [None if p.grad is None else float(norm(p.grad)) for p in self.parameters]
        if len(self.steps) > 10 and len(self.steps) % 10:
            return
        for i, p in enumerate(self.parameters):
            if p.grad is not None and not p.grad.is_sparse and p.dim() > 1:
                alive = p.grad.detach().flatten(1).ne(0).any(1)
                self.rows_alive[i] = alive if self.rows_alive[i] is None else self.rows_alive[i] | alive

    def _mark_used(self) -> None:
        inside = {id(p) for group in self.optimizer.param_groups for p in group["params"]}
        self._used |= {i for i, p in enumerate(self.parameters) if id(p) in inside and p.grad is not None}

    def _after_step(self, optimizer, args, kwargs) -> None:
        if not self.active:
            return
        if self._closure:
            self._settle()
            self._read_gradients()
        self._look_for_trouble(stepping=True)
        self._mark_used()
        inside = {id(p) for group in optimizer.param_groups for p in group["params"]}
        updates, weights = [], []
        if self._copies is not None:
            updates = [float(norm(p.detach() - copy)) for p, copy in zip(self.parameters, self._copies)]
            weights = [float(norm(copy)) for copy in self._copies]
            self._copies = None
        tally, self._tally = self._tally, Tally()
        values = tally.values
        step = Step(
            len(self.steps), sum(values) / len(values) if values else math.nan,
            [float(group["lr"]) for group in optimizer.param_groups], self._gradients,
            math.sqrt(sum(x * x for x in self._raw.values())) / self.losses.scale, updates, weights,
            math.sqrt(tally.stale / tally.fresh) if tally.fresh > 0 else float(tally.stale > 0), tally.wiped,
            all(x in (None, 0) for x, p in zip(self._gradients, self.parameters) if id(p) in inside), tally.backwards)
        self._raw = {}
        self.steps.append(step)
        self.events += "S"
        for function in self.on_step:
            function(step)

    def _look_for_trouble(self, stepping: bool = False) -> None:
        """Keep the first pass whose loss was not finite, or whose gradient was not and was used; and who began it.

        A gradient alone is none before a step: a scaler of half precision leaves such a step out, on purpose.
        """
        if self.trouble is not None or not self._outputs:
            return
        values = self._tally.values
        loss = values[-1] if values else math.nan
        gradients = self._gradients if stepping else self._raw.values()    # as used: unscaled
        gradient = math.sqrt(sum(x * x for x in gradients if x is not None))
        bad_loss = not math.isfinite(loss) if values else math.isnan(float(self._outputs[-1][1]))
        if not bad_loss and not (stepping and not math.isfinite(gradient)):
            return
        sums = [(name, float(total)) for name, total in self._outputs]
        bad = next((name for name, total in sums if math.isnan(total)), None)
        bad = bad if bad is not None else next((name for name, total in sums if math.isinf(total)), None)
        weights = self._copies or self.parameters    # as they were in that pass
        self.trouble = Trouble(
            len(self.steps), bad, loss, gradient,
            any(not t.isfinite().all() for t in self._inputs if t.is_floating_point()),
            [name for name, p in zip(self.names, weights) if not p.isfinite().all()])


def watch(model: nn.Module, optimizer: torch.optim.Optimizer, scheduler=None, loss_fn: Callable | None = None, *,
          every: int = 1) -> Watch:
    """Watch a training loop, which needs no edit, and say what is wrong with it.

    model, optimizer: that the loop trains and steps. scheduler: anything with `step()`. loss_fn: needed only where
    the loop computes its loss by hand: a module, or a function, of which the loop then calls `seen.loss_fn`; losses
    of `torch.nn.functional` are seen anyway. every: the update of the weights is measured at each `every`-th step,
    which takes a copy of them.

    `with watch(...) as seen`, a `Watch`: `seen.report()`, `seen.steps`, `with seen.evaluating()`. Hooks of modules,
    parameters and optimiser, a subclass of the scheduler and a TorchFunctionMode; all are gone afterwards, also
    after an exception. Nothing is computed by the model for it and nothing random is drawn, but that `report()` asks a
    model whose labels are its inputs whether it is causal, in two passes in evaluation mode. Not for compiled models,
    and for one optimiser at a time. Raises TypeError and ValueError, saying what to give instead.
    """
    return Watch(model, optimizer, scheduler, loss_fn, every=every)
