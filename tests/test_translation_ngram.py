"""Kneser-Ney against its definition, nltk, and the sum over all words."""
import math
import random

import pytest
from course_lib.translation.ngram import BEGIN, END, KneserNey


def sentences(number=60, seed=0):
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(12)]
    return [[words[min(11, int(rng.expovariate(0.4)))] for _ in range(rng.randint(0, 7))] for _ in range(number)]


def by_definition(text, order, discounts, word, context):
    """Every count made anew from the text."""
    padded = [(*[BEGIN] * (order - 1), *sentence, END) for sentence in text]
    grams = [p[i - order + 1:i + 1] for p in padded for i in range(order - 1, len(p))]
    context = tuple(context[max(0, len(context) - order + 1):])
    n = len(context) + 1
    tails = [gram[-n:] for gram in (grams if n == order else {g[-n - 1:] for g in grams})]
    here = [tail[-1] for tail in tails if tail[:-1] == context]
    shorter = (by_definition(text, order, discounts, word, context[1:]) if context
               else 1 / (1 + len({gram[-1] for gram in grams})))
    if not here:
        return shorter
    d = discounts[n - 1]
    return max(here.count(word) - d, 0) / len(here) + d * len(set(here)) / len(here) * shorter


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_definition(order):
    text = sentences()
    model = KneserNey(order).fit(text)
    contexts = [(), (BEGIN,), ("w0",), (BEGIN, BEGIN), (BEGIN, "w1"), ("w0", "w1"), ("w3", "new"), ("w9", "w0", "w1")]
    for context in contexts:
        for word in ("w0", "w5", "w11", END, "new"):
            wanted = by_definition(text, order, model.discounts, word, context)
            assert model.probability(word, context) == pytest.approx(wanted, rel=1e-12)
        total = math.fsum(model.probability(word, context) for word in (*model.vocabulary, "new"))
        assert total == pytest.approx(1, abs=1e-12)


def test_nltk_agrees_on_the_same_n_grams():
    from nltk.lm import KneserNeyInterpolated

    text, order = sentences(seed=1), 3
    padded = [(*[BEGIN] * (order - 1), *sentence, END) for sentence in text]
    grams = [p[i - order + 1:i + 1] for p in padded for i in range(order - 1, len(p))]
    peer = KneserNeyInterpolated(order, discount=0.6)
    peer.fit([[gram[-n:] for n in range(1, order + 1) for gram in grams]], [word for gram in grams for word in gram])
    model = KneserNey(order, discounts=(0, 0.6, 0.6)).fit(text)
    for sentence in text:
        padded = (BEGIN, BEGIN, *sentence, END)
        for i in range(2, len(padded)):
            assert model.probability(padded[i], padded[i - 2:i]) == pytest.approx(peer.score(padded[i], padded[i - 2:i]), rel=1e-9)


def test_discounts_are_estimated():
    model = KneserNey(1).fit([["a", "a", "a", "b", "b", "c"], ["d"]])
    assert list(model.discounts) == [2 / (2 + 2 * 2)]    # c, d once; b and the end twice


def test_perplexity_and_log_probability():
    text = sentences()
    model = KneserNey(3).fit(text)
    logs = [model.log_probability(sentence) for sentence in text]
    by_hand = math.log(model.probability("w1", (BEGIN, BEGIN)) * model.probability(END, (BEGIN, "w1")))
    assert model.log_probability(["w1"]) == pytest.approx(by_hand)
    assert model.perplexity(text) == pytest.approx(math.exp(-sum(logs) / sum(len(s) + 1 for s in text)))
    assert model.perplexity(text) < model.perplexity([["new", "words", "here"]])
    assert KneserNey(2, discounts=(0, 0)).fit([["a"]]).log_probability(["b"]) == -math.inf


def test_bad_input():
    with pytest.raises(ValueError, match="no sentences to learn"):
        KneserNey().fit([])
    with pytest.raises(ValueError, match="not tokens"):
        KneserNey().fit(["a b c"])
    with pytest.raises(ValueError, match="at least 1"):
        KneserNey(0)
    with pytest.raises(ValueError, match="give 3 numbers"):
        KneserNey(3, discounts=(0.5,))
    with pytest.raises(ValueError, match="no sentences to measure"):
        KneserNey().fit([["a"]]).perplexity([])
