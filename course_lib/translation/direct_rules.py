"""The rules of the direct system, in the order in which they were written. See `direct`.

A rule looks at a list of words and changes it in place. Stages say when a rule is applied, whenever it was
written: 1 choose the entry of a word, 2 shape the group of the verb, 3 order, 4 agreement, 5 spelling.
"""
import re
from collections.abc import Callable
from dataclasses import dataclass

from course_lib.data.translation.conjugation import WITH_ETRE
from course_lib.data.translation.lexicon import ADJECTIVES, NOUNS, VERBS
from course_lib.data.translation.phrases import TIMES
from course_lib.translation.dictionary import Entry, look_up, starts_with_vowel
from course_lib.translation.direct import Word, added


@dataclass(frozen=True)
class Rule:
    """name: that of the function; stage: when it is applied; apply: changes a list of words in place."""
    name: str
    stage: int
    apply: Callable[[list[Word]], None]


RULES: list[Rule] = []
PERSONS = {"I": 0, "we": 3, "you": 4, "they": 5}
STATIVE = {v.english[0] for v in VERBS.values() if "stative" in v.flags} - {"feel"} | {"be", "can", "must", "want"}
BEFORE_NOUN = {a.french[0] for a in ADJECTIVES.values() if a.before} | {"meilleur", "pire"}
NOMINAL = ("determiner", "adjective", "noun", "name", "pronoun")
MASS = {noun.english[0] for noun in NOUNS.values() if noun.kind in ("meal", "drink")}
BODY = {noun.english[0] for noun in NOUNS.values() if noun.kind in ("body", "limb")}
# English verbs whose French has a preposition, a pronoun of its own or a word more.
FRAMES = {" ".join(v.english).strip(): v for v in VERBS.values() if (v.preposition or v.reflexive or v.french[1])
          and not v.flags & {"idiom", "own", "inverted"} and v.english[0] not in ("visit", "play")}


def rule(stage):
    def register(function):
        RULES.append(Rule(function.__name__, stage, function))
        return function
    return register


def nearest(words, start, categories, over=(), step=1):
    """The next word of one of the categories, over words of the categories `over`; None if another comes first."""
    i = start + step
    while 0 <= i < len(words) and words[i].category in over:
        i += step
    return words[i] if 0 <= i < len(words) and words[i].category in categories else None


def verb_after(words, i):
    return next((word for word in words[i + 1:] if word.is_verb()), None)


def subject(words, verb):
    """The nearest noun, name or pronoun before a verb that no preposition governs, or else the next one after it."""
    i = verb - 1
    while i >= 0 and words[i].category != "conjunction":
        if words[i].category in ("noun", "name", "pronoun") and words[i].lemma != "what":
            start = i
            while start and words[start - 1].category in ("determiner", "adjective", "noun"):
                start -= 1
            if not start or words[start - 1].category != "preposition" and words[start - 1].lemma != "'s":
                return words[i]
            i = start
        i -= 1
    return nearest(words, verb, ("noun", "name", "pronoun"), ("determiner", "adjective", "adverb", "added"))


def agree(word, words, who):
    """Gender and number of `who`: a noun, a pronoun, or the second of "Paul and Marie"."""
    i = words.index(who)
    joined = i > 1 and words[i - 1].lemma == "and" and who.category == "name" == words[i - 2].category
    word.plural = who.plural or who.lemma in ("we", "they", "you") or joined
    word.gender = who.gender or ("f" if who.lemma == "she" else "m")


def insert_before(words, word, new):
    words.insert(words.index(word), new)


def give_up(words, old, verb, tense):
    """The verb takes the tense of an auxiliary, its pas and its ne; the auxiliary is omitted."""
    i = words.index(old)
    verb.tense, verb.inner = tense, old.inner + verb.inner
    if i and words[i - 1].french == "ne":
        insert_before(words, verb, words.pop(i - 1))
    words.remove(old)


@rule(4)
def article_agrees(words):
    """Choose: a determiner takes gender and number of the next noun (the house: la maison)."""
    for i, word in enumerate(words):
        noun = nearest(words, i, ("noun",), ("adjective", "determiner"))
        if word.category == "determiner" and noun is not None:
            word.gender, word.plural = noun.gender, noun.plural


@rule(3)
def adjective_behind_noun(words):
    """Move: an adjective goes behind its noun, unless its code says before (the red house: la maison rouge)."""
    for i in range(len(words) - 1):
        if words[i].category == "adjective" and words[i].french not in BEFORE_NOUN and words[i + 1].category == "noun":
            end = i + 1
            while end + 1 < len(words) and words[end + 1].category == "noun":
                end += 1
            words.insert(end, words.pop(i))


@rule(4)
def verb_agrees(words):
    """Choose: person from the subject, tense from the form (I sleep: je dors)."""
    for i, word in enumerate(words):
        if not word.is_verb():
            continue
        word.tense = word.tense or {"": "present", "third": "present", "past": "imperfect"}.get(word.function, "")
        who = subject(words, i)
        if who is not None and who.lemma in ("who", "that") and who is not words[0]:
            who = nearest(words, words.index(who), ("noun", "name"), ("adjective",), -1) or who
        if who is not None and word.tense:
            agree(word, words, who)
            word.person = PERSONS.get(who.lemma, 5 if word.plural else 2)


@rule(2)
def drop_do(words):
    """Omit: do, does and did; their tense goes to the verb (does he sleep: il dort)."""
    for word in [word for word in words if word.lemma == "do" and word.category == "auxiliary"]:
        verb = verb_after(words, words.index(word))
        if verb is not None:
            give_up(words, word, verb, "imperfect" if word.function == "past" else "present")


@rule(2)
def ne_pas(words):
    """Insert: not is ne before the verb and pas after it (does not sleep: ne dort pas)."""
    negate(words, "not", "pas")


def negate(words, lemma, french):
    for word in [word for word in words if word.lemma == lemma and word.category == "adverb"]:
        i = words.index(word)
        verb = words[i - 1] if i and words[i - 1].is_verb() else verb_after(words, i)
        if verb is not None:
            words.remove(word)
            verb.inner.append(french)
            insert_before(words, verb, added("ne"))


@rule(5)
def elision(words):
    """Choose: le, la, je, ne, de, que, me and se lose their vowel before another (l' arbre)."""
    for word, following in zip(words, words[1:]):
        text = word.text()
        short = text.rpartition(" ")[2] in ("le", "la", "je", "ne", "de", "que", "me", "se")
        if short and word.category != "noun" and starts_with_vowel(following.text()):
            word.settled = text[:-1] + "'"


# Six rules end here. What follows was written sentence by sentence, on seeing what was still wrong.

@rule(4)
def adjective_agrees(words):
    """Choose: an adjective agrees with the noun beside it, or with the subject before the verb to be."""
    for i, word in enumerate(words):
        if word.category != "adjective":
            continue
        who = nearest(words, i, ("noun",), ("adjective",), -1) or nearest(words, i, ("noun",), ("adjective",))
        verb = next((k for k in range(i - 1, -1, -1) if words[k].lemma == "be"), None)
        who = who or (subject(words, verb) if verb is not None else None)
        if who is not None:
            agree(word, words, who)


@rule(1)
def class_by_neighbour(words):
    """Choose: a noun after a determiner, a verb after a pronoun, a noun or "to" (they watch: regarder)."""
    for before, word, after in zip(words, words[1:], [*words[2:], None]):
        for entry in look_up(word.entry.form):
            if before.category in ("determiner", "adjective") and entry.category in ("noun", "adjective"):
                noun_too = any(other.category == "noun" for other in look_up(word.entry.form))
                if entry.category == "noun" or not noun_too or after is not None and after.category == "noun":
                    word.become(entry)
                    break
            elif entry.category == "verb" and word.category in ("noun", "adjective") and before.lemma != "be" and (
                    before.category in ("noun", "name", "pronoun", "auxiliary")
                    or before.lemma in ("not", "never", "to")):
                word.become(entry)
                break
        if word.lemma == "her" and (after is None or after.category not in ("noun", "adjective")):
            word.become(look_up("her")[1])


@rule(2)
def drop_progressive(words):
    """Omit: be before a form in -ing; its tense goes to the verb (is sleeping: dort)."""
    for word in [word for word in words if word.lemma == "be"]:
        verb = nearest(words, words.index(word), ("verb",), ("adverb", "added", *NOMINAL))
        if verb is not None and verb.function == "ing":
            give_up(words, word, verb, "imperfect" if word.function == "past" else "present")


@rule(2)
def compound_past(words):
    """Insert: a past, did and have with a participle are avoir and the participle (slept: a dormi)."""
    for word in [word for word in words if word.category == "verb" and word.lemma != "have"]:
        i = words.index(word)
        have = nearest(words, i, ("verb",), ("adverb", "added", *NOMINAL), -1)
        past = word.function == "past" and not word.tense or word.function == "" and word.tense == "imperfect"
        if have is not None and have.lemma == "have" and word.function in ("participle", "past"):
            give_up(words, have, word, "present")
            word.auxiliary = "avoir"
        elif past and word.lemma not in STATIVE:
            word.auxiliary, word.tense = "avoir", "present"


@rule(2)
def etre_in_the_past(words):
    """Choose: être, and agreement with the subject, for verbs of a list (arrived: est arrivé)."""
    for word in words:
        if word.auxiliary and word.french in WITH_ETRE:
            word.auxiliary, word.agreeing = "être", True


@rule(2)
def future(words):
    """Omit: will; the verb is in the future (will sleep: dormira)."""
    for word in [word for word in words if word.lemma == "will"]:
        verb = verb_after(words, words.index(word))
        if verb is not None:
            give_up(words, word, verb, "future")


@rule(5)
def contraction(words):
    """Choose: de le is du, de les des, à le au, à les aux."""
    pairs = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}
    for word, article in list(zip(words, words[1:])):
        text, _, last = word.text().rpartition(" ")
        pair = pairs.get((last, article.text()))
        if pair and article.category == "determiner":
            word.settled = f"{text} {pair}".strip()
            words.remove(article)


@rule(3)
def object_pronoun_before_verb(words):
    """Move: me, him, her, it, us, them before the verb (sees him: le voit)."""
    for word in [word for word in words if word.category == "pronoun"]:
        i = words.index(word)
        if i and words[i - 1].category == "verb" and (word.function == "object" or word.lemma in ("it", "you")):
            french = {"it": "le", "you": "vous"}.get(word.lemma, word.french)
            word.become(Entry(word.entry.form, word.lemma, "added", "object", french))
            words.insert(i - 1, words.pop(i))


@rule(3)
def genitive(words):
    """Move: the owner goes behind, with de (the boy 's dog: le chien de le garçon)."""
    while mark := next((k for k, word in enumerate(words) if word.entry.form in ("'s", "'")), None):
        start = mark - 1
        while start and words[start].category in ("noun", "adjective"):
            start -= 1
        end = mark + 1
        while end < len(words) and words[end].category in ("noun", "adjective"):
            end += 1
        owner, owned = words[start:mark], words[mark + 1:end]
        words[start:end] = [Word(look_up("the")[0]), *owned, Word(look_up("of")[0]), *owner]


@rule(5)
def before_a_vowel(words):
    """Choose: bel, nouvel, vieil, cet, mon before a vowel."""
    forms = {"beau": "bel", "nouveau": "nouvel", "vieux": "vieil", "ce": "cet", "ma": "mon", "sa": "son"}
    for word, following in zip(words, words[1:]):
        singular = word.category in ("adjective", "determiner") and not (word.plural and word.gender)
        if singular and following.category in ("noun", "adjective") and starts_with_vowel(following.text()):
            word.settled = forms.get(word.text(), word.settled)


@rule(1)
def verbs_of_two_words(words):
    """Choose: the French of look for, wake up, listen to; the particle is omitted."""
    for i, word in enumerate(words):
        for verb in VERBS.values():
            head, *rest = " ".join(verb.english).split()
            entry = next((e for e in look_up(word.entry.form) if e.lemma == head), None)
            forms = [other.entry.form for other in words[i + 1:i + 1 + len(rest)]]
            if rest and forms == rest and entry is not None and "idiom" not in verb.flags:
                word.become(Entry(entry.form, " ".join(verb.english), "verb", entry.function, verb.french[0]))
                del words[i + 1:i + 1 + len(rest)]
                break


def indirect(pronoun):
    pronoun.french = {"le": "lui", "la": "lui", "les": "leur"}.get(pronoun.french, pronoun.french)


@rule(3)
def verb_takes_preposition(words):
    """Insert: à or de where the French verb wants it (obeys the king: obéit à le roi, needs: a besoin de)."""
    for word in [word for word in words if word.category == "verb" and word.lemma in FRAMES]:
        i, verb = words.index(word), FRAMES[word.lemma]
        if verb.preposition and nearest(words, i, ("determiner", "name", "noun", "adjective")) is not None:
            words.insert(i + 1, added(verb.preposition, "preposition"))
        elif verb.preposition == "à" and i and words[i - 1].function == "object":
            indirect(words[i - 1])
        if verb.french[1]:
            words.insert(i + 1, added(verb.french[1]))


def own_pronoun(words, word):
    """A reflexive pronoun before the verb."""
    insert_before(words, word, added({0: "me", 3: "nous", 4: "vous"}.get(word.person, "se")))
    if word.auxiliary:
        word.auxiliary = "être"


@rule(4)
def reflexive(words):
    """Insert: me, se, nous, vous before a reflexive verb, with être in the past (gets up: se lève)."""
    for word in [word for word in words if word.category == "verb" and word.lemma in FRAMES]:
        if FRAMES[word.lemma].reflexive:
            own_pronoun(words, word)
            word.agreeing = bool(word.auxiliary)


@rule(1)
def bare_nouns(words):
    """Insert: de le before a noun of a substance and des before a plural, where English has no determiner."""
    for word in [word for word in words if word.category == "noun"]:
        start = words.index(word)
        while start and words[start - 1].category == "adjective":
            start -= 1
        before = words[start - 1] if start else None
        if before is None or before.category in ("verb", "auxiliary", "adverb", "preposition"):
            if word.lemma in MASS and not word.plural:
                words[start:start] = [added("de", "preposition"), Word(look_up("the")[0])]
            elif word.plural:
                words.insert(start, Word(look_up("a")[0]))


@rule(4)
def de_after_negation(words):
    """Choose: un, une and des are de after pas, unless after the verb to be (has no cat: n' a pas de chat)."""
    for word, following in zip(words, words[1:]):
        negated = word.is_verb() and set(word.inner) & {"pas", "jamais", "plus"} and word.lemma != "be"
        if negated and following.lemma == "a":
            following.settled = "de"


@rule(2)
def never_and_no_longer(words):
    """Insert: never is ne ... jamais, no longer ne ... plus."""
    for i in range(len(words) - 2, -1, -1):
        if [word.entry.form for word in words[i:i + 2]] == ["no", "longer"]:
            words[i:i + 2] = [Word(Entry("no longer", "no longer", "adverb", "", "plus"))]
    negate(words, "never", "jamais")
    negate(words, "no longer", "plus")


@rule(2)
def there_is(words):
    """Choose: there is and there are are il y a (there is no cat: il n' y a pas de chat)."""
    for word in [word for word in words if word.lemma == "there"]:
        i = words.index(word)
        verb = next((other for other in words[i + 1:i + 5] if other.lemma == "be"), None)
        if verb is not None:
            word.become(Entry("there", "it", "pronoun", "", "il"))
            verb.become(Entry(verb.entry.form, "have", "verb", verb.function, "avoir"))
            no = words[words.index(verb) + 1]
            if no.lemma == "no":
                no.settled = "de"
                verb.inner.append("pas")
                insert_before(words, verb, added("ne"))
            insert_before(words, verb, added("y"))


@rule(1)
def comparison(words):
    """Insert and choose: older than is plus vieux que, as old as is aussi vieux que."""
    for word in [word for word in words if word.function == "comparative"]:
        if words.index(word) == 0 or words[words.index(word) - 1].lemma != "no":    # no longer is no comparison
            insert_before(words, word, added("plus"))
    for i, word in enumerate(words):
        if word.lemma == "than":
            word.french = "que"
        if word.lemma == "as" and i + 2 < len(words) and words[i + 2].lemma == "as":
            word.french, words[i + 2].french = "aussi", "que"


@rule(2)
def infinitive_after_modal(words):
    """Omit and choose: can, must and want to, then the infinitive (wants to sleep: veut dormir)."""
    for word in [word for word in words if word.lemma in ("can", "cannot", "must", "want")]:
        if word.lemma == "cannot":
            word.inner.append("pas")
            insert_before(words, word, added("ne"))
        i = words.index(word)
        if i + 1 < len(words) and words[i + 1].lemma == "to":
            del words[i + 1]
        verb = verb_after(words, i)
        if verb is not None:
            verb.entry = Entry(verb.entry.form, verb.lemma, "verb", "infinitive", verb.french)


@rule(4)
def who_and_that(words):
    """Choose: qui where a verb follows, que where a subject does (the man that I see: que je vois)."""
    for i, word in enumerate(words):
        if word.lemma in ("who", "that") and i and words[i - 1].category in ("noun", "adjective"):
            verb = nearest(words, i, ("verb", "auxiliary"), ("added", "adverb"))
            word.settled = "qui" if verb is not None else "que"


@rule(3)
def est_ce_que(words):
    """Insert and move: est-ce que, and the verb behind a noun that is asked about (is the man old: est -ce que ...)."""
    if not words or words[-1].entry.form != "?" or words[0].lemma in ("which", "how", "what", "who"):
        return
    first = 1 if words[0].lemma in ("why", "where", "when") else 0
    verb = next((word for word in words if word.is_verb()), None)
    if verb is None or words[first].category == "pronoun":
        return
    end = words.index(verb) + 1
    if all(word.category == "added" for word in words[first:end - 1]):    # the verb stands before its subject
        last = end
        while last < len(words) and words[last].category == "determiner":
            last += 1
        if last == len(words) or words[last].category not in ("noun", "name", "adjective"):
            return
        while last < len(words) and (words[last].category in ("noun", "name", "determiner") or words[last].lemma in (
                "of", "and") or words[last].category == "adjective" and words[last].french in BEFORE_NOUN):
            last += 1
        words[first:last] = words[end:last] + words[first:end]
    words[first:first] = [added("est"), added("-ce"), added("que")]


@rule(5)
def inversion(words):
    """Move: a pronoun that is asked about goes behind the verb, with a hyphen (does he sleep: dort -il)."""
    if not words or words[-1].entry.form != "?" or any(word.french == "-ce" for word in words):
        return
    verb = next((word for word in words if word.is_verb()), None)
    who = next((word for word in words if word.category == "pronoun" and not word.function and word.lemma in (
        "he", "she", "we", "you", "they", "it")), None)
    if verb is not None and who is not None and abs(words.index(who) - words.index(verb)) <= 4:
        words.remove(who)
        finite, _, rest = verb.text().partition(" ")
        link = "-t-" if finite[-1] in "aec" and who.text()[0] in "ieo" else "-"
        verb.settled = f"{finite} {link}{who.text()} {rest}".strip()


@rule(3)
def recipient(words):
    """Choose: him, her and them are lui and leur where a thing follows (gives him a book: lui donne un livre)."""
    for i, word in enumerate(words[:-2]):
        if word.function == "object" and words[i + 1].lemma in ("give", "show", "send", "lend", "sell"):
            if words[i + 2].category == "determiner":
                indirect(word)


@rule(1)
def avoir_for_be(words):
    """Choose: be hungry, be right, be forty years old are avoir faim, avoir raison, avoir quarante ans."""
    nouns = {"hungry": "faim", "thirsty": "soif", "sleepy": "sommeil", "right": "raison", "wrong": "tort",
             "years old": "ans", "afraid of": "peur"}
    for word in list(words):
        i = words.index(word) if word in words else len(words)
        two = " ".join(other.entry.form for other in words[i:i + 2])
        noun = nouns.get(word.lemma) or nouns.get(two)
        verb = next((other for other in reversed(words[:i]) if other.lemma == "be"), None)
        if noun and verb is not None:
            verb.become(Entry(verb.entry.form, "have", "verb", verb.function, "avoir"))
            word.become(Entry(word.entry.form, "", "added", "", noun))
            if two == "years old":
                del words[i + 1]


@rule(1)
def time_phrases(words):
    """Choose: last week is la semaine dernière, and so on, each as a whole."""
    for english, french, _ in TIMES.values():
        phrase = re.sub(r"/\d", "", english).split()
        for i in range(len(words) - len(phrase), -1, -1):
            if [word.entry.form for word in words[i:i + len(phrase)]] == phrase:
                words[i:i + len(phrase)] = [added(re.sub(r"/\d", "", french), "adverb")]


@rule(4)
def own_body(words):
    """Choose: washes his hands is se lave les mains."""
    for word, determiner, noun in list(zip(words, words[1:], words[2:])):
        if word.category == "verb" and noun.lemma in BODY and determiner.category == "determiner":
            determiner.french = "le"
            own_pronoun(words, word)
