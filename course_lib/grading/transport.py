"""What crosses between the grader and the sandbox, which is never trusted: plain data.

A message is JSON plus raw bytes; nothing is unpickled. `encode` chooses by exact type, so neither a
subclass with a lying `__eq__` nor a tensor with `__torch_function__` crosses, and `Decoder` rebuilds
only None, bool, int, float, complex, str, bytes, list, tuple, dict, set, slice, range, torch's dense
tensors, sizes, dtypes and devices, numpy's numeric arrays and scalars. A Parameter arrives as a tensor,
a Counter, defaultdict or OrderedDict as a dict; everything arrives on the CPU.

On the wire: two unsigned 32-bit lengths (JSON, bytes), the JSON, the bytes.
"""
import json
import struct

import numpy as np
import torch

MAX_JSON = 8 * 2**20
MAX_BYTES = 64 * 2**20
MAX_DEPTH = 60
DTYPES = {str(dtype).removeprefix("torch."): dtype for dtype in (
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
    torch.float32, torch.float64, torch.complex64, torch.complex128)}
_KINDS = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset, "size": torch.Size}
_CODES = {kind: code for code, kind in _KINDS.items()}


class Garbage(ValueError):
    """What came over the channel is no message."""


class TooBig(ValueError):
    """More than the channel carries."""


class NotData(TypeError):
    """A value that is not plain data, where only plain data may cross."""

    def __init__(self, kind: str):
        super().__init__(f"a {kind} is neither a tensor nor plain data (numbers, text, lists, tuples, dicts, sets)")


# ---- values -------------------------------------------------------------------------------------


def encode(value, blobs: bytearray, other=None, depth: int = 0):
    """JSON for `value`; its raw bytes are appended to `blobs`.

    other(value, blobs) may encode a tensor or what is not plain data; None leaves it to this function.
    Raises NotData, and TooBig for what is nested too deeply or larger than MAX_BYTES.
    """
    if depth > MAX_DEPTH:
        raise TooBig(f"nested more than {MAX_DEPTH} deep")
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        if kind is int and value.bit_length() > 10_000:
            raise TooBig("an integer of more than 10 000 bits")
        return value
    if kind in _CODES:
        return [_CODES[kind], *(encode(item, blobs, other, depth + 1) for item in value)]
    if kind is dict or kind.__module__ == "collections" and kind.__name__ in ("OrderedDict", "defaultdict", "Counter"):
        return ["dict", *(encode(part, blobs, other, depth + 1) for pair in value.items() for part in pair)]
    if kind is bytes:
        return ["bytes", _blob(value, blobs)]
    if kind is complex:
        return ["complex", value.real, value.imag]
    if kind in (slice, range):
        return [kind.__name__, *(encode(part, blobs, other, depth + 1) for part in (value.start, value.stop, value.step))]
    if kind in (torch.dtype, torch.device):
        return [kind.__name__, str(value).removeprefix("torch.")]
    if other and (node := other(value, blobs)) is not None:
        return node
    if kind in (torch.Tensor, torch.nn.Parameter):
        return encode_tensor(value, blobs)
    if kind is np.ndarray or kind.__module__ == "numpy" and issubclass(kind, np.generic):
        array = np.asarray(value)
        if array.dtype.kind not in "biufc":
            raise NotData(f"numpy {array.dtype}")
        if array.nbytes > MAX_BYTES:
            raise TooBig(f"an array of shape {array.shape}")
        return ["array" if kind is np.ndarray else "scalar", array.dtype.str, list(array.shape), _blob(array.tobytes(), blobs)]
    raise NotData(kind.__name__)


def encode_tensor(value: torch.Tensor, blobs: bytearray, leaf: int = -1):
    """JSON for a dense tensor, detached. leaf: its number, where it is to be a leaf of a graph."""
    if value.layout is not torch.strided or value.is_quantized or value.device.type == "meta":
        raise NotData(f"tensor of layout {value.layout} on {value.device.type}")
    if value.numel() * value.element_size() > MAX_BYTES:     # an expanded tensor is small until it is copied
        raise TooBig(f"a tensor of shape {tuple(value.shape)}")
    flat = value.detach().resolve_conj().resolve_neg().cpu().contiguous().view(-1)
    data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return ["tensor", str(value.dtype).removeprefix("torch."), list(value.shape), _blob(data, blobs), leaf]


def _blob(data: bytes, blobs: bytearray) -> list[int]:
    if len(blobs) + len(data) > MAX_BYTES:
        raise TooBig(f"more than {MAX_BYTES // 2**20} MB")
    blobs += data
    return [len(blobs) - len(data), len(data)]


class Decoder:
    """Rebuilds values from their JSON. leaves: the tensors that were marked as leaves, by number.

    other(node, decoder) decodes what is not plain data. Raises Garbage for anything malformed.
    """

    def __init__(self, blobs: bytes, other=None):
        self.blobs, self.other, self.taken = memoryview(blobs), other, 0
        self.leaves, self.outputs, self.modules = {}, (), {}     # the last two are remote.py's

    def __call__(self, node, depth: int = 0):
        if node is None or type(node) in (bool, int, float, str):
            return node
        if type(node) is not list or not node or type(node[0]) is not str or depth > MAX_DEPTH + 8:
            raise Garbage("not a value")
        code, parts = node[0], node[1:]
        try:
            if code in _KINDS:
                return _KINDS[code](self(part, depth + 1) for part in parts)
            if code == "dict":
                items = [self(part, depth + 1) for part in parts]
                return dict(zip(items[::2], items[1::2], strict=True))
            if code == "bytes":
                return self._take(parts[0])
            if code == "complex":
                return complex(float(parts[0]), float(parts[1]))
            if code in ("slice", "range"):
                return (slice if code == "slice" else range)(*(self(part, depth + 1) for part in parts))
            if code == "dtype":
                return DTYPES[parts[0]]
            if code == "device":
                return torch.device(parts[0])
            if code == "tensor":
                return self._tensor(*parts)
            if code in ("array", "scalar"):
                dtype, shape, data = np.dtype(str(parts[0])), _shape(parts[1]), self._take(parts[2])
                if dtype.kind not in "biufc":
                    raise Garbage("not a numeric dtype")
                array = np.frombuffer(data, dtype).reshape(shape).copy()
                return array if code == "array" else array.reshape(())[()]
        except Garbage:
            raise
        # MemoryError too, and RuntimeError, which is how torch says it
        except Exception as error:
            raise Garbage(f"not a {code}: {error}") from None
        if self.other is None:
            raise Garbage(f"unknown code {code[:20]!r}")
        return self.other(node, self)

    def _take(self, place) -> bytes:
        start, size = place
        if type(start) is not int or type(size) is not int or not 0 <= start <= start + size <= len(self.blobs):
            raise Garbage("bytes that are not there")
        self.taken += size
        if self.taken > MAX_BYTES:
            raise Garbage("the same bytes many times")
        return bytes(self.blobs[start:start + size])

    def _tensor(self, dtype, shape, place, leaf=-1):
        data, dtype, shape = self._take(place), DTYPES[dtype], _shape(shape)
        if data:
            tensor = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            # A truth value that is neither 0 nor 1 would be undefined behaviour.
            tensor = (tensor != 0 if dtype is torch.bool else tensor.view(dtype)).reshape(shape)
        elif 0 in shape:
            tensor = torch.empty(shape, dtype=dtype)
        else:
            raise Garbage("a tensor without its bytes")
        if type(leaf) is int and leaf >= 0:
            self.leaves[leaf] = tensor.requires_grad_(True)
        return tensor


def _shape(shape) -> list[int]:
    if type(shape) is not list or len(shape) > 32 or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
        raise Garbage("not a shape")
    return shape


# ---- messages -----------------------------------------------------------------------------------


class Channel:
    """Messages, each a kind and values, over a connected stream socket."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, kind: str, *values, other=None):
        """Raises NotData and TooBig before anything is sent."""
        blobs = bytearray()
        text = json.dumps([kind, *(encode(value, blobs, other) for value in values)]).encode()
        if len(text) > MAX_JSON:
            raise TooBig(f"more than {MAX_JSON // 2**20} MB of text and numbers")
        self.sock.sendall(struct.pack(">II", len(text), len(blobs)) + text + blobs)

    def receive(self, other=None) -> tuple[str, list, Decoder]:
        """(kind, JSON of the values, their Decoder). Raises EOFError at the end, Garbage, TooBig."""
        sizes = struct.unpack(">II", self._read(8))
        if sizes[0] > MAX_JSON or sizes[1] > MAX_BYTES:
            raise TooBig("a message larger than allowed")
        try:
            message = json.loads(self._read(sizes[0]))
        except (ValueError, RecursionError):
            raise Garbage("not JSON") from None
        if type(message) is not list or not message or type(message[0]) is not str:
            raise Garbage("not a message")
        return message[0], message[1:], Decoder(self._read(sizes[1]), other)

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            got = self.sock.recv_into(view)
            if not got:
                raise EOFError("the other side is gone")
            view = view[got:]
        return data
