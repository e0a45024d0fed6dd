import math
import random
import runpy
import sys
import types
from pathlib import Path

import numpy
import pytest
import scipy.stats
import torch
from torch.utils import benchmark

from course_lib import benchmarking
from course_lib.benchmarking import Comparison, compare, measure_copy, measure_matmul
from course_lib.devices import Device
from course_lib.results import Figure, load


class Clock:
    """Seconds that pass only inside `tick`, so that no test depends on this machine."""

    def __init__(self):
        self.now = 0.0
        self.log = []

    def __call__(self):
        return self.now

    def tick(self, name, seconds):
        def call():
            self.now += seconds() if callable(seconds) else seconds
            self.log.append(name)
        return call


def comparison(seed=0, **seconds):
    return Comparison(seconds, {name: 1 for name in seconds}, 1, "fake", seed)


# ---------------------------------------------------------------- compare

def test_seconds_a_call_are_exact_on_a_fake_clock():
    clock = Clock()
    timed = compare({"a": clock.tick("a", 0.25), "b": clock.tick("b", 0.5)}, repeats=7, clock=clock)
    assert timed.seconds == {"a": [0.25] * 7, "b": [0.5] * 7}
    assert timed.calls == {"a": 1, "b": 1}
    assert (timed.median("a"), timed.iqr("b"), timed.interval("b")) == (0.25, 0.0, (0.5, 0.5))
    assert timed.ratio("b", to="a") == Figure(2.0, 2.0, 2.0, "ratio", 7)


def test_agrees_with_the_timer_of_torch():
    ours, theirs = Clock(), Clock()
    mine = compare({"a": ours.tick("a", 2**-12)}, repeats=5, min_sample_seconds=0.01, clock=ours)
    timer = benchmark.Timer("call()", globals={"call": theirs.tick("a", 2**-12)}, timer=theirs)
    assert mine.median("a") == timer.timeit(mine.calls["a"]).median


def test_default_clock_waits_for_the_gpu():
    # The clock of torch.utils.benchmark is the one that synchronises.
    assert compare.__kwdefaults__["clock"] is benchmark.timer


@pytest.mark.parametrize("seconds, minimum, calls", [(0.25, 0.002, 1), (2**-10, 2**-9, 2), (2**-10, 0.002, 4), (2**-10, 0, 1)])
def test_a_sample_lasts_the_minimum(seconds, minimum, calls):
    clock = Clock()
    timed = compare({"a": clock.tick("a", seconds)}, repeats=5, warmup=0, min_sample_seconds=minimum, clock=clock)
    assert timed.calls == {"a": calls}
    assert timed.median("a") == seconds
    calibration = 1 + sum(2**i for i in range(int(math.log2(calls)) + 1)) if minimum else 2
    assert len(clock.log) == calibration + 5 * calls


def test_a_first_slow_call_does_not_count():
    clock = Clock()
    durations = iter([10.0] + [2**-10] * 10_000)   # a compiler at its first call
    timed = compare({"a": clock.tick("a", lambda: next(durations))}, repeats=5, min_sample_seconds=2**-8, clock=clock)
    assert timed.calls == {"a": 4}
    assert timed.median("a") == 2**-10


def test_a_clock_that_stands_still_ends(monkeypatch):
    monkeypatch.setattr(benchmarking, "_MAX_CALLS", 64)
    timed = compare({"a": lambda: None}, repeats=5, clock=lambda: 0.0)
    assert timed.calls == {"a": 64}
    assert timed.median("a") == 1e-9 / 64   # never 0: a ratio can be taken
    assert timed.ratio("a", "a").value == 1


def rounds_of(log, variants, rounds):
    tail = log[-variants * rounds:]
    return [tuple(tail[i:i + variants]) for i in range(0, len(tail), variants)]


def run_order(seed, repeats=60):
    clock = Clock()
    compare({name: clock.tick(name, 1.0) for name in "abc"}, repeats=repeats, warmup=0, seed=seed, clock=clock)
    return rounds_of(clock.log, 3, repeats)


def test_rounds_are_interleaved_in_random_order():
    orders = run_order(seed=0)
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    counts = {order: orders.count(order) for order in orders}
    assert len(counts) == 6 and max(counts.values()) < 25   # 10 expected of each
    assert orders == run_order(seed=0)
    assert orders != run_order(seed=1)


def test_warmup_rounds_are_run_and_not_kept():
    clock = Clock()
    durations = iter([1.0, 1.0] + [9.0, 9.0, 9.0] + [1.0] * 6)   # calibration, warm-up, kept
    timed = compare({"a": clock.tick("a", lambda: next(durations))}, repeats=6, warmup=3, clock=clock)
    assert timed.seconds == {"a": [1.0] * 6}
    assert len(clock.log) == 11
    assert next(durations, None) is None


def test_defaults():
    clock = Clock()
    timed = compare({"a": clock.tick("a", 1.0)}, clock=clock)
    assert len(timed.seconds["a"]) == 30
    assert len(clock.log) == 2 + 3 + 30
    assert timed.threads == 1


def test_threads_are_set_then_restored():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        seen = set()
        timed = compare({"a": lambda: seen.add(torch.get_num_threads())}, repeats=5, threads=3, min_sample_seconds=0)
        assert seen == {3} and timed.threads == 3
        assert torch.get_num_threads() == 2
        with pytest.raises(RuntimeError):
            compare({"a": lambda: 1 / 0}, threads=3)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_global_random_state_is_left_alone():
    states = random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    clock = Clock()
    timed = compare({"a": clock.tick("a", 1.0), "b": clock.tick("b", 1.0)}, repeats=5, clock=clock)
    str(timed)
    measure_matmul(4, "cpu", repeats=5, inputs=("random", "zeros"), min_sample_seconds=0)
    measure_copy(1, "cpu", repeats=5, min_sample_seconds=0)
    assert states == (random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist())


def test_the_device_is_stated():
    clock = Clock()
    variants = {"a": clock.tick("a", 1.0)}
    t4 = Device(torch.device("cuda", 0), "Tesla T4", (7, 5))
    assert compare(variants, device=t4, clock=clock).device == "Tesla T4 (7.5)"
    assert compare(variants, device="cpu", clock=clock).device.endswith(" (cpu)")
    assert compare(variants, seed=4, clock=clock).seed == 4   # the bootstrap's too


def test_progress_shows_every_round(monkeypatch):
    shown = []
    auto = types.ModuleType("tqdm.auto")
    auto.tqdm = lambda rounds, desc: shown.append((len(rounds), desc)) or rounds
    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    clock = Clock()
    compare({"a": clock.tick("a", 1.0)}, repeats=5, warmup=2, clock=clock)
    assert shown == []
    timed = compare({"a": clock.tick("a", 1.0)}, repeats=5, warmup=2, clock=clock, progress=True)
    assert shown == [(7, "rounds")] and len(timed.seconds["a"]) == 5


@pytest.mark.parametrize("variants, options, message", [
    ({}, {}, "no variants; give a dict"),
    ({"a": 3.0}, {}, "variant 'a' is not callable: pass f or lambda"),
    ({"a": int}, {"repeats": 4}, "repeats=4 is too few for an interval; 5 at least"),
    ({"a": int}, {"threads": 0}, "threads=0; at least 1"),
    ({"a": int}, {"device": "tpu"}, "unknown device 'tpu'"),
])
def test_bad_arguments(variants, options, message):
    with pytest.raises(ValueError, match=message):
        compare(variants, **options)


def test_a_variant_that_fails_is_named():
    def broken():
        raise KeyError("weights")
    with pytest.raises(RuntimeError, match="variant 'theirs' failed: KeyError: 'weights'") as caught:
        compare({"mine": lambda: None, "theirs": broken}, repeats=5, min_sample_seconds=0)
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_interrupt_is_not_swallowed():
    def interrupted():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        compare({"a": interrupted})


# ---------------------------------------------------------------- statistics

def simulated(rng, rounds=30, slowdown=1.0, drift=0.3, noise=0.03):
    """Two variants that share what each round suffers, as interleaved samples do."""
    shared = numpy.exp(rng.normal(0, drift, rounds))
    a, b = shared * numpy.exp(rng.normal(0, noise, (2, rounds)))
    return comparison(a=list(a), b=list(slowdown * b))


@pytest.mark.parametrize("drift, low, high", [
    (0.0, 0.93, 0.985),   # 0.95 is claimed
    (0.3, 0.97, 1.0),     # rounds that differ ten times more than variants: on the safe side
])
def test_coverage_of_a_against_a(drift, low, high):
    rng = numpy.random.default_rng(0)
    ratios = [simulated(rng, drift=drift).ratio("a", to="b") for _ in range(300)]
    assert low <= numpy.mean([ratio.low <= 1 <= ratio.high for ratio in ratios]) <= high


def test_a_slowdown_of_five_percent_is_seen():
    rng = numpy.random.default_rng(1)
    ratios = [simulated(rng, slowdown=1.05, drift=0.0).ratio("b", to="a") for _ in range(50)]
    assert sum(ratio.low > 1 for ratio in ratios) >= 45
    assert abs(numpy.mean([ratio.value for ratio in ratios]) - 1.05) < 0.01


def test_pairing_cancels_what_the_rounds_share():
    timed = simulated(numpy.random.default_rng(2), drift=0.5, noise=0.001)
    ratio = timed.ratio("b", to="a")
    low, high = timed.interval("a")
    assert high / low > 1.2                  # each median alone is uncertain
    assert ratio.high / ratio.low < 1.01     # their ratio is not


def skewed(seed, n):
    return numpy.random.default_rng(seed).lognormal(0, 0.4, n)


def test_interval_against_scipy():
    samples = skewed(3, 30)
    theirs = scipy.stats.bootstrap((samples,), numpy.median, method="percentile", n_resamples=20_000,
                                   rng=numpy.random.default_rng(0)).confidence_interval
    assert comparison(a=list(samples)).interval("a") == pytest.approx(tuple(theirs), rel=0.02)


def test_ratio_against_scipy():
    a, b = skewed(4, 30), 1.3 * skewed(5, 30)

    def ratio(x, y, axis=-1):
        return numpy.median(x, axis=axis) / numpy.median(y, axis=axis)
    theirs = scipy.stats.bootstrap((b, a), ratio, paired=True, method="percentile", n_resamples=20_000,
                                   rng=numpy.random.default_rng(0), vectorized=True).confidence_interval
    ours = comparison(a=list(a), b=list(b)).ratio("b", to="a")
    assert ours.value == pytest.approx(ratio(b, a))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), rel=0.02)
    assert (ours.unit, ours.n, ours.spread) == ("ratio", 30, "95 % bootstrap interval")


def test_median_and_iqr():
    timed = comparison(a=[5.0, 1.0, 4.0, 2.0, 3.0], b=[1.0] * 5)
    assert timed.median("a") == 3.0
    assert timed.iqr("a") == scipy.stats.iqr([1, 2, 3, 4, 5]) == 2.0


def test_intervals_are_seeded():
    samples = {"a": list(skewed(6, 30)), "b": list(skewed(8, 30))}
    assert comparison(**samples).ratio("a", to="b") == comparison(**samples).ratio("a", to="b")
    assert comparison(**samples).ratio("a", to="b") != comparison(seed=1, **samples).ratio("a", to="b")


def test_rate_turns_the_interval_round():
    timed = comparison(a=list(skewed(7, 30)))
    low, high = timed.interval("a")
    assert timed.rate("a", 6.0, "GB/s") == Figure(6 / timed.median("a"), 6 / high, 6 / low, "GB/s", 30)


def test_a_figure_holds_its_value():
    assert benchmarking._figure(1.0, 1.1, 1.2, "s", 5) == Figure(1.0, 1.0, 1.2, "s", 5)
    assert benchmarking._figure(1.3, 1.1, 1.2, "s", 5) == Figure(1.3, 1.1, 1.3, "s", 5)


def test_unknown_names_and_lists_that_do_not_fit():
    timed = comparison(a=[1.0] * 5, b=[1.0] * 5)
    for use in (timed.median, timed.iqr, timed.interval, lambda name: timed.ratio("a", to=name),
                lambda name: timed.figures(baseline=name)):
        with pytest.raises(ValueError, match="no variant 'c'; there are: a, b"):
            use("c")
    for seconds in ({"a": [1.0] * 4}, {"a": [1.0] * 6, "b": [1.0] * 5}):
        with pytest.raises(ValueError, match="same number of rounds, 5 at least"):
            comparison(**seconds)


# ---------------------------------------------------------------- figures and the table

def test_figures_are_ready_to_record():
    timed = comparison(**{"Eager": [2.0] * 6, "jit.trace (2)": [1.0] * 6, "b_1": [4.0] * 6})
    seconds = {"eager": 2.0, "jit-trace-2": 1.0, "b_1": 4.0}
    assert timed.figures() == {name: Figure(x, x, x, "s", 6) for name, x in seconds.items()}
    assert timed.figures(baseline="Eager") == timed.figures() | {
        "jit-trace-2-over-eager": Figure(0.5, 0.5, 0.5, "ratio", 6), "b_1-over-eager": Figure(2.0, 2.0, 2.0, "ratio", 6)}
    with pytest.raises(ValueError, match="too alike to record: A b, a-b; rename"):
        comparison(**{"A b": [1.0] * 5, "a-b": [1.0] * 5}).figures()


def test_table():
    timed = comparison(**{"a": [0.001, 0.002, 0.002, 0.002, 0.003], "twice": [0.002, 0.004, 0.004, 0.004, 0.006]})
    assert str(timed) == """\
variant  median   IQR  95 % interval                / a
a          2 ms  0 ns   1 ms to 3 ms                  1
twice      4 ms  0 ns   2 ms to 6 ms  2.00 [2.00, 2.00]
5 rounds, threads: 1, fake"""


@pytest.mark.parametrize("ratio, text", [
    (0.70513, "0.71"), (9.994, "9.99"), (10.23, "10.2"), (230.61, "231"), (14217.86, "14,218"), (999.7, "1,000"),
])
def test_ratios_are_readable(ratio, text):
    assert benchmarking._times(ratio) == text


@pytest.mark.parametrize("seconds, text", [
    (12345, "1.23e+04 s"), (2, "2 s"), (0.99999, "1 s"), (0.25, "250 ms"), (0.001, "1 ms"), (999.6e-6, "1 ms"),
    (2.83e-6, "2.83 us"), (3e-9, "3 ns"), (0, "0 ns"),
])
def test_times_are_readable(seconds, text):
    assert benchmarking._time(seconds) == text


# ---------------------------------------------------------------- matrix product and copy

@pytest.fixture
def variants(monkeypatch):
    """What measure_* hands to compare."""
    handed = {}

    def take(variants, **options):
        handed.update(variants=variants, options=options)
    monkeypatch.setattr(benchmarking, "compare", take)
    return handed


def test_measure_matmul_multiplies_signed_random_matrices(variants, monkeypatch):
    products = []
    monkeypatch.setattr(torch, "mm", lambda a, b: products.append((a, b)))
    measure_matmul(64, "cpu", torch.bfloat16, inputs=("random", "zeros"), seed=3, repeats=7)
    assert list(variants["variants"]) == ["random", "zeros"]
    assert variants["options"]["repeats"] == 7 and variants["options"]["seed"] == 3
    assert variants["options"]["device"].device.type == "cpu"
    for call in variants["variants"].values():
        call()
    (a, b), (za, zb) = products
    for tensor in (a, b, za, zb):
        assert tensor.shape == (64, 64) and tensor.dtype == torch.bfloat16
    for tensor in (a, b):
        assert (tensor < 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
        assert tensor.float().std().item() == pytest.approx(1, abs=0.05)
    assert not torch.equal(a, b)
    assert za.count_nonzero() == zb.count_nonzero() == 0
    measure_matmul(64, "cpu", seed=3)
    variants["variants"]["random"]()
    assert products[-1][0].dtype == torch.float32
    assert torch.equal(products[-1][0].bfloat16(), a)   # the same seed, the same data
    measure_matmul(64, "cpu", seed=4)
    variants["variants"]["random"]()
    assert not torch.equal(products[-1][0].bfloat16(), a)


def test_measure_copy_copies_all_of_it(variants, monkeypatch):
    copies = []
    monkeypatch.setattr(torch.Tensor, "copy_", lambda target, source: copies.append((target, source)))
    measure_copy(2, "cpu", inputs=("random", "zeros", "unwritten"), repeats=9)
    assert variants["options"]["repeats"] == 9
    for call in variants["variants"].values():
        call()
    assert [source.count_nonzero().item() > 0 for _, source in copies] == [True, False, False]
    for target, source in copies:
        assert target.nbytes == source.nbytes == 2 * 2**20
        assert target.data_ptr() != source.data_ptr()
    data = copies[0][1]
    assert (data < 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    for seed, same in ((0, True), (1, False)):
        measure_copy(2, "cpu", seed=seed)
        variants["variants"]["random"]()
        assert torch.equal(copies[-1][1], data) == same


def test_the_copy_is_a_copy():
    target = torch.ones(4)
    timed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "ones", lambda *_, **__: target)
        patch.setattr(benchmarking, "compare", lambda variants, **_: timed.update(variants))
        patch.setattr(benchmarking, "_filled", lambda *_: torch.arange(4.0))
        measure_copy(1, "cpu")
        timed["random"]()
    assert target.tolist() == [0, 1, 2, 3]


def test_unknown_input():
    for measure in (measure_matmul, measure_copy):
        with pytest.raises(ValueError, match="unknown input 'ones'; use random, zeros or unwritten"):
            measure(4, "cpu", inputs=("ones",))


def test_both_run_for_real():
    product = measure_matmul(8, "cpu", inputs=("random", "zeros"), repeats=5, min_sample_seconds=0)
    copy = measure_copy(1, "cpu", inputs=("random", "unwritten"), repeats=5, min_sample_seconds=0)
    assert list(product.seconds) == ["random", "zeros"] and list(copy.seconds) == ["random", "unwritten"]
    assert product.rate("random", 2 * 8**3 / 1e9, "GFLOP/s").value > 0


# ---------------------------------------------------------------- benchmarks/machine.py

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "machine.py"


def test_machine_script_records(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    runpy.run_path(str(SCRIPT))["main"](
        ["--results", str(tmp_path), "--device", "cpu", "--sizes", "8", "--mib", "1", "--repeats", "5"])
    [found] = load("machine", tmp_path)
    names = [f"{name}{threads}" for threads in ("-1-thread", "-all-threads") for name in (
        "matmul-float32-8", "matmul-float32-8-zeros-over-random",
        "copy-1-mib", "copy-1-mib-zeros-over-random", "copy-1-mib-unwritten-over-random")]
    assert sorted(found.figures) == sorted(names)
    for name, figure in found.figures.items():
        assert figure.n == 5
        assert figure.unit == ("ratio" if "over" in name else "GB/s" if "copy" in name else "GFLOP/s")
    assert (found.settings["sizes"], found.settings["mib"], found.hardware["gpu"]) == ([8], [1], None)
    assert capsys.readouterr().out.splitlines()[-1].startswith("wrote ")


@pytest.fixture
def script():
    """The script with measurements that take half a second, a quarter on zeros."""
    def timed(size, device, dtype=None, *, inputs, repeats, threads):
        asked.append((size, dtype, threads))
        return Comparison({name: [0.25 if name == "zeros" else 0.5] * repeats for name in inputs}, {}, threads, "fake")
    asked = []
    names = runpy.run_path(str(SCRIPT))
    names["main"].__globals__.update(measure_matmul=timed, measure_copy=timed)
    return types.SimpleNamespace(asked=asked, **names)


@pytest.mark.parametrize("capability, dtypes", [((7, 5), ["float32", "float16"]),
                                                ((9, 0), ["float32", "bfloat16", "float16"])])
def test_machine_script_work_and_names_on_a_gpu(script, capability, dtypes):
    figures = script.measure(Device(torch.device("cuda", 0), "fake GPU", capability), [1000], [500], 6)
    assert figures["matmul-float32-1000"] == Figure(4.0, 4.0, 4.0, "GFLOP/s", 6)   # 2e9 operations in half a second
    assert figures["copy-500-mib"].value == pytest.approx(2 * 500 * 2**20 / 0.5 / 1e9)
    for name in ("matmul-float32-1000", "copy-500-mib"):
        assert figures[f"{name}-zeros-over-random"] == Figure(0.5, 0.5, 0.5, "ratio", 6)
    assert [name for name in figures if name.startswith("matmul") and "over" not in name] == [
        f"matmul-{dtype}-1000" for dtype in dtypes]
    assert not any("unwritten" in name or "thread" in name for name in figures)
    assert [dtype for _, dtype, _ in script.asked[:-1]] == [getattr(torch, dtype) for dtype in dtypes]


@pytest.mark.parametrize("cores, threads", [(1, [1]), (6, [1, 6])])
def test_machine_script_threads_on_a_cpu(script, monkeypatch, cores, threads):
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    script.measure(Device(torch.device("cpu"), "fake CPU"), [8], [1], 5)
    assert [count for size, _, count in script.asked if size == 8] == threads


def test_machine_script_records_the_device_it_measured(script, monkeypatch):
    recorded = {}
    script.main.__globals__["record"] = lambda *_, **options: recorded.update(options)
    for capability, largest in ((None, 1024), ((9, 0), 8192)):
        device = Device(torch.device("cuda" if capability else "cpu"), "fake", capability)
        script.main.__globals__["pick_device"] = lambda word: device
        script.main([])
        assert recorded["device"] is device
        assert (max(recorded["settings"]["sizes"]), recorded["folder"]) == (largest, "my_results")
