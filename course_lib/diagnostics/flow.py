"""Follow numbers through one forward pass: where a reshape mixes, and over what a softmax sums.

Two laws of a layout, checked on the operations themselves, whatever the model is called:

- An axis carries positions or features, never both. Each output of a linear layer is labelled (row, feature);
  each output of an attention, (position, the rest). The labels go through every reshape and transpose with the
  numbers. Where an attention reads queries, keys and values, and where a linear layer reads an attention's
  output, moving along an axis must not change both labels.
- Weights of a weighted sum add up to 1 over what is summed. The result of a softmax is remembered until it is
  multiplied with values and summed.

Built in chapter 4.
"""
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

MOVES = {"view", "reshape", "transpose", "permute", "contiguous", "flatten", "unflatten", "unsqueeze", "squeeze",
         "expand",
         "chunk", "split", "unbind", "__getitem__", "narrow", "select", "movedim", "moveaxis", "swapaxes", "swapdims",
         "clone", "t", "roll", "tile", "repeat", "repeat_interleave", "view_as", "reshape_as", "expand_as", "ravel",
         "split_with_sizes", "tensor_split", "flip", "adjoint"}
PROPERTIES = {"T", "mT", "H", "mH"}
LARGEST = 1_000_000    # numbers that are labelled: the logits of a large vocabulary are not read by an attention
ATTENTION = "scaled_dot_product_attention"


class Flow(TorchFunctionMode):
    """Runs under `with flow:` observe. After it:

    mixed: [(module, words)], layouts that mix. wrong_sums: [(module, words)], weights that do not add up to 1.
    random: names of modules that drew random numbers for dropout. dead: [(module, share of dead units, units)].
    attention: whether any was seen. softmax_one: modules with a softmax over one entry only.
    size: examples in the batch.
    """

    def __init__(self, model: nn.Module, size: int):
        super().__init__()
        self.model, self.size = model, size
        self.labels: dict[int, tuple] = {}     # id of a tensor -> (tensor, row label, feature label, kind)
        self.weights: dict[int, tuple] = {}    # id of a tensor -> (tensor,), results of a softmax
        self.products: dict[int, tuple] = {}   # id of a tensor -> (tensor, weights), before they are summed
        self.mixed, self.wrong_sums, self.random, self.dead = [], [], [], []
        self.attention = False
        self.stack, self.handles = [], []
        self.parameters = {id(p) for p in model.parameters()}

    def __enter__(self):
        for name, module in self.model.named_modules():
            self.handles.append(module.register_forward_pre_hook(lambda *_, name=name: self.stack.append(name)))
            self.handles.append(module.register_forward_hook(self._leave))
        return super().__enter__()

    def __exit__(self, *error):
        for handle in self.handles:
            handle.remove()
        self.labels.clear(), self.weights.clear(), self.products.clear()
        return super().__exit__(*error)

    def _leave(self, *_) -> None:
        self.stack.pop()

    @property
    def where(self) -> str:
        return next((name for name in reversed(self.stack) if name), "the model")

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__get__":
            owner = getattr(func, "__self__", None)
            name = getattr(owner, "__name__", "")
            if name not in PROPERTIES:
                return func(*args, **kwargs)
        out = func(*args, **kwargs)
        try:
            self._see(name, func, args, kwargs, out)
        except (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError):
            pass    # an odd call: its labels are lost, and nothing is claimed
        return out

    # One operation

    def _see(self, name, func, args, kwargs, out):
        first = args[0] if args else None
        if name in MOVES or name in PROPERTIES:
            self._move(func, args, kwargs, out)
        elif name in ("cat", "concat", "stack"):
            self._join(func, args, kwargs, out)
        elif name in ("softmax", "_softmax"):
            self.weights[id(out)] = (out,)
        elif name == "embedding":
            self._linear(None, out)
        elif name in ("conv1d", "conv2d"):
            self._check_image(first, 1 if name == "conv1d" else 2)
        elif name == "layer_norm":
            shape = kwargs.get("normalized_shape", args[1] if len(args) > 1 else ())
            self._check_norm(first, len(shape) if isinstance(shape, (tuple, list)) else 1)
            self._pass_on(args, out)
        elif name == "normalize":
            self._check_normalised(first, kwargs.get("dim", args[2] if len(args) > 2 else 1))
            self._pass_on(args, out)
        elif name == "linear" or name == "addmm" or name in ("matmul", "__matmul__", "mm") and self._is_weight(args[1]):
            self._linear(args[1] if name == "addmm" else first, out)
        elif name in ("matmul", "__matmul__", "bmm"):
            self._contract(args[0], args[1], out, (-1,), (-2,), -2)
        elif name == "einsum":
            self._einsum(args, out)
        elif name == ATTENTION:
            self.attention = True
            q, k, v = (*args[:3], *(kwargs[key] for key in ("query", "key", "value") if key in kwargs))[:3]
            for part, operand in (("queries", q), ("keys", k), ("values", v)):
                self._check_operand(operand, part, (-1,), -2)
            self._label_attention(out, -2)
        elif name == "multi_head_attention_forward":
            self.attention = True
        elif name in ("mul", "__mul__", "__rmul__", "multiply") and isinstance(args[1], Tensor):
            self._product(args[0], args[1], out)
        elif name == "sum" and id(first) in self.products:
            self._sum(args, kwargs)
        else:
            if "dropout" in name and (kwargs.get("training", True if len(args) < 3 else args[2])
                                      and kwargs.get("p", args[1] if len(args) > 1 else 0.5) > 0):
                self.random.append(self.where)
            if name in ("relu", "relu_", "sigmoid", "tanh", "clamp_min", "hardtanh", "relu6"):
                self._units(name, out)
            if "dropout" in name or name in ("to", "type", "float", "type_as", "nan_to_num"):
                if id(first) in self.weights:
                    self.weights[id(out)] = (out,)
            self._pass_on(args, out)

    def _is_weight(self, value) -> bool:
        return isinstance(value, Tensor) and (id(value) in self.parameters or value.dim() == 2 and value.is_leaf
                                              and value.requires_grad)

    def _set(self, tensor: Tensor, rows: Tensor, features: Tensor, kind: str) -> None:
        self.labels[id(tensor)] = (tensor, rows, features, kind)    # holds the tensor, so that its id stays its own

    def _move(self, func, args, kwargs, out) -> None:
        source = args[0]
        outs = out if isinstance(out, (tuple, list)) else [out]
        if id(source) in self.weights:
            for item in outs:
                self.weights[id(item)] = (item,)
        if id(source) in self.labels:
            _, rows, features, kind = self.labels[id(source)]
            moved = [func(label, *args[1:], **kwargs) for label in (rows, features)]
            moved = moved if isinstance(out, (tuple, list)) else [[label] for label in moved]
            for item, row, feature in zip(outs, *moved):
                self._set(item, row, feature, kind)

    def _join(self, func, args, kwargs, out) -> None:
        parts = args[0]
        known = [self.labels[id(part)] for part in parts if id(part) in self.labels]
        if known:
            blank = [torch.full(part.shape, -1) for part in parts]
            both = [func([self.labels[id(part)][place] if id(part) in self.labels else empty
                          for part, empty in zip(parts, blank)], *args[1:], **kwargs) for place in (1, 2)]
            self._set(out, *both, known[0][3])

    def _pass_on(self, args, out) -> None:
        """Elementwise operations and norms leave every number at its place."""
        for value in args:
            if isinstance(out, Tensor) and isinstance(value, Tensor) and id(value) in self.labels \
                    and value.shape == out.shape and out.is_floating_point():
                self._set(out, *self.labels[id(value)][1:])
                return

    def _linear(self, source, out) -> None:
        if source is not None and id(source) in self.labels and self.labels[id(source)][3] == "attention":
            _, rows, features, _ = self.labels[id(source)]
            width = rows.numel() // (self.size * len(rows.unique()))
            if source.shape[-1] <= width and _mixes(rows, features, -1):
                self.mixed.append((self.where, "the output projection of an attention reads, in one row, numbers of "
                                   f"{_count(rows, -1)} different positions"))
        width = out.shape[-1]
        if out.numel() > LARGEST:
            return
        codes = torch.arange(out.numel()).reshape(out.shape)
        self._set(out, codes // width, codes % width, "linear")

    def _check_normalised(self, value, axis: int) -> None:
        """A vector that is brought to length 1 is one row's, not one feature of many rows. (Over the last dimension
        the latter is done on purpose: attention between channels.)"""
        if id(value) not in self.labels or value.dim() < 3 or axis % value.dim() == value.dim() - 1:
            return
        _, rows, features, _ = self.labels[id(value)]
        if _changes(rows, axis) and not _changes(features, axis):
            self.wrong_sums.append((self.where, f"F.normalize over dimension {axis % value.dim()} of "
                                    f"{list(value.shape)} divides by a norm over positions; the features are another "
                                    "dimension"))

    def _check_norm(self, value, axes: int) -> None:
        if axes > 1 and id(value) in self.labels and value.dim() == 3 and _changes(self.labels[id(value)][1], 1):
            self.wrong_sums.append((self.where, f"a layer norm over the last {axes} dimensions of {list(value.shape)} "
                                    "takes its mean and deviation over positions and features together"))

    def _check_image(self, value, axes: int) -> None:
        """Along an axis over which a convolution slides, one thing changes."""
        if id(value) in self.labels and value.dim() == axes + 2:
            _, rows, features, _ = self.labels[id(value)]
            for axis in range(-axes, 0):
                if value.shape[axis] > 1 and _mixes(rows, features, axis):
                    self.mixed.append((self.where, "along one axis over which a convolution slides both the position "
                                       "and the feature change"))
                    return

    def label_input(self, value: Tensor) -> None:
        """Label numbers that a caller hands in, of three dimensions or more: (all but the last dimension, the last
        one)."""
        if value.dim() > 2 and value.is_floating_point():
            self._linear(None, value)

    def _check_operand(self, operand, part: str, contracted: tuple, positions: int | None) -> None:
        """Vectors that are compared or averaged come from one row; along the positions no feature changes."""
        if id(operand) not in self.labels or self.labels[id(operand)][3] != "linear":
            return
        _, rows, features, _ = self.labels[id(operand)]
        for axis in {*contracted, *(() if positions is None else (positions,))}:
            if operand.shape[axis] > 1 and _mixes(rows, features, axis):
                self.mixed.append((self.where,
                                   f"along one axis of the {part} of an attention both the position and the feature "
                                   "change"))
                return

    def _contract(self, a, b, out, of_a: tuple, of_b: tuple, positions: int) -> None:
        """a @ b: scores of an attention, its weighted sum, or something else."""
        if id(a) in self.weights and not self._is_weight(b):
            self.attention = True
            self._check_sum(a, of_a)
            self._check_operand(b, "values", (-1,), of_b[0])
            self._label_attention(out, positions)
        elif id(b) in self.weights and not self._is_weight(a):
            self.attention = True
            self._check_sum(b, of_b)
            self._label_attention(out, -1)
        elif id(a) in self.labels and id(b) in self.labels:
            self._check_operand(a, "queries", of_a, -2)
            self._check_operand(b, "keys", of_b, -1)

    def _einsum(self, args, out) -> None:
        equation, operands = args[0], args[1] if isinstance(args[1], (list, tuple)) else args[1:]
        if "." in equation or "->" not in equation or len(operands) != 2:
            return
        left, result = equation.replace(" ", "").split("->")
        a, b = left.split(",")
        if id(operands[1]) in self.weights and id(operands[0]) not in self.weights:
            a, b, operands = b, a, operands[::-1]
        summed = [letter for letter in a if letter not in result]
        if id(operands[0]) in self.weights and not self._is_weight(operands[1]):
            self.attention = True
            self._check_sum(operands[0], tuple(a.index(letter) for letter in summed))
            own = [letter for letter in a if letter in result and letter not in b]
            if len(own) == 1:
                self._label_attention(out, result.index(own[0]))
        elif all(id(operand) in self.labels for operand in operands):
            for letters, operand, part in ((a, operands[0], "queries"), (b, operands[1], "keys")):
                own = [letter for letter in letters if letter in result and letter not in (b if letters is a else a)]
                self._check_operand(operand, part,
                                    tuple(letters.index(letter) for letter in summed if letter in letters),
                                    letters.index(own[0]) if len(own) == 1 else None)

    def _label_attention(self, out: Tensor, axis: int) -> None:
        axis %= out.dim()
        shape = [1] * out.dim()
        shape[axis] = out.shape[axis]
        rows = torch.arange(out.shape[axis]).reshape(shape).expand(out.shape)
        rest = torch.arange(out.numel() // max(out.shape[axis], 1))
        kept = [size for place, size in enumerate(out.shape) if place != axis]
        self._set(out, rows, rest.reshape(kept).unsqueeze(axis).expand(out.shape), "attention")

    # Weighted sums

    def _check_sum(self, weights: Tensor, axes: tuple) -> None:
        w = weights.detach().float()
        if not axes or not bool(torch.isfinite(w).all()):
            return
        error = float((w.sum(axes) - 1).abs().max())
        if error < 1e-3:
            return
        right = [axis for axis in range(w.dim()) if float((w.sum(axis) - 1).abs().max()) < 1e-4]
        if right:
            self.wrong_sums.append((self.where, f"attention weights of shape {list(w.shape)} are summed over dimension "
                                    f"{', '.join(str(axis % w.dim()) for axis in axes)}, where they add up to between "
                                    f"{float(w.sum(axes).min()):.3g} and {float(w.sum(axes).max()):.3g}; the softmax "
                                    f"runs over dimension {right[0]}"))

    def _product(self, a, b, out) -> None:
        for w, other in ((a, b), (b, a)):
            if id(w) in self.weights and id(other) not in self.weights and isinstance(other, Tensor) \
                    and w.dim() == out.dim() and out.shape != w.shape:
                self.products[id(out)] = (out, w)
                return
        self._pass_on((a, b), out)

    def _sum(self, args, kwargs) -> None:
        out, w = self.products[id(args[0])]
        axis = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
        axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        if axis is not None and all(w.shape[one] == out.shape[one] for one in axes):
            self._check_sum(w, tuple(one % w.dim() for one in axes))

    # Units

    def _units(self, name: str, out: Tensor) -> None:
        """Share of the units that are the same, and flat, for all examples and positions."""
        if out.dim() < 2 or out.shape[0] < 2 or not out.is_floating_point():
            return
        shares = []
        # [batch, length, units] or [batch, units, length]
        for axis in {1: (1,), 2: (-1,), 3: (-1, 1)}.get(out.dim(), (1,)):
            units = out.detach().float().movedim(axis, -1).reshape(-1, out.shape[axis])
            if name == "sigmoid":
                flat = (units < 1e-4) | (units > 0.9999)
            elif name in ("tanh", "hardtanh"):
                flat = units.abs() > 0.9999
            else:
                flat = (units <= 0) | ((units >= 6) if name == "relu6" else torch.zeros_like(units, dtype=torch.bool))
            if units.shape[1] >= 4 and len(units) >= 4:
                shares.append((float(flat.all(0).float().mean()), units.shape[1]))
        if shares:
            self.dead.append((self.where, *max(shares)))


def _changes(label: Tensor, axis: int) -> bool:
    return bool((label != label.narrow(axis, 0, 1)).any())


def _mixes(rows: Tensor, features: Tensor, axis: int) -> bool:
    """Whether both labels change somewhere along the axis (-1: unknown, left out)."""
    known = (rows.narrow(axis, 0, 1) >= 0) & (rows >= 0)
    row = ((rows != rows.narrow(axis, 0, 1)) & known).any()
    return bool(row) and bool(((features != features.narrow(axis, 0, 1)) & known).any())


def _count(rows: Tensor, axis: int) -> int:
    return max(len(line.unique()) for line in rows.movedim(axis, -1).reshape(-1, rows.shape[axis])[:8])
