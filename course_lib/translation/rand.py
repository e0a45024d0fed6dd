"""Cycles of translating and revising, as RAND ran them from about 1957: people are the learning algorithm.

Translate a batch, let a person correct it, revise the glossary by the corrections, take the next batch. Here
the reference plays the person who corrects, and counting plays the one who revises. The method needs no
parallel corpus to begin with; it makes one (Hays 1960, "Linguistic research at the RAND Corporation").
Built in chapter 1.
"""
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from course_lib.translation.dictionary import entries
from course_lib.translation.examples import edit_path
from course_lib.translation.system import Costs, Pair, Sentence, check_pairs, check_sentences


@dataclass(frozen=True)
class Cycle:
    """sentences: corrected so far; entries: of the glossary after the cycle; effort: edits per word of the
    corrected translations of this cycle, before the glossary was revised."""
    sentences: int
    entries: int
    effort: float


class RandCycle:
    """A glossary of words and short phrases, revised after every `batch` sentences that a person corrected.

    Translates from left to right by the longest entry that fits, up to `longest` words; a word without one
    is passed on. A correction is a changed stretch of the translation; it becomes a candidate entry of the
    source words that the stretch came from. An entry of a phrase is made once a correction was made `needed`
    times; of several candidates the one most often seen is printed. start: the first glossary, English word
    to French words (None: the dictionary of 1933). After `fit`: `history`, a `Cycle` for each batch.
    """
    name, year = "translate and revise", 1957

    def __init__(self, batch: int = 100, longest: int = 3, needed: int = 2,
                 start: dict[str, Sequence[str]] | None = None):
        if min(batch, longest, needed) < 1:
            raise ValueError(f"batch={batch}, longest={longest}, needed={needed}: use at least 1 of each")
        self.batch, self.longest, self.needed = batch, longest, needed
        if start is None:
            start = {form: found[0].french.split() for form, found in entries().items()}
        self.start = {(word,): tuple(french) for word, french in start.items()}
        self._begin()

    def _begin(self):
        self.glossary = dict(self.start)
        self.candidates: dict[tuple, Counter] = defaultdict(Counter)    # source words -> what they should have been
        self.history: list[Cycle] = []
        self.corrected, self.seconds = 0, 0.0

    def fit(self, pairs: Iterable[Pair]) -> "RandCycle":
        """Run cycles over the pairs, in order, from the first glossary."""
        pairs = check_pairs(pairs)
        self._begin()
        for first in range(0, len(pairs), self.batch):
            self.cycle(pairs[first:first + self.batch])
        return self

    def cycle(self, pairs: Iterable[Pair]) -> Cycle:
        """One cycle: translate the sources, compare with the corrections, revise the glossary."""
        started = time.perf_counter()
        pairs = check_pairs(pairs)
        edits = words = 0
        for source, corrected in pairs:
            pieces = self._pieces(source)
            edits += self._compare(pieces, list(corrected))
            words += len(corrected)
        self._revise()
        self.corrected += len(pairs)
        self.seconds += time.perf_counter() - started
        self.history.append(Cycle(self.corrected, len(self.glossary), edits / words))
        return self.history[-1]

    def _pieces(self, sentence):
        """(source words, their French) from left to right."""
        pieces, i = [], 0
        while i < len(sentence):
            for length in range(min(self.longest, len(sentence) - i), 0, -1):
                words = tuple(sentence[i:i + length])
                if words in self.glossary or length == 1:
                    pieces.append((words, self.glossary.get(words, words)))
                    i += length
                    break
        return pieces

    def _compare(self, pieces, corrected):
        """Notes what each stretch of up to `longest` source words became. Returns the number of edits."""
        drafted = [(word, number) for number, (_, french) in enumerate(pieces) for word in french]
        edits, path = edit_path([word for word, _ in drafted], corrected)
        became: list[list[tuple[int, bool]]] = [[] for _ in pieces]    # piece -> (place in the corrected text, kept?)
        owner = 0
        for i, j in path:
            if i is not None:
                owner = drafted[i][1]
            if j is not None and pieces:
                became[owner].append((j, i is not None and drafted[i][0] == corrected[j]))
        for first in range(len(pieces)):
            for last in range(first, len(pieces)):
                source = tuple(word for words, _ in pieces[first:last + 1] for word in words)
                if len(source) > self.longest:
                    break
                stretch = [item for piece in became[first:last + 1] for item in piece]
                # A stretch that begins and ends with kept or exchanged words is one that a person would mark.
                if last == first or any(not kept for _, kept in stretch) or not stretch:
                    self.candidates[source][tuple(corrected[j] for j, _ in stretch)] += 1
        return edits

    def _revise(self):
        for source, found in self.candidates.items():
            french, count = max(found.items(), key=lambda item: (item[1], item[0]))
            if count >= self.needed or source not in self.glossary and len(source) == 1:
                self.glossary[source] = french

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        return [[word for _, french in self._pieces(sentence) for word in french]
                for sentence in check_sentences(sentences)]

    def costs(self) -> Costs:
        """The first glossary as rules, corrected sentences as pairs, entries revised or added as parameters."""
        revised = sum(self.start.get(source) != french for source, french in self.glossary.items())
        return Costs(rules=len(self.start), pairs=self.corrected, parameters=revised, seconds=self.seconds)
