"""What single mistakes and tweaks cost: one small classifier of reviews, trained right and wrong.

    python -m benchmarks.small_mistakes [--seeds 0 1 2 3 4] [--results results] [--quick]

A transformer of one layer learns short reviews written by the grammar (`course_lib.data.reviews`) for a fixed number
of steps. Then the same with one thing changed: gradients never cleared (Adam, SGD), probabilities given to the
cross-entropy, evaluation without eval(), another activation, a small training set and many steps. And a small
translator of weather bulletins (`course_lib.data.translation`), whose translations of held-out sentences are scored by chrF (Popović
2015, by sacrebleu) as it learns.

Differences are paired by seed, and a seed draws data, weights and batches alike; intervals are 95 %
t-intervals over seeds. Writes `<results>/small_mistakes/<hardware>.json`; figures named like claims of chapter 4
decide them. About 2 minutes a seed on one thread; finished seeds are kept if it is interrupted.
"""
import argparse
import itertools
import random
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.over_seeds import Runs, t_interval
from course_lib.benchmarking import benchmark
from course_lib.data.reviews import load_reviews
from course_lib.data.translation import load_translations
from course_lib.generation import generate
from course_lib.results import Figure, record
from course_lib.training import LengthBatches, evaluating, pad, seq2seq_loss, set_seed, train
from course_lib.transformer import Transformer, TransformerConfig

SIZES = dict(width=32, heads=4, layers=1, reviews=4000, held_out=1000, longest=2, batch=32, steps=700, few_reviews=200,
             many_steps=600, pairs=2000, translated=60, points=10, translation_steps=500)
QUICK = SIZES | dict(width=16, heads=2, layers=1, reviews=40, held_out=20, batch=8, steps=4, few_reviews=16,
                     many_steps=4, pairs=40, translated=4, points=2, translation_steps=4)
DROPOUT = 0.1
ADAM, SGD, MOMENTUM = 3e-3, 0.05, 0.9
ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}
PAD, UNKNOWN = 0, 1


class Classifier(nn.Module):
    """Embeddings, a transformer encoder, the mean over the real tokens, two logits."""

    def __init__(self, vocabulary: int, sizes: dict, activation: Callable = F.relu, dropout: float = DROPOUT):
        super().__init__()
        self.words = nn.Embedding(vocabulary, sizes["width"])
        self.places = nn.Embedding(256, sizes["width"])
        nn.init.normal_(self.places.weight, std=0.02)    # a place says little beside a word
        layer = nn.TransformerEncoderLayer(sizes["width"], sizes["heads"], 4 * sizes["width"], dropout, activation,
                                           batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, sizes["layers"], enable_nested_tensor=False)
        self.head = nn.Linear(sizes["width"], 2)

    def forward(self, ids: Tensor) -> Tensor:
        real = ids != PAD    # [batch, length]
        x = self.words(ids) + self.places.weight[:ids.shape[1]]
        x = self.encoder(x, src_key_padding_mask=~real)
        return self.head((x * real[..., None]).sum(1) / real.sum(1, keepdim=True))


def encode(texts: list[str], vocabulary: dict[str, int]) -> list[list[int]]:
    return [[vocabulary.get(word, UNKNOWN) for word in text.lower().split()] for text in texts]


def words_of(texts: list[str]) -> dict[str, int]:
    words = sorted({word for text in texts for word in text.lower().split()})
    return {word: number for number, word in enumerate(words, 2)}


@torch.no_grad()
def accuracy_and_loss(model: nn.Module, part: tuple, batch: int = 100) -> tuple[float, float]:
    """In the mode the model is in. A model of NaN is right as often as chance, one half."""
    right, loss = 0.0, 0.0
    texts, labels = part
    for start in range(0, len(texts), batch):
        logits = model(pad(texts[start:start + batch])[0])
        target = labels[start:start + batch]
        broken = logits.isnan().any(1)
        right += float((logits.argmax(1) == target)[~broken].sum() + 0.5 * broken.sum())
        loss += float(F.cross_entropy(logits, target, reduction="sum"))
    return right / len(texts), loss / len(texts)


def fit(part: tuple, vocabulary: int, sizes: dict, seed: int, *, steps: int, optimiser: str = "adam", clear: bool = True,
        probabilities: bool = False, activation: str = "relu", dropout: float = DROPOUT,
        every: int | None = None, look: Callable | None = None) -> nn.Module:
    """A classifier after `steps` steps; look(model, loss of the step) is called every `every` steps and at the end."""
    set_seed(seed)
    model = Classifier(vocabulary, sizes, ACTIVATIONS[activation], dropout)
    update = (torch.optim.Adam(model.parameters(), lr=ADAM) if optimiser == "adam" else
              torch.optim.SGD(model.parameters(), lr=SGD, momentum=MOMENTUM))
    texts, labels = part
    batches = LengthBatches([len(text) for text in texts], batch_size=sizes["batch"], seed=seed)
    endless = itertools.chain.from_iterable(iter(batches) for _ in itertools.count())
    for step, rows in enumerate(itertools.islice(endless, steps), 1):
        logits = model(pad([texts[row] for row in rows])[0])
        loss = F.cross_entropy(logits.softmax(1) if probabilities else logits, labels[rows])
        if clear:
            update.zero_grad()
        loss.backward()
        update.step()
        if look and (step % every == 0 or step == steps):
            look(model, loss.item())
    return model


def review_runs(sizes: dict, seed: int) -> dict:
    """Every figure of one seed that the reviews give: accuracies in points, a ratio of losses."""
    reviews = load_reviews(sizes["reviews"], sizes["held_out"], seed, sentences=(1, sizes["longest"]))
    vocabulary = words_of(reviews.train["text"])
    train_part, validation, test = ((encode(part["text"], vocabulary), torch.tensor(part["label"]))
                                    for part in (reviews.train, reviews.validation, reviews.test))
    number = len(vocabulary) + 2

    def score(model, part=validation):
        model.eval()
        return 100 * accuracy_and_loss(model, part)[0]

    def run(**changes):
        return fit(train_part, number, sizes, seed, **({"steps": sizes["steps"]} | changes))

    right = run()
    found = {"adam": score(right)}
    right.train()
    found["adam-in-training-mode"] = 100 * accuracy_and_loss(right, validation)[0]
    found["adam-not-cleared"] = score(run(clear=False))
    found["sgd"] = score(run(optimiser="sgd"))
    found["sgd-not-cleared"] = score(run(optimiser="sgd", clear=False))
    found["probabilities"] = score(run(probabilities=True))
    for name in ACTIVATIONS:
        model = right if name == "relu" else run(activation=name)
        found[f"{name}-validation"], found[f"{name}-test"] = score(model), score(model, test)

    few = (train_part[0][:sizes["few_reviews"]], train_part[1][:sizes["few_reviews"]])
    losses, held_out = [], []

    def look(model, _):
        with evaluating(model):
            losses.append(accuracy_and_loss(model, few)[1])
            held_out.append(accuracy_and_loss(model, validation)[1])

    fit(few, number, sizes, seed, steps=sizes["many_steps"], dropout=0.0, every=max(1, sizes["many_steps"] // 20), look=look)
    falling = losses[-1] < losses[held_out.index(min(held_out))]
    found |= {"training-losses": losses, "held-out-losses": held_out,
              "overfitting": held_out[-1] / min(held_out) if falling else 1.0}
    return found


def translation_run(sizes: dict, seed: int) -> dict:
    """chrF of held-out sentences at `points` steps, and its rank correlation with the step."""
    import sacrebleu
    from scipy.stats import spearmanr

    data = load_translations(sizes["pairs"], held_out=sizes["translated"], seed=seed, domain="weather")
    words = {word: n for n, word in enumerate(sorted({w for side in ("english", "french") for row in data.train[side] for w in row}), 4)}
    names = {n: word for word, n in words.items()}
    set_seed(seed)
    model = Transformer(TransformerConfig(
        vocabulary=len(words) + 4, width=64, heads=4, encoder_layers=2, decoder_layers=2, context=64, dropout=DROPOUT,
        pad_token_id=0, decoder_start_token_id=2, eos_token_id=3))
    pairs = [([words[w] for w in english], [words[w] for w in french] + [3])
             for english, french in zip(data.train["english"], data.train["french"])]
    prompts, real = pad([[words.get(w, 1) for w in english] for english in data.iid["english"]])
    references = [" ".join(french) for french in data.iid["french"]]
    rng, chrf = random.Random(seed), []

    def loss_of(model, rows):
        return seq2seq_loss(model, *pad([english for english, _ in rows]), *pad([french for _, french in rows]))

    def minus_chrf():
        written = generate(model, prompts, padding_mask=real, max_new_tokens=24).sequences
        texts = [" ".join(names[int(n)] for n in row if int(n) > 3) for row in written]
        chrf.append(sacrebleu.corpus_chrf(texts, [references]).score)
        return -chrf[-1]

    batches = (rng.sample(pairs, min(32, len(pairs))) for _ in itertools.count())
    train(model, batches, loss_of, steps=sizes["translation_steps"], warmup=20, learning_rate=2e-3, validate=minus_chrf, progress=False,
          validate_every=max(1, sizes["translation_steps"] // sizes["points"]))
    moved = len(set(chrf)) > 1    # of equal values there is no rank correlation
    return {"chrf": chrf, "spearman": float(spearmanr(range(len(chrf)), chrf).statistic) if moved else 0.0}


def figures_of(found: list[dict]) -> dict[str, Figure]:
    """Figures over seeds; differences are formed within a seed first, in points of accuracy."""
    def over(value: Callable[[dict], float], unit: str = "points") -> Figure:
        return t_interval([value(one) for one in found], unit)

    def tweak(one):
        best = max(("gelu", "silu", "tanh"), key=lambda name: one[f"{name}-validation"])
        return one[f"{best}-test"] - one["relu-test"]

    by_adam = over(lambda one: one["adam"] - one["adam-not-cleared"])
    by_sgd = over(lambda one: one["sgd"] - one["sgd-not-cleared"])
    return {
        "eval-forgotten": over(lambda one: one["adam"] - one["adam-in-training-mode"]),
        "zero-grad-forgotten": min(by_adam, by_sgd, key=lambda figure: figure.value),
        "zero-grad-adam": by_adam, "zero-grad-sgd": by_sgd,
        "probabilities-for-logits": over(lambda one: one["adam"] - one["probabilities"]),
        "activation-tweaks-pointless": over(tweak),
        "overfitting-turns-the-loss": over(lambda one: one["overfitting"], "ratio"),
        "translations-improve": over(lambda one: one["spearman"], "correlation"),
        "chrf-first": over(lambda one: one["chrf"][0], "chrF"), "chrf-last": over(lambda one: one["chrf"][-1], "chrF"),
        **{f"accuracy-{name}": over(lambda one, name=name: one[name]) for name in
           ("adam", "adam-not-cleared", "sgd", "sgd-not-cleared", "probabilities", *(f"{a}-test" for a in ACTIVATIONS))},
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes = QUICK if options.quick else SIZES
    runs = Runs(options.results, "small_mistakes")
    with benchmark.set_torch_threads(options.threads):
        found = []
        for seed in options.seeds:
            one = runs.get(sizes | {"seed": seed, "part": "reviews"}, lambda: review_runs(sizes, seed))
            print(f"seed {seed}: " + ", ".join(f"{key} {value:.3g}" for key, value in one.items() if isinstance(value, float)), flush=True)
            other = runs.get(sizes | {"seed": seed, "part": "weather bulletins"}, lambda: translation_run(sizes, seed))
            print(f"seed {seed}: chrF " + " ".join(f"{value:.1f}" for value in other["chrf"]), flush=True)
            found.append(one | other)
    path = record(
        "small_mistakes", figures_of(found), folder=options.results, device="cpu",
        what="Accuracy of a small classifier of reviews, trained right and with one mistake or tweak; chrF of a small "
             "translator as it learns.",
        settings={**sizes, "dropout": DROPOUT, "learning_rate_adam": ADAM, "learning_rate_sgd": SGD, "momentum": MOMENTUM, "seeds": options.seeds,
                  "threads": options.threads, "chrf_of_the_first_seed": found[0]["chrf"],
                  "held_out_losses_of_the_first_seed": found[0]["held-out-losses"],
                  "training_losses_of_the_first_seed": found[0]["training-losses"]})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
