"""Real film reviews: what a rule, simple baselines and a small transformer reach, and what truncation costs.

    python -m benchmarks.film_reviews --data FOLDER [--seeds 0 1 2] [--results results] [--quick]

FOLDER holds one *.pos and one *.neg file, a review a line: the sentence polarity data of Pang and Lee (2005), 10,662
sentences, here 80 % to train on, 10 % to validate, 10 % to test, in an order drawn by seed 0.

The rule was written before any review was read: two lists of words of everyday English, a negation turns the next
three words, a tie is positive. Baselines are those of `course_lib.diagnostics.baselines`; the best of them is picked
on the validation texts. The transformer (two layers, width 64, WordPiece of 4,000) learns from the same texts and
keeps the weights of its best validation loss; its answers are judged for each seed. Intervals: 95 % bootstrap over
the test texts, paired (a text counts the mean over seeds for the transformer).

Truncation: the shortest limit that cuts at most 30 % of the texts; the model of words is trained and judged on texts
cut to their start, their end, or half of each, the best way picked on validation texts. Beside it the same on reviews of
the grammar, whose verdict stands last.

Writes `<results>/film_reviews/<hardware>.json`; figures that decide a claim bear its id. About 3 minutes on one
thread; finished seeds are kept if it is interrupted.
"""
import argparse
import re
import statistics

import numpy
import torch

from benchmarks.frozen_embeddings import Classifier
from benchmarks.over_seeds import Runs
from benchmarks.pretraining_tasks import batches
from course_lib.benchmarking import benchmark
from course_lib.data.reviews import load_reviews
from course_lib.diagnostics.audit_labels import cut, wilson
from course_lib.diagnostics.audit_texts import _UNIT
from course_lib.diagnostics.baselines import bag_of_words, baselines
from course_lib.results import Figure, record
from course_lib.tokenization import train_wordpiece
from course_lib.training import cross_entropy, evaluating, set_seed, train
from course_lib.transformer import Transformer, TransformerConfig

SIZES = dict(train=8530, held_out=1066, width=64, layers=2, vocabulary=4000, batch=32, steps=1000, grammar=3000)
QUICK = SIZES | dict(train=200, held_out=60, width=16, layers=1, vocabulary=600, steps=4, grammar=200)
OPTIMISER = dict(learning_rate=1e-3, warmup=100, decay="cosine", weight_decay=0.05, clip=1.0)
LONGEST = 64    # tokens that the transformer reads
RESAMPLES = 4000

GOOD = set("""good great best better love loved loves lovely enjoy enjoyed enjoyable funny fun wonderful excellent beautiful
beautifully brilliant amazing perfect perfectly charming clever smart moving touching powerful fresh original delightful
entertaining fascinating gripping warm honest strong superb masterpiece memorable hilarious witty worth recommend heart
happy impressive solid sweet rich fine treat joy pleasure pleasant thoughtful""".split())
BAD = set("""bad worse worst boring bored dull awful terrible horrible poor poorly weak stupid silly waste wasted lame fails
fail failed failure mess ugly annoying predictable flat tired tedious slow empty pointless ridiculous disappointing
disappointment unfunny lack lacks lacking lazy cheap dumb forced shallow never no nothing problem unfortunately hate hated
mediocre painful confusing confused cliche cliches cliched too""".split())
NEGATIONS = {"not", "n't", "never", "no", "without", "hardly", "isn't", "doesn't", "don't", "can't", "won't", "neither", "nor"}


def rule(text: str) -> int:
    """The rule written by hand: 1 positive, 0 negative."""
    score, turned = 0, 0
    for word in re.findall(r"[\w']+", text.lower()):
        value = (word in GOOD) - (word in BAD)
        score += -value if turned and word not in NEGATIONS else value
        turned = 3 if word in NEGATIONS else max(0, turned - 1)
    return int(score >= 0)


def transformer_answers(seed: int, sizes: dict, source: str) -> list[int]:
    """The answers of a small transformer to the test texts."""
    reviews = load_reviews(sizes["train"], sizes["held_out"], source=source)
    rows, held_out, test = list(reviews.train), list(reviews.validation), list(reviews.test)
    tokenizer = train_wordpiece([row["text"] for row in rows], sizes["vocabulary"])
    set_seed(seed)
    model = Classifier(Transformer(TransformerConfig(
        vocabulary=len(tokenizer), width=sizes["width"], heads=4, encoder_layers=sizes["layers"], context=LONGEST, dropout=0.3)))

    def scores(batch):
        return model(*tokenizer.batch([row["text"] for row in batch], length=LONGEST))

    def loss_of(_, batch):
        return cross_entropy(scores(batch), torch.tensor([row["label"] for row in batch]))

    def parts(some):
        return [some[start:start + 128] for start in range(0, len(some), 128)]

    train(model, batches(rows, sizes["batch"], seed), loss_of, steps=sizes["steps"], progress=False,
          validate=lambda: statistics.fmean(float(loss_of(model, part)) for part in parts(held_out)), validate_every=100, **OPTIMISER)
    with evaluating(model):
        answers = [guess for part in parts(test) for guess in scores(part).argmax(1).tolist()]
    print(f"seed {seed}, transformer: {statistics.fmean(a == row['label'] for a, row in zip(answers, test)):.3f}", flush=True)
    return answers


def bootstrap(values, statistic, unit: str, seed: int = 0) -> Figure:
    """statistic(rows of values) with its interval over resampled rows. values: [texts, columns]."""
    values, rng = numpy.asarray(values, dtype=float), numpy.random.default_rng(seed)
    found = [statistic(values[rng.integers(len(values), size=len(values))]) for _ in range(RESAMPLES)]
    low, high = numpy.percentile(found, [2.5, 97.5])
    value = float(statistic(values))
    return Figure(value, min(float(low), value), max(float(high), value), unit, len(values), "95 % bootstrap interval over test texts")


def truncation(parts: list[list[dict]]) -> dict:
    """The cost of each way to cut, and the best against keeping the start. parts: train, validation, test rows."""
    lengths = sorted(len(_UNIT.findall(row["text"])) for row in parts[0])
    limit = lengths[int(0.7 * len(lengths))]
    share = sum(n > limit for n in lengths) / len(lengths)
    labels = [[row["label"] for row in part] for part in parts]
    right = {}
    for keep in ("start", "end", "both", "whole"):
        texts = [[row["text"] if keep == "whole" else cut(row["text"], limit, keep) for row in part] for part in parts]
        model = bag_of_words().fit(texts[0], labels[0])
        right[keep] = [(model.predict(texts[i]) == labels[i]).astype(int).tolist() for i in (1, 2)]
    best = max(("start", "end", "both"), key=lambda keep: (statistics.fmean(right[keep][0]), keep == "start"))
    return {"limit": limit, "share": share, "best": best, "test": {keep: one[1] for keep, one in right.items()}}


def figures_of(table, picked: str, answers: list[list[int]], labels: list[int], cuts: dict) -> dict[str, Figure]:
    """All figures. table: the baselines on the test texts; picked: the best by validation; cuts: "film" and "grammar"."""
    right = {one.name: [float(a == b) for a, b in zip(one.guesses, labels)] for one in table if one.guesses}
    right["transformer"] = [statistics.fmean(float(a == b) for a in some) for some, b in zip(zip(*answers), labels)]
    best = max((picked, "transformer"), key=lambda name: statistics.fmean(right[name]))
    majority = statistics.fmean(right["majority"])
    figures = {f"accuracy-{one.name.replace(' ', '-')}": Figure(*wilson(sum(right[one.name]), len(labels)), "share", len(labels),
                                                               "95 % Wilson interval") for one in table if one.guesses}
    figures["accuracy-transformer"] = bootstrap(numpy.array(right["transformer"])[:, None], lambda x: x.mean(), "share")
    figures["fancy-wins-by-little"] = bootstrap(
        numpy.array([right["transformer"], right[picked]]).T, lambda x: 100 * (x[:, 0] - x[:, 1]).mean(), "points")
    # The majority of a balanced set is one half but for chance: the rule is judged against one half or what it has, the greater.
    floor = max(0.5, majority)
    figures["rules-perform-decently"] = bootstrap(
        numpy.array([right["rule"], right[best]]).T, lambda x: (x[:, 0].mean() - floor) / max(1e-3, x[:, 1].mean() - floor), "share")
    for name, one in cuts.items():
        test, prefix = one["test"], "" if name == "film" else f"{name}-"
        both = numpy.array([test[one["best"]], test["start"], test["whole"]]).T
        figures["truncation-matters" if not prefix else f"{name}-truncation"] = bootstrap(
            both, lambda x: 100 * (x[:, 0] - x[:, 1]).mean(), "points")
        figures[f"{prefix}truncation-cost-of-the-start"] = bootstrap(both, lambda x: 100 * (x[:, 2] - x[:, 1]).mean(), "points")
        for keep in ("end", "both"):
            figures[f"{prefix}truncation-{keep}-minus-start"] = bootstrap(
                numpy.array([test[keep], test["start"]]).T, lambda x: 100 * (x[:, 0] - x[:, 1]).mean(), "points")
        figures[f"{prefix}truncated-share"] = Figure(*([one["share"]] * 3), "share", 1, "counted")
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder with one *.pos and one *.neg file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SIZES
    runs = Runs(options.results, "film_reviews")
    reviews = load_reviews(sizes["train"], sizes["held_out"], source=options.data)
    with benchmark.set_torch_threads(options.threads):
        simple = ("rule", "bag of words", "averaged vectors")
        validation = baselines(reviews.train, reviews.validation, rule=rule)
        picked = max(simple, key=lambda name: validation[name].accuracy)
        table = baselines(reviews.train, reviews.test, rule=rule)
        print(table, f"\npicked on validation texts: {picked}", flush=True)
        written = load_reviews(sizes["grammar"], max(60, sizes["grammar"] // 3))
        cuts = {name: truncation([list(part) for part in (one.train, one.validation, one.test)])
                for name, one in (("film", reviews), ("grammar", written))}
        answers = [runs.get({**sizes, **OPTIMISER, "seed": seed}, lambda: transformer_answers(seed, sizes, options.data))
                   for seed in options.seeds]
    labels = list(reviews.test["label"])
    path = record("film_reviews", figures_of(table, picked, answers, labels, cuts), folder=options.results, device="cpu",
                  what="Real film reviews: accuracy of a rule, of simple baselines and of a small transformer; what "
                       "truncation costs, by the part that is kept.",
                  settings={**sizes, **OPTIMISER, "seeds": options.seeds, "threads": options.threads, "best baseline": picked,
                            "cut": {name: {what: one[what] for what in ("limit", "share", "best")} for name, one in cuts.items()}})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
