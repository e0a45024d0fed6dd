"""Generation: a French tree becomes a sentence. The right side of Vauquois' pyramid.

Knows French grammar and no English: agreement, order of adjectives and clitics, negation, compound tenses,
questions, elision, contraction. Forms of single words come from the tables of a grammar book, which the
corpus uses too. Built in chapter 1.
"""
from dataclasses import dataclass

from course_lib.data.translation.conjugation import WITH_ETRE, conjugate, participle
from course_lib.data.translation.lexicon import french_plural
from course_lib.translation.dictionary import FEMININES, starts_with_vowel
from course_lib.translation.direct import DETERMINERS


@dataclass
class NounPhrase:
    """noun: French, of one word or more; determiner: le un ce mon ..., a numeral, "combien", or "" for none;
    adjective: masculine singular; before: where it stands; mass: takes "du". A pronoun has no noun but a
    `pronoun`, the subject form with its gender and number (je il elle nous vous ils elles), "qui" (a
    relative or a question) or "que" (what is asked for)."""
    noun: str = ""
    gender: str = "m"
    plural: bool = False
    determiner: str = ""
    adjective: str = ""
    before: bool = False
    mass: bool = False
    pronoun: str = ""
    name: bool = False
    owner: "NounPhrase | None" = None
    joined: "NounPhrase | None" = None
    relative: "Clause | None" = None


@dataclass
class Clause:
    """verb: infinitive; rest: what always follows it ("besoin"); impersonal with no subject. direct, indirect
    (with à) and of (with de): objects. adjective, degree (plus moins aussi) and standard; attribute: a noun
    after être; age: a numeral. places: prepositions with noun phrases. tense: present past imperfect future
    recent; modal: infinitive or "". negation: "" pas jamais plus. question: "" yes/no subject object, or the
    French word. unagreeing: the participle does not agree with the reflexive pronoun (se laver les mains)."""
    verb: str
    rest: str = ""
    reflexive: bool = False
    unagreeing: bool = False
    subject: NounPhrase | None = None
    direct: NounPhrase | None = None
    indirect: NounPhrase | None = None
    of: NounPhrase | None = None
    attribute: NounPhrase | None = None
    adjective: str = ""
    degree: str = ""
    standard: NounPhrase | None = None
    age: str = ""
    places: tuple[tuple[str, NounPhrase], ...] = ()
    time: str = ""
    adverb: str = ""
    tense: str = "present"
    modal: str = ""
    negation: str = ""
    question: str = ""
    there: bool = False    # il y a
    content: "Clause | None" = None
    conjunction: str = ""
    second: "Clause | None" = None


class Article(str):
    """A definite article: de and à contract with it, and not with the pronoun of the same spelling."""


_PRONOUNS = {"je": (0, "me", "me", "moi"), "il": (2, "le", "lui", "lui"), "elle": (2, "la", "lui", "elle"),
             "nous": (3, "nous", "nous", "nous"), "vous": (4, "vous", "vous", "vous"), "ils": (5, "les", "leur", "eux"),
             "elles": (5, "les", "leur", "elles")}
_REFLEXIVE = {0: "me", 2: "se", 3: "nous", 4: "vous", 5: "se"}
_BEFORE_VOWEL = {"beau": "bel", "nouveau": "nouvel", "vieux": "vieil", "ce": "cet", "ma": "mon", "sa": "son"}


def features(np: NounPhrase | None) -> tuple[int, bool, bool]:
    """(person of the verb, feminine, plural); without a subject, those of il."""
    if np is None:
        return 2, False, False
    if np.joined:
        return 5, np.gender == "f" == np.joined.gender, True
    if np.pronoun in _PRONOUNS:
        return _PRONOUNS[np.pronoun][0], np.gender == "f", np.pronoun in ("nous", "vous", "ils", "elles")
    return 5 if np.plural else 2, np.gender == "f", np.plural


def is_clitic(np: NounPhrase | None) -> bool:
    return np is not None and np.pronoun in _PRONOUNS and not np.joined


def inflected(adjective: str, feminine: bool, plural: bool) -> str:
    """An adjective in one of its four forms."""
    if not feminine:
        return french_plural(adjective) if plural else adjective
    form = FEMININES.get(adjective) or adjective + "e" * (adjective[-1] != "e")
    return form + "s" * plural


def noun_phrase(np: NounPhrase, article: str = "") -> list[str]:
    """article: "de" makes un and des de, as after pas; "none" leaves them out."""
    if np.pronoun:
        words = [_PRONOUNS[np.pronoun][3] if np.pronoun in _PRONOUNS else np.pronoun]
    elif np.name:
        words = [np.noun]
    else:
        feminine = np.gender == "f"
        noun = (french_plural(np.noun) if np.plural else np.noun).split()
        adjective = [inflected(np.adjective, feminine, np.plural)] if np.adjective else []
        if adjective and np.before and not np.plural and starts_with_vowel(noun[0]):
            adjective = [_BEFORE_VOWEL.get(adjective[0], adjective[0])]
        words = [*adjective, *noun] if np.before else [*noun, *adjective]
        words = [*_determiner(np, article, words[0]), *words]
    if np.owner:
        words += ["de", *noun_phrase(np.owner)]
    if np.joined:
        words += ["et", *noun_phrase(np.joined)]
    if np.relative:
        words += clause(np.relative, np)
    return words


def _determiner(np, article, following):
    if np.determiner in ("", "le"):
        return [Article(DETERMINERS["le"][2 if np.plural else np.gender == "f"])] if np.determiner else []
    if np.determiner == "combien":
        return ["combien", "de"]
    if np.determiner == "un" and article:
        return [] if article == "none" else ["de"]
    if np.determiner == "un" and np.mass and not np.plural:
        return ["de", Article(DETERMINERS["le"][np.gender == "f"])]
    if np.determiner == "un" and np.plural and np.before and np.adjective:
        return ["de"]
    forms = DETERMINERS.get(np.determiner)
    if forms is None:    # a numeral
        return [np.determiner]
    form = forms[2 if np.plural else np.gender == "f"]
    if np.determiner == "quel" and np.plural and np.gender == "f":
        form = "quelles"
    return [_BEFORE_VOWEL.get(form, form) if starts_with_vowel(following) and not np.plural else form]


def clause(c: Clause, relative: NounPhrase | None = None) -> list[str]:
    """Words before elision and contraction. relative: the noun phrase that a relative clause describes."""
    asked = c.question not in ("", "subject")
    gap = relative is not None and next((role for role in ("subject", "direct", "indirect", "of")
                                         if (np := getattr(c, role)) is not None and np.pronoun == "qui"), "")
    front = [c.question] if c.question in ("où", "pourquoi", "quand") else []
    if c.question == "object":
        asked_for = c.direct or c.of or c.indirect or c.subject
        front = ["que"] if asked_for.pronoun == "que" else [*["à"] * (c.indirect is asked_for), *noun_phrase(asked_for)]
    if gap in ("direct", "of", "indirect"):
        front = [{"direct": "que", "of": "dont", "indirect": "à qui"}[gap]]
    subject, hyphened, named = [], "", []
    if c.there or c.subject is None:
        subject = ["il"]
    elif gap == "subject":
        subject = ["qui"]
    elif is_clitic(c.subject):
        subject = [c.subject.pronoun]
    elif not (c.question == "object" and c.subject is asked_for):
        subject = noun_phrase(c.subject)
    if asked:
        if (is_clitic(c.subject) and c.subject.pronoun != "je") or c.there:
            subject, hyphened = [], subject[0]
        elif c.question == "où" and c.verb == "être":
            subject, named = [], subject
        elif subject:
            front += ["est", "-ce", "que"]
    words = [*front, *subject, *_verb(c, relative, gap, hyphened), *named, *_after(c, gap)]
    if c.second:
        words += [*c.conjunction.split(), *clause(c.second)]
    return words


def _clitics(c):
    person = features(c.subject)[0]
    first = [_REFLEXIVE[person]] if c.reflexive else []
    rest = []
    for np, column in ((c.direct, 1), (c.indirect, 2)):
        if is_clitic(np):
            form = _PRONOUNS[np.pronoun][column]
            (first if form in ("me", "nous", "vous") else rest).append(form)
    return ["y"] * c.there + first + rest


def _verb(c, relative, gap, hyphened):
    """ne, clitics, the finite verb with what goes between it and the rest of the group."""
    person, feminine, plural = features(relative if gap == "subject" else c.subject)
    person = 2 if c.there else person
    clitics = _clitics(c)
    if c.reflexive and gap == "subject":
        clitics = [_REFLEXIVE[person]]
    tail = []
    if c.modal or c.tense == "recent":
        finite = conjugate(c.modal or "venir", "present", person)
        tail, clitics = [*["de"] * (not c.modal), *clitics, c.verb], []
    elif c.tense == "past":
        etre = c.reflexive or c.verb in WITH_ETRE
        finite = conjugate("être" if etre else "avoir", "present", person)
        if not etre:    # agrees with a direct object that stands before it
            moved = is_clitic(c.direct) or c.question == "object"
            before = relative if gap == "direct" else c.direct if moved else None
            _, feminine, plural = features(None if before is not None and before.pronoun == "que" else before)
        agrees = not c.unagreeing
        tail = [participle(c.verb, feminine and agrees, plural and agrees)]
    else:
        finite = conjugate(c.verb, c.tense, person)
    link = "-t-" if finite[-1] in "aec" and hyphened[:1] in ("i", "e", "o") and hyphened else "-"
    inverted = [link + hyphened] if hyphened else []
    ne = ["ne"] * bool(c.negation)
    return [*ne, *clitics, finite, *inverted, *c.negation.split(), *c.adverb.split(), *tail, *c.rest.split()]


def _after(c, gap):
    words = []
    asked_for = c.question == "object"
    if c.direct and not is_clitic(c.direct) and gap != "direct" and not asked_for:
        words += noun_phrase(c.direct, "de" if c.negation else "")
    if c.indirect and not is_clitic(c.indirect) and gap != "indirect" and not (asked_for and not c.direct):
        words += ["à", *noun_phrase(c.indirect)]
    if c.of and gap != "of" and not asked_for:
        words += ["de", *noun_phrase(c.of, "none" if c.of.plural or c.of.mass else "")]
    if c.adjective:
        _, feminine, plural = features(c.subject)
        form = {"bon": "meilleur", "mauvais": "pire"}.get(c.adjective) if c.degree == "plus" else None
        words += [*c.degree.split() * (form is None), inflected(form or c.adjective, feminine, plural)]
        words += ["que", *noun_phrase(c.standard)] if c.standard else []
    if c.attribute:
        words += noun_phrase(c.attribute, "none" if not c.attribute.adjective else "")
    words += [c.age, "ans"] if c.age else []
    for preposition, np in c.places:
        words += [*preposition.split(), *noun_phrase(np)]
    words += ["que", *clause(c.content)] if c.content else []
    return words + c.time.split()


_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


def spelled(words: list[str]) -> list[str]:
    """Elision and contraction."""
    made = []
    for word, following in zip(words, [*words[1:], ""]):
        pair = _CONTRACTED.get((made[-1], word)) if made and isinstance(word, Article) else None
        if word in ("le", "la", "je", "me", "se", "ne", "de", "que") and following and starts_with_vowel(following):
            made.append(word[:-1] + "'")
        elif pair:
            made[-1] = pair
        else:
            made.append("s'" if word == "si" and following in ("il", "ils") else str(word))
    return made


def generate(c: Clause) -> list[str]:
    """The French sentence of a tree."""
    return spelled([*clause(c), "?" if c.question else "."])
