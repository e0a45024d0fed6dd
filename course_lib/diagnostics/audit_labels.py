"""Checks of an audit that look at the labels: balance, contradictions, leaks, doubtful labels, what truncation costs.

Each returns a `Seen`. Thresholds are the constants at the top; they were set so that clean data raises nothing.
Built in chapter 4, shown through `audit`.
"""
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy

from course_lib.diagnostics.audit_texts import _UNIT, Seen, encode, excerpt, groups_of_equals, words
from course_lib.diagnostics.findings import Finding

BALANCE = 0.8          # entropy of the labels, as a share of what equal frequencies would have
DISAGREE = 0.1         # lower bound of the share of disagreements among the surest tenth of predictions
SUREST = 0.1
PURE = 0.88            # lower bound of how surely one feature tells the label, at equal frequencies of the labels
LENGTH_AUC = 0.06      # distance from 1/2
CUT_SHARE, CUT_COST = 0.02, 0.01


def wilson(successes: float, n: int, z: float = 1.96) -> tuple[float, float, float]:
    """(value, low, high): a share and its interval (Wilson 1927). z: 1.96 for 95 %. Raises ValueError for n = 0."""
    if n < 1:
        raise ValueError("a share of nothing has no interval")
    p = successes / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return p, min(max(low, 0.0), p), max(min(high, 1.0), p)


def missing(label) -> bool:
    """Whether a label is none at all: None, NaN, or the -1 that unlabelled parts of public sets have."""
    return label is None or label != label or (isinstance(label, (int, numpy.integer)) and label < 0)


def balance(labels: Sequence, names: Sequence[str] | None) -> Seen:
    """How often each label occurs; labels that are none."""
    bad = [i for i, label in enumerate(labels) if missing(label) or names and not 0 <= label < len(names)]
    counts = Counter(label for i, label in enumerate(labels) if not missing(label))
    shares = {label: n / len(labels) for label, n in counts.most_common()}
    entropy = -sum(p * math.log(p) for p in shares.values()) / math.log(max(2, len(shares)))
    called = {label: names[label] if names and 0 <= label < len(names) else label for label in shares}
    says = "labels: " + ", ".join(f"{called[label]} {share:.1%}" for label, share in list(shares.items())[:8])
    findings = []
    if bad:
        findings.append(Finding("labels", "label-out-of-range", f"{len(bad)} labels are missing or outside the range of "
                                f"the classes, the first {labels[bad[0]]!r} in row {bad[0]}", "unlabelled rows, or labels "
                                "counted from 1", 0.95))
    if len(shares) < 2:
        findings.append(Finding("labels", "label-out-of-range", f"all labels are {next(iter(called.values()), None)!r}",
                                "how the data were filtered or sorted before they were cut", 0.95))
    elif entropy < BALANCE:
        top, rare = (list(shares)[i] for i in (0, -1))
        findings.append(Finding("balance", "label-imbalance", f"{called[top]} is {shares[top]:.1%} of the labels, "
                                f"{called[rare]} {shares[rare]:.1%}: always answering the first reaches {shares[top]:.1%}",
                                "a metric that sees the rare label (F1, balanced accuracy); the baseline to beat", 0.9))
    return Seen("balance", says, {"shares": {str(called[label]): p for label, p in shares.items()}, "entropy": entropy},
                bad[:5], findings)


def contradictions(texts: Sequence[str], labels: Sequence) -> tuple[Seen, set[int]]:
    """The same text with different labels; also the rows of all such texts."""
    groups = [group for group in groups_of_equals(texts) if len({labels[i] for i in group}) > 1]
    rows = {i for group in groups for i in group}
    wrong = sum(len(group) - Counter(labels[i] for i in group).most_common(1)[0][1] for group in groups)
    says = f"{len(groups)} texts stand in the data with different labels, {len(rows)} rows"
    findings = []
    if len(groups) >= max(3, 0.002 * len(texts)):
        i = groups[0][0]
        findings.append(Finding("contradictions", "examples-contradict", f"{says}, such as {excerpt(texts[i])!r}",
                                "who labelled them, and by which rule; no model can get all of them right", 0.95,
                                ("label-noise",)))
    return Seen("contradictions", says, {"texts": len(groups), "rows": len(rows), "cannot be right": wrong},
                [group[:2] for group in groups[:5]], findings), rows


def order(labels: Sequence) -> Seen:
    """Whether the rows come in the order of their labels."""
    codes = {label: i for i, label in enumerate(sorted(set(labels), key=str))}
    runs = 1 + sum(a != b for a, b in zip(labels, labels[1:]))
    # Runs of labels in random order: mean and deviation (Wald and Wolfowitz 1940), for any number of kinds.
    n, shares = len(labels), [labels.count(label) / len(labels) for label in codes]
    repeat = sum(p * p for p in shares)
    expected = 1 + (n - 1) * (1 - repeat)
    says = f"{runs} runs of equal labels where {expected:.0f} are expected in random order"
    findings = []
    if len(codes) > 1 and n >= 50 and runs < 0.25 * expected:
        findings.append(Finding("order", "data-not-moving", says + ": the rows come in the order of their labels",
                                "shuffle before splitting into parts and batches", 0.6))
    return Seen("order", says, {"runs": runs, "expected": expected}, [], findings)


# Leaks

def auc(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Probability that a positive example has the higher score, ties counted half (Mann and Whitney 1947).

    Raises ValueError where one of the two kinds is missing."""
    scores, positive = numpy.asarray(scores, dtype=float), numpy.asarray(positive, dtype=bool)
    n, m = int(positive.sum()), int((~positive).sum())
    if not n or not m:
        raise ValueError("an AUC needs positive and negative examples")
    values, place, counts = numpy.unique(scores, return_inverse=True, return_counts=True)
    ranks = (numpy.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def features(text: str) -> set[str]:
    """What a label could leak through: each word and mark, the first and the last one."""
    units = _UNIT.findall(text.lower())
    return {*units, f"first {units[0]}", f"last {units[-1]}"} if units else set()


def _information(counts: numpy.ndarray, totals: numpy.ndarray) -> numpy.ndarray:
    """Mutual information with the label, in bits, of features: counts [features, classes] of the rows that have each
    feature, by label, of totals [classes]."""
    here, size = counts.sum(1, keepdims=True), totals.sum()
    found = numpy.zeros(len(counts))
    for both, rows in ((counts, here), (totals - counts, size - here)):
        with numpy.errstate(divide="ignore", invalid="ignore"):
            found += numpy.nan_to_num(both / size * numpy.log2(both * size / (rows * totals))).sum(1)
    return found


def _count(rows_of: dict[str, list[int]], codes: numpy.ndarray, classes: int) -> numpy.ndarray:
    """[features, classes]: rows that have each feature, by label."""
    feature = numpy.repeat(numpy.arange(len(rows_of)), [len(rows) for rows in rows_of.values()])
    rows = numpy.concatenate([numpy.asarray(rows) for rows in rows_of.values()] or [numpy.zeros(0, dtype=int)])
    return numpy.bincount(feature * classes + codes[rows], minlength=len(rows_of) * classes).reshape(-1, classes)


def leak(texts: Sequence[str], labels: Sequence, seed: int = 0, permutations: int = 20) -> Seen:
    """Single features that tell the label too well, and lengths that do.

    Purity: of the rows that have a feature, the share with its commonest label, as it would be if the labels
    were equally frequent. Words of the language rarely exceed .9 in many rows; a mark put there does. Beside it
    the information of the best feature, in bits, and that of the best with shuffled labels.
    """
    kinds = sorted(set(labels), key=str)
    codes = numpy.array([kinds.index(label) for label in labels])
    totals = numpy.bincount(codes)
    rows_of: dict[str, list[int]] = {}
    for i, text in enumerate(texts):
        for feature in features(text):
            rows_of.setdefault(feature, []).append(i)
    # Words before places, so that of equals the plain word is named.
    rows_of = {feature: rows_of[feature] for feature in sorted(rows_of, key=lambda name: (" " in name, name))
               if len(rows_of[feature]) >= 5}
    counts = _count(rows_of, codes, len(kinds))
    information, rng = _information(counts, totals), numpy.random.default_rng(seed)
    strongest = list(rows_of)[int(information.argmax())] if rows_of else ""
    null = max((float(_information(_count(rows_of, rng.permutation(codes), len(kinds)), totals).max(initial=0))
                for _ in range(permutations)), default=0.0)
    pure = []
    for feature, found in zip(rows_of, counts):
        n, top = int(found.sum()), int((found / totals).argmax())
        # Wilson's lower bound on what was seen (one-sided, 1 in 740: many features are looked at), the rest
        # given to the other labels as they were seen, and both to labels as if these were equally frequent.
        low = wilson(int(found[top]), n, z=3.0)[1]
        others = numpy.delete(found, top) if n > found[top] else numpy.ones(len(kinds) - 1)
        rest = (1 - low) * others / others.sum() / numpy.delete(totals, top)
        pure.append((float(low / totals[top] / (low / totals[top] + rest.sum())), n, feature, top))
    pure.sort(key=lambda entry: (-entry[0], -entry[1], entry[2]))
    findings, size = [], numpy.array([len(_UNIT.findall(text)) for text in texts])
    says = (f"the single feature that says most about the label, {strongest!r}, tells {information.max(initial=0):.3f} "
            f"bits ({null:.3f} with shuffled labels)")
    if pure and pure[0][0] > PURE:
        low, count, feature, top = pure[0]
        findings.append(Finding("leak", "label-leak", f"{count} texts hold {feature!r}, and {low:.0%} or more of them "
                                f"are labelled {kinds[top]!r}: no other word says so much so often",
                                "how that mark came into the text; a model will read it instead of the text", 0.9))
    lengths = []
    for c, kind in enumerate(kinds):
        if min(totals[c], len(codes) - totals[c]) >= 10:
            value = auc(size, codes == c)
            error = math.sqrt((len(codes) + 1) / (12 * totals[c] * (len(codes) - totals[c])))
            lengths.append((abs(value - 0.5) - 3 * error, value, kind))
    if lengths:
        beyond, value, kind = max(lengths, key=lambda entry: entry[0])
        says += f"; by its length alone a text of {kind!r} is told from another with an AUC of {value:.2f}"
        if beyond > LENGTH_AUC:
            findings.append(Finding("length", "label-leak", f"texts of {kind!r} are {'longer' if value > 0.5 else 'shorter'}"
                                    f" than the others: length alone has an AUC of {value:.2f}",
                                    "whether both kinds of text were collected in the same way", 0.85))
    return Seen("leak", says, {"information": float(information.max(initial=0)), "shuffled": null, "feature": strongest,
                               "purest": pure[0][:3] if pure else None,
                               "length AUC": max(lengths)[1] if lengths else None},
                [int(i) for i in rows_of[pure[0][2]][:3]] if findings and pure else [], findings)


# What words can predict

def cross_validated(texts: Sequence[str], labels: Sequence, seed: int = 0, folds: int = 5) -> tuple[numpy.ndarray, list]:
    """(probabilities [texts, classes], classes): logistic regression on words and word pairs, each text predicted
    by a model that has not seen it. Equal texts stand in one fold.

    Raises ImportError where scikit-learn is missing, ValueError where a label is rarer than there are folds.
    """
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold
    except ImportError as error:
        raise ImportError("predicting labels from words needs: pip install scikit-learn") from error
    classes = sorted(set(labels), key=str)
    codes = numpy.array([classes.index(label) for label in labels])
    if min(numpy.bincount(codes)) < folds:
        raise ValueError(f"a label stands in fewer than {folds} rows: too few to predict it")
    # Words are weighted once, by all texts: that tells a model nothing of the labels it is asked for.
    x = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[^\w\s]", sublinear_tf=True).fit_transform(texts)
    home, fold_of = {}, numpy.zeros(len(codes), dtype=int)
    for fold, (_, held) in enumerate(StratifiedKFold(folds, shuffle=True, random_state=seed).split(codes, codes)):
        fold_of[held] = fold
    for i, text in enumerate(texts):
        fold_of[i] = home.setdefault(" ".join(words(text)) or i, fold_of[i])
    found = numpy.full((len(codes), len(classes)), 1 / len(classes))
    for fold in range(folds):
        held, train = fold_of == fold, fold_of != fold
        if held.any() and len(set(codes[train])) > 1:
            model = LogisticRegression(max_iter=300).fit(x[train], codes[train])
            found[held] = 0
            found[numpy.ix_(held, model.classes_)] = model.predict_proba(x[held])
    return found, classes


def doubtful(texts: Sequence[str], labels: Sequence, probabilities: numpy.ndarray, classes: list) -> Seen:
    """Labels one may disagree with: those that a model of words contradicts although it is sure.

    After confident learning (Northcutt, Jiang and Chuang 2021). However sure the words are, wrong labels
    contradict them at the rate of the mistakes; where texts leave no doubt and labels are right, the rate falls
    to 0. From the data alone, wrong labels and texts that mislead everybody cannot be told apart: read them.
    """
    codes = numpy.array([classes.index(label) for label in labels])
    guesses, sure = probabilities.argmax(1), probabilities.max(1)
    right = float((guesses == codes).mean())
    majority = float(numpy.bincount(codes).max() / len(codes))
    top = numpy.argsort(-sure, kind="stable")[:max(1, int(SUREST * len(codes)))]
    value, low, high = wilson(int((guesses[top] != codes[top]).sum()), len(top))
    doubt = [int(i) for i in numpy.argsort(-(probabilities.max(1) - probabilities[numpy.arange(len(codes)), codes]))
             if guesses[i] != codes[i]]
    says = (f"of the tenth of texts that words are surest about, {value:.1%} [{low:.1%}, {high:.1%}] are labelled otherwise "
            f"(words predict {right:.1%} of all labels, the commonest label is {majority:.1%})")
    findings = []
    knows = wilson(int((guesses == codes).sum()), len(codes))[1] > majority + 0.03
    if knows and len(top) >= 100 and low > DISAGREE:
        findings.append(Finding("doubtful labels", "label-noise", says, "the rows listed: read them, and count how many "
                                "you would have labelled otherwise", 0.75))
    # Accuracy cannot show it where one label is rare: the order of the probabilities can.
    orders = []
    for c in range(len(classes)):
        own = int((codes == c).sum())
        error = math.sqrt((len(codes) + 1) / (12 * own * (len(codes) - own)))
        orders.append((auc(probabilities[:, c], codes == c) - 0.5) / error)
    if len(codes) >= 1000 and max(orders) < 3:
        findings.append(Finding("words say nothing", "labels-misaligned", f"words predict {right:.1%} of the labels, the "
                                f"commonest label is {majority:.1%}: nothing in the words goes with the label",
                                "whether texts and labels still belong to the same rows", 0.4, ("label-noise",)))
    return Seen("doubtful labels", says, {"accuracy": right, "majority": majority, "disagree": value, "low": low,
                                          "high": high}, doubt[:10], findings)


def one_word_rule(texts: Sequence[str], labels: Sequence, rule: Callable[[str], object] | None = None, seed: int = 0) -> Seen:
    """How well a rule does: the given one, or the best list of ten words, chosen on one half and tried on the other."""
    n = len(texts)
    if rule is not None:
        value, low, high = wilson(sum(rule(text) == label for text, label in zip(texts, labels)), n)
        return Seen("rule", f"the rule given is right in {value:.1%} [{low:.1%}, {high:.1%}]",
                    {"accuracy": value, "low": low, "high": high})
    half = list(range(n))
    random.Random(seed).shuffle(half)
    first, second = half[:n // 2], half[n // 2:]
    totals = Counter(labels[i] for i in first)
    kinds = sorted(totals, key=str)
    counts = Counter((word, labels[i]) for i in first for word in set(words(texts[i])))
    often = sorted(word for word, k in Counter(w for i in first for w in set(words(texts[i]))).items() if k >= 5)
    table = numpy.array([[counts[word, kind] for kind in kinds] for word in often]).reshape(-1, len(kinds))
    score = dict(zip(often, _information(table, numpy.array([totals[kind] for kind in kinds])).tolist()))
    chosen = sorted(score, key=lambda word: (-score[word], word))[:10]
    votes = {word: max(kinds, key=lambda kind: (counts[word, kind] / totals[kind], str(kind))) for word in chosen}
    usual = totals.most_common(1)[0][0]

    def guess(text):
        found = Counter(votes[word] for word in sorted(set(words(text))) if word in votes)   # sorted: ties the same in every run
        return found.most_common(1)[0][0] if found else usual

    value, low, high = wilson(sum(guess(texts[i]) == labels[i] for i in second), max(1, len(second)))
    listed = ", ".join(f"{word} ({votes[word]})" for word in chosen[:5])
    return Seen("rule", f"a vote of the ten words that say most ({listed}, ...) is right in {value:.1%} "
                f"[{low:.1%}, {high:.1%}] of the other half", {"accuracy": value, "low": low, "high": high, "words": votes})


# Truncation

def cut(text: str, length: int, keep: str = "start", tokenizer=None) -> str:
    """What is left of a text of more than `length` tokens: its start, its end, or half of each ("both").

    Tokens are those of the tokenizer, which has to decode them, else words and marks.
    """
    if keep not in ("start", "end", "both"):
        raise ValueError(f"keep={keep!r}: start, end or both")
    ids = encode(tokenizer, text) if tokenizer else [match.span() for match in _UNIT.finditer(text)]
    if len(ids) <= length:
        return text
    head = {"start": length, "end": 0, "both": (length + 1) // 2}[keep]
    parts = [part for part in (ids[:head], ids[len(ids) - (length - head):] if length > head else []) if part]
    return " ".join(tokenizer.decode(part) if tokenizer else text[part[0][0]:part[-1][1]] for part in parts)


def truncation(texts: Sequence[str], labels: Sequence | None, length: int, tokenizer=None, seed: int = 0,
               whole: numpy.ndarray | None = None) -> Seen:
    """How many texts a limit cuts, and how much of what tells the label it removes.

    The measure: accuracy of the model of words on whole texts minus that on cut ones, same folds, paired by row,
    for each way to cut. whole: probabilities of `cross_validated` where they are known.
    """
    counts = [len(encode(tokenizer, text)) if tokenizer else len(_UNIT.findall(text)) for text in texts]
    share = sum(n > length for n in counts) / len(counts)
    lost = sum(max(0, n - length) for n in counts) / max(1, sum(counts))
    numbers = {"limit": length, "share": share, "tokens lost": lost}
    says = f"{share:.1%} of the texts have more than {length} tokens; cutting removes {lost:.1%} of all tokens"
    findings = []
    if labels is not None and share >= CUT_SHARE and (tokenizer is None or hasattr(tokenizer, "decode")):
        kinds = sorted(set(labels), key=str)
        codes = numpy.array([kinds.index(label) for label in labels])
        if whole is None:
            whole = cross_validated(texts, labels, seed)[0]
        costs = {}
        for keep in ("start", "end", "both"):
            short = cross_validated([cut(text, length, keep, tokenizer) for text in texts], labels, seed)[0]
            difference = (whole.argmax(1) == codes).astype(float) - (short.argmax(1) == codes)
            half = 1.96 * difference.std(ddof=1) / math.sqrt(len(codes))
            costs[keep] = float(difference.mean()), float(difference.mean() - half), float(difference.mean() + half)
        numbers |= {f"cost of keeping the {keep}": value for keep, value in costs.items()}
        value, low, high = costs["start"]
        says += f", and {100 * value:.1f} points [{100 * low:.1f}, {100 * high:.1f}] of a model of words"
        if low > 0 and value > CUT_COST:
            best = min(costs, key=lambda keep: costs[keep][0])
            hint = f"keeping the {best if best != 'both' else 'two ends'} costs {100 * costs[best][0]:.1f} points" \
                if best != "start" else "no other end is better"
            findings.append(Finding("truncation", "input-truncated", says, f"a larger limit, or another part to keep ({hint})",
                                    0.9 if low > CUT_COST else 0.7))
    return Seen("truncation", says, numbers, [int(i) for i in numpy.argsort(counts)[::-1][:3]], findings)
