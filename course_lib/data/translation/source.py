"""Real English-French text: line-aligned files, or a dataset by its Hub name.

Built in the chapter "A history of machine translation".
"""
from itertools import islice
from pathlib import Path

from course_lib.data.translation.tokens import tokenise

_STEMS = {"train": ("train",), "validation": ("val", "valid", "validation", "dev"), "iid": ("test", "test_2016_flickr")}


def read_pairs(source: str | Path, size: int, held_out: int, lowercase: bool = False) -> dict[str, list[dict]]:
    """Parts of real text: train, validation and iid, lists of rows as in `Translations`.

    source: a folder with train.en and train.fr and, where it has them, val.en, val.fr, test.en and
    test.fr (or names like them); what is missing is cut from the lines after the first `size` of train. Or
    the beginning of two names ("data/train" for data/train.en and data/train.fr), to cut all from. Or a
    dataset on the Hub with a column "translation" or columns "en" and "fr", with its configuration after a
    colon ("Helsinki-NLP/opus_books:en-fr").

    Lines that are empty on a side are left out. Raises ValueError for files of unequal length, without
    text, that were tokenised before, or with fewer lines than asked for; FileNotFoundError or OSError
    where there is no source.
    """
    path = Path(source)
    if path.is_dir():
        texts = {part: _files(path, stems) for part, stems in _STEMS.items()}
        if texts["train"] is None:
            raise FileNotFoundError(f"{path} has no train.en and train.fr")
    elif Path(f"{path}.en").is_file() or Path(f"{path}.fr").is_file():
        texts = {"train": _read(Path(f"{path}.en"), Path(f"{path}.fr"))}
    else:
        texts = {"train": _hub(str(source), size + 2 * held_out)}
    missing = [part for part in ("validation", "iid") if texts.get(part) is None]
    wanted = {"train": size + len(missing) * held_out, "validation": held_out, "iid": held_out}
    for part, pairs in texts.items():
        if pairs is not None and len(pairs) < wanted[part]:
            cut = missing and part == "train"
            cut = f" ({size} to train, {held_out} for each of {', '.join(missing)})" if cut else ""
            raise ValueError(f"{part} of {source} has {len(pairs)} pairs, but {wanted[part]} are asked for{cut}")
    for number, part in enumerate(missing):
        texts[part] = texts["train"][size + number * held_out:]
    parts = {"train": texts["train"][:size], "validation": texts["validation"][:held_out],
             "iid": texts["iid"][:held_out]}
    return {part: [_row(*pair, lowercase) for pair in pairs] for part, pairs in parts.items()}


def _files(folder, stems):
    for stem in stems:
        if (folder / f"{stem}.en").is_file() or (folder / f"{stem}.fr").is_file():
            return _read(folder / f"{stem}.en", folder / f"{stem}.fr")
    return None


def _read(english, french):
    sides = []
    for path in (english, french):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: each language is a file, {english.name} and {french.name}")
        try:
            # A line ends where the writer ended it: splitlines would also split at rarer marks.
            sides.append([line.strip() for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")])
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8: convert it first") from error
    if len(sides[0]) != len(sides[1]):
        raise ValueError(f"{english} has {len(sides[0])} lines, {french} has {len(sides[1])}: "
                         "not translations line by line")
    return _checked(zip(*sides), english.parent / english.stem)


def _checked(pairs, name):
    pairs = [(en, fr) for en, fr in pairs if en and fr]
    if not pairs:
        raise ValueError(f"{name} has no line with text on both sides")
    return pairs


def _hub(name, wanted):
    import_error = 'a source on the Hub needs: pip install "attention-to-detail[data]"'
    try:
        import datasets
    except ImportError as error:
        raise ImportError(import_error) from error
    name, _, configuration = name.partition(":")
    try:
        rows = datasets.load_dataset(name, configuration or None, split="train", streaming=True)
        pairs = [(row["translation"] if "translation" in row else row) for row in islice(rows, wanted)]
        return _checked([(" ".join(pair["en"].split()), " ".join(pair["fr"].split())) for pair in pairs], name)
    except ValueError:
        raise
    except Exception as error:  # the Hub's library has many, not all of them OSErrors
        raise OSError(f"no files {name}.en and {name}.fr, no such folder, and no such dataset with English and "
                      f"French could be read from the Hub ({type(error).__name__}): check the name, the "
                      "network") from error


def _row(english, french, lowercase):
    return {"english": tokenise(english, "en", lowercase), "french": tokenise(french, "fr", lowercase), "sure": [],
            "possible": [], "phenomena": [], "frame": "", "noise": ""}
