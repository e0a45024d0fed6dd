"""Frozen embeddings: what they cost in quality and what they save in time, the tip of the post's third section.

    python -m benchmarks.frozen_embeddings [--seeds 0 1 2 3 4] [--data FOLDER] [--results results] [--quick]

Quality. For each seed a small encoder learns hidden words (BERT's task) on reviews without their labels, then a
label from a few hundred reviews: once with all parameters free, once with the embeddings (tokens, positions, their
norm) frozen at their pretrained values, once from scratch. Same batches, same steps. Differences are paired by seed;
95 % t-intervals. The reviews are the grammar's; with --data, real film reviews are added (a folder with one *.pos
and one *.neg file), reported beside.

Time. A training step of a DistilBERT on 8 texts of 32 tokens, which decides the claim, and of a two-layer BERT of
width 128 ("tiny") on 16 of 64, published sizes with their full vocabulary of 30,522, for classification with AdamW: all
parameters free against embeddings frozen, interleaved. The more tokens in a batch, the less the tables weigh.
The weights are random: the time of a step does not depend on them. Times are processor seconds of the one thread,
which other programs on the machine hardly disturb; left alone, the thread takes as long by the clock on the wall.

Sizes. The share of the embeddings in all parameters, from the published configurations (transformers' defaults).

Writes `<results>/frozen_embeddings/<hardware>.json`; figures that decide a claim bear its id. About 4 minutes on
one thread (8 with --data); finished seeds are kept if it is interrupted.
"""
import argparse
import copy
import statistics
import time
from dataclasses import asdict

import torch
from torch import nn

from benchmarks.over_seeds import Runs, t_interval
from benchmarks.pretraining_tasks import batches, hide
from course_lib.benchmarking import benchmark, compare
from course_lib.data.reviews import load_reviews
from course_lib.results import Figure, record
from course_lib.tokenization import Tokenizer, train_wordpiece, train_words
from course_lib.training import cross_entropy, evaluating, make_optimizer, set_seed, train
from course_lib.transformer import Transformer, TransformerConfig

SIZES = dict(width=64, heads=4, layers=2, reviews=5000, labelled=500, test=1000, batch=32, steps=600, tuning_steps=200,
             vocabulary=2000, repeats=7)
QUICK = SIZES | dict(width=16, heads=2, reviews=60, labelled=20, test=20, batch=8, steps=4, tuning_steps=3, vocabulary=300,
                     repeats=5)
OPTIMISER = dict(learning_rate=2e-3, warmup=50, decay="cosine", weight_decay=0.01, clip=1.0)
TUNING = OPTIMISER | dict(learning_rate=5e-4, warmup=20)
#: Published sizes: what TransformerConfig needs, and rows and tokens of a batch.
TIMED = {
    "distilbert": (dict(width=768, heads=12, encoder_layers=6), (8, 32)),
    "tiny": (dict(width=128, heads=2, encoder_layers=2, segments=2), (16, 64)),
}
BERT = dict(vocabulary=30_522, context=512, norm="post", embedding_norm=True, norm_eps=1e-12, head_bias=True, dropout=0.1)
WAYS = ("free", "frozen", "scratch")


class Classifier(nn.Module):
    """An encoder, the mean of its hidden states, a linear layer."""

    def __init__(self, encoder: Transformer, classes: int = 2):
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(encoder.config.width, classes)

    def forward(self, ids, mask):
        """Logits [batch, classes]."""
        hidden = self.encoder.encoder(ids, padding_mask=mask)[0] * mask[..., None]
        return self.head(hidden.sum(1) / mask.sum(1, keepdim=True))


def embeddings_of(model: Transformer) -> list[nn.Module]:
    """The modules that make up an encoder's embeddings."""
    stack = model.encoder
    return [part for part in (stack.tokens, stack.positions, stack.segments, stack.embedding_norm) if part is not None]


def freeze(model: Transformer) -> int:
    """Freeze the embeddings; the number of parameters that no longer learn."""
    frozen = [weight for part in embeddings_of(model) for weight in part.parameters()]
    for weight in frozen:
        weight.requires_grad_(False)
    return sum(weight.numel() for weight in frozen)


# Quality

def pretrain(texts: list[str], tokenizer: Tokenizer, sizes: dict, seed: int) -> Transformer:
    """An encoder that has learned to restore hidden words."""
    set_seed(seed)
    model = Transformer(TransformerConfig(vocabulary=len(tokenizer), width=sizes["width"], heads=sizes["heads"],
                                          encoder_layers=sizes["layers"], context=128, embedding_norm=True, dropout=0.1,
                                          pad_token_id=tokenizer.pad_id))

    def loss_of(model, batch):
        ids, mask = tokenizer.batch(batch, length=128)
        hidden, labels = hide(ids, mask, tokenizer)
        return cross_entropy(model(hidden, padding_mask=mask).logits, labels)

    if sizes["steps"]:
        train(model, batches(texts, sizes["batch"], seed), loss_of, steps=sizes["steps"], progress=False, **OPTIMISER)
    return model


def tune(encoder: Transformer, rows: list[dict], test: list[dict], tokenizer: Tokenizer, sizes: dict, seed: int,
         frozen: bool) -> float:
    """Accuracy on the test reviews after learning labels."""
    set_seed(seed)
    model = Classifier(copy.deepcopy(encoder))
    if frozen:
        freeze(model.encoder)

    def scores(model, batch):
        return model(*tokenizer.batch([row["text"] for row in batch], length=128))

    train(model, batches(rows, sizes["batch"], seed), lambda model, batch: cross_entropy(
        scores(model, batch), torch.tensor([row["label"] for row in batch])), steps=sizes["tuning_steps"], progress=False,
        **TUNING)
    right = []
    with evaluating(model):
        for start in range(0, len(test), 100):
            part = test[start:start + 100]
            right += [guess == row["label"] for guess, row in zip(scores(model, part).argmax(1).tolist(), part)]
    return statistics.fmean(right)


def run(sizes: dict, seed: int, source: str | None = None) -> dict:
    """Accuracies of a seed, and the ceiling where it is known."""
    reviews = load_reviews(sizes["reviews"], sizes["test"], seed=seed, source=source)
    texts, rows, test = list(reviews.train["text"]), list(reviews.train)[:sizes["labelled"]], list(reviews.test)
    tokenizer = (train_words(texts, lowercase=True, special=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "<mask>"),
                             template="[CLS] $A [SEP]") if source is None
                 else train_wordpiece(texts, sizes["vocabulary"], special=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "<mask>")))
    encoder = pretrain(texts, tokenizer, sizes, seed)
    fresh = pretrain(texts, tokenizer, sizes | {"steps": 0}, seed)
    found = {way: tune(fresh if way == "scratch" else encoder, rows, test, tokenizer, sizes, seed, way == "frozen")
             for way in WAYS}
    found["best possible"] = reviews.bayes_accuracy
    print(f"seed {seed}, {'film' if source else 'grammar'}: {found}", flush=True)
    return found


# Time and sizes

def time_step(name: str, repeats: int, quick: bool = False) -> dict[str, dict]:
    """Seconds of a training step, "free" and "frozen", and their "ratio": the fields of a Figure each."""
    options, (rows, length) = TIMED[name]
    options = {**BERT, **options} | ({"vocabulary": 300, "width": 16, "heads": 2, "encoder_layers": 1} if quick else {})
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(options["vocabulary"], (rows, length), generator=generator)
    labels, mask = torch.randint(2, (rows,), generator=generator), torch.ones(rows, length, dtype=torch.bool)

    def variant(frozen):
        set_seed(0)
        encoder = Transformer(TransformerConfig(**options))
        encoder.head = None    # no words are predicted
        model = Classifier(encoder)
        if frozen:
            freeze(encoder)
        optimizer = make_optimizer(model, 2e-5)

        def step():
            loss = cross_entropy(model(ids, mask), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        return step

    timed = compare({"free": variant(False), "frozen": variant(True)}, repeats=repeats, warmup=1, device="cpu",
                    min_sample_seconds=0.05, clock=time.process_time)
    print(f"{name}\n{timed}", flush=True)
    return {name: asdict(figure) for name, figure in (timed.figures() | {"ratio": timed.ratio("free", "frozen")}).items()}


def embedding_shares() -> dict[str, tuple[int, int]]:
    """(parameters of the embeddings, all parameters) of published models, heads left out."""
    from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel, GPT2Config, GPT2Model
    found = {}
    with torch.device("meta"):
        for name, model, part in (("gpt2", GPT2Model(GPT2Config()), ("wte", "wpe")),
                                  ("bert-base", BertModel(BertConfig()), ("embeddings",)),
                                  ("distilbert", DistilBertModel(DistilBertConfig()), ("embeddings",))):
            whole = sum(weight.numel() for weight in model.parameters())
            found[name] = sum(weight.numel() for one in part for weight in getattr(model, one).parameters()), whole
    return found


def figures_of(found: list[dict], film: list[dict]) -> dict[str, Figure]:
    """Figures over seeds, in points of accuracy; differences are formed within a seed first."""
    figures = {"frozen-embeddings-cost-little": t_interval([100 * (one["free"] - one["frozen"]) for one in found], "points")}
    for prefix, runs in (("", found), ("film-", film)):
        if runs:
            figures |= {f"{prefix}accuracy-{way}": t_interval([one[way] for one in runs], "share") for way in WAYS}
            if prefix:
                figures[f"{prefix}free-minus-frozen"] = t_interval([100 * (one["free"] - one["frozen"]) for one in runs],
                                                                   "points")
            figures[f"{prefix}gain-of-pretraining"] = t_interval(
                [100 * (one["free"] - one["scratch"]) for one in runs], "points")
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", help="folder with real film reviews, one *.pos and one *.neg file")
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SIZES
    runs = Runs(options.results, "frozen_embeddings")
    with benchmark.set_torch_threads(options.threads):
        figures = {}
        for name in TIMED:
            timed = runs.get({"timed": name, "clock": "processor", "repeats": sizes["repeats"], "quick": options.quick},
                             lambda: time_step(name, sizes["repeats"], options.quick))
            figures |= {f"{name}-step-free": Figure(**timed["free"]), f"{name}-step-frozen": Figure(**timed["frozen"]),
                        f"{name}-free-over-frozen": Figure(**timed["ratio"])}
        figures["frozen-embeddings-are-faster"] = figures["distilbert-free-over-frozen"]
        found = [runs.get(sizes | {"seed": seed}, lambda: run(sizes, seed)) for seed in options.seeds]
        film = [runs.get(sizes | {"seed": seed, "film": True}, lambda: run(sizes, seed, options.data))
                for seed in options.seeds] if options.data else []
    figures |= figures_of(found, film)
    for name, (part, whole) in embedding_shares().items():
        figures[f"{name}-embedding-share"] = Figure(part / whole, part / whole, part / whole, "share", 1,
                                                    "counted from the configuration")
    path = record("frozen_embeddings", figures, folder=options.results, device="cpu",
                  what="Accuracy after fine-tuning with the embeddings frozen or free, time of a training step of "
                       "published sizes, share of the embeddings in the parameters.",
                  settings={**sizes, **OPTIMISER, "tuning": TUNING, "seeds": options.seeds, "threads": options.threads,
                            "clock": "processor time of one thread", "timed": {name: {**BERT, **size, "batch": rows, "length": length}
                                      for name, (size, (rows, length)) in TIMED.items()},
                            "film": bool(options.data), "found": {"grammar": found, "film": film}})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
