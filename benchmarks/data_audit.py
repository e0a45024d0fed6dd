"""The audit of the data tried on planted defects, and what a trained model shows of them.

    python -m benchmarks.data_audit [--seeds 0 1 2] [--results results] [--quick]

Clean data: reviews of the grammar, of several sizes, lengths and balances; each is audited, and an alarm is a false
one. Planted data: for each seed every defect of `course_lib.data.defects` at its usual share, in the size below; found
if the audit names its cause, first if as its first finding. Power: three defects that hide, at smaller shares.

data-first: on each planted set a small transformer is trained on 80 % and judged on the other 20 %, which has the
defect too, as it would without an audit (for "overlap", on the test set whose examples were copied). The defect
goes unseen by training if the accuracy, mean over seeds, is not below the 95 % interval (Wilson, the validation
texts of all seeds) of the clean data's.

few-hundred-examples: share of the patterns with at least three examples among 300 rows drawn at random. An example
of a pattern that consists of two rows (duplicates, contradictions) is there only if both are; one of "overlap" only
if the copied test example is among 300 drawn from the test set too. Imbalance shows in any 300.

look-at-the-tokens: six faults of a tokenizer (capitals, a foreign vocabulary, special tokens missing and doubled,
padding on the left, a lossy way back), and four healthy ones.

Writes `<results>/data_audit/<hardware>.json`; figures that decide a claim bear its id. About 6 minutes on one thread;
finished runs are kept if it is interrupted.
"""
import argparse
import json
import math
import random
import statistics

import torch

from benchmarks.frozen_embeddings import Classifier
from benchmarks.over_seeds import Runs
from benchmarks.pretraining_tasks import batches
from course_lib.benchmarking import benchmark
from course_lib.data.defects import DEFECTS, plant
from course_lib.data.reviews import load_reviews
from course_lib.diagnostics.audit import audit
from course_lib.diagnostics.audit_labels import wilson
from course_lib.diagnostics.audit_texts import key, tokens
from course_lib.diagnostics.metric_limits import limits
from course_lib.results import Figure, record
from course_lib.tokenization import train_bpe, train_words, train_wordpiece
from course_lib.training import cross_entropy, evaluating, set_seed, train
from course_lib.transformer import Transformer, TransformerConfig

SIZES = dict(reviews=2000, test=400, width=32, steps=400, batch=32, clean=((200, 6), (500, 4), (1000, 4), (2000, 2)), draws=300)
QUICK = SIZES | dict(reviews=250, test=60, steps=3, clean=((100, 1),), draws=10)
OPTIMISER = dict(learning_rate=2e-3, warmup=40, decay="cosine", weight_decay=0.01, clip=1.0)
LIMIT = 64    # tokens, where truncation is looked at
POWER = {"flipped-labels": (0.05, 0.1), "marker-leak": (0.03, 0.06), "length-leak": (0.1, 0.15)}
#: Kinds of clean data: shortest and longest text in sentences, share of positive ones.
KINDS = (((2, 6), 0.5), ((3, 4), 0.5), ((2, 6), 0.35), ((5, 9), 0.6))


def share(successes: int, n: int, unit: str = "share") -> Figure:
    """A share with Wilson's interval."""
    return Figure(*wilson(successes, n), unit, n, "95 % Wilson interval")


def planted(seed: int, defect: str, amount: float | None, sizes: dict):
    """(the planted set, the reviews it was made of)."""
    reviews = load_reviews(sizes["reviews"], sizes["test"], seed=seed)
    return plant(reviews.train, defect, amount, seed=seed, test=reviews.test), reviews


def examine(seed: int, defect: str, amount: float | None, sizes: dict) -> dict:
    """What an audit says of a planted set."""
    made, reviews = planted(seed, defect, amount, sizes)
    report = audit(made.dataset, test=reviews.test, max_tokens=LIMIT if defect == "late-evidence" else None)
    return {"causes": report.causes, "rows": len(made.rows)}


def train_on(rows: list[dict], judged: list[list[dict]], sizes: dict, seed: int, cut: int = 200) -> list[int]:
    """How many of each part of `judged` a small transformer gets right after training on `rows`."""
    set_seed(seed)
    tokenizer = train_words([row["text"] for row in rows if row["text"].strip()], lowercase=True, template="<s> $A </s>")
    model = Classifier(Transformer(TransformerConfig(
        vocabulary=len(tokenizer), width=sizes["width"], heads=4, encoder_layers=1, context=200, dropout=0.1,
        positions="rotary")))

    def scores(batch):
        return model(*tokenizer.batch([row["text"] for row in batch], length=cut))

    train(model, batches(rows, sizes["batch"], seed), lambda _, batch: cross_entropy(
        scores(batch), torch.tensor([row["label"] for row in batch])), steps=sizes["steps"], progress=False, **OPTIMISER)
    with evaluating(model):
        return [sum(int(guess == row["label"]) for start in range(0, len(part), 100) for guess, row in zip(
            scores(part[start:start + 100]).argmax(1).tolist(), part[start:start + 100])) for part in judged]


def train_with(seed: int, defect: str | None, sizes: dict) -> dict:
    """Accuracy that somebody sees who trains on the set as it is, and that on clean test texts. defect: None for
    clean data."""
    if defect is None:
        reviews = load_reviews(sizes["reviews"], sizes["test"], seed=seed)
        rows = list(reviews.train)
    else:
        made, reviews = planted(seed, defect, None, sizes)
        rows = list(made.dataset)
    random.Random(seed).shuffle(rows)
    cutoff, test = int(0.8 * len(rows)), list(reviews.test)
    rows, held_out = (rows, test) if defect == "overlap" else (rows[:cutoff], rows[cutoff:])
    right, clean = train_on(rows, [held_out, test], sizes, seed, LIMIT if defect == "late-evidence" else 200)
    print(f"seed {seed}, trained with {defect}: {right / len(held_out):.3f}", flush=True)
    return {"right": right, "n": len(held_out), "right on clean test": clean, "of": len(test)}


def seen_by_reading(seed: int, defect: str, sizes: dict) -> float:
    """Share of draws of 300 rows in which at least three examples of the pattern stand."""
    made, reviews = planted(seed, defect, None, sizes)
    if defect == "imbalance":
        return 1.0
    rng, rows, seen = random.Random(seed), made.dataset.to_list(), []
    keys, test_keys = [key(row["text"]) for row in rows], [key(text) for text in reviews.test["text"]]
    for _ in range(sizes["draws"]):
        drawn = rng.sample(range(len(rows)), min(300, len(rows)))
        if defect == "overlap":
            there = set(rng.sample(test_keys, min(300, len(test_keys))))
            count = sum(rows[i]["planted"] and keys[i] in there for i in drawn)
        elif "duplicates" in defect or defect == "contradictions":
            first = {keys[i][:60] for i in drawn if not rows[i]["planted"]}    # near-duplicates differ in one place
            count = sum(rows[i]["planted"] and keys[i][:60] in first for i in drawn)
        else:
            count = sum(rows[i]["planted"] for i in drawn)
        seen.append(count >= 3)
    return statistics.fmean(seen)


def look_at_tokens(seed: int, sizes: dict) -> dict:
    """{fault: whether it was seen}, and alarms on healthy tokenizers."""
    from tokenizers import Tokenizer as Library
    reviews = load_reviews(min(500, sizes["reviews"]), sizes["test"], seed=seed)
    texts, asked = list(reviews.train["text"]), list(reviews.test["text"])
    words, wordpiece, bpe = train_words(texts), train_wordpiece(texts, 400), train_bpe(texts, 400)
    left = Library.from_str(json.dumps(wordpiece.spec))
    left.enable_padding(direction="left", pad_id=wordpiece.pad_id, pad_token="[PAD]")
    lossy = Library.from_str(json.dumps(bpe.spec))
    from tokenizers import normalizers
    lossy.normalizer = normalizers.Replace("e", "")
    faults = {"capitals": tokens([text.upper() for text in asked], words),
              "foreign vocabulary": tokens(asked, train_words(["ein Satz in einer anderen Sprache ."])),
              "special tokens missing": tokens(asked, train_wordpiece(texts, 400, template=None)),
              "special tokens doubled": tokens([f"[CLS] {text} [SEP]" for text in asked], wordpiece),
              "padding on the left": tokens(asked, left), "lossy": tokens(asked, lossy)}
    healthy = [tokens(asked, one) for one in (words, wordpiece, bpe, Library.from_str(json.dumps(wordpiece.spec)))]
    return {"seen": {name: bool(found.findings) for name, found in faults.items()},
            "alarms": sum(bool(found.findings) for found in healthy), "healthy": len(healthy)}


def figures_of(clean: list[dict], audits: dict, power: dict, trained: dict, reading: dict, faults: list[dict]
               ) -> dict[str, Figure]:
    """Everything; `audits`, `trained` and `reading` by defect, a list over seeds."""
    n = sum(map(len, audits.values()))
    found = {defect: [DEFECTS[defect].cause in one["causes"] for one in ones] for defect, ones in audits.items()}
    first = sum(one["causes"][:1] == [DEFECTS[d].cause] for d, ones in audits.items() for one in ones)
    false = sum(bool(one["causes"]) for one in clean)
    figures = {"clean-alarms": share(false, len(clean)), "defects-found": share(sum(map(sum, found.values())), n),
               "defects-named-first": share(first, n),
               "findings-besides": share(sum(len(set(one["causes"]) - {DEFECTS[d].cause}) > 0
                                             for d, ones in audits.items() for one in ones), n)}
    figures |= {f"found-{defect}-{round(100 * amount)}-percent": share(sum(DEFECTS[defect].cause in one["causes"] for one in ones),
                                                                       len(ones)) for (defect, amount), ones in power.items()}
    # data-first: named by the audit, and nothing to see in training
    right, of = (sum(one[what] for one in trained[None]) for what in ("right", "n"))
    low = wilson(right, of)[1]
    figures["validation-accuracy-clean"] = share(right, of)
    unseen = []
    for defect in audits:
        ours, total = (sum(one[what] for one in trained[defect]) for what in ("right", "n"))
        figures[f"validation-accuracy-{defect}"] = share(ours, total)
        loss = [100 * (a["right on clean test"] / a["of"] - b["right on clean test"] / b["of"])
                for a, b in zip(trained[None], trained[defect])]
        figures[f"cost-{defect}"] = Figure(statistics.fmean(loss), min(loss), max(loss), "points", len(loss), "range over seeds")
        if all(found[defect]):
            unseen.append(ours / total >= low)
    figures["data-first"] = share(sum(unseen), len(audits))
    # few-hundred-examples: bootstrap over draws of a pattern and a set of it
    values = {defect: statistics.fmean(ones) for defect, ones in reading.items()}
    everything = [one for ones in reading.values() for one in ones]
    mean, rng = statistics.fmean(values.values()), random.Random(0)
    draws = sorted(statistics.fmean(rng.choices(everything, k=len(everything))) for _ in range(2000))
    figures["few-hundred-examples"] = Figure(mean, min(mean, draws[50]), max(mean, draws[1949]), "share", len(everything),
                                             "95 % bootstrap interval")
    figures |= {f"read-{defect}": Figure(value, min(reading[defect]), max(reading[defect]), "share", len(reading[defect]),
                                         "range over seeds") for defect, value in values.items()}
    answered = sum(all(all(found[d]) for d in found if DEFECTS[d].question == question) for question in range(6))
    figures["standard-questions"] = Figure(*([float(answered if not false else 0)] * 3), "questions", 6, "counted")
    seen = [ok for one in faults for ok in one["seen"].values()]
    figures["look-at-the-tokens"] = share(sum(seen) if not sum(one["alarms"] for one in faults) else 0, len(seen))
    figures["tokenizer-alarms-healthy"] = share(sum(one["alarms"] for one in faults), sum(one["healthy"] for one in faults))
    shown = [one.reached >= 0.99 for one in limits()]
    figures["metrics-have-limits"] = Figure(*([sum(shown) / len(shown)] * 3), "share", len(shown), "counted")
    return figures | {"random-is-not-enough": _majority_over_random(found)}


def _majority_over_random(found) -> Figure:
    """Points that always answering the most frequent label gains over answering at random, on the unbalanced data."""
    made, _ = planted(0, "imbalance", None, SIZES)
    labels, rng = list(made.dataset["label"]), random.Random(0)
    usual = max(set(labels), key=labels.count)
    gains = [(label == usual) - (rng.randrange(2) == label) for label in labels]
    mean, half = statistics.fmean(gains), 1.96 * statistics.stdev(gains) / math.sqrt(len(gains))
    return Figure(100 * mean, 100 * (mean - half), 100 * (mean + half), "points", len(gains), "95 % interval over texts")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes, seeds = QUICK if options.quick else SIZES, options.seeds
    runs = Runs(options.results, "data_audit")

    def get(what, run, **arguments):
        return runs.get({"what": what, **arguments, **sizes}, lambda: run(**arguments, sizes=sizes))

    def clean_set(size, seed, kind, sizes):
        sentences, prior = KINDS[kind]
        reviews = load_reviews(size, sizes["test"], seed=100 + seed, sentences=sentences, prior=prior)
        return {"causes": audit(reviews.train, test=reviews.test).causes}

    with benchmark.set_torch_threads(options.threads):
        clean = [get("clean", clean_set, size=size, seed=seed, kind=kind) for size, count in sizes["clean"]
                 for kind in range(len(KINDS)) for seed in range(count)]
        print(f"clean: {sum(bool(one['causes']) for one in clean)} of {len(clean)} raise an alarm", flush=True)
        audits = {defect: [get("audit", examine, seed=seed, defect=defect, amount=None) for seed in seeds] for defect in DEFECTS}
        power = {(defect, amount): [get("audit", examine, seed=seed, defect=defect, amount=amount) for seed in seeds]
                 for defect, amounts in POWER.items() for amount in amounts}
        reading = {defect: [get("reading", seen_by_reading, seed=seed, defect=defect) for seed in seeds] for defect in DEFECTS}
        faults = [get("tokens", look_at_tokens, seed=seed) for seed in seeds]
        trained = {defect: [get("train", train_with, seed=seed, defect=defect) for seed in seeds] for defect in (None, *DEFECTS)}
    path = record("data_audit", figures_of(clean, audits, power, trained, reading, faults), folder=options.results, device="cpu",
                  what="The audit of the data on planted defects and on clean data, what a trained model shows of the defects, "
                       "and what a reader of 300 examples can see.",
                  settings={**sizes, **OPTIMISER, "seeds": seeds, "threads": options.threads, "limit": LIMIT,
                            "shares": {name: defect.share for name, defect in DEFECTS.items()},
                            "kinds of clean data": KINDS, "tokenizer faults": [one["seen"] for one in faults]})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
