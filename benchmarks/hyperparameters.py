"""Random search on a manual grid, Bayesian search beside it, and which hyperparameter matters.

    python -m benchmarks.hyperparameters [--data rt_polarity] [--seeds 0 1 2 3 4] [--results results] [--quick]

A deep averaging network (Iyyer et al. 2015) learns to tell good reviews from bad ones at each of the 108 points of a
grid: learning rate, width, dropout, batch size. --data: real reviews, the folder of Pang and Lee's sentence polarity
data; without it, reviews written by the grammar. A seed draws split, weights and batches. What is searched is then
this table: a search sees validation accuracies, and is judged by the test accuracy of the point it chose.

- random-search-effective: (best of 10 random points - median point) / (best point of the grid - median point).
- random-is-tough-to-beat: Bayesian search (optuna's tree-structured Parzen estimator, its defaults) minus random
  search, 20 runs each, points; bayes-gaussian-process-minus-random the same with optuna's Gaussian process.
- thousand-runs-pointless: all 108 points minus 20 of them.
- few-runs-show-importance: share of disjoint draws of 8 points that rank first what all points rank first.
- tuned-gain: best of 20 random points minus torch's defaults: AdamW at 1e-3, dropout .5, the middle width and batch.

(A first run of two epochs left the defaults and half of the grid at chance; the training was made longer before any
other figure was looked at.)

Intervals are 95 %: Wilson's for the share of draws (disjoint within a seed, so that none is counted twice), else
bootstrap over seeds and the repeats within each. Writes `<results>/hyperparameters/<hardware>.json`; figures that
decide a claim bear its id. The table is in `settings`, points in the order of `itertools.product`. About two minutes
a seed on one thread; finished runs are kept if it is interrupted.
"""
import argparse
import dataclasses
import itertools
import math
import statistics
import time
from collections import Counter

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.over_seeds import Runs
from course_lib.benchmarking import benchmark
from course_lib.data.reviews import load_reviews
from course_lib.diagnostics.search import Run, Search, bootstrap, compare_with_bayes, draw, importance, log_range, point
from course_lib.results import Figure, record
from course_lib.training import Diverged, evaluating, pad, set_seed, train

SPACE = {"learning_rate": log_range(1e-4, 3e-2, 6), "width": [16, 32, 64], "dropout": [0.0, 0.3, 0.6],
         "batch": [32, 128]}
DEFAULTS = {"learning_rate": 1e-3, "width": 32, "dropout": 0.5, "batch": 64}
SIZES = dict(reviews=4000, held_out=3000, epochs=6, repeats=20, process_repeats=4, runs=20, few=10, very_few=8,
             draws=200, trees=64)
QUICK = SIZES | dict(reviews=140, held_out=30, epochs=1, repeats=2, process_repeats=1, draws=5, trees=8)
PAD, UNKNOWN = 0, 1


class DeepAveraging(nn.Module):
    """Mean of the embeddings of the words, a hidden layer, two logits."""

    def __init__(self, vocabulary: int, width: int, dropout: float):
        super().__init__()
        self.words = nn.EmbeddingBag(vocabulary, width, mode="mean", padding_idx=PAD)
        nn.init.normal_(self.words.weight, std=0.1)    # torch starts at 1, which no short training moves
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout),
                                    nn.Linear(width, 2))

    def forward(self, ids: Tensor) -> Tensor:    # [batch, length] -> [batch, 2]
        return self.layers(self.words(ids))


class Task:
    """Reviews as ids, split by a seed. Words that stand in the training part once are unknown."""

    def __init__(self, source: str | None, sizes: dict, seed: int):
        reviews = load_reviews(sizes["reviews"], sizes["held_out"], seed=seed, source=source)
        counts = Counter(word for text in reviews.train["text"] for word in text.lower().split())
        self.words = {word: i + 2 for i, word in enumerate(sorted(word for word, n in counts.items() if n > 1))}
        self.parts = {name: (pad([[self.words.get(word, UNKNOWN) for word in text.lower().split()] or [UNKNOWN]
                                  for text in part["text"]], PAD)[0], torch.tensor(part["label"]))
                      for name, part in (("train", reviews.train), ("validation", reviews.validation),
                                         ("test", reviews.test))}
        self.sizes, self.seed = sizes, seed

    def run(self, settings: dict) -> dict:
        """Validation and test accuracy of a model trained so; 0.5, chance, where training diverged."""
        began = time.process_time()
        set_seed(self.seed)
        model = DeepAveraging(len(self.words) + 2, settings["width"], settings["dropout"])
        texts, labels = self.parts["train"]
        generator, size = torch.Generator().manual_seed(self.seed), settings["batch"]
        steps = self.sizes["epochs"] * len(texts) // size

        def batches():
            while True:
                for rows in torch.randperm(len(texts), generator=generator).split(size):
                    if len(rows) == size:
                        yield texts[rows], labels[rows]

        try:
            train(model, batches(), lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]), steps=steps,
                  learning_rate=settings["learning_rate"], progress=False)
            found = {name: self.accuracy(model, name) for name in ("validation", "test")}
        except Diverged:
            found = {"validation": 0.5, "test": 0.5}
        return found | {"seconds": time.process_time() - began}

    def accuracy(self, model: nn.Module, part: str) -> float:
        texts, labels = self.parts[part]
        with evaluating(model):
            return float((model(texts).argmax(1) == labels).float().mean())


# What the table says

def index_of(settings: dict) -> int:
    """Its place in the grid."""
    index = 0
    for name, values in SPACE.items():
        index = index * len(values) + values.index(settings[name])
    return index


def chosen(validation: list[float], test: list[float], points: list[int]) -> float:
    """Test accuracy of the point that is best in validation, of these."""
    return test[max(points, key=validation.__getitem__)]


def wilson(right: int, n: int) -> Figure:
    """A share with Wilson's 95 % interval (Wilson 1927)."""
    z, share = 1.959964, right / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return Figure(share, min(low, share), max(high, share), "share", n, "95 % Wilson interval")


def over(groups: list[list[float]], unit: str) -> Figure:
    """Mean over seeds, each with the values of its repeats."""
    return dataclasses.replace(bootstrap(groups, unit), n=len(groups),
                               spread="95 % bootstrap interval over seeds and repeats")


def search_of(validation: list[float], points: list[int]) -> Search:
    return Search(SPACE, True, [Run(i, point(SPACE, i), validation[i], 0.0) for i in points])


def first(validation: list[float], points: list[int], trees: int) -> str | None:
    """The hyperparameter ranked first by these points; None where they are all alike."""
    if len({validation[i] for i in points}) < 2:
        return None
    return next(iter(importance(search_of(validation, points), resamples=0, trees=trees)))


def process_sampler(seed: int):
    """Optuna's Gaussian process."""
    import optuna
    import warnings
    with warnings.catch_warnings():    # that it is experimental
        warnings.simplefilter("ignore")
        return optuna.samplers.GPSampler(seed=seed)


def figures_of(tables: list[dict], sizes: dict) -> tuple[dict[str, Figure], dict]:
    """tables: one a seed, with validation and test, lists over the grid, and default, the test accuracy of the
    library's defaults. Returns figures, and the curves of the searches."""
    whole, runs = list(range(math.prod(map(len, SPACE.values())))), sizes["runs"]
    effective, more, gain, difference, process = [], [], [], [], []
    curves = {"random": [], "bayes": []}
    agree = draws = 0
    for number, table in enumerate(tables):
        validation, test = table["validation"], table["test"]

        def drawn(size: int) -> list[float]:
            return [chosen(validation, test, [index_of(one) for one in draw(SPACE, size, seed)])
                    for seed in range(sizes["draws"])]

        best, median = chosen(validation, test, whole), statistics.median(test)
        of_runs = drawn(runs)
        effective.append([(value - median) / (best - median) for value in drawn(sizes["few"])]
                         if best > median else [0.0])
        more.append([100 * (best - value) for value in of_runs])
        gain.append([100 * (value - table["default"]) for value in of_runs])
        for kept, repeats, sampler in ((difference, sizes["repeats"], None),
                                       (process, sizes["process_repeats"], process_sampler)):
            found = compare_with_bayes(lambda settings: validation[index_of(settings)], SPACE, runs, repeats,
                                       1000 * number, sampler=sampler)
            kept.append([100 * (test[index_of(bayes)] - test[index_of(other)])
                         for bayes, other in zip(found.chosen["bayes"], found.chosen["random"])])
            if sampler is None:
                for name in curves:
                    curves[name].append(found.curves[name].mean(0))
        ranked = first(validation, whole, sizes["trees"])
        order = [index_of(one) for one in draw(SPACE, len(whole), number)]
        few = sizes["very_few"]
        for start in range(0, len(order) - few + 1, few):
            draws += 1
            agree += ranked is not None and first(validation, order[start:start + few], sizes["trees"]) == ranked
        print(f"seed {number}: best {best:.4f}, median {median:.4f}, default {table['default']:.4f}, first {ranked}",
              flush=True)
    figures = {
        "random-search-effective": over(effective, "share"),
        "random-is-tough-to-beat": over(difference, "points"),
        "bayes-gaussian-process-minus-random": over(process, "points"),
        "thousand-runs-pointless": over(more, "points"),
        "few-runs-show-importance": wilson(agree, draws),
        "tuned-gain": over(gain, "points"),
        "best-of-the-grid": over([[chosen(t["validation"], t["test"], whole)] for t in tables], "share"),
        "median-of-the-grid": over([[statistics.median(t["test"])] for t in tables], "share"),
        "defaults": over([[t["default"]] for t in tables], "share"),
        "seconds-a-run": over([[t["seconds"]] for t in tables], "s"),
    }
    shares = [importance(search_of(t["validation"], whole), resamples=0, trees=sizes["trees"]) for t in tables
              if len(set(t["validation"])) > 1]
    for name in SPACE if shares else ():
        figures[f"importance-{name.replace('_', '-')}"] = over([[share[name].value] for share in shares], "share")
    return figures, {name: [round(float(x), 4) for x in numpy.mean(rows, 0)] for name, rows in curves.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the sentence polarity data (default: reviews of the grammar)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--runs", default="my_results", help="folder for finished runs (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes = dict(QUICK if options.quick else SIZES)
    runs, tables = Runs(options.runs, "hyperparameters"), []
    names = ("reviews", "held_out", "epochs")
    with benchmark.set_torch_threads(options.threads):
        for seed in options.seeds:
            task = None
            found = []
            for settings in [*(dict(zip(SPACE, values)) for values in itertools.product(*SPACE.values())), DEFAULTS]:
                def one() -> dict:
                    nonlocal task
                    task = task or Task(options.data, sizes, seed)
                    return task.run(settings)
                key = {"real": bool(options.data), "seed": seed, **{name: sizes[name] for name in names}}
                found.append(runs.get(key | settings, one))
            print(f"seed {seed}: {sum(one['seconds'] for one in found):.0f} s", flush=True)
            tables.append({name: [one[name] for one in found[:-1]] for name in ("validation", "test")} | {
                "default": found[-1]["test"], "seconds": statistics.median(one["seconds"] for one in found)})
        figures, curves = figures_of(tables, sizes)
    path = record(
        "hyperparameters", figures, folder=options.results, device="cpu",
        what="Random and Bayesian search on a grid of 108 settings of a deep averaging network for film reviews, at "
             "equal runs, and which hyperparameter matters.",
        settings={**sizes, "space": SPACE, "defaults": DEFAULTS, "real_reviews": bool(options.data),
                  "seeds": options.seeds, "threads": options.threads, "curves": curves,
                  "tables": [{name: [round(x, 4) for x in table[name]] for name in ("validation", "test")}
                             for table in tables]})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
