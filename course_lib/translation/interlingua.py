"""Interlingua: English becomes a frame that is no language's, and the frame becomes French. The top of the pyramid.

The frame is the one that the corpus was written from, and the French is written by the grammar that wrote the
references. So this system is at 100 BLEU by construction wherever its analysis finds the frame again: what
it shows is where English does not say what the frame holds (which sense, which antecedent), and what
happens to a sentence that is not understood as a whole. No real interlingua had this advantage. Built in
chapter 1.
"""
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from course_lib.data.translation import frames, realise_french
from course_lib.data.translation.lexicon import ADJECTIVES, NOUNS, VERBS
from course_lib.data.translation.phrases import CONJUNCTIONS, NUMERALS, PREPOSITIONS, TIMES
from course_lib.translation.analysis import Clause, Nominal, Parser, parses
from course_lib.translation.dictionary import Dictionary, count_entries
from course_lib.translation.meaning import is_only_plural, understand
from course_lib.translation.system import Costs, Pair, Sentence, check_sentences
from course_lib.translation.transfer import _plain

_OWNERS = {"my": "I", "his": "he", "her": "she", "its": "it", "our": "we", "your": "you", "their": "they"}
_CONCEPTS = {_plain(row[0]): concept for table in (PREPOSITIONS, TIMES, CONJUNCTIONS) for concept, row in table.items()}


class NotUnderstood(ValueError):
    """A sentence whose tree says something that no frame can hold; the message names it."""


def noun_phrase(np: Nominal | None, bare: str = "a") -> frames.NounPhrase | None:
    """The frame of a nominal with senses; bare: the determiner of a noun that has none."""
    if np is None:
        return None
    if np.category in ("pronoun", "gap"):
        concept = "who" if np.category == "gap" else np.head
        return frames.NounPhrase(concept, "", np.plural, antecedent=np.antecedent)
    if np.category == "name":
        return frames.NounPhrase(np.head, joined=noun_phrase(np.joined))
    if np.head not in NOUNS or np.modifier:
        raise NotUnderstood(f"no concept for {np.modifier} {np.head}")
    if np.adjective and np.adjective not in ADJECTIVES:
        raise NotUnderstood(f"no concept for {np.adjective}")
    determiner = _OWNERS.get(np.determiner, np.determiner) or bare
    if determiner not in ("the", "a", "every", "this", "own", "which", "how many", *NUMERALS, *_OWNERS.values()):
        raise NotUnderstood(f"no concept for {np.determiner}")
    owner = noun_phrase(np.owner)
    return frames.NounPhrase(np.head, "the" if owner else determiner, np.plural or is_only_plural(np.head),
                             np.adjective, owner,
                             relative=frame(np.relative) if np.relative is not None else None)


def frame(c: Clause) -> frames.Clause:
    """The frame of a tree with senses, as `meaning.understand` gives it. Raises NotUnderstood."""
    predicate = {"there be": "exist"}.get(c.verb, c.verb)
    if predicate != "exist" and predicate not in VERBS or len(c.phrases) > 1:
        raise NotUnderstood(f"no concept for {c.verb}" if len(c.phrases) < 2 else "two places")
    flags = VERBS[predicate].flags if predicate in VERBS else ()
    thing = noun_phrase(c.object, "every" if "every" in flags else "a")
    if "own" in flags:
        thing = replace(thing, determiner="own")
    said = predicate == "be" and not c.question == "object"
    if c.adjective and predicate == "be" and c.adjective not in ADJECTIVES:
        raise NotUnderstood(f"no concept for {c.adjective}")
    preposition, place = c.phrases[0] if c.phrases else ("", None)
    return frames.Clause(
        predicate, None if "weather" in flags or predicate == "exist" else noun_phrase(c.subject),
        None if said else thing, noun_phrase(c.recipient), complement=c.adjective if predicate == "be" else "",
        degree=c.degree, standard=noun_phrase(c.standard), profession=thing if said else None, age=c.age,
        preposition=_CONCEPTS.get(preposition, preposition), place=noun_phrase(place),
        time=_CONCEPTS.get(c.time, c.time), adverb=c.adverb, tense=c.tense, aspect=c.aspect, modal=c.modal,
        negation="not" if c.negation == "no" else c.negation, question=c.question,
        content=frame(c.content) if c.content is not None else None, conjunction=c.conjunction,
        second=frame(c.second) if c.second is not None else None)


class Interlingua:
    """Analysis to the frame, generation from the frame; see the warning above about its score.

    All or nothing: a sentence without a frame goes to the dictionary, word by word. `understood` counts the
    sentences of the last `translate` that had one. Learns nothing.
    """
    name, year = "interlingua", 1968

    def __init__(self):
        self.understood = 0

    def fit(self, pairs: Iterable[Pair] = ()) -> "Interlingua":
        return self

    def analyse(self, sentence: Sentence) -> frames.Clause | None:
        """The frame of the first parse that has one; None where none has."""
        for tree in islice(parses(sentence), 20):
            try:
                return frame(understand(tree))
            except NotUnderstood:
                continue
        return None

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        self.understood, translations = 0, []
        for sentence in check_sentences(sentences):
            found = self.analyse(sentence)
            self.understood += found is not None
            translations.append([token.text for token in realise_french(found)] if found is not None
                                else Dictionary().translate([sentence])[0])
        return translations

    def costs(self) -> Costs:
        """Entries of the dictionary, concepts, methods of the parser, and functions of the corpus's French."""
        import inspect
        from course_lib.data.translation import french
        rules = sum(len(inspect.getmembers(part, inspect.isfunction)) for part in (Parser, french))
        return Costs(rules=rules + count_entries() + len(NOUNS) + len(VERBS) + len(ADJECTIVES))
