"""A system for one domain: weather bulletins, in the manner of TAUM-METEO, which Environment Canada used from 1977.

A bulletin has hardly any grammar. Its phrases are listed with their French, numbers and points of the compass
are classes, and whatever is not listed is refused and goes to a person: a narrow domain is understood whole
or not at all. The lists were written from fifty training bulletins, completed where a person would see the
gap (all points of the compass, all numbers), and nowhere else. Built in chapter 1.
"""
import re
from collections.abc import Iterable

from course_lib.translation.system import Costs, Pair, Sentence, check_sentences

#: The first token of a sentence that was refused; its English tokens follow.
REFUSED = "<to-translate>"
_COMPASS = {"north": "nord", "south": "sud", "west": "ouest", "east": "est"}
_COMPASS |= {a + b: f"{_COMPASS[a]}-{_COMPASS[b]}" for a in ("north", "south") for b in ("west", "east")}
_WEATHER = {
    "sunny": "ensoleillé", "cloudy": "nuageux", "overcast": "ciel couvert", "clear": "dégagé", "clearing": "dégagement",
    "mainly sunny": "généralement ensoleillé", "mainly clear": "généralement dégagé", 
    "cloudy periods": "passages nuageux",
    "cloudy with sunny breaks": "nuageux avec éclaircies", "rain": "pluie", "snow": "neige", "showers": "averses",
    "flurries": "averses de neige",
    "drizzle": "bruine", "freezing rain": "pluie verglaçante", "light snow": "faible neige",
    "thunderstorms": "orages", "heavy rain": "pluie abondante", "hail": "grêle", "wet snow": "neige mouillée",
    "scattered showers": "averses éparses", "patchy drizzle": "bruine intermittente", "frost": "gel"}
_WHEN = {
    "this morning": "ce matin", "this afternoon": "cet après-midi", "this evening": "ce soir", "tomorrow": "demain",
    "overnight": "au cours de la nuit",
    "near noon": "vers midi", "near midnight": "vers minuit", "on Saturday": "samedi",
    "on Sunday": "dimanche", "early tomorrow": "tôt demain", "late this afternoon": "tard cet après-midi",
    "in the north": "dans le nord", "in the south": "dans le sud", "near the coast": "près de la côte",
    "over the hills": "sur les collines",
    "in the valleys": "dans les vallées", "along the river": "le long de la rivière"}
# Phrases: W is weather, T a time or place, C a point of the compass, N a number.
_PHRASES = {
    "W": "W", "W T": "W T", "W beginning T": "W débutant T", "W ending T": "W cessant T", "risk of W": "risque de W",
    "risk of W T": "risque de W T", "N percent chance of W": "N pour cent de probabilité de W",
    "wind C N km/h": "vents de le C de N km/h",
    "wind C N km/h gusting to N": "vents de le C de N km/h avec rafales à N",
    "high N": "maximum N", "low N": "minimum N", "temperature steady near N": "température stable près de N",
    "temperature falling to N T": "température à la baisse pour atteindre N T",
    "snowfall amount N cm": "accumulation de neige de N cm",
    "snowfall amount N to N cm": "accumulation de neige de N à N cm",
    "fog patches dissipating T": "bancs de brouillard se dissipant T"}


def _any(table):
    return "|".join(sorted(map(re.escape, table), key=len, reverse=True))


_SLOTS = {"W": f"({_any(_WEATHER)})", "T": f"({_any(_WHEN)})", "C": f"({_any(_COMPASS)})", "N": r"((?:minus )?\d+)"}
_PATTERNS = [(re.compile(" ".join(_SLOTS.get(word, re.escape(word)) for word in english.split())), english.split(),
              french) for english, french in _PHRASES.items()]
_TABLES = {"W": _WEATHER, "T": _WHEN, "C": _COMPASS}


class Meteo:
    """Translates bulletins that it understands to the last word; others begin with `REFUSED`, for a person.

    `coverage` is the share of the sentences of the last `translate` that were not refused (nan for none); an
    empty sentence is understood. Learns nothing.
    """
    name, year = "weather bulletins", 1977

    def __init__(self):
        self.coverage = float("nan")

    def fit(self, pairs: Iterable[Pair] = ()) -> "Meteo":
        return self

    def bulletin(self, sentence: Sentence) -> list[str] | None:
        """The French of a bulletin; None if any phrase of it is unknown."""
        words, phrase = [], []
        for word in sentence:
            if word != ".":
                phrase.append(word)
                continue
            french = self.phrase(" ".join(phrase))
            if french is None:
                return None
            words += [*french, "."]
            phrase = []
        return None if phrase else words

    def phrase(self, english: str) -> list[str] | None:
        for pattern, shape, french in _PATTERNS:
            match = pattern.fullmatch(english)
            if match:
                filled = iter(match.groups())
                slots: dict[str, list[str]] = {}
                for name in shape:
                    if name in _SLOTS:
                        text = next(filled)
                        translated = _TABLES[name][text] if name in _TABLES else text.replace("minus", "moins")
                        slots.setdefault(name, []).append(translated)
                words = [slots[word].pop(0) if word in slots else word for word in french.split()]
                return _spelled(" ".join(words))
        return None

    def translate(self, sentences: Iterable[Sentence]) -> list[list[str]]:
        """Raises ValueError, naming the sentence, for text that is not tokenised."""
        sentences = check_sentences(sentences)
        found = [self.bulletin(sentence) for sentence in sentences]
        self.coverage = sum(french is not None for french in found) / len(found) if found else float("nan")
        return [[REFUSED, *sentence] if french is None else french for sentence, french in zip(sentences, found)]

    def costs(self) -> Costs:
        """Phrases and the words in their classes."""
        return Costs(rules=sum(map(len, (_PHRASES, *_TABLES.values()))))


def _spelled(text):
    text = re.sub(r"\bde le (?=[aeiou])", "de l' ", text)
    text = re.sub(r"\bde le ", "du ", text)
    return re.sub(r"\bde (?=[aeiouéh])", "d' ", text).split()
