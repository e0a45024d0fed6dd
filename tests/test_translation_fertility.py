"""Model 3 against enumeration by the published formula; Models 4 and 5 by summing over everything."""
import itertools
import math

import numpy as np
import pytest
from course_lib.translation.fertility import (IBMModel3, Parameters, all_alignments, hill_climb, model4, model5,
                                              neighbours)
from course_lib.translation.ibm import NULL

PAIRS = [(["the", "house"], ["la", "maison"]), (["the", "book"], ["le", "livre"]), (["a", "book"], ["un", "livre"]),
         (["not", "the", "book"], ["ne", "pas", "le", "livre"]), (["sleep"], ["dormir"]), (["not", "a", "house"], ["pas", "une", "maison"]),
         (["house"], ["la", "maison"]), (["the", "the", "book"], ["le", "le", "livre"])]


def by_the_formula(model, source, target, alignment):
    """Brown et al. 1993, eq. 32, as it stands."""
    sources, targets = model.corpus.sources, model.corpus.targets
    l, m = len(source), len(target)
    phi = [alignment.count(i) for i in range(l + 1)]
    value = math.comb(m - phi[0], phi[0]) * model.null ** phi[0] * (1 - model.null) ** (m - 2 * phi[0])
    for i in range(1, l + 1):
        value *= math.factorial(phi[i]) * model.fertility[sources[source[i - 1]], phi[i]]
    for j, i in enumerate(alignment, 1):
        value *= model.translation[sources[source[i - 1] if i else NULL], targets[target[j - 1]]]
        if i:
            value *= model.places[l, m][i - 1, j - 1]
    return value


@pytest.fixture(scope="module")
def model():
    return IBMModel3(iterations=3).fit(PAIRS)


def test_the_scores_are_the_published_formula(model):
    total = 0.0
    for source, target in PAIRS:
        scores = model.scores(*model.numbers(source, target))
        alignments = list(itertools.product(range(len(source) + 1), repeat=len(target)))
        assert scores == pytest.approx([by_the_formula(model, source, target, a) for a in alignments], rel=1e-12)
        total += math.log(math.fsum(scores))
    assert model.log_likelihoods[-1] == pytest.approx(total, rel=1e-12)
    assert min(np.diff(model.log_likelihoods)) > -1e-9
    assert model.log_likelihoods[-1] > model.log_likelihoods[0] + 1


def test_the_m_step_cannot_be_beaten(model):
    """Expected counts: after one step from known parameters, no nudge of a parameter raises the expected likelihood."""
    step = IBMModel3(iterations=1).fit(PAIRS)
    start = IBMModel3(iterations=0).fit(PAIRS)
    posteriors = [start.posterior(*pair)[1] for pair in PAIRS]

    def expected():
        value = 0.0
        for (source, target), posterior in zip(PAIRS, posteriors):
            with np.errstate(divide="ignore"):
                logs = np.log(step.scores(*step.numbers(source, target)))
            value += (posterior[posterior > 0] * logs[posterior > 0]).sum()
        return value

    best, rng = expected(), np.random.default_rng(0)
    tables = [("translation", None), ("fertility", None), *(("places", shape) for shape in step.places)]
    for name, shape in tables:
        table = getattr(step, name) if shape is None else step.places[shape]
        kept = table.copy()
        nudged = kept * np.exp(0.1 * rng.normal(size=kept.shape))
        table[:] = nudged / np.maximum(nudged.sum(-1, keepdims=True), 1e-300)
        if (np.abs(table - kept) > 1e-6).any():
            assert expected() < best, (name, shape)
        table[:] = kept
    kept = step.null
    for factor in (0.9, 1.1):
        step.null = kept * factor
        assert expected() < best
        step.null = kept


def test_probabilities_sum_to_one(model):
    met = model.translation.sum(1) > 0
    assert model.translation[met].sum(1) == pytest.approx(1, abs=1e-12)
    assert model.fertility[1:].sum(1) == pytest.approx(1, abs=1e-12)
    for table in model.places.values():
        assert table.sum(1)[table.sum(1) > 0] == pytest.approx(1, abs=1e-12)


def test_deficiency_is_the_probability_of_two_words_in_one_place(model):
    """Played out: fertilities, then each word thrown to a place; what collides is lost."""
    source, m = ["the", "book"], 2
    d, lost, total = model.places[2, 2], 0.0, 0.0
    for phi in itertools.product(range(m + 1), repeat=2):
        if sum(phi) > m:
            continue
        k = m - sum(phi)
        p = math.comb(m - k, k) * model.null ** k * (1 - model.null) ** (m - 2 * k)
        for word, count in zip(source, phi):
            p *= model.fertility[model.corpus.sources[word], count]
        thrown = [i for i, count in enumerate(phi) for _ in range(count)]
        for places in itertools.product(range(m), repeat=len(thrown)):
            weight = p * math.prod(d[i, j] for i, j in zip(thrown, places))
            total += weight
            lost += weight * (len(set(places)) < len(places))
    assert 0 < lost / total < 1
    assert model.deficiency(source, m) == pytest.approx(lost / total, rel=1e-9)
    kept = {shape: table.copy() for shape, table in model.places.items()}
    model.places[1, 1][:] = 1
    assert model.deficiency(["sleep"], 1) == pytest.approx(0, abs=1e-12)    # one place, no collision
    model.places = kept


def test_hill_climbing_ends_where_no_neighbour_is_better(model):
    for source, target in PAIRS:
        alignments, posterior = model.posterior(source, target)
        score = {tuple(map(int, a)): p for a, p in zip(alignments, posterior)}.__getitem__
        way = hill_climb(score, (0,) * len(target), len(source))
        values = [score(a) for a in way]
        assert values == sorted(values)
        assert score(way[-1]) == max(map(score, neighbours(way[-1], len(source))))
        for here, there in zip(way, way[1:]):
            moved = [(a, b) for a, b in zip(here, there) if a != b]
            assert len(moved) == 1 or (len(moved) == 2 and moved[0] == moved[1][::-1])


def test_neighbours_are_all_moves_and_exchanges():
    found = list(neighbours((1, 0, 2), 2))
    moves = {(a, b, c) for a, b, c in itertools.product(range(3), repeat=3)
             if sum(x != y for x, y in zip((a, b, c), (1, 0, 2))) == 1}
    assert set(found) == {(1, 0, 2)} | moves | {(0, 1, 2), (2, 0, 1), (1, 2, 0)}
    assert len(found) == len(set(found))


WORDS = ("f", "g")


def parameters(seed, head, other):
    rng = np.random.default_rng(seed)
    t = {source: rng.dirichlet(np.ones(len(WORDS))) for source in (NULL, "a", "b")}
    n = {source: rng.dirichlet(np.ones(3)) for source in ("a", "b")}
    return Parameters(lambda target, source: t[source][WORDS.index(target)],
                      lambda number, source: n[source][number] if number < 3 else 0.0, 0.2, head, other)


def everything(model, source, given, longest=5):
    """The model's probability, summed over every target of up to `longest` words and every alignment."""
    return math.fsum(model(source, target, alignment, given) for m in range(longest + 1)
                     for target in itertools.product(WORDS, repeat=m)
                     for alignment in itertools.product(range(len(source) + 1), repeat=m))


def test_model_5_loses_nothing_and_model_4_does():
    """At most 2 words from each source word and as many from NULL: with one source word, up to 4."""
    def head5(vacancy, target_class, centre, left):
        weights = np.array([1.0 + (v - centre) ** 2 for v in range(1, left + 1)])
        return weights[vacancy - 1] / weights.sum() if 1 <= vacancy <= left else 0.0

    def other5(passed, target_class, left):
        weights = np.arange(1.0, left + 1)
        return weights[passed - 1] / weights.sum() if 1 <= passed <= left else 0.0

    given = parameters(0, head5, other5)
    # a source sentence without target words has probability n(0) and no NULL word to bring
    assert everything(model5, ["a"], given) == pytest.approx(1, abs=1e-12)
    assert everything(model5, ["a", "b"], parameters(1, head5, other5), longest=4) < 1    # up to 8 words: not all summed

    def head4(distance, source_class, target_class):
        return 0.3 if distance in (1, 2) else 0.1 if distance in (-2, -1, 0, 3) else 0.0

    def other4(distance, target_class):
        return {1: 0.6, 2: 0.3, 3: 0.1}.get(distance, 0.0)

    assert everything(model4, ["a"], parameters(0, head4, other4)) < 0.9


def test_model_4_by_hand():
    """A worked example: two words of one source word around a word of another, one word from NULL."""
    source, target, alignment = ["a", "b"], ["f", "g", "f", "g", "f"], (2, 1, 0, 1, 0)
    asked = []

    def head(distance, source_class, target_class):
        asked.append(("head", distance, source_class, target_class))
        return 0.5

    def other(distance, target_class):
        asked.append(("other", distance, target_class))
        return 0.25

    given = Parameters(lambda target, source: {"a": 0.5, "b": 0.4, NULL: 0.1}[source], lambda number, source: 0.3,
                       0.2, head, other, source_class=lambda word: word.upper(), target_class=lambda word: word * 2)
    # a has words at 2 and 4, so its centre is 3; b's word at 1 is 2 before it
    value = model4(source, target, alignment, given)
    assert asked == [("head", 2, None, "gg"), ("other", 2, "gg"), ("head", -2, "A", "ff")]
    null = math.comb(3, 2) * 0.2 ** 2 * 0.8
    assert value == pytest.approx(null * 0.3 ** 2 * (0.5 * 0.5 * 0.4 * 0.1 * 0.1) * 0.5 * 0.25 * 0.5, rel=1e-12)


def test_model_5_by_hand():
    source, target, alignment = ["a", "b"], ["f", "g", "f", "g"], (2, 1, 2, 1)
    asked = []

    def head(*arguments):
        asked.append(("head", *arguments))
        return 1.0

    def other(*arguments):
        asked.append(("other", *arguments))
        return 1.0

    model5(source, target, alignment, Parameters(lambda t, s: 1.0, lambda n, s: 1.0, 0.2, head, other, target_class=lambda word: word))
    # a: first word in the 2nd of 4 free places, one must stay free for the second word; then 2 places on, of 2
    # b: places 1 and 3 are free; a's centre is 3, up to which both are free
    assert asked == [("head", 2, "g", 0, 3), ("other", 2, "g", 2), ("head", 1, "f", 2, 1), ("other", 1, "f", 1)]


def test_bad_input(model):
    with pytest.raises(ValueError, match="pair 0 has 1048576 alignments"):
        IBMModel3().fit([(["a"] * 3, ["b"] * 10)])
    with pytest.raises(ValueError, match="no pair of 1 and 4 words"):
        model.posterior(["the"], ["la"] * 4)
    with pytest.raises(ValueError, match="'moon' was not in training"):
        model.posterior(["moon"], ["la"])
    with pytest.raises(ValueError, match="does not fit"):
        model4(["a"], ["f"], (2,), parameters(0, None, None))
    with pytest.raises(ValueError, match="between 0 and 0.5"):
        IBMModel3(null=0.7)
    assert all_alignments(2, 3).shape == (27, 3)
