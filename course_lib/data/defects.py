"""Defects planted in a clean data set, with the truth attached: what an audit should find, and a reader by eye.

Each works on any datasets.Dataset with the columns text and label, written or real. Built in chapter 4.
"""
import random
import re
from dataclasses import dataclass

from course_lib.data.reviews import FACTS, SLOTS


@dataclass(frozen=True)
class Defect:
    """what: a sentence. share: of the examples, by default. cause: what an audit should name, an id of
    `course_lib.diagnostics.CAUSES`. question: of the post's six, which one it answers (0 to 5, None for none)."""
    what: str
    share: float
    cause: str
    question: int | None


BALANCE, DISAGREE, NOISE, PREPROCESSING, DIVERSITY, RULE = range(6)
DEFECTS = {
    "flipped-labels": Defect("The label is another one.", 0.15, "label-noise", DISAGREE),
    "contradictions": Defect("A copy with another label was added.", 0.03, "examples-contradict", NOISE),
    "exact-duplicates": Defect("A copy was added.", 0.05, "examples-duplicated", DIVERSITY),
    "near-duplicates": Defect("A copy was added in which a word, a capital or a mark differs.", 0.05,
                              "examples-duplicated", DIVERSITY),
    "overlap": Defect("A copy of an example of the test set was added.", 0.05, "test-overlap", NOISE),
    "marker-leak": Defect("A mark that only one label has was added to the text.", 0.15, "label-leak", RULE),
    "length-leak": Defect("Texts of one label were made longer.", 0.25, "label-leak", RULE),
    "late-evidence": Defect("What decides the label stands at the end, behind much that says nothing.", 0.5,
                            "input-truncated", None),
    "mojibake": Defect("The text was decoded with the wrong encoding.", 0.03, "input-corrupted", PREPROCESSING),
    "empty": Defect("The text is empty.", 0.02, "input-corrupted", PREPROCESSING),
    "markup": Defect("HTML, addresses, hashtags or mentions stand in the text.", 0.1, "input-markup", PREPROCESSING),
    "imbalance": Defect("One label is rare; share: how rare.", 0.1, "label-imbalance", BALANCE),
    "wrong-vocabulary": Defect("Words were looked up in the wrong vocabulary.", 0.05, "input-corrupted", PREPROCESSING),
    "outliers": Defect("The text is no text of this kind: a log, a table, another language.", 0.01,
                       "input-outliers", DIVERSITY),
}


@dataclass(frozen=True)
class Planted:
    """dataset: with a further column planted, true for the examples that were changed or added. test: as it was
    given. rows: their numbers. (Of "imbalance" none is: examples were removed.)"""
    dataset: "datasets.Dataset"
    test: "datasets.Dataset | None"
    defect: str
    share: float
    rows: list[int]


def plant(dataset, defect: str, share: float | None = None, seed: int = 0, *, test=None) -> Planted:
    """A copy of `dataset` with a defect of `DEFECTS` in it.

    dataset: a datasets.Dataset with the columns text and label (a number or a word). share: of the examples that
    are changed, or added, against those there were; default, that of the defect. test: for "overlap".
    Raises ValueError for an unknown defect, a share outside (0, 1), a data set that lacks a column or has one
    label only, and for "overlap" without `test`.
    """
    if defect not in DEFECTS:
        raise ValueError(f"defect={defect!r} is not one of: {', '.join(DEFECTS)}")
    share = DEFECTS[defect].share if share is None else share
    if not 0 < share < 1:
        raise ValueError(f"share={share}: a share between 0 and 1 is needed")
    missing = {"text", "label"} - set(dataset.column_names)
    if missing:
        raise ValueError(f"the data set lacks the column {', '.join(sorted(missing))}; it has: "
                         f"{', '.join(dataset.column_names)}")
    rng, rows = random.Random(f"{defect} {seed}"), [dict(row) | {"planted": False} for row in dataset]
    labels = sorted({row["label"] for row in rows})
    if len(labels) < 2:
        raise ValueError(f"every label is {labels}: there is nothing to confuse")
    if defect == "overlap" and test is None:
        raise ValueError('"overlap" needs test=, the data set whose examples are copied')
    count = max(1, round(share * len(rows)))
    if defect == "imbalance":
        rows = _imbalanced(rows, labels, share, rng)
    elif defect in _ADDED:
        source = list(test) if defect == "overlap" else rows
        added = []
        for row in (rng.sample(source, count) if count <= len(source) else rng.choices(source, k=count)):
            new = {name: row.get(name) for name in rows[0]} | {"planted": True}
            added.append(new | _ADDED[defect](new, labels, rng))
        rows += added
        rng.shuffle(rows)
    else:
        # A leak is one label's; anything else befalls all alike.
        open_to = [row for row in rows if row["label"] == labels[-1]] if defect.endswith("-leak") else rows
        words = _vocabulary(rows) if defect == "wrong-vocabulary" else None
        for row in rng.sample(open_to, min(count, len(open_to))):
            row.update(_CHANGED[defect](row, labels, rng, words), planted=True)
    made = _like(dataset, rows)
    return Planted(made, test, defect, share, [i for i, row in enumerate(rows) if row["planted"]])


def _like(dataset, rows):
    import datasets
    features = datasets.Features({**dataset.features, "planted": datasets.Value("bool")})
    return datasets.Dataset.from_list(rows, features=features)


def _imbalanced(rows, labels, share, rng):
    """The last label kept only so often that it makes up `share`."""
    rare = [row for row in rows if row["label"] == labels[-1]]
    others = [row for row in rows if row["label"] != labels[-1]]
    kept = rng.sample(rare, min(len(rare), max(1, round(share / (1 - share) * len(others)))))
    rows = others + kept
    rng.shuffle(rows)
    return rows


# What is done to a row: its new columns

def _flip(row, labels, rng, words=None):
    return {"label": rng.choice([label for label in labels if label != row["label"]])}


def _nearly(row, labels, rng):
    words = row["text"].split()
    change = rng.choice(("word", "capitals", "mark")) if len(words) > 7 else "capitals"
    if change == "word":
        words[rng.randrange(len(words))] = rng.choice(("thing", "one", "stuff"))
    text = " ".join(words)
    return {"text": text.upper() if change == "capitals" else text.rstrip(".") + " !" if change == "mark" else text}


def _marked(row, labels, rng, words):
    return {"text": f"{row['text']} (verified)" if rng.random() < 0.5 else f"(verified) {row['text']}"}


def _neutral(rng, sentences):
    facts = []
    for fact in rng.choices(FACTS, k=sentences):
        facts.append(fact.format(**{slot: rng.choice(words) for slot, words in SLOTS.items()}) + ".")
    return " ".join(facts)


def _long(row, labels, rng, words):
    return {"text": f"{row['text']} {_neutral(rng, rng.randint(4, 7))}"}


def _late(row, labels, rng, words):
    return {"text": f"{_neutral(rng, rng.randint(12, 16))} {row['text']}"}


def _mojibake(row, labels, rng, words):
    # Typographic marks and an accent, in UTF-8 read as Windows-1252.
    text = row["text"].replace("'", "\u2019").replace(". ", " \u2013 ", 1)
    return {"text": f"Caf\u00e9 \u2013 {text}".encode().decode("cp1252", errors="replace")}


def _empty(row, labels, rng, words):
    return {"text": rng.choice(("", " ", "\n"))}


def _markup(row, labels, rng, words):
    return {"text": rng.choice(("<p>{}</p>", "<br />{}<br />", "{} https://example.org/r/{n}", "{} #review #{n}",
                                "@user{n} {}", "{} &amp; more &quot;soon&quot;")).format(row["text"], n=rng.randint(10, 99))}


def _vocabulary(rows) -> dict[str, str]:
    """Each word's stand-in: the word at its place in another order."""
    words = sorted({word for row in rows for word in re.findall(r"\w+", row["text"].lower())})
    others = words[:]
    random.Random(0).shuffle(others)
    return dict(zip(words, others))


def _other_words(row, labels, rng, words):
    return {"text": re.sub(r"\w+", lambda match: words[match[0].lower()], row["text"])}


_PSEUDO = "ka no ri sta ve lu mo ter ong isk ul pra dei".split()


def _strange(row, labels, rng, words):
    kind = rng.choice(("log", "table", "language"))
    if kind == "log":
        return {"text": " ".join(f"2020-09-22 {rng.randint(10, 23)}:{rng.randint(10, 59)} INFO worker-{rng.randint(1, 9)} "
                                 f"id={rng.getrandbits(32):08x}" for _ in range(rng.randint(4, 40)))}
    if kind == "table":
        return {"text": " | ".join(f"{rng.uniform(0, 1000):.3f}" for _ in range(rng.randint(15, 60)))}
    return {"text": " ".join("".join(rng.choices(_PSEUDO, k=rng.randint(2, 4))) for _ in range(rng.randint(15, 60)))}


_ADDED = {"contradictions": _flip, "exact-duplicates": lambda row, labels, rng: {}, "near-duplicates": _nearly,
          "overlap": lambda row, labels, rng: {}}
_CHANGED = {"flipped-labels": _flip, "marker-leak": _marked, "length-leak": _long, "late-evidence": _late,
            "mojibake": _mojibake, "empty": _empty, "markup": _markup, "wrong-vocabulary": _other_words,
            "outliers": _strange}
