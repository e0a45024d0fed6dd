"""Translation by examples: Nagao's idea of 1984, and the translation memory that translators came to use.

An unknown sentence is compared with those whose translation is known. A memory shows the closest one to a
person; Nagao's machine goes on and exchanges what differs (Nagao 1984, "A framework of a mechanical
translation between Japanese and English by analogy principle"). All it knows comes from the pairs: which
words occur together in them, and which words stand in like places. Built in chapter 1.
"""
import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from course_lib.translation.system import Costs, Pair, Sentence, check_pairs, check_sentences


Path = list[tuple[int | None, int | None]]


def edit_path(a: Sequence, b: Sequence, cost: Callable = lambda x, y: x != y) -> tuple[float, Path]:
    """Levenshtein distance, and which items of `a` and `b` it sets against each other; None: inserted, deleted.

    cost: of putting y for x, from 0 to 1; deleting and inserting cost 1. Of equals, substitution wins.
    """
    table = [[float(j) for j in range(len(b) + 1)]]
    for i, x in enumerate(a, 1):
        row = [float(i)]
        for j, y in enumerate(b, 1):
            row.append(min(table[-1][j - 1] + cost(x, y), table[-1][j] + 1, row[-1] + 1))
        table.append(row)
    i, j, path = len(a), len(b), []
    while i or j:
        if i and j and table[i][j] == table[i - 1][j - 1] + cost(a[i - 1], b[j - 1]):
            i, j = i - 1, j - 1
            path.append((i, j))
        elif i and table[i][j] == table[i - 1][j] + 1:
            i -= 1
            path.append((i, None))
        else:
            j -= 1
            path.append((None, j))
    return table[-1][-1], path[::-1]


class _Memory:
    """Pairs, and which of them share rare words with a sentence."""

    def __init__(self, pairs):
        self.pairs = list({(tuple(source), tuple(target)): None for source, target in pairs})
        self.lengths = np.array([len(source) for source, _ in self.pairs])
        places = defaultdict(list)
        for number, (source, _) in enumerate(self.pairs):
            for word in set(source):
                places[word].append(number)
        self.places = {word: np.array(numbers) for word, numbers in places.items()}    # word -> the pairs it is in

    def near(self, sentence, count=30):
        """Numbers of the pairs that share most, rare words counting more and length differences against."""
        score = -0.5 * np.abs(self.lengths - len(sentence))
        shared = np.zeros(len(self.pairs), dtype=bool)
        for word in sorted(set(sentence) & self.places.keys()):
            score[self.places[word]] += math.log(1 + len(self.pairs) / (1 + len(self.places[word])))
            shared[self.places[word]] = True
        order = np.argsort(-score, kind="stable")
        return [int(number) for number in order[shared[order]][:count]]


class TranslationMemory:
    """Gives the translation of the closest known sentence, if it is close enough; else hands over to a person.

    Similarity is 1 - edit distance / the longer length, in words; a sentence below `threshold` gets an empty
    translation. After `translate`: `similarities`, floats [sentences], and `handed_over`, the share of
    sentences without a proposal (nan for none). threshold=1 is exact match. Arthern proposed it in 1978
    (Hutchins 1998, "The origins of the translator's workstation").
    """
    year = 1978

    def __init__(self, threshold: float = 0.7):
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold={threshold}: use a similarity from 0 to 1")
        self.threshold = threshold
        self.name = f"translation memory, {threshold:g}"
        self.similarities: list[float] = []

    def fit(self, pairs: Iterable[Pair]) -> "TranslationMemory":
        started = time.perf_counter()
        pairs = check_pairs(pairs)
        self.memory = _Memory(pairs)
        self._costs = Costs(pairs=len(pairs), seconds=time.perf_counter() - started)
        return self

    def closest(self, sentence: Sentence) -> tuple[float, Pair | None]:
        """(similarity, pair) of the closest example; (0, None) where none shares a word."""
        best, found = 0.0, None
        for number in self.memory.near(sentence):
            source = self.memory.pairs[number][0]
            similarity = 1 - edit_path(source, sentence)[0] / max(len(source), len(sentence))
            if similarity > best:
                best, found = similarity, self.memory.pairs[number]
        return best, found

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        sentences = check_sentences(sentences)
        found = [self.closest(sentence) for sentence in sentences]
        self.similarities = [similarity for similarity, _ in found]
        return [list(pair[1]) if pair and similarity >= self.threshold else [] for similarity, pair in found]

    @property
    def handed_over(self) -> float:
        below = [similarity == 0 or similarity < self.threshold for similarity in self.similarities]
        return sum(below) / len(below) if below else math.nan

    def costs(self) -> Costs:
        return self._costs


class ExampleBased:
    """Match, align, substitute.

    Match: the example with the least edit distance, where a word costs less if it is like the one it stands
    for (it has the same neighbours). Align: words of the example that occur together with a word in other
    examples (Dice's coefficient). Substitute: the aligned word of the target gives way to the word that goes
    best with the new one and with its neighbours. Words that no pair has are passed on. `distances` of the
    last `translate`: edits to the example per word of the sentence, floats [sentences].
    """
    name, year = "by examples", 1984

    def fit(self, pairs: Iterable[Pair]) -> "ExampleBased":
        started = time.perf_counter()
        pairs = check_pairs(pairs)
        self.memory = _Memory(pairs)
        self.sources = Counter(word for source, _ in self.memory.pairs for word in set(source))
        self.targets = Counter(word for _, target in self.memory.pairs for word in set(target))
        self.together = Counter((s, t) for source, target in self.memory.pairs
                                for s in sorted(set(source)) for t in sorted(set(target)))
        self.follows = Counter()    # pairs of neighbours in the target
        self.contexts = defaultdict(Counter)    # source word -> its neighbours, with the side
        for source, target in self.memory.pairs:
            self.follows.update(zip(["", *target], [*target, ""]))
            for before, word, after in zip(["", *source], source, [*source[1:], ""]):
                self.contexts[word].update([("before", before), ("after", after)])
        self.norms = {word: math.sqrt(sum(n * n for n in context.values())) for word, context in self.contexts.items()}
        self.partners = {}    # source word -> its five likeliest translations, with their strength, the best at 1
        for s, t in self.together:
            self.partners.setdefault(s, []).append((self.dice(s, t), t))
        for s, known in self.partners.items():
            best = sorted(known, key=lambda row: (-row[0], row[1]))[:5]
            self.partners[s] = {t: dice / best[0][0] for dice, t in best if dice > 0.3 * best[0][0]}
        self._costs = Costs(pairs=len(pairs), parameters=len(self.together) + len(self.follows),
                            seconds=time.perf_counter() - started)
        self._likeness = {}
        return self

    def dice(self, source_word: str, target_word: str) -> float:
        """How much two words keep to the same pairs, 0 to 1."""
        both = self.together[source_word, target_word]
        return 2 * both / (self.sources[source_word] + self.targets[target_word]) if both else 0.0

    def likeness(self, a: str, b: str) -> float:
        """Cosine of the neighbours of two source words, 0 to 1; 0 for an unknown one."""
        if a == b:
            return 1.0
        if (a, b) not in self._likeness:
            one, other = self.contexts.get(a), self.contexts.get(b)
            both = sum(n * other[key] for key, n in one.items()) if one and other else 0
            self._likeness[a, b] = both / (self.norms[a] * self.norms[b]) if both else 0.0
        return self._likeness[a, b]

    def match(self, sentence: Sentence) -> tuple[float, list, Pair] | None:
        """(cost, edit path, pair) of the best example; None where none shares a word."""
        def cost(x, y):
            return 0.0 if x == y else 0.3 + 0.7 * (1 - self.likeness(x, y))
        near = [self.memory.pairs[number] for number in self.memory.near(sentence)]
        return min(((*edit_path(pair[0], sentence, cost), pair) for pair in near), key=lambda row: row[0], default=None)

    def align(self, source: Sentence, target: Sentence) -> dict[int, int]:
        """Place of a source word to that of a target word: the strongest pairs first, each word once."""
        scores = sorted(((self.dice(s, t), -abs(i - j), i, j)
                         for i, s in enumerate(source) for j, t in enumerate(target)), reverse=True)
        links: dict[int, int] = {}
        for score, _, i, j in scores:
            if score > 0 and i not in links and j not in links.values():
                links[i] = j
        return links

    def word(self, source_word: str, before: str, after: str) -> str:
        """The translation of a word that goes best with its neighbours; an unknown word is its own.

        To have been seen beside both neighbours counts first, then strength and how often.
        """
        known = self.partners.get(source_word)
        if not known:
            return source_word

        def fit(t):
            seen = self.follows[before, t], self.follows[t, after]
            return sum(map(bool, seen)), known[t] + 0.5 * sum(map(math.log1p, seen))
        return max(known, key=fit)

    def substitute(self, sentence: Sentence, path: list, pair: Pair) -> list[str]:
        """The target of the example with the differences of the source carried over."""
        source, target = pair
        links = self.align(source, target)
        meant = {place: source[i] for i, place in links.items()}
        slots = [[(word, meant.get(place))] for place, word in enumerate(target)]    # (word, the source word behind it)
        place = -1
        for i, j in path:
            if i is not None:
                place = links.get(i, place)
            if j is None and i in links:
                slots[place] = slots[place][1:]
            elif i is None:
                slots[max(place, 0)].insert(len(slots[max(place, 0)]) if place >= 0 else 0, ("", sentence[j]))
            elif j is not None and source[i] != sentence[j] and i in links:
                slots[place][0] = ("", sentence[j])
        words, meant = zip(*(item for slot in slots for item in slot)) if any(slots) else ((), ())
        # The likeliest translation first; then what fits.
        words = [word or next(iter(self.partners.get(m, (m,)))) for word, m in zip(words, meant)]
        return self.fit_together(words, meant)

    def fit_together(self, words: list[str], meant: Sequence[str | None]) -> list[str]:
        """Each word that was never seen beside a neighbour gives way to another translation of its source word."""
        for k, source_word in enumerate(meant):
            before, after = words[k - 1] if k else "", words[k + 1] if k + 1 < len(words) else ""
            if source_word is not None and not (self.follows[before, words[k]] and self.follows[words[k], after]):
                words[k] = self.word(source_word, before, after)
        return words

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        self.distances, translations = [], []
        for sentence in check_sentences(sentences):
            found = self.match(sentence) if sentence else None
            if found is None:
                self.distances.append(1.0 if sentence else 0.0)
                translations.append([self.word(word, "", "") for word in sentence])
            else:
                self.distances.append(edit_path(found[2][0], sentence)[0] / len(sentence))
                translations.append(self.substitute(sentence, found[1], found[2]))
        return translations

    def costs(self) -> Costs:
        return self._costs
