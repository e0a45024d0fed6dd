"""The levels of the pyramid on sentences worked by hand; broken input; the corpus as a witness."""
import random
from itertools import islice

import pytest
from course_lib.data.translation import write_pairs
from course_lib.translation.system import System
from course_lib.translation.transfer import Transfer

SENTENCES = {    # English: (syntax, meaning)
    "she misses him .": ("elle lui manque .", "il lui manque ."),
    "I miss Paul .": ("je manque à Paul .", "Paul me manque ."),
    "she washed her hands .": ("elle a lavé ses mains .", "elle s' est lavé les mains ."),
    "the sheep is in the pen .": ("le mouton est dans le stylo .", "le mouton est dans l' enclos ."),
    "he spilt the beans .": ("il a versé le haricot .", "il a vendu la mèche ."),
    "he bought the key and he lost it .": ("il a acheté la clé et il l' a perdu .",
                                           "il a acheté la clé et il l' a perdue ."),
    "he knows that Marie is hungry .": ("il connaît que Marie est affamée .", "il sait que Marie a faim ."),
    "the old trees did not fall .": ("les vieux arbres ne sont pas tombés .",) * 2,
    "the red houses that she saw are beautiful .": ("les maisons rouges qu' elle a vues sont belles .",) * 2,
    "does the boy 's father give them a book ?": ("est -ce que le père du garçon leur donne un livre ?",) * 2,
    "they love garden chairs .": ("ils aiment des chaises de jardin .",) * 2,
    "there is no bread in the kitchen .": ("il n' y a pas de pain dans la cuisine .",) * 2,
}


@pytest.mark.parametrize("english", SENTENCES)
def test_both_levels_by_hand(english):
    for level, french in zip(("syntax", "meaning"), SENTENCES[english]):
        assert " ".join(Transfer(level).translate([english.split()])[0]) == french


def test_higher_levels_translate_more_of_the_corpus():
    rows = [*islice(write_pairs("train", seed=2), 150), *islice(write_pairs("long", seed=2), 25)]
    right = []
    for level in ("syntax", "meaning"):
        system = Transfer(level)
        translated = system.translate([row["english"] for row in rows])
        assert system.understood >= 0.98 * len(rows)
        right.append(sum(words == row["french"] for words, row in zip(translated, rows)) / len(rows))
    assert right[0] + 0.2 < right[1] and right[1] > 0.95


def test_an_unknown_word_breaks_the_tree_and_not_the_rest():
    system = Transfer("meaning")
    assert system.translate(["the old zyzzyva sees the red house .".split()]) == [
        "le vieux zyzzyva voir la maison rouge .".split()]
    assert system.understood == 0


def test_a_clause_inside_a_broken_sentence_is_read_as_one():
    assert Transfer().translate(["the old boy sees the red house zyzzyva".split()]) == [
        "le vieux garçon voit la maison rouge zyzzyva".split()]


def test_protocol_and_bad_input():
    system = Transfer()
    assert isinstance(system, System) and system.level == "syntax" and system.fit([]) is system
    assert system.translate([]) == [] and system.translate([[], ["."], ["the"]]) == [[], ["."], ["le"]]
    assert system.costs().rules > 400 and system.costs().pairs == 0
    with pytest.raises(ValueError, match="'syntax' or 'meaning'"):
        Transfer("pragmatics")
    with pytest.raises(ValueError, match="sentence 0 is text"):
        system.translate(["the cat"])


def test_any_order_of_words_is_translated_without_an_error():
    rng = random.Random(0)
    rows = list(islice(write_pairs("train", seed=1), 150))
    words = sorted({word for row in rows for word in row["english"]}) + ["zyzzyva"]
    garbled = [rng.choices(words, k=rng.randint(1, 10)) for _ in range(150)]
    for row in rows:    # one word exchanged, so that odd trees come up
        spoilt = list(row["english"])
        spoilt[rng.randrange(len(spoilt))] = rng.choice(words)
        garbled.append(spoilt)
    for level in ("syntax", "meaning"):
        assert all(isinstance(word, str) for french in Transfer(level).translate(garbled) for word in french)
