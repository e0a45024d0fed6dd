"""What a metric cannot see: for each, two systems that it cannot tell apart and that differ in what matters.

One of the two reaches nearly the best value and fails, as a second metric shows. So a perfect value does not end
the questions. Chapter 4, after the second section of the post.

    for limit in limits():
        print(limit)
"""
import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from course_lib.data.reviews import posterior, write_review
from course_lib.diagnostics.audit_labels import auc
from course_lib.metrics import bleu


NEGATIONS = ("not", "never", "hardly")
VERBS = {"seemed": "is", "is": "was", "was": "is"}    # what stands in for each, at no cost to the meaning


@dataclass(frozen=True)
class Limit:
    """metric and second: names of the two metrics. best: of the metric; lower_is_better: of it. systems: name ->
    (value of the metric, value of the second), the one that fails first. blind: what the metric does not see."""
    metric: str
    second: str
    best: float
    systems: dict[str, tuple[float, float]]
    blind: str
    lower_is_better: bool = False

    @property
    def reached(self) -> float:
        """How much of the best value the failing system has, 1 for all."""
        value = next(iter(self.systems.values()))[0]
        return self.best / value if self.lower_is_better else value / self.best

    def __str__(self) -> str:
        lines = [f"{self.metric} does not see {self.blind}", f"{'':<34}{self.metric:>14}{self.second:>30}"]
        lines += [f"  {name:<32}{value:14.3f}{other:30.3f}" for name, (value, other) in self.systems.items()]
        return "\n".join(lines)


def accuracy(labels: Sequence, guesses: Sequence) -> float:
    """Share of right answers."""
    return sum(a == b for a, b in zip(labels, guesses, strict=True)) / len(labels)


def recall(labels: Sequence, guesses: Sequence, of=1) -> float:
    """Share of the examples labelled `of` that are found. Raises ZeroDivisionError where there are none."""
    return sum(a == b == of for a, b in zip(labels, guesses, strict=True)) / sum(a == of for a in labels)


def f1(labels: Sequence, guesses: Sequence, of=1) -> float:
    """Harmonic mean of precision and recall of `of`; 0 where neither is above 0 (van Rijsbergen 1979)."""
    hits = sum(a == b == of for a, b in zip(labels, guesses, strict=True))
    return 2 * hits / max(1, sum(a == of for a in labels) + sum(b == of for b in guesses))


def accuracy_limit(n: int = 1000, rare: int = 5) -> Limit:
    """Accuracy under imbalance: never finding the rare label costs as much as finding it with as many false alarms."""
    labels = [1] * rare + [0] * (n - rare)
    never, finds = [0] * n, [1] * (2 * rare) + [0] * (n - 2 * rare)
    return Limit("accuracy", "recall of the rare label", 1.0,
                 {"never says the rare one": (accuracy(labels, never), recall(labels, never)),
                  f"finds it, {rare} false alarms": (accuracy(labels, finds), recall(labels, finds))},
                 "a rare label")


def f1_limit(n: int = 10_000, negative: int = 100) -> Limit:
    """F1 leaves out the negatives that are told right: with few of them, recognising none costs next to nothing.

    The two F1 are equal where negative * negative is a multiple of n.
    """
    positive = n - negative
    labels, misses = [1] * positive + [0] * negative, round(positive * negative / n)
    everything, careful = [1] * n, [0] * misses + [1] * (positive - misses) + [0] * negative
    return Limit("F1", "recall of the negatives", 1.0,
                 {"says positive to everything": (f1(labels, everything), recall(labels, everything, 0)),
                  f"misses {misses / positive:.0%} of the positives": (f1(labels, careful), recall(labels, careful, 0))},
                 "the label that it is not about")


def auc_limit(n: int = 200, seed: int = 0) -> Limit:
    """AUC sees the order of the scores and nothing else: scores squeezed above 1/2 keep it and say "positive" to all."""
    rng = random.Random(seed)
    labels = [i % 2 for i in range(n)]
    scores = [rng.uniform(0.55, 0.99) if y else rng.uniform(0.01, 0.45) for y in labels]
    squeezed = [0.51 + 0.4 * p for p in scores]
    return Limit("AUC", "accuracy at one half", 1.0,
                 {"scores squeezed above 1/2": (auc(squeezed, labels), accuracy(labels, [int(p > 0.5) for p in squeezed])),
                  "scores as they should be": (auc(scores, labels), accuracy(labels, [int(p > 0.5) for p in scores]))},
                 "where the scores lie")


def bleu_limit(texts: int = 400, damaged: int = 40, seed: int = 0) -> Limit:
    """BLEU counts words, not what hangs on them: a lost negation costs as much as a harmless change elsewhere.

    The reference texts are reviews; in `damaged` of them one word is another one: the negation, or a verb. The
    second metric is the share of the damaged texts that say the same as before, by the exact posterior.
    """
    rng, references, places = random.Random(seed), [], {}
    while len(references) < texts:
        words = write_review(rng, sentences=(5, 7))["text"].split()
        inner = range(4, len(words) - 4)    # each has as many word groups around it
        negation = [i for i in inner if words[i] in NEGATIONS]
        harmless = [i for i in inner if words[i] in VERBS]
        if len(places) < damaged:
            if not negation or not harmless:
                continue
            places[len(references)] = rng.choice(negation), rng.choice(harmless)
        references.append(words)

    def change(which, new):
        found = []
        for i, words in enumerate(references):
            words = list(words)
            if i in places:
                words[places[i][which]] = new[words[places[i][which]]]
            found.append(" ".join(words))
        return found

    original = [" ".join(words) for words in references]

    def judge(hypotheses):
        score = bleu([text.split() for text in hypotheses], references)
        same = sum(abs(posterior(original[i]) - posterior(hypotheses[i])) < 1e-9 for i in places)
        return score, same / len(places)

    return Limit("BLEU", "meaning kept where damaged", 100.0,
                 {"every negation there is lost": judge(change(0, dict.fromkeys(NEGATIONS, "so"))),
                  "a harmless word is another": judge(change(1, VERBS))}, "which word is wrong")


def perplexity_limit(texts: int = 300, seed: int = 0) -> Limit:
    """Perplexity is an average over tokens: the one token that was asked for is lost among the others.

    Behind each review stands a question and its answer, yes or no, that the text settles. Both models know the
    grammar exactly but for ln 2 nats a text: one spends them on the answer, at chance, the other evenly.
    """
    rng, cost, tokens, right = random.Random(seed), 0.0, 0, 0.0
    for _ in range(texts):
        row = write_review(rng, sentences=(8, 12))
        answer = "contrast" in row["phenomena"]
        cost -= row["log_probability"]
        tokens += len(re.findall(r"\w+|[^\w\s]", row["text"])) + 1    # and the answer, which costs the best model nothing
        right += (rng.random() < 0.5) == answer
    worse = math.exp((cost + texts * math.log(2)) / tokens)
    return Limit("perplexity", "share of right answers", math.exp(cost / tokens),
                 {"answers at chance": (worse, right / texts), "a little worse everywhere": (worse, 1.0)},
                 "which token is wrong", lower_is_better=True)


def limits() -> list[Limit]:
    """All of them."""
    return [accuracy_limit(), f1_limit(), auc_limit(), bleu_limit(), perplexity_limit()]
