"""What is hard about a sentence: the phenomena that a leaderboard can be broken down by.

Built in the chapter "A history of machine translation".
"""
from collections import Counter

from course_lib.data.translation.conjugation import WITH_ETRE, participle
from course_lib.data.translation.frames import Bulletin, Clause, NounPhrase
from course_lib.data.translation.lexicon import ADJECTIVES, NOUNS
from course_lib.data.translation.phrases import TIMES
from course_lib.data.translation.selection import MASS, kind_of
from course_lib.data.translation.tokens import Token
from course_lib.data.translation.verbs import VERBS

#: name -> what it is
PHENOMENA = {
    "agreement": "an adjective or participle that is feminine or plural",
    "adjective before": "an adjective before its noun in French too", "adjective after": "une robe rouge",
    "before a vowel": "bel, vieil, nouvel, cet; mon and son before a feminine noun",
    "elision": "l', d', n', qu' and their like", "contraction": "du, des, au, aux of two words",
    "negation": "ne ... pas, jamais, plus", "de under negation": "un, des, du become de",
    "clitic": "a pronoun before its verb", "passé composé": "a past of two words",
    "être": "a past with être, whose participle agrees", "imparfait": "what was, or was going on",
    "future": "will and a verb are one word", "progressive": "is or was and a verb in -ing are one word",
    "know": "savoir or connaître, savoir nager", "inversion": "I miss you: vous me manquez",
    "genitive": "Paul's hat: le chapeau de Paul",
    "idiom": "not to be taken word for word", "question": "est-ce que, inversion, question words",
    "noun sense": "one English noun, several in French", "verb sense": "one English verb, several in French",
    "one to many": "one word for several: pomme de terre", "reflexive": "se laver",
    "recent past": "has just arrived: vient d'arriver", "depuis": "has been working for a week: travaille depuis",
    "compound": "a garden chair: une chaise de jardin", "own body": "her hands are les mains", "partitive": "de l'eau",
    "generic": "coffee is le café",
    "modal": "can, must, want to, know how to", "comparison": "plus grand que", "relative clause": "qui and que",
    "reference": "it is il or elle by what it stands for", "several clauses": "and, but, because, when, that",
    "indirect object": "somebody to whom", "preposition": "a verb whose object has a preposition in one language only",
    "existential": "il y a", "no article": "she is a nurse: infirmière", "adverb": "often stands after the verb",
    "time": "an expression of time in several words", "bulletin": "telegraphic weather",
}
_ENGLISH_NOUNS = Counter(noun.english[0] for noun in NOUNS.values())
_ENGLISH_VERBS = Counter(verb for verb in {(verb.english, verb.french[0], verb.preposition) for verb in VERBS.values()}
                         for verb in [verb[0]])
_INFLECTED = {form for a in ADJECTIVES.values() for form in (a.french[1], a.french[0] + "s", a.french[1] + "s")
              } - {a.french[0] for a in ADJECTIVES.values()}
_INFLECTED |= {participle(verb.french[0], f, p) for verb in VERBS.values()
               for f, p in ((True, False), (False, True), (True, True))} - {
                   participle(verb.french[0]) for verb in VERBS.values()}
_INFLECTED |= {"beaux", "nouveaux", "meilleure", "meilleurs", "meilleures", "pires"}
_LIAISON = ("bel", "vieil", "nouvel", "cet")


def phenomena_of(frame, english: list[Token], french: list[Token]) -> list[str]:
    """The phenomena of `PHENOMENA` that a pair shows, sorted."""
    found = set()
    if isinstance(frame, Bulletin):
        found.add("bulletin")
    else:
        _clause(frame, found)
    for word, following in zip(french, [*french[1:], Token("")]):
        last = {path.rpartition(".")[2] for path in word.sure}
        if word.kind == "contraction":
            found.add("contraction")
        if word.kind == "clitic":
            found.add("clitic")
        if word.text.endswith("'") and len(word.text) < 4:
            found.add("elision")
        if word.text in _INFLECTED and last & {"adjective", "complement", "verb"}:
            found.add("agreement")
        if word.text in _LIAISON or word.text in ("mon", "son") and following.text in _FEMININE_VOWEL:
            found.add("before a vowel")
    return sorted(found)


_FEMININE_VOWEL = {noun.french[0].split()[0] for noun in NOUNS.values() if noun.gender == "f"
                   and noun.french[0][0] in "aeiouéêhôœ" and noun.french[0] != "harpe"}


def _clause(c: Clause, found: set):
    verb = VERBS.get(c.predicate, VERBS["have"])
    flags = verb.flags
    past = c.tense == "past" or c.aspect == "perfect"
    imperfect = c.tense == "past" and (c.aspect == "progressive" or "stative" in flags or c.predicate == "exist")
    checks = {
        "negation": c.negation, "question": c.question, "modal": c.modal, "comparison": c.degree,
        "existential": c.predicate == "exist",
        "no article": c.profession is not None and not c.profession.adjective, "adverb": c.adverb,
        "indirect object": c.recipient,
        "several clauses": c.second or c.content, "inversion": "inverted" in flags, "idiom": "idiom" in flags or c.age,
        "know": c.predicate.startswith("know") or c.modal == "know how", "own body": "own" in flags,
        "reflexive": verb.reflexive,
        "recent past": c.aspect == "recent", "depuis": c.aspect == "since",
        "future": c.tense == "future", "progressive": c.aspect == "progressive", "imparfait": imperfect,
        "passé composé": past and not imperfect, "être": past and not imperfect
        and (verb.reflexive or verb.french[0] in WITH_ETRE),
        "preposition": bool(verb.preposition) != bool(verb.english[1]) and c.object and "inverted" not in flags,
        "verb sense": _ENGLISH_VERBS[verb.english] > 1, "one to many": verb.french[1] and "idiom" not in flags,
        "time": c.time and " " in TIMES[c.time][0],
    }
    found.update(name for name, holds in checks.items() if holds)
    indefinite = c.object and c.object.determiner == "a" and not c.object.owner
    if c.negation and c.predicate != "be" and not verb.preposition and indefinite:
        found.add("de under negation")
    for np in (c.subject, c.object, c.recipient, c.standard, c.profession, c.place):
        if np is not None:
            _noun_phrase(np, found)
    for part in (c.content, c.second):
        if part is not None:
            _clause(part, found)





def _noun_phrase(np: NounPhrase, found: set):
    if np.adjective:
        found.add("adjective before" if ADJECTIVES[np.adjective].before else "adjective after")
    if np.owner:
        found.add("genitive")
        _noun_phrase(np.owner, found)
    if np.concept in NOUNS:
        noun = NOUNS[np.concept]
        found.update({"noun sense"} if _ENGLISH_NOUNS[noun.english[0]] > 1 else ())
        found.update({"one to many"} if " " in noun.french[0] and " " not in noun.english[0] else ())
        found.update({"compound"} if " " in noun.english[0] else ())
        found.update({"partitive"} if np.determiner == "a" and noun.kind in MASS and not np.owner else ())
    found.update({"generic"} if np.determiner == "every" else ())
    if np.antecedent and np.concept in ("it", "they", "he", "she") and kind_of(np):
        found.add("reference")
    if np.joined:
        _noun_phrase(np.joined, found)
    if np.relative:
        found.add("relative clause")
        _clause(np.relative, found)
