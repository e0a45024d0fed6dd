import os
import platform
import socket
import subprocess
import sys
import types
from pathlib import Path

import numpy
import pytest
import torch

import course_lib
from course_lib import devices
from course_lib.devices import Device, backend, choose_dtype, machine, pick_device, skipped, supports, versions

CPU = Device(torch.device("cpu"), "AMD EPYC")
T4 = Device(torch.device("cuda", 0), "Tesla T4", (7, 5))
ALL = ("fp16", "bf16", "tf32", "sparse_2to4", "triton")


@pytest.fixture
def fake_cuda(monkeypatch):
    """A machine with two GPUs, as torch would show it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda d: ["Tesla T4", "NVIDIA A100-SXM4-40GB"][d.index])
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda d: [(7, 5), (8, 0)][d.index])
    monkeypatch.setattr(devices, "_compute_on", lambda d: None)
    monkeypatch.setattr(torch.version, "hip", None)


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.mark.parametrize("name, capability, can", [
    ("Tesla P100", (6, 0), ()),
    ("Tesla V100-SXM2-16GB", (7, 0), ("fp16",)),
    ("Tesla T4", (7, 5), ("fp16",)),
    ("NVIDIA A100-SXM4-40GB", (8, 0), ALL),
    ("NVIDIA GeForce RTX 3090", (8, 6), ALL),
    ("NVIDIA H100 80GB HBM3", (9, 0), ALL),
    ("NVIDIA B200", (10, 0), ALL),   # a comparison of strings would put "10" before "8"
    ("AMD Instinct MI300X", None, ()),
])
def test_features_by_published_capability(name, capability, can):
    device = Device(torch.device("cuda", 0), name, capability)
    assert {feature: getattr(device, feature) for feature in ALL} == {feature: feature in can for feature in ALL}
    for feature in ALL:
        assert (skipped(device, feature) is None) == (feature in can)


def test_unknown_feature_names_the_known():
    with pytest.raises(ValueError, match="unknown feature 'int4'; known: fp16, bf16, tf32, sparse_2to4, triton"):
        supports("int4", (9, 0))
    with pytest.raises(ValueError, match="int4"):
        skipped(CPU, "int4")


def test_skipped_says_what_is_missing_and_where():
    assert skipped(T4, "sparse_2to4") == "skipped: 2:4 sparsity needs compute capability 8.0; this is a Tesla T4 (7.5)"
    assert skipped(CPU, "fp16") == ("skipped: float16 on tensor cores needs an NVIDIA GPU of compute capability 7.0; "
                                    "this is an AMD EPYC (cpu)")


@pytest.mark.parametrize("capability, prefer, expected", [
    (None, (torch.bfloat16, torch.float16), torch.float32),
    ((7, 5), (torch.bfloat16, torch.float16), torch.float16),
    ((8, 0), (torch.bfloat16, torch.float16), torch.bfloat16),
    ((9, 0), (torch.float16, torch.bfloat16), torch.float16),
    ((9, 0), (torch.float32, torch.bfloat16), torch.float32),
    ((7, 5), torch.bfloat16, torch.float32),
    ((9, 0), torch.bfloat16, torch.bfloat16),
    ((6, 0), (torch.bfloat16, torch.float16), torch.float32),
])
def test_choose_dtype(capability, prefer, expected):
    assert choose_dtype(Device(torch.device("cpu"), "any", capability), prefer) is expected


def test_choose_dtype_default_and_errors():
    assert choose_dtype(T4) is torch.float16
    assert choose_dtype(Device(T4.device, "NVIDIA H100", (9, 0))) is torch.bfloat16
    assert choose_dtype(CPU) is torch.float32
    with pytest.raises(ValueError, match="torch.int8.*use one of .*torch.bfloat16"):
        choose_dtype(CPU, torch.int8)


def test_backend_needs_the_gpu_and_the_package(monkeypatch):
    h100 = Device(torch.device("cuda", 0), "NVIDIA H100", (9, 0))
    monkeypatch.setitem(sys.modules, "triton", types.ModuleType("triton"))
    sys.modules["triton"].__spec__ = types.SimpleNamespace(name="triton")
    assert [backend(device) for device in (h100, T4, CPU)] == ["triton", "torch", "torch"]
    monkeypatch.setattr(devices.importlib.util, "find_spec", lambda name: None)
    assert backend(h100) == "torch"


def test_pick_without_a_gpu(no_gpu):
    for prefer in ("auto", "cpu"):
        device = pick_device(prefer)
        assert device == Device(torch.device("cpu"), devices.cpu_name(), None)
        assert str(device) == f"{devices.cpu_name()} (cpu)"
    assert pick_device() == pick_device("auto")
    for prefer in ("cuda", "cuda:1", "mps"):
        with pytest.raises(RuntimeError, match=f"no device '{prefer}' here; there is: cpu$"):
            pick_device(prefer)


@pytest.mark.parametrize("prefer", ["tpu", "gpu", "", "meta", None])
def test_pick_unknown_word(prefer):
    with pytest.raises(ValueError, match="unknown device .*; use auto, cpu, cuda, cuda:1 or mps"):
        pick_device(prefer)


def test_pick_with_gpus(fake_cuda):
    assert pick_device() == pick_device("cuda") == T4
    assert str(pick_device()) == "Tesla T4 (7.5)"
    second = pick_device("cuda:1")
    assert (second.device, second.name, second.capability) == (torch.device("cuda", 1), "NVIDIA A100-SXM4-40GB", (8, 0))
    assert pick_device("cpu").device.type == "cpu"
    assert pick_device(second) is second
    with pytest.raises(RuntimeError, match="no device 'cuda:2' here; there is: cpu, cuda:0, cuda:1"):
        pick_device("cuda:2")


def test_amd_gpus_have_no_nvidia_capability(fake_cuda, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert pick_device().capability is None


def test_a_gpu_that_does_not_work(fake_cuda, monkeypatch):
    def fail(device):
        raise RuntimeError("no kernel image is available")
    monkeypatch.setattr(devices, "_compute_on", fail)
    with pytest.warns(UserWarning, match="does not work, going on with the CPU: no kernel image"):
        assert pick_device().device.type == "cpu"
    with pytest.raises(RuntimeError, match="'cuda' is there but does not work: no kernel image") as caught:
        pick_device("cuda")
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_mps_only_when_asked(no_gpu, monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(devices, "_compute_on", lambda d: None)
    assert pick_device().device.type == "cpu"
    device = pick_device("mps")
    assert (device.device.type, device.name, device.capability) == ("mps", f"{devices.cpu_name()} GPU", None)
    assert (machine(device)["gpu"], machine(device)["gpu_count"]) == (device.name, 1)


def test_the_real_cpu_computes():
    devices._compute_on(torch.device("cpu"))


def test_cpu_name_of_each_system(monkeypatch):
    monkeypatch.setattr(platform, "machine", lambda: "some-arch")
    monkeypatch.setattr(platform, "processor", lambda: "Intel64 Family 6")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: types.SimpleNamespace(
        stdout="Apple M2\n" if command == ["sysctl", "-n", "machdep.cpu.brand_string"] else ""))
    cpuinfo = "processor\t: 0\nmodel\t\t: 2\nmodel name\t: Xeon: the one\nmodel name\t: other\n"
    monkeypatch.setattr(Path, "read_text", lambda self: cpuinfo if str(self) == "/proc/cpuinfo" else "")
    for system, name in [("Linux", "Xeon: the one"), ("Darwin", "Apple M2"), ("Windows", "Intel64 Family 6"),
                         ("Plan9", "some-arch")]:
        monkeypatch.setattr(platform, "system", lambda: system)
        assert devices.cpu_name() == name
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(Path, "read_text", lambda self: "processor\t: 0\nBogoMIPS\t: 50\n")   # ARM has no model name
    assert devices.cpu_name() == "some-arch"


def test_machine_of_a_cpu(no_gpu, monkeypatch):
    psutil = types.SimpleNamespace(virtual_memory=lambda: types.SimpleNamespace(total=25_000_000_000))
    monkeypatch.setitem(sys.modules, "psutil", psutil)
    assert machine() == {"system": f"{platform.system()} {platform.machine()}", "cpu": devices.cpu_name(),
                         "cores": os.cpu_count(), "memory_gib": 23, "gpu": None, "gpu_count": 0}
    monkeypatch.setitem(sys.modules, "psutil", None)   # makes `import psutil` fail
    assert machine()["memory_gib"] is None


def test_machine_with_gpus(fake_cuda):
    assert (machine()["gpu"], machine()["gpu_count"]) == ("Tesla T4", 2)
    assert machine("cuda:1")["gpu"] == "NVIDIA A100-SXM4-40GB"
    assert (machine("cpu")["gpu"], machine("cpu")["gpu_count"]) == (None, 0)


def test_machine_holds_nothing_private():
    words = " ".join(map(str, machine().values())).split()
    assert socket.gethostname() not in words
    assert str(Path.home()) not in words


def test_versions(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    expected = {"python": ".".join(map(str, sys.version_info[:3])), "torch": torch.__version__,
                "numpy": numpy.__version__, "course_lib": course_lib.__version__}
    assert versions() == expected
    assert type(versions()["torch"]) is str
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert versions() == expected | {"cuda": "12.8"}
