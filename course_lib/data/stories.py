"""Short stories from a grammar whose exact entropy is known: what no language model's loss can beat.

A grammar of weighted rules writes them. What is chosen early returns late (who the hero is, what was
lost, where it was), so that a model has something to remember. Entropy, the probability of a text and
that of every next word are computed from the rules, not estimated. Built in the chapter
"Encoder-decoders".
"""
import math
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

END = "<end>"
_WORD = re.compile(r"\w+|[^\w\s]")


class Grammar:
    """A probabilistic context-free grammar without recursion, in which chosen words can be repeated.

    rules: symbol -> {expansion: weight}, or a string of equally likely expansions separated by ``|``.
    An expansion is a text of words, punctuation and symbols; symbols are written in capitals.
    ``hero:NAME`` expands NAME, whose expansions must be single words, and keeps the word as hero; ``$hero``
    repeats it; ``$hero.she`` repeats what agrees with it, `agreement` ["she"][the word].
    start: the symbol of a whole text.

    entropy: exact, in nats a text. length: expected tokens of a text, its end not counted.
    The entropy is that of derivations, and so that of texts where no text has two derivations: write
    grammars in which the next word, or one soon after, tells which expansion was chosen.

    Raises ValueError for symbols without a rule, recursion, weights that are not positive, and repeats of
    what may not have been chosen yet or has no agreement.

    Entropy: Shannon 1948; of a grammar's derivations: Grenander 1967.
    """

    def __init__(self, rules: Mapping[str, str | Mapping[str, float]], start: str = "STORY",
                 agreement: Mapping[str, Mapping[str, str]] | None = None):
        self.start, self.agreement = start, agreement or {}
        self.rules = {}  # symbol -> [(probability, tokens)]
        for symbol, expansions in rules.items():
            if isinstance(expansions, str):
                expansions = dict.fromkeys(map(str.strip, expansions.split("|")), 1)
            if not expansions or not all(0 < weight < math.inf for weight in expansions.values()):
                raise ValueError(f"{symbol}: expansions are needed, each with a weight above 0")
            total = sum(expansions.values())
            self.rules[symbol] = [(weight / total, tuple(text.split()))
                                  for text, weight in expansions.items()]
        self._words_of = defaultdict(set)  # variable -> the words it can be
        for _, tokens in (way for ways in self.rules.values() for way in ways):
            for variable, expansions in map(self._rule, tokens):
                if variable and expansions:
                    self._words_of[variable].update(" ".join(words) for _, words in expansions)
        try:
            self._check(start, frozenset())
            self.entropy = self._expected(start, lambda p, tokens: -math.log(p))
            self.length = self._expected(
                start, lambda p, tokens: sum(self._rule(token)[1] is None for token in tokens))
        except RecursionError:
            raise ValueError("a symbol leads back to itself: this grammar has to end") from None

    @property
    def entropy_per_token(self) -> float:
        """The lowest loss a model can reach, in nats per token; the end of the text counts as a token."""
        return self.entropy / (self.length + 1)

    def sample(self, seed: int | str = 0) -> Iterator[str]:
        """Texts without end, drawn independently of each other."""
        rng = random.Random(seed)
        while True:
            words, state = [], self._begin()
            while True:
                ways = list(self._ways(state))
                _, word, state = rng.choices(ways, weights=[p for p, _, _ in ways])[0]
                if word == END:
                    break
                words.append(word)
            yield self.text(words)

    def next_words(self, text: str) -> dict[str, float]:
        """Probability of every word, or of `END`, that can follow; empty where `text` is no beginning."""
        *_, last = self._distributions(self.tokens(text))
        return last

    def log_probabilities(self, text: str) -> list[float]:
        """Natural logarithm of the probability of each token given those before, the last being `END`.

        Minus their mean over many texts is the loss of the perfect model on these texts, token for
        token. From the first token on that cannot stand where it does they are -inf.
        """
        targets = [*self.tokens(text), END]
        return [math.log(p) if (p := distribution.get(token)) else -math.inf
                for token, distribution in zip(targets, self._distributions(targets[:-1]))]

    def accepts(self, text: str) -> bool:
        """Whether the grammar can write `text`, from its beginning to its end."""
        return math.isfinite(sum(self.log_probabilities(text)))

    @staticmethod
    def tokens(text: str) -> list[str]:
        """Words and punctuation marks."""
        return _WORD.findall(text)

    @staticmethod
    def text(tokens: list[str]) -> str:
        """Tokens as they are printed, without a space before punctuation."""
        return re.sub(r" (?=[^\w\s])", "", " ".join(tokens))

    def vocabulary(self) -> list[str]:
        """Every word and mark that a text can hold, sorted."""
        words = {t for ways in self.rules.values() for _, tokens in ways for t in tokens
                 if not t.startswith("$") and self._rule(t)[1] is None}
        used = {t.partition(".")[2] for ways in self.rules.values() for _, tokens in ways for t in tokens
                if t.startswith("$")}
        return sorted(words | {w for form in used if form for w in self.agreement[form].values()})

    # A state is what is still to be written (words and symbols) and the words kept so far.

    def _begin(self):
        return (self.start,), ()

    def _rule(self, token):
        """(variable, expansions) of a token; (..., None) for one that is not a symbol."""
        variable, _, symbol = token.rpartition(":")
        return variable, self.rules.get(symbol)

    def _ways(self, state):
        """(probability, next word, state after it) for each choice of expansions."""
        (token, *rest), kept = state[0] or [None], state[1]
        if token is None:
            yield 1.0, END, state
            return
        variable, expansions = self._rule(token)
        if expansions is None:
            yield 1.0, self._recall(token, kept), (tuple(rest), kept)
            return
        for p, tokens in expansions:
            kept_now = tuple({**dict(kept), variable: tokens[0]}.items()) if variable else kept
            for q, word, after in self._ways((tokens + tuple(rest), kept_now)):
                yield p * q, word, after

    def _recall(self, token, kept):
        if not token.startswith("$"):
            return token
        variable, _, form = token[1:].partition(".")
        word = dict(kept)[variable]
        return self.agreement[form][word] if form else word

    def _distributions(self, tokens):
        """The distribution of the next word before each token and after the last."""
        states = {self._begin(): 1.0}  # the states that the tokens so far can have led to
        for token in [*tokens, None]:
            following = defaultdict(float)
            after = defaultdict(float)
            for state, weight in states.items():
                for p, word, new in self._ways(state):
                    following[word] += weight * p
                    if word == token:
                        after[new] += weight * p
            yield dict(following)
            total = sum(after.values())
            states = {state: weight / total for state, weight in after.items()}

    def _expected(self, symbol, value):
        """Expectation over derivations of the sum of `value(probability, tokens)` of the expansions."""
        symbol = symbol.rpartition(":")[2]
        return sum(p * (value(p, tokens) + sum(self._expected(token, value) for token in tokens
                                               if self._rule(token)[1] is not None))
                   for p, tokens in self.rules[symbol])

    def _check(self, symbol, kept) -> frozenset:
        """The variables sure to be chosen after `symbol`, given those before it; or a ValueError."""
        if symbol not in self.rules:
            raise ValueError(f"no rule for the start symbol {symbol}")
        results = []
        for _, tokens in self.rules[symbol]:
            now = kept
            for token in tokens:
                variable, expansions = self._rule(token)
                if token.startswith("$"):
                    self._check_repeat(token, now)
                elif expansions is not None:
                    now = self._check(token.rpartition(":")[2], now) | ({variable} - {""})
                    words = self._words_of[variable] if variable else ()
                    if any(word in self.rules or len(word.split()) != 1 for word in words):
                        raise ValueError(f"{token}: its expansions must be single words")
                elif _WORD.findall(token) != [token] or (token.isupper() and len(token) > 1):
                    raise ValueError(f"{symbol}: {token!r} is neither a symbol with a rule nor a single word "
                                     "or mark")
            results.append(now)
        return frozenset.intersection(*results)

    def _check_repeat(self, token, kept):
        variable, _, form = token[1:].partition(".")
        if variable not in kept:
            raise ValueError(f"{token}: {variable} may not have been chosen before")
        if form and not self._words_of[variable] <= self.agreement.get(form, {}).keys():
            raise ValueError(f"{token}: no agreement {form!r} for every word that {variable} can be")


_SHE = ("Mia", "Ada", "Lily", "Ivy", "Nora")
_HE = ("Tom", "Ben", "Max", "Otto", "Sam")
AGREEMENT = {form: dict.fromkeys(_SHE, hers) | dict.fromkeys(_HE, his) for form, hers, his in (
    ("she", "she", "he"), ("She", "She", "He"), ("her", "her", "his"), ("object", "her", "him"))}

RULES = {
    "STORY": "OPENING PLOT CLOSING",
    "OPENING": {
        "One WHEN hero:HERO the animal:ANIMAL walked to the place:PLACE .": 3,
        "Once there was a KIND animal:ANIMAL called hero:HERO who lived near the place:PLACE .": 2,
        "hero:HERO the animal:ANIMAL loved the place:PLACE more than anything .": 1,
    },
    "WHEN": "morning | evening | summer day | winter day",
    "HERO": {"Mia": 4, "Tom": 3, "Ada": 2, "Ben": 2, "Lily": 1, "Max": 1},
    "ANIMAL": "fox | bear | mouse | rabbit | goat",
    "KIND": "small | brave | lazy | clever",
    "PLACE": {"river": 3, "forest": 3, "mill": 1, "lake": 2, "hill": 1},
    "FRIEND": {"Ivy": 1, "Otto": 2, "Nora": 2, "Sam": 1},
    "BEAST": "owl | frog | hedgehog | duck",
    "PLOT": {"LOSS": 4, "STORM": 3, "HUNGER": 3},

    "LOSS": "There $hero.she lost $hero.her COLOUR thing:THING . ASK SEARCH FOUND",
    "COLOUR": "red | blue | new | favourite",
    "THING": "kite | hat | drum | boat | lamp",
    "ASK": {"$hero.She asked friend:FRIEND the BEAST for help .": 2,
            "friend:FRIEND the BEAST saw $hero.object cry and wanted to help .": 1},
    "SEARCH": "Together they looked SPOT . | They looked SPOT and then SPOT . | "
              "They searched until it was dark .",
    "SPOT": "under the stones | behind the wall | in the long grass | among the leaves",
    "FOUND": {"At last $friend found the $thing , and $hero was happy again .": 3,
              "But the $thing was gone . $friend gave $hero.object $friend.her own .": 1},

    "STORM": "Then a storm came . The SKY and $hero was afraid . $hero.She hid HIDDEN , "
             "where friend:FRIEND the BEAST was hiding too . WAIT",
    "SKY": "wind blew | thunder rolled | rain fell hard",
    "HIDDEN": "under a bridge | in a hollow tree | in a dry cave",
    "WAIT": {"They told stories until the sun came out .": 2, "They sang until the storm was over .": 2,
             "$hero fell asleep , and $friend watched the sky .": 1},

    "HUNGER": "$hero.She was hungry and saw a basket of food:FOOD . "
              "It belonged to friend:FRIEND the BEAST . CHOICE",
    "FOOD": "apples | nuts | berries | bread",
    "CHOICE": {"$hero asked politely , and $friend shared the $food with $hero.object .": 3,
               "$hero took the $food , and $friend was ANGRY . "
               "$hero.She said sorry and brought more $food .": 2},
    "ANGRY": "angry | sad",

    "CLOSING": {"Then they went home from the $place together .": 3,
                "$hero the $animal and $friend have been friends ever since .": 2,
                "$hero.She never forgot that day at the $place .": 1},
}


@dataclass(frozen=True)
class Stories:
    """Texts in three parts, each a datasets.Dataset with the column text, and the grammar that wrote them.

    Texts of a grammar are independent draws: one can occur twice, also in two parts, as often as its
    probability says, which a loss compared with the entropy must not have filtered out. The grammar of
    real texts is None.
    """
    train: "datasets.Dataset"
    validation: "datasets.Dataset"
    test: "datasets.Dataset"
    grammar: Grammar | None


def story_grammar() -> Grammar:
    """The grammar of the course's stories."""
    return Grammar(RULES, agreement=AGREEMENT)


def load_stories(size: int = 2000, held_out: int = 500, seed: int = 0,
                 source: str | Path | None = None) -> Stories:
    """Short stories: `size` to train on, `held_out` to validate and as many to test.

    source: real ones instead, from a text file with blank lines between them, or from a dataset on the
    Hub with a column "text", such as "roneneldan/TinyStories" (the first ones of its "train"); `seed`
    then has no effect.

    Raises ValueError for a size below 1 or beyond what `source` holds, FileNotFoundError or OSError for
    a source that is not there, ImportError where the package datasets is missing.
    """
    if min(size, held_out) < 1:
        raise ValueError(f"size={size}, held_out={held_out}: each part needs at least one story")
    try:
        import datasets
    except ImportError as error:
        raise ImportError('the corpora need: pip install "attention-to-detail[data]"') from error
    wanted, grammar = size + 2 * held_out, None
    if source is None:
        grammar = story_grammar()
        texts = list(islice(grammar.sample(f"stories {seed}"), wanted))
    elif Path(source).is_file():
        paragraphs = re.split(r"\n\s*\n", Path(source).read_text(encoding="utf-8"))
        texts = [text for p in paragraphs if (text := " ".join(p.split()))]
    else:
        try:
            rows = datasets.load_dataset(str(source), split="train", streaming=True)
            texts = [row["text"] for row in islice(rows, wanted)]
        except Exception as error:  # the Hub's library has many, not all of them OSErrors
            raise OSError(f"no text file {source}, and no such dataset with a column text could be read from "
                          f"the Hub ({type(error).__name__}): check the name, the network") from error
    if len(texts) < wanted:
        raise ValueError(f"{source} has {len(texts)} texts, but size and twice held_out make {wanted}")
    parts = (texts[:size], texts[size : size + held_out], texts[size + held_out : wanted])
    return Stories(*(datasets.Dataset.from_dict({"text": part}) for part in parts), grammar)
