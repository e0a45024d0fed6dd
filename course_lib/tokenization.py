"""Text to ids and back: words, byte-pair encoding and WordPiece, trained and applied from scratch.

A tokenizer is a pipeline: normalise, split into words, cut each word into pieces of the vocabulary,
add special tokens. What the pipeline of one tokenizer does is written down in its `tokenizer.json`,
the format of Hugging Face's `tokenizers`; a `Tokenizer` is made from such a description, whether it
was trained here or came with pretrained weights, and gives the same ids as that library.

    tokenizer = train_bpe(texts, size=1000)
    tokenizer.encode("A sentence.")       # ids
    tokenizer.explain("A sentence.")      # what it did, piece by piece
    tokenizer = load_tokenizer("gpt2")    # by its Hub name, or a folder

Sources: Sennrich, Haddow and Birch 2016 (byte-pair encoding of words); Radford et al. 2019 (of bytes);
Schuster and Nakajima 2012, Devlin et al. 2019 (WordPiece). Built in the chapter "Encoder-decoders".
"""
import html
import json
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch

SPECIAL = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
_PADDING = ("<pad>", "[PAD]", "<|endoftext|>")  # GPT-2 has no token for it; the mask hides what is there


# Models: a word to pieces of the vocabulary

class Words:
    """The whole word is the piece; a word outside the vocabulary becomes `unknown`."""
    prefix = ""

    def __init__(self, vocabulary: dict[str, int], unknown: str):
        self.vocabulary, self.unknown = vocabulary, unknown

    def pieces(self, word: str) -> list[str]:
        return [word if word in self.vocabulary else self.unknown]


class BytePairEncoding:
    """Starts from single characters and merges, as in training: the earliest merge learned goes first.

    merges: pairs of pieces, in the order learned. A character outside the vocabulary becomes `unknown`;
    without one it raises ValueError (a byte-level vocabulary holds all 256 bytes and needs none).
    """
    prefix = ""

    def __init__(self, vocabulary: dict[str, int], merges: list[tuple[str, str]], unknown: str | None = None):
        self.vocabulary, self.unknown = vocabulary, unknown
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
        for left, right in self.ranks:
            if not {left, right, left + right} <= vocabulary.keys():
                raise ValueError(f"the merge {left!r} + {right!r} has a piece outside the vocabulary")

    def pieces(self, word: str) -> list[str]:
        def rank(left, right):
            return self.ranks.get((left, right), len(self.ranks))

        parts = list(word)
        while len(parts) > 1:
            best = min(zip(parts, parts[1:]), key=lambda pair: rank(*pair))
            if best not in self.ranks:
                break
            parts = merge(parts, best, stop=lambda *pair: rank(*pair) < rank(*best))
        if self.unknown is None and (missing := [part for part in parts if part not in self.vocabulary]):
            raise ValueError(f"no piece for {missing[0]!r} and no token for the unknown: train the tokenizer "
                             "on text that has it, or on bytes")
        return [part if part in self.vocabulary else self.unknown for part in parts]


class WordPiece:
    """Cuts the longest piece of the vocabulary off the front, again and again.

    Pieces inside a word begin with `prefix`. A word that cannot be cut to its end, or is longer than
    `longest` characters, becomes one `unknown`.
    """

    def __init__(self, vocabulary: dict[str, int], unknown: str, prefix: str = "##", longest: int = 100):
        self.vocabulary, self.unknown, self.prefix, self.longest = vocabulary, unknown, prefix, longest

    def pieces(self, word: str) -> list[str]:
        found, start = [], 0
        while start < len(word) <= self.longest:
            for end in range(len(word), start, -1):
                piece = (self.prefix if start else "") + word[start:end]
                if piece in self.vocabulary:
                    break
            else:
                return [self.unknown]
            found.append(piece)
            start = end
        return found or [self.unknown]


def merge(parts: list[str], pair: tuple[str, str], prefix: str = "", stop=None) -> list[str]:
    """`parts` with every occurrence of `pair` joined, from left to right; `prefix` falls from the right one.

    stop: of two neighbours, whether to leave the rest for later: a merge can make a pair that was
    learned earlier than `pair` and therefore goes before its other occurrences.
    """
    merged, i = [], 0
    while i < len(parts):
        if tuple(parts[i : i + 2]) != pair:
            merged.append(parts[i])
            i += 1
            continue
        merged.append(pair[0] + pair[1].removeprefix(prefix))
        i += 2
        if stop and any(stop(*two) for two in (merged[-2:], merged[-1:] + parts[i : i + 1]) if len(two) == 2):
            return merged + parts[i:]
    return merged


# Normalisers and splitters. Both keep, for each character, its place in the original text.

# GPT-2 writes each byte as one visible character: itself where it is one, else from U+0100 on.
_BYTES = {byte: chr(byte) for byte in [*range(33, 127), *range(161, 173), *range(174, 256)]}
_BYTES |= {byte: chr(256 + i) for i, byte in enumerate(b for b in range(256) if b not in _BYTES)}
_FROM_BYTES = {character: byte for byte, character in _BYTES.items()}

# Written for `_ascii` text: x stands for a letter, 0 for a number, a tab for a space, ! for the rest.
_GPT2 = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+", re.ASCII)
_WORDS = re.compile(r"\w+|[^\w\s]+", re.ASCII)
_NOT_SPACE = re.compile(r"\S+", re.ASCII)
_BERT = re.compile(r"\w+|[^\w\s]", re.ASCII)


@lru_cache(maxsize=65536)
def _class_of(character: str, letters: tuple[str, ...], numbers: tuple[str, ...]) -> str:
    category = unicodedata.category(character)
    if character.isspace():
        return "\t"
    return "x" if category.startswith(letters) else "0" if category.startswith(numbers) else "!"


def _ascii(text: str, letters=("L",), numbers=("N",)) -> str:
    """`text` with an ASCII character of the same class for every other one: `re` knows no Unicode classes.

    letters, numbers: beginnings of the Unicode categories that count as such.
    """
    return text if text.isascii() else "".join(
        c if c.isascii() else _class_of(c, letters, numbers) for c in text)


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P" or (character.isascii() and character in "$+<=>^`|~")


def _is_chinese(c: str) -> bool:
    # As the library has it, which leaves out the last block's first 256 characters, U+2B820 to U+2B91F.
    return ("\u4e00" <= c <= "\u9fff" or "\u3400" <= c <= "\u4dbf" or "\uf900" <= c <= "\ufaff"
            or "\U00020000" <= c <= "\U0002a6df" or "\U0002a700" <= c <= "\U0002b81f"
            or "\U0002b920" <= c <= "\U0002ceaf" or "\U0002f800" <= c <= "\U0002fa1f")


def _normalise(text: str, spec: dict | None) -> tuple[str, list[int]]:
    """The normalised text and, for each of its characters, the index in `text` it came from."""
    if spec is None:
        return text, list(range(len(text)))
    if spec["type"] == "Lowercase":
        spec = {"lowercase": True}
    lower = spec.get("lowercase", False)
    strip = spec.get("strip_accents")
    strip = lower if strip is None and spec.get("type") == "BertNormalizer" else strip
    out = []
    for i, c in enumerate(text):
        if spec.get("clean_text"):
            if c in "\t\n\r" or (c.isspace() and unicodedata.category(c) != "Cc"):
                c = " "
            elif c == "\ufffd" or unicodedata.category(c) in ("Cc", "Cf", "Co", "Cs"):
                continue
        if spec.get("handle_chinese_chars") and _is_chinese(c):
            c = f" {c} "
        if strip:
            c = "".join(d for d in unicodedata.normalize("NFD", c) if unicodedata.category(d) != "Mn")
        out += [(d, i) for d in (c.lower() if lower else c)]
    return "".join(c for c, _ in out), [i for _, i in out]


def _split(text: str, kind: str) -> list[tuple[int, int]]:
    """The words of `text` as (start, end)."""
    if kind == "ByteLevel":
        pattern, stand_in = _GPT2, _ascii(text)
    elif kind == "Whitespace":
        pattern, stand_in = _WORDS, _ascii(text, ("L", "M", "Pc"), ("Nd", "Nl"))
    elif kind == "WhitespaceSplit":
        pattern, stand_in = _NOT_SPACE, _ascii(text)
    else:  # BertPreTokenizer
        pattern = _BERT
        stand_in = "".join("\t" if c.isspace() and not "\x1c" <= c <= "\x1f" else
                           "!" if _is_punctuation(c) else "x" for c in text)
    return [match.span() for match in pattern.finditer(stand_in)]


# A tokenizer

_CLEANUP = re.compile(r" ([.?!,]|n't|'m|'s|'ve|'re)")  # the space that decoding English leaves out


@dataclass(frozen=True)
class Piece:
    """One token: its text in the vocabulary, its id, and the part of the original text it stands for.

    source is that part, from character `start` up to `end` of the first or second text; a special token
    that the tokenizer added has none (None, None and ""). segment: the token type, 0 or 1.
    """
    text: str
    id: int
    start: int | None = None
    end: int | None = None
    source: str = ""
    segment: int = 0


@dataclass(frozen=True)
class Encoding:
    """What a tokenizer did to a text: a table when printed, boxes in a notebook."""
    pieces: list[Piece]
    unknown: str | None = None

    ids = property(lambda self: [piece.id for piece in self.pieces], doc="Token ids.")
    tokens = property(lambda self: [piece.text for piece in self.pieces], doc="Texts of the tokens.")
    segments = property(lambda self: [piece.segment for piece in self.pieces], doc="Token types, 0 or 1.")

    def _note(self, piece):
        return "added" if piece.start is None else "unknown" if piece.text == self.unknown else ""

    def __str__(self):
        width = max([5, *(len(piece.text) for piece in self.pieces)])
        lines = [f"{'id':>6}  {'piece':{width}}  from"]
        for piece in self.pieces:
            source = "" if piece.start is None else f"{piece.source!r} "
            lines.append(f"{piece.id:6}  {piece.text:{width}}  {source}{self._note(piece)}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self):
        boxes = []
        for piece in self.pieces:
            note = self._note(piece)
            source = piece.source.replace(" ", "\u2423").replace("\n", "\u21b5")
            lines = [*dict.fromkeys([source, piece.text]), f"{piece.id} {note}".strip()]
            style = ("display:inline-block;vertical-align:top;margin:2px;padding:1px 6px;text-align:center;"
                     f"border:1px {'dashed' if note else 'solid'} currentColor;border-radius:4px")
            boxes.append(f'<span style="{style}">{"<br>".join(html.escape(x) for x in lines if x)}</span>')
        return f"<div>{''.join(boxes)}</div>"


class Tokenizer:
    """A tokenizer from the content of its `tokenizer.json`.

    Known parts: models WordLevel, BPE and WordPiece; normalisers BertNormalizer and Lowercase; splitters
    ByteLevel, BertPreTokenizer, Whitespace and WhitespaceSplit; the post-processors of GPT-2, BERT and
    BART. Raises ValueError, naming the part, for any other: it would give other ids than the model was
    trained with. Padding and truncation set in the file are ignored, `batch` does both.

    vocabulary: token to id. special: the special tokens. model: cuts one word into pieces.
    """

    def __init__(self, spec: dict):
        self.spec = spec
        _check(spec)
        model, vocabulary = spec["model"], spec["model"]["vocab"]
        if model["type"] == "BPE":
            merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
            self.model = BytePairEncoding(vocabulary, merges, model.get("unk_token"))
        elif model["type"] == "WordPiece":
            self.model = WordPiece(vocabulary, model["unk_token"], model["continuing_subword_prefix"],
                                   model["max_input_chars_per_word"])
        else:
            self.model = Words(vocabulary, model["unk_token"])
        self._pieces = lru_cache(maxsize=65536)(self.model.pieces)

        added = spec.get("added_tokens") or []
        self.vocabulary = vocabulary | {token["content"]: token["id"] for token in added}
        self._token_of = {id: token for token, id in self.vocabulary.items()}
        self.special = [token["content"] for token in added if token["special"]]
        longest_first = sorted(added, key=lambda token: -len(token["content"]))
        self._find_added = re.compile("|".join(
            (r"\s*" if token["lstrip"] else "") + f"({re.escape(token['content'])})"
            + (r"\s*" if token["rstrip"] else "") for token in longest_first) or r"(?!)")
        self._template = _template(spec.get("post_processor"))
        used = {part for template in self._template.values() for part, _ in template} | {self.model.unknown}
        for token in used - {"A", "B", None}:
            self.id(token)

    def __len__(self):
        """The number of ids a model needs: the largest one plus one."""
        return max(self._token_of) + 1

    def id(self, token: str) -> int:
        """The id of a token of the vocabulary; ValueError where there is none."""
        if token not in self.vocabulary:
            raise ValueError(f"no token {token!r} among the {len(self.vocabulary)} of this tokenizer; "
                             f"its special tokens: {' '.join(self.special) or 'none'}")
        return self.vocabulary[token]

    @property
    def pad_id(self) -> int:
        """The id to fill up batches with. GPT-2 has no token for it and lends its end of text."""
        return self.id(next((token for token in _PADDING if token in self.vocabulary), _PADDING[0]))

    def explain(self, text: str, pair: str | None = None, special: bool = True,
                length: int | None = None) -> Encoding:
        """What becomes of `text`, or of two texts in one sequence, piece by piece.

        special: whether to add the special tokens that the model expects around the text; those written
        in the text are recognised in any case. length: the most tokens to return; the texts are cut at
        their ends, the longer one first. ValueError where `length` leaves no room for any text.
        """
        template = self._template["single" if pair is None else "pair"]
        texts = {"A": self._text_pieces(text)} | ({} if pair is None else {"B": self._text_pieces(pair)})
        template = [(part, segment) for part, segment in template if special or part in texts]
        if length is not None:
            room = length - sum(part not in texts for part, _ in template)
            if room < 1:
                raise ValueError(f"length={length} leaves no room for text beside the special tokens")
            shorter_first = sorted(texts.values(), key=len)  # which of two equally long ones is cut first
            while sum(map(len, shorter_first)) > room:
                max(shorter_first, key=len).pop()
        pieces = []
        for part, segment in template:
            for piece in texts.get(part) or ([] if part in texts else [Piece(part, self.id(part))]):
                pieces.append(replace(piece, segment=segment) if segment else piece)
        return Encoding(pieces, self.model.unknown)

    def encode(self, text: str, pair: str | None = None, special: bool = True,
               length: int | None = None) -> list[int]:
        """The ids of `explain`. An empty text gives the added special tokens, or an empty list."""
        return self.explain(text, pair, special, length).ids

    def batch(self, texts: list[str], special: bool = True, length: int | None = None,
              side: str = "right") -> tuple[torch.Tensor, torch.Tensor]:
        """Ids [batch, longest] (int64) and mask (bool, True for real tokens) of several texts.

        side: where the padding goes; "left" for prompts that a model is to continue. length: as for
        `explain`. Raises ValueError for an empty list and for a tokenizer without a padding token.
        """
        rows = [self.encode(text, special=special, length=length) for text in _listed(texts)]
        if side not in ("left", "right"):
            raise ValueError(f"side={side!r}: padding goes left or right")
        ids = torch.full((len(rows), max(map(len, rows))), self.pad_id)
        mask = torch.zeros_like(ids, dtype=torch.bool)
        for i, row in enumerate(rows):
            columns = slice(0, len(row)) if side == "right" else slice(ids.shape[1] - len(row), None)
            ids[i, columns] = torch.tensor(row, dtype=torch.int64)
            mask[i, columns] = True
        return ids, mask

    def decode(self, ids, skip_special: bool = False) -> str:
        """The text of `ids` (a list or a 1-D tensor): exact for bytes; other models lose spaces and case.

        Bytes that are no UTF-8 become U+FFFD. Raises ValueError for an id outside the vocabulary.
        """
        tokens = []
        for id in ids.tolist() if isinstance(ids, torch.Tensor) else ids:
            if id not in self._token_of:
                raise ValueError(f"id {id} is not one of this tokenizer's {len(self._token_of)} tokens")
            tokens.append(self._token_of[id])
        if skip_special:
            tokens = [token for token in tokens if token not in self.special]
        decoder = self.spec.get("decoder") or {"type": None}
        if decoder["type"] == "ByteLevel":
            return b"".join(
                bytes(map(_FROM_BYTES.get, token)) if _FROM_BYTES.keys() >= set(token) else token.encode()
                for token in tokens).decode(errors="replace")
        if decoder["type"] == "WordPiece":
            prefix = decoder["prefix"]
            tokens = [token.removeprefix(prefix) if i and token.startswith(prefix) else " " * (i > 0) + token
                      for i, token in enumerate(tokens)]
            return "".join(_CLEANUP.sub(r"\1", token) if decoder["cleanup"] else token for token in tokens)
        return " ".join(tokens)

    def save(self, path: str | Path) -> None:
        """Write `tokenizer.json` into the folder `path`, which is made where it is missing."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.spec, indent=2, ensure_ascii=False)
        (folder / "tokenizer.json").write_text(text, encoding="utf-8")

    def _text_pieces(self, text):
        if not isinstance(text, str):
            raise TypeError(f"a text to encode is a string, not {type(text).__name__}; for many use batch")
        pieces, at = [], 0
        for match in self._find_added.finditer(text):
            pieces += self._section_pieces(text, at, match.start())
            token = match[match.lastindex]
            pieces.append(Piece(token, self.vocabulary[token], *match.span(), match[0]))
            at = match.end()
        return pieces + self._section_pieces(text, at, len(text))

    def _section_pieces(self, text, start, end):
        """Pieces of the part of `text` between two added tokens."""
        pieces = []
        normalised, origin = _normalise(text[start:end], self.spec.get("normalizer"))
        splitter = self.spec["pre_tokenizer"]
        if splitter.get("add_prefix_space") and normalised and normalised[0] != " ":
            normalised, origin = " " + normalised, [0] + origin
        for word_start, word_end in _split(normalised, splitter["type"]):
            word, places = normalised[word_start:word_end], origin[word_start:word_end]
            if splitter["type"] == "ByteLevel":
                encoded = [(_BYTES[byte], place) for c, place in zip(word, places) for byte in c.encode()]
                word, places = "".join(c for c, _ in encoded), [place for _, place in encoded]
            for piece, first, last in self._spans(word):
                a, b = start + places[first], start + places[last] + 1
                pieces.append(Piece(piece, self.vocabulary[piece], a, b, text[a:b]))
        return pieces

    def _spans(self, word):
        """The pieces of `word`, each with the index of its first and of its last character."""
        pieces, at = self._pieces(word), 0
        for piece in pieces:
            if piece == self.model.unknown:
                length = len(word) if len(pieces) == 1 else 1
            else:
                length = len(piece) - (len(self.model.prefix) if at else 0)
            yield piece, at, at + length - 1
            at += length


def load_tokenizer(name_or_path: str | Path) -> Tokenizer:
    """The tokenizer of a model on the Hub, by its name, or of a folder that holds a `tokenizer.json`.

    Raises FileNotFoundError where there is none, OSError where the Hub cannot be reached, ValueError for
    a damaged file and for one with a part that `Tokenizer` does not know.
    """
    from course_lib.pretrained import find_file  # only here: training a tokenizer needs no model

    try:
        path = find_file(name_or_path, "tokenizer.json")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}. Where a model has a SentencePiece file instead, as Marian does, "
                                "transformers.AutoTokenizer reads it") from error
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged, fetch it again: {error}") from error
    try:
        return Tokenizer(spec)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is no complete tokenizer.json: {error!r}") from error


_KNOWN = {
    "model": ("WordLevel", "BPE", "WordPiece"),
    "pre_tokenizer": ("ByteLevel", "BertPreTokenizer", "Whitespace", "WhitespaceSplit"),
    "normalizer": ("BertNormalizer", "Lowercase", None),
    "post_processor": ("TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", None),
    "decoder": ("ByteLevel", "WordPiece", None),
}
_BPE_OPTIONS = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
                "ignore_merges")


def _check(spec) -> None:
    kinds = {part: (spec.get(part) or {}).get("type") for part in _KNOWN}
    problems = [f"{part} {kind}" for part, kind in kinds.items() if kind not in _KNOWN[part]]
    if not problems and spec["pre_tokenizer"].get("use_regex") is False:
        problems.append("ByteLevel without its regular expression")
    if kinds["model"] == "BPE":
        problems += [f"BPE with {option}" for option in _BPE_OPTIONS if spec["model"].get(option)]
    problems += [f"the added token {token['content']!r}, found as a single word or after normalising"
                 for token in spec.get("added_tokens") or []
                 if token["single_word"] or (token["normalized"] and spec.get("normalizer"))]
    if problems:
        raise ValueError(f"not supported in a tokenizer.json: {'; '.join(problems)}. "
                         "transformers.AutoTokenizer reads it")


def _template(spec: dict | None) -> dict[str, list[tuple[str, int]]]:
    """For one text and for a pair: special tokens, "A" and "B", each with its segment."""
    kind = (spec or {}).get("type")
    if kind == "TemplateProcessing":
        return {which: [(part["id"], part["type_id"]) for item in spec[which] for part in item.values()]
                for which in ("single", "pair")}
    if kind in ("BertProcessing", "RobertaProcessing"):
        start, end = (spec["cls"][0], 0), (spec["sep"][0], 0)
        second = ([("B", 1), (end[0], 1)] if kind == "BertProcessing" else [end, ("B", 0), end])
        return {"single": [start, ("A", 0), end], "pair": [start, ("A", 0), end, *second]}
    return {"single": [("A", 0)], "pair": [("A", 0), ("B", 1)]}


# Training

def train_words(texts, size: int = 30_000, minimum: int = 1, split: str = "Whitespace",
                lowercase: bool = False, special=SPECIAL, template: str | None = None) -> Tokenizer:
    """A tokenizer of whole words: the `size` most frequent that occur at least `minimum` times.

    split: "Whitespace" makes punctuation words of its own, "WhitespaceSplit" cuts at spaces only.
    special: comes first in the vocabulary; must hold the token for unknown words, ``"<unk>"`` or
    ``"[UNK]"``. template: what goes around a text, such as ``"<s> $A </s>"``.
    Raises ValueError for texts without a word.
    """
    normalizer = {"type": "Lowercase"} if lowercase else None
    spec = _spec("WordLevel", split, normalizer, special, template, unk_token=_unknown(special))
    counts = _count_words(texts, spec)
    words = sorted((w for w in counts if counts[w] >= minimum), key=lambda word: (-counts[word], word))
    return _finish(spec, [*special, *words][:size])


def train_bpe(texts, size: int, special=SPECIAL, template: str | None = None) -> Tokenizer:
    """Byte-pair encoding of bytes, as GPT-2's: `size` tokens, of which 256 are the single bytes.

    Nothing is unknown to it and it loses nothing. Stops early where no pair is left to merge. Raises
    ValueError for texts without a word and for a `size` that does not hold the bytes and `special`.
    """
    spec = _spec("BPE", "ByteLevel", None, special, template, dropout=None, unk_token=None,
                 continuing_subword_prefix=None, end_of_word_suffix=None, fuse_unk=False,
                 byte_fallback=False, ignore_merges=False)
    vocabulary, merges = _learn_merges(_count_words(texts, spec), size, [*special, *sorted(_FROM_BYTES)])
    return _finish(spec, vocabulary, merges=merges)


def train_wordpiece(texts, size: int, lowercase: bool = True,
                    special=("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
                    template: str | None = "[CLS] $A [SEP]") -> Tokenizer:
    """WordPiece, as BERT's: `size` tokens. Splits at spaces and punctuation.

    Merges the most frequent pair, as the `tokenizers` library does; Schuster and Nakajima take the one
    that raises the likelihood of the text most, and the trainer of BERT's vocabulary was not published.
    Raises ValueError as `train_bpe` does; what must fit here are the characters, each at the start of a
    word and inside one where it occurs there.
    """
    normalizer = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                  "strip_accents": None, "lowercase": lowercase}
    spec = _spec("WordPiece", "BertPreTokenizer", normalizer, special, template,
                 decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, unk_token=_unknown(special),
                 continuing_subword_prefix="##", max_input_chars_per_word=100)
    words = _count_words(texts, spec)
    alphabet = sorted({c for word in words for c in word})
    inside = sorted({"##" + c for word in words for c in word[1:]})
    vocabulary, _ = _learn_merges(words, size, [*special, *alphabet, *inside], prefix="##")
    return _finish(spec, vocabulary)


def _learn_merges(words: Counter, size: int, vocabulary: list[str], prefix: str = ""):
    """Merge the most frequent pair, the one with the smaller ids among equals, until `size` is reached."""
    ids = {token: i for i, token in enumerate(vocabulary)}
    if len(ids) > size:
        raise ValueError(f"size={size} is too small: special tokens and characters alone are {len(ids)}")
    split = [[word[0], *(prefix + c for c in word[1:])] for word in words]
    weights = list(words.values())
    counts, where = Counter(), defaultdict(set)  # how often a pair occurs, and in which words
    for i, parts in enumerate(split):
        for pair in zip(parts, parts[1:]):
            counts[pair] += weights[i]
            where[pair].add(i)
    merges = []
    while len(ids) < size and counts:
        best = min(counts, key=lambda pair: (-counts[pair], ids[pair[0]], ids[pair[1]]))
        merges.append(list(best))
        ids.setdefault(best[0] + best[1].removeprefix(prefix), len(ids))
        for i in where.pop(best):
            old, split[i] = split[i], merge(split[i], best, prefix)
            for pair in zip(old, old[1:]):
                counts[pair] -= weights[i]
            for pair in zip(split[i], split[i][1:]):
                counts[pair] += weights[i]
                where[pair].add(i)
        counts = Counter({pair: n for pair, n in counts.items() if n > 0})
    return list(ids), merges


def _count_words(texts, spec) -> Counter:
    counts = Counter()
    for text in _listed(texts):
        text, _ = _normalise(text, spec["normalizer"])
        for start, end in _split(text, spec["pre_tokenizer"]["type"]):
            word = text[start:end]
            counts["".join(_BYTES[b] for b in word.encode()) if spec["model"]["type"] == "BPE" else word] += 1
    if not counts:
        raise ValueError("the texts hold no word: there is nothing to train a tokenizer on")
    return counts


def _listed(texts) -> list[str]:
    if isinstance(texts, str):
        raise TypeError("texts is one string; give a list of strings")
    texts = list(texts)
    if not texts:
        raise ValueError("no texts: give at least one")
    return texts


def _unknown(special) -> str:
    found = [token for token in special if token in ("<unk>", "[UNK]")]
    if not found:
        raise ValueError('special must hold a token for unknown words: "<unk>" or "[UNK]"')
    return found[0]


def _spec(model, split, normalizer, special, template, decoder=None, **options) -> dict:
    """The content of a tokenizer.json, its vocabulary still to come."""
    def part(name, segment):
        kind = "Sequence" if name in ("A", "B") else "SpecialToken"
        return {kind: {"id": name, "type_id": segment}}

    around = None
    if template is not None:
        before, text, after = template.partition("$A")
        before, after = before.split(), after.split()
        if not text or not {*before, *after} <= {*special}:
            raise ValueError(f"template={template!r}: write $A for the text and special tokens of {special}")
        single = [part(name, 0) for name in [*before, "A", *after]]
        around = {"type": "TemplateProcessing", "single": single,
                  "pair": single + [part(name, 1) for name in ["B", *after]],
                  "special_tokens": {name: {"id": name, "ids": [special.index(name)], "tokens": [name]}
                                     for name in [*before, *after]}}
    splitter = {"type": split}
    if split == "ByteLevel":
        splitter |= {"add_prefix_space": False, "trim_offsets": False, "use_regex": True}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": i, "content": token, **flags, "special": True}
                         for i, token in enumerate(special)],
        "normalizer": normalizer, "pre_tokenizer": splitter, "post_processor": around,
        "decoder": splitter if split == "ByteLevel" else decoder,
        "model": {"type": model, **options},
    }


def _finish(spec, vocabulary: list[str], **parts) -> Tokenizer:
    spec["model"] |= {"vocab": {token: i for i, token in enumerate(vocabulary)}, **parts}
    return Tokenizer(spec)
