"""Noun phrases drawn at random: who and what the sentences of the corpus are about.

Built in the chapter "A history of machine translation".
"""
import random
from dataclasses import replace

from course_lib.data.translation.frames import NounPhrase as NP
from course_lib.data.translation.lexicon import ADJECTIVES, NAMES, NOUNS
from course_lib.data.translation.phrases import NUMERALS
from course_lib.data.translation.selection import (
    MASS, OF_KIND, OWNED, PASSING, PEOPLE, PLACES, adjectives_of, is_person)
from course_lib.data.translation.verbs import VERBS


_SOMEBODYS = ("friend", "neighbour", "doctor", "teacher")


class NounPhrases:
    """Draws noun phrases with a `random.Random`."""

    def __init__(self, rng: random.Random):
        self.rng = rng

    def often(self, share: float) -> bool:
        return self.rng.random() < share

    def np(self, kinds, determiners="the the the a a this my my", adjective=0.6, plural=0.36, owner=0.3,
           holder: NP | None = None, besides: str = "") -> NP:
        """A noun phrase of one of the kinds, not the noun `besides`; holder: whose it is, if somebody's."""
        concept = self.rng.choice([noun for kind in sorted(kinds) for noun in OF_KIND[kind] if noun != besides])
        noun, many = NOUNS[concept], self.often(plural)
        many = many and noun.kind not in (*MASS, "family", "sound", "question", "fact", "match", "song")
        determiner = self.rng.choice(determiners.split())
        if noun.kind == "family":
            determiner = "my"
        elif determiner == "my" and noun.kind not in OWNED and concept not in _SOMEBODYS:
            determiner = "the"
        elif noun.kind in MASS and determiners.startswith("the the the a") and self.often(0.5):
            determiner = "a"
        elif determiner == "a" and concept in ("king", "queen", "hero", "truth", "way", "radio", "music"):
            determiner = "the"
        if determiner == "my":
            own = holder and is_person(holder) and self.often(0.6)
            determiner = self.pronoun_of(holder) if own else self.rng.choice("I I he she we they you".split())
        if determiner == "a" and many and self.often(0.5):
            determiner = self.rng.choice(list(NUMERALS)[:3 if noun.kind in PEOPLE else 8])
        if noun.english[0] == noun.english[1] and concept == "sheep":
            many = many and determiner not in ("the", "a", *"I he she we they you".split())
        fitting = [a for a in adjectives_of(concept) if a not in PASSING or determiner in ("the", "a", "this")]
        fitting = [a for a in fitting if a in ("old", "young")] if noun.kind == "family" else fitting
        # Those that stand after their noun in French are the rule.
        fitting = [a for a in fitting for _ in range(1 if ADJECTIVES[a].before else 7)]
        chosen = self.rng.choice(fitting) if fitting and self.often(adjective) else ""
        phrase = NP(concept, determiner, many, chosen)
        if self.often(owner) and noun.kind in OWNED and noun.kind not in ("furniture", "fruit"):
            phrase = replace(phrase, determiner="the", owner=self.owner(concept, holder.concept if holder else ""))
        return phrase

    def pronoun_of(self, np: NP) -> str:
        """The pronoun of a subject: they for several, she for Marie, it becomes he for an animal."""
        if np.joined or np.plural:
            return "they"
        if np.concept in ("I", "he", "she", "we", "you", "they"):
            return np.concept
        known = np.antecedent or np.concept
        gender = NAMES.get(known) or (NOUNS[known].gender if known in NOUNS else "m")
        return "she" if gender == "f" and (np.concept in NAMES or is_person(np)) else "he"

    def owner(self, besides: str, subject: str) -> NP:
        if self.often(0.4):
            return NP(self.rng.choice([name for name in NAMES if name != subject]))
        return self.np({"job", "person", "family"}, "the the the this", adjective=0, owner=0, plural=0.12,
                       besides=besides if NOUNS[besides].kind in PEOPLE else subject)

    def person(self, pronouns="I he she we you they", named=0.1, pronoun=0.4, besides="", **options) -> NP:
        draw = self.rng.random()
        if draw < named:
            name = NP(self.rng.choice([n for n in NAMES if n != besides]))
            if self.often(0.1):
                return replace(name, joined=NP(self.rng.choice([n for n in NAMES if n not in (name.concept, besides)])))
            return name
        if draw < named + pronoun:
            return NP(self.rng.choice(pronouns.split()))
        found = self.np(PEOPLE, **{"owner": 0, "determiners": "the the the a this my", "besides": besides} | options)
        return replace(found, determiner="the") if found.determiner == "a" and found.plural else found

    def subject(self, verb: str, **options) -> NP:
        kinds = VERBS[verb].subject
        others = kinds - PEOPLE
        if kinds & PEOPLE and not (others and self.often(0.3)):
            return self.person(**options)
        subject = self.np(others, "the the the a this my", owner=0.05)
        if subject.determiner == "a" and subject.plural:
            return replace(subject, determiner="the")
        return subject

    def object(self, verb: str, subject: NP, pronoun=0.7) -> NP:
        entry = VERBS[verb]
        kinds = set(entry.object)
        if kinds & PEOPLE and is_person(subject):
            if self.often(pronoun):
                return NP(self.rng.choice([p for p in "I he she we you they".split() if not overlap(p, subject)]))
            if len(kinds) > 3 and self.often(0.5):
                kinds -= PEOPLE
            elif self.often(0.2):
                return NP(self.rng.choice([n for n in NAMES if n != subject.concept and not subject.joined]
                                          or ["Marie"]))
        if "every" in entry.flags:
            concept = self.rng.choice([noun for kind in sorted(kinds) for noun in OF_KIND[kind] if noun != "bean"])
            return NP(concept, "every", NOUNS[concept].kind == "fruit")
        if entry.flags & {"made", "the"}:
            kinds = {"text", "song"} if "made" in entry.flags else kinds
            made = "made" in entry.flags
            found = self.np(kinds, "the the the a" if made else "the the this my", holder=subject, adjective=0.45,
                            besides="paper (news)" if made else subject.antecedent or subject.concept,
                            owner=0 if made else 0.3)
        else:
            found = self.np(kinds, holder=subject, besides=subject.antecedent or subject.concept)
        if subject.plural and found.determiner == "a" and not found.plural and found.concept == subject.concept:
            found = replace(found, determiner="the")
        if verb in ("break", "carry") and found.adjective == "broken":
            return replace(found, adjective="")
        return found

    def place(self, prepositions: str) -> dict:
        """Preposition and place of a clause; prepositions are separated by commas."""
        preposition = self.rng.choice(prepositions.split(", "))
        noun = self.rng.choice(PLACES[preposition])
        fitting = [a for a in adjectives_of(noun) if a not in ("empty", "dirty")]
        adjective = self.rng.choice(fitting) if fitting and self.often(0.15) else ""
        preposition = {"inside": "in", "outside": "in"}.get(preposition, preposition)
        return {"preposition": preposition, "place": NP(noun, adjective=adjective)}


def overlap(pronoun: str, np: NP) -> bool:
    """Whether a pronoun as object would be, or hold, the subject itself: I see me, we see me."""
    group = {"I": "I", "we": "I", "you": "you"}
    return pronoun == np.concept or group.get(pronoun, 1) == group.get(np.concept, 2)
