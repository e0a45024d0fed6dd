"""IBM Models 1 and 2 and the HMM: word translation and alignment learned from sentence pairs by EM.

A target word comes from one source word or from none (NULL). The models differ in what they know of the
place: nothing (1), the two positions (2), the jump from the last word's place (HMM). Brown et al. 1993,
"The mathematics of statistical machine translation"; Vogel et al. 1996 with the NULL states of Och and
Ney 2003. Built in chapter 1. Float64 throughout, and every iteration raises the likelihood.
"""
import math
from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

NULL = None    # the source word of target words that come from none
Pair = tuple[Sequence[str], Sequence[str]]


class Corpus:
    """Sentence pairs as arrays, one entry per candidate link: a target word and a source word or NULL.

    pairs: (source tokens, target tokens). Words get numbers in order of appearance, NULL is source word 0.
    The links of a pair stand together, those of one target word next to each other, NULL first.
    Raises ValueError for an empty corpus, an empty side (says which pair) and text that is not tokenised.
    """

    def __init__(self, pairs: Iterable[Pair], sources: dict | None = None, targets: dict | None = None):
        grow = sources is None
        self.sources = {NULL: 0} if grow else sources
        self.targets = {} if grow else targets
        self.numbered = []
        for number, (source, target) in enumerate(pairs):
            if isinstance(source, str) or isinstance(target, str):
                raise ValueError(f"pair {number} is text, not tokens: split it into words first")
            if not len(source) or not len(target):
                raise ValueError(f"pair {number} has an empty side: leave it out")
            self.numbered.append((self._number(source, self.sources, grow, number, "source"),
                                  self._number(target, self.targets, grow, number, "target")))
        if not self.numbered:
            raise ValueError("no sentence pairs to learn from")

        self.lengths = np.array([(len(source), len(target)) for source, target in self.numbered])
        candidates = self.lengths[:, 0] + 1
        links = candidates * self.lengths[:, 1]
        self.pair = np.repeat(np.arange(len(links)), links)    # [links]
        place = np.arange(links.sum()) - np.repeat(np.cumsum(links) - links, links)
        self.target_place, self.source_place = np.divmod(place, candidates[self.pair])    # source place 0: NULL
        starts = np.cumsum(self.lengths[:, 1]) - self.lengths[:, 1]
        self.token = starts[self.pair] + self.target_place    # which target token of the corpus, [links]
        self.tokens = int(self.lengths[:, 1].sum())
        with_null = np.concatenate([np.r_[0, source] for source, _ in self.numbered])
        first = np.cumsum(candidates) - candidates
        self.source_word = with_null[first[self.pair] + self.source_place]
        self.target_word = np.concatenate([target for _, target in self.numbered])[self.token]

    @staticmethod
    def _number(words, numbers, grow, pair, side):
        if grow:
            return np.array([numbers.setdefault(word, len(numbers)) for word in words])
        try:
            return np.array([numbers[word] for word in words])
        except KeyError as error:
            raise ValueError(f"pair {pair}: the {side} word {error.args[0]!r} was not in training") from None


class Table:
    """Conditional probabilities of the combinations that occur: for each condition they sum to 1.

    keys, conditions: integers [links]; equal keys share one probability. Starts uniform over `outcomes`.
    """

    def __init__(self, keys: np.ndarray, conditions: np.ndarray, outcomes: np.ndarray | int):
        self.keys, first, self.entry = np.unique(keys, return_index=True, return_inverse=True)
        self.condition = conditions[first]
        self.probability = np.ones(len(self.keys)) / (outcomes[first] if np.ndim(outcomes) else outcomes)

    def of_links(self) -> np.ndarray:
        return self.probability[self.entry]

    def update(self, weights: np.ndarray) -> None:
        """Make the probabilities proportional to the expected counts `weights`, float64 [links]."""
        counts = np.bincount(self.entry, weights, len(self.keys))
        totals = np.bincount(self.condition, counts)[self.condition]
        self.probability = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)

    def look_up(self, keys: np.ndarray) -> np.ndarray:
        """The probabilities of `keys`, of any shape; 0 for those that never occurred."""
        places = np.searchsorted(self.keys, keys).clip(max=len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.probability[places], 0.0)


class IBMModel1:
    """Word translation probabilities, learned by EM from a uniform start; every alignment is as likely.

    After `fit(pairs)`: `translation_probability(target_word, source_word)`, `log_likelihoods` (nats of the
    targets given the sources and their lengths, before each iteration and at the end; they never fall), and
    `align(source, target)`. Brown et al. 1993, section 4.1. Raises ValueError as `Corpus` does.
    """

    def __init__(self, iterations: int = 5):
        if iterations < 1:
            raise ValueError(f"iterations={iterations}: use at least 1")
        self.iterations = iterations

    def fit(self, pairs: Iterable[Pair]) -> "IBMModel1":
        self.corpus = Corpus(pairs)
        self.log_likelihoods = []
        self._start(self.corpus)
        for _ in range(self.iterations):
            self.log_likelihoods.append(self._em_step())
        self.log_likelihoods.append(self._em_step(update=False))
        return self

    def _start(self, corpus):
        self.translation = Table(corpus.source_word * len(corpus.targets) + corpus.target_word, corpus.source_word,
                                 len(corpus.targets))

    def _em_step(self, update=True):
        """Posterior of every link, then new probabilities. Returns the log-likelihood of the old ones."""
        scores = self.translation.of_links() * self._place_probability()
        totals = np.bincount(self.corpus.token, scores, self.corpus.tokens)    # of each target token
        if update:
            self._update(scores / totals[self.corpus.token])
        return float(np.log(totals).sum())

    def _place_probability(self):
        return 1 / (self.corpus.lengths[self.corpus.pair, 0] + 1)

    def _update(self, posteriors):
        self.translation.update(posteriors)

    def translation_probability(self, target_word: str, source_word: str | None) -> float:
        """p(target word | source word); the source word NULL is None. 0 where the two never met.

        Raises KeyError, naming the word, for one that was not in training.
        """
        for word, known, side in ((target_word, self.corpus.targets, "target"), (source_word, self.corpus.sources, "source")):
            if word not in known:
                raise KeyError(f"the {side} word {word!r} was not in training")
        return float(self.translation.look_up(self.corpus.sources[source_word] * len(self.corpus.targets)
                                              + self.corpus.targets[target_word]))

    def _translation(self, source, target):
        """p(target word | NULL or source word), float64 [1 + source, target]; 0 for unknown words."""
        known = self.corpus
        sources = np.array([known.sources.get(word, -1) for word in (NULL, *source)])[:, None]
        targets = np.array([known.targets.get(word, -1) for word in target], dtype=int)
        keys = np.where((sources < 0) | (targets < 0), -1, sources * len(known.targets) + targets)
        return self.translation.look_up(keys)

    def _places(self, source_length, target_length):
        """p(source place | target place), float64 [1 + source, target]."""
        return np.full((source_length + 1, target_length), 1 / (source_length + 1))

    def align(self, source: Sequence[str], target: Sequence[str]) -> list[int | None]:
        """For each target word the place of the source word it most probably comes from, None for NULL.

        Words that were not in training come from NULL. Of equals the first wins, NULL before all.
        """
        scores = self._translation(source, target) * self._places(len(source), len(target))
        return [int(best) - 1 if best else None for best in scores.argmax(0)]


class IBMModel2(IBMModel1):
    """As Model 1, and the place counts: p(source place | target place, both lengths), a table learned too.

    Starts from a Model 1 of `model1_iterations`, whose likelihoods are `warm_up`. Brown et al. 1993,
    section 4.2. Places of lengths that were not in training are uniform.
    """

    def __init__(self, iterations: int = 5, model1_iterations: int = 5):
        super().__init__(iterations)
        self.model1_iterations = model1_iterations

    def _start(self, corpus):
        super()._start(corpus)
        self.places = None
        self.warm_up = [self._em_step() for _ in range(self.model1_iterations)]
        lengths = corpus.lengths[corpus.pair]
        self.base = int(corpus.lengths.max()) + 1
        keys = self._key(corpus.source_place, corpus.target_place, *lengths.T)
        _, conditions = np.unique(keys // self.base, return_inverse=True)
        self.places = Table(keys, conditions, lengths[:, 0] + 1)

    def _key(self, source_place, target_place, source_length, target_length):
        return ((source_length * self.base + target_length) * self.base + target_place) * self.base + source_place

    def _place_probability(self):
        return super()._place_probability() if self.places is None else self.places.of_links()

    def _update(self, posteriors):
        super()._update(posteriors)
        if self.places is not None:
            self.places.update(posteriors)

    def _places(self, source_length, target_length):
        uniform = super()._places(source_length, target_length)
        if max(source_length, target_length) >= self.base:
            return uniform
        grid = self.places.look_up(self._key(np.arange(source_length + 1)[:, None], np.arange(target_length), source_length,
                                             target_length))
        return grid if grid.any() else uniform


class HMM(IBMModel1):
    """As Model 1, and a target word's source place depends on how far it is from the last one's.

    A jump's probability is that of its width among the jumps that stay in the sentence; `null` is the
    probability that a word comes from NULL, which remembers the place (Och and Ney 2003). Widths beyond
    `longest_jump` share one weight per direction. The weights of the widths have no closed form in the
    M-step, since each place allows other jumps: a few rounds of minorisation (Hunter 2004) raise the
    expected likelihood, and with it the likelihood (generalised EM). Starts from a Model 1, as Model 2 does.
    """

    def __init__(self, iterations: int = 5, model1_iterations: int = 5, null: float = 0.2, longest_jump: int = 10):
        super().__init__(iterations)
        if not 0 < null < 1:
            raise ValueError(f"null={null}: use a probability between 0 and 1")
        self.model1_iterations, self.null, self.longest_jump = model1_iterations, null, longest_jump

    def _start(self, corpus):
        super()._start(corpus)
        self.jumps = None
        self.warm_up = [self._em_step() for _ in range(self.model1_iterations)]
        self.jumps = np.ones(2 * self.longest_jump + 1)    # weights of the widths, [2 longest + 1]
        # Pairs of equal lengths run through the recursion together.
        order = sorted(range(len(corpus.lengths)), key=lambda n: tuple(corpus.lengths[n]))
        first = np.searchsorted(corpus.pair, np.arange(len(corpus.lengths)))
        self.groups = []
        for (source, target), numbers in groupby(order, key=lambda n: tuple(corpus.lengths[n])):
            links = first[list(numbers)][:, None] + np.arange((source + 1) * target)    # [pairs, links]
            self.groups.append((int(source), links.reshape(-1, target, source + 1)))

    def _widths(self, source_length):
        """Index of the jump's width from place i' (-1: before the sentence) to place i, int [1 + source, source]."""
        width = np.arange(source_length)[None] - np.arange(-1, source_length)[:, None]
        return width.clip(-self.longest_jump, self.longest_jump) + self.longest_jump

    def _transitions(self, source_length):
        """p(next place | last place), given that it is not NULL, float64 [1 + source, source]."""
        weights = self.jumps[self._widths(source_length)]
        return weights / weights.sum(1, keepdims=True)

    def _em_step(self, update=True):
        if self.jumps is None:
            return super()._em_step(update)
        emission = self.translation.of_links()
        posteriors = np.empty_like(emission)
        jumped = {}    # source length -> expected jumps, [1 + source, source]
        total = 0.0
        for source, links in self.groups:
            real, null, jumps, log_likelihood = self._forward_backward(source, emission[links])
            posteriors[links] = np.concatenate([null[..., None], real], -1)
            jumped[source] = jumped.get(source, 0) + jumps
            total += log_likelihood
        if update:
            self._update(posteriors)
            self.null = float(posteriors[self.corpus.source_place == 0].sum() / self.corpus.tokens)
            self._update_jumps(jumped)
        return total

    def _forward_backward(self, source, emission):
        """Posteriors for pairs of one shape. emission: p(word | NULL or source word), [pairs, target, 1 + source].

        A state is the last real place (0: none yet) and whether this word is real or from NULL. Returns
        the posterior of each real place [pairs, target, source] and of NULL [pairs, target], the expected
        jumps [1 + source, source] and the log-likelihood, a float.
        """
        pairs, length, _ = emission.shape
        jump = (1 - self.null) * self._transitions(source)    # [1 + source, source]
        real, null = emission[..., 1:], self.null * emission[..., :1]
        alpha = np.zeros((length + 1, pairs, 2, source + 1))    # [word, pair, from NULL?, last place]
        alpha[0, :, 0, 0] = 1
        scales = np.ones((length + 1, pairs, 1, 1))
        for j in range(length):
            last = alpha[j].sum(1)    # either way the place is remembered
            alpha[j + 1, :, 0, 1:] = last @ jump * real[:, j]
            alpha[j + 1, :, 1] = last * null[:, j]
            scales[j + 1] = alpha[j + 1].sum((1, 2), keepdims=True)
            alpha[j + 1] /= scales[j + 1]
        beta = np.ones((pairs, source + 1))    # of the last place; it does not matter whether by NULL
        jumps = np.zeros_like(jump)
        of_real, of_null = np.empty_like(real), np.empty((pairs, length))
        for j in reversed(range(length)):
            posterior = alpha[j + 1] * beta[:, None]
            of_real[:, j], of_null[:, j] = posterior[:, 0, 1:], posterior[:, 1].sum(1)
            arrived = real[:, j] * beta[:, 1:] / scales[j + 1, :, 0]    # [pairs, source]
            jumps += jump * (alpha[j].sum(1).T @ arrived)
            beta = arrived @ jump.T + null[:, j] * beta / scales[j + 1, :, 0]
        return of_real, of_null, jumps, float(np.log(scales).sum())

    def _update_jumps(self, jumped, rounds=5):
        counts = np.zeros_like(self.jumps)
        for source, jumps in jumped.items():
            np.add.at(counts, self._widths(source), jumps)
        for _ in range(rounds):
            shares = np.zeros_like(counts)
            for source, jumps in jumped.items():
                widths = self._widths(source)
                of_place = jumps.sum(1) / self.jumps[widths].sum(1)
                np.add.at(shares, widths, np.broadcast_to(of_place[:, None], widths.shape))
            self.jumps = np.divide(counts, shares, out=np.zeros_like(counts), where=shares > 0)
            self.jumps = self.jumps / self.jumps.sum() + 1e-300    # a weight of exactly 0 could leave a place no way on

    def align(self, source: Sequence[str], target: Sequence[str]) -> list[int | None]:
        """As Model 1's, of the most probable sequence of places (Viterbi). A word not in training keeps the place."""
        emission = self._translation(source, target).T    # [target, 1 + source]
        emission[~emission.any(1)] = 1 / len(self.corpus.targets)
        with np.errstate(divide="ignore"):
            jump = np.log((1 - self.null) * self._transitions(len(source)))
            emission, null = np.log(emission), math.log(self.null)
        score = np.full(len(source) + 1, -np.inf)
        score[0] = 0
        back = []
        for word in emission:
            through = score[:, None] + jump    # [1 + source, source]
            best = through.argmax(0)
            by_jump = np.r_[-np.inf, through[best, np.arange(len(source))] + word[1:]]
            by_null = score + null + word[0]
            back.append([(int(best[i - 1]), False) if i and by_jump[i] > by_null[i] else (i, True)
                         for i in range(len(source) + 1)])
            score = np.maximum(by_jump, by_null)
        place, links = int(score.argmax()), []
        for row in reversed(back):
            before, from_null = row[place]
            links.append(None if from_null else place - 1)
            place = before
        return links[::-1]
