"""Transfer: an English tree becomes a French one. The middle of Vauquois' pyramid, at two of its levels.

At the level "syntax" words are exchanged one by one, with the first sense of the dictionary; what the tree
knows that the string did not is who does what to whom. At the level "meaning" senses are chosen first
(`meaning`), and rules change the tree where the languages see a thing differently: you are missed by me,
one washes oneself the hands, a garden chair is a chair of garden. Where the parser finds no tree, noun
phrases are translated and the words between them looked up. Built in chapter 1.

The rules are ours, written from training sentences and French grammar. The dictionary shares its tables with
the corpus, which flatters every system of rules here, and most of all the level "meaning": the kinds by
which it chooses senses are those by which the corpus chose its words. "syntax" is the honest one.
"""
import re
from collections.abc import Iterable

from course_lib.data.translation.lexicon import ADJECTIVES, NAMES, NOUNS, VERBS
from course_lib.data.translation.phrases import ADVERBS, CONJUNCTIONS, PREPOSITIONS, TIMES
from course_lib.translation import generation as french
from course_lib.translation.analysis import Clause, Nominal, Parser, parse
from course_lib.translation.dictionary import Dictionary, count_entries, look_up
from course_lib.translation.meaning import is_only_plural, noun_senses, understand, verb_senses
from course_lib.translation.system import Costs, Pair, Sentence, check_sentences

_PRONOUNS = {"I": "je", "he": "il", "she": "elle", "it": "il", "we": "nous", "you": "vous", "they": "ils",
             "what": "que", "who": "qui"}
_ADJECTIVES = {"afraid": "effrayé", "hungry": "affamé", "thirsty": "assoiffé", "sleepy": "endormi", "right": "juste",
               "wrong": "faux", "nice": "agréable"}


def _plain(text):
    return re.sub(r"/\d", "", text)


_TIMES = {_plain(english): _plain(translated) for english, translated, _ in TIMES.values()}


class TransferRules:
    """Rules from English trees to French ones. Each method is a rule, named for what it transfers."""

    def __init__(self, meaning: bool):
        self.meaning = meaning

    def pronoun(self, np: Nominal) -> french.NounPhrase:
        """I is je; it and they take the gender of what they stand for, where that is known."""
        form, gender = _PRONOUNS[np.head], "f" if np.head == "she" else "m"
        if np.antecedent:
            gender = NOUNS[np.antecedent].gender if np.antecedent in NOUNS else NAMES.get(np.antecedent, "m")
            form = {"it": "elle", "they": "elles"}.get(np.head, form) if gender == "f" else form
        return french.NounPhrase(pronoun=form, gender=gender, plural=np.head in ("we", "you", "they"))

    def noun_phrase(self, np: Nominal | None) -> french.NounPhrase | None:
        """A noun with its determiner, adjective, owner and relative clause."""
        if np is None:
            return None
        if np.category == "pronoun":
            return self.pronoun(np)
        if np.category == "gap":
            return french.NounPhrase(pronoun="qui", plural=np.plural)
        if np.category == "name":
            return french.NounPhrase(np.head, NAMES.get(np.head, "m"), name=True, joined=self.noun_phrase(np.joined))
        made = self.noun(np)
        made.plural = np.plural or is_only_plural(np.head)
        made.determiner = self.determiner(np, made)
        if np.adjective:
            made.adjective = self.adjective(np.adjective)
            made.before = np.adjective in ADJECTIVES and ADJECTIVES[np.adjective].before
        made.owner = self.noun_phrase(np.owner)
        if np.relative is not None:
            made.relative = self.clause(np.relative)
        return made

    def noun(self, np: Nominal) -> french.NounPhrase:
        """The noun itself: its sense, or its first one; of two nouns the first goes behind with de."""
        found = [np.head] if np.head in NOUNS and not np.modifier else noun_senses(np.head)[:1]
        if found:
            row = NOUNS[found[0]]
            made = french.NounPhrase(row.french[0], row.gender, mass=row.kind in ("meal", "drink"))
        else:
            entry = next((e for e in look_up(np.head) if e.category == "noun"), None)
            made = french.NounPhrase(entry.french if entry else np.head, entry.gender if entry else "m")
        if np.modifier:
            known = next((e.french for e in look_up(np.modifier) if e.category == "noun"), np.modifier)
            made.noun += " d' " + known if french.starts_with_vowel(known) else " de " + known
        return made

    def adjective(self, word: str) -> str:
        """An adjective, masculine singular; generation makes it agree."""
        return ADJECTIVES[word].french[0] if word in ADJECTIVES else _ADJECTIVES.get(word, word)

    def determiner(self, np: Nominal, made: french.NounPhrase) -> str:
        """None is un (des, du) in French, and so is a; an owner makes it le."""
        if np.owner is not None:
            return "le"
        if np.determiner == "how many":
            return "combien"
        if not np.determiner:
            return "un" if np.plural or made.mass else ""
        return look_up(np.determiner)[0].french

    def clause(self, c: Clause) -> french.Clause:
        """A clause: its verb, then its parts, then what the rules of meaning change in it."""
        sense = c.verb if c.verb in VERBS and self.meaning else next(iter(verb_senses(c.verb)), c.verb)
        if c.verb == "there be":
            sense = "have"
        row = VERBS.get(sense)
        if row is not None and "idiom" in row.flags and not self.meaning:
            made = self.idiom_word_by_word(c)
        elif row is not None:
            made = french.Clause(row.french[0], _plain(row.french[1]), row.reflexive)
        else:
            entry = next((e for e in look_up(c.verb.split()[0]) if e.category == "verb"), None)
            made = french.Clause(entry.french if entry else c.verb)
        made.subject = None if c.verb == "there be" else self.noun_phrase(c.subject)
        made.there = c.verb == "there be"
        if row is not None and "weather" in row.flags:
            made.subject = None
        self.objects(c, made, row)
        self.predicate(c, made)
        self.tense(c, made, row)
        made.negation = {"not": "pas", "no": "pas", "never": "jamais", "no longer": "plus"}.get(c.negation, "")
        made.question = {"where": "où", "why": "pourquoi", "when": "quand"}.get(c.question, c.question)
        made.places = tuple((_plain(PREPOSITIONS.get(preposition, ("", "de"))[1]), self.noun_phrase(np))
                            for preposition, np in c.phrases)
        made.time = _TIMES.get(c.time, c.time)
        made.adverb = ADVERBS[c.adverb][1] if c.adverb in ADVERBS else c.adverb
        if self.meaning and row is not None:
            self.roles(c, made, row)
            self.own_body(c, made, row)
            self.generic_object(c, made, row)
        made.content = self.clause(c.content) if c.content is not None else None
        if c.second is not None:
            made.conjunction, made.second = _plain(CONJUNCTIONS[c.conjunction][1]), self.clause(c.second)
        return made

    def idiom_word_by_word(self, c: Clause) -> french.Clause:
        """Below meaning an idiom is what its words say."""
        head, *rest = c.verb.replace("POSSESSIVE", "the").split()
        verb = next((e.french for e in look_up(head) if e.category in ("verb", "auxiliary")), "être")
        return french.Clause("être" if head == "be" else verb, " ".join(Dictionary().translate([rest])[0]))

    def objects(self, c: Clause, made: french.Clause, row) -> None:
        """Objects with the preposition that the French verb wants."""
        thing = self.noun_phrase(c.object)
        if row is not None and row.preposition == "à":
            made.indirect = thing
        elif row is not None and row.preposition == "de":
            made.of = thing
        elif c.verb == "be":
            made.attribute = thing
        else:
            made.direct = thing
        if c.recipient is not None:
            made.indirect = self.noun_phrase(c.recipient)

    def predicate(self, c: Clause, made: french.Clause) -> None:
        """What is said of the subject: an adjective, a comparison, an age."""
        if c.adjective and made.verb == "être" and not made.rest:
            made.adjective = self.adjective(c.adjective)
            made.degree = {"more": "plus", "less": "moins", "as": "aussi"}.get(c.degree, "")
            made.standard = self.noun_phrase(c.standard)
        if c.age:
            made.age = look_up(c.age)[0].french
            made.verb = "avoir"

    def tense(self, c: Clause, made: french.Clause, row) -> None:
        """The past of a state or of what went on is the imparfait; has been working is present."""
        stative = made.verb in ("être",) or c.verb == "there be" or c.age or row is not None and "stative" in row.flags
        made.modal = {"can": "pouvoir", "must": "devoir", "want": "vouloir", "know how": "savoir"}.get(c.modal, "")
        if c.aspect in ("recent", "since"):
            made.tense = "recent" if c.aspect == "recent" else "present"
        elif c.tense == "past":
            made.tense = "imperfect" if stative or c.aspect == "progressive" else "past"
        else:
            made.tense = "past" if c.aspect == "perfect" else c.tense

    def roles(self, c: Clause, made: french.Clause, row) -> None:
        """Who is missed or liked becomes the subject (manquer à, plaire à)."""
        if "inverted" in row.flags:
            made.subject, made.indirect = made.indirect, made.subject

    def own_body(self, c: Clause, made: french.Clause, row) -> None:
        """She washes her hands: elle se lave les mains."""
        if "own" in row.flags and made.direct is not None:
            made.direct.determiner, made.unagreeing = "le", True

    def generic_object(self, c: Clause, made: french.Clause, row) -> None:
        """Games and what one loves in general take le: aimer le lait, jouer aux cartes."""
        if "every" in row.flags and c.object is not None and not c.object.determiner:
            for np in (made.direct, made.indirect):
                if np is not None and np.determiner in ("un", ""):
                    np.determiner = "le"


class Transfer:
    """Analysis, transfer and generation. level: "syntax" or "meaning".

    `understood` counts the sentences of the last `translate` that had a tree. An unknown word breaks the tree,
    so that the rest is translated in pieces and the word itself stays. Learns nothing.
    """
    year = 1968

    def __init__(self, level: str = "syntax"):
        if level not in ("syntax", "meaning"):
            raise ValueError(f"level={level!r}: use 'syntax' or 'meaning'; Direct is below, Interlingua above")
        self.level = level
        self.name = f"transfer, {level}"
        self.rules = TransferRules(level == "meaning")
        self.understood = 0

    def fit(self, pairs: Iterable[Pair] = ()) -> "Transfer":
        return self

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        self.understood, translations = 0, []
        for sentence in check_sentences(sentences):
            tree = parse(sentence)
            self.understood += tree is not None
            translations.append(self.pieces(sentence) if tree is None else self.sentence(tree))
        return translations

    def sentence(self, tree: Clause) -> list[str]:
        """A whole tree, as `analysis.parse` gives it."""
        return french.generate(self.rules.clause(understand(tree) if self.level == "meaning" else tree))

    def pieces(self, sentence: Sentence) -> list[str]:
        """The longest clauses and noun phrases that can be read, from the left; other words one by one."""
        parser, words, i = Parser(sentence), [], 0
        while i < len(sentence):
            clause, end = max(parser.clause(i), key=lambda found: found[1], default=(None, i))
            nominal, last = max(parser.nominal(i), key=lambda found: found[1], default=(None, i))
            if clause is not None and end >= last + 1:
                words += self.sentence(clause)[:-1]
                i = end
            elif nominal is not None:
                words += french.spelled(french.noun_phrase(self.rules.noun_phrase(nominal)))
                i = last
            else:
                words += Dictionary().translate([[sentence[i]]])[0]
                i += 1
        return words

    def costs(self) -> Costs:
        """Dictionary entries, and one rule for each method of the parser, the transfer and the generator."""
        import inspect
        parts = [inspect.getmembers(part, inspect.isfunction) for part in (Parser, TransferRules, french)]
        return Costs(rules=sum(map(len, parts)) + count_entries())
