"""An n-gram language model with interpolated Kneser-Ney smoothing.

A word's probability after a context is its discounted share there, plus what was discounted times its
probability after the shorter context. In shorter contexts a word counts by how many different words it
has followed, not by how often: "Francisco" is frequent but follows one word. Kneser and Ney 1995, in the
interpolated form of Chen and Goodman 1999. Built in chapter 1.
"""
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

BEGIN, END = "<s>", "</s>"


class KneserNey:
    """p(word | the order - 1 words before it), learned from tokenised sentences.

    order: of the longest n-gram. discounts: one for each order from 1, between 0 and 1; by default
    n1 / (n1 + 2 n2) of the n-grams seen once and twice. What the shortest order discounts is spread evenly
    over all words and one unknown one, so no word has probability 0 unless its discount is 0.
    `probability(word, context)`, `log_probability(sentence)`, `perplexity(sentences)`.
    Raises ValueError for no sentences, text that is not tokenised, and settings out of range.
    """

    def __init__(self, order: int = 3, discounts: Sequence[float] | None = None):
        if order < 1:
            raise ValueError(f"order={order}: use at least 1")
        if discounts is not None and (len(discounts) != order or not all(0 <= d <= 1 for d in discounts)):
            raise ValueError(f"discounts={discounts}: give {order} numbers between 0 and 1")
        self.order, self.discounts = order, discounts

    def fit(self, sentences: Iterable[Sequence[str]]) -> "KneserNey":
        counts = [Counter() for _ in range(self.order)]    # n-grams that end in a word of the sentence, by order
        for sentence in sentences:
            if isinstance(sentence, str):
                raise ValueError(f"a sentence is text, not tokens: split it into words first: {sentence[:40]!r}")
            padded = (*[BEGIN] * (self.order - 1), *sentence, END)
            counts[-1].update(padded[i - self.order + 1:i + 1] for i in range(self.order - 1, len(padded)))
        if not counts[-1]:
            raise ValueError("no sentences to learn from")
        for n in reversed(range(self.order - 1)):
            counts[n].update(gram[1:] for gram in counts[n + 1])    # each different longer n-gram counts once
        self.vocabulary = {gram[-1] for gram in counts[0]}
        if self.discounts is None:
            self.discounts = [_discount(of_order) for of_order in counts]
        self._discounted = {}    # n-gram -> its discounted share
        self._left = {}          # context -> what is left for shorter contexts
        for discount, of_order in zip(self.discounts, counts):
            totals, kinds = Counter(), Counter()
            for gram, count in of_order.items():
                totals[gram[:-1]] += count
                kinds[gram[:-1]] += 1
            self._discounted.update((gram, max(count - discount, 0) / totals[gram[:-1]]) for gram, count in of_order.items())
            self._left.update((context, discount * kinds[context] / total) for context, total in totals.items())
        self._cache = defaultdict(dict)
        return self

    def probability(self, word: str, context: Sequence[str] = ()) -> float:
        """p(word | the last order - 1 words of context). Begin a sentence with BEGIN; END is a word."""
        context = tuple(context[max(0, len(context) - self.order + 1):])
        known = self._cache[context].get(word)
        if known is None:
            known = self._cache[context][word] = self._interpolate(word, context)
        return known

    def _interpolate(self, word, context):
        shorter = self.probability(word, context[1:]) if context else 1 / (len(self.vocabulary) + 1)
        if context not in self._left:
            return shorter    # a context that was never seen says nothing
        return self._discounted.get((*context, word), 0.0) + self._left[context] * shorter

    def log_probability(self, sentence: Sequence[str]) -> float:
        """Nats, of the words and the end of the sentence. Minus infinity only where a discount is 0."""
        padded = (*[BEGIN] * (self.order - 1), *sentence, END)
        values = (self.probability(padded[i], padded[:i]) for i in range(self.order - 1, len(padded)))
        return sum(math.log(value) if value else -math.inf for value in values)

    def perplexity(self, sentences: Iterable[Sequence[str]]) -> float:
        """exp of the nats a word, ends of sentences included. Raises ValueError for no sentences."""
        sentences = list(sentences)
        if not sentences:
            raise ValueError("no sentences to measure")
        return math.exp(-sum(map(self.log_probability, sentences)) / sum(len(sentence) + 1 for sentence in sentences))


def _discount(counts):
    once, twice = (sum(count == k for count in counts.values()) for k in (1, 2))
    return once / (once + 2 * twice) if once else 0.5
