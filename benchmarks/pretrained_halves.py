"""Does pretraining the two halves of an encoder-decoder pay, and does it compound?

    python -m benchmarks.pretrained_halves [--seeds 0 1 2] [--results results] [--runs my_results]

Requests to SQL (`course_lib.data.queries`) with 100, 300 and 1,000 pairs to tune on, judged by execution on
500 held-out ones; iid, and with 1,000 pairs `scratch` and `both` on the compositional split too. The arms
differ in how the two halves start:

    scratch                   both random
    encoder                   the encoder pretrained on requests, masked words
    decoder, decoder-causal   the decoder pretrained on SQL: masked words, or next words
    both, both-causal         the encoder, and one of the two decoders
    tied                      one stack pretrained on requests and on SQL, masked words, twice the steps; as
                              encoder and decoder it is the same weights, cross-attention aside
    single-stack              no halves: a random decoder of as many layers in all, which reads the request
                              under UniLM's prefix mask
    language-model            of the SQL alone, at its best validation: what the request is worth

Cross-attention is random in all of them. The same steps of tuning, at the same rate, in every arm and size.
Pretraining reads requests and SQL of other pairs, never both of one pair, and no query of validation or test;
for the compositional split none of their shapes either. A seed draws weights, order and which pairs are tuned
on; the arms of a seed share the pairs, those of 300 hold those of 100, and the corpus is one.

Sizes and steps were set on the arm `scratch` alone, before any other was run: on seed 0 it gets .07 of the
requests right with 100 pairs and .3 with 300 and 1,000, so that what helps and what harms can both be
seen. More steps bring it further: 1,300 with 10,000 pairs, above .95 (`benchmarks.request_to_sql`).

Finished runs are kept in `<runs>/pretrained_halves/unfinished.jsonl`, so that an interrupted script goes on,
and more seeds cost only theirs. Writes `<results>/pretrained_halves/<hardware>.json`.
"""
import argparse
import random
import statistics
import time
from functools import cache

import torch

from benchmarks import request_to_sql as shared
from benchmarks.over_seeds import Runs, t_interval
from benchmarks.request_to_sql import Part, Texts, columns, fit_causal, fit_masked, in_parts, words_to_predict
from course_lib.benchmarking import benchmark
from course_lib.data.queries import Queries, execution_accuracy, load_queries
from course_lib.generation import generate, left_pad
from course_lib.results import Figure, record
from course_lib.training import IGNORED, cross_entropy, evaluating, language_model_loss, pad, set_seed, train
from course_lib.transformer import Transformer, combine

SIZES = dict(width=96, heads=4, layers=2, dropout=0.0, context=128, positions="rotary", activation="relu",
             embedding_scale=4.0)
SETTINGS = dict(pretraining_texts=8000, held_out=500, steps=500, pretraining_steps=1000, batch=16,
                optimiser=shared.OPTIMISER)
PAIRS = (100, 300, 1000)
HALVES = {"scratch": ("random", "random"), "encoder": ("masked", "random"), "decoder": ("random", "masked"),
          "decoder-causal": ("random", "causal"), "both": ("masked", "masked"),
          "both-causal": ("masked", "causal"), "tied": ("joint", "joint")}
ARMS = (*HALVES, "single-stack", "language-model")
COMPOSITIONAL = ("scratch", "both")


class Corpus:
    """One split: pairs to tune on, requests and SQL to pretrain on, and pairs to judge on."""

    def __init__(self, split: str, settings: dict, most_pairs: int):
        texts = settings["pretraining_texts"]
        queries: Queries = load_queries(split, size=most_pairs + 2 * texts, held_out=settings["held_out"])
        train, self.databases = columns(queries.train), queries.databases
        self.validation, self.test = columns(queries.validation), columns(queries.test)
        held_out = {*self.validation.sql, *self.test.sql}
        self.pairs = Part(train.requests[:most_pairs], train.sql[:most_pairs])
        self.requests = train.requests[most_pairs:most_pairs + texts]
        self.sql = [sql for sql in train.sql[most_pairs + texts:] if sql not in held_out]
        # No word of the held-out texts is looked at; the grammar's are all in so many others.
        self.texts = Texts(train.requests, train.sql)

    def drawn(self, pairs: int, seed: int) -> Part:
        """So many pairs; with the same seed, fewer are among the more."""
        order = random.Random(f"pairs {seed}").sample(range(len(self.pairs.sql)), pairs)
        return Part([self.pairs.requests[i] for i in order], [self.pairs.sql[i] for i in order])


class Pretrained:
    """The halves of one split and seed, each trained when it is first asked for."""

    def __init__(self, corpus: Corpus, sizes: dict, settings: dict, seed: int):
        self.corpus, self.sizes, self.settings, self.seed = corpus, sizes, settings, seed
        self.half = cache(self._half)

    def _half(self, kind: str, side: str) -> Transformer:
        """kind: "random", "masked", "causal" or "joint"; side: "encoder" (requests) or "decoder" (SQL)."""
        texts, steps = self.corpus.texts, self.settings["pretraining_steps"]
        options = {"batch": self.settings["batch"], "seed": self.seed}
        set_seed(2 * self.seed + (side == "decoder"))    # two random halves are not the same
        model = Transformer(texts.config(self.sizes, "decoder" if kind == "causal" else "encoder"))
        if kind == "random":
            return model
        english, sql = texts.requests(self.corpus.requests), texts.queries(self.corpus.sql)
        if kind == "causal":
            fit_causal(model, sql, steps=steps, **options)
        elif kind == "masked":
            fit_masked(model, sql if side == "decoder" else english, texts.tokenizer, steps=steps, **options)
        else:
            fit_masked(model, english + sql, texts.tokenizer, steps=2 * steps, **options)
        return model


def tie(model: Transformer) -> Transformer:
    """Encoder and decoder of an encoder-decoder as one stack; only the decoder has cross-attention."""
    encoder, decoder = model.encoder, model.decoder
    encoder.tokens, encoder.positions, encoder.final_norm = decoder.tokens, decoder.positions, decoder.final_norm
    for reading, writing in zip(encoder.blocks, decoder.blocks):
        for name in ("attention", "attention_norm", "feed_forward", "feed_forward_norm"):
            setattr(reading, name, getattr(writing, name))
    return model


# The arms

def tune_halves(arm: str, corpus: Corpus, pairs: Part, halves: Pretrained, settings: dict, seed: int) -> dict:
    encoder, decoder = HALVES[arm]
    first = halves.half(encoder, "encoder")
    second = first if encoder == "joint" else halves.half(decoder, "decoder")
    set_seed(seed)
    model = combine(first, second)
    if arm == "tied":
        model = tie(model)
    return shared.tune(model, corpus.texts, pairs, corpus.test, corpus.databases, settings, seed)


def tune_single_stack(corpus: Corpus, pairs: Part, sizes: dict, settings: dict, seed: int) -> dict:
    """Request and SQL in one row; the request's words see each other, the SQL's what is before them."""
    texts = corpus.texts
    set_seed(seed)
    model = Transformer(texts.config(sizes | {"layers": 2 * sizes["layers"]}, "decoder"))
    sources, targets = texts.requests(pairs.requests), texts.queries(pairs.sql)

    def loss_of(model, indices):
        return prefix_loss(model, [sources[i] for i in indices], [targets[i] for i in indices])

    began = time.perf_counter()
    history = train(model, shared.batches(len(targets), settings["batch"], seed), loss_of,
                    steps=settings["steps"], progress=False, **settings["optimiser"])
    longest, written = max(map(len, targets)) + 5, []
    sources, targets = texts.requests(corpus.test.requests), texts.queries(corpus.test.sql)
    start, total = texts.special["decoder_start_token_id"], 0
    for part in in_parts(len(sources)):
        ids, mask = left_pad([[*source, start] for source in sources[part]], texts.special["pad_token_id"])
        found = generate(model, ids, padding_mask=mask, prefix_length=ids.shape[1] - 1, max_new_tokens=longest)
        written += map(texts.sql, found.new_tokens)
        with evaluating(model):
            total += float(prefix_loss(model, sources[part], targets[part])) * words_to_predict(targets[part])
    return {"accuracy": execution_accuracy(written, corpus.test.sql, corpus.databases),
            "nats": total / words_to_predict(targets), **shared.costs(model, history, began)}


def prefix_loss(model: Transformer, sources: list[list[int]], targets: list[list[int]]) -> torch.Tensor:
    """Nats a token of the targets, each given the source and the target before it, by one stack."""
    ids, mask = pad([[*source, *target] for source, target in zip(sources, targets)])
    lengths = torch.tensor([*map(len, sources)])
    # [batch, length - 1]: the first word to predict comes after the target's start
    columns = torch.arange(1, ids.shape[1])
    labels = ids[:, 1:].masked_fill(~mask[:, 1:] | (columns <= lengths[:, None]), IGNORED)
    return cross_entropy(model(ids[:, :-1], padding_mask=mask[:, :-1], prefix_length=lengths).logits, labels)


def tune_language_model(corpus: Corpus, pairs: Part, sizes: dict, settings: dict, seed: int) -> dict:
    texts = corpus.texts
    set_seed(seed)
    model = Transformer(texts.config(sizes, "decoder"))

    def held_out(part: Part) -> float:
        rows = texts.queries(part.sql)
        total = sum(float(language_model_loss(model, *pad(rows[some]))) * words_to_predict(rows[some])
                    for some in in_parts(len(rows)))
        return total / words_to_predict(rows)

    began = time.perf_counter()
    history = fit_causal(model, texts.queries(pairs.sql), steps=settings["steps"], batch=settings["batch"],
                         seed=seed, validate=lambda: held_out(corpus.validation),
                         validate_every=max(1, settings["steps"] // 10))
    with evaluating(model):
        return {"nats": held_out(corpus.test), "best_step": history.best[0], **shared.costs(model, history, began)}


# The grid

def grid(seeds: list[int], pairs: tuple[int, ...]) -> list[dict]:
    """What is run, a seed at a time; within it what the claims need first."""
    return [{"arm": arm, "pairs": size, "split": split, "seed": seed} for seed in seeds
            for split, arms, sizes in (("iid", ARMS, pairs), ("compositional", COMPOSITIONAL, pairs[-1:]))
            for arm in arms for size in sizes]


def figures_of(results: list[tuple[dict, dict]]) -> dict[str, Figure]:
    """The figures of finished runs: (what was run, as in `grid`, and its result), the same seeds in all.

    accuracy-<arm>-<pairs>, its mean over the sizes (accuracy-<arm>), -compositional; nats-<arm>-<pairs>; and
    by their names the differences that the chapter's claims ask for, paired by seed.
    """
    found = {}    # (arm, split, pairs) -> {seed: result}
    for key, result in results:
        found.setdefault((key["arm"], key["split"], key["pairs"]), {})[key["seed"]] = result
    seeds = sorted({key["seed"] for key, _ in results})
    sizes = sorted({key["pairs"] for key, _ in results})
    most = sizes[-1]

    def values(what: str, arm: str, size: int | None = None, split: str = "iid") -> list[float]:
        """One a seed; without a size the mean over the sizes."""
        return [statistics.fmean(found[arm, split, each][seed][what] for each in ([size] if size else sizes))
                for seed in seeds]

    def less(ones: list[float], others: list[float]) -> list[float]:
        return [one - other for one, other in zip(ones, others, strict=True)]

    def compounding(both: str, *halves: str) -> list[float]:
        """Against the half that is better on the whole, the same for all seeds."""
        better = max(halves, key=lambda arm: statistics.fmean(values("accuracy", arm)))
        return less(values("accuracy", both), values("accuracy", better))

    figures = {}
    for arm in ARMS:
        for size in sizes:
            figures[f"nats-{arm}-{size}"] = t_interval(values("nats", arm, size), "nats/token")
            if arm != "language-model":
                figures[f"accuracy-{arm}-{size}"] = t_interval(values("accuracy", arm, size), "share")
        if arm != "language-model":
            figures[f"accuracy-{arm}"] = t_interval(values("accuracy", arm), "share")
    for arm in COMPOSITIONAL:
        figures[f"accuracy-{arm}-{most}-compositional"] = t_interval(
            values("accuracy", arm, most, "compositional"), "share")
    shares = {
        "boss2sql-works": values("accuracy", "both", most),
        "boss2sql-never-again": values("accuracy", "both", most, "compositional"),
        "boss2sql-pretraining-pays": less(values("accuracy", "both"), values("accuracy", "scratch")),
        "pretraining-pays-causal": less(values("accuracy", "both-causal"), values("accuracy", "scratch")),
        "masked-decoder-serves": less(values("accuracy", "both", most), values("accuracy", "encoder", most)),
        "causal-decoder-over-masked": less(values("accuracy", "both-causal"), values("accuracy", "both")),
        "pretraining-compounds": compounding("both", "encoder", "decoder"),
        "pretraining-compounds-causal": compounding("both-causal", "encoder", "decoder-causal"),
        "tied-in-small": less(values("accuracy", "tied"), values("accuracy", "both")),
        "single-stack-suffices": less(values("accuracy", "single-stack", most),
                                      values("accuracy", "scratch", most)),
    }
    figures |= {name: t_interval(each, "share") for name, each in shares.items()}
    figures["conditioning-matters"] = t_interval(
        less(values("nats", "language-model", most), values("nats", "scratch", most)), "nats/token")
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--runs", default="my_results", help="folder of finished runs (default: my_results)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--quick", action="store_true", help="a tiny model, to see that it runs")
    options = parser.parse_args(arguments)
    sizes, settings, pairs = dict(SIZES), dict(SETTINGS), PAIRS
    if options.quick:
        sizes |= dict(width=16, heads=2, layers=1)
        settings |= dict(pretraining_texts=60, held_out=20, steps=4, pretraining_steps=4)
        pairs = (10, 20)

    runs, results = Runs(options.runs, "pretrained_halves"), []
    corpus = cache(lambda split: Corpus(split, settings, max(pairs)))
    halves = cache(lambda split, seed: Pretrained(corpus(split), sizes, settings, seed))

    def run(arm: str, pairs: int, split: str, seed: int) -> dict:
        drawn = corpus(split).drawn(pairs, seed)
        if arm == "single-stack":
            return tune_single_stack(corpus(split), drawn, sizes, settings, seed)
        if arm == "language-model":
            return tune_language_model(corpus(split), drawn, sizes, settings, seed)
        return tune_halves(arm, corpus(split), drawn, halves(split, seed), settings, seed)

    with benchmark.set_torch_threads(options.threads):
        for key in grid(options.seeds, pairs):
            result = runs.get(key | sizes | settings, lambda: run(**key))
            results.append((key, result))
            print(*key.values(), {name: round(value, 3) for name, value in result.items()}, flush=True)
    path = record(
        "pretrained_halves", figures_of(results), folder=options.results, device="cpu",
        what="Requests to SQL by encoder-decoders whose halves are random or pretrained, after the same steps "
             "of tuning on few pairs: execution accuracy, and nats a token of the held-out SQL.",
        settings=sizes | settings | {"pairs": list(pairs), "seeds": options.seeds, "threads": options.threads})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
