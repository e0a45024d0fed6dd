import math
from collections import Counter
from itertools import islice

import pytest

from course_lib.data import stories
from course_lib.data.stories import END, Grammar, load_stories, story_grammar

SMALL = {
    "STORY": {"who:NAME saw a thing:THING . MOOD": 3, "A thing:THING fell , and who:NAME laughed .": 1},
    "NAME": {"Mia": 2, "Tom": 1},
    "THING": "kite | hat | drum",
    "MOOD": {"$who.She was happy .": 2, "": 1, "$who lost the $thing , the $thing .": 1},
}
SHE = {"She": {"Mia": "She", "Tom": "He"}}


def small():
    return Grammar(SMALL, agreement=SHE)


def enumerated():
    """Every text of SMALL with its probability, written out by hand as loops."""
    texts = Counter()
    for name, p_name in (("Mia", 2 / 3), ("Tom", 1 / 3)):
        for thing in ("kite", "hat", "drum"):
            she = "She" if name == "Mia" else "He"
            p = p_name / 3
            saw = f"{name} saw a {thing}."
            texts[f"{saw} {she} was happy."] += p * 3 / 4 / 2
            texts[saw] += p * 3 / 4 / 4
            texts[f"{saw} {name} lost the {thing}, the {thing}."] += p * 3 / 4 / 4
            texts[f"A {thing} fell, and {name} laughed."] += p / 4
    return texts


def test_entropy_and_length_equal_those_of_the_enumerated_texts():
    texts, grammar = enumerated(), small()
    assert math.fsum(texts.values()) == pytest.approx(1)
    assert grammar.entropy == pytest.approx(-sum(p * math.log(p) for p in texts.values()), rel=1e-12)
    length = sum(p * len(grammar.tokens(text)) for text, p in texts.items())
    assert grammar.length == pytest.approx(length, rel=1e-12)
    assert grammar.entropy_per_token == pytest.approx(grammar.entropy / (length + 1), rel=1e-12)


def test_probabilities_equal_those_of_the_enumerated_texts():
    grammar = small()
    for text, p in enumerated().items():
        assert math.exp(sum(grammar.log_probabilities(text))) == pytest.approx(p, rel=1e-12)
        assert len(grammar.log_probabilities(text)) == len(grammar.tokens(text)) + 1
        assert grammar.accepts(text)


def test_next_words_equal_conditionals_of_the_enumerated_texts():
    grammar, texts = small(), enumerated()
    for text in texts:
        for cut in range(len(grammar.tokens(text)) + 1):
            start = grammar.tokens(text)[:cut]
            following = Counter()
            for other, p in texts.items():
                tokens = [*grammar.tokens(other), END]
                if tokens[:cut] == start:
                    following[tokens[cut]] += p
            expected = {word: p / sum(following.values()) for word, p in following.items()}
            assert grammar.next_words(grammar.text(start)) == pytest.approx(expected)


def test_samples_are_drawn_from_the_distribution():
    texts, n = enumerated(), 20_000
    drawn = Counter(islice(small().sample(3), n))
    assert drawn.keys() <= texts.keys()
    chi2 = sum((drawn[text] - n * p) ** 2 / (n * p) for text, p in texts.items())
    assert chi2 < 52  # 23 degrees of freedom: the .9995 quantile
    assert list(islice(small().sample(3), 9)) == list(islice(small().sample(3), 9))
    assert list(islice(small().sample(3), 9)) != list(islice(small().sample(4), 9))


def test_what_the_grammar_cannot_write_has_no_probability():
    grammar = small()
    assert grammar.next_words("Mia saw a house") == {}
    for text in ("Mia saw a kite", "", "Mia . .", "mia saw a kite."):
        assert not grammar.accepts(text)
    assert not grammar.accepts("Mia saw a kite. Tom lost the kite, the kite.")  # another name
    assert not grammar.accepts("Mia saw a kite. He was happy.")
    scores = grammar.log_probabilities("Mia saw a house.")
    assert all(map(math.isfinite, scores[:3])) and scores[3:] == [-math.inf] * 3


def test_the_stories_reach_their_entropy():
    """The mean of -log p of samples is the entropy within four standard errors; every word is known."""
    grammar, n = story_grammar(), 1500
    texts = list(islice(grammar.sample(0), n))
    surprisal = [-sum(grammar.log_probabilities(text)) for text in texts]
    mean = sum(surprisal) / n
    error = (sum((x - mean) ** 2 for x in surprisal) / n / n) ** 0.5
    assert abs(mean - grammar.entropy) < 4 * error < 0.3
    lengths = [len(grammar.tokens(text)) for text in texts]
    assert sum(lengths) / n == pytest.approx(grammar.length, rel=0.01)
    assert {word for text in texts for word in grammar.tokens(text)} == set(grammar.vocabulary())
    assert len(set(texts)) > 0.98 * n and len(grammar.vocabulary()) < 200


def test_stories_have_one_derivation_each():
    """The probability of a text, summed over derivations, is that of the choices that wrote it."""
    grammar = story_grammar()
    for text in islice(grammar.sample(1), 300):
        tokens, states = grammar.tokens(text), {grammar._begin(): 1.0}
        for token in tokens:
            after = Counter()
            for state, p in states.items():
                for q, word, new in grammar._ways(state):
                    if word == token:
                        assert new not in after, text
                        after[new] = p * q
            states = after
        finished = [p for (rest, _), p in states.items() if not rest]
        assert len(finished) == 1
        assert math.log(finished[0]) == pytest.approx(sum(grammar.log_probabilities(text)))


def test_what_was_chosen_early_returns_late():
    for text in islice(story_grammar().sample(5), 200):
        words = story_grammar().tokens(text)
        name = next(word for word in words if word in stories.AGREEMENT["she"])
        assert {"she", "She", "her", "hers"}.isdisjoint(words) or any(n in words for n in stories._SHE)
        assert words.count(name) >= 1
        place = [word for word in words if word in ("river", "forest", "mill", "lake", "hill")]
        assert len(set(place)) == 1


@pytest.mark.parametrize("rules, message", [
    ({"STORY": "a MISSING b"}, "MISSING"),
    ({"OTHER": "a"}, "start symbol STORY"),
    ({"STORY": "a STORY | b"}, "leads back"),
    ({"STORY": "a B", "B": "c A", "A": "STORY"}, "leads back"),
    ({"STORY": {"a": 0.0, "b": 1}}, "weight"),
    ({"STORY": {"a": math.nan}}, "weight"),
    ({"STORY": {}}, "expansions are needed"),
    ({"STORY": "$who ran"}, "may not have been chosen"),
    ({"STORY": "A $who", "A": "who:NAME | nobody", "NAME": "Mia"}, "may not have been chosen"),
    ({"STORY": "who:NAME ran", "NAME": "Mia | Tom Sawyer"}, "single words"),
    ({"STORY": "who:NAME ran", "NAME": "FIRST", "FIRST": "Mia"}, "single words"),
    ({"STORY": "who:NAME $who.She ran", "NAME": "Mia | Ada"}, "no agreement 'She'"),
    ({"STORY": "who:NAME $who.he ran", "NAME": "Mia"}, "no agreement 'he'"),
    ({"STORY": "who:NOBODY ran"}, "who:NOBODY"),
    ({"STORY": "don't"}, "single word"),
])
def test_a_grammar_that_is_wrong_says_where(rules, message):
    with pytest.raises(ValueError, match=message.replace("$", r"\$")):
        Grammar(rules, agreement=SHE)


def test_weights_are_relative_and_bars_share_equally():
    assert Grammar({"STORY": {"a": 30, "b": 10}}).next_words("") == pytest.approx({"a": 0.75, "b": 0.25})
    assert Grammar({"STORY": "a | b | c c"}).next_words("") == pytest.approx(dict.fromkeys("abc", 1 / 3))


def test_text_and_tokens_are_inverse():
    text = next(story_grammar().sample(2))
    assert Grammar.text(Grammar.tokens(text)) == text and " ." not in text


def test_corpus_of_the_grammar():
    corpus = load_stories(30, held_out=10, seed=1)
    assert [len(corpus.train), len(corpus.validation), len(corpus.test)] == [30, 10, 10]
    assert corpus.train.column_names == ["text"]
    texts = [*corpus.train["text"], *corpus.validation["text"], *corpus.test["text"]]
    assert all(map(corpus.grammar.accepts, texts)) and len(set(texts)) > 45
    assert list(load_stories(30, held_out=10, seed=1).test["text"]) == list(corpus.test["text"])
    assert list(load_stories(30, held_out=10, seed=2).test["text"]) != list(corpus.test["text"])


def test_corpus_from_a_file(tmp_path):
    path = tmp_path / "tales.txt"
    path.write_text("\n\n".join(f"Tale {i}\nhas two lines." for i in range(7)) + "\n \n\n", encoding="utf-8")
    corpus = load_stories(4, held_out=1, source=path)
    assert corpus.train["text"][0] == "Tale 0 has two lines." and corpus.grammar is None
    assert list(corpus.validation["text"]) == ["Tale 4 has two lines."]
    assert list(corpus.test["text"]) == ["Tale 5 has two lines."]
    with pytest.raises(ValueError, match="has 7 texts"):
        load_stories(4, held_out=2, source=path)


def test_corpus_from_the_hub(monkeypatch):
    asked = {}

    def load_dataset(name, **options):
        asked.update(options, name=name)
        return ({"text": f"tale {i}"} for i in range(100))

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    corpus = load_stories(4, held_out=2, source="someone/tales")
    assert list(corpus.train["text"]) == [f"tale {i}" for i in range(4)] and asked["name"] == "someone/tales"
    assert list(corpus.test["text"]) == ["tale 6", "tale 7"]

    def offline(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr("datasets.load_dataset", offline)
    with pytest.raises(OSError, match="someone/tales.*the network"):
        load_stories(source="someone/tales")


def test_sizes_below_one_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        load_stories(0)
    with pytest.raises(ValueError, match="at least one"):
        load_stories(5, held_out=0)
