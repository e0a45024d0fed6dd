"""What a lesson costs: seconds and peak memory, on one CPU thread or on a GPU.

    python -m benchmarks.lesson_cost notebooks/00_start.ipynb [--results results]

Runs each notebook whole, as the tests do, and records seconds from the start of its kernel to its
end, and the kernel's peak resident memory (on a GPU: torch's peak reserved memory). Figures of
lessons that are not named stay as they were recorded. The strip at the head of a chapter shows them.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from course_lib import devices, results
from course_lib.results import Figure

BENCHMARK = "lesson_cost"
# Runs in a fresh process, so that one lesson's peak memory cannot be another's.
CHILD = """
import resource, sys
from pathlib import Path
import nbformat
from nbclient import NotebookClient

path = Path(sys.argv[1]).resolve()
notebook = nbformat.read(path, as_version=4)
notebook.cells.append(nbformat.v4.new_code_cell(
    "import torch; print('peak', torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0)"))
NotebookClient(notebook, timeout=600, kernel_name="python3",
               resources={"metadata": {"path": path.parent}}).execute()
gpu_bytes = int(notebook.cells[-1].outputs[0]["text"].split()[1])
kibibytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss   # of the kernel; Linux counts KiB
print(gpu_bytes / 2**20 if gpu_bytes else kibibytes / 2**10)
"""


def measure(path: Path) -> tuple[float, float]:
    """(seconds, peak MiB) of one run of the notebook at `path`."""
    began = time.perf_counter()
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    child = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, env=one_thread)
    seconds = time.perf_counter() - began
    if child.returncode:
        raise SystemExit(f"{path}: the notebook stopped:\n{child.stderr[-2000:]}")
    return seconds, float(child.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    device = devices.pick_device()
    slug = results.hardware_slug(devices.machine(device))
    earlier = Path(options.results) / BENCHMARK / f"{slug}.json"
    figures = {}
    if earlier.is_file():
        figures |= next(r for r in results.load(BENCHMARK, options.results)
                        if results.hardware_slug(r.hardware) == slug).figures
    for path in options.paths:
        if not path.is_file():
            raise SystemExit(f"{path}: no such notebook")
        runs = sorted(measure(path) for _ in range(options.repeats))
        for name, values, unit in (("seconds", [r[0] for r in runs], "s"), ("peak_memory", [r[1] for r in runs], "MiB")):
            values.sort()
            figures[f"{path.stem}_{name}"] = Figure(values[len(values) // 2], values[0], values[-1], unit, len(values), "range")
            print(path.stem, name, figures[f"{path.stem}_{name}"])
    print("wrote", results.record(
        BENCHMARK, figures, device=device, folder=options.results,
        what="Running time and peak memory of whole lessons, kernel start included.",
        settings={"threads": 1, "repeats": options.repeats}))


if __name__ == "__main__":
    main()
