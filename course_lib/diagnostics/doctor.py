"""The doctor: all checks on one model and one batch, and one finding for one root cause.

Sanh 2020, section 3, names the mistakes; the invariance tests beside them are this chapter's. Built in chapter 4.
"""
import time
import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_lib.diagnostics import batch as batch_checks
from course_lib.diagnostics import initial, invariance, losses, padding, static
from course_lib.diagnostics.findings import THRESHOLD, Finding, Report
from course_lib.diagnostics.overfit import LARGE, overfit
from course_lib.diagnostics.probe import TASKS, Probe
from course_lib.diagnostics.state import preserved
from course_lib.diagnostics.tensors import shift_of, short

EXAMPLES = 16    # of the batch that are looked at
FEWER = 8        # of a model of more than LARGE parameters

#: name of a check -> its function; what needs the first outputs takes them as a second argument. In the order of
# running.
CHECKS = {
    "unregistered": static.unregistered, "outside optimiser": static.outside_optimizer,
    "learning rate": static.learning_rate,
    "shared layers": static.shared, "frozen": static.frozen, "unused parameters": static.unused,
    "initial loss": initial.initial_loss, "activations": initial.activations, "gradients": initial.gradients,
    "determinism": invariance.determinism, "layout": invariance.layout,
    "batch independence": invariance.batch_independence,
    "alignment": losses.alignment, "logits": losses.logits, "scale of the loss": losses.scale,
    "causality": invariance.causality,
    "context": invariance.context_used, "inputs used": invariance.inputs_used, "order used": invariance.order_used,
    "padding": padding.padding,
    "padding in the loss": padding.padding_counts, "overfit": overfit,
}
_WITH_OUTPUT = {"initial loss", "logits"}

#: cause -> causes that follow from it, and are not told beside it.
CONSEQUENCES = {
    "layer-not-registered": {"parameter-not-in-optimizer", "parameter-unused", "nondeterministic-eval", "capacity",
                             "parameter-frozen",
                             "dead-units", "loss-detached"},
    "parameter-frozen": {"loss-detached", "capacity", "parameter-unused"},
    "loss-detached": {"parameter-unused", "capacity", "dead-units", "labels-misaligned"},
    "parameter-unused": {"capacity", "dead-units"},
    "symmetric-init": {"capacity", "parameter-unused", "dead-units", "activation-scale", "gradients-vanishing",
                       "wrong-dimension", "parameter-shared",
                       "input-ignored"},
    "dead-units": {"capacity", "gradients-vanishing", "activation-scale", "input-ignored", "parameter-unused"},
    "activation-scale": {"capacity", "dead-units", "gradients-vanishing", "gradients-exploding", "input-ignored"},
    "input-scale": {"activation-scale", "dead-units", "gradients-exploding", "gradients-vanishing", "capacity",
                    "input-ignored"},
    "input-corrupted": {"capacity", "input-ignored"},
    "wrong-dimension": {"batch-mixing", "future-leak", "position-mixing", "padding-leak", "probabilities-for-logits",
                        "capacity",
                        "input-ignored"},
    "batch-mixing": {"position-mixing", "future-leak", "padding-leak", "input-ignored", "capacity", "loss-scale",
                     "labels-misaligned"},
    "position-mixing": {"future-leak", "padding-leak", "input-ignored", "capacity", "labels-misaligned"},
    "future-leak": {"padding-leak", "capacity", "activation-scale"},
    "padding-leak": {"activation-scale"},
    "nondeterministic-eval": {"capacity", "loss-scale"},
    "probabilities-for-logits": {"capacity", "dead-units", "gradients-vanishing", "input-ignored", "activation-scale",
                                 "loss-scale"},
    "loss-broadcast": {"capacity", "input-ignored", "loss-scale", "labels-misaligned", "dead-units"},
    "labels-misaligned": {"capacity", "position-mixing"},
    "input-ignored": {"capacity", "parameter-unused", "activation-scale"},
    "gradients-vanishing": {"capacity", "input-ignored", "dead-units", "activation-scale"},
    "label-out-of-range": {"capacity", "input-ignored"},
}


def diagnose(model: nn.Module, batch: tuple, loss_fn: Callable, *, forward: Callable | None = None,
             output: Callable | None = None,
             optimizer: torch.optim.Optimizer | None = None, task: str | None = None, causal: bool | None = None,
             padding_mask: Tensor | dict | None = None, batch_dim: int | None = None, steps: int = 200,
             seconds: float = 60.0,
             checks: Iterable[str] | None = None) -> Report:
    """Look for silent bugs in a model, its loss and its optimiser, on one batch.

    batch: (inputs, targets). inputs: a tensor, a tuple of positional or a dict of keyword arguments; the first 16
    examples are used (8 for a model of over 3 million parameters). targets: what `loss_fn` takes. loss_fn(outputs,
    targets): a tensor; a vector of losses is averaged.
    forward(model, inputs): how to call a model that needs more than its inputs. output(outputs): the tensor to examine;
    default the tensor itself, `.logits`, or the first of a tuple. optimizer: to see whether it holds all parameters;
    it is never stepped. task: "classification", "language-model", "sequence-to-sequence", "regression" or
    "token-classification"; guessed if None, and said in the notes. causal: True if no output may depend on later
    positions (default: checked where labels are the next tokens), False to leave that out. padding_mask: [examples,
    positions], True for what is real, or a dict of them by input; found among the inputs if None. batch_dim: 1 for
    sequence-first data, guessed if None. steps: most of one overfit run. seconds: of computing, all threads together;
    the overfit test gets what the other checks leave of it. checks: names from `CHECKS`; default all.

    Returns a `Report`. Changes nothing: parameters, buffers, gradients, modes, requires_grad, hooks, random states and
    the optimiser are as before, also after an error or Ctrl-C.

    Raises ValueError for arguments that do not fit, for inputs on another device than the model, and for a task that is
    unknown; RuntimeError, with the first error as its cause, where the model or the loss fails on the batch.
    """
    started = time.process_time()
    names = list(CHECKS if checks is None else checks)
    _validate(model, batch, loss_fn, task, names)
    everything = [item for item in (model, loss_fn, forward, output, optimizer, batch) if item is not None]
    with preserved(*everything), warnings.catch_warnings(), torch.inference_mode(False), torch.enable_grad(), \
            torch.backends.cudnn.flags(enabled=False):    # cuDNN has no gradient of recurrent layers in evaluation mode
        warnings.simplefilter("ignore")
        probe = Probe(model, batch, loss_fn, forward=forward, output=output, optimizer=optimizer, task=task,
                      causal=causal, padding_mask=padding_mask, batch_dim=batch_dim)
        findings = batch_checks.data(probe)
        if any("NaN" in finding.seen for finding in findings):
            return Report(findings, probe.notes + ["The other checks did not run: they need finite data."])
        model.eval()
        probe, out = _first_run(probe)
        findings += batch_checks.labels_in_range(probe, out)
        if any("valid" in finding.seen for finding in findings):
            return Report(_fold(findings), probe.notes + ["The other checks did not run: the loss cannot be computed."])
        _first_loss(probe)
        _guess(probe, out)
        spent = {}
        for name in names:
            check, since = CHECKS[name], time.process_time()
            if name == "overfit" and {finding.cause for finding in findings} & _SETTLED:
                probe.notes.append("The overfit test was left out: what was found explains whatever it would show.")
                continue
            left = 0.75 * seconds - (since - started)    # the rest is for the check that is running, and putting back
            if left <= 0:
                probe.notes.append(f"The check of {name} was left out: {seconds:g} seconds would have been exceeded.")
                continue
            try:
                if name == "overfit":
                    found = check(probe, steps, left)
                else:
                    found = check(probe, out) if name in _WITH_OUTPUT else check(probe)
                findings += found
            except Exception as error:
                probe.notes.append(f"The check of {name} did not run: {short(error)}")
            spent[name] = time.process_time() - since
        slow = ", ".join(f"{name} {value:.1f}" for name, value in sorted(spent.items(), key=lambda item: -item[1])[:3])
        probe.notes.append(f"{time.process_time() - started:.1f} seconds of computing, most of them in: {slow}.")
    return Report(_fold(findings), probe.notes)


_SETTLED = {"loss-detached", "loss-broadcast", "symmetric-init", "probabilities-for-logits", "nondeterministic-eval",
            "layer-not-registered", "parameter-frozen", "dead-units"}


def _validate(model, batch, loss_fn, task, names) -> None:
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be an nn.Module, and is {type(model).__name__}: wrap functions in one")
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise ValueError("batch must be (inputs, targets): inputs a tensor, a tuple or a dict, targets what loss_fn "
                         "takes")
    if not callable(loss_fn):
        raise ValueError("loss_fn must be a function of (outputs, targets)")
    if task is not None and task not in TASKS:
        raise ValueError(f"task={task!r} is not one of: {', '.join(TASKS)}")
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise ValueError(f"no check is named {unknown[0]!r}; there are: {', '.join(CHECKS)}")
    if not isinstance(batch[0], (Tensor, tuple, list)) and not hasattr(batch[0], "items"):
        raise ValueError(f"the inputs hold no tensor: they are {type(batch[0]).__name__}, and must be a tensor, a "
                         "tuple or a dict")
    devices = {value.device for value in (*model.parameters(), *model.buffers())}
    if any(device.type == "meta" for device in devices):
        raise ValueError("the model is on the meta device and has no values: load or make its weights first (to_empty, "
                         "then an initialisation)")
    items = [batch[0]] if isinstance(batch[0], Tensor) else batch[0].values() if hasattr(batch[0],
                                                                                         "values") else batch[0]
    for value in (*items, batch[1]):
        if isinstance(value, Tensor) and devices and value.device not in devices:
            raise ValueError(f"the model is on {', '.join(map(str, sorted(devices, key=str)))} and a tensor of the "
                             f"batch on {value.device}: move the batch by .to(device)")


def _first_run(probe: Probe) -> tuple[Probe, Tensor]:
    """The probe on at most 16 examples (on all, for a model made for one batch size), and its output."""
    large = sum(p.numel() for p in probe.model.parameters()) > LARGE
    small = probe.rows(FEWER if large else EXAMPLES)
    try:
        return small, _output(small)
    except Exception:
        if small is probe:
            raise
        probe.notes.append(f"The model takes no other batch than one of {probe.size} examples: all of them were used.")
        return probe, _output(probe)


def _output(probe: Probe) -> Tensor:
    try:
        out = probe.run()
    except ValueError as error:
        if "no tensor found" in str(error):
            raise
        raise _failed("model", error, probe) from error
    except Exception as error:
        raise _failed("model", error, probe) from error
    probe.outputs = out.shape[-1] if out.dim() > 1 else 1
    return out


def _first_loss(probe: Probe) -> None:
    try:
        with torch.enable_grad():
            loss = probe.loss_fn(probe.raw(), probe.targets)
    except Exception as error:
        raise _failed("loss function", error, probe) from error
    if isinstance(loss, Tensor) and loss.numel() != 1:
        probe.notes.append(f"The loss is a tensor of shape {list(loss.shape)}: its mean was taken.")
    probe.loss()


def _failed(what: str, error: Exception, probe: Probe) -> RuntimeError:
    hint = "if it needs other arguments, give forward=, a function of (model, inputs)" if what == "model" else \
        "it is called as loss_fn(outputs, targets), with what the model returns; give a function that picks from that"
    tables = [module.num_embeddings for module in probe.model.modules() if isinstance(module, nn.Embedding)]
    if what == "model" and isinstance(error, IndexError) and tables and probe.tokens:
        high = max(int(ids.max()) for ids in probe.tokens.values())
        hint = f"token ids go up to {high}, and the embedding tables have {', '.join(map(str, tables[:4]))} rows"
    shapes = {name: list(value.shape) for name, value in probe.tensors.items()}
    return RuntimeError(f"the {what} failed on this batch ({short(error)}). Inputs: {shapes}. "
                        f"{hint[0].upper()}{hint[1:]}. The model is as it was.")


def _guess(probe: Probe, out: Tensor) -> None:
    if probe.task is not None:
        return
    labels = probe.labels
    if labels is None:
        floats = isinstance(probe.targets, Tensor) and probe.targets.is_floating_point()
        binary = floats and bool(((probe.targets == 0) | (probe.targets == 1)).all())
        if not floats:
            probe.notes.append("The task could not be guessed from the targets: checks of labels were left out. Give "
                               "task=.")
            return
        guess = "classification" if binary else "regression"
    elif labels.dim() == 1:
        guess = "classification" if out.dim() == 2 and out.shape[-1] > 1 else "regression"
    elif probe.decoder_name is not None:
        guess = "sequence-to-sequence"
    else:
        shift = [shift_of(labels, ids) for ids in probe.tokens.values() if ids.shape == labels.shape]
        guess = "language-model" if 1 in shift else "token-classification"
        if guess == "token-classification" and any(s is not None for s in shift):
            probe.notes.append("The labels are tokens of the input; the task was left open.")
            return
    probe.notes.append(f"The task was taken to be {guess}; task= overrules that.")
    probe.task = guess


def _fold(findings: list[Finding]) -> list[Finding]:
    """Leave out what follows from another finding: one root problem, one finding."""
    def explains(cause: Finding, other: Finding) -> bool:
        if other.cause not in CONSEQUENCES.get(cause.cause, ()):
            return False
        both = cause.cause in CONSEQUENCES.get(other.cause, ())    # each could explain the other: the surer does
        return cause.confidence > other.confidence if both else cause.confidence >= 0.5

    left = sorted((f for f in findings if f.confidence >= THRESHOLD), key=lambda finding: -finding.confidence)
    kept: list[Finding] = []
    while left:    # roots first; in a circle of explanations, the surest is taken for the root
        roots = [f for f in left if not any(explains(other, f) for other in left)] or left[:1]
        kept += roots
        left = [f for f in left if f not in roots and not any(explains(root, f) for root in roots)]
    return kept
