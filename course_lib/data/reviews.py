"""Reviews with a label, from a grammar that knows how far each label can be known: p(label | text), exactly.

The label is drawn first; every later choice is drawn from a distribution that knows it. The logarithm of
each choice is kept under both labels, so the posterior of a text, and its probability, are sums. Opinions
agree with the label more often than not, never always: the best possible classifier is wrong on some texts,
and by how many is known. What a bag of words cannot read is there on purpose: negation ("not good"),
contrast (what stands beside "but" or "although" is not what counts), words that praise one thing and blame
another (a quiet room, a quiet speaker). Built in the chapters "Debugging" and "Distillation".
"""
import math
import random
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

LABELS = ("negative", "positive")

# How often what is said agrees with the label: it is what bounds the accuracy of any classifier.
AGREES = {"mild": 0.72, "strong": 0.86, "negated": 0.75, "contrast": 0.86, "verdict": 0.9}
#: What a sentence can be, how often. Of a contrast only the clause that counts agrees; the other one contradicts it.
SENTENCES = {"mild": 0.25, "strong": 0.15, "negated": 0.16, "contrast": 0.18, "fact": 0.26}
VERDICT = 0.4    # how often a review ends with one

#: domain -> what is judged.
ASPECTS = {
    "film": "plot, acting, ending, music, dialogue, humour, lighting, editing, opening scene, second half",
    "restaurant": "food, service, wine, dessert, soup, bread, terrace, kitchen, lunch menu, coffee",
    "phone": "screen, battery, camera, speaker, case, keyboard, charger, manual, home button, sound",
    "hotel": "room, bed, breakfast, staff, pool, view, lobby, shower, location, bar",
    "book": "story, style, hero, cover, translation, first chapter, print, narrator, preface, index",
}
ASPECTS = {domain: tuple(names.split(", ")) for domain, names in ASPECTS.items()}
DOMAINS = tuple(ASPECTS)

#: strength -> words of a negative and of a positive opinion.
OPINIONS = {
    "mild": ("poor weak dull bland clumsy tiresome mediocre shabby lame disappointing unpleasant careless".split(),
             "good pleasant fine decent nice solid likeable enjoyable charming fresh careful satisfying".split()),
    "strong": ("dreadful awful terrible horrible hopeless unbearable atrocious appalling".split(),
               "superb brilliant wonderful magnificent perfect outstanding splendid marvellous".split()),
}
#: Mild words whose meaning depends on what they are said of. For each the aspects that it blames and those that it praises.
TWO_FACED = {
    "quiet": (("speaker", "music", "sound"), ("room", "terrace", "bar")),
    "small": (("room", "screen", "pool", "print"), ("case", "charger", "index")),
    "cold": (("soup", "coffee", "shower", "breakfast"), ("wine", "pool", "bar")),
    "thin": (("plot", "story", "soup", "manual"), ("case", "keyboard", "screen")),
    "soft": (("sound", "speaker", "home button"), ("bed", "bread", "lighting", "music")),
    "long": (("preface", "manual", "opening scene", "second half"), ("battery", "lunch menu", "bar")),
    "simple": (("hero", "dialogue", "dessert"), ("manual", "style", "keyboard", "kitchen")),
}
DEGREES = ("", "very ", "really ", "rather ", "quite ")
CLAUSES = ("the {aspect} was {no}{opinion}", "the {aspect} seemed {no}{opinion} to me", "I found the {aspect} {no}{opinion}",
           "the {aspect} is {no}{opinion}")
#: What counts is {main}.
CONTRASTS = ("{aside}, but {main}", "although {aside}, {main}", "{main}, although {aside}", "{main}, even if {aside}")
NEGATIONS = ("not ", "never ", "hardly ")
VERDICTS = (("In the end I would not recommend it", "I would never choose it again", "All in all, it was not worth the money"),
            ("In the end I would recommend it", "I would choose it again", "All in all, it was worth the money"))
FACTS = (
    "It was a {day} in {month}", "A friend had told me about it", "I had read about it on a {day}",
    "We were {number} that day", "It was raining on that {day}", "My sister came along", "It took us {number} hours",
    "There were {number} others before us", "I paid with my own money", "We had planned it since {month}",
    "My neighbour wrote about it in {month}", "We stayed for {number} hours")
SLOTS = {"day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
         "month": "January February March April May June July August September October November December".split(),
         "number": "four six seven nine ten eleven twelve thirteen".split()}


@dataclass(frozen=True)
class Reviews:
    """Three parts, each a datasets.Dataset with the columns text and label (0 negative, 1 positive).

    Those of the grammar also have posterior (the exact probability that the label is positive),
    log_probability (of the text, in nats), domain and phenomena (of "negation", "contrast", "two-faced").
    bayes_accuracy, label_entropy (nats): what the best classifier reaches on the grammar, exactly; None for
    real reviews.
    """
    train: "datasets.Dataset"
    validation: "datasets.Dataset"
    test: "datasets.Dataset"
    bayes_accuracy: float | None
    label_entropy: float | None


def load_reviews(size: int = 2000, held_out: int = 500, seed: int = 0, *, domains: tuple[str, ...] = DOMAINS,
                 prior: float = 0.5, sentences: tuple[int, int] = (2, 6), source: str | Path | None = None) -> Reviews:
    """Reviews: `size` to train on, `held_out` to validate and as many to test.

    prior: share of the positive ones. sentences: fewest and most, a verdict at the end not counted; texts are
    independent draws, so that the very short ones repeat. source: real reviews instead, in random order by `seed`:
    a folder with one file that ends in .pos and one in .neg, a review a line (rt-polaritydata of Pang and Lee 2005; UTF-8, or
    else Latin-1), or the name of a dataset on the Hub with columns "text" and "label", such as
    "cornell-movie-review-data/rotten_tomatoes" (its "train").

    Raises ValueError for a size below 1 or beyond what `source` holds, an unknown domain, a prior that is no share;
    FileNotFoundError or OSError for a source that is not there; ImportError where the package datasets is missing.
    """
    if min(size, held_out) < 1:
        raise ValueError(f"size={size}, held_out={held_out}: each part needs at least one review")
    unknown = set(domains) - set(DOMAINS)
    if unknown or not domains:
        raise ValueError(f"domains={domains!r}: give some of {', '.join(DOMAINS)}")
    if not 0 < prior < 1:
        raise ValueError(f"prior={prior}: a share of positive reviews between 0 and 1 is needed")
    if not 1 <= sentences[0] <= sentences[1]:
        raise ValueError(f"sentences={sentences}: give the fewest, at least 1, and the most")
    try:
        import datasets
    except ImportError as error:
        raise ImportError('the corpora need: pip install "attention-to-detail[data]"') from error
    wanted, rng = size + 2 * held_out, random.Random(f"reviews {seed}")
    if source is None:
        rows = [write_review(rng, domains=domains, prior=prior, sentences=sentences) for _ in range(wanted)]
        best = best_possible(prior=prior, sentences=sentences)
    else:
        rows, best = _read(source, datasets), (None, None)
        rng.shuffle(rows)
    if len(rows) < wanted:
        raise ValueError(f"{source} has {len(rows)} reviews, but size and twice held_out make {wanted}")
    parts = (rows[:size], rows[size:size + held_out], rows[size + held_out:wanted])
    kinds = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=list(LABELS))}
    if source is None:
        kinds |= {"posterior": datasets.Value("float64"), "log_probability": datasets.Value("float64"),
                  "domain": datasets.Value("string"), "phenomena": datasets.Sequence(datasets.Value("string"))}
    features = datasets.Features(kinds)
    return Reviews(*(datasets.Dataset.from_list(part, features=features) for part in parts), *best)


class Draw:
    """Draws for a given label; `logs` sums up the logarithms of the choices, [under negative, under positive]."""

    def __init__(self, rng: random.Random, label: int):
        self.rng, self.label, self.logs = rng, label, [0.0, 0.0]

    def __call__(self, options, weights=None):
        """One of `options`. weights: None if equally likely, {option: share}, or one such dict for each label."""
        options = list(options)
        both = weights if isinstance(weights, tuple) else (weights or dict.fromkeys(options, 1 / len(options)),) * 2
        chosen = self.pick(options, [both[self.label][option] for option in options])
        for i in (0, 1):
            self.logs[i] += math.log(both[i][chosen])
        return chosen

    def pick(self, options, shares):
        return self.rng.choices(options, weights=shares)[0]

    def opinion(self, kind: str) -> int:
        """A sentiment, 0 or 1, that agrees with the label as often as `AGREES` says."""
        p = AGREES[kind]
        return self((0, 1), weights=({0: p, 1: 1 - p}, {0: 1 - p, 1: p}))


def write_review(rng: random.Random, *, domains: tuple[str, ...] = DOMAINS, prior: float = 0.5,
                 sentences: tuple[int, int] = (2, 6), draw: Draw | None = None) -> dict:
    """One review: the columns of `Reviews`. draw: what draws, to enumerate all texts instead (its label is used)."""
    draw = draw or Draw(rng, int(rng.random() < prior))
    domain, phenomena, said = draw(domains), set(), []
    left = list(ASPECTS[domain])
    for _ in range(draw(range(sentences[0], sentences[1] + 1))):
        if len(left) < 2:
            left = list(ASPECTS[domain])
        said.append(_sentence(draw, left, phenomena))
    if draw((True, False), {True: VERDICT, False: 1 - VERDICT}):
        verdict = draw.opinion("verdict")
        phenomena |= {"negation"} if verdict == 0 else set()
        said.append(draw(VERDICTS[verdict]))
    text = " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in said)
    negative, positive = draw.logs[0] + math.log(1 - prior), draw.logs[1] + math.log(prior)
    total = max(negative, positive) + math.log1p(math.exp(-abs(positive - negative)))
    return {"text": text, "label": draw.label, "posterior": math.exp(positive - total), "log_probability": total,
            "domain": domain, "phenomena": sorted(phenomena)}


def _sentence(draw, left, phenomena):
    kind = draw(SENTENCES, SENTENCES)
    if kind == "fact":
        fact = draw(FACTS)
        return fact.format(**{slot: draw(words) for slot, words in SLOTS.items() if f"{{{slot}}}" in fact})
    if kind == "contrast":
        phenomena.add("contrast")
        sentiment, way = draw.opinion("contrast"), draw(CONTRASTS)
        main, aside = (_clause(draw, left, s, "mild", phenomena) for s in (sentiment, 1 - sentiment))
        return way.format(main=main, aside=aside)
    if kind == "negated":
        phenomena.add("negation")
        return _clause(draw, left, 1 - draw.opinion(kind), "mild", phenomena, draw(NEGATIONS))
    return _clause(draw, left, draw.opinion(kind), kind, phenomena)


def _clause(draw, left, sentiment, strength, phenomena, negation=""):
    """A clause on an aspect of those `left`, with a word of this sentiment."""
    aspect = draw(left)
    left.remove(aspect)
    words = [*OPINIONS[strength][sentiment],
             *(word for word, sides in TWO_FACED.items() if strength == "mild" and aspect in sides[sentiment])]
    word = draw(words)
    if word in TWO_FACED:
        phenomena.add("two-faced")
    degree = "" if negation else draw(DEGREES)
    return draw(CLAUSES).format(aspect=aspect, no=negation, opinion=degree + word)


# What can be known

def best_possible(prior: float = 0.5, sentences: tuple[int, int] = (2, 6)) -> tuple[float, float]:
    """(accuracy, entropy in nats) of the label given the text, exactly: the Bayes accuracy and what is left unknown.

    The distribution of the evidence, the log-odds that opinions add up to, is convolved sentence by sentence.
    """
    def opinions(kinds):   # {evidence: its probability under the negative label}
        found = defaultdict(float)
        for kind, share in kinds.items():
            p = AGREES.get(kind, 0.5)
            found[_odds(p)] += share * (1 - p)
            found[-_odds(p)] += share * p
        return found

    def convolve(a, b):
        found = defaultdict(float)
        for x, p in a.items():
            for y, q in b.items():
                found[round(x + y, 9)] += p * q
        return found

    one, counts = opinions(SENTENCES), range(sentences[0], sentences[1] + 1)
    verdict, so_far = opinions({"verdict": VERDICT, "none": 1 - VERDICT}), {0.0: 1.0}
    accuracy = entropy = 0.0
    for count in range(1, counts[-1] + 1):
        so_far = convolve(so_far, one)
        if count not in counts:
            continue
        for evidence, p in convolve(so_far, verdict).items():
            negative, positive = (1 - prior) * p / len(counts), prior * p * math.exp(evidence) / len(counts)
            accuracy += max(negative, positive)
            for part in (negative, positive):
                entropy -= part * math.log(part / (negative + positive))
    return accuracy, entropy


def posterior(text: str, prior: float = 0.5) -> float:
    """The exact p(positive | text), read from the text alone; of a beginning or a part, what its whole clauses tell.

    A text that says nothing, or nothing that the grammar can say, leaves the prior.
    """
    evidence = _odds(prior)
    for sentence in re.split(r"(?<=\.)\s+", text.strip()):
        if found := _read_sentence(sentence.rstrip(".")):
            kind, sentiment = found
            evidence += _odds(AGREES[kind]) * (1 if sentiment else -1)
    return 1 / (1 + math.exp(-evidence))


def _odds(p):
    return math.log(p / (1 - p))


_ASPECT = "|".join(sorted({name for names in ASPECTS.values() for name in names}, key=len, reverse=True))
_WORDS = {word: (strength, sentiment) for strength, both in OPINIONS.items() for sentiment in (0, 1)
          for word in both[sentiment]}
_CLAUSE = re.compile(rf"\bthe ({_ASPECT}) (?:was |is |seemed )?(not |never |hardly )?(?:(?:very|really|rather|quite) )?"
                     rf"({'|'.join([*_WORDS, *TWO_FACED])})\b", re.IGNORECASE)
_ASIDE = re.compile(r"although|even if", re.IGNORECASE)


def _read_sentence(sentence):
    """(key of AGREES, sentiment) or None."""
    for sentiment in (0, 1):
        if sentence in VERDICTS[sentiment]:
            return "verdict", sentiment
    clauses = []
    for match in _CLAUSE.finditer(sentence):
        aspect, negated, word = match[1].lower(), bool(match[2]), match[3].lower()
        strength, sentiment = _WORDS.get(word) or ("mild", int(aspect in TWO_FACED[word][1]))
        clauses.append((match.start(), "negated" if negated else strength, sentiment != negated))
    aside = _ASIDE.search(sentence)
    if not clauses:
        return None
    if ", but" in sentence or aside:
        # The clause that follows the conjunction of an aside is the aside; without one, the clause before "but" is.
        start, _, sentiment = clauses[0]
        first_is_aside = ", but" in sentence or aside.start() < start
        return "contrast", bool(sentiment) != first_is_aside
    return clauses[0][1], clauses[0][2]


# Real reviews

def _read(source, datasets) -> list[dict]:
    folder = Path(source)
    if folder.is_dir():
        rows = []
        for label, pattern in enumerate(("*.neg", "*.pos")):
            found = sorted(folder.glob(pattern))
            if len(found) != 1:
                raise FileNotFoundError(f"{folder} must be a folder with one {pattern}; it has {len(found)}. In this "
                                        "format: sentence polarity dataset v1.0, cs.cornell.edu/people/pabo/movie-review-data")
            raw = found[0].read_bytes()
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError:
                text = raw.decode("latin-1")
            # Lines end with a line feed only: "\x85" of Latin-1 is a character of a review.
            rows += [{"text": line.strip(), "label": label} for line in text.split("\n") if line.strip()]
        return rows
    try:
        rows = datasets.load_dataset(str(source), split="train")
        return [{"text": row["text"], "label": int(row["label"])} for row in rows]
    except Exception as error:  # the Hub's library has many, not all of them OSErrors
        raise OSError(f"no folder {source}, and no such dataset with columns text and label could be read from "
                      f"the Hub ({type(error).__name__}): check the name, the network") from error
