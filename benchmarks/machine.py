"""What this machine does at most: a square matrix product and a memory copy.

    python -m benchmarks.machine [--results results] [--device auto]

Both on random data, and again on zeros and on memory that was never written: that is the
warning of the lesson "Start here". Takes under a minute on a laptop. Writes
`<results>/machine/<hardware>.json`.
"""
import argparse
import os

import torch

from course_lib.benchmarking import measure_copy, measure_matmul
from course_lib.devices import pick_device
from course_lib.results import Figure, record


def measure(device, sizes: list[int], mib: list[int], repeats: int) -> dict[str, Figure]:
    """All figures: GFLOP/s of products, GB/s of copies, time ratios to random data."""
    on_cpu = device.device.type == "cpu"
    cores = os.cpu_count() or 1
    # GPU work does not depend on the CPU's threads: no thread in the name.
    threads = {"-1-thread": 1} | ({"-all-threads": cores} if cores > 1 else {}) if on_cpu else {"": 1}
    dtypes = [torch.float32] + [torch.bfloat16] * device.bf16 + [torch.float16] * device.fp16
    figures: dict[str, Figure] = {}

    def keep(name: str, suffix: str, comparison, work: float, unit: str) -> None:
        figures[name + suffix] = comparison.rate("random", work, unit)
        print(f"{name + suffix}: {figures[name + suffix]}", flush=True)
        for other in comparison.seconds:
            if other != "random":
                figures[f"{name}-{other}-over-random{suffix}"] = comparison.ratio(other, to="random")

    for suffix, count in threads.items():
        for dtype in dtypes:
            for n in sizes:
                timed = measure_matmul(n, device, dtype, inputs=("random", "zeros"), repeats=repeats, threads=count)
                keep(f"matmul-{str(dtype).removeprefix('torch.')}-{n}", suffix, timed, 2 * n**3 / 1e9, "GFLOP/s")
        for size in mib:
            inputs = ("random", "zeros", "unwritten") if on_cpu else ("random", "zeros")
            timed = measure_copy(size, device, inputs=inputs, repeats=repeats, threads=count)
            keep(f"copy-{size}-mib", suffix, timed, 2 * size * 2**20 / 1e9, "GB/s")
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--sizes", type=int, nargs="+", help="n of the n x n products")
    parser.add_argument("--mib", type=int, nargs="+", help="MiB to copy")
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args(arguments)

    device = pick_device(options.device)
    on_cpu = device.device.type == "cpu"
    sizes = options.sizes or ([16, 32, 64, 128, 256, 512, 1024] if on_cpu else [512, 1024, 2048, 4096, 8192])
    mib = options.mib or ([64, 128, 256] if on_cpu else [256, 1024])   # above the caches' size
    figures = measure(device, sizes, mib, options.repeats)
    path = record(
        "machine", figures, device=device, folder=options.results,
        what="Rates of a square matrix product and of a memory copy (bytes read and written) on random "
             "data, and the time on zeros and on never-written memory over the time on random data.",
        settings={"sizes": sizes, "mib": mib, "repeats": options.repeats, "cpu_threads": os.cpu_count(),
                  "float32_matmul_precision": torch.get_float32_matmul_precision()})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
