"""IBM Models 1 and 2 and the HMM against a plain loop, nltk and enumeration of all alignments."""
import itertools
import math
import random
from collections import defaultdict

import numpy as np
import pytest
from course_lib.translation.ibm import HMM, NULL, Corpus, IBMModel1, IBMModel2

MODELS = (IBMModel1, IBMModel2, HMM)


def some_pairs(number, repeats, seed=0, longest=6):
    rng = random.Random(seed)
    lexicon = {f"e{i}": (f"f{i}", f"f{(i * 7) % 20}") for i in range(20)}
    pairs = []
    for _ in range(number):
        draw = rng.choices if repeats else rng.sample
        source = draw(sorted(lexicon), k=rng.randint(1, longest))
        target = [rng.choice(lexicon[word]) for word in source if rng.random() < 0.9] or ["f0"]
        rng.shuffle(target)
        if not repeats:
            target = list(dict.fromkeys(target))
        pairs.append((source, target))
    return pairs


def loop(pairs, iterations):
    """Model 1 as in a textbook: t[target, source]."""
    words = {f for _, target in pairs for f in target}
    t = defaultdict(lambda: 1 / len(words))
    for _ in range(iterations):
        count, total = defaultdict(float), defaultdict(float)
        for source, target in pairs:
            source = [NULL, *source]
            for f in target:
                norm = sum(t[f, e] for e in source)
                for e in source:
                    count[f, e] += t[f, e] / norm
                    total[e] += t[f, e] / norm
        t = {(f, e): c / total[e] for (f, e), c in count.items()}
    return t


@pytest.mark.parametrize("repeats", [True, False])
def test_model_1_is_the_textbook_s_loop(repeats):
    pairs = some_pairs(60, repeats)
    model = IBMModel1(iterations=5).fit(pairs)
    for (f, e), probability in loop(pairs, 5).items():
        assert model.translation_probability(f, e) == pytest.approx(probability, abs=1e-12)


def test_model_1_is_nltk_s_where_no_word_is_repeated():
    from nltk.translate import AlignedSent
    from nltk.translate import IBMModel1 as Peer

    pairs = some_pairs(80, repeats=False, seed=1)
    peer = Peer([AlignedSent(target, source) for source, target in pairs], 5).translation_table
    model = IBMModel1(iterations=5).fit(pairs)
    met = {(f, e) for source, target in pairs for f in target for e in (NULL, *source)}
    assert len(met) > 300
    for f, e in met:
        assert model.translation_probability(f, e) == pytest.approx(peer[f][e], abs=1e-10)


@pytest.mark.parametrize("model", MODELS)
def test_the_likelihood_never_falls(model):
    for seed in range(3):
        fitted = model(iterations=12).fit(some_pairs(50, repeats=True, seed=seed))
        steps = np.diff(fitted.log_likelihoods)
        assert len(steps) == 12
        assert (steps > -1e-9).all()
        assert steps[0] > 0.1


@pytest.mark.parametrize("model", MODELS)
def test_probabilities_sum_to_one(model):
    pairs = some_pairs(50, repeats=True)
    fitted = model(iterations=4).fit(pairs)
    for source in fitted.corpus.sources:
        total = math.fsum(fitted.translation_probability(target, source) for target in fitted.corpus.targets)
        assert total == pytest.approx(1, abs=1e-12)
    if model is IBMModel2:
        for source, target in pairs:
            assert fitted._places(len(source), len(target)).sum(0) == pytest.approx(1, abs=1e-12)
    if model is HMM:
        for length in range(1, 7):
            assert fitted._transitions(length).sum(1) == pytest.approx(1, abs=1e-12)


def every_path(model, source, target):
    """Of an HMM: the probability of every alignment, by the definition."""
    t = {(i, j): model.translation_probability(f, NULL if i == 0 else source[i - 1])
         for i in range(len(source) + 1) for j, f in enumerate(target)}
    transitions = model._transitions(len(source))
    for path in itertools.product(range(len(source) + 1), repeat=len(target)):
        last, probability = 0, 1.0    # the last real place, counted from 1; 0 before the first
        for j, place in enumerate(path):
            probability *= model.null if place == 0 else (1 - model.null) * transitions[last, place - 1]
            probability *= t[place, j]
            last = place or last
        yield path, probability


def test_the_hmm_s_recursion_is_the_sum_over_all_alignments():
    pairs = some_pairs(12, repeats=True, seed=3, longest=4)
    model = HMM(iterations=3).fit(pairs)
    by_hand, posteriors = 0.0, np.zeros(len(model.corpus.pair))
    expected = defaultdict(float)
    for number, (source, target) in enumerate(pairs):
        paths = list(every_path(model, source, target))
        total = math.fsum(probability for _, probability in paths)
        by_hand += math.log(total)
        first = np.searchsorted(model.corpus.pair, number)
        for path, probability in paths:
            last = 0
            for j, place in enumerate(path):
                posteriors[first + j * (len(source) + 1) + place] += probability / total
                if place:
                    expected[len(source), last, place - 1] += probability / total
                    last = place
    assert model.log_likelihoods[-1] == pytest.approx(by_hand, rel=1e-12)

    emission, jumped = model.translation.of_links(), defaultdict(float)
    for length, links in model.groups:
        real, null, jumps, _ = model._forward_backward(length, emission[links])
        assert np.concatenate([null[..., None], real], -1) == pytest.approx(posteriors[links], abs=1e-12)
        for last in range(length + 1):
            for place in range(length):
                jumped[length, last, place] += jumps[last, place]
    for key, value in expected.items():
        assert jumped[key] == pytest.approx(value, abs=1e-12)


def test_the_best_path_is_that_of_all_alignments():
    pairs = some_pairs(30, repeats=True, seed=4, longest=4)
    model = HMM(iterations=3).fit(pairs)
    for source, target in pairs:
        paths = dict(every_path(model, source, target))
        links = tuple(0 if link is None else link + 1 for link in model.align(source, target))
        assert paths[links] == pytest.approx(max(paths.values()), rel=1e-9)


def test_the_weights_of_jumps_approach_the_maximum():
    """Against scipy: the expected log-likelihood of the jumps, at its maximum over the weights."""
    from scipy.optimize import minimize

    model = HMM(iterations=1).fit(some_pairs(30, repeats=True, seed=5))
    rng = np.random.default_rng(0)
    jumped = {length: rng.exponential(size=(length + 1, length)) for length in (2, 3, 5)}

    def value(weights):
        return sum((jumps * np.log(weights[model._widths(length)]
                                   / weights[model._widths(length)].sum(1, keepdims=True))).sum()
                   for length, jumps in jumped.items())

    best = -minimize(lambda x: -value(np.exp(x)), np.zeros_like(model.jumps), tol=1e-12).fun
    model.jumps = np.ones_like(model.jumps)
    before = value(model.jumps)
    model._update_jumps(jumped, rounds=1)
    assert before < value(model.jumps) < best + 1e-9
    model._update_jumps(jumped, rounds=2000)
    assert value(model.jumps) == pytest.approx(best, abs=1e-6)


def test_places_teach_model_2_and_jumps_the_hmm():
    """Unknown words in order: only the place can tell."""
    rng = random.Random(0)
    pairs = []
    for _ in range(200):
        words = rng.sample(range(30), 5)
        pairs.append(([f"e{w}" for w in words], [f"f{w}" for w in words]))
    source, target = ["e1", "e1", "e1", "e1", "e1"], ["f1", "f1", "f1", "f1", "f1"]
    assert IBMModel1().fit(pairs).align(source, target) == [0, 0, 0, 0, 0]    # of equals the first
    assert IBMModel2().fit(pairs).align(source, target) == [0, 1, 2, 3, 4]
    assert HMM().fit(pairs).align(source, target) == [0, 1, 2, 3, 4]


def test_words_and_lengths_that_were_not_in_training():
    pairs = some_pairs(40, repeats=True)
    for model in MODELS:
        fitted = model(iterations=2).fit(pairs)
        links = fitted.align(["e1", "new", "e2"] * 5, ["f1", "unseen", "f2"] * 5)
        assert len(links) == 15
        assert all(link is None or 0 <= link < 15 for link in links)
        assert model is HMM or links[1] is None
        with pytest.raises(KeyError, match="target word 'unseen' was not in training"):
            fitted.translation_probability("unseen", "e1")
        with pytest.raises(KeyError, match="source word 'new' was not in training"):
            fitted.translation_probability("f1", "new")


@pytest.mark.parametrize("pairs, message", [
    ([], "no sentence pairs"),
    ([(["a"], ["b"]), (["a"], [])], "pair 1 has an empty side"),
    ([([], ["b"])], "pair 0 has an empty side"),
    ([("a b", "c d")], "pair 0 is text, not tokens"),
])
def test_bad_corpora(pairs, message):
    with pytest.raises(ValueError, match=message):
        IBMModel1().fit(pairs)
    with pytest.raises(ValueError, match="was not in training"):
        Corpus([(["x"], ["y"])], {NULL: 0}, {"y": 0})


def test_bad_settings():
    with pytest.raises(ValueError, match="at least 1"):
        IBMModel1(iterations=0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        HMM(null=0.0)
