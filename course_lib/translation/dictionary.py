"""The dictionary of 1933, and what Troyanskii added to it. Every system of rules of chapter 1 uses its entries.

Content words come from the tables of the corpus (`course_lib.data.translation.lexicon`), which list the
senses of a word in order; function words are written here. Artsrouni's device gave what stood beside a word
on its band. Troyanskii divided the work: a person reduces each word to root and function, the machine
exchanges roots, a second person gives the French words their forms (Hutchins 2004, "Two precursors of
machine translation").
"""
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from course_lib.data.translation.conjugation import conjugate, participle
from course_lib.data.translation.english import inflect
from course_lib.data.translation.lexicon import ADJECTIVES, H_ASPIRE, NAMES, NOUNS, VERBS, french_plural
from course_lib.translation.system import Costs, Pair, Sentence, check_sentences

_FUNCTION_WORDS = """
determiner | the le; a un; an un; this ce; my mon; his son; her son; its son; our notre; your votre; their leur
determiner | every tout; no aucun; which quel; many beaucoup
plural determiner | these ce; two deux; three trois; four quatre; five cinq; six six; seven sept; eight huit; nine neuf
plural determiner | ten dix; eleven onze; twelve douze; twenty vingt; thirty trente; forty quarante; sixty soixante
plural determiner | eighty quatre-vingts
pronoun | I je; he il; she elle; it il; we nous; you vous; they ils; what que; who qui
object pronoun | me me; him le; us nous; them les; her la
conjunction | and et; but mais; because parce que; when quand; while pendant que; if si; so donc; that que; than que
conjunction | as comme
preposition | in dans; on sur; under sous; behind derrière; near près de; opposite en face de; to à; at à; from de
preposition | of de
preposition | for pour; with avec; like comme; after après; before avant; around autour de; over sur; out hors; up haut
preposition | back retour; front devant
adverb | not pas; never jamais; often souvent; always toujours; already déjà; still encore; sometimes parfois
adverb | rarely rarement
adverb | there là; more plus; less moins; longer plus; today aujourd'hui; now maintenant; yesterday hier
adverb | tomorrow demain
adverb | soon bientôt; ago il y a; where où; why pourquoi; how comment
noun m | evening soir; morning matin; day jour; month mois; spring printemps; winter hiver; Monday lundi
noun m | Sundays dimanche
noun m | dinner dîner; lunch déjeuner; bush buisson; trick tour
noun f | history histoire; stone pierre; straw paille; silk soie; wool laine; fishing pêche; sewing couture; tart tarte
noun f | police police; cookery cuisine; washing lessive
noun m | leather cuir; law droit; bedside chevet; gold or; chocolate chocolat; detective policier; driver conducteur
noun m | juice jus
plural noun f | hours heure; minutes minute; tarts tarte
plural noun m | drivers conducteur; juices jus
participle auxiliary | been être
adverb | just justement
preposition | since depuis
noun f | night nuit; week semaine; year année; walk promenade; log bûche; moon lune; frog grenouille; throat gorge
plural noun f | years année
plural noun m | days jour
auxiliary | will vouloir; can pouvoir; cannot pouvoir; must devoir; do faire; am être; are être
third auxiliary | is être; does faire
past auxiliary | was être; were être; did faire
adjective | last dernier; next prochain; hungry affamé; thirsty assoiffé; sleepy endormi; right juste; wrong faux
adjective | afraid effrayé; dressed habillé; nice agréable; better meilleur; worse pire; blue bleu
verb | get attraper; spill verser; beat frapper; feel éprouver; cost coûter; look regarder; want vouloir
mark | 's de; ' de
"""
_LEMMAS = {"an": "a", "am": "be", "is": "be", "are": "be", "was": "be", "were": "be", "been": "be", "does": "do",
           "did": "do", "these": "this"}
FEMININES = {"dernier": "dernière", "prochain": "prochaine", "faux": "fausse", "pire": "pire",
             **{a.french[0]: a.french[1] for a in ADJECTIVES.values()}}
_VERB_FORMS = {"": "", "third": "present", "past": "past", "participle": "participle", "ing": "ing"}


@dataclass(frozen=True)
class Entry:
    """A line of the dictionary.

    form: the English word as it stands in a text; lemma: its root; category: noun, name, adjective, verb,
    auxiliary, determiner, pronoun, preposition, conjunction, adverb or mark; function: what the form says
    beside the root ("plural", "past", "third", "participle", "ing", "comparative", "object", or nothing);
    french: the root in French; gender: "m", "f" or "" (of a French noun or a name).
    """
    form: str
    lemma: str
    category: str
    function: str
    french: str
    gender: str = ""


def _function_words():
    for line in _FUNCTION_WORDS.strip().splitlines():
        head, _, words = line.partition(" | ")
        gender = head[-1] if head.endswith((" m", " f")) else ""
        *function, category = head.removesuffix(f" {gender}" if gender else "").split()
        for word in words.split("; "):
            form, _, french = word.partition(" ")
            lemma = _LEMMAS.get(form, form)
            if category == "noun" and function:
                lemma = form.removesuffix("s")
            if category == "verb":
                yield from _verb_forms(form, french)
            else:
                yield Entry(form, lemma, category, *(function or [""]), french, gender)


def _verb_forms(lemma, french):
    yield Entry(lemma, lemma, "verb", "", french)
    if lemma != "be":
        for function in ("third", "past", "participle", "ing"):
            yield Entry(inflect(lemma, "present" if function == "third" else function, function == "third"), lemma,
                        "verb", function, french)


def _content_words():
    for noun in NOUNS.values():
        english, french = (text.split() for text in (noun.english[0], noun.french[0]))
        if len(english) == 1:
            yield Entry(english[0], english[0], "noun", "", " ".join(french), noun.gender)
            yield Entry(noun.english[1], english[0], "noun", "plural", " ".join(french), noun.gender)
    for name, gender in NAMES.items():
        yield Entry(name, name, "name", "", name, gender)
    yield Entry("machine", "machine", "noun", "", "machine", "f")
    yield Entry("machines", "machine", "noun", "plural", "machine", "f")
    for adjective in ADJECTIVES.values():
        word = adjective.english
        yield Entry(word, word, "adjective", "", adjective.french[0])
        stem = word[:-1] if word[-1] in "ey" else word + word[-1] if word in ("big", "sad", "hot", "red") else word
        yield Entry(stem + ("ier" if word[-1] == "y" else "er"), word, "adjective", "comparative", adjective.french[0])
    plain = [verb for verb in VERBS.values() if "idiom" not in verb.flags]
    for verb in sorted(plain, key=lambda verb: bool(verb.english[1])):    # "go" before "go out"
        yield from _verb_forms(verb.english[0], verb.french[0])
    yield Entry("love", "love", "noun", "", "amour", "m")


@cache
def entries() -> dict[str, tuple[Entry, ...]]:
    """All entries of each English form, the first sense first. The same French is not listed twice."""
    found: dict[str, list[Entry]] = {}
    for entry in (*_function_words(), *_content_words()):
        known = found.setdefault(entry.form, [])
        if not any((e.lemma, e.category, e.function) == (entry.lemma, entry.category, entry.function) for e in known):
            known.append(entry)
    return {form: tuple(known) for form, known in found.items()}


def starts_with_vowel(text: str) -> bool:
    """Whether a French word or phrase begins with a vowel sound, so that le is l' before it."""
    return bool(re.match("[aeiouyhâàéèêëîïôœ]", text.lower())) and text.split()[0].lower() not in H_ASPIRE


def look_up(form: str) -> tuple[Entry, ...]:
    """Entries of a word form; a capital at the start of a sentence does not matter. Empty where unknown."""
    return entries().get(form) or entries().get(form[:1].lower() + form[1:], ())


def count_entries() -> int:
    """Entries that a person writes: one for each root and category; the forms follow from the root."""
    return len({(entry.lemma, entry.category) for known in entries().values() for entry in known})


class Dictionary:
    """Word for word, the first entry, the French as the dictionary has it: singular, masculine, infinitive.

    Words that it does not hold stay as they are. One entry of the band for each English form, as
    Artsrouni's device needed. Learns nothing. Built in chapter 1.
    """
    name, year = "dictionary", 1933

    def fit(self, pairs: Iterable[Pair] = ()) -> "Dictionary":
        return self

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        return [[word for form in sentence for word in self._word(form)] for sentence in check_sentences(sentences)]

    def _word(self, form):
        found = look_up(form)
        return found[0].french.split() if found else [form]

    def costs(self) -> Costs:
        return Costs(rules=len(entries()))


class Troyanskii(Dictionary):
    """Three stages: `analyse` (a person, who knows English only), `transform` (the machine), `synthesise` (a
    person, who knows French only).

    The two people are stood in for by tables, so that the stages run: the first reads the function off the
    form alone, the second forms each word for that function and leaves order and agreement as they are. What
    a real editor of French would still change is the distance to the reference. One entry for each root.
    """
    name = "dictionary, three stages"

    def analyse(self, sentence: Sentence) -> list[Entry]:
        """English root and function of each word; an unknown word is its own root, of no category."""
        return [look_up(form)[0] if look_up(form) else Entry(form, form, "", "", form) for form in sentence]

    def transform(self, roots: list[Entry]) -> list[Entry]:
        """French roots with the same functions. This stage alone was to be mechanical."""
        return [replace(entry, lemma=entry.french) for entry in roots]

    def synthesise(self, roots: list[Entry]) -> list[str]:
        return [word for entry in roots for word in form_alone(entry).split()]

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        return [self.synthesise(self.transform(self.analyse(sentence))) for sentence in check_sentences(sentences)]

    def costs(self) -> Costs:
        return Costs(rules=count_entries())


def form_alone(entry: Entry) -> str:
    """The French form that a word's own function asks for: a plural, a tense in the third person."""
    if entry.function == "plural":
        determiners = {"le": "les", "un": "des", "ce": "ces", "son": "ses", "mon": "mes"}
        return determiners.get(entry.french, entry.french) if entry.category == "determiner" else (
            french_plural(entry.french))
    if entry.category in ("verb", "auxiliary"):
        if entry.function in ("participle", "ing"):
            return participle(entry.french)
        if entry.function in ("third", "past"):
            return conjugate(entry.french, "present" if entry.function == "third" else "imperfect", 2)
    return entry.french
