"""Expected counts against enumeration, likelihoods, a cipher that is broken, words that mostly are not."""
import math
from itertools import islice, product

import numpy as np
import pytest
from course_lib.data.translation import write_pairs
from course_lib.translation.decipher import CipherBreaker, Decipherment, accuracy, encipher, letter_model
from course_lib.translation.system import System


def text(split, count):
    return " ".join(w for row in islice(write_pairs(split), count) for w in row["english"] if w.isalpha()).lower()


@pytest.mark.parametrize("order", [2, 3])
def test_letter_model(order):
    alphabet, model = letter_model("a bab ab", order)
    assert alphabet == " ab" and model.sum(-1) == pytest.approx(np.ones((3, 3)))
    if order == 2:
        uniform, unigram, after_a = 1 / 3, 3 / 8, 2 / 3    # b is 3 of 8 letters; after a come b, b and a space
        wanted = 0.9 * after_a + 0.1 * (0.9 * unigram + 0.1 * uniform)
        assert model[0, 1, 2] == pytest.approx(wanted) and (model == model[:1]).all()
    else:
        assert not (model == model[:1]).all()
    with pytest.raises(ValueError, match="use 2 or 3"):
        letter_model("abc", 4)
    with pytest.raises(ValueError, match="no text"):
        letter_model("  ")


def test_expected_counts_are_those_of_all_hidden_texts():
    alphabet, model = letter_model("abba cab a bac b cabba")
    size = len(alphabet)
    breaker = CipherBreaker(alphabet, model)
    channel = np.random.default_rng(0).dirichlet(np.ones(size), (2, size))
    observed = np.array([alphabet.index(letter) for letter in "ca ba"])
    counts, likelihood = breaker.expected_counts(observed, channel)
    for restart in range(2):
        wanted, total = np.zeros((size, size)), 0.0
        for hidden in product(range(size), repeat=len(observed)):
            before, p = (0, 0), 1.0    # the space is letter 0
            for plain, seen in zip(hidden, observed):
                p *= model[before[0], before[1], plain] * channel[restart, plain, seen]
                before = before[1], plain
            total += p
            np.add.at(wanted, (list(hidden), observed), p)
        assert likelihood[restart] == pytest.approx(math.log(total), rel=1e-12)
        assert counts[restart] == pytest.approx(wanted / total, rel=1e-10)


def test_a_cipher_is_a_permutation_and_spaces_stay():
    cipher, key = encipher("a cab", " abc", seed=1)
    assert sorted(key.values()) == sorted(key) and key[" "] == " " and cipher[1] == " "
    assert "".join({v: k for k, v in key.items()}[letter] for letter in cipher) == "a cab"
    with pytest.raises(ValueError, match=r"\['d'\]"):
        encipher("dab", " abc")


def test_a_cipher_of_a_few_hundred_letters_is_broken():
    alphabet, model = letter_model(text("train", 500))
    plain = text("validation", 12)[:300]
    cipher, key = encipher(plain, alphabet, seed=3)
    breaker = CipherBreaker(alphabet, model, iterations=30, restarts=6).fit(cipher)
    right = [a == b for a, b in zip(breaker.decipher(cipher), plain) if b != " "]
    assert sum(right) / len(right) > 0.9
    assert sum(a == b for a, b in zip(cipher, plain) if b != " ") / len(right) < 0.2
    assert np.diff(breaker.log_likelihoods).min() > -1e-8 and len(breaker.log_likelihoods) == 31
    assert sorted(breaker.key) == sorted(breaker.key.values()) == sorted(alphabet)
    assert breaker.channel.sum(1) == pytest.approx(np.ones(len(alphabet)))


def test_bad_ciphers():
    alphabet, model = letter_model("abc")
    with pytest.raises(ValueError, match="not in the alphabet"):
        CipherBreaker(alphabet, model).fit("abd")
    with pytest.raises(ValueError, match="no cipher"):
        CipherBreaker(alphabet, model).fit("  ")
    with pytest.raises(ValueError, match="at least 1"):
        CipherBreaker(alphabet, model, restarts=0)


def test_word_posteriors_are_those_of_all_hidden_sentences():
    sources = [["x", "y"], ["y", "x", "x"], ["z"]]
    targets = [["a", "b"], ["b", "a", "c"], ["c", "b"]]
    system = Decipherment(iterations=2, skip=0.3).fit_texts(sources, targets)
    system.channel = np.random.default_rng(0).dirichlet(np.ones(3), 3)
    coded = np.array([[0, 1, 2], [2, 2, 0]])
    posteriors, likelihood = system._posteriors(coded)
    total = 0.0
    for row, got in zip(coded, posteriors):
        wanted = np.zeros((3, 3))
        for hidden in product(range(3), repeat=3):
            p = system.start[hidden[0]] * system.end[hidden[-1]]
            p *= math.prod(system.next[a, b] for a, b in zip(hidden, hidden[1:]))
            p *= math.prod(system.channel[h, o] for h, o in zip(hidden, row))
            wanted[range(3), list(hidden)] += p
        assert got == pytest.approx(wanted / wanted[0].sum(), rel=1e-10)
        total += math.log(wanted[0].sum())
    assert likelihood == pytest.approx(total, rel=1e-12)


def test_likelihood_of_words_never_falls():
    pairs = [(row["english"], row["french"]) for row in islice(write_pairs("train"), 120)]
    system = Decipherment(iterations=8).fit(pairs)
    assert np.diff(system.log_likelihoods).min() > -1e-8 and len(system.log_likelihoods) == 9
    assert system.channel.sum(1) == pytest.approx(np.ones(len(system.targets)))


def test_one_for_one_is_deciphered_and_a_real_language_hardly():
    """French with each word renamed gives way; English is not French renamed."""
    rows = list(islice(write_pairs("train"), 160))
    french = [row["french"] for row in rows]
    names = {word: f"w{n}" for n, word in enumerate(dict.fromkeys(word for words in french for word in words))}
    system = Decipherment(iterations=8, skip=0).fit_texts([[names[w] for w in words] for words in french], french)
    renamed = system.translate([[names[w] for w in words] for words in french[:40]])
    of_cipher = np.mean([a == b for x, words in zip(renamed, french) for a, b in zip(x, words)])
    english = Decipherment(iterations=8, skip=0).fit([(row["english"], row["french"]) for row in rows])
    of_english = accuracy(english.translate([row["english"] for row in rows[:40]]), rows[:40])
    assert of_cipher > 0.4 and of_cipher > of_english + 0.2


def test_no_sentence_meets_its_translation():
    pairs = [([f"e{n}"], [f"f{n}"]) for n in range(5)]
    system = Decipherment(iterations=1).fit(pairs)
    assert list(system.sources) == ["e0", "e1"] and list(system.targets) == ["f2", "f3", "f4"]
    assert system.costs().monolingual == 5 and system.costs().pairs == 0


def test_accuracy_by_hand():
    row = {"english": ["the", "cat"], "french": ["le", "chat"], "possible": [[0, 0], [1, 1]], "sure": []}
    assert accuracy([["le", "chien"]], [row]) == 0.5 and accuracy([["chat", "le"]], [row]) == 0
    assert math.isnan(accuracy([], []))
    with pytest.raises(ValueError, match="word for word"):
        accuracy([["le"]], [row])


def test_protocol_and_bad_input():
    system = Decipherment(iterations=1).fit([(["a", "b"], ["x"]), (["c"], ["y", "z"])])
    assert isinstance(system, System) and system.year == 1949
    assert system.translate([[], ["a"], ["zyzzyva", "b"]])[0] == [] and system.translate([["zyzzyva"]]) == [["zyzzyva"]]
    assert len(system.translate([["zyzzyva", "b"]])[0]) == 2 and system.translate([["zyzzyva", "b"]])[0][0] == "zyzzyva"
    for pairs, message in [([], "no sentence pairs"), ([(["a"], ["b"])], "at least 2"),
                           ([("a", ["b"])] * 2, "pair 0 is text")]:
        with pytest.raises(ValueError, match=message):
            Decipherment().fit(pairs)
    with pytest.raises(ValueError, match="both languages"):
        Decipherment().fit_texts([["a"]], [[]])
    with pytest.raises(ValueError, match="below 1"):
        Decipherment(skip=1)
    with pytest.raises(ValueError, match="sentence 0 is text"):
        system.translate(["a b"])
