"""What can be said of a model without looking at a number: which parameters there are, and who holds them.

Each check takes a `Probe` and returns findings. Built in chapter 4.
"""
from collections import defaultdict

import torch
from torch import Tensor, nn

from course_lib.diagnostics.findings import Finding
from course_lib.diagnostics.probe import Probe
from course_lib.diagnostics.state import hidden_in

NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)


def unregistered(probe: Probe) -> list[Finding]:
    """The graph of the loss ends in leaf tensors. A leaf that wants a gradient and that parameters() does not list
    is a parameter that no optimiser made from parameters() will ever move.

    Silent where the given optimiser does hold the leaf, for a module that only stands in a list to be hidden and is not
    trained (a frozen teacher), and for inputs and parameters of the loss function.
    """
    known = {id(p) for p in probe.model.parameters()} | {id(t) for t in probe.tensors.values()}
    known |= {id(p) for group in getattr(probe.optimizer, "param_groups", ()) for p in group["params"]}
    if isinstance(probe.loss_fn, nn.Module):
        known |= {id(p) for p in probe.loss_fn.parameters()}
    leaves = [leaf for leaf in _leaves(probe.loss()) if id(leaf) not in known and leaf.is_floating_point()]
    if not leaves:
        return []
    names = {}
    for path, value in hidden_in(probe.model):
        parts = value.named_parameters() if isinstance(value, nn.Module) else [("", value)]
        names.update({id(p): f"{path}.{name}" if name else path for name, p in parts})
    shown = [names.get(id(leaf), f"an unnamed tensor of shape {list(leaf.shape)}") for leaf in leaves]
    count, listed = sum(leaf.numel() for leaf in leaves), sum(p.numel() for p in probe.model.parameters())
    return [Finding(
        "unregistered", "layer-not-registered",
        f"the loss depends on {len(leaves)} trainable tensors ({count:,} numbers) that parameters() does not list (it "
        f"lists {listed:,}): {_some(shown)}",
        "hold layers in nn.ModuleList, nn.ModuleDict or nn.Sequential, and single tensors as nn.Parameter attributes "
        "of a module", 0.97)]


def outside_optimizer(probe: Probe) -> list[Finding]:
    """Each trainable parameter must stand in a group of the optimiser, as the same object."""
    if probe.optimizer is None:
        return []
    held = {id(p) for group in probe.optimizer.param_groups for p in group["params"]}
    missing = [(name, p) for name, p in probe.trainable if id(p) not in held]
    if not missing:
        return []
    total = len(probe.trainable)
    foreign = len(held - {id(p) for p in probe.model.parameters()})
    return [Finding(
        "outside optimiser", "parameter-not-in-optimizer",
        f"{len(missing)} of {total} trainable parameters are in no group of the optimiser: "
        f"{_some([name for name, _ in missing])}" + (f"; it holds {foreign} tensors of another model" if foreign
                                                     else ""),
        "make the optimiser after the model has its final layers (and is on its device), from model.parameters(); what "
        "must not be trained gets requires_grad=False", 0.96 if len(missing) == total else 0.93)]


def learning_rate(probe: Probe) -> list[Finding]:
    """A learning rate of 0 moves nothing. A scheduler that warms up starts there, and leaves its mark."""
    groups = getattr(probe.optimizer, "param_groups", [])
    if groups and all(float(group["lr"]) == 0 and not group.get("initial_lr") for group in groups):
        return [Finding("learning rate", "learning-rate-zero", "the learning rate of every group is 0, and no "
                        "scheduler was attached", "the number given to the optimiser", 0.9)]
    return []


def shared(probe: Probe) -> list[Finding]:
    """A layer that stands at two places of a list, or under two names of one module, is trained as one.

    Legitimate: an embedding used on several sides, an embedding table as the output's matrix, layers without
    parameters, one tower under two names, and a module that is registered once and called often (ALBERT).
    """
    places, parents = defaultdict(list), dict(probe.model.named_modules())
    for name, module in probe.model.named_modules(remove_duplicate=False):
        if name and not isinstance(module, nn.Embedding) and any(True for _ in module.parameters()):
            places[id(module)].append(name)
    for names in places.values():
        siblings = defaultdict(list)
        for name in names:
            siblings[name.rpartition(".")[0]].append(name)
        for parent, same in siblings.items():
            holder, module = parents.get(parent), probe.model.get_submodule(same[0])
            if len(same) < 2:
                continue
            listed = isinstance(holder, (nn.ModuleList, nn.Sequential, nn.ModuleDict))
            if listed or not list(module.children()):
                return [Finding("shared layers", "parameter-shared",
                                f"{_some(same)} are one and the same object, {len(same)} times",
                                "make each layer by its own call, for instance [Layer() for _ in range(n)] in place of "
                                "[Layer()] * n", 0.9 if listed else 0.7)]
    if hasattr(probe.model, "_tied_weights_keys"):    # transformers says which weights it ties
        return []
    owners = defaultdict(dict)
    for name, module in probe.model.named_modules():
        for key, p in module._parameters.items():
            if p is not None and p.dim() > 1:
                owners[id(p)][f"{name}.{key}" if name else key] = module
    for found in owners.values():
        if len(found) > 1 and not any(isinstance(module, nn.Embedding) for module in found.values()) \
                and all(isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)) for module in found.values()):
            return [Finding("shared weights", "parameter-shared", f"{_some(list(found))} are one and the same tensor",
                            "give each layer its own weight, unless the tie is meant", 0.6)]
    return []


def frozen(probe: Probe) -> list[Finding]:
    """Freezing that was meant has a shape: the embeddings, norms, all layers up to some depth, or nearly everything
    except a small trainable part (a head, adapters, biases). What is frozen behind trained layers has none of them."""
    named = [(name, p) for name, p in probe.model.named_parameters() if p.is_floating_point()]
    still = {id(p) for _, p in named if not p.requires_grad}
    if not named or not still:
        return []
    if len(still) == len({id(p) for _, p in named}):
        return [Finding("frozen", "parameter-frozen", f"all {len(named)} parameters have requires_grad=False",
                        "a loop that freezes, run after the new head was added; torch.no_grad() around the making of "
                        "parameters", 0.97)]
    order = _order(probe)
    owned = [(name, module, [p for p in module._parameters.values() if p is not None]) for name, module in order]
    owned = [(name, module, params) for name, module, params in owned if params]
    trained = [any(id(p) not in still for p in params) for _, _, params in owned]
    if True not in trained:
        return []
    free = sum(p.numel() for _, p in named if id(p) not in still)
    if free < 0.2 * sum(p.numel() for _, p in named):    # a head, adapters, prompts, biases
        return []
    first = trained.index(True)
    suspects = [name for place, (name, module, params) in enumerate(owned)
                if place > first and not isinstance(module, (nn.Embedding, *NORMS))
                and any(id(p) in still and p.dim() > 1 for p in params)]
    if not suspects:
        return []
    return [Finding("frozen", "parameter-frozen",
                    f"{len(suspects)} layers behind trained ones have requires_grad=False: {_some(suspects)}",
                    "the loop that freezes and the names it matches", 0.75)]


def unused(probe: Probe) -> list[Finding]:
    """A trainable parameter that the loss does not reach has no gradient at all: None, not 0.

    Two cases: its layer was never called; or it was called, and its result was dropped or cut off (detach, no_grad,
    argmax, .data). Poolers of pretrained bodies are left unused by design, and are a note.
    """
    grads = probe.gradients()
    without = [name for name, grad in grads.items() if grad is None]
    if not without:
        return []
    if len(without) == len(grads):
        return _detached(probe)
    called = {name for name, _ in _order(probe)}
    poolers = [name for name in without if "pooler" in name]
    without = [name for name in without if name not in poolers]
    if poolers:
        probe.notes.append(f"Not used, as usual for a body whose hidden states are read: {_some(poolers)}.")
    if not without:
        return []
    cut = [name for name in without if name.rpartition(".")[0] in called]
    library = all(_from_library(probe.model, name) for name in without)
    seen = f"{len(without)} of {len(grads)} trainable parameters get no gradient: {_some(without)}"
    seen += f"; the layers of {len(cut)} of them are called, and the loss does not depend on it" if cut else \
        "; their layers are never called"
    return [Finding("unused parameters", "parameter-unused", seen,
                    "the forward pass: is the layer called, and is its result used? Is something detached, under "
                    "no_grad or turned into "
                    "integers?" if cut else "the forward pass: a layer is made and never called",
                    0.5 if library else 0.88)]


def _detached(probe: Probe) -> list[Finding]:
    loss = probe.loss()
    seen = "the loss has no graph (requires_grad is False)" if not loss.requires_grad else \
        "no trainable parameter gets a gradient from the loss"
    return [Finding("loss depends on parameters", "loss-detached", seen,
                    "detach(), .item(), .data, numpy, argmax, or torch.no_grad() between the model's output and the "
                    "loss; torch.tensor(loss) makes a new tensor without a history", 0.97)]


def _leaves(loss: Tensor) -> list[Tensor]:
    """The leaf tensors from which a loss was computed."""
    found, todo, seen = [], [loss.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            found.append(node.variable)
        todo.extend(parent for parent, _ in node.next_functions)
    return found


def _order(probe: Probe) -> list[tuple[str, nn.Module]]:
    """Modules in the order of their first call in a forward pass."""
    called, handles = {}, []

    def note(name):
        def hook(module, _):
            called.setdefault(name, module)
        return hook

    for name, module in probe.model.named_modules():
        handles.append(module.register_forward_pre_hook(note(name)))
    try:
        with torch.no_grad():
            probe.raw()
    finally:
        for handle in handles:
            handle.remove()
    return list(called.items())


def _from_library(model: nn.Module, parameter: str) -> bool:
    """Whether the module that holds a parameter's layer was written by a library, not by the user."""
    path = parameter.rpartition(".")[0]
    while path:
        holder = path.rpartition(".")[0]
        source = type(model.get_submodule(holder)).__module__.split(".")[0]
        if source not in ("torch",):
            return source in ("transformers", "torchvision", "timm")
        path = holder
    return False


def _some(names: list, count: int = 4) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")
