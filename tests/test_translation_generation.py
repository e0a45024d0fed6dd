"""French worked by hand, tree by tree."""
import pytest
from course_lib.translation.generation import Clause, NounPhrase, generate, inflected, noun_phrase, spelled

BOY, GIRL = NounPhrase("garçon", determiner="le"), NounPhrase("fille", "f", determiner="le")
GIRLS = NounPhrase("fille", "f", True, "le")
HE, SHE, WE = NounPhrase(pronoun="il"), NounPhrase(pronoun="elle", gender="f"), NounPhrase(pronoun="nous", plural=True)
KEY = NounPhrase("clé", "f", determiner="un")


@pytest.mark.parametrize("np, french", [
    (NounPhrase("arbre", determiner="le", adjective="beau", before=True), "le bel arbre"),
    (NounPhrase("arbre", determiner="ce"), "cet arbre"), (NounPhrase("école", "f", determiner="mon"), "mon école"),
    (NounPhrase("pomme de terre", "f", True, "un"), "des pommes de terre"),
    (NounPhrase("maison", "f", True, "un", "petit", True), "de petites maisons"),
    (NounPhrase("eau", "f", determiner="un", mass=True), "de l' eau"),
    (NounPhrase("robe", "f", determiner="quel", plural=True), "quelles robes"),
    (NounPhrase("chat", plural=True, determiner="combien"), "combien de chats"),
    (NounPhrase("chapeau", determiner="le", owner=NounPhrase("roi", determiner="le")), "le chapeau du roi"),
    (NounPhrase("Paul", name=True, joined=NounPhrase("Marie", "f", name=True)), "Paul et Marie"),
])
def test_noun_phrases(np, french):
    assert " ".join(spelled(noun_phrase(np))) == french


@pytest.mark.parametrize("clause, french", [
    (Clause("dormir", subject=BOY, negation="pas"), "le garçon ne dort pas ."),
    (Clause("aimer", subject=BOY, direct=SHE, negation="jamais"), "le garçon ne l' aime jamais ."),
    (Clause("arriver", subject=GIRLS, tense="past"), "les filles sont arrivées ."),
    (Clause("voir", subject=BOY, direct=GIRLS, tense="past"), "le garçon a vu les filles ."),
    (Clause("voir", subject=BOY, direct=NounPhrase(pronoun="elles", gender="f", plural=True), tense="past"),
     "le garçon les a vues ."),
    (Clause("laver", reflexive=True, unagreeing=True, subject=SHE, tense="past",
            direct=NounPhrase("main", "f", True, "le")), "elle s' est lavé les mains ."),
    (Clause("acheter", subject=BOY, direct=KEY, negation="pas", tense="past"), "le garçon n' a pas acheté de clé ."),
    (Clause("être", subject=BOY, attribute=NounPhrase("médecin", determiner="un"), negation="pas"),
     "le garçon n' est pas médecin ."),
    (Clause("parler", subject=WE, indirect=HE, modal="vouloir"), "nous voulons lui parler ."),
    (Clause("partir", subject=SHE, tense="recent"), "elle vient de partir ."),
    (Clause("avoir", "besoin", subject=BOY, of=KEY, tense="imperfect"), "le garçon avait besoin d' une clé ."),
    (Clause("avoir", there=True, direct=KEY, negation="pas", places=(("dans", NounPhrase("sac", determiner="le")),)),
     "il n' y a pas de clé dans le sac ."),
    (Clause("aimer", subject=HE, question="yes/no", direct=GIRL), "aime -t-il la fille ?"),
    (Clause("aimer", subject=BOY, question="pourquoi", direct=GIRL), "pourquoi est -ce que le garçon aime la fille ?"),
    (Clause("être", subject=BOY, question="où"), "où est le garçon ?"),
    (Clause("voir", subject=HE, direct=NounPhrase(pronoun="que"), question="object", tense="past"),
     "qu' a -t-il vu ?"),
    (Clause("être", subject=GIRL, adjective="bon", degree="plus", standard=BOY),
     "la fille est meilleure que le garçon ."),
    (Clause("avoir", subject=SHE, age="dix"), "elle a dix ans ."),
    (Clause("pleuvoir", tense="imperfect"), "il pleuvait ."),
    (Clause("penser", subject=HE, content=Clause("dormir", subject=SHE), conjunction="parce que",
            second=Clause("être", subject=HE, adjective="vieux")), "il pense qu' elle dort parce qu' il est vieux ."),
])
def test_clauses(clause, french):
    assert " ".join(generate(clause)) == french


def test_relative_clauses():
    who = NounPhrase(pronoun="qui")
    seen = NounPhrase("fille", "f", True, "le", relative=Clause("voir", subject=BOY, direct=who, tense="past"))
    assert " ".join(spelled(noun_phrase(seen))) == "les filles que le garçon a vues"
    seer = NounPhrase("fille", "f", True, "le", relative=Clause("laver", reflexive=True, subject=who, tense="past"))
    assert " ".join(spelled(noun_phrase(seer))) == "les filles qui se sont lavées"


def test_words_and_spelling():
    assert inflected("blanc", True, True) == "blanches" and inflected("vieux", False, True) == "vieux"
    assert inflected("affamé", True, False) == "affamée" and inflected("agréable", True, True) == "agréables"
    assert spelled(["si", "il"]) == ["s'", "il"]
    assert spelled(["de", "le"]) == ["de", "le"]    # a pronoun does not contract
    assert spelled([]) == [] and spelled(["le", "hibou"]) == ["le", "hibou"]
