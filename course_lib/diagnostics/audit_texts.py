"""Checks of an audit that look at the texts alone: duplicates, damage, markup, lengths, words, tokens.

Each returns a `Seen`. Thresholds are the constants at the top; they were set so that clean data raises nothing.
Built in chapter 4, shown through `audit`.
"""
import html
import math
import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy

from course_lib.diagnostics.findings import Finding

SIMILAR = 0.8             # Jaccard similarity of word pairs from which two texts are near-duplicates
RELATED = 0.65            # ... from which they are related: near-duplicates have to outnumber these to stand apart
DUPLICATED_SHARE = 0.01   # of the texts that repeat another one
OVERLAP_SHARE = 0.01      # of the test texts
DAMAGED = 3               # texts; fewer can be honest oddities
MARKUP_SHARE = 0.02
STRANGE = 7.5             # robust standard deviations of a text's surprise
UNKNOWN_SHARE = 0.1       # of the tokens

_WORD = re.compile(r"\w+")
_UNIT = re.compile(r"\w+|[^\w\s]")


@dataclass
class Seen:
    """What one check measured: a sentence with its numbers, the numbers, rows to read, and the alarms, if any."""
    check: str
    says: str
    numbers: dict = field(default_factory=dict)
    rows: list = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def words(text: str) -> list[str]:
    """Words in small letters, no marks: what two texts are compared by."""
    return _WORD.findall(text.lower())


def key(text: str) -> str:
    """A text up to capitals, marks and spaces."""
    return " ".join(words(unicodedata.normalize("NFKC", text)))


# Duplicates

def groups_of_equals(texts: Sequence[str]) -> list[list[int]]:
    """Numbers of texts that are equal up to capitals, marks and spaces; groups of at least two. Empty texts are not."""
    found = defaultdict(list)
    for i, text in enumerate(texts):
        if name := key(text):
            found[name].append(i)
    return [group for group in found.values() if len(group) > 1]


def similar_pairs(texts: Sequence[str], threshold: float = RELATED) -> list[tuple[int, int, float]]:
    """(i, j, similarity) of all pairs i < j whose sets of word pairs have a Jaccard similarity of `threshold` or more.

    All of them, and found without comparing all: two sets can only be that similar if they share one of their
    rarest elements (prefix filtering, Bayardo, Ma and Srikant 2007). Texts of fewer than four words are left out.
    """
    sets = []
    for text in texts:
        w = words(text)
        sets.append(set(zip(w, w[1:])) if len(w) > 3 else set())
    frequency = Counter(pair for found in sets for pair in found)
    where, pairs = defaultdict(list), []
    for j in sorted(range(len(sets)), key=lambda i: len(sets[i])):
        rarest = sorted(sets[j], key=lambda pair: (frequency[pair], pair))
        prefix = rarest[:len(rarest) - math.ceil(threshold * len(rarest)) + 1]
        candidates = {i for pair in prefix for i in where[pair] if len(sets[i]) >= threshold * len(sets[j])}
        for i in candidates:
            shared = len(sets[i] & sets[j])
            similarity = shared / (len(sets[i]) + len(sets[j]) - shared)
            if similarity >= threshold:
                pairs.append((min(i, j), max(i, j), similarity))
        for pair in prefix:
            where[pair].append(j)
    return sorted(pairs)


def _near(similar, wanted, but) -> tuple[set, set]:
    """Later texts of near-duplicates, and of related pairs only; wanted(i, j): the pairs that count; but: texts that
    do not."""
    near = {j for i, j, how in similar if how >= SIMILAR and wanted(i, j) and not {i, j} & but}
    return near, {j for i, j, how in similar if how < SIMILAR and wanted(i, j) and not {i, j} & but} - near


def duplicates(texts: Sequence[str], similar: list[tuple[int, int, float]], left_out: set[int]) -> Seen:
    """Exact and near-duplicates. similar: `similar_pairs` of the texts, and others behind them, which are ignored.
    left_out: rows that another check accounts for (contradictions).

    Copies stand apart: few pairs are almost as similar. Where many are, as in texts written from templates,
    near-duplicates come by chance and raise no alarm.
    """
    equal = [group for group in groups_of_equals(texts) if not left_out.issuperset(group)]
    repeated = {i for group in equal for i in group[1:]}
    near, related = _near(similar, lambda i, j: j < len(texts), repeated | left_out)
    n, apart = max(1, len(texts)), len(near) > len(related)
    count = len(repeated) + apart * len(near)
    says = f"{len(repeated)} texts repeat another word for word, {len(near)} nearly so ({(len(repeated) + len(near)) / n:.1%})"
    if near and not apart:
        says += f"; with {len(related)} more related, as in texts written from templates"
    findings = []
    if count > DUPLICATED_SHARE * n and count >= DAMAGED:
        findings.append(Finding("duplicates", "examples-duplicated", says, "how the data were joined or crawled; keep "
                                "one of each before splitting, or the test set will hold some of them", 0.95))
    pairs = [[i, j] for i, j, how in similar if how >= SIMILAR and j in near]
    return Seen("duplicates", says, {"exact": len(repeated), "near": len(near), "related": len(related)},
                [group[:2] for group in equal[:5]] + pairs[:5], findings)


def overlap(texts: Sequence[str], test: Sequence[str], similar: list[tuple[int, int, float]]) -> Seen:
    """Test texts that stand in the training texts, word for word or nearly so. similar: `similar_pairs` of both."""
    n = len(texts)
    known = {key(text) for text in texts} - {""}
    exact = {j + n for j, text in enumerate(test) if key(text) in known}
    near, related = _near(similar, lambda i, j: i < n <= j, exact)
    count = len(exact) + (len(near) > len(related)) * len(near)
    says = f"{len(exact)} of {len(test)} test texts stand in the training set word for word, {len(near)} nearly so"
    findings = []
    if count > OVERLAP_SHARE * len(test) and count >= DAMAGED:
        findings.append(Finding("overlap", "test-overlap", says, "how the split was made: remove duplicates first, and "
                                "keep what belongs together (a document, a user) on one side", 0.95))
    return Seen("overlap", says, {"exact": len(exact), "near": len(near), "related": len(related)},
                [j - n for j in sorted(exact | near)[:5]], findings)


# Damage

def misread(text: str) -> bool:
    """Whether a text was decoded with the wrong encoding: its UTF-8 read as Windows-1252 or Latin-1, characters
    replaced, or control characters in it. The test is that undoing the mistake gives well-formed UTF-8."""
    if "\ufffd" in text or any(unicodedata.category(c) == "Cc" and c not in "\t\n\r\x85" for c in text):
        return True
    for part in re.findall(r"[^\x00-\x7f]{2,}", text):
        for encoding in ("cp1252", "latin-1"):
            try:
                if len(part.encode(encoding).decode("utf-8")) < len(part):
                    return True
            except UnicodeError:
                continue
    return False


_MARKUP = {"HTML tags": re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(\s[^<>]*)?/?>"),
           "HTML entities": re.compile(r"&(?:#\d+|[a-zA-Z]{2,8});"),
           "addresses": re.compile(r"https?://\S+|www\.\S+"),
           "hashtags": re.compile(r"(?<!\w)#[A-Za-z]\w*"),
           "mentions": re.compile(r"(?<!\w)@[A-Za-z]\w*"),
           "e-mail": re.compile(r"\b[\w.+-]+@[\w-]+\.\w+")}


def damage(texts: Sequence[str]) -> Seen:
    """Empty texts and texts decoded with the wrong encoding."""
    empty = [i for i, text in enumerate(texts) if not text.strip()]
    broken = [i for i, text in enumerate(texts) if misread(text)]
    says = f"{len(empty)} texts are empty; {len(broken)} were decoded with the wrong encoding"
    findings = []
    if empty:
        findings.append(Finding("empty", "input-corrupted", f"{len(empty)} texts are empty (the first: row {empty[0]})",
                                "the step that reads or cleans them; leave them out", 0.95 if len(empty) > 1 else 0.8))
    if len(broken) >= DAMAGED:
        findings.append(Finding("encoding", "input-corrupted",
                                f"{len(broken)} texts were decoded with the wrong encoding, such as row {broken[0]}: "
                                f"{excerpt(texts[broken[0]])!r}", "open(..., encoding=) where the files are read", 0.95))
    return Seen("damage", says, {"empty": len(empty), "misread": len(broken)}, broken[:5] or empty[:5], findings)


def markup(texts: Sequence[str]) -> Seen:
    """What a preprocessing step might remove."""
    found = {name: [i for i, text in enumerate(texts) if pattern.search(text)] for name, pattern in _MARKUP.items()}
    found["HTML entities"] = [i for i in found["HTML entities"] if html.unescape(texts[i]) != texts[i]]
    rows = sorted(set().union(*found.values()))
    share = len(rows) / max(1, len(texts))
    counts = {name: len(some) for name, some in found.items() if some}
    says = (f"{len(rows)} texts ({share:.1%}) hold markup: " + ", ".join(f"{n} {name}" for name, n in counts.items())
            if rows else "no markup, addresses, hashtags or mentions")
    findings = []
    if share > MARKUP_SHARE and len(rows) >= DAMAGED:
        findings.append(Finding("markup", "input-markup", says, "whether it should be removed, kept or replaced by a "
                                "token of its own, and the same for all parts of the data", 0.9))
    return Seen("markup", says, {"share": share, **counts}, rows[:5], findings)


# Lengths and words

def lengths(texts: Sequence[str], tokenizer=None) -> Seen:
    """The distribution of lengths, in words, or in the tokenizer's tokens."""
    counts = numpy.array([len(encode(tokenizer, text)) if tokenizer else len(_UNIT.findall(text)) for text in texts])
    unit = "tokens" if tokenizer else "words and marks"
    low, median, high = numpy.percentile(counts, [5, 50, 95])
    says = f"{median:.0f} {unit} in the median, 90 % of the texts have {low:.0f} to {high:.0f}, the longest {counts.max()}"
    order = numpy.argsort(counts)
    return Seen("lengths", says, {"median": float(median), "low": float(low), "high": float(high),
                                  "longest": int(counts.max()), "counts": counts},
                [int(order[0]), int(order[-1])])


def vocabulary(texts: Sequence[str], test: Sequence[str] | None = None) -> Seen:
    """How many words, how many of them once, and what a held-out part would not know.

    unseen: share of the words of held-out texts that training texts lack; of the test set, beside that of a fifth
    of the training set held out, which is what a test set of the same origin would show.
    """
    counts = Counter(word for text in texts for word in words(text))
    total, once = sum(counts.values()), sum(n == 1 for n in counts.values())
    order = list(range(len(texts)))
    random.Random(0).shuffle(order)
    held = order[::5]
    known = {word for i in set(order) - set(held) for word in words(texts[i])}
    numbers = {"words": total, "types": len(counts), "once": once, "unseen": _unseen([texts[i] for i in held], known)}
    says = (f"{len(counts)} different words among {total}, {once} of them once; a fifth held out would meet "
            f"{numbers['unseen']:.1%} unknown words")
    if test is not None:
        numbers["unseen in test"] = _unseen(test, set(counts))
        says += f", the test set meets {numbers['unseen in test']:.1%}"
    return Seen("vocabulary", says, numbers, [word for word, _ in counts.most_common(10)])


def _unseen(texts, known):
    found = [word for text in texts for word in words(text)]
    return sum(word not in known for word in found) / max(1, len(found))


def surprise(texts: Sequence[str], order: int, seed: int = 0) -> numpy.ndarray:
    """How surprising each text is, in robust standard deviations: from models of single words (order 1) or of
    words behind a word (order 2) counted on four fifths of the others.

    Interpolated with Witten and Bell's weights; the mean surprise of a text of n words is scaled by the root of n.
    """
    units = [["<s>"] * (order - 1) + [*_UNIT.findall(text.lower()), "</s>"] for text in texts]
    shuffled = list(range(len(texts)))
    random.Random(seed).shuffle(shuffled)
    mean = numpy.zeros(len(texts))
    for fold in range(5):
        held = set(shuffled[fold::5])
        counts, after, kinds = Counter(), Counter(), Counter()
        for i in set(shuffled) - held:
            for at in range(order - 1, len(units[i])):
                for n in range(order):
                    context = tuple(units[i][at - n:at])
                    gram = (*context, units[i][at])
                    kinds[context] += gram not in counts
                    counts[gram] += 1
                    after[context] += 1
        for i in held:
            total = 0.0
            for at in range(order - 1, len(units[i])):
                p = 1 / (kinds[()] + 1)
                for n in range(order):
                    context = tuple(units[i][at - n:at])
                    if after[context]:
                        p = (counts[(*context, units[i][at])] + kinds[context] * p) / (after[context] + kinds[context])
                total -= math.log(p)
            mean[i] = total / (len(units[i]) - order + 1)
    size = numpy.array([len(unit) - order + 1 for unit in units])
    deviation = (mean - numpy.median(mean)) * numpy.sqrt(size)
    return deviation / (1.4826 * numpy.median(abs(deviation)) + 1e-9)


def outliers(texts: Sequence[str], left_out: set[int]) -> Seen:
    """Texts to read by eye: the strangest by their words, their letters, their length. left_out: damaged rows."""
    scores = numpy.maximum(abs(surprise(texts, 1)), abs(surprise(texts, 2)))
    count = numpy.array([max(1, len(words(text))) for text in texts])
    letters = numpy.array([sum(c.isalpha() for c in text) / max(1, len("".join(text.split()))) for text in texts])
    often = Counter(word for text in texts for word in set(words(text)))
    known = numpy.array([sum(often[word] > 1 for word in words(text)) for text in texts]) / count
    size = numpy.log(count)
    far = abs(size - numpy.median(size)) > max(6 * 1.4826 * numpy.median(abs(size - numpy.median(size))), math.log(5))
    odd = (letters < 0.5) | far | (scores > STRANGE) & (known < 0.7)
    garbled = (scores > STRANGE) & ~odd
    ignored = numpy.array([i in left_out for i in range(len(texts))])
    odd, garbled = numpy.flatnonzero(odd & ~ignored), numpy.flatnonzero(garbled & ~ignored)
    strangest = [int(i) for i in numpy.argsort(-scores) if i not in left_out][:5]
    says = f"{len(odd)} texts do not look like the others; {len(garbled)} use known words in an order unlike theirs"
    findings = []
    if len(odd) >= max(DAMAGED, 0.002 * len(texts)):
        findings.append(Finding("outliers", "input-outliers", f"{len(odd)} texts do not look like the others, such as "
                                f"row {odd[0]}: {excerpt(texts[odd[0]])!r}", "where they come from; read them", 0.85))
    if len(garbled) >= max(DAMAGED, 0.002 * len(texts)):
        findings.append(Finding("word order", "input-corrupted", f"{len(garbled)} texts use known words in an order "
                                f"unlike the others', such as row {garbled[0]}: {excerpt(texts[garbled[0]])!r}",
                                "the vocabulary they were decoded with, or a step that shuffles words", 0.8,
                                ("input-outliers",)))
    return Seen("outliers", says, {"odd": len(odd), "garbled": len(garbled), "scores": scores},
                [*map(int, odd[:5]), *map(int, garbled[:5])] or strangest, findings)


# Tokens

def encode(tokenizer, text: str, special: bool = False) -> list[int]:
    """Ids by a tokenizer of course_lib, of the tokenizers library or of transformers, or any callable."""
    if hasattr(tokenizer, "encode_batch"):     # the tokenizers library
        return tokenizer.encode(text, add_special_tokens=special).ids
    if hasattr(tokenizer, "explain"):          # course_lib.tokenization
        return tokenizer.encode(text, special=special)
    if hasattr(tokenizer, "convert_ids_to_tokens"):
        return tokenizer.encode(text, add_special_tokens=special)
    return list(tokenizer(text))


def _parts(tokenizer) -> tuple[dict[str, int], object] | None:
    """(vocabulary, function from ids to text) where the tokenizer has both."""
    vocabulary = (tokenizer.get_vocab() if hasattr(tokenizer, "get_vocab") else getattr(tokenizer, "vocabulary", None))
    return (dict(vocabulary), tokenizer.decode) if vocabulary and hasattr(tokenizer, "decode") else None


def tokens(texts: Sequence[str], tokenizer) -> Seen:
    """What the tokenizer makes of the texts: unknown tokens, the way back, special tokens.

    A round trip may change capitals and spaces, and loses unknown words; anything else it loses is an alarm. So
    are special tokens for the start and end of a text that the vocabulary has and the tokenizer does not set, or
    sets twice, and an encoder's padding on the left.
    """
    sample = [text for text in texts if text.strip()][:500]
    parts = _parts(tokenizer)
    if parts is None:
        return Seen("tokens", "the tokenizer has no vocabulary to look at: it is only used to count")
    vocabulary, decode = parts
    unknown_ids = {vocabulary[name] for name in ("<unk>", "[UNK]", "<UNK>", "unk") if name in vocabulary}
    encoded = [encode(tokenizer, text) for text in sample]
    total = sum(map(len, encoded))
    unknown = sum(i in unknown_ids for ids in encoded for i in ids) / max(1, total)
    empty = sum(not ids for ids in encoded)
    lost = []
    for row, (text, ids) in enumerate(zip(sample, encoded)):
        if not unknown_ids & set(ids) and _letters(decode(ids)) != _letters(text):
            lost.append(row)
    fertility = total / max(1, sum(len(words(text)) for text in sample))
    says = (f"{unknown:.1%} of the tokens are unknown; {len(lost)} of {len(sample)} texts come back changed; "
            f"{fertility:.2f} tokens a word")
    findings = []

    def alarm(check, seen, look, confidence):
        findings.append(Finding(check, "tokenizer-mismatch", seen, look, confidence))

    if unknown > UNKNOWN_SHARE or empty:
        alarm("unknown tokens", f"{unknown:.1%} of the tokens are unknown, {empty} texts have no token", "whether text "
              "and vocabulary agree in capitals, language and splitting; print the tokens of a few texts", 0.9)
    if len(lost) > 0.01 * len(sample):
        alarm("round trip", f"{len(lost)} of {len(sample)} texts come back changed: {excerpt(sample[lost[0]])!r} became "
              f"{excerpt(decode(encoded[lost[0]]))!r}", "the normaliser and the decoder of the tokenizer", 0.8)
    side = (getattr(tokenizer, "padding", None) or {}).get("direction") if hasattr(tokenizer, "encode_batch") \
        else getattr(tokenizer, "padding_side", None)
    if side == "left" and "[CLS]" in vocabulary:
        alarm("padding side", "padding is set to the left of the text, for a vocabulary of an encoder ([CLS])",
              "padding on the right, where a model with learned positions was trained with it", 0.7)
    special = _special(tokenizer, sample[0], vocabulary) if sample else None
    if special:
        alarm("special tokens", special, "add_special_tokens, the template, and text that holds them already", 0.85)
    return Seen("tokens", says, {"unknown": unknown, "changed": len(lost), "tokens a word": fertility}, lost[:5], findings)


def _letters(text):
    """Letters and digits only, without accents: what no tokenizer may lose."""
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in decomposed if c.isalnum())


def _special(tokenizer, text, vocabulary):
    names = {i: name for name, i in vocabulary.items()}
    with_special = [names.get(i) for i in encode(tokenizer, text, special=True)]
    for start, end in (("[CLS]", "[SEP]"), ("<s>", "</s>")):
        if start in vocabulary and end in vocabulary:
            if with_special.count(start) > 1 or with_special[-2:] == [end, end]:
                return f"{start} or {end} stands twice around a text: {' '.join(map(str, with_special[:4]))} ..."
            if start == "[CLS]" and start not in with_special:
                return f"the vocabulary has {start} and {end}, and the tokenizer sets neither"
    return None


def excerpt(text: str, longest: int = 60) -> str:
    """The beginning of a text."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest - 1] + "\u2026"
