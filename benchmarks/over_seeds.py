"""Shared by the benchmarks that train over several seeds: runs kept as they finish, and intervals."""
import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from course_lib.results import Figure

#: 97.5 % quantiles of Student's t, by degrees of freedom.
T_QUANTILE = {1: 12.7062, 2: 4.30265, 3: 3.18245, 4: 2.77645, 5: 2.57058, 6: 2.44691, 7: 2.36462,
              8: 2.30600, 9: 2.26216, 14: 2.14479, 19: 2.09302}


def t_interval(values: Sequence[float], unit: str) -> Figure:
    """Mean over seeds with a 95 % t-interval; of paired differences, the paired interval.

    values: one a seed. A single one has no interval. Raises ValueError for a number of seeds that is not
    in `T_QUANTILE`.
    """
    mean, n = statistics.fmean(values), len(values)
    if n == 1:
        return Figure(mean, mean, mean, unit, 1, "one run, no interval")
    if n - 1 not in T_QUANTILE:
        raise ValueError(f"{n} seeds: take one of {', '.join(str(freedom + 1) for freedom in T_QUANTILE)}")
    half = T_QUANTILE[n - 1] * statistics.stdev(values) / math.sqrt(n)
    return Figure(mean, mean - half, mean + half, unit, n, "95 % t-interval over seeds")


class Runs:
    """Finished runs, kept in `<folder>/<benchmark>/unfinished.jsonl` so that an interrupted script goes on."""

    def __init__(self, folder: str | Path, benchmark: str):
        self.path = Path(folder) / benchmark / "unfinished.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        self.found = {}
        for line in lines:
            try:
                key, result = json.loads(line)
            except ValueError:    # cut off while it was written
                continue
            self.found[json.dumps(key, sort_keys=True)] = result

    def get(self, key: dict, run: Callable[[], dict]) -> dict:
        """The result of the run with these settings: as kept, else from `run()`. Both are plain JSON."""
        name = json.dumps(key, sort_keys=True)
        if name not in self.found:
            self.found[name] = json.loads(json.dumps(run()))
            with self.path.open("a", encoding="utf-8") as file:
                file.write("\n" * (file.tell() > 0) + json.dumps([key, self.found[name]]))
        return self.found[name]

    def finish(self) -> None:
        """Forget the runs: the figures are recorded."""
        self.path.unlink(missing_ok=True)
