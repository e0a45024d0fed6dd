"""Timing that can be trusted: variants interleaved in random order, medians, intervals.

What drifts on a machine (clock rate, temperature, other programs) drifts during a run. Timing
all of A and then all of B gives the drift to one of them; here each round times every variant
once, in a fresh random order, and the ratio of two variants is judged round by round.

Built in the lesson "Start here"; chapter 6 adds grids of batch and length.
"""
import random
import re
import timeit
from collections.abc import Callable
from dataclasses import dataclass

import numpy
import torch
from torch.utils import benchmark

from course_lib.devices import Device, pick_device
from course_lib.results import Figure

MIN_REPEATS = 5          # below it a bootstrap interval is mostly luck
RESAMPLES = 2000
_MAX_CALLS = 2**20


@dataclass(frozen=True)
class Comparison:
    """Seconds a call of each variant, one sample a round: position i of each list is round i.

    seconds: {name: [float, ...]}, lists of one length. calls: calls in a sample, by variant.
    threads: CPU threads that torch used. device: as text. seed: of the bootstrap.
    """
    seconds: dict[str, list[float]]
    calls: dict[str, int]
    threads: int
    device: str
    seed: int = 0

    def __post_init__(self):
        rounds = {len(samples) for samples in self.seconds.values()}
        if len(rounds) != 1 or min(rounds) < MIN_REPEATS:
            raise ValueError(f"each variant needs the same number of rounds, {MIN_REPEATS} at least; "
                             f"these have {sorted(rounds)}")

    def median(self, name: str) -> float:
        """Median seconds a call."""
        return float(numpy.median(self._samples(name)))

    def iqr(self, name: str) -> float:
        """Interquartile range of the seconds a call."""
        low, high = numpy.percentile(self._samples(name), [25, 75])
        return float(high - low)

    def interval(self, name: str) -> tuple[float, float]:
        """95 % bootstrap interval (percentile method) of the median, in seconds a call."""
        return _percentiles(self._resampled_medians(name))

    def ratio(self, name: str, to: str) -> Figure:
        """Median of `name` over median of `to`: above 1, `name` is slower.

        The interval resamples rounds, so that both medians come from the same rounds: what
        slowed a whole round down cancels (a paired bootstrap, percentile method). In simulated
        A/A runs of 30 rounds it holds 1 about 95 % of the time; where rounds differ far more
        than variants, oftener.
        """
        low, high = _percentiles(self._resampled_medians(name) / self._resampled_medians(to))
        value = self.median(name) / self.median(to)
        return _figure(value, low, high, "ratio", len(self.seconds[name]))

    def rate(self, name: str, work: float, unit: str) -> Figure:
        """`work` a second, such as 2 n^3 / 1e9 for a matrix product in GFLOP/s."""
        low, high = self.interval(name)
        return _figure(work / self.median(name), work / high, work / low, unit, len(self.seconds[name]))

    def figures(self, baseline: str | None = None) -> dict[str, Figure]:
        """Ready for `results.record`: seconds a call by variant and, with a baseline, the ratio
        of each other variant to it, as "<name>-over-<baseline>".

        Names are turned into lower-case words: "jit.trace" becomes "jit-trace".
        """
        slug = {name: re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_") for name in self.seconds}
        if len(set(slug.values())) < len(slug):
            raise ValueError(f"variant names too alike to record: {', '.join(slug)}; rename them")
        found = {slug[name]: _figure(self.median(name), *self.interval(name), "s", len(samples))
                 for name, samples in self.seconds.items()}
        if baseline is not None:
            self._samples(baseline)
            found |= {f"{slug[name]}-over-{slug[baseline]}": self.ratio(name, baseline)
                      for name in self.seconds if name != baseline}
        return found

    def __str__(self) -> str:
        """A table: median, IQR, interval, and the ratio to the first variant."""
        first = next(iter(self.seconds))
        rows = [("variant", "median", "IQR", "95 % interval", f"/ {first}")]
        for name in self.seconds:
            low, high = self.interval(name)
            ratio = self.ratio(name, first)
            rows.append((name, _time(self.median(name)), _time(self.iqr(name)), f"{_time(low)} to {_time(high)}",
                         "1" if name == first else f"{_times(ratio.value)} [{_times(ratio.low)}, {_times(ratio.high)}]"))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join([row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])])
                 for row in rows]
        rounds = len(self.seconds[first])
        return "\n".join(lines + [f"{rounds} rounds, threads: {self.threads}, {self.device}"])

    def _samples(self, name: str) -> list[float]:
        if name not in self.seconds:
            raise ValueError(f"no variant {name!r}; there are: {', '.join(self.seconds)}")
        return self.seconds[name]

    def _resampled_medians(self, name: str) -> numpy.ndarray:
        samples = numpy.asarray(self._samples(name))
        # The same seed for every variant: the same rounds are drawn, which pairs them.
        rounds = numpy.random.default_rng(self.seed).integers(len(samples), size=(RESAMPLES, len(samples)))
        return numpy.median(samples[rounds], axis=1)


def compare(variants: dict[str, Callable[[], object]], *, repeats: int = 30, warmup: int = 3, threads: int = 1,
            min_sample_seconds: float = 0.002, seed: int = 0, device: str | Device = "auto",
            progress: bool = False, clock: Callable[[], float] = benchmark.timer) -> Comparison:
    """Time callables without arguments against each other.

    Each of `repeats` rounds times every variant once, in a fresh random order, after `warmup`
    rounds that are not kept. A sample is as many calls as last `min_sample_seconds`, fixed for
    each variant beforehand. torch runs on `threads` CPU threads meanwhile; global random state
    is left alone. device: what the variants run on, to be stated. clock: seconds; the default,
    `torch.utils.benchmark.timer`, waits for the GPU first.

    Raises ValueError for bad arguments and RuntimeError, naming the variant, where one fails.
    """
    if not variants:
        raise ValueError("no variants; give a dict such as {'mine': f, 'theirs': g}")
    for name, call in variants.items():
        if not callable(call):
            raise ValueError(f"variant {name!r} is not callable: pass f or lambda: f(x), not its result")
    if repeats < MIN_REPEATS:
        raise ValueError(f"repeats={repeats} is too few for an interval; {MIN_REPEATS} at least, 30 is usual")
    if threads < 1:
        raise ValueError(f"threads={threads}; at least 1 is needed")
    device = pick_device(device)

    def sample(name: str, number: int) -> float:
        # As benchmark.Timer, but without its two calls of warm-up before each sample, which
        # would triple the time of a slow variant.
        try:
            return timeit.Timer(variants[name], timer=clock).timeit(number)
        except Exception as error:
            raise RuntimeError(f"variant {name!r} failed: {type(error).__name__}: {error}") from error

    order, shuffle = list(variants), random.Random(seed).shuffle
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    rounds = range(-warmup, repeats)
    if progress:
        from tqdm.auto import tqdm
        rounds = tqdm(rounds, desc="rounds")
    with benchmark.set_torch_threads(threads):
        calls = {name: _calls(lambda number: sample(name, number), min_sample_seconds) for name in variants}
        for i in rounds:
            shuffle(order)
            for name in order:
                elapsed = sample(name, calls[name])
                if i >= 0:
                    seconds[name].append(max(elapsed, 1e-9) / calls[name])   # a coarse clock may show 0
    return Comparison(seconds, calls, threads, str(device), seed)


def measure_matmul(n: int, device: str | Device = "auto", dtype: torch.dtype = torch.float32, *,
                   inputs=("random",), seed: int = 0, **options) -> Comparison:
    """Time the product of two [n, n] matrices; `rate(name, 2 * n**3 / 1e9, "GFLOP/s")` of it.

    inputs: "random" (standard normal, so signed) and "zeros", the variants of the comparison.
    Never time on zeros: they switch fewer transistors, and a GPU at its power limit then clocks
    higher. options: those of `compare`.
    """
    device = pick_device(device)
    generator = torch.Generator().manual_seed(seed)

    def product(fill: str) -> Callable[[], object]:
        a, b = (_filled(fill, (n, n), generator).to(device.device, dtype) for _ in "ab")
        return lambda: torch.mm(a, b)

    return compare({fill: product(fill) for fill in inputs}, device=device, seed=seed, **options)


def measure_copy(mib: int, device: str | Device = "auto", *, inputs=("random",), seed: int = 0,
                 **options) -> Comparison:
    """Time `dst.copy_(src)` of `mib` MiB; `rate(name, 2 * mib * 2**20 / 1e9, "GB/s")` of it, as
    each byte is read once and written once.

    inputs: "random", "zeros" and "unwritten", CPU memory that was asked for and never written.
    The system may back all of it with one page of zeros, which stays in the cache, so that the
    copy looks faster than memory is. (On a GPU "unwritten" is the same as "zeros".)
    options: those of `compare`.
    """
    device = pick_device(device)
    generator = torch.Generator().manual_seed(seed)
    count = mib * 2**20 // 4
    target = torch.ones(count, device=device.device)

    def copy(fill: str) -> Callable[[], object]:
        source = _filled(fill, (count,), generator).to(device.device)
        return lambda: target.copy_(source)

    return compare({fill: copy(fill) for fill in inputs}, device=device, seed=seed, **options)


def _filled(fill: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    if fill == "random":
        return torch.randn(shape, generator=generator)
    if fill == "zeros":
        return torch.empty(shape).fill_(0)
    if fill == "unwritten":   # numpy.zeros asks for zeroed pages and writes none; torch.zeros writes
        return torch.from_numpy(numpy.zeros(shape, numpy.float32))
    raise ValueError(f"unknown input {fill!r}; use random, zeros or unwritten")


def _calls(sample: Callable[[int], float], min_seconds: float) -> int:
    """Calls that last `min_seconds`: doubled until they do, after one call that is not counted."""
    sample(1)
    number = 1
    while number < _MAX_CALLS and sample(number) < min_seconds:
        number *= 2
    return number


def _percentiles(resampled: numpy.ndarray) -> tuple[float, float]:
    low, high = numpy.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def _figure(value: float, low: float, high: float, unit: str, n: int) -> Figure:
    # The percentile interval of a skewed sample may just miss the estimate; a Figure holds it.
    return Figure(value, min(low, value), max(high, value), unit, n)


def _time(seconds: float) -> str:
    """Three significant digits in the unit that fits: "1.23 ms"."""
    seconds = float(f"{seconds:.3g}")
    unit, scale = next(((unit, scale) for unit, scale in (("s", 1), ("ms", 1e-3), ("us", 1e-6)) if seconds >= scale),
                       ("ns", 1e-9))
    return f"{seconds / scale:.3g} {unit}"


def _times(ratio: float) -> str:
    """Two decimals below ten, three significant digits below a thousand, whole above: "14,218"."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.3g}" if ratio < 999.5 else f"{ratio:,.0f}"
