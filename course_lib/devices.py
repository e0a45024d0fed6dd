"""Device, dtype and backend choices, in one place.

A lesson asks `pick_device()` what there is and the `Device` what it can do, so that
the same cells run on a laptop, on Colab's T4 and on an H100.

Built in the lesson "Start here".
"""
import importlib.util
import os
import platform
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch

from course_lib import __version__

# Smallest CUDA compute capability of each feature. Tensor-core types: NVIDIA, "CUDA C++
# Programming Guide", appendix Compute Capabilities. 2:4 sparsity: PyTorch's semi-structured
# sparsity tutorial. Triton: its README, "Compute Capability 8.0+".
# torch.cuda.is_bf16_supported() says yes on a T4, where bf16 is emulated: hence this table.
FEATURES = {
    "fp16": ("float16 on tensor cores", (7, 0)),
    "bf16": ("bfloat16 on tensor cores", (8, 0)),
    "tf32": ("TF32 on tensor cores", (8, 0)),
    "sparse_2to4": ("2:4 sparsity", (8, 0)),
    "triton": ("Triton", (8, 0)),
}
_DTYPE_FEATURE = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: None}


def supports(feature: str, capability: tuple[int, int] | None) -> bool:
    """Whether an NVIDIA GPU of this compute capability has the feature.

    `capability` is None where there is no NVIDIA GPU; the answer is then False.
    Raises ValueError for a feature that is not in `FEATURES`.
    """
    if feature not in FEATURES:
        raise ValueError(f"unknown feature {feature!r}; known: {', '.join(FEATURES)}")
    return capability is not None and tuple(capability) >= FEATURES[feature][1]


@dataclass(frozen=True)
class Device:
    """Where tensors live, and what the hardware there can do.

    device: for `tensor.to(...)`. name: the GPU's or the CPU's model name.
    capability: CUDA compute capability, such as (7, 5) for a T4; None on a CPU, on Apple's
    GPUs and on AMD's, for which the features below are all False (float32 and plain torch).
    """
    device: torch.device
    name: str
    capability: tuple[int, int] | None = None

    fp16 = property(lambda self: supports("fp16", self.capability), doc="float16 on tensor cores")
    bf16 = property(lambda self: supports("bf16", self.capability), doc="bfloat16 on tensor cores")
    tf32 = property(lambda self: supports("tf32", self.capability), doc="TF32 on tensor cores")
    sparse_2to4 = property(lambda self: supports("sparse_2to4", self.capability), doc="``2:4`` sparsity")
    triton = property(lambda self: supports("triton", self.capability), doc="Triton's requirement")

    def __str__(self) -> str:
        what = "{}.{}".format(*self.capability) if self.capability else self.device.type
        return f"{self.name} ({what})"


def pick_device(prefer: "str | Device" = "auto") -> Device:
    """The device to work on.

    prefer: "auto" (CUDA where it works, else the CPU), "cpu", "cuda", "cuda:1" or "mps";
    a `Device` is returned as it is. Raises ValueError for any other word, RuntimeError for
    a device that is not there or does not work.
    """
    if isinstance(prefer, Device):
        return prefer
    try:
        wanted = torch.device("cuda" if prefer == "auto" else prefer)
    except (RuntimeError, TypeError):
        wanted = None
    if wanted is None or wanted.type not in ("cpu", "cuda", "mps"):
        raise ValueError(f"unknown device {prefer!r}; use auto, cpu, cuda, cuda:1 or mps")
    if wanted.type == "cpu":
        return Device(torch.device("cpu"), cpu_name())

    there = available()
    if prefer == "auto" and "cuda:0" not in there:
        return pick_device("cpu")
    indexed = wanted if wanted.index is not None else torch.device(wanted.type, 0)
    if str(indexed) not in there:
        raise RuntimeError(f"no device {prefer!r} here; there is: {', '.join(there)}")
    try:
        _compute_on(indexed)
    except RuntimeError as error:   # such as a torch build without kernels for this GPU
        if prefer == "auto":
            warnings.warn(f"CUDA is there but does not work, going on with the CPU: {error}")
            return pick_device("cpu")
        raise RuntimeError(f"device {prefer!r} is there but does not work: {error}") from error
    if indexed.type == "mps":
        return Device(indexed, f"{cpu_name()} GPU")
    # On ROCm the "capability" is AMD's own number and must not be read as NVIDIA's.
    capability = None if torch.version.hip else torch.cuda.get_device_capability(indexed)
    return Device(indexed, torch.cuda.get_device_name(indexed), capability)


def available() -> list[str]:
    """Names of the devices torch sees: "cpu", then "cuda:0" and so on, "mps:0"."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps:0"] if torch.backends.mps.is_available() else []
    return ["cpu"] + [f"cuda:{i}" for i in range(count)] + mps


def _compute_on(device: torch.device) -> None:
    torch.ones(1, device=device).add(1).item()


def choose_dtype(device: Device, prefer=(torch.bfloat16, torch.float16)) -> torch.dtype:
    """The first dtype of `prefer` for which the device has tensor cores, else float32.

    With the default: bfloat16 from compute capability 8.0, float16 on a T4, float32 on a CPU.
    A single dtype may be given. Raises ValueError for a dtype the course does not compute in.
    """
    for dtype in (prefer,) if isinstance(prefer, torch.dtype) else prefer:
        if dtype not in _DTYPE_FEATURE:
            raise ValueError(f"no rule for {dtype!r}; use one of {list(_DTYPE_FEATURE)}")
        feature = _DTYPE_FEATURE[dtype]
        if feature is None or supports(feature, device.capability):
            return dtype
    return torch.float32


def backend(device: Device) -> str:
    """Which kernels to run: "triton" where the GPU is new enough and Triton is installed, else "torch"."""
    return "triton" if device.triton and importlib.util.find_spec("triton") else "torch"


def skipped(device: Device, feature: str) -> str | None:
    """A line that says why `feature` is left out on this device; None where it is there.

    >>> if reason := skipped(device, "sparse_2to4"):
    ...     print(reason)
    skipped: 2:4 sparsity needs compute capability 8.0; this is a Tesla T4 (7.5)
    """
    if supports(feature, device.capability):
        return None
    label, (major, minor) = FEATURES[feature]
    what = "" if device.capability else "an NVIDIA GPU of "
    article = "an" if device.name.startswith(("A", "E", "I", "O", "U", "NV")) else "a"
    return (f"skipped: {label} needs {what}compute capability {major}.{minor}; "
            f"this is {article} {device}")


def cpu_name() -> str:
    """The CPU's model name as the system gives it; the architecture where it gives none."""
    system = platform.system()
    name = platform.processor() if system == "Windows" else ""
    if system == "Linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2]
                break
    elif system == "Darwin":
        name = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"],
                              capture_output=True, text=True).stdout
    return name.strip() or platform.machine()


def machine(device: str | Device = "auto") -> dict:
    """The hardware, for a recording: never a host name, a user or a path.

    Keys: system, cpu, cores (logical), memory_gib (None where psutil is missing), gpu and
    gpu_count (None and 0 where `device` is the CPU, whatever else the machine holds).
    """
    device = pick_device(device)
    count = {"cpu": 0, "mps": 1, "cuda": torch.cuda.device_count()}[device.device.type]
    try:
        import psutil
        memory_gib = round(psutil.virtual_memory().total / 2**30)
    except ImportError:
        memory_gib = None
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": memory_gib,
        "gpu": device.name if count else None,
        "gpu_count": count,
    }


def versions() -> dict:
    """Versions of python, torch, numpy, course_lib, and of CUDA where torch is built for it."""
    found = {"python": platform.python_version(), "torch": str(torch.__version__),
             "numpy": numpy.__version__, "course_lib": __version__}
    return found | ({"cuda": torch.version.cuda} if torch.version.cuda else {})
