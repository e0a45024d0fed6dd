"""A stack decoder: builds the translation from left to right, and each source word is covered once.

Hypotheses that have covered equally many words share a stack; what they still have to pay is estimated, and
only the best are kept. Hypotheses with the same future (covered words, last words, last place) are joined, so
nothing is lost by it. With an unlimited stack and no limit on reordering the search is exact.
Koehn, Och and Marcu 2003; Koehn 2010, chapter 6. Built in chapter 1.
"""
import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from course_lib.translation.ngram import BEGIN, END, KneserNey
from course_lib.translation.phrases import Option, Words

#: Features beside those of the table, which are nats of the language model, words written, phrases used, and words jumped over.
DECODER_FEATURES = ("language model", "words", "phrases", "jumps")
FLOOR = -50.0    # nats for a word that the language model gives no probability at all


@dataclass(frozen=True)
class Derivation:
    """A translation and how it came about: its words, its score, its features (name -> sum), and the phrases in
    the order of the target, ((source start, end), target words)."""
    words: Words
    score: float
    features: dict[str, float]
    phrases: tuple[tuple[tuple[int, int], Words], ...]


@dataclass(eq=False)
class Hypothesis:
    """Covered source words (bits), the last target words and the place after the last phrase; its best score,
    and every way here, since joined hypotheses keep theirs for n-best lists."""
    covered: int
    context: Words
    place: int
    score: float
    arcs: list = field(default_factory=list)    # (score of this step, hypothesis before, span, option, features)


class Decoder:
    """argmax of the weighted sum of features over all ways to translate a sentence.

    table: a PhraseTable or WordTable. language_model: KneserNey. weights: feature name -> weight; features are
    the table's and DECODER_FEATURES. Missing ones count as in `default_weights`.
    stack: hypotheses kept a stack, None for all. jump: how many words may be jumped over at once, None for any.
    Raises ValueError for a weight of an unknown feature, one that is not finite, and a stack below 1.
    """

    def __init__(self, table, language_model: KneserNey, weights: Mapping[str, float] | None = None,
                 stack: int | None = 100, jump: int | None = 6):
        if stack is not None and stack < 1:
            raise ValueError(f"stack={stack}: keep at least 1 hypothesis, or None for all")
        self.table, self.language_model, self.stack, self.jump = table, language_model, stack, jump
        self.names = (*table.features, *DECODER_FEATURES)
        self.weights = self.default_weights() | dict(weights or {})
        unknown = set(self.weights) - set(self.names)
        if unknown:
            raise ValueError(f"no feature is called {', '.join(sorted(unknown))}; there are {', '.join(self.names)}")
        self._logs = {}    # (word, context) -> nats
        for name, weight in self.weights.items():
            if not math.isfinite(weight):
                raise ValueError(f"the weight of {name!r} is {weight}: scores would be infinite; use a finite number")

    def default_weights(self) -> dict[str, float]:
        """All of the table's features alike, summing to 1; the language model 0.5; jumps -0.3; the rest 0."""
        weights = dict.fromkeys(self.names, 0.0) | {"language model": 0.5, "jumps": -0.3}
        return weights | dict.fromkeys(self.table.features, 1 / len(self.table.features))

    def translate(self, sentence: Sequence[str]) -> list[str]:
        """The best translation's words. An empty sentence gives an empty one."""
        return list(self.n_best(sentence, 1)[0].words)

    def n_best(self, sentence: Sequence[str], n: int = 100) -> list[Derivation]:
        """The n best derivations among what the search kept, best first; different words each.

        Raises ValueError for n below 1 and for text that is not tokenised.
        """
        if n < 1:
            raise ValueError(f"n={n}: ask for at least 1 translation")
        if isinstance(sentence, str):
            raise ValueError("the sentence is text, not tokens: split it into words first")
        if not len(sentence):
            return [Derivation((), 0.0, dict.fromkeys(self.names, 0.0), ())]
        goal, found = self._search(list(sentence)), {}
        for derivation in self._derivations(goal, limit=20 * n):
            found.setdefault(derivation.words, derivation)
            if len(found) == n:
                break
        return list(found.values())

    def _search(self, sentence):
        length = len(sentence)
        # an option's table score does not depend on where it is used
        options = {span: [(self._table_score(option), option) for option in of_span]
                   for span, of_span in self.table.options(sentence).items()}
        future = self._future_costs(options, length)
        begin = Hypothesis(0, (BEGIN,) * (self.language_model.order - 1), 0, 0.0)
        stacks = [{} for _ in range(length + 1)]
        stacks[0][0, begin.context, 0] = begin
        for number in range(length):
            for hypothesis in self._pruned(stacks[number].values(), future, length):
                for span in self._spans(hypothesis, options, length):
                    self._extend(hypothesis, span, options[span], stacks)
        goal = Hypothesis((1 << length) - 1, (), length, -math.inf)
        for hypothesis in stacks[length].values():
            log = self._log(END, hypothesis.context)
            _join(goal, self.weights["language model"] * log, hypothesis, None, None, (log, 0, 0, 0))
        return goal

    def _spans(self, hypothesis, options, length):
        first_open = next(i for i in range(length) if not hypothesis.covered >> i & 1)
        for start, end in options:
            if hypothesis.covered & _bits(start, end):
                continue
            if self.jump is not None and (abs(start - hypothesis.place) > self.jump
                                          or start != first_open and end - first_open > self.jump):
                continue    # too far from the last phrase, or too far to come back to the first open word
            yield start, end

    def _extend(self, hypothesis, span, options, stacks):
        start, end = span
        covered, jumps = hypothesis.covered | _bits(start, end), abs(start - hypothesis.place)
        stack = stacks[covered.bit_count()]
        of_model, of_words, of_phrases, of_jumps = (self.weights[name] for name in DECODER_FEATURES)
        for score, option in options:
            log, context = 0.0, hypothesis.context
            for word in option.target:
                log += self._log(word, context)
                context = (*context, word)[1:] if context else context
            step = score + of_model * log + of_words * len(option.target) + of_phrases + of_jumps * jumps
            key = covered, context, end
            after = stack.get(key)
            if after is None:
                after = stack[key] = Hypothesis(covered, context, end, -math.inf)
            _join(after, step, hypothesis, span, option, (log, len(option.target), 1, jumps))

    def _log(self, word, context):
        log = self._logs.get((word, context))
        if log is None:
            probability = self.language_model.probability(word, context)
            log = self._logs[word, context] = max(math.log(probability), FLOOR) if probability else FLOOR
        return log

    def _table_score(self, option: Option) -> float:
        return sum(self.weights[name] * value for name, value in zip(self.table.features, option.features))

    def _future_costs(self, options, length):
        """The best score that each span can have at most, but for jumps and words outside. {(start, end): score}"""
        best = {(start, end): -math.inf for start in range(length) for end in range(start + 1, length + 1)}
        for span, of_span in options.items():
            for score, option in of_span:
                context = ()
                for word in option.target:    # the first words lack their context
                    score += self.weights["language model"] * self._log(word, context)
                    context = (*context, word)[-max(self.language_model.order - 1, 1):]
                score += self.weights["words"] * len(option.target) + self.weights["phrases"]
                best[span] = max(best[span], score)
        for width in range(2, length + 1):
            for start in range(length - width + 1):
                end = start + width
                best[start, end] = max(best[start, end], *(best[start, middle] + best[middle, end] for middle in range(start + 1, end)))
        return best

    def _pruned(self, hypotheses, future, length):
        if self.stack is None or len(hypotheses) <= self.stack:
            return list(hypotheses)
        rest = {covered: sum(future[gap] for gap in _gaps(covered, length)) for covered in {h.covered for h in hypotheses}}
        return heapq.nlargest(self.stack, hypotheses, key=lambda h: h.score + rest[h.covered])

    def _derivations(self, goal, limit):
        """Derivations in falling order of score: from the goal back, with the exact best score as the estimate."""
        number = count()
        heap = [(-goal.score, next(number), goal, 0.0, ())]
        while heap and limit:
            _, _, hypothesis, after, path = heapq.heappop(heap)
            if not hypothesis.arcs:
                limit -= 1
                yield self._derivation(path, after)
                continue
            for arc in hypothesis.arcs:
                step, before = arc[:2]
                heapq.heappush(heap, (-(before.score + step + after), next(number), before, after + step, (arc, *path)))

    def _derivation(self, path, score):
        sums = dict.fromkeys(self.names, 0.0)
        phrases = []
        for _, _, span, option, features in path:
            for name, value in zip(DECODER_FEATURES, features):
                sums[name] += value
            if option is not None:
                phrases.append((span, option.target))
                for name, value in zip(self.table.features, option.features):
                    sums[name] += value
        return Derivation(tuple(word for _, target in phrases for word in target), score, sums, tuple(phrases))


def _join(hypothesis, step, before, span, option, features):
    hypothesis.arcs.append((step, before, span, option, features))
    hypothesis.score = max(hypothesis.score, before.score + step)


def _bits(start, end):
    return (1 << end) - (1 << start)


def _gaps(covered, length):
    """The spans without a covered word."""
    start = 0
    while start < length:
        if covered >> start & 1:
            start += 1
            continue
        end = start
        while end < length and not covered >> end & 1:
            end += 1
        yield start, end
        start = end
