"""What `monitor.Watch` writes down, and how it looks at tensors. Built in chapter 4."""
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

KEPT = 2048    # numbers of a batch that its fingerprint is made of


@dataclass
class Step:
    """A step of the optimiser. Lists have an entry a parameter, in the order of `Watch.names`.

    loss: mean over the backward passes since the last step; nan where none was seen. rates: learning rate of each
    group. gradients: norms as the optimiser got them, None without a gradient. raw: norm of all as the last
    backward pass gave them, before clipping. updates, weights: norms of the change, and of what was changed; empty
    where they were not measured. stale: norm of what stood in `.grad` from before the last step, in terms of the
    norm that came new. wiped: gradients that were cleared before any step had used them. empty: no parameter had
    a gradient other than 0. backwards: passes since the last step.
    """
    number: int
    loss: float
    rates: list[float]
    gradients: list[float | None]
    raw: float
    updates: list[float]
    weights: list[float]
    stale: float
    wiped: int
    empty: bool
    backwards: int

    @property
    def gradient_norm(self) -> float:
        """Of all parameters together."""
        return math.sqrt(sum(x * x for x in self.gradients if x is not None))


@dataclass
class Pass:
    """A forward pass. recording: of gradients. live: some layer that knows two modes was in training mode; None if the
    model has none. data: fingerprint of its input; same_memory: the tensors of the pass before.
    trained: a backward pass went through it. judged: a loss of its outputs was computed, with gradients. hooked: a
    tensor was found in its output, and is asked about that."""
    training: bool
    recording: bool
    marked: bool
    live: bool | None
    data: int
    rows: int
    same_memory: bool
    input_gradient: bool
    trained: bool = False
    judged: bool = False
    hooked: bool = False


@dataclass
class Trouble:
    """The first number that is not finite. module: whose output it was, None for a gradient or an update."""
    step: int
    module: str | None
    loss: float
    gradient: float
    input: bool
    weights: list[str]


@dataclass
class Tally:
    """Of the gradients since the last step."""
    stale: float = 0.0
    fresh: float = 0.0
    wiped: int = 0
    backwards: int = 0
    accumulated: bool = False
    values: list[float] = field(default_factory=list)


def has_two_modes(module: nn.Module) -> bool:
    """Behaves differently in training and evaluation: dropout, or statistics of the batch."""
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return module.p > 0
    if isinstance(module, nn.modules.batchnorm._NormBase):
        return bool(module.track_running_stats)
    rates = (getattr(module, name, None) for name in ("dropout", "drop_prob"))
    return any(isinstance(rate, float) and rate > 0 for rate in rates) and not isinstance(module, nn.ModuleList)


def is_live(module: nn.Module) -> bool:
    """Behaves as in training."""
    # Without a momentum a norm collects the statistics of all batches: it is run in training mode for these.
    return module.training and getattr(module, "momentum", 0.1) is not None


def tensors_in(tree) -> Iterator[Tensor]:
    """Those in tuples, lists, dicts and outputs of transformers, in their order."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from tensors_in(value)
    elif isinstance(tree, (tuple, list)):
        for value in tree:
            yield from tensors_in(value)
    elif hasattr(tree, "__dataclass_fields__"):
        for name in tree.__dataclass_fields__:
            yield from tensors_in(getattr(tree, name, None))


def norm(tensor: Tensor) -> Tensor:
    """Euclidean, of all entries; half precision is raised to float32, in which no sum of squares overflows."""
    tensor = tensor.detach()
    tensor = tensor.coalesce().values() if tensor.is_sparse else tensor
    return torch.linalg.vector_norm(tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor)


def fingerprint(tensor: Tensor) -> int:
    """The same for tensors of the same shape and contents, as far as `KEPT` numbers of it tell."""
    flat = tensor.detach().reshape(-1)
    flat = flat[::max(1, len(flat) // KEPT)]
    return hash((tuple(tensor.shape), flat.to("cpu", torch.float64).numpy().tobytes()))


def sums_of(tensor: Tensor) -> tuple[float, float]:
    """Two sums that tell whether a tensor was changed by anybody."""
    values = tensor.detach().double()
    return float(values.sum()), float(values.abs().sum())
