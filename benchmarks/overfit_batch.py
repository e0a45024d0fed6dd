"""What healthy models do on one batch of 16: do they overfit it, at what size, how soon, at which learning rate?

    python -m benchmarks.overfit_batch [--seeds 0 1 2 3 4] [--results results] [--quick]

    sizes           transformer classifiers of 1,000 to 10 million parameters, two layers, four sizes a decade, on
                    random tokens with random labels of ten classes, Adam, three learning rates, no dropout
    regularisation  healthy programs of `course_lib.diagnostics.zoo`, each with its own optimiser and learning rate:
                    without dropout and weight decay, and with one of them
    depth           time until the batch is overfitted, 12 layers and 2, the best of the same learning rates
    rates           the same programs without regularisation, plain SGD and Adam at 1e-6, 1e-5, ..., 1e3

A batch is overfitted when the loss falls below 0.01; of a regression, below a hundredth of the target's variance. The
loss is that of the training step, dropout included, and for the zoo's programs the mean of ten steps. Weight decay is
that of the program's optimiser: decoupled for AdamW, else added to the gradient; "decoupled" figures are with Adam as
AdamW. Dropout of 0.1 goes where the program has dropout layers, else before its last layer. Zoo programs that differ
from another only in data or training loop are left out. Times are CPU times of the process, since other programs may run beside it. Writes
`<results>/overfit_batch/<hardware>.json`; figures named like claims of chapter 4 decide them. About 5 minutes on one
thread; finished runs are kept if it is interrupted.
"""
import argparse
import functools
import math
import random
import statistics
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from benchmarks.bug_zoo import hash_of
from benchmarks.over_seeds import Runs
from course_lib.benchmarking import benchmark
from course_lib.diagnostics.zoo.cases import Case, Setup
from course_lib.diagnostics.zoo.healthy import LOSS, MODEL, PLAIN
from course_lib.metrics import wilson_interval
from course_lib.results import Figure, record
from course_lib.training import set_seed

OVERFITTED, WINDOW = 0.01, 10
CLASSES, VOCABULARY, LENGTH, BATCH = 10, 20, 8, 16
RATES = (1e-3, 1e-2, 1e-4)
WIDE_RATES = tuple(10.0 ** power for power in range(-6, 4))
ABSURD = 10.0
#: (dropout, weight decay, and whether Adam's is decoupled, as AdamW's always is)
REGULARISATION = {"none": (0.0, 0.0, False), "dropout": (0.1, 0.0, False), "small-decay": (0.0, 0.01, False),
                  "large-decay": (0.0, 0.1, False), "decoupled-decay": (0.0, 0.1, True)}
USUAL = ("dropout", "small-decay", "large-decay")
SIZES = dict(sizes=[10 ** (3 + n / 4) for n in range(17)], steps=600, depth_steps=300, few_steps=40, width=64,
             depths=[12, 2])
QUICK = SIZES | dict(sizes=[1e3, 1e4], steps=12, depth_steps=12, few_steps=2, width=8, depths=[3, 1])


class Classifier(nn.Module):
    """Embeddings, a transformer encoder without dropout, the mean over the tokens, ten logits."""

    def __init__(self, width: int, layers: int = 2):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, width)
        self.places = nn.Embedding(LENGTH, width)
        layer = nn.TransformerEncoderLayer(width, 1, 4 * width, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:    # [batch, length] -> [batch, classes]
        return self.head(self.encoder(self.words(ids) + self.places.weight).mean(1))


def parameters_of(width: int) -> int:
    with torch.device("meta"):
        return sum(weight.numel() for weight in Classifier(width).parameters())


def width_for(parameters: float) -> int:
    """The width whose model comes nearest to so many parameters, on a log scale."""
    guess = max(1, int(math.sqrt(parameters / 24)))    # a layer has about 12 width² of them
    return min(range(max(1, guess - 8), guess + 2), key=lambda width: abs(math.log(parameters_of(width) / parameters)))


def fit(model: nn.Module, loss_of: Callable[[], Tensor], optimiser: torch.optim.Optimizer, steps: int,
        below: float = -math.inf, window: int = 1) -> dict:
    """Train on the one batch until the mean of the last `window` losses is below `below`, at most `steps` steps.

    Returns loss (that mean; inf once it is not finite), reached, steps, and seconds of CPU time.
    """
    model.train()
    losses, start = [], time.process_time()
    for _ in range(steps):
        loss = loss_of()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        mean = statistics.fmean(losses[-window:])
        if not math.isfinite(mean) or (len(losses) >= window and mean < below):
            break
    loss = mean if math.isfinite(mean) else math.inf
    return {"loss": loss, "reached": len(losses) >= window and loss < below, "steps": len(losses),
            "seconds": time.process_time() - start}


def overfit_transformer(width: int, layers: int, rate: float, steps: int, seed: int) -> dict:
    """A classifier on random tokens and labels; the seed draws weights and batch."""
    set_seed(seed)
    ids, labels = torch.randint(VOCABULARY, (BATCH, LENGTH)), torch.randint(CLASSES, (BATCH,))
    model = Classifier(width, layers)
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    return fit(model, lambda: F.cross_entropy(model(ids), labels), adam, steps, OVERFITTED)


def one_size(parameters: float, sizes: dict, seed: int) -> dict:
    """Whether a model of this size overfits its batch at one of RATES; the search ends with the first that does."""
    width = width_for(parameters)
    for rate in RATES:
        run = overfit_transformer(width, 2, rate, sizes["steps"], seed)
        if run["reached"]:
            break
    return {"parameters": parameters_of(width), "width": width, "rate": rate, **run}


def depth_run(sizes: dict, seed: int) -> dict:
    """CPU seconds until the batch is overfitted at the quickest rate, by number of layers; the depths take turns."""
    runs = [(layers, rate, overfit_transformer(sizes["width"], layers, rate, sizes["depth_steps"], seed))
            for rate in RATES for layers in sizes["depths"]]
    best = {}
    for layers in sizes["depths"]:
        mine = [(run["seconds"], run["steps"], rate) for depth, rate, run in runs if depth == layers and run["reached"]]
        # One that never arrives counts with all the time that it had, so that the ratio is a lower bound.
        best[str(layers)] = min(mine) if mine else max((run["seconds"], run["steps"], rate)
                                                       for depth, rate, run in runs if depth == layers)
    return best


# Programs of the zoo.

def loss_on_batch(setup: Setup) -> Tensor:
    inputs, targets = setup.batch
    outputs = setup.model(*inputs) if isinstance(inputs, tuple) else setup.model(inputs)
    return setup.loss_fn(outputs, targets).mean()


def threshold(setup: Setup) -> float:
    return OVERFITTED * (setup.batch[1].var().item() if setup.task == "regression" else 1.0)


def regularise(setup: Setup, dropout: float, decay: float, decoupled: bool = False) -> None:
    """Set the dropout and the weight decay of a program; learning rates are those before any warm-up."""
    layers = [module for module in setup.model.modules() if isinstance(module, nn.Dropout)]
    for layer in layers:
        layer.p = dropout
    if dropout and not layers:
        last = [module for module in setup.model.modules() if isinstance(module, (nn.Linear, nn.Conv1d))][-1]
        last.register_forward_pre_hook(lambda module, inputs: (F.dropout(inputs[0], dropout), *inputs[1:]))
    for group in setup.optimizer.param_groups:
        group["weight_decay"] = decay
        if decoupled and "decoupled_weight_decay" in group:
            group["decoupled_weight_decay"] = True
        group["lr"] = group.get("initial_lr", group["lr"])


def regularised_runs(case: Case, sizes: dict, seed: int) -> dict:
    """{name in REGULARISATION: run}; only "none" if that does not overfit its batch."""
    found = {}
    for name, settings in REGULARISATION.items():
        setup = case.build(seed)
        set_seed(seed)
        regularise(setup, *settings)
        found[name] = fit(setup.model, functools.partial(loss_on_batch, setup), setup.optimizer, sizes["steps"],
                          threshold(setup), WINDOW)
        if not found["none"]["reached"]:
            break
    return found


def rate_runs(case: Case, sizes: dict, seed: int) -> dict:
    """{"sgd" and "adam": the loss after a few steps at each of WIDE_RATES}"""
    found = {}
    for name, kind in (("sgd", torch.optim.SGD), ("adam", torch.optim.Adam)):
        found[name] = []
        for rate in WIDE_RATES:
            setup = case.build(seed)
            set_seed(seed)
            regularise(setup, 0.0, 0.0)
            optimiser = kind([weight for weight in setup.model.parameters() if weight.requires_grad], lr=rate)
            found[name].append(fit(setup.model, functools.partial(loss_on_batch, setup), optimiser,
                                   sizes["few_steps"], window=WINDOW)["loss"])
    return found


def best_rate(losses: list[float]) -> float:
    """The rate of the lowest loss; of equal ones the highest rate, which speaks against the claim."""
    return max(rate for rate, loss in zip(WIDE_RATES, losses) if loss == min(losses))


def share(judged: Iterable[bool]) -> Figure:
    judged = list(judged)
    return Figure(sum(judged) / len(judged), *wilson_interval(sum(judged), len(judged)), "share", len(judged),
                  "95 % Wilson interval")


def median_ratio(ratios: list[float]) -> Figure:
    rng = random.Random(0)
    medians = sorted(statistics.median(rng.choices(ratios, k=len(ratios))) for _ in range(2000))
    return Figure(statistics.median(ratios), medians[49], medians[1949], "ratio", len(ratios))


def figures_of(by_size: list[dict], by_depth: list[dict], regularised: list[dict],
               rates: list[dict]) -> dict[str, Figure]:
    """Shares of models, and the ratio of times within a seed (deeper first)."""
    free = [one["none"]["reached"] for one in regularised]
    stuck = {name: [works and not one[name]["reached"] for works, one in zip(free, regularised)]
             for name in REGULARISATION if name != "none"}
    best = {name: [best_rate(one[name]) for one in rates] for name in ("sgd", "adam")}
    return {
        "capacity-rarely-to-blame": share(not one["reached"] for one in by_size),
        "regularisation-off": share(map(any, zip(*(stuck[name] for name in USUAL)))),
        "regularisation-off-decoupled": share(map(any, zip(stuck["dropout"], stuck["decoupled-decay"]))),
        "overfitted-without-regularisation": share(free),
        **{f"stuck-with-{name}": share(judged) for name, judged in stuck.items()},
        "small-model-is-quicker": median_ratio([deep[0] / shallow[0] for deep, shallow in map(dict.values, by_depth)]),
        "steps-deep-over-shallow": median_ratio([deep[1] / shallow[1] for deep, shallow in map(dict.values, by_depth)]),
        "absurd-learning-rate-is-a-sign": share(max(pair) < ABSURD for pair in zip(best["sgd"], best["adam"])),
        **{f"best-rate-below-10-{name}": share(rate < ABSURD for rate in best[name]) for name in best},
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="of the comparison of depths")
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few models and steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SIZES
    cases = PLAIN[6:9] if options.quick else PLAIN + MODEL + LOSS
    runs, seed = Runs(options.results, "overfit_batch"), options.seeds[0]

    def each(part: str, things: Iterable, run: Callable, name: Callable) -> list[dict]:
        return [runs.get({"part": part, "of": name(thing), "seed": seed, **sizes}, lambda: run(thing))
                for thing in tqdm(things, part)]

    with benchmark.set_torch_threads(options.threads):
        by_depth = each("depth", options.seeds, lambda one: depth_run(sizes, one), int)
        by_size = each("sizes", sizes["sizes"], lambda one: one_size(one, sizes, seed), float)
        def name(case):    # with the program's text: a program that changes is run again
            return [case.name, hash_of(case)]

        regularised = each("regularisation", cases, lambda case: regularised_runs(case, sizes, seed), name)
        rates = each("rates", cases, lambda case: rate_runs(case, sizes, seed), name)
    figures = figures_of(by_size, by_depth, regularised, rates)
    table = [{"case": case.name, "steps": {name: run["steps"] if run["reached"] else None for name, run in one.items()},
              "loss_without": float(f"{one['none']['loss']:.3g}"),
              **{f"best_rate_{name}": best_rate(losses) for name, losses in wide.items()}}
             for case, one, wide in zip(cases, regularised, rates)]
    for name, figure in figures.items():
        print(f"{name:36} {figure}")
    path = record(
        "overfit_batch", figures, folder=options.results, device="cpu",
        what="What healthy models do on one batch of 16: whether they overfit it by size and with regularisation, "
             "how soon by depth, and at which learning rate they learn it best.",
        settings={**sizes, "sizes": [one["parameters"] for one in by_size], "batch": BATCH, "overfitted": OVERFITTED,
                  "rates": RATES, "wide_rates": WIDE_RATES, "seeds": options.seeds, "threads": options.threads,
                  "by_size": [{key: one[key] for key in ("parameters", "width", "rate", "reached", "steps")}
                              for one in by_size],
                  "seconds_and_steps_by_depth": by_depth, "programs": table})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
