"""Tables of what a word or a run of words can become, with the scores that a decoder weighs.

Phrases are read off word alignments: any two runs of words whose links all stay between them (Och, Tillmann
and Ney 1999; Koehn, Och and Marcu 2003, with their lexical weights). Built in chapter 1.
"""
import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from course_lib.translation.ibm import NULL, IBMModel1, Pair
from course_lib.translation.symmetrise import Links

Words = tuple[str, ...]


@dataclass(frozen=True)
class Option:
    """One way to translate a span: target words, and the table's features, log-probabilities in nats."""
    target: Words
    features: tuple[float, ...]


def consistent(source_length: int, target_length: int, links: Links, longest: int) -> Iterator[tuple[int, int, int, int]]:
    """Spans (source start, end, target start, end; ends excluded) that hold at least one link and cut none.

    Words without a link may stand at the edges of the target. longest: words of a span, on either side.
    """
    linked = {target for _, target in links}
    for start in range(source_length):
        for end in range(start + 1, min(start + longest, source_length) + 1):
            inside = [target for source, target in links if start <= source < end]
            if not inside:
                continue
            first, last = min(inside), max(inside) + 1
            if any(first <= target < last and not start <= source < end for source, target in links):
                continue
            low = first
            while True:
                high = last
                while high - low <= longest:
                    yield start, end, low, high
                    if high == target_length or high in linked:
                        break
                    high += 1
                low -= 1
                if low < 0 or low in linked:
                    break


class PhraseTable:
    """Phrase pairs of aligned sentences, with four features: log p(target phrase | source phrase), log p(source |
    target), and both lexical weights (how well the words inside explain each other; each word by the mean over
    its links, or by NULL).

    longest: words of a phrase. most: options kept for a source phrase, by the sum of the features.
    lexical: word translation from the same links, by relative frequency. `options(sentence)` for a decoder.
    Raises ValueError for no pairs, or not as many alignments as pairs.
    """
    features = ("target given source", "source given target", "words given source", "words given target")

    def __init__(self, longest: int = 5, most: int = 20):
        if longest < 1 or most < 1:
            raise ValueError(f"longest={longest}, most={most}: use at least 1")
        self.longest, self.most = longest, most

    def fit(self, pairs: Iterable[Pair], alignments: Iterable[Links]) -> "PhraseTable":
        pairs, alignments = list(pairs), list(alignments)
        if not pairs or len(pairs) != len(alignments):
            raise ValueError(f"{len(pairs)} pairs and {len(alignments)} alignments: give one alignment for each pair, at least one")
        forward, backward = lexical_tables(pairs, alignments)
        counts = Counter()
        weights: dict[tuple[Words, Words], tuple[float, float]] = {}
        for (source, target), links in zip(pairs, alignments):
            for a, b, c, d in consistent(len(source), len(target), links, self.longest):
                phrase = tuple(source[a:b]), tuple(target[c:d])
                counts[phrase] += 1
                inside = {(s - a, t - c) for s, t in links if a <= s < b and c <= t < d}
                weight = (lexical_weight(phrase[0], phrase[1], inside, forward),
                          lexical_weight(phrase[1], phrase[0], {(t, s) for s, t in inside}, backward))
                weights[phrase] = max(weights.get(phrase, weight), weight)    # of several alignments the best
        of_source, of_target = Counter(), Counter()
        for (source, target), count in counts.items():
            of_source[source] += count
            of_target[target] += count
        found = defaultdict(list)
        for (source, target), count in counts.items():
            given_source, given_target = weights[source, target]
            found[source].append(Option(target, (math.log(count / of_source[source]), math.log(count / of_target[target]),
                                                 given_source, given_target)))
        self.phrases = {source: heapq.nlargest(self.most, options, key=lambda option: sum(option.features))
                        for source, options in found.items()}
        return self

    def __len__(self):
        return sum(map(len, self.phrases.values()))

    def options(self, sentence: Sequence[str]) -> dict[tuple[int, int], list[Option]]:
        """What each span of the sentence can become. A word in no phrase of one word is passed on as it is."""
        found = {}
        for start in range(len(sentence)):
            for end in range(start + 1, min(start + self.longest, len(sentence)) + 1):
                options = self.phrases.get(tuple(sentence[start:end]))
                if options:
                    found[start, end] = options
            found.setdefault((start, start + 1), [Option((sentence[start],), (0.0,) * len(self.features))])
        return found


class WordTable:
    """Single words for a word-based decoder of the noisy channel: log p(source word | target word), the other way
    round than one translates (Brown et al. 1990). A source word may also vanish, explained by NULL.

    channel: an IBMModel1, 2 or HMM fitted on (target, source) pairs. most: options of a word.
    """
    features = ("source given target",)
    longest = 1

    def __init__(self, channel: IBMModel1, most: int = 20):
        self.channel, self.most = channel, most
        table, targets, sources = channel.translation, list(channel.corpus.sources), list(channel.corpus.targets)
        found = defaultdict(list)
        for key, condition, probability in zip(table.keys, table.condition, table.probability):
            if probability > 1e-9:
                target = targets[condition]
                found[sources[int(key) % len(sources)]].append(
                    Option(() if target is NULL else (target,), (math.log(probability),)))
        self.words = {word: heapq.nlargest(most, options, key=lambda option: option.features) for word, options in found.items()}

    def __len__(self):
        return sum(map(len, self.words.values()))

    def options(self, sentence: Sequence[str]) -> dict[tuple[int, int], list[Option]]:
        """As PhraseTable's."""
        return {(i, i + 1): self.words.get(word) or [Option((word,), (0.0,))] for i, word in enumerate(sentence)}


def lexical_tables(pairs: Sequence[Pair], alignments: Sequence[Links]) -> tuple[dict, dict]:
    """p(target word | source word) and p(source word | target word) by counting links: {(given, word): p}.

    A word without a link counts as one that NULL explains.
    """
    tables = []
    for turned in (False, True):
        counts, totals = Counter(), Counter()
        for pair, links in zip(pairs, alignments):
            source, target = pair[::-1] if turned else pair
            links = {(t, s) for s, t in links} if turned else links
            words = [(source[s], target[t]) for s, t in links]
            words += [(NULL, target[t]) for t in set(range(len(target))) - {t for _, t in links}]
            counts.update(words)
            totals.update(given for given, _ in words)
        tables.append({(given, word): count / totals[given] for (given, word), count in counts.items()})
    return tables[0], tables[1]


def lexical_weight(given: Words, words: Words, links: Links, table: dict) -> float:
    """Log-probability of `words` given `given`: of each word the mean over its links, or by NULL. Koehn et al. 2003."""
    total = 0.0
    for place, word in enumerate(words):
        sources = [given[s] for s, t in links if t == place] or [NULL]
        total += math.log(sum(table.get((source, word), 1e-9) for source in sources) / len(sources))
    return total
