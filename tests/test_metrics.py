import itertools
import random

import numpy
import pytest

from course_lib.metrics import (
    SMOOTHING, accuracy, alignment_error_rate, bleu, bleu_statistics, chrf, edit_rate, edits, paired_bootstrap,
    wilson_interval)


def corpus(seed, size=None, words="abcdef", longest=12, noise=0.4, empty=0.1):
    """Random references and hypotheses that are noisy copies, some of them empty."""
    rng = random.Random(seed)
    references, hypotheses = [], []
    for _ in range(size or rng.randint(1, 25)):
        reference = ["".join(rng.choices(words, k=rng.randint(1, 3))) for _ in range(rng.randint(1, longest))]
        hypothesis = [word if rng.random() > noise else rng.choice(words) for word in reference
                      if rng.random() > noise / 3]
        rng.random() < 0.2 and rng.shuffle(hypothesis)
        references.append(reference)
        hypotheses.append([] if rng.random() < empty else hypothesis)
    return hypotheses, references


ADVERSARIAL = {
    "equal": ([["a", "b", "c", "d", "e"]], [["a", "b", "c", "d", "e"]]),
    "empty hypothesis": ([[]], [["a", "b"]]), "empty reference": ([["a", "b"]], [[]]), "both empty": ([[]], [[]]),
    "one word": ([["a"]], [["a"]]), "one wrong word": ([["a"]], [["b"]]),
    "one-word sentences": ([["a"], ["b"], ["c"]], [["a"], ["x"], ["c"]]),
    "no four-gram matches": ([["a", "b", "c", "x", "d", "e"]], [["a", "b", "c", "y", "d", "e"]]),
    "no bigram matches": ([["b", "a", "d", "c"]], [["a", "b", "c", "d"]]),
    "three words": ([["a", "b", "c"]], [["a", "b", "c"]]), "repeats": ([["the"] * 7], [["the", "cat", "the", "mat"]]),
    "far too long": ([["a", "b"] * 20], [["a", "b", "c"]]), "far too short": ([["a", "b", "c", "d"]],
                                                                              [list("abcdefghijklm")]),
    "one empty among others": ([["a", "b", "c", "d"], []], [["a", "b", "c", "d"], ["e"]]),
    "accents and marks": ([["l'", "été", "?"]], [["l'", "étés", "!"]]), "long words": ([["abcdefghij" * 3]],
                                                                                       [["abcdefghij"]]),
}
CORPORA = [corpus(seed) for seed in range(60)] + [corpus(seed, longest=3, empty=0.4) for seed in range(60, 100)] + list(
    ADVERSARIAL.values())


def joined(sentences):
    return [" ".join(sentence) for sentence in sentences]


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("effective_order", [False, True])
def test_bleu_equals_sacrebleu(smoothing, effective_order):
    from sacrebleu.metrics import BLEU

    theirs = BLEU(tokenize="none", smooth_method=smoothing, effective_order=effective_order, force=True)
    for hypotheses, references in CORPORA:
        expected = theirs.corpus_score(joined(hypotheses), [joined(references)]).score
        assert bleu(hypotheses, references, smoothing, effective_order=effective_order) == pytest.approx(expected,
                                                                                                         abs=1e-9)
    for value in (0.01, 0.5) if smoothing in ("floor", "add-k") else ():
        theirs = BLEU(tokenize="none", smooth_method=smoothing, smooth_value=value, force=True)
        for hypotheses, references in CORPORA[::5]:
            expected = theirs.corpus_score(joined(hypotheses), [joined(references)]).score
            assert bleu(hypotheses, references, smoothing, value) == pytest.approx(expected, abs=1e-9)


def test_sentence_bleu_and_defaults_equal_sacrebleu():
    import sacrebleu

    for hypotheses, references in CORPORA[:40]:
        expected = sacrebleu.corpus_bleu(joined(hypotheses), [joined(references)], tokenize="none", force=True).score
        assert bleu(hypotheses, references) == pytest.approx(expected, abs=1e-9)
        for hypothesis, reference in zip(hypotheses, references):
            expected = sacrebleu.sentence_bleu(" ".join(hypothesis), [" ".join(reference)], tokenize="none").score
            assert bleu([hypothesis], [reference], effective_order=True) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("order, beta", [(6, 2), (3, 1), (1, 3)])
def test_chrf_equals_sacrebleu(order, beta):
    from sacrebleu.metrics import CHRF

    theirs = CHRF(char_order=order, beta=beta)
    for hypotheses, references in CORPORA:
        expected = theirs.corpus_score(joined(hypotheses), [joined(references)]).score
        assert chrf(hypotheses, references, order, beta) == pytest.approx(expected, abs=1e-9)
        assert chrf(joined(hypotheses), joined(references), order, beta) == chrf(hypotheses, references, order, beta)


def test_bleu_by_hand():
    # 5 of 6 words, 3 of 5 pairs, 1 of 4 triples match, and no four in a row: half of one counts
    hypothesis, reference = "the cat sat on a mat".split(), "the cat sat on the mat".split()
    assert bleu_statistics([hypothesis], [reference]).tolist() == [[6, 6, 5, 3, 2, 1, 6, 5, 4, 3]]
    assert bleu([hypothesis], [reference]) == pytest.approx(100 * (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert bleu([hypothesis[:3]], [reference], "none") == 0
    assert bleu([reference[:4]], [reference]) == pytest.approx(100 * numpy.exp(1 - 6 / 4))


@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_paired_bootstrap_equals_sacrebleu(metric):
    from sacrebleu.metrics import BLEU, CHRF
    from sacrebleu.significance import PairedTest

    for seed in range(4):
        first, references = corpus(seed, 60, longest=15, noise=0.25, empty=0)
        second, _ = corpus(seed, 60, longest=15, noise=0.25 + 0.05 * seed, empty=0)
        found = paired_bootstrap(first, second, references, metric, resamples=300)
        made = {"bleu": lambda: BLEU(tokenize="none", force=True), "chrf": CHRF}[metric]()
        _, scores = PairedTest([("second", joined(second)), ("first", joined(first))], {metric: made},
                               [joined(references)],
                               test_type="bs", n_samples=300)()
        (column,) = (value for key, value in scores.items() if key != "System")
        baseline, system = column
        assert found.first == pytest.approx(system.score, abs=1e-9)
        assert found.second == pytest.approx(baseline.score, abs=1e-9)
        # theirs adds in 32 bits: a resample at the limit may fall on either side
        assert system.p_value is None or found.p_value == pytest.approx(system.p_value, abs=2 / 301)
        assert found.low <= found.difference <= found.high and found.difference == found.first - found.second
        swapped = paired_bootstrap(second, first, references, metric, resamples=300)
        assert (swapped.low, swapped.high) == pytest.approx((-found.high,
                                                             -found.low)) and swapped.p_value == found.p_value


def test_paired_bootstrap_of_equal_and_of_very_different_systems():
    first, references = corpus(1, 80, noise=0.3, empty=0)
    same = paired_bootstrap(first, first, references, resamples=100)
    assert (same.low, same.difference, same.high) == (0, 0, 0) and same.p_value > 0.005
    better = paired_bootstrap(references, first, references, resamples=200)
    assert better.low > 10 and better.p_value == pytest.approx(1 / 201)
    assert paired_bootstrap(references, first, references, resamples=200) == better
    assert paired_bootstrap(references, first, references, resamples=200, seed=1) != better


def test_paired_bootstrap_intervals_cover_the_truth():
    """95 of 100 intervals hold the difference of the population that the sentences come from."""
    first, references = corpus(5, 2000, noise=0.3, empty=0, longest=8)
    second, _ = corpus(5, 2000, noise=0.32, empty=0, longest=8)
    truth, rng, held = bleu(first, references) - bleu(second, references), random.Random(0), 0
    for _ in range(40):
        chosen = rng.sample(range(2000), 80)
        found = paired_bootstrap(*([part[i] for i in chosen] for part in (first, second, references)), resamples=100)
        held += found.low <= truth <= found.high
    assert held >= 33


def brute_edits(a, b):
    if not a or not b:
        return len(a) + len(b)
    return min(brute_edits(a[1:], b) + 1, brute_edits(a, b[1:]) + 1, brute_edits(a[1:], b[1:]) + (a[0] != b[0]))


def test_edits_equal_brute_force():
    sentences = [list(word) for n in range(5) for word in itertools.product("ab", repeat=n)][::2]
    for a in sentences:
        for b in sentences:
            assert edits(a, b) == edits(b, a) == brute_edits(a, b)
    assert edits("kitten", "sitting") == 3


def test_edit_rate_is_ter_without_shifts():
    from sacrebleu.metrics import TER

    shifted = 0
    for hypotheses, references in CORPORA[:60]:
        ter = TER().corpus_score(joined(hypotheses), [joined(references)]).score / 100
        rate = edit_rate(hypotheses, references)
        assert rate >= ter - 1e-9 and 0 <= rate
        shifted += rate > ter + 1e-9
    assert 0 < shifted < 60, "where no block is moved both are equal"
    assert edit_rate([["c", "d", "a", "b"]], [["a", "b", "c", "d"]]) == 1.0
    assert edit_rate([["a", "b", "c"], []], [["a", "x", "c"], ["y"]]) == pytest.approx(2 / 4)


def test_alignment_error_rate():
    sure, possible = [{(0, 0), (1, 2)}], [{(0, 0), (1, 2), (1, 1), (2, 2)}]
    assert alignment_error_rate(sure, sure, possible) == 0
    assert alignment_error_rate(possible, sure, possible) == 0, "possible links cost nothing"
    assert alignment_error_rate([{(0, 0)}], sure, possible) == pytest.approx(1 - 2 / 3)
    assert alignment_error_rate([{(0, 0), (5, 5)}], sure, possible) == pytest.approx(1 - 2 / 4)
    assert alignment_error_rate([set()], sure, possible) == 1 and alignment_error_rate([[]], [[]], [[(1, 1)]]) == 0
    # Sure links are possible even where they are not listed so; lists do as well as sets.
    assert alignment_error_rate([[[0, 0], [1, 2]]], [[[0, 0], [1, 2]]], [[]]) == 0
    # Over a corpus counts are added, not rates averaged.
    assert alignment_error_rate([{(0, 0)}, set()], [{(0, 0)}, {(0, 0), (1, 1), (2, 2)}]) == pytest.approx(1 - 2 / 5)


def test_alignment_error_rate_without_possible_links_is_one_minus_f1():
    rng = random.Random(3)
    for _ in range(50):
        links = [(i, j) for i in range(4) for j in range(4)]
        a, s = (set(rng.sample(links, rng.randint(1, 10))) for _ in range(2))
        precision, recall = len(a & s) / len(a), len(a & s) / len(s)
        f1 = 2 * precision * recall / (precision + recall) if a & s else 0
        assert alignment_error_rate([a], [s]) == pytest.approx(1 - f1)


def test_wilson_interval_equals_scipy():
    from scipy.stats import binomtest

    for trials in (1, 2, 7, 50, 1000):
        for successes in {0, 1, trials // 3, trials - 1, trials}:
            for confidence in (0.8, 0.95, 0.999):
                theirs = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
                assert wilson_interval(successes, trials, confidence) == pytest.approx((theirs.low, theirs.high),
                                                                                       abs=1e-9)
    assert wilson_interval(0, 10)[0] == 0 and wilson_interval(10, 10)[1] == 1


def test_accuracy():
    assert accuracy("abcd", "abxd") == (0.75, *wilson_interval(3, 4))
    assert accuracy([["a"], ["b"]], [["a"], ["c"]], 0.8) == (0.5, *wilson_interval(1, 2, 0.8))
    assert accuracy(numpy.array([1, 2]), numpy.array([1, 2]))[0] == 1.0


@pytest.mark.parametrize("call, message", [
    (lambda: bleu([["a"]], []), "1 hypotheses for 0"), (lambda: bleu([], []), "at least one"),
    (lambda: chrf([], []), "at least one"), (lambda: edit_rate([["a"]], [["a"]] * 2), "1 hypotheses for 2"),
    (lambda: edit_rate([["a"]], [[]]), "no word"), (lambda: accuracy([], []), "at least one"),
    (lambda: bleu([["a"]], [["a"]], "laplace"), "exp, floor"), (lambda: paired_bootstrap([["a"]], [["a"]], [["a"]],
                                                                                         "ter"), "bleu"),
    (lambda: paired_bootstrap([["a"]], [["a"]], [["a"]], resamples=0), "at least one resample"),
    (lambda: paired_bootstrap([["a"]], [["a"]] * 2, [["a"]]), "2 hypotheses for 1"),
    (lambda: alignment_error_rate([set()], [set()] * 2), "1 predicted, 2 sure"), (lambda: alignment_error_rate([], []),
                                                                                  "at least one"),
    (lambda: wilson_interval(3, 2), "3 successes of 2"), (lambda: wilson_interval(0, 0), "trials from 1"),
    (lambda: wilson_interval(1, 2, 1.0), "confidence"),
])
def test_what_cannot_be_scored(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("call", [
    lambda: bleu(["a b"], [["a", "b"]]), lambda: bleu([["a", "b"]], ["a b"]), lambda: edit_rate(["a b"], [["a", "b"]]),
    lambda: edit_rate([["a"]], ["a"])])
def test_text_that_is_not_tokenised(call):
    with pytest.raises(TypeError, match="tokenise it first"):
        call()
