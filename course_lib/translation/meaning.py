"""Analysis up to meaning: which sense each word has, what a pronoun stands for. The level above syntax.

A sense is a concept of the dictionary: "pen" in "the sheep is in the pen" is "pen (sheep)". It is chosen by what
goes with what: each verb says which kinds of subjects and objects it takes, each adjective which nouns. That
is knowledge of the world as a dictionary writes it down; it is often not enough. Built in chapter 1.
"""
from dataclasses import replace
from functools import cache

from course_lib.data.translation.lexicon import ADJECTIVES, NAMES, NOUNS, VERBS
from course_lib.translation.analysis import Clause, Nominal

PEOPLE = frozenset(("person", "job", "family"))
PLACES = frozenset(("building", "place", "room", "river", "furniture", "opening", "pen", "container", "vehicle"))
FEELINGS = ("hungry", "thirsty", "cold", "sleepy", "right", "wrong")    # be hungry is a verb of its own
WEATHER = ("cold", "nice")


@cache
def noun_senses(text: str) -> tuple[str, ...]:
    return tuple(concept for concept, noun in NOUNS.items() if noun.english[0] == text)


def is_only_plural(concept: str) -> bool:
    """Whether a noun is plural whatever English shows: chess (les échecs), cards, hair."""
    row = NOUNS.get(concept)
    return row is not None and row.english[0] == row.english[1] and row.french[0] == row.french[1]


@cache
def verb_senses(text: str) -> tuple[str, ...]:
    return tuple(concept for concept, verb in VERBS.items() if _spelling(verb) == text)


def _spelling(verb):
    words = " ".join(verb.english).split()
    return " ".join(word.partition("/")[0] for word in words)


def kinds(np: Nominal | None) -> frozenset[str]:
    """Kinds that a nominal may be of; of "it" and "they" those of what they stand for."""
    if np is None:
        return frozenset()
    if np.category == "name" or np.head in ("I", "we", "you"):
        return PEOPLE
    if np.head in ("he", "she"):
        return PEOPLE | {"animal"}
    concept = np.antecedent or np.head
    if concept in NOUNS:
        return frozenset({NOUNS[concept].kind})
    text = f"{np.modifier} {np.head}".strip()
    return frozenset(NOUNS[sense].kind for sense in noun_senses(text)) or (PEOPLE if np.head == "they" else frozenset())


def verb_sense(c: Clause) -> str:
    """The sense whose subject and object fit best; the first of equals. "" where the verb is unknown."""
    if c.verb == "be" and c.adjective in FEELINGS and not c.degree and kinds(c.subject) & (PEOPLE | {"animal"}):
        return f"be {c.adjective}"
    it = c.subject is not None and c.subject.head == "it" and not c.subject.antecedent
    if c.verb == "be" and c.adjective in WEATHER and it:
        return f"be {c.adjective} (weather)"
    senses = verb_senses(c.verb)
    if c.verb in ("be", "there be") or not senses:
        return c.verb if c.verb in VERBS or c.verb == "there be" else ""

    def fit(sense):
        verb = VERBS[sense]
        flags = verb.flags
        score = 2 * bool(verb.object & kinds(c.object)) if c.object else -2 * bool(verb.object)
        score += bool(verb.subject & kinds(c.subject)) + 3 * ("gives" in flags and c.recipient is not None)
        score -= 3 * ("gives" in flags and c.recipient is None) + 3 * ("own" in flags and c.object is not None and (
            c.object.owner is not None or not kinds(c.object) & verb.object))
        return score + 4 * ("clause" in flags and c.content is not None) - 4 * ("clause" in flags and c.content is None)
    return max(senses, key=fit)


def noun_sense(np: Nominal, wanted: frozenset[str]) -> str:
    """The sense of a kind that is wanted, or that the adjective goes with; the first of equals."""
    senses = noun_senses(f"{np.modifier} {np.head}".strip())
    fits_adjective = {sense for sense in senses for a in ADJECTIVES.values()
                      if a.english == np.adjective and NOUNS[sense].kind in a.kinds}
    return max(senses, key=lambda s: 2 * (NOUNS[s].kind in wanted) + (s in fits_adjective), default="")


class Reader:
    """Reads a sentence clause by clause and remembers whom and what it spoke of."""

    def __init__(self):
        self.spoken_of: list[Nominal] = []    # subject first, then object, of the last clause

    def clause(self, c: Clause) -> Clause:
        """The clause with concepts for words: of verb, nouns, adjectives; antecedents of pronouns."""
        before, self.spoken_of = self.spoken_of, []
        subject, thing = (self.reference(np, before) for np in (c.subject, c.object))
        c = replace(c, subject=subject, object=thing)
        sense = verb_sense(c)
        entry = VERBS.get(sense)
        c = replace(c, verb=sense or c.verb, subject=self.nominal(subject, entry.subject if entry else frozenset()),
                    object=self.nominal(thing, entry.object if entry else frozenset()))
        if c.adjective:
            ofwhom = kinds(c.subject)
            fitting = [a for a, row in ADJECTIVES.items() if row.english == c.adjective and row.kinds & ofwhom]
            unused = [a for a in fitting if a.endswith("(unused)")]
            c = replace(c, adjective=(unused or fitting or [c.adjective])[0])
        c = replace(c, recipient=self.nominal(self.reference(c.recipient, before), PEOPLE),
                    standard=self.nominal(c.standard, kinds(c.subject)),
                    phrases=tuple((preposition, self.nominal(self.reference(np, before), _place_kinds(preposition)))
                                  for preposition, np in c.phrases))
        spoken = [np for np in (c.subject, c.object) if np is not None]
        self.spoken_of = [np for np in spoken if np.category in ("noun", "name")] or before
        self.spoken_of += [np for np in before if np not in self.spoken_of]
        if c.content is not None:
            c = replace(c, content=self.clause(c.content))
        if c.second is not None:
            if c.conjunction in ("and", "but"):    # what was done to it comes to mind before who did it
                self.spoken_of = self.spoken_of[:2][::-1] + self.spoken_of[2:]
            c = replace(c, second=self.clause(c.second))
        return c

    def reference(self, np, before):
        """What "it" and "they" stand for: the nearest that can be it."""
        if np is None or np.category != "pronoun" or np.head not in ("it", "they"):
            return np
        for known in before:
            several = known.plural or known.joined is not None
            fits = several if np.head == "they" else not several and not kinds(known) & PEOPLE
            if known.category == "noun" and fits:
                return replace(np, antecedent=known.head, plural=several)
            if known.joined is not None and np.head == "they":
                both = NAMES.get(known.head) == "f" == NAMES.get(known.joined.head)
                return replace(np, antecedent="Marie" if both else "", plural=True)
        return np

    def nominal(self, np: Nominal | None, wanted: frozenset[str]) -> Nominal | None:
        """The nominal with a concept for its noun and its adjective, and its parts read too."""
        if np is None or np.category not in ("noun", "gap"):
            return np
        sense = noun_sense(np, wanted) if np.category == "noun" else ""
        np = replace(np, head=sense, modifier="") if sense else np
        if np.owner is not None:
            np = replace(np, owner=self.nominal(np.owner, PEOPLE))
        if np.relative is not None:
            np = replace(np, relative=self._relative(np))
        return np

    def _relative(self, np):
        gap = replace(np, category="gap", relative=None, owner=None, joined=None, antecedent=np.head)
        roles = {role: getattr(np.relative, role) for role in ("subject", "object")}
        gaps = {role: gap for role, old in roles.items() if old is not None and old.category == "gap"}
        inner = replace(np.relative, **gaps)
        spoken = self.spoken_of
        read = self.clause(inner)
        self.spoken_of = spoken
        return read


def _place_kinds(preposition):
    return PLACES - {"pen"} if preposition in ("at", "to", "from", "in front of", "opposite") else PLACES


def understand(c: Clause) -> Clause:
    """The tree of `analysis.parse` with concepts for words."""
    return Reader().clause(c)
