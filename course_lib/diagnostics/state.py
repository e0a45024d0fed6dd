"""Leave everything as it was: what a diagnosis saves and puts back. Built in chapter 4."""
import random
from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType

import numpy
import torch
from torch import Tensor, nn

DEPTH = 4          # how deep lists, dicts and plain objects are searched
LONGEST = 1000     # items of a container that are looked at: word lists and data sets hold no layers


def hidden_in(root: object, depth: int = DEPTH) -> Iterator[tuple[str, object]]:
    """(path, object) of the modules and tensors that `root` holds where PyTorch does not look for them.

    PyTorch registers what is assigned to an attribute of a module. This walks the rest: lists, tuples, dicts, sets,
    plain objects, closures. What stands inside a module found here belongs to it and is not listed.
    """
    seen = set()

    def walk(value, path, depth):
        if id(value) in seen or depth < 0 or isinstance(value, (str, bytes, int, float, type, type(None))):
            return
        seen.add(id(value))
        if isinstance(value, (nn.Module, Tensor)):
            yield path, value
        elif isinstance(value, dict):
            for key, item in list(value.items())[:LONGEST]:
                yield from walk(item, f"{path}[{key!r}]", depth - 1)
        elif isinstance(value, (list, tuple, set, frozenset)):
            for index, item in enumerate(list(value)[:LONGEST]):
                yield from walk(item, f"{path}[{index}]", depth - 1)
        elif isinstance(value, FunctionType):
            for name, cell in zip(value.__code__.co_freevars, value.__closure__ or ()):
                try:
                    yield from walk(cell.cell_contents, f"{path}.<{name}>", depth - 1)
                except ValueError:    # a cell that is still empty
                    pass
        elif type(value).__module__.split(".")[0] not in ("torch", "numpy", "builtins", "transformers"):
            for name, item in list(getattr(value, "__dict__", {}).items())[:LONGEST]:
                yield from walk(item, f"{path}.{name}", depth - 1)

    if isinstance(root, nn.Module):
        seen.update(map(id, root.modules()))
        for place, module in root.named_modules():
            for name, value in list(module.__dict__.items()):
                if name not in _REGISTERED:
                    yield from walk(value, f"{place}.{name}" if place else name, depth)
    else:
        yield from walk(root, "", depth)


@contextmanager
def preserved(*roots: object) -> Iterator[None]:
    """On leaving, however: parameters, buffers, gradients, requires_grad, modes, hooks, plain attributes of all
    modules in `roots`, tensors of their closures and containers, and the states of the random generators of Python,
    numpy and torch are as they were. Optimisers among `roots` get their state and groups back."""
    modules, tensors, generators, optimizers = {}, {}, {}, {}

    def save(value):
        if isinstance(value, nn.Module):
            for module in value.modules():
                if id(module) not in modules:
                    modules[id(module)] = module, {name: (item, _shallow(item)) for name,
                                                   item in module.__dict__.items()}
                    for item in (*module._parameters.values(), *module._buffers.values(), *module.__dict__.values()):
                        save(item)
            for _, item in hidden_in(value):
                save(item)
        elif isinstance(value, Tensor) and id(value) not in tensors:
            grad = value.grad if value.is_leaf else None
            tensors[id(value)] = (value, value.detach().clone(), value.requires_grad, grad,
                                  None if grad is None else grad.detach().clone())
        elif isinstance(value, (torch.Generator, numpy.random.Generator, random.Random)):
            generators[id(value)] = value, _generator_state(value)
        elif isinstance(value, torch.optim.Optimizer):
            groups = [dict(group, params=list(group["params"])) for group in value.param_groups]
            optimizers[id(value)] = value, dict(value.state), groups
            for state in value.state.values():
                for item in state.values():
                    save(item)

    for root in roots:
        save(root)
        for _, item in hidden_in(root) if not isinstance(root, nn.Module) else ():
            save(item)
    python, array, cpu = random.getstate(), numpy.random.get_state(), torch.get_rng_state()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() and torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        for module, attributes in modules.values():
            for name in [name for name in module.__dict__ if name not in attributes]:
                del module.__dict__[name]
            for name, (item, content) in attributes.items():
                module.__dict__[name] = item
                _refill(item, content)
        for tensor, value, needs, grad, content in tensors.values():
            if not _same(tensor, value):
                tensor.data.copy_(value)
            if tensor.is_leaf:
                tensor.requires_grad_(needs)
                tensor.grad = grad
                if grad is not None and not _same(grad, content):
                    grad.data.copy_(content)
        for generator, state in generators.values():
            _set_generator(generator, state)
        for optimizer, state, groups in optimizers.values():
            optimizer.state.clear()
            optimizer.state.update(state)
            for group, saved in zip(optimizer.param_groups, groups):
                group.update(saved)
        random.setstate(python)
        numpy.random.set_state(array)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)


_REGISTERED = {name for name in nn.Module().__dict__ if name.startswith("_")}    # _parameters, _modules, hooks


def _same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.detach(), b)    # False where there is a NaN: then it is copied


def _shallow(value):
    return value.copy() if isinstance(value, (dict, list, set)) else None


def _refill(value, content) -> None:
    """Give a dict, list or set its content back, in place: others may hold it too."""
    if content is None or type(value) is not type(content):
        return
    if isinstance(value, list):
        value[:] = content
    elif value != content if isinstance(value, set) else list(value) != list(content) or any(
            value[key] is not content[key] for key in content):
        value.clear()
        value.update(content)


def _generator_state(generator):
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    return generator.getstate() if isinstance(generator, random.Random) else generator.bit_generator.state


def _set_generator(generator, state) -> None:
    if isinstance(generator, torch.Generator):
        generator.set_state(state)
    elif isinstance(generator, random.Random):
        generator.setstate(state)
    else:
        generator.bit_generator.state = state
