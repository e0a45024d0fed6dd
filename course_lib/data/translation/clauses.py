"""Clauses drawn at random: what happens, and the tense, negation and question of it.

Built in the chapter "A history of machine translation".
"""
from dataclasses import replace

from course_lib.data.translation.frames import Clause, NounPhrase as NP
from course_lib.data.translation.lexicon import ADJECTIVES, NAMES
from course_lib.data.translation.nouns import NounPhrases, overlap
from course_lib.data.translation.phrases import AGES, NUMERALS, TIMES
from course_lib.data.translation.selection import (
    EVENTS, GIVES, GRADED, GROOMING, IDIOMS, INTRANSITIVE, LASTING, LEARNT, MASS, OF_KIND, PASSING, PEOPLE, TRANSITIVE,
    UNPLANNED,
    WEATHER, WHERE, adjectives_of, is_person, kind_of, predicates_of)
from course_lib.data.translation.verbs import VERBS

DOING = {"walk": "outside", "sleep": "in, at", "work": "at, in", "run": "outside", "stay": "at, in", "arrive": "at",
         "come back": "from", "go out": "out of", "hide (self)": "behind, under", "rest": "outside, under",
         "fall": "from",
         "cry": "in", "laugh": "in", "sing": "in", "dance": "in"}


class Clauses(NounPhrases):
    """Draws single clauses."""

    def dress(self, c: Clause, question=0.2, negation=0.33, modal=0.12, adverb=0.35, time=0.15) -> Clause:
        """Tense, aspect, negation, adverb, modal, question and time of a clause."""
        flags = VERBS[c.predicate].flags if c.predicate in VERBS else frozenset(("stative",))
        stative, fixed = "stative" in flags, "affirmative" in flags
        passing = not stative or c.predicate in ("be hungry", "be thirsty", "be cold", "be sleepy", "feel blue") or (
            c.complement in PASSING or "weather" in flags or c.preposition != "" and c.predicate == "be")
        if self.often(modal) and not stative and not fixed and c.predicate not in UNPLANNED:
            person = c.subject is not None and is_person(c.subject)
            c = replace(c, modal=self.rng.choice(("can", "must", "want", *["know how"] * 3 * (c.predicate in LEARNT)))
                        if person else "can")
        else:
            c = self._tensed(c, stative, passing, bool(flags & {"instant", "event"}))
        asker = c.subject is not None and c.subject.concept in ("I", "we") and c.modal != "can"
        if c.aspect == "since":
            return replace(c, time=self.rng.choice([time for time, row in TIMES.items() if row[2] == "since"]),
                           question=c.question or ("yes/no" if self.often(question) and not asker else ""))
        if c.aspect == "recent":
            return replace(c, question=c.question or ("yes/no" if self.often(question) and not asker else ""))
        if self.often(question) and not fixed and not asker:
            c = replace(c, question=self._question(c, stative))
        elif self.often(negation) and not fixed:
            c = self._definite(replace(c, negation=self._negation(c, stative, passing)))
        if self.often(adverb) and not (c.question or c.negation or c.modal) and c.predicate != "exist":
            c = replace(c, adverb=self._adverb(c, stative))
        timeless = c.question in ("when", "why") or c.modal and c.negation or c.adverb or c.negation not in ("", "not")
        if self.often(time) and passing and not timeless:
            c = self.when(c, stative)
        return c

    def _tensed(self, c, stative, passing, instant):
        weights = (5, 2, 1.5 if passing else 0) if stative else (2, 7, 2) if instant else (5, 5, 1.3)
        tense = self.rng.choices(("present", "past", "future"), weights)[0]
        if stative or tense == "future":
            return replace(c, tense=tense)
        if tense == "present":
            aspects = ("simple", "perfect", "recent", "recent") if instant else (
                *["progressive"] * 4, "simple", "simple", "perfect", "recent", "recent",
                *["since"] * 3 * (c.predicate in LASTING))
        else:
            aspects = ("simple",) if instant else ("simple", "simple", "simple", "simple", "progressive")
        if c.subject is None or c.predicate == "go":
            aspects = [aspect for aspect in aspects if aspect != "recent"]
        if tense == "present" and VERBS[c.predicate].english[0] in ("read", "cut", "beat"):  # "they cut" may be past
            aspects = [aspect for aspect in aspects if aspect != "simple"]
        return replace(c, tense=tense, aspect=self.rng.choice(aspects))

    def _question(self, c, stative):
        words = ["yes/no"] * 3
        if c.subject is not None and not stative:
            words.append("why")
            if c.predicate in WHERE and not c.place and c.tense == "past" and c.aspect == "simple" and not c.modal:
                words.append("where")
            if c.tense != "present" and c.aspect == "simple":
                words.append("when")
        return self.rng.choice(words)

    def _definite(self, c):
        """The object of a negated verb: not "eight letters", and after a modal not "a letter"."""
        if c.object is None or c.predicate == "exist" or c.object.owner:
            return c
        if c.object.determiner in NUMERALS:
            return replace(c, object=replace(c.object, determiner="this"))
        if c.modal and c.object.determiner == "a" and not c.object.plural and kind_of(c.object) not in MASS:
            return replace(c, object=replace(c.object, determiner="the"))
        return c

    def _negation(self, c, stative, passing):
        if c.modal:
            return "not" if c.modal not in ("want", "know how") or self.often(0.7) else "no longer"
        if c.predicate == "exist":
            return "not"
        indefinite = c.object is None or c.object.determiner in ("a", "the", "every")
        habit = not stative and c.aspect == "simple" and c.tense != "future" and not c.place and indefinite
        if habit and self.often(0.3):
            return "never"
        if c.tense == "present" and passing and (c.aspect == "progressive" or stative) and self.often(0.25):
            return "no longer"
        return "not"

    def _adverb(self, c, stative):
        if c.aspect == "perfect":
            return "already"
        if c.tense == "present" and c.aspect == "simple" and not stative:
            return self.rng.choice(("often", "always", "sometimes", "rarely")) if c.predicate not in EVENTS else ""
        if c.tense == "present" and (c.predicate in LASTING and c.aspect == "progressive" or c.complement in PASSING
                                     and not c.degree):
            return "still"
        return ""

    def when(self, c, stative=False) -> Clause:
        """The clause with a time that suits its tense."""
        if c.aspect == "perfect":
            return c
        kind = c.tense
        if c.modal == "know how":
            return c
        if c.modal:
            kind = "future"
        elif c.tense == "present" and not stative and c.aspect == "simple":
            kind = "habit"
        if kind == "past" and (c.aspect == "progressive" or stative):
            return replace(c, time=self.rng.choice(("yesterday", "last night", "this morning")))
        if kind == "future" and stative and c.predicate != "be":
            return c
        return replace(c, time=self.rng.choice([time for time, row in TIMES.items() if row[2] == kind and (
            c.object is None or time not in ("in spring", "in winter"))]))

    def transitive(self) -> Clause:
        verb = self.rng.choice([*TRANSITIVE, "drink", "eat", "drink"])
        if self.often(0.04):
            return self.dress(Clause(verb, NP("who"), self.object(verb, NP("Marie")), question="subject"), question=0)
        subject = self.subject(verb)
        c = Clause(verb, subject, self.object(verb, subject))
        plain = not VERBS[verb].preposition and "every" not in VERBS[verb].flags
        if self.often(0.1) and plain and kind_of(c.object) in ("thing", "text", "fruit", "clothing", "vehicle"):
            if subject.concept in ("I", "we"):
                c = replace(c, subject=NP(self.rng.choice(("he", "she", "they", "you"))))
            draw = self.rng.random()
            asked = NP("what") if draw < 0.4 else replace(
                c.object, determiner="which" if draw < 0.7 else "how many", plural=draw >= 0.7 or c.object.plural,
                owner=None)
            return self.dress(replace(c, object=asked, question="object"), question=0, negation=0, adverb=0, modal=0,
                              time=0.1)
        return self.dress(c)

    def intransitive(self) -> Clause:
        verb = self.rng.choice(INTRANSITIVE)
        subject = self.subject(verb)
        c = Clause(verb, subject)
        kind = kind_of(subject)
        if verb in GROOMING:
            return self.dress(c)
        if verb == "stay":
            c = replace(c, **self.place("at, in"))
        if verb == "swim":
            c = replace(c, preposition="in", place=NP("river")) if self.often(0.4) else c
        elif kind == "animal" and verb in ("sleep", "rest", "hide (self)", "stay"):
            pen = subject.concept in ("sheep", "goat", "cow", "donkey", "horse", "rabbit", "duck")
            c = replace(c, **self.place("under, near" if verb != "hide (self)" else "behind"))
            if pen and self.often(0.6):
                c = replace(c, preposition="in", place=NP("pen (sheep)"))
        elif kind in (*PEOPLE, "") and self.often(0.6) and verb in DOING:
            c = replace(c, **self.place(DOING[verb]))
        elif kind == "animal" and verb in ("fall", "run", "come back"):
            where = {"fall": ("from", "tree"), "run": ("in", "garden"), "come back": ("from", "forest")}[verb]
            c = replace(c, preposition=where[0], place=NP(where[1]))
        if verb == "fall" and c.place:
            c = replace(c, place=NP(self.rng.choice(("ladder", "chair", "tree", "bicycle"))))
        return self.dress(c)

    def going(self) -> Clause:
        return self.dress(Clause("go", self.person(), **self.place("to")))

    def description(self) -> Clause:
        """be and an adjective, a comparison, a place, a profession or an age."""
        draw = self.rng.random()
        if draw < 0.4:
            if self.often(0.3):
                subject = self.person(adjective=0, determiners="the the this my")
                fitting = "sad happy tired rich intelligent lazy brave".split()
            else:
                subject = self.np({"animal", "thing", "machine", "clothing", "vehicle", "building", "text", "river",
                                   "meal",
                                   "drink", "furniture", "container", "room"}, "the the the this my", adjective=0)
                fitting = predicates_of(subject.concept)
            if fitting:
                return self.dress(Clause("be", subject, complement=self.rng.choice(fitting)))
        if draw < 0.6:
            return self.comparison()
        if draw < 0.74:
            subject = self.np({"thing", "container", "clothing", "animal"}, "the the my", adjective=0.15)
            where = "near, under" if kind_of(subject) == "animal" else "inside, on, under, behind, next to"
            if self.often(0.25):
                subject, where = self.person(adjective=0, determiners="the the this my"), "in, at, near, in front of"
            c = self.dress(Clause("be", subject, **self.place(where)), question=0.1)
            if self.often(0.12) and not c.negation and not c.adverb and not c.time and c.tense == "present":
                c = replace(c, preposition="", place=None, question="where")
            return c
        if draw < 0.93:
            name = self.rng.choice(list(NAMES))
            jobs = ("doctor", "teacher", "baker", "farmer", "student") if NAMES[name] == "m" else ("nurse", "singer")
            subject = NP(name) if self.often(0.6) else NP("he" if NAMES[name] == "m" else "she")
            job = NP(self.rng.choice(jobs), "a", adjective="good" if self.often(0.2) else "")
            if job.concept == "nurse" or subject.concept not in NAMES:  # French says "c'est un bon médecin"
                job = replace(job, adjective="")
            return self.dress(Clause("be", subject, profession=job), time=0)
        return self.dress(Clause("be", self.person("he she", plural=0, adjective=0, determiners="the my"),
                                 age=self.rng.choice(list(AGES)[6:])),
                          adverb=0, time=0, negation=0.1, question=0.1)

    def comparison(self) -> Clause:
        while True:
            adjective = self.rng.choice(GRADED)
            kind = self.rng.choice(sorted(ADJECTIVES[adjective].kinds - {"pen", "sound"}))
            first, second = (self.np({kind}, "the the my this", adjective=0, owner=0, plural=0.15) for _ in "ab")
            if first.concept != second.concept and all(adjective in adjectives_of(np.concept)
                                                       for np in (first, second)):
                break
        degree = "more" if adjective in ("old", "tall", "big", "small", "good", "long", "young", "light") else (
            self.rng.choice(("more", "more", "less", "as")))
        return self.dress(Clause("be", first, complement=adjective, degree=degree, standard=second), adverb=0, time=0,
                          negation=0.1 if degree == "as" else 0, question=0.1)

    def giving(self) -> Clause:
        verb = self.rng.choice(GIVES)
        subject = self.person()
        recipient = self.person(pronoun=0.55, plural=0.1, besides=subject.concept)
        while recipient.joined or overlap(recipient.concept, subject):
            recipient = self.person(pronoun=0.55, plural=0.1, besides=subject.concept)
        thing = self.np(VERBS[verb].object - {"plant"}, "the the a a a my this", holder=subject)
        if "plant" in VERBS[verb].object and self.often(0.15):
            thing = NP(self.rng.choice(("flower", "rose")), "a", self.often(0.5))
        return self.dress(Clause(verb, subject, thing, recipient))

    def missing(self) -> Clause:
        subject, draw = self.person(), self.rng.random()
        missed = self.np({"family"}, holder=subject, adjective=0, plural=0, besides=subject.concept)
        if draw < 0.4:
            missed = NP(self.rng.choice([n for n in NAMES if n != subject.concept]))
        elif draw < 0.55:
            missed = NP(self.rng.choice([p for p in ("he", "she", "they", "you", "we", "I")
                                         if not overlap(p, subject)]))
        elif draw < 0.75:
            missed = NP(self.rng.choice(("cat", "dog", "horse", "friend")), self.pronoun_of(subject), self.often(0.3))
        if self.often(0.5):
            liked = self.np(VERBS["like"].object, "the the this this my", holder=subject)
            return self.dress(Clause("like", subject, liked), adverb=0)
        return self.dress(Clause("miss", subject, missed), adverb=0)

    def playing(self) -> Clause:
        verb = self.rng.choice(("play (game)", "play (game)", "play (instrument)"))
        noun = self.rng.choice(OF_KIND["game" if verb == "play (game)" else "instrument"])
        return self.dress(Clause(verb, self.person(), NP(noun, "every" if verb == "play (game)" else "the",
                                                         noun in ("chess", "cards"))))

    def grooming(self) -> Clause:
        verb, noun = self.rng.choice((("wash (own)", "hand"), ("wash (own)", "hair"), ("brush (own)", "tooth"),
                                      ("brush (own)", "hair"),
                                      ("cut (own)", "nail (finger)"), ("cut (own)", "hair"), ("break (own)", "leg"),
                                      ("break (own)", "arm")))
        subject = self.person("I he she we you they" if verb != "break (own)" else "I he she", plural=0)
        c = Clause(verb, replace(subject, joined=None), NP(noun, "own", verb != "break (own)"))
        if verb != "break (own)":
            return self.dress(c)
        c = replace(c, tense="past")
        return self.when(c) if self.often(0.4) else c

    def idiom(self) -> Clause:
        verb = self.rng.choice(IDIOMS)
        if verb == "cost a fortune":
            subject = self.np({"vehicle", "machine"}, "the this my")
            return Clause(verb, subject, tense="past" if subject.plural else self.rng.choice(("present", "past")))
        subject = self.subject(verb)
        thing = self.object(verb, subject) if VERBS[verb].object else None
        return self.dress(Clause(verb, subject, thing), adverb=0, modal=0.05)

    def existing(self) -> Clause:
        thing = self.np({"animal", "thing", "container", "furniture", "person", "plant", "fruit"}, "a", owner=0)
        while thing.concept in ("king", "queen", "hero", "friend", "neighbour"):
            thing = self.np({"animal", "person", "plant"}, "a", owner=0)
        outside = kind_of(thing) in ("plant", "animal", "person")
        where = self.place("near, behind, opposite, in front of" if outside else "inside, inside, on, under, behind")
        if where["place"].concept in (thing.concept, *("door", "window") * outside):
            where = {"preposition": "in", "place": NP("garden" if outside else "kitchen")}
        if kind_of(thing) == "furniture":
            where = {"preposition": "in", "place": NP(self.rng.choice(("kitchen", "bedroom", "office", "garden")))}
        c = self.dress(Clause("exist", object=thing, **where), adverb=0, time=0)
        return replace(c, negation="") if c.object.determiner != "a" else c

    def weather(self) -> Clause:
        return self.dress(Clause(self.rng.choice(WEATHER)), modal=0, adverb=0, time=0.5)
