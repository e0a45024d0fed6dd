"""Each rule against a sentence worked by hand that fails without it; what is hidden stays wrong."""
from itertools import islice

import pytest
from course_lib.data.translation import write_pairs
from course_lib.translation.direct import Direct
from course_lib.translation.direct_rules import RULES
from course_lib.translation.system import Costs, System
from course_lib.translation.dictionary import count_entries

EXAMPLES = {
    "article_agrees": ("these houses fall .", "ces maisons tombent ."),
    "adjective_behind_noun": ("a red house .", "une maison rouge ."),
    "verb_agrees": ("we sing .", "nous chantons ."),
    "drop_do": ("do you sing ?", "chantez -vous ?"),
    "ne_pas": ("the cat is not black .", "le chat n' est pas noir ."),
    "elision": ("the tree falls .", "l' arbre tombe ."),
    "adjective_agrees": ("the houses are red .", "les maisons sont rouges ."),
    "class_by_neighbour": ("they watch the house .", "ils regardent la maison ."),
    "drop_progressive": ("the boy was singing .", "le garçon chantait ."),
    "compound_past": ("the boy has not sung .", "le garçon n' a pas chanté ."),
    "etre_in_the_past": ("the queens arrived .", "les reines sont arrivées ."),
    "future": ("she will not sing .", "elle ne chantera pas ."),
    "contraction": ("he comes back from the gardens .", "il revient des jardins ."),
    "object_pronoun_before_verb": ("I helped him .", "je l' ai aidé ."),
    "genitive": ("the boy 's black dog sleeps .", "le chien noir du garçon dort ."),
    "before_a_vowel": ("an old tree .", "un vieil arbre ."),
    "verbs_of_two_words": ("she is looking for the key .", "elle cherche la clé ."),
    "verb_takes_preposition": ("she needs the key .", "elle a besoin de la clé ."),
    "reflexive": ("the queen got up .", "la reine s' est levée ."),
    "bare_nouns": ("he bought milk .", "il a acheté du lait ."),
    "de_after_negation": ("he did not buy an apple .", "il n' a pas acheté de pomme ."),
    "never_and_no_longer": ("he no longer sings .", "il ne chante plus ."),
    "there_is": ("there is no cat near the house .", "il n' y a pas de chat près de la maison ."),
    "comparison": ("Paul is older than Marie .", "Paul est plus vieux que Marie ."),
    "infinitive_after_modal": ("they want to sing .", "ils veulent chanter ."),
    "who_and_that": ("he knows the boy who I saw .", "il connaît le garçon que j' ai vu ."),
    "est_ce_que": ("is the old boy singing ?", "est -ce que le vieux garçon chante ?"),
    "inversion": ("will she sing ?", "chantera -t-elle ?"),
    "recipient": ("he gave her a book .", "il lui a donné un livre ."),
    "avoir_for_be": ("the boy was hungry .", "le garçon avait faim ."),
    "time_phrases": ("he sang last week .", "il a chanté la semaine dernière ."),
    "own_body": ("she washed her hands .", "elle s' est lavé les mains ."),
}


def translate(system, text):
    return " ".join(system.translate([text.split()])[0])


def test_every_rule_has_an_example():
    assert [rule.name for rule in RULES] == list(EXAMPLES)
    assert all(rule.stage in range(1, 6) and rule.apply.__doc__ for rule in RULES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_rule_is_what_makes_the_example_right(name):
    english, french = EXAMPLES[name]
    system = Direct(None)
    assert translate(system, english) == french
    system.rules = [rule for rule in system.rules if rule.name != name]
    assert translate(system, english) != french


@pytest.mark.parametrize("english, french", [
    ("Paul and Marie sing .", "Paul et Marie chantent ."),
    ("the dog near the houses sleeps .", "le chien près des maisons dort ."),
    ("why did they not come back ?", "pourquoi ne sont -ils pas revenus ?"),
    ("I cannot swim .", "je ne peux pas nager ."),
])
def test_rules_together(english, french):
    assert translate(Direct(None), english) == french


@pytest.mark.parametrize("english, right", [
    ("the sheep are in the pen .", "les moutons sont dans l' enclos ."),    # sense of a noun
    ("you miss Paul .", "Paul vous manque ."),    # roles
    ("he spilt the beans .", "il a vendu la mèche ."),    # idiom
    ("a garden chair .", "une chaise de jardin ."),    # compound
    ("he bought the key and lost it .", "il a acheté la clé et l' a perdue ."),    # participle
])
def test_what_was_hidden_from_the_rule_writer_stays_wrong(english, right):
    assert translate(Direct(None), english) != right


def test_more_rules_score_more_and_six_at_most_seventy():
    import sacrebleu
    rows = list(islice(write_pairs("train", seed=3), 120))
    references = [[" ".join(row["french"]) for row in rows]]

    def bleu(rules):
        translated = Direct(rules).translate([row["english"] for row in rows])
        return sacrebleu.corpus_bleu(list(map(" ".join, translated)), references, tokenize="none", force=True).score
    scores = [bleu(rules) for rules in (0, 6, 16, None)]
    assert scores == sorted(scores) and scores[0] < 12 and scores[1] <= 70 and scores[3] > scores[1] + 20


def test_protocol_costs_and_bad_input():
    system = Direct()
    assert isinstance(system, System) and system.year == 1954 and len(system.rules) == 6
    assert system.costs() == Costs(rules=6 + count_entries())
    assert system.fit([]) is system and system.translate([]) == []
    for rules in (0, 6, None):
        assert Direct(rules).translate([[], ["."], ["zyzzyva"]]) == [[], ["."], ["zyzzyva"]]
    with pytest.raises(ValueError, match="there are"):
        Direct(len(RULES) + 1)
    with pytest.raises(ValueError, match="there are"):
        Direct(-1)
    with pytest.raises(ValueError, match="sentence 0 is text"):
        system.translate(["the cat"])


def test_any_order_of_words_is_translated_without_an_error():
    import random
    rng = random.Random(0)
    words = sorted({word for row in islice(write_pairs("train", seed=1), 100) for word in row["english"]}) + ["zyzzyva"]
    for system in (Direct(6), Direct(None)):
        garbled = [rng.choices(words, k=rng.randint(1, 12)) for _ in range(400)]
        assert all(isinstance(word, str) for sentence in system.translate(garbled) for word in sentence)
