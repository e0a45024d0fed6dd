"""What every translation system of chapter 1 offers, and what it costs. One protocol, one leaderboard."""
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

Sentence = Sequence[str]
Pair = tuple[Sentence, Sentence]


@dataclass(frozen=True)
class Costs:
    """What a system needed: rules or entries that people wrote, sentence pairs that it learned from, numbers
    that it learned, seconds of fitting, and monolingual sentences where it used any beside the pairs."""
    rules: int = 0
    pairs: int = 0
    parameters: int = 0
    seconds: float = 0.0
    monolingual: int = 0


@runtime_checkable
class System(Protocol):
    """A translator. `name` and `year` are shown on the leaderboard.

    fit: learns from pairs of token lists (a system of rules learns nothing and returns itself).
    translate: token lists in, token lists out, one each, never None; an empty sentence gives an empty one,
    an unknown word is passed on or left out as the system's docstring says. `costs` after `fit`.
    """
    name: str
    year: int

    def fit(self, pairs: Iterable[Pair]) -> "System": ...
    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]: ...
    def costs(self) -> Costs: ...


def check_pairs(pairs: Iterable[Pair]) -> list[Pair]:
    """The pairs as a list. Raises ValueError for none, and, naming the pair, for text that is not tokenised and
    for an empty side."""
    pairs = list(pairs)
    if not pairs:
        raise ValueError("no sentence pairs to learn from")
    for number, (source, target) in enumerate(pairs):
        if isinstance(source, str) or isinstance(target, str):
            raise ValueError(f"pair {number} is text, not tokens: split it into words first")
        if not len(source) or not len(target):
            raise ValueError(f"pair {number} has an empty side: leave it out")
    return pairs


def check_sentences(sentences: Iterable[Sentence]) -> list[list[str]]:
    """The sentences as lists of tokens. Raises ValueError, naming the sentence, for text that is not tokenised."""
    sentences = list(sentences)
    for number, sentence in enumerate(sentences):
        if isinstance(sentence, str):
            raise ValueError(f"sentence {number} is text, not tokens: split it into words first")
    return [list(sentence) for sentence in sentences]
