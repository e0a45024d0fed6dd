"""Baselines before any network: what a random answer, a rule and a model of words reach, and how far up one can get.

    table = baselines(train, test, rule=lambda text: int("good" in text))
    print(table)

Chapter 4, after the second section of the post. scikit-learn is imported where it is used.
"""
import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy

from course_lib.diagnostics.audit import Examples, read_examples
from course_lib.diagnostics.audit_labels import wilson
from course_lib.diagnostics.audit_texts import key, words


@dataclass(frozen=True)
class Baseline:
    """One row: name, accuracy on the test texts with its 95 % interval (Wilson), loss in nats where it gives
    probabilities (else None), and what it is.

    n: of test texts. guesses: its answers; None for what is computed rather than tried."""
    name: str
    accuracy: float
    low: float
    high: float
    loss: float | None
    what: str
    n: int
    guesses: list | None = None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f"{self.loss:.3f}"
        return f"{self.name:<24}{self.accuracy:7.1%}  [{self.low:.1%}, {self.high:.1%}]  {loss:>6}  {self.what}"


class Baselines(list):
    """Baselines, printed as a table."""

    def __getitem__(self, which):
        """By number, or by name."""
        if isinstance(which, str):
            found = [one for one in self if one.name == which]
            if not found:
                raise KeyError(f"no baseline {which!r}; there are: {', '.join(one.name for one in self)}")
            return found[0]
        return super().__getitem__(which)

    def table(self) -> list[dict]:
        """One dict a baseline, fit for `pandas.DataFrame`."""
        return [{name: getattr(one, name) for name in ("name", "accuracy", "low", "high", "loss", "what")} for one in self]

    def __str__(self) -> str:
        return "\n".join([f"{'':<24}{'accuracy':>8}  {'95 % interval':<15}{'loss':>7}", *map(str, self)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        import html
        rows = "".join(f"<tr><td>{html.escape(one.name)}</td><td>{one.accuracy:.1%}</td><td>{one.low:.1%} to {one.high:.1%}</td>"
                       f"<td>{'' if one.loss is None else format(one.loss, '.3f')}</td>"
                       f'<td style="text-align: left">{html.escape(one.what)}</td></tr>' for one in self)
        head = "".join(f'<th scope="col">{name}</th>' for name in ("", "accuracy", "95 % interval", "loss", "what it is"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def baselines(train, test, *, text: str | tuple[str, str] | None = None, label: str | None = None,
              rule: Callable[[str], object] | None = None, vectors: str | Path | None = None,
              posterior: str | None = "posterior", seed: int = 0) -> Baselines:
    """Baselines of a classification of texts: trained on `train`, judged on `test`.

    train, test, text, label: as for `audit`. rule: a rule of yours, from a text to a label. vectors: a file of
    word vectors in the text format of GloVe or word2vec; default, vectors of the training texts
    (`count_vectors`). posterior: the column of `test` with the exact probability of the second label, where
    there is one, for the ceiling; None for none.

    Raises ValueError for data without labels and where test texts have labels that training lacks, ImportError
    where scikit-learn is missing.
    """
    known, asked = read_examples(train, text, label), read_examples(test, text, label)
    for examples, which in ((known, "training"), (asked, "test")):
        if examples.labels is None:
            raise ValueError(f"the {which} data have no labels; give label=, the column that holds them")
    classes = sorted(set(known.labels), key=str)
    new = set(asked.labels) - set(classes)
    if new:
        raise ValueError(f"the test data have labels that training lacks: {', '.join(map(str, sorted(new, key=str)))}")
    if len(classes) < 2:
        raise ValueError(f"all training labels are {classes[0]!r}: there is nothing to tell apart")
    shares = numpy.array([known.labels.count(c) for c in classes]) / len(known.labels)
    found = Baselines()

    def add(name, what, guesses, probabilities=None):
        value, low, high = wilson(sum(a == b for a, b in zip(guesses, asked.labels)), len(asked.labels))
        loss = None if probabilities is None else loss_of(probabilities, [classes.index(y) for y in asked.labels])
        found.append(Baseline(name, value, low, high, loss, what, len(asked.labels), list(guesses)))

    n, rng = len(asked.labels), numpy.random.default_rng(seed)
    add("random", f"one of {len(classes)} labels with equal chances; its loss is ln {len(classes)}",
        [classes[i] for i in rng.integers(len(classes), size=n)], numpy.full((n, len(classes)), 1 / len(classes)))
    usual = classes[int(shares.argmax())]
    add("majority", f"always {_called(usual, known)}; the loss is that of the frequencies of the labels, their entropy",
        [usual] * n, numpy.tile(shares, (n, 1)))
    if rule is not None:
        add("rule", "the rule given", [rule(one) for one in asked.whole])
    table = (read_vectors(vectors, {word for one in known.whole + asked.whole for word in words(one)}) if vectors
             else count_vectors(known.whole))
    for name, model, what in (
            ("bag of words", bag_of_words(), "logistic regression on words and word pairs"),
            ("averaged vectors", averaged_vectors(table),
             "logistic regression on averaged word vectors" + (f" of {Path(vectors).name}" if vectors else " of the training texts"))):
        model.fit(known.whole, [classes.index(y) for y in known.labels])
        probabilities = model.predict_proba(asked.whole)
        add(name, what, [classes[i] for i in probabilities.argmax(1)], probabilities)
    found.append(ceiling(test, known, asked, classes, posterior))
    return found


def random_loss(classes: int) -> float:
    """The cross-entropy of a predictor that knows nothing, in nats: ln of the number of classes (or of tokens).

    What the first loss of a freshly initialised model should be near."""
    if classes < 1:
        raise ValueError(f"classes={classes}: at least 1")
    return math.log(classes)


def loss_of(probabilities: numpy.ndarray, labels: Sequence[int]) -> float:
    """Mean negative logarithm of the probability of the right label. probabilities: [texts, classes]."""
    return float(-numpy.log(numpy.maximum(probabilities[numpy.arange(len(labels)), labels], 1e-12)).mean())


def bag_of_words(pairs: bool = True):
    """A scikit-learn model: tf-idf of words (and word pairs), logistic regression. Texts in, classes out."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError as error:
        raise ImportError("these baselines need: pip install scikit-learn") from error
    return make_pipeline(TfidfVectorizer(ngram_range=(1, 2 if pairs else 1), min_df=2, sublinear_tf=True,
                                         token_pattern=r"\w+|[^\w\s]"), LogisticRegression(C=3.0, max_iter=500))


def averaged_vectors(table: dict[str, numpy.ndarray]):
    """A scikit-learn model: the mean of a text's word vectors, standardised, and a logistic regression.

    table: word -> vector, of `count_vectors` or `read_vectors`. A text without a known word has a mean of 0."""
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler
    except ImportError as error:
        raise ImportError("these baselines need: pip install scikit-learn") from error

    def mean(some):
        size = len(next(iter(table.values())))
        rows = numpy.zeros((len(some), size))
        for row, text in zip(rows, some):
            known = [table[word] for word in words(text) if word in table]
            if known:
                row[:] = numpy.mean(known, axis=0)
        return rows

    return make_pipeline(FunctionTransformer(mean), StandardScaler(), LogisticRegression(max_iter=500))


def count_vectors(texts: Sequence[str], width: int = 100, window: int = 3, minimum: int = 2) -> dict[str, numpy.ndarray]:
    """Word vectors from the texts themselves: positive pointwise mutual information of words within `window` words
    of each other, its first `width` singular vectors, weighted by the root of the singular values.

    What word2vec does in effect (Levy and Goldberg 2014). Returns word -> float [width or fewer]. Raises
    ValueError for texts in which no two words stand `minimum` times.
    """
    counts = Counter(word for text in texts for word in words(text))
    index = {word: i for i, word in enumerate(sorted(word for word, n in counts.items() if n >= minimum))}
    if len(index) < 2:
        raise ValueError(f"fewer than two words stand {minimum} times in the texts: too little to make vectors of")
    try:
        from scipy.sparse import coo_matrix
        from scipy.sparse.linalg import svds
    except ImportError as error:
        raise ImportError("word vectors from counts need: pip install scipy") from error
    together = Counter()
    for text in texts:
        ids = [index[word] for word in words(text) if word in index]
        for i, word in enumerate(ids):
            for other in ids[i + 1:i + 1 + window]:
                together[word, other] += 1
                together[other, word] += 1
    if not together:
        raise ValueError("no two words stand together in the texts: too little to make vectors of")
    (rows, columns), values = numpy.array(list(together)).T, numpy.array(list(together.values()), dtype=float)
    each = numpy.bincount(rows, weights=values, minlength=len(index))
    information = numpy.maximum(0, numpy.log(values * values.sum() / (each[rows] * each[columns])))
    matrix = coo_matrix((information, (rows, columns)), shape=(len(index),) * 2).tocsr()
    size = min(width, len(index) - 1)
    left, strength, _ = svds(matrix, k=size, v0=numpy.ones(len(index)))
    return dict(zip(index, left * numpy.sqrt(strength)))


def read_vectors(path: str | Path, wanted: set[str] | None = None) -> dict[str, numpy.ndarray]:
    """Word vectors from a text file: a word and its numbers a line (GloVe), with or without a first line that gives
    their number and width (word2vec). wanted: the words to keep.

    Raises FileNotFoundError, or ValueError for a file that is not of that form or has none of the words.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; word vectors in text format, such as glove.6B.100d.txt of "
                                "nlp.stanford.edu/projects/glove")
    found, width = {}, None
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            word, *numbers = line.rstrip().split(" ")
            if number == 1 and len(numbers) == 1:
                continue
            if wanted is not None and word not in wanted:
                continue
            try:
                vector = numpy.array(numbers, dtype=numpy.float32)
            except ValueError:
                raise ValueError(f"{path}, line {number}: not a word with its numbers") from None
            if width not in (None, len(vector)) or not len(vector):
                raise ValueError(f"{path}, line {number}: {len(vector)} numbers, not {width} as before")
            found[word], width = vector, len(vector)
    if not found:
        raise ValueError(f"{path} has a vector for none of the words of the texts")
    return found


def ceiling(test, known: Examples, asked: Examples, classes: list, posterior: str | None = "posterior") -> Baseline:
    """The noise ceiling: what no classifier of these texts can exceed.

    From the exact posterior where the test data have one (two labels): the mean of the greater probability. Else
    from texts that stand in the training data more than once: the share of their labels that agree with the
    commonest label of the same text's other copies is (for two labels) what one annotator predicts of another,
    a = c^2 + (1 - c)^2, and c the ceiling. Where there are none, 100 %, and it says so.
    """
    columns = getattr(test, "column_names", None) or (test.keys() if hasattr(test, "keys") else ())
    if posterior in columns and len(classes) == 2:
        p = numpy.array(test[posterior], dtype=float)
        best = numpy.maximum(p, 1 - p)
        half = 1.96 * best.std(ddof=1) / math.sqrt(len(best)) if len(best) > 1 else 0.0
        y = numpy.array([classes.index(one) for one in asked.labels])
        loss = loss_of(numpy.stack([1 - p, p], 1), y)
        return Baseline("ceiling", float(best.mean()), float(best.mean() - half), min(1.0, float(best.mean() + half)), loss,
                        "the best possible classifier, by the exact posterior of the test texts", len(best),
                        [classes[int(one > 0.5)] for one in p])
    groups: dict[str, list] = {}
    for text, label in zip(known.whole, known.labels):
        groups.setdefault(key(text), []).append(label)
    pairs = [(a == b) for name, labels in groups.items() if name and len(labels) > 1
             for i, a in enumerate(labels) for b in labels[i + 1:]]
    if len(pairs) < 20 or len(classes) != 2:
        return Baseline("ceiling", 1.0, 0.0, 1.0, None, f"not known: no posterior, and {len(pairs)} pairs of equal texts",
                        len(asked.labels))
    agreement = wilson(sum(pairs), len(pairs))
    value, low, high = ((1 + math.sqrt(max(0.0, 2 * a - 1))) / 2 for a in agreement)
    return Baseline("ceiling", value, low, high, None, f"from the agreement of labels in {len(pairs)} pairs of equal texts "
                    f"({statistics.fmean(pairs):.1%})", len(pairs))


def _called(label, examples):
    return examples.names[label] if examples.names and isinstance(label, int) else label
