"""What goes with what: the choices behind `writer`, and the combinations kept for the compositional split.

Built in the chapter "A history of machine translation".
"""
import zlib
from functools import lru_cache

from course_lib.data.translation.frames import Clause, NounPhrase
from course_lib.data.translation.lexicon import ADJECTIVES, NAMES, NOUNS, UNSAID
from course_lib.data.translation.verbs import VERBS

PEOPLE = frozenset(("person", "job", "family"))
MASS = ("meal", "drink")
#: Kinds of things that are somebody's.
OWNED = ("thing", "container", "clothing", "vehicle", "machine", "text", "animal", "furniture", "fruit")
OF_KIND = {}
for _concept, _noun in NOUNS.items():
    OF_KIND.setdefault(_noun.kind, []).append(_concept)

_PLAIN = [v for v, verb in VERBS.items() if verb.subject and not verb.flags & {"gives", "clause", "idiom"}]
INTRANSITIVE = [v for v in _PLAIN if not VERBS[v].object and v not in ("know (a fact)", "go")]
TRANSITIVE = [v for v in _PLAIN if VERBS[v].object and not VERBS[v].flags & {"inverted", "own"}
              and not v.startswith("play")]
IDIOMS = [v for v, verb in VERBS.items() if "idiom" in verb.flags and verb.subject]
GIVES = [v for v, verb in VERBS.items() if "gives" in verb.flags]
WEATHER = [v for v, verb in VERBS.items() if "weather" in verb.flags]
EVENTS = ("arrive", "leave (go)", "come back", "fall", "go out")
GROOMING = ("wake up", "get up", "get dressed", "smile")
#: What goes on for a while, the first eight without an object.
LASTING = ("sleep", "work", "cry", "run", "sing", "dance", "laugh", "rest", "read", "wait for", "look for",
           "listen to", "write",
           "play (game)", "play (instrument)")
#: Why, that is what somebody does, and how they feel then.
REASONS = {"cry": ("be sad", "miss", "feel blue"), "sleep": ("be tired", "be sleepy"),
           "rest": ("be tired", "be sleepy"),
           "come back": ("be hungry", "rain", "be cold", "be thirsty", "miss"), "leave (go)": ("be tired", "be sleepy",
                                                                                               "be cold", "miss"),
           "sing": ("be happy", "be over the moon"), "dance": ("be happy", "be over the moon"),
           "laugh": ("be happy", "be over the moon")}
#: What nobody can, must or wants to do.
UNPLANNED = ("see", "hear", "cry", "laugh", "fall", "lose", "forget", "find", "break", "smile", "wake up", "be right")
_WITH_COMPOUNDS = ("red", "white", "black", "blue", "yellow", "grey", "tired", "happy", "broken")
PREDICATIVE = ("new (unused)",)
#: What one is for a time.
PASSING = ("sad", "happy", "tired", "proud", "jealous", "cold", "hot", "dirty", "empty", "broken")
#: What one learns how to do.
LEARNT = ("swim", "dance", "sing", "draw", "repair", "play (game)", "play (instrument)", "light")
WHERE = ("buy", "sell", "find", "lose", "see", "hide (self)", "sleep", "work", "eat", "fall")
GRADED = [a for a in ADJECTIVES if a not in ("red", "green", "white", "black", "blue", "yellow", "grey", "broken",
                                             "empty",
                                             "round", "new", "new (unused)", "bad", "jealous", "dry", "fresh",
                                             "pretty")]
PLACES = {
    "in": ("garden", "kitchen", "bedroom", "church", "castle", "house", "hotel", "village"),
    "outside": ("garden", "park", "forest", "village"),
    "inside": ("kitchen", "bedroom", "office", "box", "bag", "basket", "car"),
    "at": ("school", "market", "station", "office", "hospital", "hotel", "farm", "bank (money)", "plant (factory)"),
    "to": ("school", "market", "church", "hospital", "office", "station", "castle", "farm", "bank (money)"),
    "from": ("market", "school", "village", "forest", "island", "office", "town", "hospital"),
    "out of": ("house", "office", "church", "hotel", "hospital", "castle", "school", "plant (factory)"),
    "on": ("table", "chair", "armchair"), "under": ("tree", "table", "armchair"),
    "behind": ("door", "house", "tree", "armchair"),
    "near": ("river", "house", "church", "tree", "garden", "window", "castle", "door"),
    "in front of": ("house", "church", "door", "school", "hotel", "bank (money)"),
    "opposite": ("station", "church", "school", "hospital", "park", "hotel"),
    "next to": ("door", "lamp", "window", "armchair", "clock")}


def kind_of(np: NounPhrase) -> str:
    """The kind of a noun phrase; empty for names and pronouns."""
    known = np.antecedent or np.concept
    return NOUNS[known].kind if known in NOUNS else ""


def is_person(np: NounPhrase) -> bool:
    return np.concept in NAMES or kind_of(np) in PEOPLE or not kind_of(np) and np.concept not in ("it", "what")


@lru_cache(maxsize=None)
def adjectives_of(noun: str) -> tuple[str, ...]:
    """Adjectives that a noun can have."""
    known = [a for a in ADJECTIVES if NOUNS[noun].kind in ADJECTIVES[a].kinds and a not in PREDICATIVE
             and (a, noun) not in UNSAID]
    if " " in NOUNS[noun].french[0]:  # far from its noun an adjective sounds wrong: une chaise de jardin étrange
        known = [a for a in known if ADJECTIVES[a].before or a in _WITH_COMPOUNDS]
    return tuple(known)


@lru_cache(maxsize=None)
def predicates_of(noun: str) -> tuple[str, ...]:
    """Adjectives that a noun can be said to be. What is new then is neuf."""
    known = adjectives_of(noun)
    return tuple(a for a in known if a not in ("good", "bad", "new")) + ("new (unused)",) * (
        "new" in known and NOUNS[noun].kind in ADJECTIVES["new (unused)"].kinds)


def held_out(composition: tuple[str, str]) -> bool:
    """Whether a combination is kept for the compositional split: one in twelve, whatever seed and size."""
    return zlib.crc32(" ".join(composition).encode()) % 12 == 0


def compositions(frame) -> set[tuple[str, str]]:
    """The combinations of a frame that can be held out: (adjective, noun) and (verb, object)."""
    if isinstance(frame, NounPhrase):
        found = {(frame.adjective, frame.concept)} if frame.adjective else set()
        parts = (frame.owner, frame.joined, frame.relative)
    elif isinstance(frame, Clause):
        pairs = ((frame.predicate, frame.object), (frame.complement, frame.subject))
        found = {(word, np.antecedent or np.concept) for word, np in pairs if word and np and kind_of(np)
                 and word != "exist"}
        parts = (frame.subject, frame.object, frame.recipient, frame.standard, frame.profession, frame.place,
                 frame.content,
                 frame.second)
    else:
        return set()
    return found.union(*(compositions(part) for part in parts if part is not None))
