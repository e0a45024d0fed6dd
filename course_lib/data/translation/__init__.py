"""English-French pairs written by a grammar, with gold alignments, and loaders of real ones.

A frame, which is no language's, is drawn at random and realised in both languages. So each pair comes with
what its words have to do with each other, what makes it hard, and what it means. Domains: "general", and
"weather", bulletins in the style that Météo translated. Built in the chapter "A history of machine
translation".
"""
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course_lib.data.translation import english, french, weather
from course_lib.data.translation.frames import Bulletin, from_json, to_json
from course_lib.data.translation.noise import add_noise
from course_lib.data.translation.phenomena import PHENOMENA, phenomena_of
from course_lib.data.translation.selection import compositions, held_out
from course_lib.data.translation.source import read_pairs
from course_lib.data.translation.tokens import Token, detokenise, links, tokenise
from course_lib.data.translation.writer import Writer

__all__ = ["Translations", "load_translations", "write_pairs", "realise_english", "realise_french", "from_json",
           "to_json", "tokenise", "detokenise", "PHENOMENA", "SPLITS"]

#: Sentences with more English tokens are left to the split "long".
LONGEST = 12
SPLITS = ("train", "validation", "iid", "compositional", "long")
_COLUMNS = ("english", "french", "sure", "possible", "phenomena", "frame", "noise")


@dataclass(frozen=True)
class Translations:
    """Parts, each a datasets.Dataset.

    train, validation, iid: drawn alike. compositional: pairs with an adjective and a noun, or a verb and
    an object, that never meet in these three. long: sentences longer than all of theirs. The parts of a
    real corpus are train, validation and iid; the other two are empty.

    Columns: english and french, lists of tokens; sure and possible, lists of [English position, French
    position], from 0, the sure links among the possible ones; phenomena, a list of keys of `PHENOMENA`;
    frame, which `from_json` reads; noise, "" or what was done to the pair. Real text has only the tokens.
    """
    train: "datasets.Dataset"
    validation: "datasets.Dataset"
    iid: "datasets.Dataset"
    compositional: "datasets.Dataset"
    long: "datasets.Dataset"


def realise_english(frame) -> list[Token]:
    """The English of a frame."""
    return weather.english(frame) if isinstance(frame, Bulletin) else english.realise(frame)


def realise_french(frame) -> list[Token]:
    """The French of a frame."""
    return weather.french(frame) if isinstance(frame, Bulletin) else french.realise(frame)


def write_pairs(split: str = "train", domain: str = "general", seed: int = 0) -> Iterator[dict]:
    """Pairs of a split without end, no English sentence twice; each a row as in `Translations`.

    A sentence is on the same side whatever the seed: no pair to test on is in the training data of
    another seed. Raises ValueError for another split or domain, and where no new sentence comes.
    """
    if split not in SPLITS:
        raise ValueError(f"split={split!r}: one of {', '.join(SPLITS)}")
    if domain not in ("general", "weather"):
        raise ValueError(f'domain={domain!r}: "general" or "weather"')
    rng, seen, tries = random.Random(f"translation {domain} {split} {seed}"), set(), 0
    writer = Writer(rng)
    while True:
        tries += 1
        if tries > 5000:
            raise ValueError(f"{len(seen)} pairs are all that the split {split} of the domain {domain} has: "
                             "ask for fewer")
        long = split == "long"
        frame = weather.draw(rng, long) if domain == "weather" else writer.long() if long else writer.clause()
        words = realise_english(frame)
        text = " ".join(word.text for word in words)
        if text in seen or _side(frame, words, text, domain) != split:
            continue
        seen.add(text)
        tries = 0
        translated = realise_french(frame)
        sure, possible = links(words, translated)
        yield {"english": [word.text for word in words], "french": [word.text for word in translated], "sure": sure,
               "possible": possible, "phenomena": phenomena_of(frame, words, translated),
               "frame": to_json(frame), "noise": ""}


def _side(frame, words, text, domain):
    unseen = any(map(held_out, (weather.compositions if domain == "weather" else compositions)(frame)))
    if len(words) > LONGEST:
        return "long" if not unseen else ""
    if unseen:
        return "compositional"
    return {0: "iid", 1: "validation"}.get(zlib.crc32(text.encode()) % 10, "train")


def load_translations(size: int = 10_000, held_out: int = 500, seed: int = 0, domain: str = "general",
                      noise: float = 0.0, source: str | Path | None = None, lowercase: bool = False) -> Translations:
    """English-French pairs: `size` to train on, `held_out` in each of the other parts.

    The pairs of a smaller size are the first ones of a larger. noise: the share of training pairs that are
    spoilt: a wrong partner, the partner of the pair before, or a typo. source: real text instead, see
    `source.read_pairs`; `lowercase` then lowers it, `seed` decides only the noise, and `domain` has no effect.

    Raises ValueError for sizes below 1 or beyond what there is and for noise outside 0 to 1,
    FileNotFoundError or OSError for a source that is not there, ImportError where datasets is missing.
    """
    if min(size, held_out) < 1:
        raise ValueError(f"size={size}, held_out={held_out}: each part needs at least one pair")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise={noise}: a share from 0 to 1")
    try:
        from datasets import Dataset, Features, List, Value
    except ImportError as error:
        raise ImportError('the corpora need: pip install "attention-to-detail[data]"') from error
    if source is not None:
        parts = read_pairs(source, size, held_out, lowercase)
    else:
        parts = {split: _first(write_pairs(split, domain, seed), size if split == "train" else held_out)
                 for split in SPLITS}
    if noise:
        parts["train"] = add_noise(parts["train"], noise, seed)
    words = List(Value("string"))
    pairs = List(List(Value("int32")))
    features = Features(english=words, french=words, sure=pairs, possible=pairs, phenomena=words, frame=Value("string"),
                        noise=Value("string"))
    return Translations(**{split: Dataset.from_dict({column: [row[column] for row in parts.get(split, ())]
                                                     for column in _COLUMNS},
                                                    features=features) for split in SPLITS})


def _first(rows, count):
    return [next(rows) for _ in range(count)]
