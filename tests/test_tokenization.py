import json
import random
import unicodedata
from collections import Counter
from itertools import pairwise

import pytest
import tokenizers
import torch
from tokenizers import models, normalizers, pre_tokenizers, trainers
from transformers import BartTokenizer, BertTokenizer, DistilBertTokenizer, GPT2Tokenizer

from course_lib import tokenization
from course_lib.tokenization import (
    SPECIAL, BytePairEncoding, Tokenizer, load_tokenizer, train_bpe, train_wordpiece, train_words,
)

CORPUS = """The lowest tower is lower than the newest one, isn't it?
She'll say: "We've seen 3 newer towers, 1,250 metres high!"
A low, slow river; the slower rower rows it low and slow.
Ça va? Voilà: café, naïve, coöperate, Zürich, Ⅷ and ½ of it.
tabs\tand  double  spaces   and a trailing one 
一二三 is one two three; русский текст; ελληνικά. don't can't you're I'm he'd
newest widest lowest newest widest low low lower""".split("\n")
# Fuzz: characters on the edges of every rule, then texts drawn from them and from the corpus.
EDGES = ("  \n\t\r'sdtlvermA1²½Ⅷ_-.,!?éé\u0301ßİΣç中Ａ\u3000\xa0\u200b\u200d\x00\x1f\x7f\ufffd😀🚀"
         "$+<=>^`|~[]#@n\u0303")
SPECIALS = ("<mask>", "[MASK]", "<s>", "[SEP]", "<|endoftext|>", "</s>")


def texts(count, seed=0, edges=EDGES):
    rng = random.Random(seed)
    for i in range(count):
        text = rng.choice(CORPUS)[rng.randrange(9) :] if i % 2 else "".join(
            rng.choice(edges) for _ in range(rng.randrange(25)))
        yield text + (rng.choice(["", " ", "x"]) + rng.choice(SPECIALS) + "x" if rng.random() < 0.3 else "")


def library(tokenizer):
    return tokenizers.Tokenizer.from_str(json.dumps(tokenizer.spec))


def spans(encoding):
    return [(piece.start or 0, piece.end or 0) for piece in encoding.pieces]


ALL = {
    "words": lambda: train_words(CORPUS, template="<s> $A </s>"),
    "spaces": lambda: train_words(CORPUS, 40, split="WhitespaceSplit", lowercase=True),
    "bpe": lambda: train_bpe(CORPUS, 400, template="$A </s>"),
    "wordpiece": lambda: train_wordpiece(CORPUS, 150),
    "cased": lambda: train_wordpiece(CORPUS, 150, lowercase=False, template="[CLS] $A [SEP] [SEP]"),
}


@pytest.mark.parametrize("name", ALL)
def test_ids_pieces_places_and_text_equal_the_library(name):
    ours = ALL[name]()
    theirs = library(ours)
    # The library's Whitespace takes joiners and circled letters, which are no letters, into words.
    edges = EDGES.replace("\u200d", "") if name == "words" else EDGES
    for text in texts(1500, edges=edges):
        found, expected = ours.explain(text), theirs.encode(text)
        assert found.ids == expected.ids and found.tokens == expected.tokens, text
        assert found.segments == expected.type_ids
        assert spans(found) == expected.offsets, text
        assert all(piece.source == text[piece.start : piece.end] for piece in found.pieces if piece.source)
        assert ours.encode(text, special=False) == theirs.encode(text, add_special_tokens=False).ids
        for skip in (False, True):
            assert ours.decode(found.ids, skip) == theirs.decode(found.ids, skip_special_tokens=skip), text


@pytest.mark.parametrize("name", ALL)
def test_any_ids_are_decoded_as_the_library_does(name):
    ours, rng = ALL[name](), random.Random(0)
    theirs = library(ours)
    for _ in range(500):
        ids = rng.choices(range(len(ours)), k=rng.randrange(8))
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_decoding_puts_english_together():
    words = "[UNK] do n't I 'm he 's we 've you 're ? ! , . ' ##s".split()
    tokenizer, rng = train_wordpiece(CORPUS, 150), random.Random(0)
    spec = json.loads(json.dumps(tokenizer.spec)) | {"added_tokens": [], "post_processor": None}
    spec["model"]["vocab"] = {word: i for i, word in enumerate(words)}
    ours, theirs = Tokenizer(spec), library(Tokenizer(spec))
    assert ours.decode([3, 4, 13, 1, 2, 12]) == "I'm, don't!"
    for _ in range(500):
        ids = rng.choices(range(len(words)), k=6)
        assert ours.decode(ids) == theirs.decode(ids, skip_special_tokens=False)


def test_bpe_with_an_unknown_token():
    spec = json.loads(json.dumps(train_bpe(CORPUS, 300).spec)) | {"pre_tokenizer": {"type": "Whitespace"},
                                                                  "decoder": None, "added_tokens": []}
    spec["model"] |= {"vocab": {"?": 0, "a": 1, "b": 2, "ab": 3}, "merges": [["a", "b"]], "unk_token": "?"}
    ours, theirs, rng = Tokenizer(spec), library(Tokenizer(spec)), random.Random(0)
    for _ in range(300):
        text = "".join(rng.choice("abc ") for _ in range(rng.randrange(12)))
        assert ours.encode(text) == theirs.encode(text).ids
        assert spans(ours.explain(text)) == theirs.encode(text).offsets, text
    assert ours.decode([3, 0]) == theirs.decode([3, 0]) == "ab ?"


def test_a_pair_without_a_template():
    found, expected = ALL["spaces"]().explain("low", "slow"), library(ALL["spaces"]()).encode("low", "slow")
    assert found.ids == expected.ids and found.segments == expected.type_ids == [0, 1]


@pytest.mark.parametrize("name", ALL)
def test_vocabulary_and_length(name):
    ours = ALL[name]()
    assert ours.vocabulary == library(ours).get_vocab() and len(ours) == library(ours).get_vocab_size()
    assert [ours.id(token) for token in ours.special] == list(range(len(ours.special)))


def known_characters():
    """Of one category since Unicode 3.2: the library and Python have tables of different versions."""
    old = unicodedata.ucd_3_2_0
    return [c for c in map(chr, range(0x30000))
            if old.category(c) == unicodedata.category(c) and old.category(c) not in ("Cn", "Cs")]


@pytest.mark.parametrize("kind, theirs", [
    ("ByteLevel", pre_tokenizers.ByteLevel(add_prefix_space=False)),
    ("WhitespaceSplit", pre_tokenizers.WhitespaceSplit()),
    ("BertPreTokenizer", pre_tokenizers.BertPreTokenizer()), ("Whitespace", pre_tokenizers.Whitespace())])
def test_every_character_is_split_as_the_library_does(kind, theirs):
    different = [c for c in known_characters() for text in [f"a{c}.{c}1{c}{c}"]
                 if tokenization._split(text, kind) != [span for _, span in theirs.pre_tokenize_str(text)]]
    if kind == "Whitespace":  # joiners and circled letters
        different = [c for c in different if c not in "\u200c\u200d" and not "\u24b6" <= c <= "\u24e9"]
    assert different == []


@pytest.mark.parametrize("options", [
    {"lowercase": True}, {"lowercase": False}, {"lowercase": False, "strip_accents": True},
    {"lowercase": True, "strip_accents": False, "handle_chinese_chars": False}, {"clean_text": False}])
def test_every_character_is_normalised_as_the_library_does(options):
    theirs = normalizers.BertNormalizer(**options)
    spec = json.loads(theirs.__getstate__())
    for c in known_characters():
        text = f"a{c} A{c}"
        found, origin = tokenization._normalise(text, spec)
        assert found == theirs.normalize_str(text), hex(ord(c))
        assert len(origin) == len(found) and origin == sorted(origin)


# Byte-pair encoding

def random_words(rng, letters="abc"):
    return [" ".join("".join(rng.choice(letters) for _ in range(rng.randrange(1, 9)))
                     for _ in range(rng.randrange(1, 12))) for _ in range(rng.randrange(1, 8))]


def test_bpe_learns_the_merges_that_the_library_learns():
    for seed in range(80):
        rng = random.Random(seed)
        corpus = random_words(rng, "abc"[: rng.randrange(1, 4)]) if seed else CORPUS
        size = 261 + rng.randrange(80)
        theirs = tokenizers.Tokenizer(models.BPE())
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        theirs.train_from_iterator(corpus, trainers.BpeTrainer(
            vocab_size=size, special_tokens=list(SPECIAL), show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        assert train_bpe(corpus, size).spec["model"] == json.loads(theirs.to_str())["model"]


def test_merges_in_any_order_give_the_librarys_pieces():
    """Lists of merges that no training would give: a later merge can make a pair of an earlier one."""
    for seed in range(800):
        rng = random.Random(seed)
        pieces, merges = ["a", "b"], []
        for _ in range(rng.randrange(1, 9)):
            pair = (rng.choice(pieces), rng.choice(pieces))
            if pair not in merges:
                merges.append(pair)
                pieces += [] if "".join(pair) in pieces else ["".join(pair)]
        rng.shuffle(merges)
        vocabulary = {piece: i for i, piece in enumerate(pieces)}
        ours = BytePairEncoding(vocabulary, merges)
        theirs = tokenizers.Tokenizer(models.BPE(vocabulary, merges))
        for _ in range(5):
            word = "".join(rng.choice("ab") for _ in range(rng.randrange(1, 20)))
            assert ours.pieces(word) == theirs.encode(word).tokens, (merges, word)


def test_the_example_of_sennrich_and_others():
    """low x5, lower x2, newest x6, widest x3: es, est, lo, low, ... by hand; among equals the smaller ids."""
    words = ["low"] * 5 + ["lower"] * 2 + ["newest"] * 6 + ["widest"] * 3
    merges = train_bpe(words, 261 + 6).spec["model"]["merges"]
    assert merges == [["e", "s"], ["es", "t"], ["l", "o"], ["lo", "w"], ["e", "w"], ["n", "ew"]]
    assert train_bpe(words, 261 + 6).explain("lowest").tokens == ["low", "est"]


def test_bytes_lose_nothing():
    tokenizer = train_bpe(CORPUS, 300)
    rng = random.Random(0)
    for _ in range(300):
        text = "".join(chr(rng.choice([rng.randrange(128), rng.randrange(0xD800),
                                       rng.randrange(0xE000, 0x110000)])) for _ in range(rng.randrange(20)))
        assert tokenizer.decode(tokenizer.encode(text)) == text
    half = tokenizer.encode("é")[:1]
    assert tokenizer.decode(half) == "\ufffd" and tokenizer.decode(torch.tensor(half)) == "\ufffd"


def test_a_long_word_without_a_space():
    tokenizer = train_bpe(["aaaa abab"] * 9, 270)
    assert tokenizer.decode(tokenizer.encode("ab" * 20_000)) == "ab" * 20_000


def test_characters_outside_a_vocabulary():
    assert BytePairEncoding({"a": 0, "?": 1}, [], unknown="?").pieces("aba") == ["a", "?", "a"]
    with pytest.raises(ValueError, match="no piece for 'b'"):
        BytePairEncoding({"a": 0}, []).pieces("ab")
    with pytest.raises(ValueError, match="'a' . 'b' has a piece outside"):
        BytePairEncoding({"a": 0, "b": 1}, [("a", "b")])


# WordPiece and words

def slow_wordpiece(texts, size, special):
    """Counts every pair anew for every merge."""
    words = Counter(text.lower()[a:b] for text in texts
                    for a, b in tokenization._split(text, "BertPreTokenizer"))
    split = {word: [word[0], *("##" + c for c in word[1:])] for word in words}
    vocabulary = [*special, *sorted({c for w in words for c in w}),
                  *sorted({"##" + c for w in words for c in w[1:]})]
    while len(vocabulary) < size:
        counts = Counter()
        for word, parts in split.items():
            for pair in pairwise(parts):
                counts[pair] += words[word]
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], *map(vocabulary.index, pair)))
        piece = best[0] + best[1][2:]
        vocabulary += [] if piece in vocabulary else [piece]
        for word, parts in split.items():
            i, merged = 0, []
            while i < len(parts):
                both = tuple(parts[i : i + 2]) == best
                merged.append(piece if both else parts[i])
                i += 1 + both
            split[word] = merged
    return vocabulary


@pytest.mark.parametrize("size", [70, 120, 400])
def test_wordpiece_learns_what_a_slow_trainer_learns(size):
    corpus = [line for line in CORPUS if line.isascii()]
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    learned = train_wordpiece(corpus, size).spec["model"]["vocab"]
    assert list(learned) == slow_wordpiece(corpus, size, special)


def test_wordpiece_has_the_librarys_vocabulary_once_everything_is_merged():
    """The library numbers characters in the order of a hash table; what it learns in the end is the same."""
    corpus = ["low lower lowest slow slower"] * 3 + ["row rower"]
    theirs = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    theirs.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    theirs.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=500, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    ours = train_wordpiece(corpus, 500)
    assert {"low", "lower", "lowest", "slow", "slower", "row", "rower"} <= set(ours.vocabulary)
    assert {t for t in theirs.get_vocab() if len(t.strip("#")) == 1 or t[0] == "["} <= set(ours.vocabulary)
    assert ours.explain("slowest", special=False).tokens[0] == "slow"


def test_wordpiece_by_hand():
    vocabulary = {"un": 0, "##aff": 1, "##able": 2, "[UNK]": 3, "##a": 4}
    model = tokenization.WordPiece(vocabulary, "[UNK]", longest=8)
    assert model.pieces("unaffable") == ["[UNK]"]  # nine characters
    assert model.pieces("unable") == ["un", "##able"] and model.pieces("unaff") == ["un", "##aff"]
    assert model.pieces("unaffaff") == ["un", "##aff", "##aff"]
    assert model.pieces("unaffix") == ["[UNK]"] and model.pieces("able") == ["[UNK]"]


def test_words_keep_the_most_frequent():
    tokenizer = train_words(["b b b a a c"], size=7)
    assert list(tokenizer.spec["model"]["vocab"]) == [*SPECIAL, "b", "a"]
    assert tokenizer.encode("a b c") == [6, 5, 1] and tokenizer.decode([6, 5, 1]) == "a b <unk>"
    assert list(train_words(["b b b a a c"], minimum=2).spec["model"]["vocab"])[5:] == ["b", "a"]
    theirs = tokenizers.Tokenizer(models.WordLevel(unk_token="<unk>"))
    theirs.pre_tokenizer = pre_tokenizers.Whitespace()
    theirs.train_from_iterator(CORPUS, trainers.WordLevelTrainer(
        vocab_size=60, special_tokens=list(SPECIAL), show_progress=False))
    assert train_words(CORPUS, 60).spec["model"] == json.loads(theirs.to_str())["model"]


# tokenizer.json of pretrained models

def saved(name, folder):
    bpe = train_bpe(CORPUS, 400, special=("<s>", "<pad>", "</s>", "<unk>", "<mask>")).spec["model"]
    vocabulary, merges = bpe["vocab"], [tuple(pair) for pair in bpe["merges"]]
    lower = train_wordpiece(CORPUS, 150).spec["model"]["vocab"]
    cased = train_wordpiece(CORPUS, 150, lowercase=False).spec["model"]["vocab"]
    theirs = {
        "gpt2": lambda: GPT2Tokenizer(vocab=vocabulary | {"<|endoftext|>": len(vocabulary)}, merges=merges),
        "gpt2-space": lambda: GPT2Tokenizer(vocab=vocabulary | {"<|endoftext|>": len(vocabulary)},
                                            merges=merges, add_prefix_space=True),
        "bart": lambda: BartTokenizer(vocab=vocabulary, merges=merges),
        "bart-mask": lambda: BartTokenizer(vocab=vocabulary, merges=merges, mask_token=tokenizers.AddedToken(
            "<mask>", lstrip=True, special=True, normalized=False)),
        "bert": lambda: BertTokenizer(vocab=lower),
        "bert-cased": lambda: BertTokenizer(vocab=cased, do_lower_case=False),
        "distilbert": lambda: DistilBertTokenizer(vocab=lower),
    }[name]()
    theirs.save_pretrained(folder)
    return theirs


@pytest.mark.parametrize("name", [
    "gpt2", "gpt2-space", "bart", "bart-mask", "bert", "bert-cased", "distilbert"])
def test_tokenizers_of_pretrained_models(name, tmp_path):
    theirs, ours = saved(name, tmp_path), load_tokenizer(tmp_path)
    rng, drawn = random.Random(1), list(texts(500, seed=2))
    for text in drawn:
        pair = rng.choice([None, *drawn]) if rng.random() < 0.5 else None
        length = rng.choice([None, rng.randrange(6, 25)])
        expected = theirs(text, pair or None, truncation=length is not None, max_length=length)
        found = ours.explain(text, pair or None, length=length)
        assert found.ids == expected["input_ids"], (text, pair, length)
        assert found.segments == expected.get("token_type_ids", found.segments)
        assert ours.decode(found.ids) == theirs.decode(found.ids, clean_up_tokenization_spaces=False)
        assert ours.decode(found.ids, True) == theirs.decode(
            found.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    assert len(ours) == len(theirs)


def test_bert_processing_is_known():
    spec = train_wordpiece(CORPUS, 150).spec
    spec["post_processor"] = {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}
    found, expected = Tokenizer(spec).explain("low", "slow"), library(Tokenizer(spec)).encode("low", "slow")
    assert (found.ids, found.segments) == (expected.ids, expected.type_ids)


def test_save_and_load(tmp_path):
    tokenizer = train_wordpiece(CORPUS, 150)
    tokenizer.save(tmp_path / "new" / "folder")
    again = load_tokenizer(tmp_path / "new" / "folder")
    assert again.spec == tokenizer.spec and again.encode(CORPUS[3]) == tokenizer.encode(CORPUS[3])
    assert tokenizers.Tokenizer.from_file(str(tmp_path / "new" / "folder" / "tokenizer.json"))


def test_merges_written_as_strings(tmp_path):
    """Files written before version 0.20 of the library."""
    tokenizer = train_bpe(CORPUS, 300)
    spec = json.loads(json.dumps(tokenizer.spec))
    spec["model"]["merges"] = [" ".join(pair) for pair in spec["model"]["merges"]]
    assert Tokenizer(spec).encode(CORPUS[0]) == tokenizer.encode(CORPUS[0])


@pytest.mark.parametrize("part, value", [
    ("model", {"type": "Unigram", "vocab": []}), ("normalizer", {"type": "Precompiled"}),
    ("pre_tokenizer", {"type": "Metaspace"}), ("pre_tokenizer", None), ("decoder", {"type": "Metaspace"}),
    ("post_processor", {"type": "Sequence", "processors": []})])
def test_an_unknown_part_is_named(part, value):
    spec = train_bpe(CORPUS, 300).spec | {part: value}
    with pytest.raises(ValueError, match=f"{part} {value and value['type']}.*AutoTokenizer"):
        Tokenizer(spec)


@pytest.mark.parametrize("option", ["dropout", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                                    "byte_fallback", "ignore_merges"])
def test_an_unknown_option_is_named(option):
    spec = json.loads(json.dumps(train_bpe(CORPUS, 300).spec))
    spec["model"][option] = 0.1 if option == "dropout" else "x" if option.endswith(("x", "prefix")) else True
    with pytest.raises(ValueError, match=option):
        Tokenizer(spec)
    spec = json.loads(json.dumps(train_bpe(CORPUS, 300).spec))
    spec["pre_tokenizer"]["use_regex"] = False
    with pytest.raises(ValueError, match="regular expression"):
        Tokenizer(spec)


def test_added_tokens_that_are_matched_otherwise_are_named():
    spec = json.loads(json.dumps(train_wordpiece(CORPUS, 150).spec))
    spec["added_tokens"][4]["single_word"] = True
    with pytest.raises(ValueError, match=r"\[MASK\].*single word"):
        Tokenizer(spec)
    spec["added_tokens"][4] |= {"single_word": False, "normalized": True}
    with pytest.raises(ValueError, match=r"\[MASK\].*normalising"):
        Tokenizer(spec)


def test_added_tokens_that_take_their_spaces():
    spec = json.loads(json.dumps(train_bpe(CORPUS, 300).spec))
    spec["added_tokens"][4] |= {"rstrip": True}
    spec["added_tokens"].append(spec["added_tokens"][4] | {"content": "<mask>x", "id": 300, "lstrip": True})
    ours, theirs = Tokenizer(spec), library(Tokenizer(spec))
    for text in ("a <mask>  b", "a  <mask>x  b<mask>", "<mask> <mask>x", "<mask>"):
        assert ours.explain(text).ids == theirs.encode(text).ids
        assert spans(ours.explain(text)) == theirs.encode(text).offsets


def test_files_that_are_missing_or_damaged(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json.*AutoTokenizer"):
        load_tokenizer(tmp_path)
    words = '{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "u"}, '
    for content in ('{"model"', "[]", "{}", '{"model": 3}',
                    words + '"pre_tokenizer": {"type": "Whitespace"}}',
                    '{"model": {"type": "BPE"}, "pre_tokenizer": {"type": "ByteLevel"}}'):
        (tmp_path / "tokenizer.json").write_text(content)
        with pytest.raises(ValueError):
            load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="damaged"):
        load_tokenizer(tmp_path)


def test_a_name_without_a_network(monkeypatch):
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*_, **__):
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(OSError, match="openai-community/gpt2"):
        load_tokenizer("openai-community/gpt2")


# Use

def test_batches():
    tokenizer = train_words(["a b c"], template="<s> $A </s>")
    ids, mask = tokenizer.batch(["a", "b c a", ""])
    assert ids.tolist() == [[2, 5, 3, 0, 0], [2, 6, 7, 5, 3], [2, 3, 0, 0, 0]]
    assert mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5, [True] * 2 + [False] * 3]
    assert (ids.dtype, mask.dtype) == (torch.int64, torch.bool)
    ids, mask = tokenizer.batch(["a", "b c a"], special=False, side="left")
    assert ids.tolist() == [[0, 0, 5], [6, 7, 5]] and mask.tolist() == [[False, False, True], [True] * 3]
    assert tokenizer.batch(["a", "b c a"], length=4)[0].tolist() == [[2, 5, 3, 0], [2, 6, 7, 3]]


def test_a_pair_in_a_trained_template():
    tokenizer = train_words(["a b"], template="<s> $A </s>")
    found = tokenizer.explain("a", "b")
    assert found.tokens == ["<s>", "a", "</s>", "b", "</s>"] and found.segments == [0, 0, 0, 1, 1]
    assert found.ids == library(tokenizer).encode("a", "b").ids


def test_gpt2_lends_its_end_of_text_as_padding():
    assert train_bpe(CORPUS, 300, special=("<|endoftext|>",)).pad_id == 0
    with pytest.raises(ValueError, match="no token '<pad>'"):
        train_words(["a"], special=("<unk>",)).batch(["a", "a a"])


def test_the_view_of_a_sentence():
    tokenizer = train_wordpiece(CORPUS, 150)
    found = tokenizer.explain("The café ☃")
    assert str(found).splitlines()[0].split() == ["id", "piece", "from"]
    assert [line.split() for line in str(found).splitlines()[1:3]] == [
        ["2", "[CLS]", "added"], [str(tokenizer.id("the")), "the", "'The'"]]
    assert "'☃' unknown" in str(found) and "'é'" in str(found)
    page = tokenizer.explain("<b>&\n x")._repr_html_()
    assert "&lt;" in page and "&amp;" in page and "<b>" not in page and "dashed" in page and "added" in page
    page = train_bpe(CORPUS, 300).explain("a b\n")._repr_html_()
    assert "\u2423" in page and "\u21b5" in page and "dashed" not in page


def test_an_empty_text():
    assert train_words(["a"]).encode("") == [] and train_words(["a"], template="<s> $A").encode(" \n") == [2]
    assert str(train_words(["a"]).explain("")).split() == ["id", "piece", "from"]
    assert train_words(["a"]).decode([]) == ""


@pytest.mark.parametrize("call, error, message", [
    (lambda t: t.encode(["a"]), TypeError, "use|many"), (lambda t: t.encode(None), TypeError, "NoneType"),
    (lambda t: t.decode([3, 999]), ValueError, "id 999"), (lambda t: t.decode([-1]), ValueError, "id -1"),
    (lambda t: t.id("[MASK]"), ValueError, r"\[MASK\].*<pad>"),
    (lambda t: t.batch([]), ValueError, "no texts"),
    (lambda t: t.batch("one"), TypeError, "list of strings"),
    (lambda t: t.batch(["a"], side="top"), ValueError, "left or right"),
    (lambda t: t.encode("a", length=2), ValueError, "no room"),
    (lambda t: train_words([]), ValueError, "no texts"),
    (lambda t: train_words("abc"), TypeError, "one string"),
    (lambda t: train_words(["", " "]), ValueError, "no word"),
    (lambda t: train_bpe([""], 300), ValueError, "no word"),
    (lambda t: train_bpe(["a"], 260), ValueError, "too small.*261"),
    (lambda t: train_wordpiece(["abc"], 9), ValueError, "too small.*10"),
    (lambda t: train_words(["a"], special=("<pad>",)), ValueError, "unknown words"),
    (lambda t: train_words(["a"], template="<s> text"), ValueError, r"write \$A"),
    (lambda t: train_words(["a"], template="<x> $A"), ValueError, "special tokens of"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call(train_words(["a b"], template="<s> $A </s>"))
