"""Analysis: an English sentence becomes a tree. The left side of Vauquois' pyramid, up to syntax.

A parser by recursive descent with backtracking: each method reads one kind of phrase from a place and yields
every way to do so, with the place where it ends. It knows English words and English word order, nothing of
French. Built in chapter 1.
"""
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
import re

from course_lib.data.translation.lexicon import NOUNS, VERBS
from course_lib.data.translation.phrases import TIMES
from course_lib.translation.dictionary import Entry, look_up


@dataclass(frozen=True)
class Nominal:
    """head: lemma, name or subject form of a pronoun; category: noun, name, pronoun or gap (what a relative
    clause leaves out); modifier: "garden" in garden chair; owner: of 's; determiner: lemma ("" for none)."""
    head: str
    category: str = "noun"
    determiner: str = ""
    plural: bool = False
    adjective: str = ""
    modifier: str = ""
    owner: "Nominal | None" = None
    joined: "Nominal | None" = None
    relative: "Clause | None" = None
    antecedent: str = ""    # what a pronoun stands for; see `meaning`


GAP = Nominal("who", "gap")


@dataclass(frozen=True)
class Clause:
    """verb: lemma with its particle ("look for"), "there be" for there is. recipient: to whom. adjective: after
    be, with degree ("" more less as) and standard; age: a numeral. phrases: prepositions with nominals.
    tense: present past future; aspect: simple progressive perfect recent since; negation: "" not never "no
    longer" no; modal: "" can must want, know how; question: "" yes/no subject object where why when.
    """
    verb: str
    subject: Nominal | None = None
    object: Nominal | None = None
    recipient: Nominal | None = None
    adjective: str = ""
    degree: str = ""
    standard: Nominal | None = None
    age: str = ""
    phrases: tuple[tuple[str, Nominal], ...] = ()
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


OBJECTS = {"me": "I", "him": "he", "her": "she", "it": "it", "us": "we", "you": "you", "them": "they"}
PREPOSITIONS = [p.split() for p in ("in front of", "next to", "out of", "in", "on", "under", "behind", "near",
                                    "opposite", "to", "at", "from", "with")]
TIME_PHRASES = sorted((re.sub(r"/\d", "", english).split() for english, _, _ in TIMES.values()), key=len, reverse=True)
WITH_RECIPIENT = ("give", "show", "send", "lend", "sell")
WITH_CONTENT = ("know", "think", "say")
# Verbs with more words than one, the longest first; POSSESSIVE stands for my, his and so on.
_PHRASAL = {tuple(re.sub(r"/\d", "", " ".join(verb.english)).split()) for verb in VERBS.values() if verb.english[1]}
_PHRASAL -= {("be", word) for word in "hungry thirsty cold sleepy right wrong nice".split()}    # be and an adjective
_PHRASAL = sorted(_PHRASAL, key=lambda words: (-len(words), words))
_COMPOUNDS = {noun.english[0] for noun in NOUNS.values() if " " in noun.english[0]}
_SINGULAR, _PLURAL = ("is", "was", "has", "does"), ("are", "were", "have", "do")
_ADVERBS = ("often", "always", "already", "still", "sometimes", "rarely", "just")


@cache
def _entries(form: str, category: str) -> tuple[Entry, ...]:
    return tuple(entry for entry in look_up(form) if entry.category == category)


class Parser:
    """Reads phrases of one sentence from any of its places."""

    def __init__(self, tokens: Sequence[str]):
        self.tokens = [*tokens, "", "", ""]

    def starts(self, i, words):
        return self.tokens[i:i + len(words)] == list(words)

    # Nominals

    def nominal(self, i: int, case: str = "subject") -> Iterator[tuple[Nominal, int]]:
        """case: which pronouns are read."""
        word = self.tokens[i]
        pronouns = OBJECTS if case == "object" else {p: p for p in ("I", "he", "she", "it", "we", "you", "they")}
        if word in pronouns and not (word == "her" and _entries(self.tokens[i + 1], "noun")):
            yield Nominal(pronouns[word], "pronoun"), i + 1
        for nominal, j in self.owned(i):
            if nominal.category == "name" and self.tokens[j] == "and" and _entries(self.tokens[j + 1], "name"):
                yield replace(nominal, joined=Nominal(self.tokens[j + 1], "name")), j + 2
            if self.tokens[j] in ("who", "that") and nominal.category == "noun":
                for clause, k in self.relative(j + 1):
                    yield replace(nominal, relative=clause), k
            yield nominal, j

    def owned(self, i):
        """A name or a noun with what stands before it; "the boy 's dog" is a dog."""
        for nominal, j in self.simple(i):
            while self.tokens[j] in ("'s", "'"):
                found = next(self.noun_group(j + 1), None)
                if found is None:
                    return
                nominal, j = replace(found[0], owner=nominal), found[1]
            yield nominal, j

    def simple(self, i):
        if _entries(self.tokens[i], "name"):
            yield Nominal(self.tokens[i], "name"), i + 1
            return
        determiner, start = "", i
        if self.starts(i, ["how", "many"]):
            determiner, start = "how many", i + 2
        elif entry := next(iter(_entries(self.tokens[i], "determiner")), None):
            determiner, start = entry.lemma, i + 1
        one = self.tokens[i] in ("a", "an", "this")
        many = start > i and (determiner == "how many" or entry.function == "plural")
        for nominal, j in self.noun_group(start):
            if not (one and nominal.plural or many and not nominal.plural):
                yield replace(nominal, determiner=determiner), j

    def noun_group(self, i):
        """An adjective or none, and nouns of which the last is the head; known compounds, then single nouns."""
        for start, adjective in ((i + 1, next(iter(_entries(self.tokens[i], "adjective")), None)), (i, None)):
            if start > i and (adjective is None or adjective.function):
                continue
            end = start
            while _entries(self.tokens[end], "noun"):
                end += 1
            found = []
            for last in range(start, end):
                modifier = " ".join(self.tokens[start:last])
                for entry in _entries(self.tokens[last], "noun"):
                    rank = 1 if not modifier else 0 if f"{modifier} {entry.lemma}" in _COMPOUNDS else 2
                    noun = Nominal(entry.lemma, plural=entry.function == "plural", modifier=modifier,
                                   adjective=adjective.lemma if adjective else "")
                    found.append((rank, last + 1, noun))
            for _, after, nominal in sorted(found, key=lambda row: row[0]):
                yield nominal, after

    def relative(self, i):
        """What follows who or that: a verb, or a subject and a verb without object."""
        yield from self.predicate(i, Clause("", subject=GAP))
        for subject, j in self.nominal(i):
            for clause, k in self.predicate(j, Clause("", subject=subject)):
                if clause.object is None and not clause.adjective and not clause.content:
                    yield replace(clause, object=GAP), k

    # Clauses

    def clause(self, i: int) -> Iterator[tuple[Clause, int]]:
        """A clause and those that conjunctions join to it."""
        for first, j in self.single(i):
            if self.tokens[j] in ("and", "but", "because", "when", "while", "so", "if"):
                for second, k in self.clause(j + 1):
                    yield replace(first, conjunction=self.tokens[j], second=second), k
            yield first, j

    def single(self, i):
        word = self.tokens[i]
        if word in ("where", "why", "when"):
            yield from self.inverted(i + 1, Clause("", question=word))
        elif word in ("what", "which", "how"):
            for thing, j in ([(Nominal("what", "pronoun"), i + 1)] if word == "what" else self.simple(i)):
                for clause, k in self.inverted(j, Clause("", question="object")):
                    if clause.object is None:
                        yield replace(clause, object=thing), k
        elif word == "who":
            yield from self.predicate(i + 1, Clause("", subject=Nominal("who", "pronoun"), question="subject"))
        elif word == "there":
            yield from self.predicate(i + 1, Clause("there"))
        else:
            yield from self.inverted(i, Clause("", question="yes/no"))
            for subject, j in self.nominal(i):
                yield from self.predicate(j, Clause("", subject=subject))

    def inverted(self, i, clause):
        """A question: the auxiliary, the subject, the rest."""
        if not _entries(self.tokens[i], "auxiliary") and self.tokens[i] not in ("have", "has"):
            return
        if self.tokens[i + 1] == "there":
            yield from self.predicate(i + 2, replace(clause, verb="there"), auxiliary=self.tokens[i])
        for subject, j in self.nominal(i + 1):
            yield from self.predicate(j, replace(clause, subject=subject), auxiliary=self.tokens[i])

    def predicate(self, i: int, clause: Clause, auxiliary: str = "") -> Iterator[tuple[Clause, int]]:
        """A verb with its auxiliaries and what follows it; `auxiliary` stood before the subject."""
        for clause, verb, j in self.verb_group(i, clause, auxiliary):
            if clause.verb == "there":
                yield from self.existing(j, clause)
            elif verb == "be":
                yield from self.copula(j, clause)
            else:
                yield from self.full_verb(j, clause, verb)

    def verb_group(self, i, clause, auxiliary):
        """(clause with tense, aspect, modal, negation and adverb, lemma of the verb, end)"""
        first = auxiliary or self.tokens[i]
        j = i if auxiliary else i + 1
        who = clause.subject
        a_noun = who is not None and who.category in ("noun", "name")
        several = a_noun and (who.plural or who.joined is not None)
        if a_noun and first in (*_SINGULAR, *_PLURAL) and several != (first in _PLURAL):
            return
        past = first in ("was", "were", "did")
        clause = replace(clause, tense="past" if past else "future" if first == "will" else "present",
                         modal={"can": "can", "cannot": "can", "must": "must"}.get(first, ""))
        clause, after = self.middle(j, clause)
        if first == "cannot":
            clause = replace(clause, negation="not")
        following = self.tokens[after]
        forms = {entry.function: entry.lemma for entry in reversed(_entries(following, "verb"))}
        if first in ("do", "does", "did", "will", "can", "cannot", "must") and "" in forms:
            yield from self.infinitive(after, clause)
            yield clause, forms[""], after + 1
        if first in ("have", "has"):
            if following == "been":
                for entry in _entries(self.tokens[after + 1], "verb"):
                    if entry.function == "ing":
                        yield replace(clause, aspect="since"), entry.lemma, after + 2
                yield replace(clause, aspect="perfect"), "be", after + 1
            if "participle" in forms:
                aspect = {"aspect": "recent", "adverb": ""} if clause.adverb == "just" else {"aspect": "perfect"}
                yield replace(clause, **aspect), forms["participle"], after + 1
        if any(entry.lemma == "be" for entry in _entries(first, "auxiliary")):
            if "ing" in forms:
                yield replace(clause, aspect="progressive"), forms["ing"], after + 1
            yield clause, "be", after
        if not auxiliary:
            clause, j = self.middle(i, replace(clause, tense="present", modal="", negation="", adverb=""))
            yield from self.infinitive(j, clause)
            for entry in _entries(self.tokens[j], "verb"):
                third = a_noun and not several or who is not None and who.head in ("he", "she", "it")
                if entry.function == "past" or entry.function == "third" or entry.function == "" and not third:
                    yield replace(clause, tense="past" if entry.function == "past" else "present"), entry.lemma, j + 1

    def infinitive(self, i, clause):
        """want to and know how to, with the verb after them."""
        for words in (("want", "to"), ("wants", "to"), ("know", "how", "to"), ("knows", "how", "to")):
            for entry in _entries(self.tokens[i + len(words)], "verb") if self.starts(i, words) else ():
                if not entry.function:
                    modal = " ".join([words[0].removesuffix("s"), *words[1:-1]])
                    yield replace(clause, modal=modal), entry.lemma, i + len(words) + 1

    def middle(self, i, clause):
        """not, never, no longer and adverbs between auxiliary and verb."""
        while True:
            if self.starts(i, ["no", "longer"]):
                clause, i = replace(clause, negation="no longer"), i + 2
            elif self.tokens[i] in ("not", "never"):
                clause, i = replace(clause, negation=self.tokens[i]), i + 1
            elif self.tokens[i] in _ADVERBS:
                clause, i = replace(clause, adverb=self.tokens[i]), i + 1
            else:
                return clause, i

    def existing(self, i, clause):
        no = self.tokens[i] == "no"
        for thing, j in self.nominal(i + no):
            made = replace(clause, verb="there be", object=replace(thing, determiner="a") if no else thing,
                           negation="no" if no else clause.negation)
            yield from self.tail(j, made)

    def copula(self, i, clause):
        """be: an adjective, a comparison, an age, a noun, a place."""
        clause = replace(clause, verb="be")
        yield from self.phrasal(i, clause, "be")
        yield from self.tail(i, clause)
        degree, start = "", i
        if self.tokens[i] in ("more", "less", "as"):
            degree, start = self.tokens[i], i + 1
        for entry in _entries(self.tokens[start], "adjective"):
            lemma = {"better": "good", "worse": "bad"}.get(entry.lemma, entry.lemma)
            more = entry.function == "comparative" or lemma != entry.lemma
            made = replace(clause, adjective=lemma, degree="more" if more else degree)
            if made.degree and self.tokens[start + 1] == ("as" if degree == "as" else "than"):
                for standard, j in self.nominal(start + 2, "object"):
                    yield from self.tail(j, replace(made, standard=standard))
            yield from self.tail(start + 1, made)
        if self.starts(i + 1, ["years", "old"]) and _entries(self.tokens[i], "determiner"):
            yield from self.tail(i + 3, replace(clause, age=self.tokens[i]))
        for noun, j in self.simple(i):
            yield from self.tail(j, replace(clause, object=noun))

    def full_verb(self, i, clause, verb):
        yield from self.phrasal(i, clause, verb)
        yield from self.objects(i, replace(clause, verb=verb))

    def phrasal(self, i, clause, verb):
        """The verb with the words that make it another: look for, get up, spill the beans."""
        for words in _PHRASAL:
            fits = all(a == b or a == "POSSESSIVE" and _entries(b, "determiner")
                       for a, b in zip(words[1:], self.tokens[i:]))
            if words[0] == verb and fits:
                yield from self.objects(i + len(words) - 1, replace(clause, verb=" ".join(words)))

    def objects(self, i, clause):
        if clause.verb in WITH_CONTENT and self.tokens[i] == "that":
            for content, j in self.clause(i + 1):
                yield replace(clause, content=content), j
        if any(self.starts(i, words) for words in TIME_PHRASES):    # next week is no object
            yield from self.tail(i, clause)
        for thing, j in self.nominal(i, "object"):
            if clause.verb in WITH_RECIPIENT:
                if self.tokens[j] == "to":
                    for whom, k in self.nominal(j + 1, "object"):
                        yield from self.tail(k, replace(clause, object=thing, recipient=whom))
                for second, k in self.nominal(j, "object"):
                    yield from self.tail(k, replace(clause, object=second, recipient=thing))
            yield from self.tail(j, replace(clause, object=thing))
        if clause.verb in WITH_RECIPIENT and self.tokens[i] == "to":
            for whom, j in self.nominal(i + 1, "object"):
                yield from self.tail(j, replace(clause, recipient=whom))
        yield from self.tail(i, clause)

    def tail(self, i: int, clause: Clause) -> Iterator[tuple[Clause, int]]:
        """Places and times after everything else."""
        for words in TIME_PHRASES:
            if self.starts(i, words) and not clause.time:
                yield from self.tail(i + len(words), replace(clause, time=" ".join(words)))
        for words in PREPOSITIONS:
            if self.starts(i, words):
                for place, j in self.nominal(i + len(words), "object"):
                    yield from self.tail(j, replace(clause, phrases=(*clause.phrases, (" ".join(words), place))))
        yield clause, i


def parses(tokens: Sequence[str]) -> Iterator[Clause]:
    """Every tree of an English sentence, the likelier ones first; none where the grammar does not cover it."""
    tokens = list(tokens)
    if tokens and tokens[-1] in (".", "?"):
        for clause, end in Parser(tokens).clause(0):
            if end == len(tokens) - 1:
                yield clause


def parse(tokens: Sequence[str]) -> Clause | None:
    """The first tree of an English sentence, or None."""
    return next(parses(tokens), None)
