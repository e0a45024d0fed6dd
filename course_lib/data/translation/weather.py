"""Weather bulletins in the telegraphic style that Météo translated in Canada: a domain with a language of its own.

A bulletin is a few patterns with slots. Numbers after a slash tell which words translate each other; the
slots do so by their names. Built in the chapter "A history of machine translation".
"""
import random

from course_lib.data.translation.frames import Bulletin
from course_lib.data.translation.french import spelled
from course_lib.data.translation.tokens import Token, phrase, token

#: slot -> French of each concept, which is the English
SLOTS = {
    "sky": {
        "sunny": "ensoleillé", "mainly/1 sunny/2": "généralement/1 ensoleillé/2", "cloudy": "nuageux",
        "cloudy/1 with sunny/2 breaks/3": "nuageux/1 avec éclaircies/2", "overcast": "ciel couvert",
        "a/1 mix/1 of sun/2 and/3 cloud/4": "alternance/1 de soleil/2 et/3 de nuages/4",
        "a/1 few/1 clouds/2": "quelques/1 nuages/2", "clear": "dégagé", "mainly/1 clear/2": "généralement/1 dégagé/2",
        "cloudy/1 periods/2": "passages/2 nuageux/1", "becoming cloudy/1": "ennuagement/1", "clearing": "dégagement"},
    "falling": {
        "rain": "pluie", "snow": "neige", "showers": "averses", "flurries/1": "averses/1 de neige/1",
        "drizzle": "bruine",
        "freezing/1 rain/2": "pluie/2 verglaçante/1", "light/1 snow/2": "faible/1 neige/2", "thunderstorms": "orages",
        "heavy/1 rain/2": "pluie/2 abondante/1", "hail": "grêle", "wet/1 snow/2": "neige/2 mouillée/1",
        "scattered/1 showers/2": "averses/2 éparses/1", "patchy/1 drizzle/2": "bruine/2 intermittente/1"},
    "when": {
        "this/1 morning/2": "ce/1 matin/2", "this/1 afternoon/2": "cet/1 après-midi/2",
        "this/1 evening/2": "ce/1 soir/2",
        "overnight/1": "au cours de la nuit/1", "near/1 noon/2": "vers/1 midi/2",
        "near/1 midnight/2": "vers/1 minuit/2",
        "tomorrow": "demain", "late/1 this/2 afternoon/3": "tard/1 cet/2 après-midi/3",
        "on/1 Saturday/2": "samedi/2", "on/1 Sunday/2": "dimanche/2", "early/1 tomorrow/2": "tôt/1 demain/2"},
    "where": {
        "in/1 the/2 north/3": "dans/1 le/2 nord/3", "in/1 the/2 south/3": "dans/1 le/2 sud/3",
        "near/1 the coast/3": "près/1 de la côte/3", "over/1 the/2 hills/3": "sur/1 les/2 collines/3",
        "in/1 the/2 valleys/3": "dans/1 les/2 vallées/3", "along/1 the river/3": "le long/1 de la rivière/3"},
    "from": {"north": "nord", "south": "sud", "west": "ouest", "east": "est", "northwest": "nord-ouest",
             "southeast": "sud-est", "northeast": "nord-est", "southwest": "sud-ouest"},
    "degrees": {**{str(n): str(n) for n in range(1, 31)}, **{f"minus/1 {n}/2": f"moins/1 {n}/2" for n in range(1, 21)},
                "zero": "zéro"},
    "speed": {str(n): str(n) for n in range(20, 100, 10)},
    "percent": {str(n): str(n) for n in range(30, 80, 10)},
    "amount": {"2/1 to/2 4/3 cm/4": "2/1 à/2 4/3 cm/4", "5/1 cm/2": "5/1 cm/2",
               "5/1 to/2 10/3 cm/4": "5/1 à/2 10/3 cm/4",
               "10/1 to/2 15/3 cm/4": "10/1 à/2 15/3 cm/4", "20/1 cm/2": "20/1 cm/2"},
}
#: name -> (English, French)
PATTERNS = {
    "sky": ("{sky} {when}", "{sky} {when}"),
    "sky there": ("{sky} {where}", "{sky} {where}"),
    "falling": ("{falling} {when}", "{falling} {when}"),
    "beginning": ("{falling} beginning/1 {when}", "{falling} débutant/1 {when}"),
    "ending": ("{falling} ending/1 {when}", "{falling} cessant/1 {when}"),
    "falling there": ("{falling} {where}", "{falling} {where}"),
    "risk": ("risk/1 of/2 {falling} {when}", "risque/1 de/2 {falling} {when}"),
    "chance": ("{percent} percent/1 chance/2 of/3 {falling}", "{percent} pour cent/1 de probabilité/2 de/3 {falling}"),
    "wind": ("wind/1 {from} {speed} km/h/2", "vents/1 de le {from} de {speed} km/h/2"),
    "gusts": ("wind/1 {from} {speed} km/h/2 gusting/3 to/4 90/5",
              "vents/1 de le {from} de {speed} km/h/2 avec rafales/3 à/4 90/5"),
    "becoming light": ("wind/1 becoming/2 light/3 {when}", "vents/1 devenant/2 légers/3 {when}"),
    "high": ("high/1 {degrees}", "maximum/1 {degrees}"),
    "low": ("low/1 {degrees}", "minimum/1 {degrees}"),
    "falling temperature": ("temperature/1 falling/2 to {degrees} {when}",
                            "température/1 à la baisse/2 pour atteindre {degrees} {when}"),
    "rising temperature": ("temperature/1 rising/2 to {degrees} {when}",
                           "température/1 à la hausse/2 pour atteindre {degrees} {when}"),
    "steady temperature": ("temperature/1 steady/2 near/3 {degrees}", "température/1 stable/2 près/3 de {degrees}"),
    "amount": ("snowfall/1 amount/2 {amount}", "accumulation/2 de neige/1 de {amount}"),
    "fog": ("fog/1 patches/2 dissipating/3 {when}", "bancs/2 de brouillard/1 se dissipant/3 {when}"),
    "frost": ("risk/1 of/2 frost/3 {where}", "risque/1 de/2 gel/3 {where}"),
}
_FIRST = ("sky", "sky there", "falling", "beginning", "ending", "falling there", "fog", "risk")
#: Of each group a bulletin has one at most.
_NEXT = (("chance",), ("wind", "gusts", "becoming light"), ("risk", "frost"),
         ("high", "low", "falling temperature", "rising temperature", "steady temperature"))
_COLD = ("snow", "flurries/1", "freezing/1 rain/2", "light/1 snow/2", "wet/1 snow/2")
_DARK = ("this/1 evening/2", "overnight/1", "near/1 midnight/2")


def slots_of(pattern: str) -> list[str]:
    """The slots of a pattern, in English order."""
    return [word[1:-1] for word in PATTERNS[pattern][0].split() if word.startswith("{")]


def draw(rng: random.Random, long: bool = False) -> Bulletin:
    """A bulletin of one or two patterns, or of three or four. All of it is of one season."""
    cold = rng.random() < 0.5
    names = [rng.choice(_FIRST)]
    for group in rng.sample(_NEXT, rng.randint(2, 3) if long else rng.randint(0, 1)):
        name = rng.choice(group)
        # What falls is no risk any more, and there is no frost in summer.
        if not (name == "risk" and "falling" in slots_of(names[0]) or name == "frost" and not cold):
            names.append(name)
    if len(names) == 1 and rng.random() < 0.3:
        names = [rng.choice(_NEXT[rng.choice((1, 3))])]
    phrases = [(name, *_fill(rng, name, cold)) for name in names]
    if "snow" in " ".join(phrases[0]) and rng.random() < 0.3:
        phrases[1:2] = [("amount", *_fill(rng, "amount", cold))]
    return Bulletin(tuple(phrases))


def _fill(rng, name, cold):
    filled = {}
    for slot in slots_of(name):
        choices = list(SLOTS[slot])
        if slot == "falling":
            choices = [fall for fall in choices if (fall in _COLD) == cold]
        elif slot == "degrees":
            choices = [n for n in choices if n.startswith(("minus", "zero")) == cold]
        elif slot == "when" and "sun" in filled.get("sky", ""):
            choices = [when for when in choices if when not in _DARK]
        elif slot == "when" and filled.get("sky", "").startswith(("clear", "mainly/1 clear")):
            choices = list(_DARK)
        elif slot == "speed" and name == "gusts":
            choices = [n for n in choices if int(n) < 80]
        filled[slot] = rng.choice(choices)
    return filled.values()


def compositions(bulletin: Bulletin) -> set[tuple[str, str]]:
    """What can be held out: a sky or what falls, with its time or place."""
    return {(fill[0], fill[1]) for name, *fill in bulletin.phrases if slots_of(name)[:1] in (["sky"], ["falling"])
            and len(fill) == 2}


def _realise(bulletin, side):
    words = []
    for number, (name, *fill) in enumerate(bulletin.phrases):
        path = f"phrase {number}"
        filled = dict(zip(slots_of(name), fill))
        plain = []
        for word in [*PATTERNS[name][side].split(), ""]:
            if word and not word.startswith("{"):
                plain.append(word)
                continue
            words += _plain(plain, path, PATTERNS[name])
            plain = []
            if word:
                slot = word[1:-1]
                text = filled[slot] if side == 0 else SLOTS[slot][filled[slot]]
                words += phrase(text, f"{path}.{slot}")
        words.append(token(".", f"{path}.mark"))
    return words


def _plain(plain, path, pattern):
    """The pattern's own words; those without a number are linked possibly to all of them."""
    marks = {f"{path}.{word.rpartition('/')[2]}" for word in pattern[0].split() if "/" in word}
    made = []
    for word in plain:
        text, slash, mark = word.rpartition("/")
        numbered = slash and mark.isdigit()
        kind = {"le": "article", "de": "preposition"}.get(text if numbered else word, "")
        made.append(token(text, f"{path}.{mark}", (), kind) if numbered else token(word, (), marks, kind))
    return made


def english(bulletin: Bulletin) -> list[Token]:
    """The English of a bulletin."""
    return _realise(bulletin, 0)


def french(bulletin: Bulletin) -> list[Token]:
    """The French of a bulletin."""
    return spelled(_realise(bulletin, 1))
