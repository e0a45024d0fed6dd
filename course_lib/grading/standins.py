"""What stands in the sandbox for objects that live outside it: functions, classes, generators, nn.Modules.

They hold a Peer (remote.py) and the number that their object has there, `_far`, and ask it for everything.
"""
import torch
from torch import nn


class FarType(type):
    """The stand-in of a class: its instances are made, and live, on the other side."""

    def __getattr__(cls, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return cls._far[0].get(cls._far[1], name)


class Far:
    """The stand-in of a function, a generator or an instance."""

    def __init__(self, *args, **kwargs):
        peer, number = type(self)._far
        self.__dict__.update(vars(peer.call(number, "__call__", args, kwargs)))

    @classmethod
    def _hold(cls, peer, number, name):
        self = object.__new__(cls)
        self._far, self.__name__ = (peer, number), name
        return self

    def __call__(self, *args, **kwargs):
        return self._far[0].call(self._far[1], "__call__", args, kwargs)

    def __getitem__(self, key):
        return self._far[0].call(self._far[1], "__getitem__", (key,))

    def __len__(self):
        return self._far[0].call(self._far[1], "__len__")

    def __iter__(self):
        return self._far[0].call(self._far[1], "__iter__")

    def __next__(self):
        return self._far[0].call(self._far[1], "__next__")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self._far[0].get(self._far[1], name)


class FarModule(nn.Module):
    """The stand-in of a module: parameters and buffers here, `forward` and other methods there."""

    def __init__(self, *args, **kwargs):
        super().__init__()
        peer, number = type(self)._far
        self.__dict__.update(vars(peer.call(number, "__call__", args, kwargs)))

    @classmethod
    def _hold(cls, peer, number, state, decoder):
        self = cls.__new__(cls)
        nn.Module.__init__(self)
        self.__dict__ |= {"_far": (peer, number), "_far_names": {name for part in state[1:] for names, _ in part for name in names}}
        for parameters, members in ((True, state[1]), (False, state[2])):
            for names, node in members:
                tensor = decoder(node)
                if parameters:
                    tensor = nn.Parameter(tensor.detach(), tensor.requires_grad)
                for name in names:
                    path, _, last = name.rpartition(".")
                    owner = self
                    for part in filter(None, path.split(".")):
                        if part not in owner._modules:
                            owner.add_module(part, nn.Module())
                        owner = owner._modules[part]
                    owner.register_parameter(last, tensor) if parameters else owner.register_buffer(last, tensor)
        return self.train(state[0])

    def forward(self, *args, **kwargs):
        return self._far[0].call(self._far[1], "__call__", args, kwargs, modules=(self,))

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name.startswith("_"):
                raise
        peer, number = self.__dict__["_far"]
        value = peer.get(number, name)
        if isinstance(value, Far):            # a method: with the parameters as they are now
            return lambda *args, **kwargs: peer.call(value._far[1], "__call__", args, kwargs, modules=(self,))
        return value


class Call(torch.autograd.Function):
    """A call of the other side, as one step of the graph on this side."""

    @staticmethod
    def forward(ctx, peer, number, outputs, *leaves):
        ctx.peer, ctx.number, ctx.kept = peer, number, _Kept(peer, number)
        return tuple(output.view_as(output) for output in outputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *grads):
        reply, decoder = ctx.peer.ask("backward", ctx.number, list(grads))
        return None, None, None, *decoder(reply[0])


class _Kept:
    """Tells the other side, with the next call, when a graph is no longer needed."""

    def __init__(self, peer, number):
        self.peer, self.number = peer, number

    def __del__(self):
        self.peer.dropped.append(self.number)
