"""The cycle by hand, and on the corpus: less to correct each time round."""
from itertools import islice

import pytest
from course_lib.data.translation import write_pairs
from course_lib.translation.examples import edit_path
from course_lib.translation.rand import Cycle, RandCycle
from course_lib.translation.system import System

START = {"the": ["le"], "house": ["maison"], "red": ["rouge"], "falls": ["tomber"]}
PAIRS = [("the red house falls".split(), "la maison rouge tombe".split())] * 2


def test_a_cycle_by_hand():
    system = RandCycle(batch=1, start=START)
    assert system.translate(["the red house falls".split()]) == ["le rouge maison tomber".split()]
    first = system.cycle(PAIRS[:1])
    assert first == Cycle(1, 4, edit_path("le rouge maison tomber".split(), "la maison rouge tombe".split())[0] / 4)
    second = system.cycle(PAIRS[1:])    # seen twice: revised
    assert second.sentences == 2 and second.effort == first.effort and second.entries > first.entries
    assert system.translate(["the red house falls".split()]) == ["la maison rouge tombe".split()]
    assert system.cycle(PAIRS[:1]).effort == 0
    assert system.history[:2] == [first, second]


def test_fit_begins_anew_and_runs_all_batches():
    system = RandCycle(batch=3, start=START)
    for _ in range(2):
        assert system.fit(PAIRS * 4) is system
        assert [c.sentences for c in system.history] == [3, 6, 8]


def test_a_new_word_is_entered_at_once_and_a_word_can_have_no_translation():
    system = RandCycle(batch=10, start={})
    system.fit([(["does", "he"], ["il"]), (["does", "she"], ["elle"])])
    assert system.translate([["he"], ["she"], ["zyzzyva"]]) == [["il"], ["elle"], ["zyzzyva"]]


def test_the_curve_falls_on_the_corpus():
    pairs = [(row["english"], row["french"]) for row in islice(write_pairs("train"), 600)]
    system = RandCycle(batch=100).fit(pairs)
    effort = [c.effort for c in system.history]
    assert effort[0] > 0.5 and effort[-1] < effort[0] - 0.04
    assert [c.entries for c in system.history] == sorted(c.entries for c in system.history)
    cost = system.costs()
    assert cost.pairs == 600 and cost.rules == len(system.start) and 0 < cost.parameters <= len(system.glossary)


def test_protocol_and_bad_input():
    system = RandCycle()
    assert isinstance(system, System) and system.translate([]) == [] and system.translate([[]]) == [[]]
    assert system.translate([["the", "cat"]]) == [["le", "chat"]]    # the dictionary, before the first cycle
    for pairs, message in [([], "no sentence pairs"), ([("a", ["b"])], "pair 0 is text"),
                           ([(["a"], [])], "empty side")]:
        with pytest.raises(ValueError, match=message):
            system.fit(pairs)
        with pytest.raises(ValueError, match=message):
            system.cycle(pairs)
    with pytest.raises(ValueError, match="sentence 0 is text"):
        system.translate(["the cat"])
    for wrong in ({"batch": 0}, {"longest": 0}, {"needed": 0}):
        with pytest.raises(ValueError, match="at least 1"):
            RandCycle(**wrong)
    assert RandCycle(start={}).fit([(["a"], ["b", "c"])]).translate([["a"]]) == [["b", "c"]]    # unequal sides
