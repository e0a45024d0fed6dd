"""The frame is found again; what has none goes to the dictionary."""
import random
from dataclasses import replace
from itertools import islice

import pytest
from course_lib.data.translation import from_json, realise_english, realise_french, write_pairs
from course_lib.data.translation.frames import Clause, NounPhrase
from course_lib.translation.dictionary import Dictionary
from course_lib.translation.interlingua import Interlingua
from course_lib.translation.system import System


def test_frames_by_hand():
    system = Interlingua()
    assert system.analyse("the sheep is in the pen .".split()) == Clause(
        "be", NounPhrase("sheep"), preposition="in", place=NounPhrase("pen (sheep)"))
    assert system.analyse("I miss Paul .".split()) == Clause("miss", NounPhrase("I", ""), NounPhrase("Paul"))
    assert system.analyse("she washed her hands yesterday .".split()) == Clause(
        "wash (own)", NounPhrase("she", ""), NounPhrase("hand", "own", True), tense="past", time="yesterday")


def test_the_corpus_comes_back_by_construction():
    rows = [*islice(write_pairs("train", seed=4), 200), *islice(write_pairs("compositional", seed=4), 40)]
    system = Interlingua()
    translated = system.translate([row["english"] for row in rows])
    assert system.understood >= 0.98 * len(rows)
    assert sum(words == row["french"] for words, row in zip(translated, rows)) >= 0.95 * len(rows)


def test_meaning_survives_a_round_trip():
    """English to frame to English is the same sentence, whichever frame it was."""
    system = Interlingua()
    rows = list(islice(write_pairs("train", seed=5), 150))
    same = sum((frame := system.analyse(row["english"])) is not None
               and [t.text for t in realise_english(frame)] == row["english"] for row in rows)
    assert same >= 0.97 * len(rows)


def test_english_does_not_say_which_bat():
    """Two frames, one English sentence: no analysis can be right about both."""
    frame = from_json('{"kind": "clause", "predicate": "draw", "subject": {"kind": "noun phrase", "concept": "Paul"}, '
                      '"object": {"kind": "noun phrase", "concept": "bat (wings)"}}')
    other = replace(frame, object=replace(frame.object, concept="bat (ball)"))
    english = [[t.text for t in realise_english(f)] for f in (frame, other)]
    french = [[t.text for t in realise_french(f)] for f in (frame, other)]
    assert english[0] == english[1] and french[0] != french[1]
    assert Interlingua().translate(english[:1])[0] in french


def test_all_or_nothing():
    system = Interlingua()
    sentence = "the old zyzzyva sees the red house .".split()
    assert system.translate([sentence]) == Dictionary().translate([sentence]) and system.understood == 0
    assert system.analyse("the cat sleeps near the house in the garden .".split()) is None    # a frame has one place


def test_protocol_and_bad_input():
    system = Interlingua()
    assert isinstance(system, System) and system.fit([]) is system and system.costs().rules > 500
    assert system.translate([]) == [] and system.translate([[], ["."]]) == [[], ["."]]
    with pytest.raises(ValueError, match="sentence 0 is text"):
        system.translate(["the cat"])


def test_any_order_of_words_is_translated_without_an_error():
    rng = random.Random(1)
    rows = list(islice(write_pairs("train", seed=1), 150))
    words = sorted({word for row in rows for word in row["english"]})
    garbled = []
    for row in rows:
        spoilt = list(row["english"])
        spoilt[rng.randrange(len(spoilt))] = rng.choice(words)
        garbled.append(spoilt)
    assert all(isinstance(word, str) for french in Interlingua().translate(garbled) for word in french)
