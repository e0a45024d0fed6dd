"""One model, one batch, one loss, and the questions that checks ask of them. Built in chapter 4."""
import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from course_lib.diagnostics.tensors import along, is_label, is_mask, marks_padding, next_token, seed_all

TASKS = ("classification", "language-model", "sequence-to-sequence", "regression", "token-classification")


class Probe:
    """What the checks share: runs of the model on changed inputs, always with the same random numbers.

    Axes: `axis` is the batch's axis in inputs, targets and outputs (0, or 1 for sequence-first data), `size` the number
    of examples. `length` is the number of positions of the targets, or of the first input with positions, else None.
    """

    def __init__(self, model: nn.Module, batch: tuple, loss_fn: Callable, *, forward=None, output=None, optimizer=None,
                 task=None, causal=None, padding_mask=None, batch_dim=None):
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self.inputs, self.targets = batch
        self.forward, self.output, self.task, self.causal = forward, output, task, causal
        self.padding_mask, self.notes = padding_mask, []
        tensors = self.tensors
        self.masks = {name for name, value in tensors.items() if is_mask(name, value) or marks_padding(value, tensors)}
        self.seed, self._noise = 0, None
        # What checks learn for later ones: the input whose next tokens are the labels; whether attention was seen;
        # the number of outputs (classes).
        self.next_token_of, self.attention, self.outputs = None, False, 0
        self._find_axes(batch_dim)

    # Inputs by name

    @property
    def tensors(self) -> dict[object, Tensor]:
        """The tensors among the inputs, by keyword or place."""
        if isinstance(self.inputs, Tensor):
            return {0: self.inputs}
        items = self.inputs.items() if hasattr(self.inputs, "items") else enumerate(self.inputs)
        return {name: value for name, value in items if isinstance(value, Tensor)}

    def with_tensors(self, changed: dict[object, Tensor]):
        """The inputs with some tensors replaced."""
        if isinstance(self.inputs, Tensor):
            return changed.get(0, self.inputs)
        if hasattr(self.inputs, "items"):
            return {**self.inputs, **changed}
        return tuple(changed.get(place, value) for place, value in enumerate(self.inputs))

    def batched(self, name) -> bool:
        tensor = self.tensors[name]
        return tensor.dim() > self.axis and tensor.shape[self.axis] == self.size

    @property
    def contents(self) -> dict[object, Tensor]:
        """Inputs that say something, tokens and numbers of each example; no masks, labels or lengths."""
        batched = {name: value for name, value in self.tensors.items() if self.batched(name) and not is_label(name)}
        found = {name: value for name, value in batched.items()
                 if name not in self.masks and (value.dim() > 1 or value.is_floating_point())}
        return found or {name: value for name, value in batched.items() if name not in self.masks}

    @property
    def tokens(self) -> dict[object, Tensor]:
        """Inputs of token ids, [examples, positions]."""
        return {name: self.examples_first(value) for name, value in self.contents.items()
                if value.dim() == 2 and not value.is_floating_point() and "segment" not in str(name)
                and "type" not in str(name) and "position" not in str(name)}

    @property
    def decoder_name(self):
        """Name of the target side's input in sequence-to-sequence, else None."""
        tokens = self.tokens
        named = [name for name in tokens
                 if any(word in str(name).lower() for word in ("decoder", "tgt", "target", "trg"))]
        return named[0] if named else list(tokens)[1] if len(tokens) > 1 and not isinstance(self.inputs, dict) else None

    def _find_axes(self, batch_dim) -> None:
        tensors = [value for name, value in self.tensors.items() if value.dim() and name not in self.masks]
        if not tensors:
            raise ValueError("the inputs hold no tensor: batch is (inputs, targets), with inputs a tensor, a tuple of "
                             "tensors for model(*inputs), or a dict for model(**inputs); else give forward=")
        main, targets = tensors[0], self.targets
        self.axis = 0 if batch_dim is None else batch_dim
        if batch_dim is None and isinstance(targets, Tensor) and targets.dim() and main.dim() > 1:
            grid = next((ids for ids in reversed(tensors) if ids.dim() == 2 and not ids.is_floating_point()
                         and ids.numel() == targets.numel()), None)
            if grid is not None and not targets.is_floating_point():
                labels = targets.reshape(grid.shape)
                if next_token(labels.T, grid.T) and not next_token(labels, grid):
                    self.axis = 1
            elif len(targets) != main.shape[0] and len(targets) == main.shape[1]:
                self.axis = 1
            if self.axis:
                self.notes.append("The batch was taken to be dimension 1 (sequence first), as the labels say; "
                                  "batch_dim=0 overrules that.")
        if main.dim() <= self.axis:
            raise ValueError(f"batch_dim={self.axis}, and the first input has the shape {list(main.shape)}")
        self.size = main.shape[self.axis]
        self.length = None
        if isinstance(targets, Tensor) and targets.dim() > 1 and targets.shape[self.axis] == self.size:
            self.length = targets.shape[1 - self.axis]
        else:
            for value in tensors:
                if value.dim() == 2 and not value.is_floating_point() or value.dim() == 3:
                    self.length = value.shape[1 - self.axis]
                    break
        if self.length == 1:
            self.length = None

    def examples_first(self, value: Tensor) -> Tensor:
        return value.transpose(0, 1) if self.axis else value

    @property
    def labels(self) -> Tensor | None:
        """Integer targets as [examples] or [examples, positions]; None for others."""
        targets = self.targets if isinstance(self.targets, Tensor) else self.tensors.get("labels")
        if targets is None or targets.is_floating_point() or targets.dtype == torch.bool:
            return None
        if targets.dim() >= 2 and targets.shape[self.axis] == self.size:
            return self.examples_first(targets)
        if targets.dim() == 1 and len(targets) == self.size:
            return targets
        if targets.dim() == 1 and self.length and len(targets) == self.size * self.length:
            return self.examples_first(targets.reshape((self.length, self.size) if self.axis else
                                                       (self.size, self.length)))
        return None

    @property
    def token_level(self) -> bool:
        return self.labels is not None and self.labels.dim() == 2 and self.task != "regression"

    # Runs

    def raw(self, inputs=None, seed: int | None = None):
        """What the model returns, with the random numbers of `seed`."""
        seed_all(self.seed if seed is None else seed)
        inputs = self.inputs if inputs is None else inputs
        if self.forward is not None:
            return self.forward(self.model, inputs)
        if isinstance(inputs, Tensor):
            return self.model(inputs)
        return self.model(**inputs) if hasattr(inputs, "items") else self.model(*inputs)

    def examined(self, outputs) -> Tensor:
        """The tensor of the outputs that is looked at."""
        value = outputs if self.output is None else self.output(outputs)
        if self.output is None and not isinstance(value, Tensor):
            found = getattr(value, "logits", None)
            if not isinstance(found, Tensor) and hasattr(value, "last_hidden_state"):
                found = value.last_hidden_state
            if not isinstance(found, Tensor) and isinstance(value, dict):
                found = value.get("logits", next((item for item in value.values() if isinstance(item, Tensor)), None))
            if not isinstance(found, Tensor) and isinstance(value, (tuple, list)) and value:
                found = value[0]
            value = found
        if not isinstance(value, Tensor):
            raise ValueError(f"no tensor found in the model's output ({type(outputs).__name__}); give output=, a "
                             "function from what the model returns to the tensor to examine")
        return value

    def run(self, changed: dict | None = None, seed: int | None = None) -> Tensor:
        """The examined output in evaluation mode, without a gradient, some inputs replaced."""
        with torch.no_grad():
            return self.examined(self.raw(self.with_tensors(changed or {}), seed)).detach().float()

    def loss_of(self, outputs, targets=None) -> Tensor:
        """The loss as one number; a vector of losses is averaged."""
        loss = self.loss_fn(outputs, self.targets if targets is None else targets)
        if not isinstance(loss, Tensor):
            raise ValueError(f"loss_fn must return a tensor, and returned {type(loss).__name__}: for a dict or tuple "
                             "of losses, give a function that returns the one that is trained")
        return loss.float().mean() if loss.numel() != 1 else loss.reshape(())

    def loss(self) -> Tensor:
        with torch.enable_grad():
            return self.loss_of(self.raw())

    def replaced(self, outputs, value: Tensor):
        """The outputs with the examined tensor replaced, or None where that cannot be done."""
        if isinstance(outputs, Tensor):
            return value if self.output is None else None
        if self.output is not None:
            return None
        if isinstance(outputs, tuple) and type(outputs) is tuple:
            return (value, *outputs[1:])
        if isinstance(getattr(outputs, "logits", None), Tensor):
            new = copy.copy(outputs)
            new.logits = value
            return new
        return None

    @property
    def trainable(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, p) for name, p in self.model.named_parameters() if p.requires_grad]

    def gradients(self) -> dict[str, Tensor | None]:
        """Gradient of the loss for each trainable parameter; None where the loss does not reach it."""
        named = self.trainable
        loss = self.loss()
        if not loss.requires_grad or not named:
            return {name: None for name, _ in named}
        grads = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True)
        return {name: grad for (name, _), grad in zip(named, grads)}

    def loss_gradient(self, targets) -> tuple[float, Tensor, Tensor] | None:
        """(loss, output, gradient of the loss at the output) for some targets, or None where there is no gradient."""
        with torch.enable_grad():
            inputs = None
            if targets is not self.targets and "labels" in self.tensors:    # the model computes the loss by itself
                inputs = self.with_tensors({"labels": targets})
                targets = targets if isinstance(self.targets,
                                                Tensor) and self.targets.shape == targets.shape else self.targets
            outputs = self.raw(inputs)
            out = self.examined(outputs)
            free = out.detach().clone().requires_grad_()
            replaced = self.replaced(outputs, free)
            if replaced is not None:
                loss = self.loss_of(replaced, targets)
                if loss.requires_grad:
                    grad = torch.autograd.grad(loss, free, allow_unused=True)[0]
                    if grad is not None:
                        return float(loss.detach()), out.detach(), grad
            if not out.requires_grad:
                return None
            loss = self.loss_of(outputs, targets)
            grad = torch.autograd.grad(loss, out, allow_unused=True)[0] if loss.requires_grad else None
            return None if grad is None else (float(loss.detach()), out.detach(), grad)

    # Views of an output

    def per_example(self, out: Tensor) -> Tensor | None:
        """[examples, all the rest], or None where no axis belongs to the examples."""
        if out.dim() == 0:
            return None
        if out.dim() > self.axis and out.shape[self.axis] == self.size:
            return self.examples_first(out).reshape(self.size, -1)
        if out.shape[0] == self.size and out.dim() <= 2:       # a classifier's logits, of sequence-first inputs
            return out.reshape(self.size, -1)
        if out.shape[0] % self.size == 0 and out.dim() <= 2:   # rows of all positions, flattened
            rows = out.reshape((-1, self.size, *out.shape[1:]) if self.axis else (self.size, -1, *out.shape[1:]))
            return self.examples_first(rows).reshape(self.size, -1)
        return None

    def per_position(self, out: Tensor) -> Tensor | None:
        """[examples, positions, all the rest], or None where the output has no positions."""
        if self.length is None or out.dim() == 0:
            return None
        if out.dim() <= 2 and out.shape[0] == self.size * self.length:
            shape = (self.length, self.size, -1) if self.axis else (self.size, self.length, -1)
            return self.examples_first(out.reshape(shape))
        if out.dim() < 2 or out.shape[self.axis] != self.size:
            return None
        out = self.examples_first(out)
        if out.shape[1] == self.length:
            return out.reshape(self.size, self.length, -1)
        if out.dim() == 3 and out.shape[2] == self.length:     # [examples, classes, positions]
            return out.transpose(1, 2)
        return None

    def by_length(self, out: Tensor, length: int) -> Tensor | None:
        """[examples, positions, rest] of an output with `length` positions (or one fewer)."""
        kept, self.length = self.length, length
        try:
            found = self.per_position(out)
            if found is None and out.dim() == 3 and out.shape[self.axis] == self.size \
                    and out.shape[1 - self.axis] < length:
                found = self.examples_first(out)
            return found
        finally:
            self.length = kept

    # Changed models and inputs

    @contextmanager
    def as_trained(self) -> Iterator[None]:
        """Normalisation layers use the statistics of the batch, as in training (dropout stays off)."""
        norms = [m for m in self.model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and not m.training]
        buffers = [(b, b.detach().clone()) for norm in norms for b in norm.buffers()]
        try:
            for norm in norms if self.size > 1 else ():
                norm.train()
            yield
        finally:
            for norm in norms:
                norm.training = False
            for buffer, old in buffers:
                buffer.data.copy_(old)

    @contextmanager
    def jiggled(self, scale: float = 0.3, constant: float = 0.05, least: float = 0.0) -> Iterator[None]:
        """All parameters moved at random, by `scale` of their spread but at least `least`, or by `constant` where they
        are all equal: what depends on what is then a matter of the architecture, not of an initialisation that hides it
        (zero-initialised heads, gates and adapters)."""
        saved = [(p, p.detach().clone()) for p in self.model.parameters() if p.is_floating_point()]
        if self._noise is None:    # drawn once: every check sees the same moved model
            generator = torch.Generator().manual_seed(1234)
            self._noise = [(torch.randn(old.shape, generator=generator).to(old.device, old.dtype),
                            float(old.float().std()) if old.numel() > 1 else 0.0) for _, old in saved]
        try:
            for (p, _), (noise, spread) in zip(saved, self._noise):
                p.data.add_(noise * (max(scale * spread, least) if spread > 1e-8 else constant))
            yield
        finally:
            for p, old in saved:
                p.data.copy_(old)

    def other(self, name, seed: int = 0) -> Tensor:
        """Other valid contents for an input: every entry differs, where it can, and occurs in the batch."""
        value, generator = self.tensors[name], torch.Generator().manual_seed(seed)
        if value.is_floating_point():
            spread = float(value.float().std()) if value.numel() > 1 else 0.0
            noise = torch.randn(value.shape, generator=generator).to(value.device, value.dtype)
            return value.roll(1, self.axis) + noise * (spread or 1.0)
        known = value.unique()
        if len(known) == 1:
            return value
        place = torch.searchsorted(known, value)
        step = torch.randint(1, len(known), value.shape, generator=generator).to(value.device)
        return known[(place + step) % len(known)]

    def mix(self, name, changed: Tensor) -> Tensor:
        """The input with other contents in the examples that are True in `changed`."""
        value, other = self.tensors[name], self.other(name)
        return torch.where(along(changed, self.axis, value), other, value)

    def rows(self, count: int) -> "Probe":
        """The same on the first `count` examples."""
        if self.size <= count:
            return self
        changed = {name: value.narrow(self.axis, 0, count) for name,
                   value in self.tensors.items() if self.batched(name)}
        new = copy.copy(self)
        new.inputs = self.with_tensors(changed)
        new.targets = self._cut(self.targets, count)
        new.padding_mask = self._cut(self.padding_mask, count)
        new.size = count
        return new

    def _cut(self, value, count: int):
        if isinstance(value, dict):
            return {key: self._cut(item, count) for key, item in value.items()}
        if isinstance(value, (tuple, list)):
            return type(value)(self._cut(item, count) for item in value)
        if not isinstance(value, Tensor) or not value.dim():
            return value
        if value.dim() > self.axis and value.shape[self.axis] == self.size:
            return value.narrow(self.axis, 0, count)
        if value.shape[0] == self.size:
            return value[:count]
        if value.shape[0] % self.size == 0:
            shape = (-1, self.size, *value.shape[1:]) if self.axis else (self.size, -1, *value.shape[1:])
            kept = value.reshape(shape).narrow(self.axis, 0, count)
            return kept.reshape(-1, *value.shape[1:])
        return value
