"""Frames: what a sentence means, in no language. The interlingua of the English-French corpus.

A frame is a tree of clauses and noun phrases over the concepts of `lexicon`. Both languages are realised
from it, and each word carries the paths of the parts that it expresses ("subject.adjective"), so that words
with a common path are translations of each other. Built in the chapter "A history of machine translation".
"""
import json
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class NounPhrase:
    """concept: a noun or name of the lexicon, or a pronoun (I he she it we you they who what).

    determiner: the a every (generic) this own which "how many", a numeral from two to twelve, or a pronoun
    whose possessive it is (I he ...); owner replaces it. antecedent: of it, they and who, the noun meant.
    adjective: of `lexicon.ADJECTIVES`. joined: the second of two ("Paul and Marie"). relative: a clause
    that holds a "who" for this phrase.
    """
    concept: str
    determiner: str = "the"
    plural: bool = False
    adjective: str = ""
    owner: "NounPhrase | None" = None
    joined: "NounPhrase | None" = None
    relative: "Clause | None" = None
    antecedent: str = ""


@dataclass(frozen=True)
class Clause:
    """predicate: a concept of `verbs.VERBS`, or "exist".

    complement: an adjective after be; degree: "", more, less, as, with `standard`, what it is compared with;
    profession: a noun after be. place: where, and preposition, its concept. time, adverb: concepts of
    `phrases`. tense: present past future; aspect: simple progressive perfect, recent
    (has just come), since (has been working for a week). negation: "" not never
    "no longer". modal: "" can must want "know how". question: "" yes/no subject object where why when. content: what
    is said or thought. conjunction and second: another clause.
    """
    predicate: str
    subject: NounPhrase | None = None
    object: NounPhrase | None = None
    recipient: NounPhrase | None = None
    complement: str = ""
    degree: str = ""
    standard: NounPhrase | None = None
    profession: NounPhrase | None = None
    age: str = ""
    preposition: str = ""
    place: NounPhrase | None = None
    time: str = ""
    adverb: str = ""
    tense: str = "present"
    aspect: str = "simple"
    negation: str = ""
    modal: str = ""
    question: str = ""
    content: "Clause | None" = None
    conjunction: str = ""
    second: "Clause | None" = None


@dataclass(frozen=True)
class Bulletin:
    """A weather bulletin: phrases, each a pattern of `weather.PATTERNS` and what fills its slots, in order."""
    phrases: tuple[tuple[str, ...], ...]


_KINDS = {"noun phrase": NounPhrase, "clause": Clause, "bulletin": Bulletin}


def to_json(frame) -> str:
    """A frame as text; `from_json` reads it. What has its default is left out."""
    return json.dumps(_plain(frame), ensure_ascii=False)


def _plain(value):
    for kind, made in _KINDS.items():
        if isinstance(value, made):
            return {"kind": kind} | {f.name: _plain(getattr(value, f.name)) for f in fields(value)
                                     if getattr(value, f.name) != f.default}
    return [_plain(part) for part in value] if isinstance(value, tuple) else value


def from_json(text: str) -> Clause | Bulletin:
    """The frame that `to_json` wrote. Raises ValueError for other text."""
    try:
        frame = _built(json.loads(text))
        if not isinstance(frame, (Clause, Bulletin)):
            raise TypeError("a frame is a clause or a bulletin")
        return frame
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"not a frame as to_json writes it: {text[:60]!r}") from error


def _built(value):
    if isinstance(value, dict):
        made = _KINDS[value["kind"]]
        return made(**{key: _built(v) for key, v in value.items() if key != "kind"})
    return tuple(map(_built, value)) if isinstance(value, list) else value
