"""IBM Models 3, 4 and 5: how many words a source word becomes, and where they are put.

Model 3 is trained exactly, over every alignment of short sentences, so that what larger systems
approximate can be seen: the posterior beside hill climbing, and *deficiency*, the probability that the
model wastes on arrangements with two words in one place. Models 4 and 5 are evaluated with the published
parameterisation. Brown et al. 1993, sections 4.4 to 4.6. Built in chapter 1.

An alignment gives for each target word the source place, counted from 1, or 0 for NULL. Probabilities
are float64.
"""
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from course_lib.translation.ibm import NULL, Corpus, IBMModel1, Pair

Alignment = tuple[int, ...]


@cache
def all_alignments(source_length: int, target_length: int) -> np.ndarray:
    """Every alignment, int [(1 + source) ** target, target]."""
    return np.array(list(itertools.product(range(source_length + 1), repeat=target_length)))


@cache
def fertilities(source_length: int, target_length: int) -> np.ndarray:
    """How many target words each place of each alignment has, int [alignments, 1 + source]."""
    alignments = all_alignments(source_length, target_length)
    return (alignments[:, :, None] == np.arange(source_length + 1)).sum(1)


@cache
def null_ways(target_length: int) -> np.ndarray:
    """C(m - k, k) for k words from NULL: each of the other m - k words brings one or none. [1 + target]."""
    return np.array([math.comb(target_length - k, k) for k in range(target_length + 1)], dtype=float)


class IBMModel3:
    """Translation, fertility and place probabilities by exact EM over all alignments.

    After `fit(pairs)`: `log_likelihoods`, `fertility` [source words, 1 + longest target],
    `translation` [source words, target words], `places` {(source length, target length): [source, target]}
    (the published d(j | i, l, m): where source word i puts its words) and `null` (p1).
    Starts from the word translations of a Model 1, fertilities and places uniform.
    Raises ValueError where a pair has more than `most` alignments: the sum has (1 + source) ** target terms.
    """

    def __init__(self, iterations: int = 5, model1_iterations: int = 5, null: float = 0.1, most: int = 20_000):
        if not 0 < null < 0.5:
            raise ValueError(f"null={null}: use a probability between 0 and 0.5")
        self.iterations, self.model1_iterations, self.null, self.most = iterations, model1_iterations, null, most

    def fit(self, pairs: Iterable[Pair]) -> "IBMModel3":
        pairs = list(pairs)
        self.corpus = Corpus(pairs)
        for number, (source, target) in enumerate(self.corpus.lengths):
            if (source + 1) ** target > self.most:
                raise ValueError(f"pair {number} has {(int(source) + 1) ** int(target)} alignments and most={self.most}: "
                                 "keep shorter sentences, or raise most")
        model1 = IBMModel1(self.model1_iterations).fit(pairs)
        sources, targets = len(self.corpus.sources), len(self.corpus.targets)
        self.translation = np.zeros((sources, targets))
        self.translation[model1.translation.condition, model1.translation.keys % targets] = model1.translation.probability
        longest = int(self.corpus.lengths[:, 1].max())
        self.fertility = np.full((sources, longest + 1), 1 / (longest + 1))
        self.places = {(int(l), int(m)): np.full((l, m), 1 / m) for l, m in np.unique(self.corpus.lengths, axis=0)}
        self.log_likelihoods = []
        for _ in range(self.iterations):
            self.log_likelihoods.append(self._em_step())
        self.log_likelihoods.append(self._em_step(update=False))
        return self

    def scores(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """p(target, alignment | source) of every alignment, float64 [alignments]; numbers of words.

        0 where the fertilities ask for more NULL words than the other words can bring.
        """
        alignments, counts = all_alignments(len(source), len(target)), fertilities(len(source), len(target))
        m, k = len(target), counts[:, 0]
        with np.errstate(divide="ignore"):
            scores = np.log(null_ways(m)[k]) + k * math.log(self.null) + (m - 2 * k) * math.log(1 - self.null)
            # k! orders of a word's k target words lead to the same sentence and alignment
            words = np.log(self.fertility[source]) + _log_factorials(self.fertility.shape[1])    # [source, 1 + longest]
            scores += words[np.arange(len(source)), counts[:, 1:]].sum(1)
            table = np.log(self.translation[np.r_[0, source]][:, target])    # [1 + source, target]
            table[1:] += np.log(self.places[len(source), m])
        return np.exp(scores + table[alignments, np.arange(m)].sum(1))

    def _em_step(self, update=True):
        translation, fertility = np.zeros_like(self.translation), np.zeros_like(self.fertility)
        places = {shape: np.zeros_like(table) for shape, table in self.places.items()}
        total, from_null, others = 0.0, 0.0, 0.0
        for source, target in self.corpus.numbered:
            alignments, counts = all_alignments(len(source), len(target)), fertilities(len(source), len(target))
            scores = self.scores(source, target)
            total += math.log(scores.sum())
            posterior = scores / scores.sum()
            # expected links [1 + source, target]
            links = np.array([np.bincount(column, posterior, len(source) + 1) for column in alignments.T]).T
            np.add.at(translation, (np.r_[0, source][:, None], target[None]), links)
            places[len(source), len(target)] += links[1:]
            for place, word in enumerate(source, 1):
                fertility[word] += np.bincount(counts[:, place], posterior, fertility.shape[1])
            from_null += links[0].sum()
            others += len(target) - 2 * links[0].sum()
        if update:
            self.translation, self.fertility = _rows(translation), _rows(fertility)
            self.places = {shape: _rows(table) for shape, table in places.items()}
            self.null = from_null / (from_null + others)
        return total

    def numbers(self, source: Sequence[str], target: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """The words of a pair as numbers. Raises ValueError for words or lengths that were not in training."""
        pair = Corpus([(source, target)], self.corpus.sources, self.corpus.targets).numbered[0]
        if (len(source), len(target)) not in self.places:
            raise ValueError(f"no pair of {len(source)} and {len(target)} words was in training")
        return pair

    def posterior(self, source: Sequence[str], target: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Every alignment, int [alignments, target], and its posterior probability, float64 [alignments]."""
        scores = self.scores(*self.numbers(source, target))
        return all_alignments(len(source), len(target)), scores / scores.sum()

    def deficiency(self, source: Sequence[str], target_length: int) -> float:
        """Of the probability of `target_length` target words, the share lost on words put into one place.

        The words themselves sum to 1 and drop out. 0 for a model that wastes nothing.
        Raises ValueError as `numbers` does.
        """
        some_target = [next(iter(self.corpus.targets))] * target_length
        source, target = self.numbers(source, some_target)
        translation, self.translation = self.translation, np.ones_like(self.translation)
        arranged = self.scores(source, target).sum()
        self.translation = translation
        lengths = np.zeros(target_length + 1)    # of all words but NULL's, by how many there are
        lengths[0] = 1
        for word in source:
            lengths = np.convolve(lengths, self.fertility[word])[:target_length + 1]
        k = np.arange(target_length + 1)
        with_null = null_ways(target_length) * self.null ** k * (1 - self.null) ** (target_length - 2.0 * k)
        return float(1 - arranged / (lengths[::-1] * with_null).sum())


def hill_climb(score: Callable[[Alignment], float], start: Alignment, source_length: int) -> list[Alignment]:
    """From `start` to better alignments, one step at a time, until no neighbour is better; the whole way.

    Neighbours differ by one link moved or by two links exchanged. Brown et al. 1993, section 4.4.
    """
    way, here = [tuple(start)], score(tuple(start))
    while True:
        best = max(neighbours(way[-1], source_length), key=score)
        if score(best) <= here:
            return way
        way.append(best)
        here = score(best)


def neighbours(alignment: Alignment, source_length: int) -> Iterator[Alignment]:
    """The alignments one move or one exchange away, and the alignment itself."""
    yield alignment
    for j, now in enumerate(alignment):
        for place in range(source_length + 1):
            if place != now:
                yield (*alignment[:j], place, *alignment[j + 1:])
        for other in range(j + 1, len(alignment)):
            if alignment[other] != now:
                yield (*alignment[:j], alignment[other], *alignment[j + 1:other], now, *alignment[other + 1:])


@dataclass(frozen=True)
class Parameters:
    """What Models 4 and 5 are made of, as functions that give probabilities.

    translation(target word, source word or NULL); fertility(number, source word); null: p1.
    head, other: where the first and each further word of a source word go.
    Model 4: head(distance, class of the previous source word or None, class of this target word) with the
    distance from the centre of the previous source word's places, and other(distance, class of the target word).
    Model 5: head(vacancy, class of the target word, vacancy at the centre, vacancies that are left) and
    other(vacancies passed, class of the target word, vacancies that are left).
    source_class, target_class: of a word; all words are of one class by default.
    """
    translation: Callable[[str, str | None], float]
    fertility: Callable[[int, str], float]
    null: float
    head: Callable[..., float]
    other: Callable[..., float]
    source_class: Callable[[str], object] = lambda word: 0
    target_class: Callable[[str], object] = lambda word: 0


def model4(source: Sequence[str], target: Sequence[str], alignment: Alignment, parameters: Parameters) -> float:
    """p(target, alignment | source) of Model 4: the first word by its distance from the last word's centre.

    Words of one source word stand in order, so no factorial as in Model 3. Deficient like Model 3.
    Raises ValueError for an alignment that does not fit the sentences.
    """
    result = _words(source, target, alignment, parameters)
    centre, before = 0, None
    for place, word in enumerate(source, 1):
        positions = [j for j, link in enumerate(alignment, 1) if link == place]
        for k, j in enumerate(positions):
            of_target = parameters.target_class(target[j - 1])
            result *= (parameters.other(j - positions[k - 1], of_target) if k else
                       parameters.head(j - centre, before, of_target))
        if positions:
            centre, before = math.ceil(sum(positions) / len(positions)), parameters.source_class(word)
    return result


def model5(source: Sequence[str], target: Sequence[str], alignment: Alignment, parameters: Parameters) -> float:
    """p(target, alignment | source) of Model 5: places are counted among those still free, so nothing is lost.

    Raises ValueError for an alignment that does not fit the sentences.
    """
    result = _words(source, target, alignment, parameters)
    free = [False] + [True] * len(target)    # by position, from 1

    def vacancies(position):
        return sum(free[:position + 1])

    centre = 0
    for place in range(1, len(source) + 1):
        positions = [j for j, link in enumerate(alignment, 1) if link == place]
        for k, j in enumerate(positions):
            of_target, still_to_come = parameters.target_class(target[j - 1]), len(positions) - k - 1
            if k == 0:
                result *= parameters.head(vacancies(j), of_target, vacancies(centre), vacancies(len(target)) - still_to_come)
            else:
                passed = vacancies(positions[k - 1])
                result *= parameters.other(vacancies(j) - passed, of_target,
                                           vacancies(len(target)) - passed - still_to_come)
            free[j] = False
        if positions:
            centre = math.ceil(sum(positions) / len(positions))
    return result


def _words(source, target, alignment, parameters):
    """What Models 4 and 5 share: the number of NULL words, fertilities and translations."""
    if len(alignment) != len(target) or not all(0 <= link <= len(source) for link in alignment):
        raise ValueError(f"the alignment {alignment} does not fit {len(source)} source and {len(target)} target words")
    m, k = len(target), alignment.count(0)
    result = null_ways(m)[k] * parameters.null ** k * (1 - parameters.null) ** (m - 2 * k)
    for place, word in enumerate(source, 1):
        result *= parameters.fertility(alignment.count(place), word)
    for word, link in zip(target, alignment):
        result *= parameters.translation(word, source[link - 1] if link else NULL)
    return float(result)


@cache
def _log_factorials(number):
    return np.array([math.lgamma(k + 1) for k in range(number)])


def _rows(counts):
    """Counts as probabilities; a row without counts stays 0."""
    totals = counts.sum(-1, keepdims=True)
    return np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
