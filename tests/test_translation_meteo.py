"""Bulletins by hand, refusal of everything else, coverage and quality on the domain and off it."""
import math
from itertools import islice

import pytest
from course_lib.data.translation import write_pairs
from course_lib.translation.meteo import REFUSED, Meteo
from course_lib.translation.system import System


def test_bulletins_by_hand():
    system = Meteo()
    assert system.translate(["risk of flurries near noon . wind west 70 km/h gusting to 90 .".split(),
                             "snowfall amount 2 to 4 cm .".split(),
                             "temperature falling to minus 3 overnight .".split()]) == [
        "risque d' averses de neige vers midi . vents de l' ouest de 70 km/h avec rafales à 90 .".split(),
        "accumulation de neige de 2 à 4 cm .".split(),
        "température à la baisse pour atteindre moins 3 au cours de la nuit .".split()]
    assert system.coverage == 1


@pytest.mark.parametrize("text", ["rain of frogs .", "rain", "rain tomorrow . and then some .", "the cat sleeps .",
                                  "high tomorrow .", "wind up 20 km/h ."])
def test_what_is_not_understood_to_the_last_word_is_refused_whole(text):
    system = Meteo()
    assert system.translate([text.split()]) == [[REFUSED, *text.split()]] and system.coverage == 0


def test_in_the_domain_it_refuses_rather_than_errs():
    rows = list(islice(write_pairs("iid", "weather"), 200))
    system = Meteo()
    translated = system.translate([row["english"] for row in rows])
    kept = [(words, row["french"]) for words, row in zip(translated, rows) if words[0] != REFUSED]
    assert system.coverage == len(kept) / len(rows) and 0.6 < system.coverage < 0.95    # some patterns were hidden
    assert all(words == french for words, french in kept)


def test_out_of_the_domain_nothing_is_understood():
    system = Meteo()
    system.translate([row["english"] for row in islice(write_pairs("train"), 100)])
    assert system.coverage == 0


def test_protocol_and_bad_input():
    system = Meteo()
    assert isinstance(system, System) and system.year == 1977 and system.fit([]) is system
    assert math.isnan(system.coverage) and 50 < system.costs().rules < 100
    assert system.translate([]) == [] and math.isnan(system.coverage)
    assert system.translate([[], ["."]]) == [[], [REFUSED, "."]]
    with pytest.raises(ValueError, match="sentence 0 is text"):
        system.translate(["high 3 ."])
