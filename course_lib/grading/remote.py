"""Earlier answers that are used in the sandbox and live outside it.

A question may build on earlier ones. The reference answers of those stay with the grader; the sandbox
holds stand-ins for their functions, classes, generators and nn.Modules. A call carries its arguments
over and its result back, the state of torch's random generator both ways, and gradients flow through
it. The parameters of a module are the sandbox's own and travel with each call, so it can be trained,
copied and saved there. A function that a student hands to an earlier answer is called back.

Arguments cross by value: what an earlier answer changes in place stays unchanged at the caller.
Second derivatives do not cross.
"""
import builtins
import functools
import operator
import types

import torch
from torch import nn

from course_lib.grading.standins import Call, Far, FarModule, FarType
from course_lib.grading.transport import Channel, Garbage, NotData, encode_tensor

_METHODS = {"__getitem__": operator.getitem, "__len__": len, "__iter__": iter, "__next__": next}


class Peer(Channel):
    """A channel whose sides call each other's objects.

    module: name of the module in which the exposed answers were defined; the other side reaches
    nothing but functions, classes and instances of that module, nn.Modules, iterators and plain data.
    None, in the sandbox: the other side may use anything.
    """

    def __init__(self, sock, module: str | None = None):
        super().__init__(sock)
        self.module = module
        self.lent, self.numbers = {}, {}          # object by number; number by id of the object
        self.stand_ins, self.graphs = {}, {}      # stand-in by number; (leaves, outputs) by number of the call
        self.calls, self.dropped = 0, []

    def __deepcopy__(self, memo):
        return self

    # ---- asking ----

    def call(self, target: int, name: str, args=(), kwargs=None, modules=()):
        """Call method `name` of the other side's object number `target`; `modules` are in use besides the arguments."""
        leaves, used, grad = [], {}, torch.is_grad_enabled()

        def other(value, blobs):
            if isinstance(value, FarModule):
                used[value._far[1]] = value
            return self._lend(value, blobs, leaves if grad else None)
        reply, decoder = self.ask("call", target, name, list(modules), list(args), kwargs or {}, grad,
                                   torch.get_rng_state(), self._drop(), other=other)
        value, outputs, number, rng, buffers = reply
        torch.set_rng_state(decoder(rng))
        with torch.no_grad():
            for module, state in decoder(buffers).items():
                for name, buffer in used[module].named_buffers():
                    buffer.copy_(state[name])
        outputs = decoder(outputs)
        decoder.outputs = Call.apply(self, number, outputs, *leaves) if outputs else ()
        return decoder(value)

    def get(self, target: int, name: str):
        reply, decoder = self.ask("get", target, name)
        return decoder(reply[0])

    def ask(self, *request, other=None):
        self.send(*request, other=other or self._lend)
        while True:
            kind, nodes, decoder = self.receive(self._stand_in)
            if kind == "result":
                return nodes, decoder
            if kind == "error":
                name, text = (*map(str, nodes), "", "")[:2]
                error = getattr(builtins, name, None)
                simple = isinstance(error, type) and issubclass(error, Exception) and not issubclass(error, UnicodeError)
                raise (error if simple else RuntimeError)(text)
            self.serve(kind, nodes, decoder)

    def _drop(self):
        dropped, self.dropped = self.dropped, []
        return dropped

    # ---- being asked ----

    def serve(self, kind: str, nodes: list, decoder):
        """Answer one request. An error of the object is sent back; Garbage is raised for a request that is none."""
        if kind not in ("call", "get", "backward"):
            raise Garbage(f"unexpected message {kind[:20]!r}")
        try:
            values = [decoder(node) for node in nodes]
            thing = None if kind == "backward" else self.lent[values[0]]
            if kind == "call":
                _, name, _, args, kwargs, grad, rng, dropped = values
                for number in dropped:
                    self.graphs.pop(number, None)
            elif kind == "get":
                _, name = values
            else:
                number, grads = values
                leaves, outputs = self.graphs[number]
        except (TypeError, ValueError, KeyError) as error:
            raise Garbage(f"not a request: {error}") from None
        try:
            if kind == "call":
                self._serve_call(self._method(thing, name), args, kwargs, grad is True, rng, decoder)
            elif kind == "get":
                self._check_public(thing, name)
                self.send("result", getattr(thing, name), other=self._lend)
            else:
                pairs = [(output, grad) for output, grad in zip(outputs, grads, strict=True) if grad is not None]
                self.send("result", list(torch.autograd.grad(
                    [output for output, _ in pairs], leaves, [grad for _, grad in pairs], retain_graph=True, allow_unused=True)))
        except (OSError, EOFError, Garbage):
            raise
        except BaseException as error:       # SystemExit too: the student's function may raise anything
            name = type(error).__name__
            known = isinstance(getattr(builtins, name, None), type)
            self.send("error", name if known else "RuntimeError", (str(error) if known else f"{name}: {error}")[:2000])

    def _serve_call(self, function, args, kwargs, grad, rng, decoder):
        torch.set_rng_state(rng)
        leaves = [decoder.leaves[i] for i in sorted(decoder.leaves)]
        with torch.set_grad_enabled(grad):
            result = function(*args, **kwargs)
        self.calls += 1
        outputs = _Outputs()

        def other(value, blobs):
            if value is outputs:
                return ["list", *(encode_tensor(output, blobs) for output in outputs.values())]
            if leaves and type(value) in (torch.Tensor, nn.Parameter) and value.requires_grad:
                outputs[id(value)] = value
                return ["output", list(outputs).index(id(value))]
            return self._lend(value, blobs)
        self.send("result", result, outputs, self.calls, torch.get_rng_state(),
                  {number: dict(module.named_buffers()) for number, module in decoder.modules.items()}, other=other)
        if outputs:
            self.graphs[self.calls] = leaves, list(outputs.values())

    def _method(self, thing, name):
        """A call of the object, or of one of `_METHODS`, as a function."""
        if name == "__call__":
            return thing
        if name not in _METHODS or isinstance(thing, type) or (
                name in ("__getitem__", "__len__") and not self._ours(type(thing))):
            raise TypeError(f"{name} cannot be called from here")
        return functools.partial(_METHODS[name], thing)

    def _check_public(self, thing, name):
        """Refuse what is not an attribute that the answers themselves define."""
        if type(name) is not str or name.startswith("_"):
            raise AttributeError("only public attributes can be read from here")
        if self.module:
            classes = (thing if isinstance(thing, type) else type(thing)).__mro__
            if not (any(name in vars(one) for one in classes if self._ours(one))
                    or self._ours(type(thing)) and name in vars(thing)):
                raise AttributeError(f"{name} cannot be read from here")

    def _ours(self, thing):
        return self.module is None or getattr(thing, "__module__", None) == self.module

    # ---- objects as they cross ----

    def _lend(self, value, blobs, leaves=None):
        """JSON for a tensor of the graph, a stand-in, or an object that the other side will hold a stand-in of."""
        if type(value) in (torch.Tensor, nn.Parameter):
            if leaves is None or not value.requires_grad:
                return None
            leaves.append(value)
            return encode_tensor(value, blobs, len(leaves) - 1)
        if isinstance(value, FarType):
            return ["there", value._far[1]]
        if isinstance(value, FarModule):
            return ["there", value._far[1], value.training, *self._state(value, blobs, leaves)]
        if isinstance(value, Far):
            return ["there", value._far[1]]
        function = value.__func__ if isinstance(value, types.MethodType) else value
        if not (self.module is None or isinstance(value, nn.Module) or self._ours(type(value))
                or isinstance(function, (type, types.FunctionType)) and self._ours(function)
                or type(value).__module__ == "builtins" and hasattr(value, "__next__")):
            raise NotData(type(value).__name__)
        number = self.numbers.setdefault(id(value), len(self.numbers) + 1)
        self.lent[number] = value
        if isinstance(value, nn.Module) and self.module:
            return ["module", number, type(value).__name__, value.training, *self._state(value, blobs, None, mark=True)]
        if isinstance(value, type):
            return ["class", number, value.__name__, issubclass(value, nn.Module)]
        return ["object", number, str(getattr(value, "__name__", type(value).__name__))]

    def _state(self, module, blobs, leaves, mark=False):
        """Parameters, then buffers: [names (several where it is tied), tensor]. mark: those that require grad, as leaf 0."""
        for members in (module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False)):
            tied = {}
            for name, tensor in members:
                if isinstance(module, FarModule) and name not in module._far_names:
                    continue                # a subclass of the student's has members of its own
                tied.setdefault(id(tensor), ([], tensor))[0].append(name)
            yield [[names, self._lend(tensor, blobs, leaves) or encode_tensor(tensor, blobs, 0 if mark and tensor.requires_grad else -1)]
                   for names, tensor in tied.values()]

    def _stand_in(self, node, decoder):
        code, number, *rest = node
        if code == "output":
            return decoder.outputs[number]
        if code == "there":
            thing = self.lent[number]
            if rest:
                thing.train(rest[0] is True)
                _load(thing, rest[1], decoder, lambda tensor: nn.Parameter(tensor.detach(), tensor.requires_grad))
                _load(thing, rest[2], decoder, torch.Tensor.detach)
                decoder.modules[number] = thing
            return thing
        if code not in ("module", "class", "object"):
            raise Garbage(f"unknown code {code[:20]!r}")
        if number not in self.stand_ins:
            name, *state = rest
            if code == "class":
                self.stand_ins[number] = FarType(name, (FarModule if state[0] else Far,), {"_far": (self, number)})
            elif code == "object":
                self.stand_ins[number] = Far._hold(self, number, name)
            else:
                self.stand_ins[number] = FarModule._hold(self, number, state, decoder)
        return self.stand_ins[number]


def _load(module, state, decoder, make):
    """Set parameters or buffers, as new tensors: the graphs of earlier calls keep the old ones."""
    there = {name for members in (module.named_parameters, module.named_buffers) for name, _ in members(remove_duplicate=False)}
    for names, node in state:
        leaf = node[4]
        tensor = make(decoder(node))
        if leaf >= 0:
            decoder.leaves[leaf] = tensor
        for name in names:
            if name not in there:
                raise Garbage("not a parameter")
            path, _, last = name.rpartition(".")
            setattr(module.get_submodule(path), last, tensor)


class _Outputs(dict):
    """Results of a call that require grad, by id, in the order in which they were met."""
