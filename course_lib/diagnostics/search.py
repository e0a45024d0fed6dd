"""Searching for hyperparameters: a few random runs on a manual grid, Bayesian search beside it, and what matters.

    space = {"learning_rate": log_range(1e-4, 1e-1, 7), "width": [32, 64, 128], "dropout": [0.0, 0.1, 0.3]}
    found = random_search(train_and_validate, space, runs=16, seed=0, keep="runs.jsonl")
    print(found.best.settings, importance(found))

Random search after Bergstra and Bengio (2012); importance after Hutter, Hoos and Leyton-Brown (2014). A value is
better the higher it is; with maximise=False the lower. Built in chapter 4.
"""
import itertools
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy

from course_lib import plotting
from course_lib.results import Figure

Settings = dict[str, object]
MOST_POINTS = 200_000    # of a grid, whose importance is computed over all of it
ASKED_AGAIN = 10         # times that a Bayesian search may propose a point that it knows


def log_range(low: float, high: float, points: int) -> list[float]:
    """Values from low to high, each the same factor above the one before, to three digits.

    Raises ValueError unless 0 < low < high and there are at least two points.
    """
    if not 0 < low < high or points < 2:
        raise ValueError(f"log_range({low}, {high}, {points}): give 0 < low < high, and at least 2 points")
    return [float(f"{low * (high / low) ** (i / (points - 1)):.3g}") for i in range(points)]


def check_space(space: dict[str, Sequence]) -> int:
    """Number of points of a grid: a list of values for each name. Raises ValueError, saying what is wrong with it."""
    if not space:
        raise ValueError("the space is empty: give each hyperparameter a list of values")
    for name, values in space.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or not len(values):
            raise ValueError(f"{name}: give a list of values, at least one; log_range(low, high, points) makes one")
        try:
            texts = [json.dumps(value, allow_nan=False) for value in values]
        except (TypeError, ValueError):
            raise ValueError(f"{name}: values must be numbers, texts, booleans or None; give what cannot be written "
                             "down a name, and look it up in the objective") from None
        if len(set(texts)) < len(texts):
            raise ValueError(f"{name}: a value stands there twice")
    return math.prod(map(len, space.values()))


@dataclass
class Run:
    """One call of the objective. value: nan where it failed; error: why, or empty."""
    number: int
    settings: Settings
    value: float
    seconds: float
    error: str = ""


@dataclass
class Search:
    """Runs in their order. best: the finished run of the best value; raises ValueError where none finished."""
    space: dict[str, Sequence]
    maximise: bool = True
    runs: list[Run] = field(default_factory=list)

    @property
    def finished(self) -> list[Run]:
        return [run for run in self.runs if not run.error]

    @property
    def best(self) -> Run:
        if not self.finished:
            why = "; the first said: " + self.runs[0].error if self.runs else ""
            raise ValueError(f"none of {len(self.runs)} runs finished{why}")
        return (max if self.maximise else min)(self.finished, key=lambda run: run.value)

    def best_so_far(self) -> list[float]:
        """After each run; nan before the first that finished."""
        return best_so_far([run.value for run in self.runs], self.maximise)

    def table(self) -> list[dict]:
        """One dict a run, best first, failed last. Fit for `pandas.DataFrame`."""
        rows = [{"number": run.number, **run.settings, "value": run.value, "seconds": run.seconds, "error": run.error}
                for run in self.runs]
        sign = -1 if self.maximise else 1
        return sorted(rows, key=lambda row: math.inf if row["error"] else sign * row["value"])


def best_so_far(values: Sequence[float], maximise: bool = True) -> list[float]:
    """The best of the first 1, 2, ... values; those that are nan count for nothing."""
    function = numpy.fmax if maximise else numpy.fmin
    return function.accumulate(numpy.asarray(values, float)).tolist()


def random_search(objective: Callable[[Settings], float], space: dict[str, Sequence], runs: int, seed: int = 0, *,
                  maximise: bool = True, keep: str | Path | None = None, progress: bool = False) -> Search:
    """Call the objective at `runs` points of a grid, drawn at random, none twice.

    objective: of a dict, one value a name. space: name -> list of values. keep: a file to which each run is written
    when it has ended, and from which a search that was interrupted goes on; the first runs of a longer search are
    those of a shorter one of the same seed. A run that raises, or whose value is not finite, is kept as a failed one,
    and the search goes on.

    Raises ValueError for a bad space, for fewer than 1 or more runs than the grid has points, and where `keep` belongs
    to another search; before any run.
    """
    size = check_space(space)
    if not 1 <= runs <= size:
        raise ValueError(f"runs={runs}: the grid has {size} points, none is taken twice; give 1 to {size}")
    search = Search({name: list(values) for name, values in space.items()}, maximise)
    file = _Kept(keep, {"space": search.space, "seed": seed}) if keep is not None else None
    points = draw(space, runs, seed)
    bar = _bar(runs) if progress else None
    for number, settings in enumerate(points):
        run = file.runs.get(json.dumps(settings)) if file else None
        if run is None:
            run = _call(objective, number, settings)
            if file:
                file.add(run)
        search.runs.append(run)
        if bar is not None:
            bar.update()
    if bar is not None:
        bar.close()
    return search


def draw(space: dict[str, Sequence], runs: int, seed: int) -> list[Settings]:
    """Different random points of a grid; for the same seed, more of them begin with the same."""
    return list(itertools.islice(_points(space, seed), runs))


def _points(space: dict[str, Sequence], seed: int) -> Iterator[Settings]:
    rng, size, moved = random.Random(seed), check_space(space), {}
    for i in range(size):    # Fisher and Yates's shuffle, of which only what was moved is kept
        j = rng.randrange(i, size)
        yield point(space, moved.get(j, j))
        moved[j] = moved.get(i, i)


def point(space: dict[str, Sequence], index: int) -> Settings:
    """The point of this index: the last name changes fastest, as in `itertools.product`."""
    settings = {}
    for name, values in reversed(space.items()):
        index, i = divmod(index, len(values))
        settings[name] = values[i]
    return dict(reversed(settings.items()))


def _call(objective, number: int, settings: Settings) -> Run:
    began, error, value = time.perf_counter(), "", math.nan
    try:
        value = float(objective(dict(settings)))
        if not math.isfinite(value):
            error, value = f"the objective returned {value}", math.nan
    except Exception as failure:    # one bad point must not lose the others
        error = f"{type(failure).__name__}: {failure}"
    return Run(number, settings, value, time.perf_counter() - began, error)


class _Kept:
    """A file of finished runs: a line that says of which search, then one a run."""

    def __init__(self, path: str | Path, search: dict):
        self.path, self.runs, head = Path(path), {}, json.dumps(search)
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        if lines and lines[0] != head:
            raise ValueError(f"{self.path} belongs to another search, or is none of runs: give another file, or "
                             "delete it")
        for line in lines[1:]:
            try:
                values = json.loads(line)
            except ValueError:    # cut off while it was written
                continue
            values["value"] = math.nan if values["value"] is None else values["value"]
            self.runs[json.dumps(values["settings"])] = Run(**values)
        if not lines:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(head + "\n", encoding="utf-8")

    def add(self, run: Run) -> None:
        values = asdict(run) | {"value": None if run.error else run.value}
        whole = self.path.read_bytes().endswith(b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * (not whole) + json.dumps(values) + "\n")


# Against a Bayesian search

@dataclass
class Comparison:
    """Two searches at equal runs. curves: name -> best so far, [repeats, runs]. chosen: name -> best point of each
    repeat. Names are "random" and "bayes"."""
    curves: dict[str, numpy.ndarray]
    chosen: dict[str, list[Settings]]
    maximise: bool = True

    def difference(self, runs: int | None = None) -> Figure:
        """How much better the Bayesian search's best is after so many runs (default, all): mean over repeats, with a
        95 % bootstrap interval. Negative where random search is better. Repeats in which a search found nothing are
        left out."""
        last = (runs or self.curves["random"].shape[1]) - 1
        values = self.curves["bayes"][:, last] - self.curves["random"][:, last]
        return bootstrap([values if self.maximise else -values], "difference")

    def draw(self, name: str | None = None, ylabel: str = "best so far") -> None:
        """Both curves, mean and 95 % bootstrap interval over the repeats."""
        fig, ax = plotting.figure()
        repeats, runs = self.curves["random"].shape
        ends = {}
        for which, colour, marker in (("random", "blue", "o"), ("bayes", "vermilion", "s")):
            figures = [bootstrap([column], "value") for column in self.curves[which].T]
            x, colour = range(1, runs + 1), plotting.COLOURS[colour]
            ax.plot(x, [figure.value for figure in figures], color=colour, marker=marker, markersize=4)
            ax.fill_between(x, [figure.low for figure in figures], [figure.high for figure in figures], color=colour,
                            alpha=0.15, linewidth=0)
            ends[which] = figures[-1]
        better = max(ends, key=lambda which: ends[which].value if self.maximise else -ends[which].value)
        difference = self.difference()
        decided = difference.low > 0 or difference.high < 0
        for which, colour in (("random", "blue"), ("bayes", "vermilion")):
            up = (which == better) == self.maximise
            ax.annotate({"random": "random", "bayes": "Bayesian"}[which], (runs, ends[which].value), ha="right",
                        xytext=(0, 9 if up else -18), textcoords="offset points", color=plotting.COLOURS[colour])
        ahead = ("Bayesian" if better == "bayes" else "random") if decided else "neither"
        ax.set_title(f"After {runs} runs {ahead} search is ahead")
        ax.set_xlabel("runs")
        ax.set_ylabel(ylabel)
        plotting.show(fig, f"Best value so far, mean of {repeats} repeats: after {runs} runs random search has "
                           f"{ends['random'].value:.3g}, Bayesian search {ends['bayes'].value:.3g}.", name)


def compare_with_bayes(objective: Callable[[Settings], float], space: dict[str, Sequence], runs: int,
                       repeats: int = 20, seed: int = 0, *, maximise: bool = True,
                       sampler: Callable[[int], object] | None = None) -> Comparison:
    """Random search and optuna's tree-structured Parzen estimator (Bergstra et al. 2011) at equal runs.

    Both search the same grid; numbers are told to optuna in their order. It is not charged for a point that it
    proposes again: it is told the value at once and asked for another one. sampler: a function of a seed that makes
    another sampler of optuna; the default's first ten runs are random.

    Raises ImportError, naming the package, without optuna, and ValueError as `random_search` does.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("a Bayesian search needs the package optuna: pip install optuna") from error
    size = check_space(space)
    if not 1 <= runs <= size or repeats < 1:
        raise ValueError(f"runs={runs}, repeats={repeats}: give 1 to {size} runs, the points of the grid, and 1 "
                         "repeat or more")
    make = sampler or (lambda number: optuna.samplers.TPESampler(seed=number))
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    curves, chosen = {"random": [], "bayes": []}, {"random": [], "bayes": []}
    try:
        for repeat in range(repeats):
            found = {"random": random_search(objective, space, runs, seed + repeat, maximise=maximise),
                     "bayes": _bayes(optuna, make(seed + repeat), objective, space, runs, seed + repeat, maximise)}
            for which, search in found.items():
                curves[which].append(search.best_so_far())
                chosen[which].append(search.best.settings if search.finished else {})
    finally:
        optuna.logging.set_verbosity(verbosity)
    return Comparison({which: numpy.array(rows) for which, rows in curves.items()}, chosen, maximise)


def _bayes(optuna, sampler, objective, space, runs: int, seed: int, maximise: bool) -> Search:
    study = optuna.create_study(direction="maximize" if maximise else "minimize", sampler=sampler)
    search, known = Search(space, maximise), {}
    unseen = _points(space, seed)
    for number in range(runs):
        for _ in range(ASKED_AGAIN):
            trial = study.ask()
            settings = {name: _suggest(trial, name, values) for name, values in space.items()}
            key = json.dumps(settings)
            if key not in known:
                break
            _tell(optuna, study, trial, known[key])
        else:    # it insists: the next point is a random one
            trial = None
            settings = next(one for one in unseen if json.dumps(one) not in known)
            key = json.dumps(settings)
        known[key] = _call(objective, number, settings)
        search.runs.append(known[key])
        if trial is not None:
            _tell(optuna, study, trial, known[key])
    return search


def _suggest(trial, name: str, values: Sequence):
    ordered = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if ordered and len(values) > 1:
        ranked = sorted(values)
        return ranked[trial.suggest_int(name, 0, len(values) - 1)]
    return values[trial.suggest_categorical(name, list(range(len(values))))]


def _tell(optuna, study, trial, run: Run) -> None:
    if run.error:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    else:
        study.tell(trial, run.value)


def bootstrap(groups: Sequence[Sequence[float]], unit: str, resamples: int = 2000, seed: int = 0) -> Figure:
    """Mean of the groups' means, with a 95 % bootstrap interval: groups are resampled, and the values within each.

    groups: one a seed, say, with a value a repeat. NaN is left out. Raises ValueError where nothing is left.
    """
    rng = numpy.random.default_rng(seed)
    groups = [kept for group in groups if len(kept := numpy.asarray(group, float)[~numpy.isnan(group)])]
    if not groups:
        raise ValueError("no number to average: every run failed")
    value, n = float(numpy.mean([group.mean() for group in groups])), sum(map(len, groups))
    if n == 1:
        return Figure(value, value, value, unit, 1, "one run, no interval")
    within = [group[rng.integers(len(group), size=(resamples, len(group)))].mean(1) for group in groups]
    chosen = rng.integers(len(groups), size=(resamples, len(groups)))
    means = numpy.stack(within, 1)[numpy.arange(resamples)[:, None], chosen].mean(1)
    low, high = numpy.percentile(means, [2.5, 97.5])
    return Figure(value, min(float(low), value), max(float(high), value), unit, n)


# What matters

def importance(search: Search, resamples: int = 100, seed: int = 0, trees: int = 64) -> dict[str, Figure]:
    """Share of the variance of the value over the whole grid that each hyperparameter explains by itself.

    A random forest is fitted to the finished runs; of what it predicts at every point of the grid, the variance of
    the means at each value of one hyperparameter is divided by the whole variance: functional analysis of variance
    (Hutter, Hoos and Leyton-Brown 2014). What is missing to 1 is explained by several together. Intervals: 95 %
    bootstrap over the runs, whose forests are fitted anew. Sorted, the highest first.

    Raises ImportError, naming the package, without scikit-learn; ValueError for fewer than 3 finished runs, for values
    that are all equal, and for grids of more than 200,000 points.
    """
    runs = search.finished
    if len(runs) < 3:
        raise ValueError(f"{len(runs)} finished runs: importance needs at least 3, and says little below 20")
    if math.prod(map(len, search.space.values())) > MOST_POINTS:
        raise ValueError(f"the grid has more than {MOST_POINTS} points: give fewer values a hyperparameter")
    values = numpy.array([run.value for run in runs])
    if numpy.ptp(values) == 0:
        raise ValueError(f"all {len(runs)} values are equal, {values[0]:g}: there is no variance to explain")
    places = {name: list(values) for name, values in search.space.items()}
    points = numpy.array([[places[name].index(run.settings[name]) for name in places] for run in runs])
    shares = _shares(points, values, search.space, trees, seed)
    rng = numpy.random.default_rng(seed)
    again = []
    while len(again) < resamples:
        chosen = rng.integers(len(runs), size=len(runs))
        if numpy.ptp(values[chosen]) > 0:
            again.append(_shares(points[chosen], values[chosen], search.space, trees, seed + 1 + len(again)))
    figures = {}
    for i, name in enumerate(search.space):
        value = float(shares[i])
        low, high = numpy.percentile([row[i] for row in again], [2.5, 97.5]) if again else (value, value)
        figures[name] = Figure(value, min(float(low), value), max(float(high), value), "share", len(runs),
                               "95 % bootstrap interval" if again else "no interval")
    return dict(sorted(figures.items(), key=lambda entry: -entry[1].value))


def _shares(points: numpy.ndarray, values: numpy.ndarray, space: dict[str, Sequence], trees: int,
            seed: int) -> numpy.ndarray:
    try:
        from sklearn.ensemble import RandomForestRegressor
    except ImportError as error:
        raise ImportError("importance needs the package scikit-learn: pip install scikit-learn") from error
    sizes = [len(values) for values in space.values()]
    columns = range(len(sizes))
    unordered = [i for i, values in enumerate(space.values()) if not all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)]

    def encoded(rows: numpy.ndarray) -> numpy.ndarray:    # what has no order gets a column a value
        parts = [rows[:, [i]] for i in columns if i not in unordered]
        parts += [(rows[:, [i]] == numpy.arange(sizes[i])) for i in unordered]
        return numpy.concatenate(parts, 1).astype(numpy.float32)

    grid = numpy.array(list(itertools.product(*map(range, sizes))))
    forest = RandomForestRegressor(n_estimators=trees, random_state=seed).fit(encoded(points), values)
    predicted = forest.predict(encoded(grid)).reshape(sizes)
    whole = predicted.var()
    if whole == 0:
        return numpy.zeros(len(sizes))
    others = [tuple(j for j in columns if j != i) for i in columns]
    return numpy.array([predicted.mean(other).var() / whole for other in others])


def draw_importance(figures: dict[str, Figure], name: str | None = None) -> None:
    """Bars of `importance`, with their intervals."""
    fig, ax = plotting.figure(height=0.6 + 0.45 * len(figures))
    names = list(figures)[::-1]
    for i, which in enumerate(names):
        figure = figures[which]
        ax.plot([figure.low, figure.high], [i, i], color=plotting.COLOURS["blue"], linewidth=3, alpha=0.4)
        ax.plot(figure.value, i, color=plotting.COLOURS["blue"], marker="o")
    ax.set_yticks(range(len(names)), names)
    ax.set_xlim(0, 1)
    ax.set_xlabel("share of the variance explained")
    first, second = (list(figures) + [None])[:2]
    sure = second is None or figures[first].low > figures[second].high
    ax.set_title(f"{first} matters most" if sure else f"{first} or {second} matters most")
    said = ", ".join(f"{which} {figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"
                     for which, figure in figures.items())
    plotting.show(fig, f"Share of the variance that each hyperparameter explains: {said}.", name)


def _bar(runs: int):
    try:
        from tqdm.auto import tqdm
    except ImportError:    # searching does not need it
        return None
    return tqdm(total=runs, desc="search", unit="run")
