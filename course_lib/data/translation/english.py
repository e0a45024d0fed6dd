"""The English of a frame. Built in the chapter "A history of machine translation"."""
import re

from course_lib.data.translation.frames import Clause, NounPhrase
from course_lib.data.translation.lexicon import ADJECTIVES, NAMES, NOUNS
from course_lib.data.translation.phrases import ADVERBS, CONJUNCTIONS, PREPOSITIONS, TIMES
from course_lib.data.translation.tokens import Token, moved, phrase, token
from course_lib.data.translation.verbs import VERBS

OBJECTS = dict(I="me", he="him", she="her", it="it", we="us", you="you", they="them", who="who")
POSSESSIVES = dict(I="my", he="his", she="her", it="its", we="our", you="your", they="their")
# base: past, participle
_IRREGULAR = {verb: (past, participle) for verb, past, participle in (row.split() for row in """
sleep slept slept; sing sang sung; swim swam swum; run ran run; leave left left; come came come; fall fell fallen
go went gone; wake woke woken; get got got; hide hid hidden; see saw seen; hear heard heard; read read read
write wrote written; eat ate eaten; drink drank drunk; buy bought bought; sell sold sold; find found found
lose lost lost; break broke broken; wear wore worn; draw drew drawn; win won won; know knew known; have had had
forget forgot forgotten; understand understood understood; choose chose chosen; feed fed fed; light lit lit
strike struck struck
cut cut cut; beat beat beaten; cost cost cost; give gave given; show showed shown; send sent sent; lend lent lent
say said said; think thought thought; feel felt felt; spill spilt spilt; be was been
""".replace("\n", ";").split(";") if row.strip())}
_DOUBLED = ("swim", "run", "get", "win", "forget", "cut")
_BE = {"present": ("am", "is", "are"), "past": ("was", "was", "were")}


def _with_ed(verb):
    if verb.endswith("e"):
        return verb + "d"
    return verb[:-1] + "ied" if verb[-1] == "y" and verb[-2] not in "aeo" else verb + "ed"


def inflect(verb: str, form: str, third: bool = False) -> str:
    """A form of a verb but be: base, present (third: of he, she and it), past, participle, ing."""
    if form in ("past", "participle"):
        return _IRREGULAR.get(verb, (_with_ed(verb),) * 2)[form == "participle"]
    if form == "ing":
        if verb in _DOUBLED:
            return verb + verb[-1] + "ing"
        return (verb[:-1] if verb.endswith("e") and verb not in ("be", "see") else verb) + "ing"
    if form == "present" and third:
        if verb == "have":
            return "has"
        if verb[-1] == "y" and verb[-2] not in "aeou":
            return verb[:-1] + "ies"
        return verb + ("es" if verb.endswith(("o", "s", "x", "ch", "sh")) else "s")
    return verb


def _finite(verb, tense, subject):
    """subject: 0 for I, 1 for he, she and it, 2 for the others."""
    if verb == "be":
        return _BE[tense][subject]
    return inflect(verb, tense, third=subject == 1)


def person_of(np: NounPhrase | None) -> int:
    """0 for I, 1 for he, she, it, a singular noun and no subject at all, 2 for the others."""
    if np is None:
        return 1
    if np.joined or np.plural or np.concept in ("we", "you", "they"):
        return 2
    return 0 if np.concept == "I" else 1


def noun_phrase(np: NounPhrase, path: str, case: str = "subject", holder: NounPhrase | None = None) -> list[Token]:
    """holder: whose own hands they are, where the determiner is "own"."""
    if np.concept in OBJECTS:
        text = OBJECTS[np.concept] if case == "object" else np.concept
        words = [token(text, f"{path}.noun")]
    elif np.concept in NAMES:
        words = [token(np.concept, f"{path}.noun")]
    else:
        words = _determiner(np, path, holder)
        if np.adjective:
            words.append(token(ADJECTIVES[np.adjective].english, f"{path}.adjective"))
        *modifier, head = NOUNS[np.concept].english[np.plural].split()
        words += [*(token(word, f"{path}.modifier") for word in modifier), token(head, f"{path}.noun")]
    if np.joined:
        words += [token("and", f"{path}.and"), *noun_phrase(np.joined, f"{path}.joined", case)]
    if np.relative:
        words += clause(np.relative, f"{path}.relative", relative=np)
    return words


def _determiner(np, path, holder):
    noun, where = NOUNS[np.concept], f"{path}.determiner"
    if np.owner:
        mark = "'" if np.owner.plural and NOUNS[np.owner.concept].english[1].endswith("s") else "'s"
        return [*noun_phrase(np.owner, f"{path}.owner"), token(mark, f"{path}.of", where)]
    if np.determiner == "every" or np.determiner == "a" and (np.plural or noun.kind in ("meal", "drink")):
        return []
    text = np.determiner
    if text in POSSESSIVES:
        text = POSSESSIVES[text]
    elif text == "own":
        text = own(holder)
    elif text == "this" and np.plural:
        text = "these"
    words = text.split()
    return [token(word, where, kind="article" if word == "a" else "") for word in words]


def own(holder: NounPhrase) -> str:
    """The possessive of a subject: his, her, their ..."""
    if holder.joined or holder.plural:
        return "their"
    if holder.concept in POSSESSIVES:
        return POSSESSIVES[holder.concept]
    known = holder.antecedent or holder.concept
    gender = NAMES.get(known) or (NOUNS[known].gender if known in NOUNS else "m")
    return "her" if gender == "f" else "his"


def _verb_group(c, path, person):
    """(auxiliary, negation and adverb, main verb with its fixed words)"""
    verb = VERBS["be" if c.predicate == "exist" else c.predicate]
    head, rest = verb.english
    idiom = "idiom" in verb.flags
    main = {} if idiom else {"sure": f"{path}.verb"}
    asked = c.question not in ("", "subject")
    # What stands before the subject of a question is its est-ce que too.
    helper = {f"{path}.verb", f"{path}.tense", *[f"{path}.question"] * asked}
    # "not" moves to the noun in "there is no cat".
    negation = [] if not c.negation or c.predicate == "exist" else [
        token(word, f"{path}.negation") for word in c.negation.split()]
    adverb = phrase(ADVERBS[c.adverb][0], f"{path}.adverb") if c.adverb else []
    before, form = [], head
    if c.modal in ("can", "must"):
        before = [token(c.modal, f"{path}.modal", [f"{path}.question"] * asked)]
    elif c.modal in ("want", "know how"):
        verb_of_it, *how = c.modal.split()
        helped = asked or c.negation == "not"
        before = [_do("present", person, path, c)] if helped else []
        wants = token(verb_of_it if helped else _finite(verb_of_it, "present", person), f"{path}.modal")
        extra = [wants, *(token(word, (), f"{path}.modal") for word in (*how, "to"))]
        return before, [*negation, *adverb, *extra], _main(head, rest, main, path, idiom, c)
    elif c.tense == "future":
        before = [token("will", (), helper)]
    elif c.aspect == "perfect":
        before = [token(_finite("have", c.tense, person), f"{path}.tense", helper)]
        form = inflect(head, "participle")
    elif c.aspect == "recent":
        before = [token(_finite("have", "present", person), (), {*helper, f"{path}.recent"}),
                  token("just", f"{path}.recent")]
        form = inflect(head, "participle")
    elif c.aspect == "since":
        before = [token(_finite("have", "present", person), (), helper), token("been", (), helper)]
        form = inflect(head, "ing")
    elif c.aspect == "progressive":
        before = [token(_finite("be", c.tense, person), (), helper)]
        form = inflect(head, "ing")
    elif head == "be":
        return [token(_finite("be", c.tense, person), main.get("sure", ()), helper)], [*negation, *adverb], _rest(
            rest, path, idiom, c)
    elif asked or c.negation == "not":
        before = [_do(c.tense, person, path, c)]
    else:
        form = _finite(head, c.tense, person)
    if c.modal == "can" and c.negation == "not":
        before, negation = [token("cannot", {f"{path}.modal", f"{path}.negation"})], []
    return before, [*negation, *adverb], _main(form, rest, main, path, idiom, c)


def _main(form, rest, main, path, idiom, c):
    return [token(form, main.get("sure", ()), {f"{path}.verb", f"{path}.tense"}), *_rest(rest, path, idiom, c)]


def _rest(rest, path, idiom, c):
    if not rest:
        return []
    words = phrase(rest.replace("POSSESSIVE", own(c.subject) if c.subject else ""), f"{path}.verb", idiom=True)
    return words


def _do(tense, person, path, c):
    text = {"past": "did"}.get(tense) or ("does" if person == 1 else "do")
    paths = {f"{path}.tense", f"{path}.verb"}
    paths |= {f"{path}.negation"} if c.negation else set()
    paths |= {f"{path}.question"} if c.question else set()
    return token(text, (), paths)


def clause(c: Clause, path: str = "", relative: NounPhrase | None = None) -> list[Token]:
    """Tokens of a clause; of a relative one, "who" or "that" comes first, whatever its role."""
    prefix = f"{path}." if path else ""
    path = path or "clause"
    person = person_of(c.subject)
    front, subject, obj = [], [], []
    if c.predicate == "exist":
        person = 2 if c.object.plural else 1
        subject = [token("there", (), f"{path}.verb")]
    elif c.subject is None:
        subject = [token("it", f"{path}.subject.noun")]
    elif relative and c.subject.concept == "who":
        person = 2 if c.subject.plural else 1
        front = [_who(c.subject, f"{path}.subject")]
    else:
        subject = noun_phrase(c.subject, f"{path}.subject")
    if c.object:
        if relative and c.object.concept == "who":
            front = [_who(c.object, f"{path}.object")]
        elif c.question == "object":
            front = [token("what", f"{path}.object.noun", f"{path}.question")] if c.object.concept == "what" else \
                noun_phrase(c.object, f"{path}.object")
        elif c.predicate == "exist" and c.negation:
            obj = [token("no", f"{path}.negation", f"{path}.object.determiner"),
                   *noun_phrase(c.object, f"{path}.object")[1 - c.object.plural:]]
        else:
            obj = noun_phrase(c.object, f"{path}.object", "object", holder=c.subject)
    if c.question in ("where", "why", "when"):
        front = [token(c.question, f"{path}.question word", f"{path}.question")]
    before, middle, main = _verb_group(c, path, person)
    if c.question not in ("", "subject"):
        words = [*front, *before[:1], *subject, *before[1:], *middle, *main]
    else:
        words = [*front, *subject, *before, *middle, *main]
    words += _after(c, path, obj)
    if c.second:
        words += [*phrase(CONJUNCTIONS[c.conjunction][0], f"{path}.conjunction"), *clause(c.second, f"{prefix}second")]
    return words


def _after(c, path, obj):
    recipient = noun_phrase(c.recipient, f"{path}.recipient", "object") if c.recipient else []
    # Whom before what, unless either is long or what is a pronoun: give Paul a book, give it to Paul.
    to = c.recipient and (c.object.concept in OBJECTS or c.recipient.adjective or c.recipient.owner
                          or c.recipient.relative)
    words = [*obj, token("to", f"{path}.to"), *recipient] if to else [*recipient, *obj]
    if c.complement:
        words += _complement(c, path)
    if c.profession:
        words += noun_phrase(c.profession, f"{path}.profession")
    if c.age:
        words += [token(c.age, f"{path}.age"), token("years", f"{path}.years"), token("old", (), f"{path}.years")]
    if c.place:
        words += [*phrase(PREPOSITIONS[c.preposition][0], f"{path}.preposition"),
                  *noun_phrase(c.place, f"{path}.place", "object")]
    if c.content:
        words += [token("that", f"{path}.that"), *clause(c.content, f"{path}.content")]
    if c.time:
        words += phrase(TIMES[c.time][0], f"{path}.time")
    return words


_COMPARATIVES = {"good": "better", "bad": "worse", "big": "bigger", "sad": "sadder", "hot": "hotter",
                 **{word: word + "er" for word in "small tall old young long proud cold fresh light rich".split()},
                 **{word: word[:-1] + "ier" for word in "happy lazy heavy dirty pretty dry".split()},
                 "brave": "braver", "strange": "stranger"}


def _complement(c, path):
    adjective, where = ADJECTIVES[c.complement].english, f"{path}.complement"
    if not c.degree:
        return [token(adjective, where)]
    if c.degree == "more" and adjective in _COMPARATIVES:
        joined = adjective in ("good", "bad")
        words = [token(_COMPARATIVES[adjective], where, () if joined else f"{path}.degree")]
    else:
        words = [token(c.degree, f"{path}.degree"), token(adjective, where)]
    than = token("as" if c.degree == "as" else "than", f"{path}.than")
    return [*words, than, *noun_phrase(c.standard, f"{path}.standard", "object")]


def _who(np, path):
    kind = NOUNS[np.antecedent].kind
    return token("who" if kind in ("person", "job", "family") else "that", f"{path}.noun")


def spelled(words: list[Token]) -> list[Token]:
    """a before a vowel is an."""
    made = []
    for word, following in zip(words, [*words[1:], token("")]):
        if word.kind == "article" and re.match(r"[aeiou]|hour", following.text):
            word = moved(word, "an")
        made.append(word)
    return made


def realise(c: Clause) -> list[Token]:
    """The English sentence of a clause."""
    return spelled([*clause(c), token("?" if c.question else ".", "mark")])
