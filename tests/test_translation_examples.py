"""Edit distance against brute force, matching and substituting by hand, the memory's threshold, bad input."""
import math
import random
from functools import cache
from itertools import islice

import pytest
from course_lib.data.translation import write_pairs
from course_lib.translation.examples import ExampleBased, TranslationMemory, edit_path
from course_lib.translation.system import System

PAIRS = [(e.split(), f.split()) for e, f in [
    ("the cat sleeps .", "le chat dort ."), ("the dog sleeps .", "le chien dort ."),
    ("the cat eats .", "le chat mange ."),
    ("a dog eats .", "un chien mange ."),
    ("a bird sings .", "un oiseau chante ."), ("a cat sings .", "un chat chante ."),
    ("the bird eats .", "l' oiseau mange .")]]


def test_edit_path_is_the_cheapest_of_all():
    rng = random.Random(0)

    def cost(x, y):
        return 0.0 if x == y else 0.6 if abs(ord(x) - ord(y)) == 1 else 1.0
    for _ in range(200):
        a, b = ("".join(rng.choices("abc", k=rng.randint(0, 6))) for _ in range(2))

        @cache
        def brute(i, j):
            if i == len(a) or j == len(b):
                return float(len(a) - i + len(b) - j)
            return min(cost(a[i], b[j]) + brute(i + 1, j + 1), 1 + brute(i + 1, j), 1 + brute(i, j + 1))
        distance, path = edit_path(a, b, cost)
        assert distance == pytest.approx(brute(0, 0))
        assert distance == pytest.approx(sum(1 if i is None or j is None else cost(a[i], b[j]) for i, j in path))
        assert [i for i, _ in path if i is not None] == list(range(len(a)))
        assert [j for _, j in path if j is not None] == list(range(len(b)))


def test_match_align_substitute_by_hand():
    system = ExampleBased().fit(PAIRS)
    assert system.dice("cat", "chat") == 1 and system.dice("cat", "dort") == pytest.approx(2 * 1 / (3 + 2))
    assert system.dice("cat", "zyzzyva") == 0
    assert system.align(["cat", "cat"], ["chat", "chat"]) == {0: 0, 1: 1}    # of equals the nearer
    assert system.align(*PAIRS[0]) == {0: 0, 1: 1, 2: 2, 3: 3}
    cost, path, pair = system.match("a cat eats .".split())
    assert pair[0][1:] == ("cat", "eats", ".") and cost < 1
    assert path == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert system.translate(["a cat eats .".split(), "the dog eats .".split()]) == [
        "un chat mange .".split(), "le chien mange .".split()]
    assert system.distances == [0.25, 0.25]


def test_a_neighbour_that_never_stood_there_is_exchanged():
    system = ExampleBased().fit([*PAIRS, ("the bird dreams".split(), "l' oiseau rêve".split()),
                                 ("the tree falls".split(), "l' arbre tombe".split()),
                                 ("the man laughs".split(), "l' homme rit".split())])
    assert system.word("the", "", "oiseau") == "l'" and system.word("the", "", "chat") == "le"
    assert system.fit_together("le oiseau".split(), ["the", None]) == ["l'", "oiseau"]
    assert system.fit_together("le oiseau".split(), [None, None]) == ["le", "oiseau"]    # of no known origin: stays
    assert system.translate(["the bird sings .".split()]) == ["l' oiseau chante .".split()]


def test_known_sentences_come_back_as_they_are():
    rows = list(islice(write_pairs("train"), 80))
    pairs = {tuple(row["english"]): row["french"] for row in rows}
    for system in (ExampleBased().fit(pairs.items()), TranslationMemory(1).fit(pairs.items())):
        assert system.translate(pairs) == list(pairs.values())


def test_words_that_no_pair_has_are_passed_on():
    system = ExampleBased().fit(PAIRS)
    assert system.translate([["zyzzyva"], [], "a zyzzyva eats .".split()]) == [
        ["zyzzyva"], [], "un zyzzyva mange .".split()]
    assert system.distances == [1, 0, 0.25]


def test_inserted_and_deleted_words():
    system = ExampleBased().fit([(e.split(), f.split()) for e, f in [
        ("the old cat sings", "le vieux chat chante"), ("the old dog eats", "le vieux chien mange"),
        ("a dog runs", "un chien court")]])
    assert system.translate(["the cat sings".split()]) == ["le chat chante".split()]
    assert system.translate(["a old dog runs".split()]) == ["un vieux chien court".split()]


def test_likeness_is_a_cosine():
    system = ExampleBased().fit(PAIRS)
    assert system.likeness("cat", "cat") == 1 and system.likeness("cat", "zyzzyva") == 0
    assert 0 < system.likeness("sings", "the") + system.likeness("cat", "dog") and system.likeness("cat", "dog") > 0.5
    assert system.likeness("cat", "dog") == pytest.approx(system.likeness("dog", "cat"))


def test_the_nearest_share_rare_words():
    memory = TranslationMemory().fit(PAIRS).memory
    nearest = memory.pairs[memory.near("the bird sings .".split())[0]][0]
    assert nearest in [("a", "bird", "sings", "."), ("the", "bird", "eats", ".")]
    assert memory.near(["zyzzyva"]) == []


@pytest.mark.parametrize("threshold, proposals", [
    (0, [1, 1, 0]), (0.7, [1, 1, 0]), (0.8, [1, 0, 0]), (1, [1, 0, 0])])
def test_memory_thresholds(threshold, proposals):
    system = TranslationMemory(threshold).fit(PAIRS)
    translated = system.translate(["the cat sleeps .".split(), "the cat sings .".split(), ["zyzzyva"]])
    assert [int(bool(words)) for words in translated] == proposals
    assert system.similarities == [1, 0.75, 0] and system.handed_over == pytest.approx(1 - sum(proposals) / 3)
    assert translated[0] == "le chat dort .".split()


def test_protocol_and_bad_input():
    for system in (ExampleBased(), TranslationMemory()):
        assert isinstance(system, System) and system.fit(PAIRS) is system
        assert system.costs().pairs == len(PAIRS) and system.costs().rules == 0 and system.costs().seconds > 0
        assert system.translate([]) == [] and system.translate([[]]) == [[]]
        for pairs, message in [([], "no sentence pairs"), ([("a b", ["c"])], "pair 0 is text"),
                               ([(["a"], [])], "empty side")]:
            with pytest.raises(ValueError, match=message):
                type(system)().fit(pairs)
        with pytest.raises(ValueError, match="sentence 0 is text"):
            system.translate(["the cat"])
    assert math.isnan(TranslationMemory().handed_over)
    with pytest.raises(ValueError, match="from 0 to 1"):
        TranslationMemory(1.5)
    unequal = ExampleBased().fit([(["a"], ["b", "c", "d"])])
    assert unequal.translate([["a"], ["a", "x"]])[0] == ["b", "c", "d"]


def test_the_same_pairs_give_the_same_translations():
    rows = list(islice(write_pairs("train"), 150))
    pairs = [(row["english"], row["french"]) for row in rows]
    tests = [row["english"] for row in islice(write_pairs("validation"), 15)]
    assert ExampleBased().fit(pairs).translate(tests) == ExampleBased().fit(pairs).translate(tests)
