"""The dictionary against entries worked by hand, the corpus's own words, and bad input."""
import re
from itertools import islice

import pytest
from course_lib.data.translation import write_pairs
from course_lib.data.translation.lexicon import NOUNS, VERBS
from course_lib.translation.dictionary import Dictionary, Troyanskii, count_entries, entries, look_up, starts_with_vowel
from course_lib.translation.system import Costs, System


def test_word_for_word_by_hand():
    translated = Dictionary().translate(["the old cat sleeps .".split(),
                                         "her grandmother has eaten the potatoes".split()])
    assert translated == ["le vieux chat dormir .".split(),
                          "son grand-mère avoir manger le pomme de terre".split()]


def test_three_stages_by_hand():
    system = Troyanskii()
    sentence = "these cats slept".split()
    roots = system.analyse(sentence)
    assert [(e.lemma, e.function) for e in roots] == [("this", "plural"), ("cat", "plural"), ("sleep", "past")]
    exchanged = system.transform(roots)
    assert [(e.lemma, e.function) for e in exchanged] == [("ce", "plural"), ("chat", "plural"), ("dormir", "past")]
    assert system.synthesise(exchanged) == ["ces", "chats", "dormait"]
    assert system.translate([sentence]) == [["ces", "chats", "dormait"]]


def test_the_first_sense_and_no_sense_at_all():
    assert look_up("pen")[0].french == "stylo"
    assert {e.category for e in look_up("light")} == {"adjective", "verb"}
    assert look_up("zyzzyva") == ()
    assert Dictionary().translate([["The", "zyzzyva", "sleeps"]]) == [["le", "zyzzyva", "dormir"]]
    assert Troyanskii().translate([["zyzzyva"]]) == [["zyzzyva"]]


def test_every_noun_and_verb_of_the_corpus_is_held():
    for noun in NOUNS.values():
        assert all(look_up(word) for form in noun.english for word in form.split()), noun
    for verb in VERBS.values():
        assert look_up(verb.english[0])
    words = {w for row in islice(write_pairs("train"), 400) for w in row["english"] if re.match(r"\w", w)}
    assert {word for word in words if not look_up(word)} == set()


def test_entries_and_costs():
    forms = entries()
    assert all(e.form == form and e.french for form, known in forms.items() for e in known)
    assert all(e.gender in ("m", "f") for known in forms.values() for e in known if e.category == "noun")
    assert Dictionary().costs() == Costs(rules=len(forms))
    assert Troyanskii().costs() == Costs(rules=count_entries()) and count_entries() < len(forms)
    assert {(e.lemma, e.function) for e in look_up("slept")} == {("sleep", "past"), ("sleep", "participle")}


@pytest.mark.parametrize("word, vowel", [("arbre", True), ("homme", True), ("hibou", False), ("Anne", True),
                                         ("œuf", True), ("pomme", False), ("onze", False), ("yeux", True)])
def test_vowels(word, vowel):
    assert starts_with_vowel(word) is vowel


@pytest.mark.parametrize("system", [Dictionary(), Troyanskii()])
def test_protocol_and_bad_input(system):
    assert isinstance(system, System) and system.year == 1933
    assert system.fit([]) is system
    assert system.translate([]) == [] and system.translate([[], ["."]]) == [[], ["."]]
    with pytest.raises(ValueError, match="sentence 1 is text"):
        system.translate([["a"], "the cat"])
