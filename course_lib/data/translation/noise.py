"""Pairs spoilt on purpose, as found text is. Built in the chapter "A history of machine translation"."""
import random

KINDS = ("wrong", "shifted", "typo")


def add_noise(rows: list[dict], share: float, seed: int = 0) -> list[dict]:
    """The rows of which about `share` are spoilt; which, and how, does not depend on how many there are.

    "wrong": the French of an earlier pair; "shifted": the French of the pair before, as where a line is
    missing in one file; "typo": two letters of one word, on one side, change places. The column noise
    tells what was done. Spoilt partners have no links.
    """
    spoilt = []
    for number, row in enumerate(rows):
        rng = random.Random(f"noise {seed} {number}")
        kind = rng.choice(KINDS)
        if rng.random() >= share or number == 0 and kind != "typo":
            spoilt.append(row)
        elif kind == "typo":
            side = rng.choice(("english", "french"))
            spoilt.append(row | {side: _typo(rng, row[side]), "noise": kind})
        else:
            other = rows[number - 1 if kind == "shifted" else rng.randrange(number)]
            spoilt.append(row | {"french": other["french"], "sure": [], "possible": [], "noise": kind})
    return spoilt


def _typo(rng, words):
    places = [(i, j) for i, word in enumerate(words) for j in range(len(word) - 1)
              if word[j] != word[j + 1] and word[j:j + 2].isalpha()]
    if not places:
        return words
    i, j = rng.choice(places)
    word = words[i]
    return [*words[:i], word[:j] + word[j + 1] + word[j] + word[j + 2:], *words[i + 1:]]
