"""The French of a frame. Built in the chapter "A history of machine translation"."""
import re
from dataclasses import replace

from course_lib.data.translation.conjugation import WITH_ETRE, conjugate, participle
from course_lib.data.translation.frames import Clause, NounPhrase
from course_lib.data.translation.lexicon import ADJECTIVES, H_ASPIRE, NAMES, NOUNS, french_plural
from course_lib.data.translation.phrases import ADVERBS, AGES, CONJUNCTIONS, NUMERALS, PREPOSITIONS, TIMES
from course_lib.data.translation.tokens import Token, moved, phrase, token
from course_lib.data.translation.verbs import VERBS

# concept: person, subject, direct object, indirect object, after a preposition
_PRONOUNS = {"I": (0, "je", "me", "me", "moi"), "he": (2, "il", "le", "lui", "lui"),
             "she": (2, "elle", "la", "lui", "elle"),
             "we": (3, "nous", "nous", "nous", "nous"), "you": (4, "vous", "vous", "vous", "vous"),
             "they": (5, "ils", "les", "leur", "eux"), "it": (2, "il", "le", "lui", "lui")}
_POSSESSIVES = {"I": ("mon", "ma", "mes"), "he": ("son", "sa", "ses"), "she": ("son", "sa", "ses"),
                "it": ("son", "sa", "ses"), "we": ("notre", "notre", "nos"), "you": ("votre", "votre", "vos"),
                "they": ("leur", "leur", "leurs")}
_DETERMINERS = {"the": ("le", "la", "les"), "a": ("un", "une", "des"), "this": ("ce", "cette", "ces"),
                "which": ("quel", "quelle", "quels", "quelles"), **_POSSESSIVES}
_BEFORE_VOWEL = {"ce": "cet", "ma": "mon", "sa": "son"}
_REFLEXIVE = {0: "me", 2: "se", 3: "nous", 4: "vous", 5: "se"}
_PARTICLES = ("de", "à", "en", "au", "aux")
_ELIDED = ("le", "la", "je", "me", "se", "ne", "de", "que")


def vowel(text: str) -> bool:
    """Whether a word begins with a vowel sound, as elision and liaison have it."""
    return bool(re.match("[aeiouyhâàéèêëîïôœæ]", text.lower())) and text.lower() not in H_ASPIRE


def features(np: NounPhrase) -> tuple[int, bool, bool]:
    """(person, feminine, plural) of a noun phrase."""
    if np.joined:
        _, first, _ = features(replace(np, joined=None))
        return 5, first and features(np.joined)[1], True
    if np.concept in NAMES:
        return 2, NAMES[np.concept] == "f", False
    if np.concept in ("I", "we", "you", "he", "she"):
        return _PRONOUNS[np.concept][0], np.concept == "she", np.concept in ("we", "you")
    plural = np.plural or np.concept == "they"
    known = np.antecedent or np.concept
    gender = NAMES.get(known) or (NOUNS[known].gender if known in NOUNS else "m")
    return 5 if plural else 2, gender == "f", plural


def is_pronoun(np: NounPhrase | None) -> bool:
    return np is not None and np.concept in _PRONOUNS and not np.joined


def _pronoun(np, case):
    """case: subject, direct, indirect or stressed."""
    _, feminine, plural = features(np)
    if np.concept in ("it", "they"):
        row = {"subject": ("il", "elle", "ils", "elles"), "direct": ("le", "la", "les", "les"),
               "indirect": ("lui", "lui", "leur", "leur"), "stressed": ("lui", "elle", "eux", "elles")}[case]
        return row[feminine + 2 * plural]
    return _PRONOUNS[np.concept][1 + ("subject", "direct", "indirect", "stressed").index(case)]


def adjective(concept: str, feminine: bool, plural: bool, before_vowel: bool = False) -> str:
    masculine, feminine_form, vowel_form = ADJECTIVES[concept].french
    if feminine:
        return feminine_form + "s" * plural
    if plural:
        return french_plural(masculine)
    return vowel_form if before_vowel else masculine


def noun_phrase(np: NounPhrase, path: str, bare: str = "") -> list[Token]:
    """bare: "de" where de stands for a, des or du (under negation, after de), "none" for no determiner."""
    if np.concept in _PRONOUNS:
        words = [token(_pronoun(np, "stressed"), f"{path}.noun")]
    elif np.concept in NAMES:
        words = [token(np.concept, f"{path}.noun")]
    else:
        words = _noun(np, path, bare)
    if np.joined:
        words += [token("et", f"{path}.and"), *noun_phrase(np.joined, f"{path}.joined")]
    if np.relative:
        words += clause(np.relative, f"{path}.relative", relative=np)
    return words


def _noun(np, path, bare):
    _, feminine, plural = features(NounPhrase(np.concept, plural=np.plural))
    text = NOUNS[np.concept].french[np.plural].split()
    # Of a compound, "garden chair", the last word of the French is the first of the English.
    modifier = " " in NOUNS[np.concept].english[0]
    noun = [token(word, f"{path}.noun" if i == 0 else f"{path}.modifier" if modifier else f"{path}.noun")
            if word not in _PARTICLES
            else token(word, (), f"{path}.modifier" if modifier else f"{path}.noun") for i, word in enumerate(text)]
    before, after = [], []
    if np.adjective:
        side = before if ADJECTIVES[np.adjective].before else after
        side.append(token(adjective(np.adjective, feminine, plural, vowel(text[0])), f"{path}.adjective"))
    rest = [*before, *noun, *after]
    determiner = _determiner(np, path, feminine, plural, rest[0].text, bool(before), bare)
    owner = [token("de", f"{path}.of", kind="preposition"), *noun_phrase(np.owner, f"{path}.owner")] if np.owner else []
    return [*determiner, *rest, *owner]


def _determiner(np, path, feminine, plural, following, adjective_before, bare):
    where, kind = f"{path}.determiner", np.determiner
    mass = NOUNS[np.concept].kind in ("meal", "drink") and not plural
    if np.owner:
        return _article("the", (), f"{path}.of", feminine, plural, following)
    if kind in ("every", "own"):
        return _article("the", (), f"{path}.noun" if kind == "every" else where, feminine, plural, following)
    if kind == "how many":
        return [token("combien", where), token("de", (), where)]
    if kind in NUMERALS:
        return [token(NUMERALS[kind], where)]
    if bare == "none" and (kind == "a"):
        return []
    if kind == "a" and bare == "de":
        return [token("de", (), {where, f"{path}.noun"} if plural or mass else where)]
    if kind == "a" and mass:
        return [token("de", (), f"{path}.noun", "preposition"),
                *_article("the", (), f"{path}.noun", feminine, False, following)]
    if kind == "a" and plural:
        return [token("de" if adjective_before else "des", (), f"{path}.noun")]
    return _article(kind, where, (), feminine, plural, following)


def _article(kind, sure, possible, feminine, plural, following):
    forms = _DETERMINERS[kind]
    text = forms[2 + feminine if len(forms) == 4 else 2] if plural else forms[feminine]
    if not plural and vowel(following):
        text = _BEFORE_VOWEL.get(text, text)
    return [token(text, sure, possible, "article" if kind == "the" else "")]


def clause(c: Clause, path: str = "", relative: NounPhrase | None = None) -> list[Token]:
    """Tokens of a clause; of a relative one, qui or que comes first."""
    prefix, path = (f"{path}." if path else ""), path or "clause"
    verb = VERBS["have" if c.predicate == "exist" or c.age else c.predicate]
    roles = {"subject": (c.subject, f"{path}.subject"), "direct": (None, ""), "indirect": (None, ""), "of": (None, "")}
    case = {"": "direct", "à": "indirect", "de": "of"}[verb.preposition]
    if "inverted" in verb.flags:
        roles |= {"subject": (c.object, f"{path}.object"), "indirect": (c.subject, f"{path}.subject")}
    else:
        roles[case] = (c.object, f"{path}.object")
        if c.recipient:
            roles["indirect"] = (c.recipient, f"{path}.recipient")
    subject, where = roles["subject"]
    gap = next((role for role, (np, _) in roles.items() if relative and np and np.concept == "who"), "")
    front, named, inverted = [], [], []
    if c.question in ("where", "why", "when"):
        text = {"where": "où", "why": "pourquoi", "when": "quand"}[c.question]
        front = [token(text, f"{path}.question word", f"{path}.question")]
    fronted = c.question == "object"
    if fronted and c.object.concept != "what":
        front = noun_phrase(c.object, f"{path}.object")
    turned = c.question not in ("", "subject") and is_pronoun(subject) and subject.concept != "I"
    if c.predicate == "exist" or subject is None:
        words_of_subject = [token("il", *(((), f"{path}.verb") if c.predicate == "exist" else (f"{where}.noun",)))]
    elif gap == "subject":
        words_of_subject = [token("qui", f"{where}.noun")]
    elif is_pronoun(subject):
        words_of_subject = [token(_pronoun(subject, "subject"), f"{where}.noun")]
    elif subject.concept == "who":
        words_of_subject = [token("qui", f"{where}.noun")]
    else:
        words_of_subject = noun_phrase(subject, where)
    if gap in ("direct",):
        front = [token("que", f"{roles['direct'][1]}.noun")]
    asked = c.question not in ("", "subject")
    copula = c.question == "where" and c.predicate == "be" and not turned
    if c.predicate == "exist" and asked:
        turned, inverted, words_of_subject = True, words_of_subject, []
    elif turned:
        inverted, words_of_subject = words_of_subject, []
        if fronted and c.object.concept == "what":
            front = [token("que", f"{path}.object.noun", f"{path}.question")]
    elif copula:
        named, words_of_subject = words_of_subject, []
    elif asked:
        q = f"{path}.question"
        if fronted and c.object.concept == "what":
            front = [token("que", f"{path}.object.noun", q)]
        front += [token("est", (), q), token("-ce", (), q), token("que", (), q)]
    group = _verb_group(c, path, verb, roles, gap, inverted)
    words = [*front, *words_of_subject, *group, *named]
    words += _after(c, path, verb, roles, gap)
    if c.second:
        words += [*phrase(CONJUNCTIONS[c.conjunction][1], f"{path}.conjunction"), *clause(c.second, f"{prefix}second")]
    return words


def _clitics(verb, roles, gap, path, person, own):
    me, direct, indirect = [], [], []
    if verb.reflexive:
        me = [token(_REFLEXIVE[person], (), f"{path}.object.determiner" if own else f"{path}.verb")]
    for role, place in (("direct", direct), ("indirect", indirect)):
        np, where = roles[role]
        if is_pronoun(np):
            text = _pronoun(np, role)
            (me if text in ("me", "nous", "vous") else place).append(token(text, f"{where}.noun", kind="clitic"))
    return [*me, *direct, *indirect]


def _verb_group(c, path, verb, roles, gap, inverted):
    subject = roles["subject"][0]
    person, feminine, plural = (2, False, False) if subject is None else (
        features(subject))
    head, rest = verb.french
    own = "own" in verb.flags
    idiom = "idiom" in verb.flags or bool(c.age)
    sure = () if idiom else f"{path}.verb"
    helper = {f"{path}.verb", f"{path}.tense"}
    clitics = _clitics(verb, roles, gap, path, person, own)
    there = [token("y", (), f"{path}.verb")] if c.predicate == "exist" else []
    rest = phrase(rest, f"{path}.verb", idiom=True) if rest else []
    tail = []
    if c.modal:
        modal = {"can": "pouvoir", "must": "devoir", "want": "vouloir", "know how": "savoir"}[c.modal]
        finite = token(conjugate(modal, "present", person), f"{path}.modal")
        tail, clitics = [*clitics, token(head, sure, helper)], []
    elif c.aspect == "recent":
        finite = token(conjugate("venir", "present", person), f"{path}.recent", f"{path}.tense")
        tail, clitics = [token("de", (), f"{path}.recent"), *clitics, token(head, sure, helper)], []
    elif c.tense == "future":
        finite = token(conjugate(head, "future", person), sure, helper)
    elif c.tense == "past" and (c.aspect == "progressive" or "stative" in verb.flags):
        finite = token(conjugate(head, "imperfect", person), sure, helper)
    elif c.tense == "past" or c.aspect == "perfect":
        etre = verb.reflexive or head in WITH_ETRE
        finite = token(conjugate("être" if etre else "avoir", "present", person), f"{path}.tense", f"{path}.verb")
        fem, plu = False, False
        if etre and not own:
            fem, plu = feminine, plural
        elif not etre:
            np, _ = roles["direct"]
            if np and (is_pronoun(np) or gap == "direct" or c.question == "object" and np.concept != "what"):
                _, fem, plu = features(np)
        tail = [token(participle(head, fem, plu), sure, helper)]
    else:
        finite = token(conjugate(head, "present", person), sure, helper)
    hyphen = []
    if inverted:
        link = "-t-" if finite.text[-1] in "aec" and inverted[0].text[0] in "ieo" else "-"
        hyphen = [moved(inverted[0], link + inverted[0].text)]
    adverb = phrase(ADVERBS[c.adverb][1], f"{path}.adverb") if c.adverb else []
    ne, pas = [], []
    if c.negation:
        mark = {"not": "pas", "never": "jamais", "no longer": "plus"}[c.negation]
        ne, pas = [token("ne", (), f"{path}.negation")], [token(mark, f"{path}.negation")]
    return [*ne, *there, *clitics, finite, *hyphen, *pas, *adverb, *tail, *rest]


def _after(c, path, verb, roles, gap):
    words, negated = [], bool(c.negation) and c.predicate != "be"
    np, where = roles["direct"]
    if np and not is_pronoun(np) and gap != "direct" and c.question != "object":
        words += noun_phrase(np, where, "de" if negated else "")
    for role, text in (("indirect", "à"), ("of", "de")):
        np, where = roles[role]
        if np and not (is_pronoun(np) and role == "indirect"):
            plural = np.concept in NOUNS and (np.plural or NOUNS[np.concept].kind in ("meal", "drink"))
            sure = f"{path}.to" if role == "indirect" and c.recipient else ()
            words += [token(text, sure, () if sure else f"{path}.verb", "preposition"),
                      *noun_phrase(np, where, "none" if role == "of" and plural else "")]
    if c.complement:
        words += _complement(c, path)
    if c.profession:
        words += noun_phrase(c.profession, f"{path}.profession", "" if c.profession.adjective else "none")
    if c.age:
        words += [token(AGES[c.age], f"{path}.age"), token("ans", f"{path}.years")]
    if c.place:
        words += [*phrase(PREPOSITIONS[c.preposition][1], f"{path}.preposition"),
                  *noun_phrase(c.place, f"{path}.place")]
    if c.content:
        words += [token("que", f"{path}.that"), *clause(c.content, f"{path}.content")]
    if c.time:
        words += phrase(TIMES[c.time][1], f"{path}.time")
    return words


def _complement(c, path):
    _, feminine, plural = (0, False, False) if c.subject is None else features(c.subject)
    text, where = adjective(c.complement, feminine, plural), f"{path}.complement"
    if not c.degree:
        return [token(text, where)]
    than = token("que", f"{path}.than")
    standard = noun_phrase(c.standard, f"{path}.standard")
    if c.degree == "more" and c.complement in ("good", "bad"):
        irregular = {"good": "meilleur", "bad": "pire"}[c.complement]
        ending = ("e" * feminine if c.complement == "good" else "") + "s" * plural
        return [token(irregular + ending, where), than, *standard]
    word = {"more": "plus", "less": "moins", "as": "aussi"}[c.degree]
    return [token(word, f"{path}.degree", where), token(text, where), than, *standard]


_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}


def spelled(words: list[Token]) -> list[Token]:
    """Elision and contraction: l' arbre, qu' il, du, aux. A contracted article is linked possibly."""
    made = []
    for word, following in zip(words, [*words[1:], token("")]):
        if word.text in _ELIDED and vowel(following.text) or (word.text, following.text) in (
                ("si", "il"), ("si", "ils")):
            word = moved(word, word.text[:-1] + "'")
        before = made[-1] if made else token("")
        pair = _CONTRACTED.get((before.text, word.text))
        if pair and before.kind == "preposition" and word.kind == "article":
            made[-1] = Token(pair, before.sure, before.possible | word.sure | word.possible, "contraction")
        else:
            made.append(word)
    return made


def realise(c: Clause) -> list[Token]:
    """The French sentence of a clause."""
    return spelled([*clause(c), token("?" if c.question else ".", "mark")])
