"""Direct translation, in the style of the Georgetown-IBM demonstration of 1954: a dictionary whose entries carry
codes, and rules that look a few words to either side and then choose, omit, insert or move a word.

The rules are in `direct_rules`, in the order in which we wrote them; their text is ours and not that of 1954,
which used six (Hutchins 2004, "The first public demonstration of machine translation"). Hidden from whoever
wrote them: idioms, the senses of a noun (a "pen" is always a stylo), miss and manquer à, know and savoir,
the gender of "it" and "they", and agreement of a participle with the object before it. Built in chapter 1.
"""
from collections.abc import Iterable
from dataclasses import dataclass, field

from course_lib.data.translation.conjugation import conjugate, participle
from course_lib.data.translation.lexicon import french_plural
from course_lib.translation.dictionary import FEMININES, Dictionary, Entry, count_entries, look_up
from course_lib.translation.system import Costs, Sentence, check_sentences

DETERMINERS = {"le": ("le", "la", "les"), "un": ("un", "une", "des"), "ce": ("ce", "cette", "ces"),
               "mon": ("mon", "ma", "mes"), "son": ("son", "sa", "ses"), "notre": ("notre", "notre", "nos"),
               "votre": ("votre", "votre", "vos"), "leur": ("leur", "leur", "leurs"),
               "quel": ("quel", "quelle", "quels"),
               "tout": ("tout", "toute", "tous"), "aucun": ("aucun", "aucune", "aucun")}


@dataclass(eq=False)
class Word:
    """A word on its way from English to French. Rules change it until it is printed.

    french: the root; gender ("" not yet known) and plural: what a noun has and other words take from it;
    person (see `conjugation.PERSONS`) and tense of a verb (present, imperfect, future; "" the infinitive);
    auxiliary: avoir or être, with the participle after it; inner: words between the two (pas, déjà);
    settled: the French form, where a rule has settled it.
    """
    entry: Entry
    french: str = ""
    gender: str = ""
    plural: bool = False
    person: int = 2
    tense: str = ""
    auxiliary: str = ""
    agreeing: bool = False    # the participle, with the subject
    inner: list[str] = field(default_factory=list)
    settled: str | None = None

    def __post_init__(self):
        self.become(self.entry)

    def become(self, entry: Entry) -> None:
        """Take the codes of another entry."""
        self.entry, self.french, self.gender = entry, entry.french, entry.gender
        self.plural = entry.function == "plural"

    @property
    def category(self) -> str:
        return self.entry.category

    @property
    def lemma(self) -> str:
        return self.entry.lemma

    @property
    def function(self) -> str:
        return self.entry.function

    def is_verb(self) -> bool:
        return self.category in ("verb", "auxiliary")

    def text(self) -> str:
        """The French, as far as the rules have come."""
        if self.settled is not None:
            return self.settled
        if self.category == "noun":
            return french_plural(self.french) if self.plural else self.french
        if self.category == "determiner" and self.gender and self.french in DETERMINERS:
            return DETERMINERS[self.french][2 if self.plural else self.gender == "f"]
        if self.category == "adjective":
            feminine = self.gender == "f"
            form = FEMININES.get(self.french, self.french + "e" * (self.french[-1] != "e")) if feminine else self.french
            return (form + "s" if feminine else french_plural(form)) if self.plural and self.gender else form
        if self.is_verb():
            feminine, plural = self.agreeing and self.gender == "f", self.agreeing and self.plural
            if self.auxiliary:
                finite = [conjugate(self.auxiliary, self.tense, self.person)] if self.tense else [self.auxiliary]
                return " ".join([*finite, *self.inner, participle(self.french, feminine, plural)])
            form = conjugate(self.french, self.tense, self.person) if self.tense else self.french
            return " ".join([form, *self.inner])
        return self.french


def added(french: str, category: str = "added", lemma: str = "") -> Word:
    """A French word that no English word stands for."""
    return Word(Entry("", lemma, category, "", french))


class Direct(Dictionary):
    """The dictionary and the first `rules` rules of `direct_rules.RULES` (all of them if None).

    With no rule the dictionary speaks, with the number of a noun as its code has it. Unknown words stay as
    they are. Raises ValueError for a number of rules that there is not.
    """
    name, year = "direct", 1954

    def __init__(self, rules: int | None = 6):
        from course_lib.translation.direct_rules import RULES
        if rules is not None and not 0 <= rules <= len(RULES):
            raise ValueError(f"rules={rules}: there are {len(RULES)}, use 0 to {len(RULES)} or None for all")
        self.rules = RULES[:rules]
        self.name = f"direct, {len(self.rules)} rules"

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        return [self._sentence(sentence) for sentence in check_sentences(sentences)]

    def _sentence(self, sentence):
        words = [Word(look_up(form)[0] if look_up(form) else Entry(form, form, "", "", form)) for form in sentence]
        for rule in sorted(self.rules, key=lambda rule: rule.stage):    # stable: as written within a stage
            rule.apply(words)
        return " ".join(word.text() for word in words).split()

    def costs(self) -> Costs:
        """Rules and dictionary entries together."""
        return Costs(rules=len(self.rules) + count_entries())
