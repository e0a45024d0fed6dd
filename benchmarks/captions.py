"""A model of English joined to a model of French: the first speculation of the post, on real captions.

    python -m benchmarks.captions --data multi30k [--seeds 0 1 2] [--results results] [--quick]

--data: a folder with Multi30k (Elliott et al. 2016, Elliott et al. 2017) as one caption a line: train.en,
train.fr, test_2016_flickr.en, test_2016_flickr.fr; the course holds no copy. Of the training pictures, in an
order drawn by the seed, 1,000 give pairs of captions to tune on; half of the others give an English caption
each, the rest a French one, so that no pretraining text is a translation of another or of a pair.

The encoder is pretrained by masked words on the English captions, the decoder by next words on the French
ones, each for as many steps. `course_lib.transformer.combine` joins them, and the pairs are learned for a
fixed number of steps: from "both" halves pretrained, the "encoder" alone, the "decoder" alone, or from
"scratch". Byte-pair encoding of each language, learned from its first 5,000 training captions. BLEU
(Papineni et al. 2002, Post 2018) by sacrebleu on the Flickr test of 2016, decoded greedily; its signature is
in the settings.

Differences are paired by seed; intervals are 95 % t-intervals over seeds. Writes
`<results>/captions/<hardware>.json`; the figure language-a-to-language-b decides the claim of that id. About
5 minutes a seed on one thread; finished seeds are kept if it is interrupted.
"""
import argparse
import functools
import random
import statistics
from pathlib import Path

import sacrebleu
import torch
from torch import Tensor

from benchmarks.over_seeds import Runs, t_interval
from course_lib.benchmarking import benchmark
from course_lib.generation import generate
from course_lib.results import Figure, record
from course_lib.tokenization import Tokenizer, train_bpe
from course_lib.training import (History, LengthBatches, cross_entropy, language_model_loss, pad, seq2seq_loss,
                                 set_seed, train)
from course_lib.transformer import Transformer, TransformerConfig, combine

SIZES = dict(width=128, heads=4, layers=2, dropout=0.1, vocabulary=4000, pairs=1000, batch=32,
             pretraining_steps=700, tuning_steps=400, test=1000)
QUICK = SIZES | dict(width=16, heads=2, vocabulary=280, pairs=8, batch=4, pretraining_steps=3, tuning_steps=3,
                     test=4)
OPTIMISER = dict(learning_rate=1e-3, warmup=50, decay="cosine", weight_decay=0.01, clip=1.0)
FILES = ("train.en", "train.fr", "test_2016_flickr.en", "test_2016_flickr.fr")
STARTS = ("scratch", "both", "encoder", "decoder")
HIDDEN_SHARE = 0.15


def read(folder: Path) -> dict[str, list[str]]:
    """The captions of FILES. Raises SystemExit naming what is missing or not of one length."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise SystemExit(f"{folder} holds no {', '.join(missing)}: give the folder of Multi30k, one caption a line")
    captions = {name: (folder / name).read_text(encoding="utf-8").splitlines() for name in FILES}
    for english, french in (FILES[:2], FILES[2:]):
        if len(captions[english]) != len(captions[french]):
            raise SystemExit(f"{english} and {french} of {folder} have different numbers of lines")
    return captions


def split(count: int, pairs: int, seed: int) -> tuple[list[int], list[int], list[int]]:
    """Pictures for the pairs, for English alone and for French alone; no picture is in two."""
    order = list(range(count))
    random.Random(seed).shuffle(order)
    middle = pairs + (count - pairs) // 2
    return order[:pairs], order[pairs:middle], order[middle:]


def new_model(tokenizer: Tokenizer, sizes: dict, encoder_layers: int, decoder_layers: int) -> Transformer:
    """A stack with random weights."""
    return Transformer(TransformerConfig(
        vocabulary=len(tokenizer), width=sizes["width"], heads=sizes["heads"], encoder_layers=encoder_layers,
        decoder_layers=decoder_layers, context=128, positions="rotary", dropout=sizes["dropout"],
        eos_token_id=tokenizer.id("</s>"), pad_token_id=tokenizer.pad_id,
        decoder_start_token_id=tokenizer.id("<s>")))


def masked_word_loss(model: Transformer, ids: Tensor, mask: Tensor, tokenizer: Tokenizer) -> Tensor:
    """BERT's task: of 15 % of the words, 80 % are hidden, 10 % replaced, 10 % left; all are to be restored."""
    first = len(tokenizer.special)
    chosen = mask & (ids >= first) & (torch.rand(ids.shape) < HIDDEN_SHARE)
    chosen[0, 1] = True    # a batch of short captions may have none
    fate = torch.rand(ids.shape)
    hidden = torch.where(chosen & (fate < 0.8), tokenizer.id("<mask>"), ids)
    hidden = torch.where(chosen & (fate >= 0.9), torch.randint(first, len(tokenizer), ids.shape), hidden)
    # logits of the chosen ones alone: less work
    return cross_entropy(model.head(model.encode(hidden, mask)[chosen]), ids[chosen])


def learn(model: Transformer, rows: list, loss_of, steps: int, batch: int, seed: int) -> History:
    """Train on batches of like length; `rows` is what `loss_of(model, rows)` takes, with lengths first."""
    order = LengthBatches([row[0] for row in rows], batch_size=batch, seed=seed)
    return train(model, order, lambda model, chosen: loss_of(model, [rows[i][1] for i in chosen]), steps=steps,
                 progress=False, **OPTIMISER)


def pretrain(kind: str, texts: list[str], tokenizer: Tokenizer, sizes: dict, seed: int
             ) -> tuple[Transformer, History]:
    """An "encoder" of masked words or a "decoder" of next words."""
    set_seed(seed)
    layers = sizes["layers"]
    model = new_model(tokenizer, sizes, layers * (kind == "encoder"), layers * (kind == "decoder"))
    rows = [(len(ids), ids) for ids in map(tokenizer.encode, texts)]

    def loss_of(model, batch):
        ids, mask = pad(batch, tokenizer.pad_id)
        return (masked_word_loss(model, ids, mask, tokenizer) if kind == "encoder"
                else language_model_loss(model, ids, mask))

    return model, learn(model, rows, loss_of, sizes["pretraining_steps"], sizes["batch"], seed)


def tune(model: Transformer, pairs: list[tuple[list[int], list[int]]], sizes: dict, seed: int) -> History:
    """Learn to translate pairs of lists of ids."""
    set_seed(seed)
    padding = model.config.pad_token_id

    def loss_of(model, batch):
        sources, targets = zip(*batch)
        return seq2seq_loss(model, *pad(sources, padding), *pad(targets, padding))

    rows = [(len(source) + len(target), (source, target)) for source, target in pairs]
    return learn(model, rows, loss_of, sizes["tuning_steps"], sizes["batch"], seed)


def translate(model: Transformer, texts: list[str], source: Tokenizer, target: Tokenizer) -> list[str]:
    """Greedy translations, at most 50 tokens."""
    found = [""] * len(texts)
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))    # like lengths: less padding
    for start in range(0, len(texts), 100):
        part = order[start:start + 100]
        ids, mask = source.batch([texts[i] for i in part])
        written = generate(model, ids, padding_mask=mask, max_new_tokens=50).new_tokens
        for i, row in zip(part, written):
            found[i] = target.decode(row, skip_special=True).strip()
    return found


def run(captions: dict[str, list[str]], tokenizers: tuple[Tokenizer, Tokenizer], sizes: dict, seed: int) -> dict:
    """BLEU of each of STARTS, and losses, plain JSON."""
    english, french, test, reference = (captions[name] for name in FILES)
    test, reference = test[:sizes["test"]], reference[:sizes["test"]]
    for_pairs, for_english, for_french = split(len(english), sizes["pairs"], seed)
    source, target = tokenizers
    pairs = [(source.encode(english[i]), target.encode(french[i])) for i in for_pairs]
    encoder, encoder_history = pretrain("encoder", [english[i] for i in for_english], source, sizes, seed)
    decoder, decoder_history = pretrain("decoder", [french[i] for i in for_french], target, sizes, seed)
    metric, found = sacrebleu.metrics.BLEU(), {"bleu": {}, "tuning_loss": {}, "samples": {}}
    for start in STARTS:
        set_seed(seed)    # the same cross-attention and the same random halves, whichever are pretrained
        new_encoder = new_model(source, sizes, sizes["layers"], 0)
        new_decoder = new_model(target, sizes, 0, sizes["layers"])
        model = combine(encoder if start in ("both", "encoder") else new_encoder,
                        decoder if start in ("both", "decoder") else new_decoder)
        history = tune(model, pairs, sizes, seed)
        written = translate(model, test, source, target)
        found["bleu"][start] = metric.corpus_score(written, [reference]).score
        found["tuning_loss"][start] = statistics.fmean(history.losses[-20:])
        found["samples"][start] = written[:2]
        print(f"seed {seed}, {start}: BLEU {found['bleu'][start]:.2f}, last losses "
              f"{found['tuning_loss'][start]:.3f}, {history.seconds:.0f} s; {written[0]}", flush=True)
    return found | {
        "signature": str(metric.get_signature()),
        "pretraining_loss": {"encoder": statistics.fmean(encoder_history.losses[-20:]),
                             "decoder": statistics.fmean(decoder_history.losses[-20:])},
        "seconds": {"encoder": encoder_history.seconds, "decoder": decoder_history.seconds}}


def figures_of(found: list[dict]) -> dict[str, Figure]:
    """Figures over seeds; differences are formed within a seed first."""
    def minus_scratch(start: str) -> Figure:
        return t_interval([one["bleu"][start] - one["bleu"]["scratch"] for one in found], "BLEU")

    return {"language-a-to-language-b": minus_scratch("both"),
            "encoder-minus-scratch": minus_scratch("encoder"), "decoder-minus-scratch": minus_scratch("decoder"),
            **{f"bleu-{start}": t_interval([one["bleu"][start] for one in found], "BLEU") for start in STARTS},
            **{f"tuning-loss-{start}": t_interval([one["tuning_loss"][start] for one in found], "nats/token")
               for start in STARTS}}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of Multi30k")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    captions = read(options.data)
    sizes = QUICK if options.quick else SIZES
    tokenizers = functools.cache(lambda: tuple(    # half a minute that an interrupted call need not repeat
        train_bpe(captions[name][:5000], sizes["vocabulary"], template="<s> $A </s>") for name in FILES[:2]))
    runs = Runs(options.results, "captions")
    with benchmark.set_torch_threads(options.threads):
        found = [runs.get(sizes | OPTIMISER | {"seed": seed}, lambda: run(captions, tokenizers(), sizes, seed))
                 for seed in options.seeds]
    path = record(
        "captions", figures_of(found), folder=options.results, device="cpu",
        what="BLEU, English to French, of captions translated by two small stacks tuned on few pairs, with "
             "halves pretrained on captions of other pictures and without.",
        settings={**sizes, **OPTIMISER, "hidden_share": HIDDEN_SHARE, "seeds": options.seeds,
                  "threads": options.threads, "test_captions": min(sizes["test"], len(captions[FILES[2]])),
                  "pretraining_captions_each": (len(captions[FILES[0]]) - sizes["pairs"]) // 2,
                  "sacrebleu": found[0]["signature"], "samples_of_the_first_seed": found[0]["samples"],
                  "pretraining_loss": found[0]["pretraining_loss"]})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
