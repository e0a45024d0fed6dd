"""Phrase tables by hand and by definition; the decoder against every derivation there is."""
import itertools
import math
import random

import pytest
from course_lib.translation.decoder import DECODER_FEATURES, FLOOR, Decoder
from course_lib.translation.ibm import NULL, IBMModel1
from course_lib.translation.ngram import BEGIN, END, KneserNey
from course_lib.translation.phrases import Option, PhraseTable, WordTable, consistent, lexical_tables, lexical_weight


def spans_by_definition(n, m, links, longest):
    for a, b in itertools.combinations(range(n + 1), 2):
        for c, d in itertools.combinations(range(m + 1), 2):
            inside = [(s, t) for s, t in links if a <= s < b and c <= t < d]
            cut = [(s, t) for s, t in links if (a <= s < b) != (c <= t < d)]
            if inside and not cut and b - a <= longest and d - c <= longest:
                yield a, b, c, d


def test_phrases_are_all_that_cut_no_link():
    rng = random.Random(0)
    for _ in range(200):
        n, m, longest = rng.randint(1, 6), rng.randint(1, 6), rng.randint(1, 6)
        links = {(rng.randrange(n), rng.randrange(m)) for _ in range(rng.randint(0, 6))}
        found = list(consistent(n, m, links, longest))
        assert len(found) == len(set(found))
        assert set(found) == set(spans_by_definition(n, m, links, longest))


PAIRS = [("the blue house".split(), "la maison bleue".split()), ("the house".split(), "la maison".split()),
         ("the house".split(), "une maison".split())]
LINKS = [{(0, 0), (1, 2), (2, 1)}, {(0, 0), (1, 1)}, {(1, 1)}]


def test_features_by_hand():
    table = PhraseTable().fit(PAIRS, LINKS)
    by_target = {option.target: option.features for option in table.phrases["house",]}
    # "house" became maison (3 times) and, since une has no link, une maison (once)
    assert set(by_target) == {("maison",), ("une", "maison")}
    assert by_target["maison",][:2] == pytest.approx((math.log(3 / 4), math.log(3 / 4)))    # "the house" gave maison once
    assert by_target["une", "maison"][:2] == pytest.approx((math.log(1 / 4), math.log(1 / 2)))    # and so it gave this
    # une by NULL (the only word that NULL explains on that side), maison by house
    assert by_target["une", "maison"][2:] == pytest.approx((0.0, 0.0))
    assert table.options(["the", "moon"]) == {(0, 1): table.phrases["the",], (1, 2): [Option(("moon",), (0.0,) * 4)]}
    assert ("maison", "bleue") in {option.target for option in table.phrases["blue", "house"]}
    assert len(table) == sum(map(len, table.phrases.values()))


def test_lexical_weights_by_hand():
    forward, backward = lexical_tables(PAIRS, LINKS)
    assert forward["house", "maison"] == 1 and forward[NULL, "une"] == 1
    assert backward["la", "the"] == 1 and backward[NULL, "the"] == 1
    table = {("a", "x"): 0.5, ("b", "x"): 0.25, (NULL, "y"): 0.1}
    assert lexical_weight(("a", "b"), ("x", "y"), {(0, 0), (1, 0)}, table) == pytest.approx(math.log(0.375) + math.log(0.1))


def test_only_the_best_options_are_kept():
    assert [option.target for option in PhraseTable(most=1).fit(PAIRS, LINKS).phrases["house",]] == [("maison",)]


class Toy:
    """Random options for every span of up to two words."""
    features = ("first", "second")

    def __init__(self, seed, longest=2):
        self.rng, self.longest = random.Random(seed), longest

    def options(self, sentence):
        spans = [(a, b) for a in range(len(sentence)) for b in range(a + 1, len(sentence) + 1) if b - a <= self.longest]
        return {(a, b): [Option(tuple(self.rng.choices("xyz", k=self.rng.randint(0, 2))), (-self.rng.random() * 3, -self.rng.random()))
                         for _ in range(2)] for a, b in spans if b - a == 1 or self.rng.random() < 0.4}


def every_derivation(options, decoder, length):
    """(words, score) by the definition, walking through every order and every option."""
    weights, model = decoder.weights, decoder.language_model

    def walk(covered, place, phrases, jumps):
        if covered == (1 << length) - 1:
            words = [word for option in phrases for word in option.target]
            padded = [*[BEGIN] * (model.order - 1), *words, END]
            logs = sum(max(math.log(model.probability(padded[i], padded[:i])), FLOOR) for i in range(model.order - 1, len(padded)))
            values = dict(zip(DECODER_FEATURES, (logs, len(words), len(phrases), jumps)))
            for k, name in enumerate(Toy.features):
                values[name] = sum(option.features[k] for option in phrases)
            yield tuple(words), sum(weights[name] * value for name, value in values.items()), values
            return
        for (start, end), of_span in options.items():
            bits = (1 << end) - (1 << start)
            if not covered & bits:
                for option in of_span:
                    yield from walk(covered | bits, end, [*phrases, option], jumps + abs(start - place))

    yield from walk(0, 0, [], 0)


class Fixed:
    features = Toy.features

    def __init__(self, options):
        self.fixed = options

    def options(self, sentence):
        return self.fixed


def toy(seed, length, **settings):
    rng = random.Random(seed)
    model = KneserNey(rng.choice((1, 2, 3))).fit([rng.choices("xyz", k=4) for _ in range(20)])
    weights = {name: rng.uniform(0.1, 1) for name in (*Toy.features, "language model")}
    weights |= {"words": rng.uniform(-1, 1), "phrases": rng.uniform(-1, 1), "jumps": -rng.random()}
    options = Toy(seed).options(["w"] * length)
    return options, Decoder(Fixed(options), model, weights, **settings)


@pytest.mark.parametrize("seed", range(12))
def test_no_search_error_against_every_derivation(seed):
    length = 1 + seed % 4
    options, decoder = toy(seed, length, stack=None, jump=None)
    best = {}
    for words, score, _ in every_derivation(options, decoder, length):
        best[words] = max(score, best.get(words, -math.inf))
    found = decoder.n_best(["w"] * length, n=10_000 if len(best) < 500 else 50)
    ranked = sorted(best.values(), reverse=True)[:len(found)]
    assert [d.score for d in found] == pytest.approx(ranked, abs=1e-9)
    assert all(d.score == pytest.approx(best[d.words], abs=1e-9) for d in found)
    assert len({d.words for d in found}) == len(found)


@pytest.mark.parametrize("seed", range(4))
def test_six_words_within_the_usual_limits(seed):
    """One option a word, so that every order of six words can be tried; default stack and jumps."""
    options, _ = toy(seed, 6)
    options = {span: of_span[:1] for span, of_span in options.items() if span[1] - span[0] == 1 or span == (2, 4)}
    decoder = Decoder(Fixed(options), toy(seed, 6)[1].language_model, toy(seed, 6)[1].weights)
    best = max(score for _, score, _ in every_derivation(options, decoder, 6))
    assert decoder.n_best(["w"] * 6, 1)[0].score == pytest.approx(best, abs=1e-9)


def test_features_add_up_to_the_score():
    options, decoder = toy(3, 4, stack=None, jump=None)
    by_words = {}
    for words, score, values in every_derivation(options, decoder, 4):
        by_words.setdefault(words, []).append(values)
    for derivation in decoder.n_best(["w"] * 4, 30):
        assert sum(decoder.weights[name] * value for name, value in derivation.features.items()) == pytest.approx(derivation.score)
        assert any(values == pytest.approx(derivation.features) for values in by_words[derivation.words])
        assert tuple(word for _, target in derivation.phrases for word in target) == derivation.words
        assert sorted(i for (a, b), _ in derivation.phrases for i in range(a, b)) == [0, 1, 2, 3]


def test_jumps_are_limited():
    class Table:
        features = ("f",)

        def options(self, sentence):
            return {(i, i + 1): [Option((word,), (0.0,))] for i, word in enumerate(sentence)}

    model = KneserNey(2).fit([["d", "c", "b", "a"]] * 5)
    words = ["a", "b", "c", "d"]
    free = Decoder(Table(), model, {"jumps": 0.0}, jump=None)
    assert free.translate(words) == ["d", "c", "b", "a"]
    for jump in (0, 1, 2):
        derivation = Decoder(Table(), model, {"jumps": 0.0}, jump=jump).n_best(words, 1)[0]
        places = [0, *(end for (_, end), _ in derivation.phrases)]
        assert all(abs(start - place) <= jump for ((start, _), _), place in zip(derivation.phrases, places))
    assert Decoder(Table(), model, {"jumps": 0.0}, jump=0).translate(words) == words


def test_word_based_decoding():
    pairs = [("the house".split(), "la maison".split()), ("the book".split(), "le livre".split()),
             ("a book".split(), "un livre".split()), ("a house".split(), "une maison".split()), ("house".split(), "maison".split())] * 3
    channel = IBMModel1(15).fit([(target, source) for source, target in pairs])
    table = WordTable(channel)
    house = {option.target: option.features[0] for option in table.words["house"]}
    assert house["maison",] == pytest.approx(math.log(channel.translation_probability("house", "maison")))
    assert () in house or channel.translation_probability("house", NULL) < 1e-9
    decoder = Decoder(table, KneserNey(2).fit([target for _, target in pairs]), {"language model": 1.0})
    assert decoder.translate("a house".split()) == ["une", "maison"]
    assert "unknown" in decoder.translate(["house", "unknown"])


def test_a_small_stack_may_err_but_never_fails():
    options, exact = toy(7, 4, stack=None, jump=None)
    small = Decoder(exact.table, exact.language_model, exact.weights, stack=1, jump=None)
    found = small.n_best(["w"] * 4, 1)[0]
    assert found.score <= exact.n_best(["w"] * 4, 1)[0].score + 1e-12
    assert any(words == found.words for words, _, _ in every_derivation(options, small, 4))


def test_bad_input():
    model = KneserNey(2).fit([["x"]])
    table = PhraseTable().fit(PAIRS, LINKS)
    with pytest.raises(ValueError, match="no feature is called lm; there are target given source"):
        Decoder(table, model, {"lm": 1.0})
    for weight in (math.inf, math.nan):
        with pytest.raises(ValueError, match="the weight of 'words' is"):
            Decoder(table, model, {"words": weight})
    with pytest.raises(ValueError, match="stack=0"):
        Decoder(table, model, stack=0)
    decoder = Decoder(table, model)
    assert decoder.translate([]) == []
    assert decoder.translate(["moon"]) == ["moon"]
    with pytest.raises(ValueError, match="not tokens"):
        decoder.translate("the house")
    with pytest.raises(ValueError, match="n=0"):
        decoder.n_best(["the"], 0)
    with pytest.raises(ValueError, match="3 pairs and 1 alignments"):
        PhraseTable().fit(PAIRS, LINKS[:1])
    with pytest.raises(ValueError, match="at least 1"):
        PhraseTable(longest=0)
