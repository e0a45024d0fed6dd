"""Write `_inv/*.inv`: where other projects document the names our API pages refer to.

    python tools/inventories.py        # after adding a name to the table below

Sphinx would fetch each project's whole inventory on every build; these hold only what we
name, so that the book builds offline. A line is `role page name...`; `$` in a page stands
for the name.
"""

import zlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "_inv"

NAMES = {
    "python": """
        class library/functions.html#$          bool int float complex object slice type property
        class library/stdtypes.html#$           str list tuple dict set frozenset bytes bytearray memoryview range
        data library/constants.html#$           None True False Ellipsis NotImplemented
        exception library/exceptions.html#$     Exception ValueError TypeError RuntimeError KeyError IndexError OSError
        exception library/exceptions.html#$     FileNotFoundError NotImplementedError ImportError ModuleNotFoundError
        exception library/exceptions.html#$     AssertionError ArithmeticError MemoryError TimeoutError StopIteration
        exception library/exceptions.html#$     FileExistsError PermissionError ConnectionError AttributeError
        function library/functions.html#$       print len sorted open sum max min
        class library/pathlib.html#$            pathlib.Path
        class library/os.html#$                 os.PathLike
        class library/collections.abc.html#$    collections.abc.Callable collections.abc.Iterable collections.abc.Iterator
        class library/collections.abc.html#$    collections.abc.Sequence collections.abc.Mapping collections.abc.Generator
        class library/collections.abc.html#$    collections.abc.Hashable collections.abc.Collection collections.abc.Set
        class library/collections.abc.html#$    collections.abc.AsyncIterator collections.abc.MutableMapping
        class library/collections.html#$        collections.Counter collections.defaultdict collections.deque
        data library/typing.html#$              typing.Any typing.Literal typing.Optional typing.Union typing.Callable
        class library/typing.html#$             typing.NamedTuple typing.Protocol typing.TypeVar
        function library/dataclasses.html#$     dataclasses.dataclass dataclasses.field
        class library/dataclasses.html#$        dataclasses.InitVar
        class library/sqlite3.html#$            sqlite3.Connection
        class library/datetime.html#$           datetime.date datetime.datetime
        class library/random.html#$             random.Random
        class library/enum.html#$               enum.Enum
        class library/contextlib.html#$         contextlib.AbstractContextManager contextlib.nullcontext
        class library/fractions.html#$          fractions.Fraction
        class library/types.html#$              types.ModuleType types.SimpleNamespace
        class library/asyncio-queue.html#$      asyncio.Queue
        class library/threading.html#$          threading.Thread threading.Lock threading.Event
        class library/queue.html#$              queue.Queue
        class library/socket.html#$             socket.socket
    """,
    "numpy": """
        class reference/generated/$.html#$      numpy.ndarray numpy.dtype
        class reference/random/generator.html#$ numpy.random.Generator
        function reference/random/generator.html#$ numpy.random.default_rng
        class reference/arrays.scalars.html#$   numpy.float16 numpy.float32 numpy.float64 numpy.int32 numpy.int64
        data reference/typing.html#$            numpy.typing.ArrayLike numpy.typing.NDArray
        function reference/generated/$.html#$   numpy.median numpy.percentile numpy.allclose
    """,
    "torch": """
        class tensors.html#$                    torch.Tensor
        class tensor_attributes.html#$          torch.dtype torch.device torch.layout
        class size.html#$                       torch.Size
        class generated/$.html#$                torch.Generator torch.nn.Module torch.nn.Linear torch.nn.Embedding
        class generated/$.html#$                torch.nn.LayerNorm torch.nn.Dropout torch.nn.GELU torch.nn.MultiheadAttention
        class generated/$.html#$                torch.nn.ModuleList torch.nn.Sequential torch.nn.parameter.Parameter
        class generated/$.html#$                torch.nn.CrossEntropyLoss torch.nn.KLDivLoss torch.optim.AdamW torch.optim.SGD
        class generated/torch.nn.Module.html#torch.nn.Module torch.nn.modules.module.Module
        class generated/torch.optim.AdamW.html#torch.optim.AdamW torch.optim.adamw.AdamW
        class generated/torch.Generator.html#torch.Generator torch._C.Generator
        class optim.html#$                      torch.optim.Optimizer
        class optim.html#torch.optim.Optimizer  torch.optim.optimizer.Optimizer
        class data.html#$                       torch.utils.data.Dataset torch.utils.data.DataLoader
        class benchmark_utils.html#$            torch.utils.benchmark.Timer torch.utils.benchmark.Measurement
        function generated/$.html#$             torch.manual_seed torch.matmul torch.softmax torch.bmm torch.allclose
        function generated/$.html#$             torch.get_num_threads torch.set_num_threads torch.cuda.synchronize
        function generated/$.html#$             torch.use_deterministic_algorithms torch.compile torch.save torch.load
        function generated/$.html#$             torch.nn.functional.cross_entropy torch.nn.functional.softmax
        function generated/$.html#$             torch.nn.functional.scaled_dot_product_attention torch.nn.functional.gelu
        method generated/torch.Tensor.copy_.html#$ torch.Tensor.copy_
    """,
    "datasets": """
        class package_reference/main_classes#$  datasets.Dataset
    """,
    "matplotlib": """
        class api/_as_gen/$.html#$              matplotlib.axes.Axes matplotlib.figure.Figure
        function api/_as_gen/$.html#$           matplotlib.pyplot.subplots
        data api/matplotlib_configuration_api.html#$ matplotlib.rcParams
    """,
}


def inventory(project, table):
    """The bytes of a version 2 Sphinx inventory."""
    lines = []
    for line in table.strip().splitlines():
        role, page, *names = line.split()
        lines += [f"{name} py:{role} 1 {page.replace('$', name)} -" for name in names]
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n# The remainder of this file is compressed using zlib.\n"
    return head.encode() + zlib.compress("".join(f"{line}\n" for line in sorted(lines)).encode(), 9)


if __name__ == "__main__":
    for project, table in NAMES.items():
        (FOLDER / f"{project}.inv").write_bytes(inventory(project, table))
