"""Weaver's idea of 1949, taken at its word: a foreign text is a cipher, and a cipher can be broken by statistics.

First a substitution cipher of letters, which EM does break. Then the same with words for letters and no
parallel text: a French sentence, whose words follow each other as French words do, was written down with
an English word for each French one (Ravi and Knight 2011, "Deciphering foreign language"). Words have
another order and another number in the other language, and far more of them are to be told apart: what EM
finds is little, and the chapter says how little. Built in chapter 1.
"""
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from course_lib.translation.system import Costs, Pair, Sentence, check_pairs, check_sentences

SPACE = " "


def letter_model(text: str, order: int = 3) -> tuple[str, np.ndarray]:
    """(alphabet, p(third | first, second), float64 [letters, letters, letters]) of a text, interpolated.

    order: 2 forgets the first letter, 3 does not. The alphabet is that of the text, sorted; the space is part
    of it. Each order weighs nine times what is left for the lower ones; the lowest is uniform.
    """
    if order not in (2, 3):
        raise ValueError(f"order={order}: use 2 or 3")
    if not text.strip():
        raise ValueError("no text to learn letters from")
    alphabet = "".join(sorted(set(text) | {SPACE}))
    numbers = {letter: n for n, letter in enumerate(alphabet)}
    counts = np.zeros((len(alphabet),) * 3)
    coded = [numbers[letter] for letter in SPACE * 2 + text]
    np.add.at(counts, (coded[:-2], coded[1:-1], coded[2:]), 1)
    model = np.full(counts.shape, 1 / len(alphabet))
    for table in (counts.sum((0, 1), keepdims=True), counts.sum(0, keepdims=True), counts)[:order]:
        totals = table.sum(-1, keepdims=True)
        share = 0.9 * (totals > 0)
        model = share * np.divide(table, totals, out=np.zeros_like(table), where=totals > 0) + (1 - share) * model
    return alphabet, model


def encipher(text: str, alphabet: str, seed: int = 0) -> tuple[str, dict[str, str]]:
    """The text with each letter replaced by another of the alphabet, and the key, plain to cipher; spaces stay."""
    letters = [letter for letter in alphabet if letter != SPACE]
    key = dict(zip(letters, np.random.default_rng(seed).permutation(letters).tolist())) | {SPACE: SPACE}
    unknown = set(text) - set(key)
    if unknown:
        raise ValueError(f"letters {sorted(unknown)} are not in the alphabet")
    return "".join(key[letter] for letter in text), key


class CipherBreaker:
    """Finds the key of a substitution cipher: EM on a hidden text that follows a letter model.

    The channel p(cipher letter | plain letter) is learned from `restarts` random starts, all at once; the best
    likelihood wins. Spaces are known. After `fit(cipher)`: `channel`, float64 [plain, cipher], `log_likelihoods`
    of the winner before each iteration and at the end (they never fall), `key`, cipher to plain, each letter
    used once. Knight et al. 2006, "Unsupervised analysis for decipherment problems".
    """

    def __init__(self, alphabet: str, model: np.ndarray, iterations: int = 40, restarts: int = 10, seed: int = 0):
        if min(iterations, restarts) < 1:
            raise ValueError(f"iterations={iterations}, restarts={restarts}: use at least 1 of each")
        self.alphabet, self.model = alphabet, model
        self.iterations, self.restarts, self.seed = iterations, restarts, seed

    def fit(self, cipher: str) -> "CipherBreaker":
        unknown = set(cipher) - set(self.alphabet)
        if not cipher.strip() or unknown:
            raise ValueError(f"letters {sorted(unknown)} are not in the alphabet" if unknown else "no cipher to break")
        observed = np.array([self.alphabet.index(letter) for letter in cipher])
        space, size = self.alphabet.index(SPACE), len(self.alphabet)
        channel = np.random.default_rng(self.seed).dirichlet(np.full(size, 5.0), (self.restarts, size))
        channel[:, space], channel[:, :, space] = 0, 0
        channel[:, space, space] = 1
        channel /= channel.sum(-1, keepdims=True)
        likelihoods = []
        for _ in range(self.iterations):
            counts, likelihood = self.expected_counts(observed, channel)
            likelihoods.append(likelihood)
            totals = counts.sum(-1, keepdims=True)
            channel = np.divide(counts, totals, out=channel.copy(), where=totals > 0)
        counts, likelihood = self.expected_counts(observed, channel)
        likelihoods.append(likelihood)
        best = int(likelihood.argmax())
        self.channel = channel[best]
        self.log_likelihoods = [float(values[best]) for values in likelihoods]
        self.key = self._key(counts[best], Counter(observed.tolist()))
        return self

    def expected_counts(self, observed: np.ndarray, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(expected uses of each plain letter for each cipher letter [restarts, plain, cipher], log-likelihoods
        in nats [restarts]), by forward and backward sums over pairs of neighbouring plain letters."""
        restarts, size, _ = channel.shape
        space = self.alphabet.index(SPACE)
        ahead = np.ascontiguousarray(self.model.transpose(1, 0, 2))    # [second, first, third]
        alpha = np.zeros((len(observed) + 1, size, restarts, size))    # [place, this letter, restart, the one before]
        alpha[0, space, :, space] = 1
        scales = np.empty((len(observed), restarts))
        emission = channel.transpose(2, 1, 0)[observed][..., None]    # [place, plain, restart, 1]
        for t in range(len(observed)):
            alpha[t + 1] = (alpha[t] @ ahead).transpose(2, 1, 0) * emission[t]
            scales[t] = alpha[t + 1].sum((0, 2))
            alpha[t + 1] /= scales[t][:, None]
        back = np.ascontiguousarray(ahead.transpose(0, 2, 1))
        beta = np.ones((size, restarts, size))
        counts = np.zeros((size, size, restarts))    # [cipher, plain, restart]
        for t in reversed(range(len(observed))):
            counts[observed[t]] += (alpha[t + 1] * beta).sum(2)
            beta = (beta * emission[t] / scales[t][:, None]).transpose(2, 1, 0) @ back
        return counts.transpose(2, 1, 0), np.log(scales).sum(0)

    def _key(self, counts, seen):
        """Each cipher letter's plain letter: the surest pairs first, none twice."""
        share = counts / np.maximum([seen[n] for n in range(len(self.alphabet))], 1)
        key: dict[str, str] = {}
        for flat in np.argsort(-share, axis=None, kind="stable"):
            plain, code = (self.alphabet[n] for n in divmod(int(flat), len(self.alphabet)))
            if code not in key and plain not in key.values():
                key[code] = plain
        return key

    def decipher(self, cipher: str) -> str:
        return "".join(self.key[letter] for letter in cipher)


class Decipherment:
    """Word for word, learned from English text and French text that are not translations of each other.

    A hidden French word stands behind each English one; French words follow each other by a bigram model,
    in which one may be skipped with probability `skip` (French has more words). EM learns the channel
    p(English word | French word) from a uniform start. One French word for each English one, in English
    order; words that were not in training are passed on. After fitting: `log_likelihoods`, `channel`
    float64 [French, English]. Raises ValueError for empty corpora and text that is not tokenised.
    """
    name, year = "decipherment", 1949

    def __init__(self, iterations: int = 10, skip: float = 0.2):
        if iterations < 1 or not 0 <= skip < 1:
            raise ValueError(f"iterations={iterations}, skip={skip}: use at least 1, and a probability below 1")
        self.iterations, self.skip = iterations, skip

    def fit(self, pairs: Iterable[Pair]) -> "Decipherment":
        """Takes the sources of the first half and the targets of the second: no sentence with its translation."""
        pairs = check_pairs(pairs)
        if len(pairs) < 2:
            raise ValueError("one pair cannot be split into two texts: use at least 2")
        half = len(pairs) // 2
        return self.fit_texts([source for source, _ in pairs[:half]], [target for _, target in pairs[half:]])

    def fit_texts(self, sources: Iterable[Sentence], targets: Iterable[Sentence]) -> "Decipherment":
        started = time.perf_counter()
        sources, targets = ([s for s in check_sentences(texts) if s] for texts in (sources, targets))
        if not sources or not targets:
            raise ValueError("decipherment needs sentences of both languages")
        self.sources, self.targets = ({word: n for n, word in enumerate(dict.fromkeys(w for s in text for w in s))}
                                      for text in (sources, targets))
        self._language_model(targets)
        self.channel = np.full((len(self.targets), len(self.sources)), 1 / len(self.sources))
        groups = defaultdict(list)
        for sentence in sources:
            groups[len(sentence)].append([self.sources[word] for word in sentence])
        groups = [np.array(group) for _, group in sorted(groups.items())]
        self.log_likelihoods = []
        for _ in range(self.iterations):
            counts, likelihood = self._expected_counts(groups)
            self.log_likelihoods.append(likelihood)
            totals = counts.sum(1, keepdims=True)
            self.channel = np.divide(counts, totals, out=self.channel.copy(), where=totals > 0)
        self.log_likelihoods.append(self._expected_counts(groups)[1])
        self._costs = Costs(parameters=self.channel.size + self.next.size, monolingual=len(sources) + len(targets),
                            seconds=time.perf_counter() - started)
        return self

    def _language_model(self, targets):
        """Start, next and end probabilities: bigrams interpolated with unigrams, a word in between skipped or not."""
        size = len(self.targets)
        counts = np.zeros((size + 1, size + 1))    # the last: start and end
        for sentence in targets:
            coded = [size, *(self.targets[word] for word in sentence), size]
            np.add.at(counts, (coded[:-1], coded[1:]), 1)
        unigram = counts.sum(0) / counts.sum()
        model = 0.9 * counts / counts.sum(1, keepdims=True) + 0.1 * unigram
        inner = model[:size, :size]
        self.start = (1 - self.skip) * model[size, :size] + self.skip * (model[size, :size] @ inner)
        self.next = (1 - self.skip) * inner + self.skip * (inner @ inner)
        self.end = (1 - self.skip) * model[:size, size] + self.skip * (inner @ model[:size, size])

    def _posteriors(self, coded):
        """(p(French word | sentence) [sentences, places, French], log-likelihood) of sentences of one length."""
        emission = self.channel.T[coded]    # [sentences, places, French]
        length = coded.shape[1]
        alpha, scales = np.empty_like(emission), np.empty(coded.shape)
        for t in range(length):
            alpha[:, t] = (self.start if t == 0 else alpha[:, t - 1] @ self.next) * emission[:, t]
            scales[:, t] = alpha[:, t].sum(1)
            alpha[:, t] /= scales[:, t, None]
        beta = np.broadcast_to(self.end, alpha[:, 0].shape)
        likelihood = np.log(scales).sum() + np.log((alpha[:, -1] * beta).sum(1)).sum()
        for t in reversed(range(length)):
            alpha[:, t] *= beta
            alpha[:, t] /= alpha[:, t].sum(1, keepdims=True)
            beta = (beta * emission[:, t]) @ self.next.T
            beta /= beta.max(1, keepdims=True)
        return alpha, float(likelihood)

    def _expected_counts(self, groups):
        counts, total = np.zeros(self.channel.T.shape), 0.0
        for coded in groups:
            posteriors, likelihood = self._posteriors(coded)
            np.add.at(counts, coded, posteriors)
            total += likelihood
        return counts.T, total

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """The most probable French word at each place. Raises ValueError, naming the sentence, for text that is
        not tokenised."""
        words = list(self.targets)
        translations = []
        for sentence in check_sentences(sentences):
            known = [self.sources[word] for word in sentence if word in self.sources]
            found = iter(self._posteriors(np.array([known]))[0][0].argmax(1) if known else ())
            translations.append([words[next(found)] if word in self.sources else word for word in sentence])
        return translations

    def costs(self) -> Costs:
        return self._costs


def accuracy(translations: Iterable[Sentence], rows: Iterable[dict]) -> float:
    """Share of running source words whose translation, word for word, is linked to them in the gold alignment.

    rows: of the corpus, with english, french and possible (the sure links are among them). nan without words.
    """
    right = total = 0
    for translation, row in zip(translations, rows, strict=True):
        if len(translation) != len(row["english"]):
            raise ValueError("this counts translations word for word: one target word for each source word")
        linked = defaultdict(set)
        for i, j in row["possible"]:
            linked[i].add(row["french"][j])
        right += sum(word in linked[i] for i, word in enumerate(translation))
        total += len(translation)
    return right / total if total else math.nan
