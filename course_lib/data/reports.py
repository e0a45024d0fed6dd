"""Short reports and their headlines: summarising that can be judged by facts.

Rules write reports of a fire, a match or a vote. The first sentence sets the scene and says nothing that
counts; what counts is spread over the others, in any order and in other words than the headline's: who
won is told by two counts of goals, how many were hurt by a sum. `read` finds the facts again, in a report,
in any sentence of it and in a headline, so that a summary is judged by what it says and not by how many
words it shares with another. Built in the chapter "Encoder-decoders".
"""
import random
import re
import zlib
from dataclasses import dataclass
from functools import cache

TOWNS = ("Ashby", "Dunmore", "Elmstead", "Kingsford", "Marlow", "Northport", "Redhill", "Saltash")
BUILDINGS = ("hotel", "library", "market", "mill", "school", "theatre")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
NUMBERS = ("nil", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: What a headline has to get right.
FACTS = ("town", "thing", "outcome", "number")


@dataclass(frozen=True)
class Kind:
    """One kind of report. Templates hold slots: town, thing, day, number, and counts a to d, as words.

    things: what the slot thing can be. leads: first sentences. body: a tuple of ways to say it for each
    sentence that is always there. by_outcome: likewise, where the outcome is said. extras: sentences that
    say nothing. headlines: for each outcome.
    """
    things: tuple[str, ...]
    leads: tuple[str, ...]
    body: tuple[tuple[str, ...], ...]
    by_outcome: dict[str, tuple[str, ...]]
    extras: tuple[str, ...]
    headlines: dict[str, tuple[str, ...]]


KINDS = {
    "fire": Kind(
        BUILDINGS,
        ("Smoke stood over the roofs on {day} morning.", "The bells rang before dawn on {day}.",
         "It was a short night for the firemen."),
        (("Half of {town} came out to look.", "The wind carried the ash all over {town}."),
         ("The doctors saw {a} firemen and {b} guests.", "Among those in hospital are {a} firemen and {b} guests.")),
        {"destroyed": ("Only the chimney of the {thing} is left.", "By noon the {thing} was gone."),
         "saved": ("The {thing} will open again next week.", "The flames never reached the roof of the {thing}.")},
        ("The cause is not known.", "An old stove may be to blame."),
        {"destroyed": ("Fire destroys {thing} in {town}, {number} hurt", "Fire in {town} ruins {thing}, {number} hurt"),
         "saved": ("Fire spares {thing} in {town}, {number} hurt", "Firemen in {town} save {thing}, {number} hurt")}),
    "match": Kind(
        TOWNS,
        ("It was cold in the stands on {day}.", "The rain stopped only after ninety minutes."),
        (("The guests from {thing} were late in {town}.", "{town} had waited a year for {thing} to visit."),
         ("The hosts scored {a} before the break and {b} after it.",),
         ("The guests scored {c} before the break and {d} after it.",)),
        {},
        ("The grass was in a poor state.", "A dog ran across the field."),
        {"won": ("{town} beat {thing} {number}", "{town} win against {thing}, {number}"),
         "lost": ("{town} lose to {thing} {number}", "{town} fall to {thing}, {number}"),
         "drawn": ("{town} and {thing} draw {number}", "{town} share the points with {thing}, {number}")}),
    "vote": Kind(
        BUILDINGS,
        ("It was past midnight on {day} when they went home.", "The benches were full on {day} evening."),
        (("The council of {town} met for the third time.", "In {town} they had talked of nothing else."),
         ("On the table was the plan for a new {thing}.", "Plans for a new {thing} have been drawn."),
         ("There were {a} votes for the plan and {b} against it.",
          "There were {b} votes against the plan and {a} for it.")),
        {},
        ("Some asked for lower taxes.", "The mayor did not speak."),
        {"accepted": ("{town} to build {thing} after {number} vote", "Council of {town} backs {thing}, {number}"),
         "rejected": ("No new {thing} for {town} after {number} vote", "Council of {town} turns down {thing}, {number}")}),
}


@dataclass(frozen=True)
class Reports:
    """Three parts, each a datasets.Dataset with the columns text, headline, kind and `FACTS`.

    No four facts occur in two parts: no headline of the test part can be known by heart.
    """
    train: "datasets.Dataset"
    validation: "datasets.Dataset"
    test: "datasets.Dataset"


def load_reports(size: int = 3000, held_out: int = 300, seed: int = 0) -> Reports:
    """Reports with headlines and facts: `size` to train on, `held_out` to validate and as many to test.

    Raises ValueError for a size below 1, ImportError where the package datasets is missing.
    """
    if min(size, held_out) < 1:
        raise ValueError(f"size={size}, held_out={held_out}: each part needs at least one report")
    try:
        from datasets import Dataset
    except ImportError as error:
        raise ImportError('the corpora need: pip install "attention-to-detail[data]"') from error
    rng = random.Random(f"reports {seed}")
    wanted = {"train": size, "validation": held_out, "test": held_out}
    parts = {name: [] for name in wanted}
    while any(len(parts[name]) < wanted[name] for name in wanted):
        report = write_report(rng)
        facts = " ".join(report[name] for name in ("kind", *FACTS))
        name = {0: "test", 1: "validation"}.get(zlib.crc32(facts.encode()) % 8, "train")
        if len(parts[name]) < wanted[name]:
            parts[name].append(report)
    return Reports(**{name: Dataset.from_list(reports) for name, reports in parts.items()})


def write_report(rng: random.Random) -> dict[str, str]:
    """One report: text, headline, kind and `FACTS`."""
    name = rng.choice(list(KINDS))
    kind = KINDS[name]
    slots = {"town": rng.choice(TOWNS), "day": rng.choice(DAYS)}
    slots["thing"] = rng.choice([thing for thing in kind.things if thing != slots["town"]])
    low, high = {"fire": (2, 4), "match": (0, 2), "vote": (2, 9)}[name]
    counts = [rng.randint(low, high) for _ in "abcd"]
    while name == "vote" and counts[0] == counts[1]:
        counts[1] = rng.randint(low, high)
    slots |= {letter: NUMBERS[count] for letter, count in zip("abcd", counts)}
    facts = _facts(name, slots)
    if kind.by_outcome:
        facts["outcome"] = rng.choice(list(kind.by_outcome))
    body = [*kind.body, *([kind.by_outcome[facts["outcome"]]] if kind.by_outcome else [])]
    body += [kind.extras] * rng.randint(0, 1)
    rng.shuffle(body)
    sentences = [rng.choice(ways).format(**slots) for ways in (kind.leads, *body)]
    headline = rng.choice(kind.headlines[facts["outcome"]]).format(**slots | facts)
    return {"text": " ".join(sentences), "headline": headline, "kind": name, **facts}


def read(text: str) -> dict[str, str]:
    """The facts that a text states, those of `FACTS` that can be told from it: {} for none.

    text: a report, some sentences of it, or a headline. A sentence that no template can have written
    states nothing. Counts are added and compared, as a reader would: "three votes for the plan and four
    against it" states the number and the outcome.
    """
    kind, slots = None, {}
    for sentence in re.findall(r"[^.]+\.?", text):
        for pattern, name, outcome in _patterns():
            if match := pattern.fullmatch(sentence.strip()):
                kind = name
                slots |= match.groupdict() | ({"outcome": outcome} if outcome else {})
    return _facts(kind, slots)


def _facts(kind, slots):
    """What can be told from the values of some slots."""
    facts = {name: slots[name] for name in FACTS if name in slots}
    count = {letter: NUMBERS.index(slots[letter]) for letter in "abcd" if letter in slots}
    sides = None
    if kind == "fire" and {"a", "b"} <= count.keys():
        facts["number"] = NUMBERS[count["a"] + count["b"]]
    elif kind == "match" and len(count) == 4:
        sides = count["a"] + count["b"], count["c"] + count["d"]
    elif kind == "vote" and {"a", "b"} <= count.keys():
        sides = count["a"], count["b"]
    if sides:
        ours, theirs = sides
        facts["number"] = f"{NUMBERS[ours]} to {NUMBERS[theirs]}"
        words = ("won", "lost", "drawn") if kind == "match" else ("accepted", "rejected")
        facts["outcome"] = words[(ours < theirs) + 2 * (ours == theirs)]
    return facts


@cache
def _patterns():
    """(pattern, kind, outcome or None) of every sentence and headline."""
    values = {"town": TOWNS, "day": DAYS} | dict.fromkeys("abcd", NUMBERS)
    found = []
    for name, kind in KINDS.items():
        number = NUMBERS if name == "fire" else [f"{a} to {b}" for a in NUMBERS for b in NUMBERS]
        slots = {slot: f"(?P<{slot}>{'|'.join(words)})"
                 for slot, words in (values | {"thing": kind.things, "number": number}).items()}
        said = [(text, None) for ways in (kind.leads, *kind.body, kind.extras) for text in ways]
        for outcomes in (kind.by_outcome, kind.headlines):
            said += [(text, outcome) for outcome, ways in outcomes.items() for text in ways]
        found += [(re.compile(text.replace(".", r"\.").format(**slots)), name, outcome) for text, outcome in said]
    return found
