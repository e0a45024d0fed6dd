"""Scores of translations and predictions: BLEU, chrF, edits, alignment error, accuracy, and how sure they are.

BLEU and chrF equal those of sacrebleu on tokenised text. All work from counts per sentence, so that a score
of resampled sentences is a sum of rows: that is all the bootstrap needs. Built in the chapter "A history of
machine translation".
"""
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy

Sentences = Sequence[Sequence[str]]


def _paired(hypotheses, references):
    hypotheses, references = list(hypotheses), list(references)
    if not hypotheses or len(hypotheses) != len(references):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references: one for each, at least one")
    return hypotheses, references


def _tokens(sentences):
    for number, sentence in enumerate(sentences):
        if isinstance(sentence, str):
            raise TypeError(f"sentence {number} is a text, not a list of tokens: tokenise it first ({sentence[:40]!r})")
    return sentences


def _ngrams(sequence, n):
    return Counter(tuple(sequence[i:i + n]) for i in range(len(sequence) - n + 1))


def _matches(hypothesis, reference, n):
    """(n-grams of both, of the hypothesis, of the reference); what is repeated matches as often as it is in both."""
    ours, theirs = _ngrams(hypothesis, n), _ngrams(reference, n)
    return (ours & theirs).total(), ours.total(), theirs.total()


# BLEU

SMOOTHING = ("exp", "floor", "add-k", "none")


def bleu_statistics(hypotheses: Sentences, references: Sentences, order: int = 4) -> numpy.ndarray:
    """What BLEU is made of, a row for each sentence, which add up.

    Returns integers [sentences, 2 + 2 * order]: tokens of the hypothesis and of the reference, then matched
    n-grams and n-grams of the hypothesis for n from 1 to `order`.
    """
    hypotheses, references = _paired(hypotheses, references)
    rows = []
    for hypothesis, reference in zip(_tokens(hypotheses), _tokens(references)):
        counts = [_matches(hypothesis, reference, n) for n in range(1, order + 1)]
        rows.append([len(hypothesis), len(reference), *(c[0] for c in counts), *(c[1] for c in counts)])
    return numpy.array(rows, dtype=numpy.int64)


def bleu_of(statistics: numpy.ndarray, smoothing: str = "exp", value: float | None = None,
            effective_order: bool = False) -> float:
    """BLEU, from 0 to 100, of the sum of rows of `bleu_statistics`."""
    order = (len(statistics) - 2) // 2
    length, wanted = (float(n) for n in statistics[:2])
    correct, total = [float(n) for n in statistics[2:2 + order]], [float(n) for n in statistics[2 + order:]]
    if not any(correct):
        return 0.0
    value = {"floor": 0.1, "add-k": 1.0}.get(smoothing) if value is None else value
    logarithms, missed, used = [], 1.0, order
    for n in range(order):
        if smoothing == "add-k" and n > 0:
            correct[n], total[n] = correct[n] + value, total[n] + value
        if total[n] == 0:
            break
        used = n + 1 if effective_order else used
        precision = correct[n] / total[n]
        if correct[n] == 0 and smoothing == "exp":
            missed *= 2
            precision = 1 / (missed * total[n])
        elif correct[n] == 0 and smoothing == "floor":
            precision = value / total[n]
        logarithms.append(math.log(precision) if precision > 0 else -math.inf)
    if len(logarithms) < used:  # no n-grams of that order at all
        return 0.0
    brevity = min(1.0, math.exp(1 - wanted / length))
    return 100 * brevity * math.exp(sum(logarithms[:used]) / used)


def bleu(hypotheses: Sentences, references: Sentences, smoothing: str = "exp", value: float | None = None,
         order: int = 4, effective_order: bool = False) -> float:
    """BLEU of a corpus, from 0 to 100: the geometric mean of n-gram precisions, times a penalty for being short.

    hypotheses, references: lists of tokens, one reference each. smoothing, of an order without a match:
    "exp" (each such order counts half of a match, a quarter and so on; sacrebleu's default), "floor" and
    "add-k" (with `value`, 0.1 and 1 by default) or "none". effective_order: stop at the highest order that
    the hypotheses have n-grams of, as sacrebleu does for single sentences.

    Equal to sacrebleu with tokenize="none". Raises ValueError for unequal numbers of sentences or none and
    for another smoothing, TypeError for text that is not tokenised.

    Papineni et al. 2002; smoothing: Chen and Cherry 2014; sacrebleu: Post 2018.
    """
    if smoothing not in SMOOTHING:
        raise ValueError(f"smoothing={smoothing!r}: one of {', '.join(SMOOTHING)}")
    return bleu_of(bleu_statistics(hypotheses, references, order).sum(0), smoothing, value, effective_order)


# chrF

def chrf_statistics(hypotheses: Sequence, references: Sequence, order: int = 6) -> numpy.ndarray:
    """What chrF is made of: integers [sentences, 3 * order], matched n-grams of characters, those of the
    hypothesis, those of the reference, for n from 1 to `order`."""
    hypotheses, references = _paired(hypotheses, references)
    rows = []
    for hypothesis, reference in zip(map(_characters, hypotheses), map(_characters, references)):
        counts = [_matches(hypothesis, reference, n) for n in range(1, order + 1)]
        # sacrebleu leaves an order out of a sentence whose reference is too short for it
        rows.append([number for match, ours, theirs in counts for number in (match, ours if theirs else 0, theirs)])
    return numpy.array(rows, dtype=numpy.int64)


def _characters(sentence):
    return "".join((sentence if isinstance(sentence, str) else " ".join(sentence)).split())


def chrf_of(statistics: numpy.ndarray, beta: float = 2.0) -> float:
    """chrF, from 0 to 100, of the sum of rows of `chrf_statistics`."""
    counts = [row for row in statistics.reshape(-1, 3).tolist() if row[1] and row[2]]
    if not counts:
        return 0.0
    precision = sum(match / ours for match, ours, _ in counts) / len(counts)
    recall = sum(match / theirs for match, _, theirs in counts) / len(counts)
    if precision + recall == 0:
        return 0.0
    return 100 * (1 + beta ** 2) * precision * recall / (beta ** 2 * precision + recall)


def chrf(hypotheses: Sequence, references: Sequence, order: int = 6, beta: float = 2.0) -> float:
    """chrF of a corpus, from 0 to 100: F-score of n-grams of characters, in which recall counts `beta` times.

    Sentences are lists of tokens or texts; spaces do not count. Equal to sacrebleu's. Raises ValueError for
    unequal numbers of sentences or none. Popović 2015.
    """
    return chrf_of(chrf_statistics(hypotheses, references, order).sum(0), beta)


# Two systems on one test set

@dataclass(frozen=True)
class Comparison:
    """Scores of two systems; their difference, first minus second, with a 95 % interval; p-value of no difference."""
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float


def paired_bootstrap(first: Sentences, second: Sentences, references: Sentences, metric: str = "bleu",
                     resamples: int = 1000, seed: int = 12345) -> Comparison:
    """Whether one system is better than another, or the test sentences were lucky.

    Sentences are drawn with replacement, the same for both systems. The interval holds the middle 95 % of the
    differences; the p-value is sacrebleu's: how often a difference departs from the mean difference by more
    than the one observed. metric: "bleu" or "chrf".

    Raises ValueError for unequal numbers of sentences, another metric or no resamples. Koehn 2004.
    """
    metrics = {"bleu": (bleu_statistics, bleu_of), "chrf": (chrf_statistics, chrf_of)}
    if metric not in metrics or resamples < 1:
        raise ValueError(f'metric={metric!r}, resamples={resamples}: "bleu" or "chrf", and at least one resample')
    count, score = metrics[metric]
    ours, theirs = count(first, references), count(second, references)
    scores = score(ours.sum(0)), score(theirs.sum(0))
    drawn = numpy.random.default_rng(seed).choice(len(ours), size=(resamples, len(ours)), replace=True)
    # How often each sentence was drawn: [resamples, sentences], so that the sums are a product.
    times = numpy.stack([numpy.bincount(row, minlength=len(ours)) for row in drawn])
    differences = numpy.array([score(a) - score(b) for a, b in zip(times @ ours, times @ theirs)])
    low, high = numpy.quantile(differences, (0.025, 0.975))
    observed, sizes = abs(scores[0] - scores[1]), numpy.abs(differences)
    p_value = (numpy.sum(sizes - sizes.mean() > observed) + 1) / (resamples + 1)
    return Comparison(*scores, scores[0] - scores[1], float(low), float(high), float(p_value))


# Edits

def edits(hypothesis: Sequence, reference: Sequence) -> int:
    """The fewest insertions, deletions and substitutions of tokens that make one the other. Levenshtein 1966."""
    row = list(range(len(reference) + 1))
    for i, token in enumerate(hypothesis, 1):
        diagonal, row[0] = row[0], i
        for j, wanted in enumerate(reference, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (token != wanted))
    return row[-1]


def edit_rate(hypotheses: Sentences, references: Sentences) -> float:
    """Edits to the references for each word of them: what a post-editor would have to type, at least.

    The word error rate: insertions, deletions and substitutions, without the shifts of blocks that TER
    (Snover et al. 2006) counts as one edit, so never below TER. 0 is perfect; above 1 it would be less work to
    start anew. Raises ValueError for unequal numbers of sentences and references without a word.
    """
    hypotheses, references = _paired(hypotheses, references)
    words = sum(map(len, _tokens(references)))
    if words == 0:
        raise ValueError("the references have no word: there is nothing to edit to")
    return sum(edits(*pair) for pair in zip(_tokens(hypotheses), references)) / words


# Alignments

def alignment_error_rate(predicted: Iterable, sure: Iterable, possible: Iterable | None = None) -> float:
    """AER of a corpus, from 0 to 1: ``1 - (|A and S| + |A and P|) / (|A| + |S|)``.

    predicted, sure, possible: for each sentence pair its links, (source, target) positions, as sets or
    lists. All sure links should be found; none outside the possible ones should be made. Sure links count as
    possible; without `possible` they are all there is, and AER is 1 - F1. With neither a prediction nor a
    sure link anywhere it is 0.

    Raises ValueError for unequal numbers of sentence pairs or none. Och and Ney 2003.
    """
    predicted, sure = list(predicted), list(sure)
    possible = sure if possible is None else list(possible)
    if not predicted or not len(predicted) == len(sure) == len(possible):
        raise ValueError(f"links of {len(predicted)} predicted, {len(sure)} sure and {len(possible)} possible sentence "
                         "pairs: one for each, at least one")
    hits = size = 0
    for links in zip(predicted, sure, possible):
        a, s, p = ({tuple(link) for link in part} for part in links)
        hits += len(a & s) + len(a & (p | s))
        size += len(a) + len(s)
    return 1 - hits / size if size else 0.0


# Accuracy

def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Where a share that was seen in `successes` of `trials` may lie: (low, high), within 0 and 1.

    Unlike value plus or minus two standard errors, it has a width at 0 and at 1. Raises ValueError for counts
    that cannot be. Wilson 1927.
    """
    if not (trials >= 1 and 0 <= successes <= trials and 0 < confidence < 1):
        raise ValueError(f"{successes} successes of {trials} trials at confidence {confidence}: trials from 1, "
                         "successes from 0 to trials, a confidence between 0 and 1")
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    share = successes / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = math.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials ** 2))) / (1 + z2 / trials)
    # At the ends the formula gives 0 and 1, up to rounding.
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == trials else centre + half)


def accuracy(predictions: Sequence, references: Sequence, confidence: float = 0.95) -> tuple[float, float, float]:
    """Share of predictions that equal their reference, with its Wilson interval: (share, low, high).

    Raises ValueError for unequal numbers or none.
    """
    predictions, references = _paired(predictions, references)
    right = sum(bool(prediction == reference) for prediction, reference in zip(predictions, references))
    return right / len(references), *wilson_interval(right, len(references), confidence)
