"""Requests to SQL, judged by execution, after a fixed number of steps.

    python -m benchmarks.request_to_sql [--data geoquery] [--english captions.en] [--seeds 0 1 2]

The course's encoder-decoder from scratch on 10,000 written pairs (`course_lib.data.queries`), iid and
compositional. --data: also on GeoQuery, a folder in the format of Finegan-Dollak et al. 2018, question and
query split, from scratch and with both halves pretrained on masked words: the encoder on English (the
written requests and, with --english, the lines of that file), the decoder on SQL (the written queries).
Beside each, what copying the query of the nearest request in training gets. training-cpu-time is that of
one run on the written pairs, one thread.

Finished runs are kept in `<runs>/request_to_sql/unfinished.jsonl`, so that an interrupted script goes on.
Writes `<results>/request_to_sql/<hardware>.json`. What `benchmarks.pretrained_halves` shares is here too.
"""
import argparse
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.over_seeds import Runs, t_interval
from course_lib.benchmarking import benchmark
from course_lib.data.queries import execution_accuracy, load_queries, nearest_neighbours
from course_lib.generation import generate
from course_lib.results import Figure, record
from course_lib.tokenization import Tokenizer, train_words
from course_lib.training import (IGNORED, History, cross_entropy, evaluating, language_model_loss,
                                 pad, seq2seq_loss, set_seed, train)
from course_lib.transformer import Transformer, TransformerConfig, combine

SIZES = dict(width=96, heads=4, layers=2, dropout=0.0, context=160, positions="rotary", activation="relu",
             embedding_scale=4.0)
OPTIMISER = dict(learning_rate=1.5e-3, decay="linear", warmup=50, clip=1.0)
WRITTEN = dict(size=10_000, held_out=500, steps=1300, batch=16)
GEOQUERY = dict(steps=800, batch=16, pretraining_steps=1000, minimum=50)


# Text

def spaced(text: str, sql: bool) -> str:
    """Words apart, to be split at spaces. In SQL `table.column` stays a word, and a value's quotes do not."""
    return re.sub(r"(['(),;])" if sql else r"([^\w\s])", r" \1 ", text)


def unspaced(sql: str) -> str:
    """SQL from its words: the quotes close around their value again."""
    return re.sub(r"' (.*?) '", r"'\1'", sql)


class Texts:
    """One vocabulary of words for requests and SQL, and both as ids, `<s> ... </s>`."""

    def __init__(self, requests: Sequence[str], queries: Sequence[str], size: int = 30_000):
        self.tokenizer: Tokenizer = train_words(
            [*(spaced(text, False) for text in requests), *(spaced(text, True) for text in queries)],
            size=size, split="WhitespaceSplit", template="<s> $A </s>")
        self.special = {name: self.tokenizer.id(token) for name, token in (
            ("pad_token_id", "<pad>"), ("eos_token_id", "</s>"), ("decoder_start_token_id", "<s>"))}

    def requests(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.tokenizer.encode(spaced(text, False)) for text in texts]

    def queries(self, texts: Sequence[str]) -> list[list[int]]:
        return [self.tokenizer.encode(spaced(text, True)) for text in texts]

    def sql(self, ids: torch.Tensor) -> str:
        return unspaced(self.tokenizer.decode(ids, skip_special=True))

    def config(self, sizes: dict, kind: str) -> TransformerConfig:
        """kind: "encoder", "decoder" or "encoder-decoder", of `layers` each, as `combine` makes it."""
        sizes, layers = dict(sizes), sizes["layers"]
        del sizes["layers"]
        for half in kind.split("-"):
            sizes[f"{half}_layers"] = layers
        if kind == "encoder-decoder":
            sizes["source_vocabulary"] = len(self.tokenizer)
        return TransformerConfig(vocabulary=len(self.tokenizer), **sizes, **self.special)


# Training

def batches(count: int, batch: int, seed: int) -> Iterator[list[int]]:
    """Batches of indices below `count` without end, each pass in another order.

    Not `LengthBatches`: queries of one length are of few shapes, and small batches of few shapes taught less.
    """
    order, left = random.Random(seed), []
    while True:
        while len(left) < batch:
            left += order.sample(range(count), count)
        yield left[:batch]
        left = left[batch:]


def fit_pairs(model: Transformer, sources: list[list[int]], targets: list[list[int]], *, steps: int,
              batch: int, seed: int, **options) -> History:
    """Train an encoder-decoder to write `targets`, lists of ids, given `sources`."""
    def loss_of(model, indices):
        return seq2seq_loss(model, *pad([sources[i] for i in indices]), *pad([targets[i] for i in indices]))

    return train(model, batches(len(targets), batch, seed), loss_of, steps=steps, progress=False,
                 **OPTIMISER, **options)


def fit_masked(model: Transformer, texts: list[list[int]], tokenizer: Tokenizer, *, steps: int, batch: int,
               seed: int) -> History:
    """Train an encoder to restore hidden words, chosen as BERT does (Devlin et al. 2019, section 3.1)."""
    draw = torch.Generator().manual_seed(seed)

    def loss_of(model, indices):
        ids, mask = pad([texts[i] for i in indices])
        hidden, labels = mask_words(ids, mask, tokenizer, draw)
        return cross_entropy(model(hidden, padding_mask=mask).logits, labels)

    return train(model, batches(len(texts), batch, seed), loss_of, steps=steps, progress=False,
                 **OPTIMISER)


def mask_words(ids: torch.Tensor, mask: torch.Tensor, tokenizer: Tokenizer, draw: torch.Generator,
               share: float = 0.15) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids with words hidden, and labels, both [batch, length]: 15 % of the words are to be restored, of
    which 80 % read `<mask>`, 10 % a random word, 10 % themselves. At least one in a batch."""
    words = mask & (ids >= len(tokenizer.special))
    chance = torch.rand(ids.shape, generator=draw).masked_fill(~words, 1)
    chosen = (chance < share) | (chance == chance.min())
    how = torch.rand(ids.shape, generator=draw)
    others = torch.randint(len(tokenizer.special), len(tokenizer), ids.shape, generator=draw)
    hidden = ids.masked_fill(chosen & (how < 0.8), tokenizer.id("<mask>"))
    hidden = torch.where(chosen & (how >= 0.9), others, hidden)
    return hidden, ids.masked_fill(~chosen, IGNORED)


def fit_causal(model: Transformer, texts: list[list[int]], *, steps: int, batch: int, seed: int,
               **options) -> History:
    """Train a decoder on texts as a language model."""
    return train(model, batches(len(texts), batch, seed),
                 lambda model, indices: language_model_loss(model, *pad([texts[i] for i in indices])),
                 steps=steps, progress=False, **OPTIMISER, **options)


# Judging

def in_parts(count: int, size: int = 128) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, count, size))


def translate(model: Transformer, texts: Texts, sources: list[list[int]], longest: int) -> list[str]:
    """SQL for each source, greedily, at most `longest` tokens."""
    written = []
    for part in in_parts(len(sources)):
        ids, mask = pad(sources[part])
        found = generate(model, ids, padding_mask=mask, max_new_tokens=longest)
        written += map(texts.sql, found.sequences)
    return written


def nats_a_token(model: Transformer, sources: list[list[int]], targets: list[list[int]]) -> float:
    """Of the targets' tokens, end token included, each given the source and the target before it."""
    with evaluating(model):
        total = sum(float(seq2seq_loss(model, *pad(sources[part]), *pad(targets[part])))
                    * words_to_predict(targets[part]) for part in in_parts(len(targets)))
    return total / words_to_predict(targets)


def words_to_predict(rows: list[list[int]]) -> int:
    """All but the first of each row."""
    return sum(map(len, rows)) - len(rows)


# The runs

@dataclass(frozen=True)
class Part:
    """Requests and their SQL."""
    requests: list[str]
    sql: list[str]


def columns(dataset) -> Part:
    return Part(list(dataset["request"]), list(dataset["sql"]))


def tune(model: Transformer, texts: Texts, training: Part, test: Part, databases, settings: dict,
         seed: int) -> dict:
    """Train an encoder-decoder on `training` and judge it on `test`.

    accuracy: a share, by execution; nats: a token of the test's SQL; parameters; seconds by the clock, of
    all and of training.
    """
    began = time.perf_counter()
    targets = texts.queries(training.sql)
    history = fit_pairs(model, texts.requests(training.requests), targets, steps=settings["steps"],
                        batch=settings["batch"], seed=seed)
    longest = min(max(map(len, targets)) + 5, model.config.context - 1)
    sources = texts.requests(test.requests)
    predictions = translate(model, texts, sources, longest)
    return {"accuracy": execution_accuracy(predictions, test.sql, databases),
            "nats": nats_a_token(model, sources, texts.queries(test.sql)), **costs(model, history, began)}


def costs(model: Transformer, history: History, began: float) -> dict:
    return {"parameters": sum(weight.numel() for weight in model.parameters()),
            "training_seconds": history.seconds, "seconds": time.perf_counter() - began}


def frequent(lines: Sequence[str], minimum: int) -> str:
    """The words of `lines` that occur so often, as one text."""
    counts = Counter(word for line in lines for word in spaced(line, False).split())
    return " ".join(word for word, count in counts.items() if count >= minimum)


def pretrained(texts: Texts, english: Sequence[str], queries: Sequence[str], sizes: dict, settings: dict,
               seed: int) -> Transformer:
    """An encoder of English and an encoder of SQL, each pretrained on masked words, combined."""
    halves = []
    for ids in (texts.requests(english), texts.queries(queries)):
        set_seed(seed)
        halves.append(Transformer(texts.config(sizes, "encoder")))
        fit_masked(halves[-1], [row for row in ids if len(row) <= sizes["context"]], texts.tokenizer,
                   steps=settings["pretraining_steps"], batch=settings["batch"], seed=seed)
    set_seed(seed)
    return combine(*halves)


def copied(training: Part, test: Part, databases) -> Figure:
    """What the query of the nearest request in training gets."""
    predictions = nearest_neighbours(training.requests, training.sql, test.requests)
    share = execution_accuracy(predictions, test.sql, databases)
    return Figure(share, share, share, "share", len(test.sql), "exact, no seeds")


def summary(name: str, results: list[dict], baseline: Figure) -> dict[str, Figure]:
    """Figures of the runs of one arm on one split, one result a seed."""
    accuracies = [result["accuracy"] for result in results]
    above = [each - baseline.value for each in accuracies]
    return {f"accuracy-{name}": t_interval(accuracies, "share"),
            f"over-nearest-neighbour-{name}": t_interval(above, "share"),
            f"nats-{name}": t_interval([result["nats"] for result in results], "nats/token")}


def training_time(texts: Texts, training: Part, sizes: dict, settings: dict, repeats: int = 5,
                  steps: int = 20) -> Figure:
    """CPU seconds of a whole training run, from a few times a few steps: what else runs is not in it."""
    model = Transformer(texts.config(sizes, "encoder-decoder"))
    sources, targets = texts.requests(training.requests), texts.queries(training.sql)
    seconds = [fit_pairs(model, sources, targets, steps=steps, batch=settings["batch"], seed=seed,
                         clock=time.process_time).seconds * settings["steps"] / steps
               for seed in range(repeats + 1)][1:]    # the first warms up
    return Figure(statistics.median(seconds), min(seconds), max(seconds), "s", repeats, "range")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="the folder of GeoQuery; without it only the written pairs")
    parser.add_argument("--english", type=Path, help="more English to pretrain on, one text a line")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--runs", default="my_results", help="folder of finished runs (default: my_results)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--quick", action="store_true", help="a tiny model, to see that it runs")
    options = parser.parse_args(arguments)
    sizes, written, real = dict(SIZES), dict(WRITTEN), dict(GEOQUERY)
    if options.quick:
        sizes |= dict(width=16, heads=2, layers=1)
        written |= dict(size=60, held_out=20, steps=4)
        real |= dict(steps=4, pretraining_steps=4)
    if options.english and not options.english.is_file():
        raise SystemExit(f"{options.english}: no such file")
    lines = options.english.read_text(encoding="utf-8").splitlines() if options.english else []
    runs, figures = Runs(options.runs, "request_to_sql"), {}

    def keep(name: str, key: dict, build, texts: Texts, training: Part, test: Part, databases, settings) -> None:
        """Run or find an arm's seeds and add its figures; `build(seed)` makes the model."""
        results = []
        for seed in options.seeds:
            def one() -> dict:
                return tune(build(seed), texts, training, test, databases, settings, seed)
            results.append(runs.get({"name": name, "seed": seed, **key, **sizes, **settings,
                                     "optimiser": OPTIMISER}, one))
            print(name, seed, {what: round(value, 3) for what, value in results[-1].items()}, flush=True)
        figures.update(summary(name, results, figures[f"nearest-neighbour-{key['split']}"]))

    def scratch(seed: int) -> Transformer:
        set_seed(seed)
        return Transformer(texts.config(sizes, "encoder-decoder"))

    with benchmark.set_torch_threads(options.threads):
        corpus = None
        for split in ("iid", "compositional"):
            queries = load_queries(split, size=written["size"], held_out=written["held_out"])
            training, test = columns(queries.train), columns(queries.test)
            corpus = corpus or training
            texts = Texts(training.requests, training.sql)
            figures[f"nearest-neighbour-{split}"] = copied(training, test, queries.databases)
            keep(split, {"split": split}, scratch, texts, training, test, queries.databases, written)
            if split == "iid":
                figures["training-cpu-time"] = training_time(texts, training, sizes, written)
        for name, split in (("question", "iid"), ("query", "compositional")) if options.data else ():
            queries = load_queries(split, source=options.data)
            training, test, split = columns(queries.train), columns(queries.test), f"geoquery-{name}"
            texts = Texts([*training.requests, *corpus.requests, frequent(lines, real["minimum"])],
                          [*training.sql, *corpus.sql])
            key = {"split": split, "english": len(lines)}
            figures[f"nearest-neighbour-{split}"] = copied(training, test, queries.databases)
            keep(f"{split}-scratch", key, scratch, texts, training, test, queries.databases, real)
            keep(f"{split}-pretrained", key,
                 lambda seed: pretrained(texts, [*corpus.requests, *lines], corpus.sql, sizes, real, seed),
                 texts, training, test, queries.databases, real)
    if options.data:
        figures["boss2sql-real-questions"] = figures["accuracy-geoquery-question-pretrained"]
    path = record(
        "request_to_sql", figures, folder=options.results, device="cpu",
        what="Requests to SQL by the course's encoder-decoder after a fixed number of steps, judged by execution "
             "on held-out requests, beside copying the query of the nearest request.",
        settings={**sizes, "written": written, "geoquery": real, "english_lines": len(lines),
                  "optimiser": OPTIMISER, "seeds": options.seeds, "threads": options.threads})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
