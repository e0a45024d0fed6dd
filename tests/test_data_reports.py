import random
import re
from collections import Counter

import pytest

from course_lib.data import reports
from course_lib.data.reports import FACTS, KINDS, NUMBERS, load_reports, read, write_report


def written(count=400, seed=0):
    rng = random.Random(seed)
    return [write_report(rng) for _ in range(count)]


def facts_of(report):
    return {name: report[name] for name in FACTS}


def sentences(text):
    return re.findall(r"[^.]+\.", text)


def test_the_facts_can_be_read_from_the_report_and_from_its_headline():
    for report in written():
        assert read(report["text"]) == read(report["headline"]) == facts_of(report)


def test_the_facts_agree_with_the_counts_in_the_text():
    """Worked out here from the digits of the text, without the module's templates."""
    for report in written():
        words = re.findall(r"\w+", report["text"])
        counts = [NUMBERS.index(word) for word in words if word in NUMBERS]
        if report["kind"] == "fire":
            assert report["number"] == NUMBERS[sum(counts)]
        elif report["kind"] == "vote":
            first_for = re.search(r"(\w+) (votes )?for (?:the plan|it)", report["text"])[1]
            ours = NUMBERS.index(first_for)
            theirs = sum(counts) - ours
            assert report["number"] == f"{NUMBERS[ours]} to {NUMBERS[theirs]}"
            assert report["outcome"] == ("accepted" if ours > theirs else "rejected") and ours != theirs
        else:
            goals = {side: re.search(rf"{side} scored (\w+) before the break and (\w+) after", report["text"]).groups()
                     for side in ("hosts", "guests")}
            ours, theirs = (sum(map(NUMBERS.index, goals[side])) for side in ("hosts", "guests"))
            assert report["number"] == f"{NUMBERS[ours]} to {NUMBERS[theirs]}"
            assert report["outcome"] == ("won" if ours > theirs else "lost" if ours < theirs else "drawn")
            assert report["town"] != report["thing"]


def test_the_first_sentence_states_nothing_and_no_sentence_states_all():
    for report in written():
        first, *others = sentences(report["text"])
        assert read(first) == {}
        assert 3 <= len(others) <= 4
        for sentence in others:
            stated = read(sentence)
            assert stated.items() <= facts_of(report).items()
            assert len(stated) < len(FACTS)


def test_the_order_of_the_facts_varies():
    """Each fact can stand in each sentence but the first."""
    places = Counter()
    for report in written():
        for place, sentence in enumerate(sentences(report["text"])):
            places.update((name, place) for name in read(sentence))
    for name in FACTS:
        assert all(places[name, place] > 20 for place in (1, 2, 3)), (name, places)


@pytest.mark.parametrize("text, stated", [
    ("Fire destroys mill in Ashby, six hurt", {"town": "Ashby", "thing": "mill", "outcome": "destroyed", "number": "six"}),
    ("Ashby lose to Redhill one to three",
     {"town": "Ashby", "thing": "Redhill", "outcome": "lost", "number": "one to three"}),
    ("The hosts scored one before the break and two after it.", {}),
    ("The hosts scored one before the break and two after it. The guests scored nil before the break and one after it.",
     {"outcome": "won", "number": "three to one"}),
    ("There were four votes against the plan and three for it.", {"outcome": "rejected", "number": "three to four"}),
    ("The doctors saw two firemen and three guests.", {"number": "five"}),
    ("By noon the school was gone.", {"thing": "school", "outcome": "destroyed"}),
    ("Fire destroys mill in Ashby, six", {}),
    ("Fire destroys mill in Ashby, six hurt today", {}),
    ("Fire destroys Ashby in mill, six hurt", {}),
    ("fire destroys mill in Ashby, six hurt", {}),
    ("", {}),
])
def test_what_a_text_states(text, stated):
    assert read(text) == stated


def test_corpus():
    corpus = load_reports(300, held_out=40, seed=1)
    assert [len(corpus.train), len(corpus.validation), len(corpus.test)] == [300, 40, 40]
    assert set(corpus.train.column_names) == {"text", "headline", "kind", *FACTS}
    assert set(Counter(corpus.train["kind"])) == set(KINDS)
    assert list(load_reports(300, held_out=40, seed=1).test["text"]) == list(corpus.test["text"])
    assert list(load_reports(300, held_out=40, seed=2).test["text"]) != list(corpus.test["text"])


def test_no_facts_occur_in_two_parts():
    corpus = load_reports(2000, held_out=200)
    seen = [{tuple(row[name] for name in ("kind", *FACTS)) for row in part}
            for part in (corpus.train, corpus.validation, corpus.test)]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    kinds = Counter(corpus.test["kind"])
    assert all(kinds[kind] > 20 for kind in KINDS)


def test_sizes_below_one_and_a_missing_package_are_refused(monkeypatch):
    with pytest.raises(ValueError, match="at least one"):
        load_reports(0)
    with pytest.raises(ValueError, match="at least one"):
        load_reports(5, held_out=0)
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(ImportError, match="pip install"):
        load_reports(5, 1)


def test_every_template_is_used():
    texts = " ".join(report["text"] + report["headline"] for report in written(3000))
    for pattern, _, _ in reports._patterns():
        assert pattern.search(texts), pattern
