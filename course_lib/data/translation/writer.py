"""Sentences drawn at random: single clauses and several.

Built in the chapter "A history of machine translation".
"""
from dataclasses import replace

from course_lib.data.translation.clauses import Clauses
from course_lib.data.translation.frames import Clause, NounPhrase as NP
from course_lib.data.translation.lexicon import ADJECTIVES, NAMES, NOUNS
from course_lib.data.translation.nouns import overlap
from course_lib.data.translation.selection import (
    EVENTS, INTRANSITIVE, LASTING, MASS, REASONS, TRANSITIVE, is_person, kind_of, predicates_of)
from course_lib.data.translation.verbs import VERBS

#: How often each kind of sentence is drawn.
KINDS = dict(transitive=34, intransitive=9, going=2, description=4, giving=13, missing=13, knowing=1.5, playing=4,
             grooming=6,
             idiom=7, existing=1.5, weather=1.5, relative=5, compound=5)


class Writer(Clauses):
    """Draws frames of general content with a `random.Random`."""

    def clause(self) -> Clause:
        """A sentence of any kind."""
        kind = self.rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
        return getattr(self, kind)()

    def knowing(self) -> Clause:
        """What somebody knows, thinks or says, or can do."""
        subject, draw = self.person(), self.rng.random()
        if draw < 0.4:
            known = NP(self.rng.choice(("answer", "truth")))
            return self.dress(Clause("know (be familiar)", subject, known), time=0, adverb=0)
        if draw < 0.65:
            return self.dress(Clause(self.rng.choice(("swim", "dance", "sing", "draw")), subject, modal="know how"),
                              modal=1, time=0)
        verb = self.rng.choice(("know (a fact)", "know (a fact)", "think", "say"))
        tense = "past" if verb == "say" and draw < 0.85 else "present"
        content = self.short("past" if tense == "past" else "")
        return Clause(verb, subject, content=content, tense=tense)

    def relative(self) -> Clause:
        """A clause about somebody or something that a relative clause describes."""
        kinds = {"person", "job", "animal", "vehicle", "text", "clothing", "machine"}
        head = self.np(kinds, "the the the this", owner=0, adjective=0.15)
        kind, who = kind_of(head), NP("who", "", head.plural, antecedent=head.concept)
        takers = [v for v in TRANSITIVE if kind in VERBS[v].object and not VERBS[v].preposition and v != "have"]
        doers = [v for v in (*INTRANSITIVE, *TRANSITIVE) if kind in VERBS[v].subject and v != "stay"]
        if doers and (self.often(0.5) or not takers):
            verb = self.rng.choice(doers)
            inner = Clause(verb, who, self.object(verb, who, pronoun=0.1) if VERBS[verb].object else None)
        else:
            verb = self.rng.choice(takers)
            inner = Clause(verb, self.person(adjective=0, besides=head.concept), who)
        flags = VERBS[verb].flags
        past = "stative" not in flags and (self.often(0.5) or bool(flags & {"instant", "event"}))
        aspect = "simple" if past or "stative" in flags else "progressive"
        head = replace(head, relative=replace(inner, tense="past" if past else "present", aspect=aspect))
        fitting = predicates_of(head.concept)
        if fitting and not head.adjective and self.often(0.5):
            return self.dress(Clause("be", head, complement=self.rng.choice(fitting)), question=0, adverb=0, time=0)
        verb = self.rng.choice([v for v in TRANSITIVE if kind in VERBS[v].object and "made" not in VERBS[v].flags
                                and v != verb])
        subject = self.person(adjective=0, besides=head.concept)
        return self.dress(Clause(verb, subject, head), question=0.1, time=0, adverb=0)

    def short(self, tense="") -> Clause:
        """A clause to be part of a longer sentence: no question, modal, adverb or time; of that tense, if any."""
        while True:
            kind = self.rng.choice((self.intransitive, self.description, self.transitive, self.giving, self.idiom,
                                    self.missing))
            c = kind()
            bare = not (c.question or c.modal or c.adverb or c.time) and c.negation in ("", "not")
            if bare and c.tense == (tense or c.tense):
                return c

    def compound(self) -> Clause:
        """Two clauses; what the first speaks of can return as a pronoun."""
        draw = self.rng.random()
        if draw < 0.45:
            return self.again()
        if draw < 0.65:
            return self.reason()
        if draw < 0.85:
            first = Clause(self.rng.choice(LASTING[:8]), self.person(), aspect="progressive",
                           tense=self.rng.choice(("past", "present")))
            if first.tense == "past":
                return replace(first, conjunction="when", second=Clause(self.rng.choice(EVENTS[:4]),
                                                                        self.person(besides=first.subject.concept),
                                                                        tense="past"))
            other = self.rng.choice([v for v in LASTING[:8] if v != first.predicate])
            return replace(first, conjunction="while", second=Clause(other, self.person(besides=first.subject.concept),
                                                                     aspect="progressive"))
        return self.contrast()

    def contrast(self) -> Clause:
        """One does it, and the other something else, or the other does not."""
        first = Clause(self.rng.choice(LASTING[:8]), self.person(),
                       tense=self.rng.choice(("past", "present", "future")))
        if self.often(0.2):
            first = replace(first, predicate="be", tense="past" if first.tense == "past" else "present",
                            complement=self.rng.choice(("tired", "rich", "happy", "lazy", "sad")))
        elif first.tense == "present":
            first = replace(first, aspect="progressive")
        second = replace(first, subject=self.person(besides=first.subject.concept))
        while overlap(second.subject.concept, first.subject):
            second = replace(first, subject=self.person(besides=first.subject.concept))
        if self.often(0.5):
            return replace(first, conjunction="but", second=replace(second, negation="not"))
        if first.complement:
            return replace(first, conjunction="but", second=replace(second, complement=self.rng.choice(
                [a for a in ("tired", "intelligent", "brave", "jealous") if a in ADJECTIVES
                 and a != first.complement])))
        return replace(first, conjunction="and", second=replace(second, predicate=self.rng.choice(
            [v for v in LASTING[:8] if v != first.predicate])))

    def reason(self) -> Clause:
        """A clause with a because."""
        subject, verb = self.person(), self.rng.choice(list(REASONS))
        tense = self.rng.choice(("past", "past", "present"))
        first = Clause(verb, subject, tense=tense, aspect="progressive" if tense == "present" and verb not in EVENTS
                       else "simple")
        first = replace(first, tense="past") if verb in EVENTS else first
        known = subject.concept if subject.concept in NOUNS or subject.concept in NAMES and not subject.joined else ""
        who = NP(self.pronoun_of(subject), "", bool(subject.plural or subject.joined), antecedent=known)
        why, tense = self.rng.choice(REASONS[verb]), first.tense
        if why == "rain":
            second = Clause("rain", tense=tense, aspect="progressive")
        elif why == "miss":
            second = Clause("miss", who, NP(self.rng.choice([n for n in NAMES if n != subject.concept])), tense=tense)
        elif why in VERBS:
            second = Clause(why, who, tense=tense)
        else:
            second = Clause("be", who, complement=why.removeprefix("be "), tense=tense)
        return replace(first, conjunction="because", second=second)

    def again(self) -> Clause:
        """Two clauses; the noun of the first is a pronoun in the second."""
        while True:
            first = self.short()
            if first.negation or first.tense == "present":
                continue
            known = first.object
            if first.predicate in TRANSITIVE and known.concept in NOUNS and kind_of(known) not in (*MASS, "game",
                                                                                                   "sound", "question"):
                break
        again = NP("they" if known.plural else "she" if NOUNS[known.concept].gender == "f" and is_person(known) else
                   "he" if is_person(known) else "it", "", known.plural, antecedent=known.concept)
        fitting = predicates_of(known.concept)
        if fitting and not known.adjective and first.tense == "past" and self.often(0.3) and not first.negation:
            return replace(first, conjunction=self.rng.choice(("but", "and")),
                           second=Clause("be", again, complement=self.rng.choice(fitting), tense=first.tense))
        takers = [v for v in TRANSITIVE if kind_of(known) in VERBS[v].object and v != first.predicate
                  and VERBS[v].preposition != "de" and not VERBS[v].flags & {"made", "stative"}]
        if not takers:
            return self.again()
        verb = self.rng.choice(takers)
        subject = self.person("I he she we you they", besides=known.concept)
        return replace(first, conjunction=self.rng.choice(("and", "but")),
                       second=Clause(verb, subject, again, tense=first.tense))

    def long(self) -> Clause:
        """A sentence of two or three clauses, with relative clauses."""
        pieces = [self.rng.choice((self.relative, self.relative, self.short, self.knowing))() for _ in "ab"]
        first, second = (c if not (c.question or c.modal) else self.short() for c in pieces)
        if self.often(0.4):
            third = self.short(second.tense)
            if second.content is None:
                second = replace(second, conjunction=self.rng.choice(("and", "but")), second=third)
        elif self.often(0.3):
            second = self.reason()
        if first.content is not None:
            return replace(first, content=replace(first.content, conjunction="and",
                                                  second=second)) if second.content is None else first
        return replace(first, conjunction=self.rng.choice(("and", "but")), second=second)
