import json
import re
import zlib
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

import pytest
from french_rules import faults

from course_lib.data import translation
from course_lib.data.translation import (
    PHENOMENA, SPLITS, detokenise, from_json, load_translations, realise_english, realise_french, to_json, tokenise,
    write_pairs)
from course_lib.data.translation.frames import Bulletin, Clause, NounPhrase as NP
from course_lib.data.translation.noise import add_noise
from course_lib.data.translation.selection import compositions
from course_lib.data.translation.tokens import links

REVIEWED = json.loads((Path(__file__).parent / "data" / "translation_reviewed.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pairs():
    """Pairs of each split, of a seed that nobody has read."""
    sizes = {"train": 2500, "validation": 100, "iid": 400, "compositional": 250, "long": 200}
    return {split: list(islice(write_pairs(split, seed=7), size)) for split, size in sizes.items()}


@pytest.fixture(scope="module")
def everything(pairs):
    return [pair for rows in pairs.values() for pair in rows]


# French

def test_the_french_has_no_fault_that_rules_can_see(everything):
    marked = [(" ".join(pair["french"]), found) for pair in everything if (found := faults(pair["french"]))]
    assert len(everything) > 3000 and marked == []


@pytest.mark.parametrize("rule, sentence", [
    ("elision", "je ai vu le chat ."), ("elision", "le homme dort ."), ("elision", "l' hibou dort ."),
    ("elision", "il ne aime pas le vin ."),
    ("elision", "ce arbre est grand ."), ("elision", "ma histoire est triste ."),
    ("elision", "un beau oiseau chante ."),
    ("elision", "un bel chat dort ."), ("elision", "je pense que il dort ."),
    ("contraction", "il parle de le roi ."), ("contraction", "je vais à le marché ."),
    ("contraction", "il joue à les cartes ."),
    ("phrases_agree", "le fille dort ."), ("phrases_agree", "la fille heureux dort ."),
    ("phrases_agree", "les chat dorment ."),
    ("phrases_agree", "une robe rouges est là ."), ("phrases_agree", "un maison blanche est là ."),
    ("phrases_agree", "la rouge robe est là ."),
    ("phrases_agree", "la chaise de jardin blanc est là ."), ("phrases_agree", "mes beau chats dorment ."),
    ("verbs_agree", "nous chantez ."), ("verbs_agree", "ils chante ."), ("verbs_agree", "les filles dort ."),
    ("verbs_agree", "vous ne voyons pas le chat ."),
    ("negation", "il ne dort ."), ("negation", "il dort pas ."), ("negation", "il n' a pas un chat ."),
    ("negation", "elle n' a pas vu une vache ."),
    ("clitics", "il lui me donne ."), ("clitics", "il me peut voir ."), ("clitics", "il a me donné le livre ."),
    ("participles", "elle est arrivé ."), ("participles", "ils sont parti ."),
    ("participles", "elle a mangée la pomme ."),
    ("participles", "elle s' est lavée les mains ."), ("participles", "la fille est tombé ."),
    ("participles", "les hommes sont triste ."),
    ("antecedents", "la maison que j' ai acheté est grande ."), ("antecedents", "les livres qu' il a lu sont longs ."),
    ("inversion", "mange -il ?"), ("inversion", "dort -t-il ?"), ("inversion", "dorment -il -vous ?"),
])
def test_the_rules_see_faults(rule, sentence):
    assert any(fault.startswith(rule) for fault in faults(sentence.split())), faults(sentence.split())


@pytest.mark.parametrize("sentence", [
    "l' homme qu' elle a vu n' est pas heureux .", "vient -il de le voir ?", "elle s' est lavé les mains .",
    "de beaux hiboux dorment .", "les histoires que nous avons lues sont tristes .",
    "y a -t-il un hôtel près du parc ?"])
def test_the_rules_let_good_french_pass(sentence):
    assert faults(sentence.split()) == []


#: Words of the weather trade and units that a list of frequent words lacks.
UNLISTED = {"ennuagement", "verglaçante", "km", "h", "cm"}


def test_every_french_word_is_in_a_dictionary(everything):
    from spellchecker import SpellChecker

    known = SpellChecker(language="fr", distance=1).word_frequency
    names = set("Paul Marie Anne Julie Pierre Luc Alice Louis Sophie Victor".split())
    words = {word for pair in everything for word in pair["french"]}
    words |= {word for pair in islice(write_pairs("train", "weather"), 800) for word in pair["french"]}
    unknown = set()
    for word in words - names:
        for part in re.findall(r"\w+(?:['-]\w+)*", word.removeprefix("-t-").removeprefix("-").replace("œ", "oe")):
            if not (part.isdigit() or word.endswith("'") or known[part] or all(known[p] for p in part.split("-"))):
                unknown.add(part)
    assert len(words) > 1200 and unknown <= UNLISTED


def test_de_follows_a_negation_and_des_becomes_de_before_an_adjective(everything):
    for pair in everything:
        text = " ".join(pair["french"])
        if "de under negation" in pair["phenomena"]:
            assert re.search(r"\b(de|d') ", text), text
        before = r"(^| )des (beaux|belles|petite?s|vieux|vieilles|jolie?s|nouveaux|nouvelles|bons|bonnes) "
        assert not re.search(before, text) or "contraction" in pair["phenomena"], text


def test_two_hundred_pairs_were_read_and_are_still_made():
    assert len(REVIEWED["pairs"]) == 200 and all(row["verdict"] == "good" for row in REVIEWED["pairs"])
    rows = {key: write_pairs(*key, seed=REVIEWED["seed"]) for key in {(row["split"], row["domain"])
                                                                      for row in REVIEWED["pairs"]}}
    for row in REVIEWED["pairs"]:
        pair = next(rows[row["split"], row["domain"]])
        assert (detokenise(pair["english"], "en"), detokenise(pair["french"], "fr")) == (row["english"], row["french"])


# English

def test_the_english_reads_as_english(everything):
    for pair in everything:
        text = " ".join(pair["english"])
        assert pair["english"][-1] in (".", "?") and not re.search(r"\ba [aeiou]|\ban [^aeiou]|[{}/_]|\bNone\b",
                                                                   text), text
        wrong = r"\b(he|she|it) (do|have|are|were|am) |\b(they|we|you) (does|has|is|was) |\bI (is|are|has|does) "
        assert not re.search(wrong, text) or text.endswith("?") or re.search(
            r"\b(and|who|that) \w+ (do|have|are|were) ", text), text
        assert not re.search(r"\b(does|did|do|will|can|must|cannot) (not )?\w+(ing|ed)\b", re.sub("need|feed|sing", "",
                                                                                                  text)), text
    for pair in everything[:2500]:
        assert ("question" in pair["phenomena"]) == (pair["english"][-1] == "?") == (pair["french"][-1] == "?")
        assert ("negation" in pair["phenomena"]) == bool({"not", "never", "no", "cannot"} & set(pair["english"])), pair


# Alignment

def gold(pair):
    sure = {f"{pair['english'][i]}={pair['french'][j]}" for i, j in pair["sure"]}
    return sure, {f"{pair['english'][i]}={pair['french'][j]}" for i, j in pair["possible"]} - sure


def test_links_are_inside_the_sentences_and_sure_ones_are_possible(everything):
    for pair in everything:
        sure, possible = ({tuple(link) for link in pair[kind]} for kind in ("sure", "possible"))
        assert sure <= possible and len(sure) == len(pair["sure"])
        assert all(i < len(pair["english"]) and j < len(pair["french"]) and i >= 0 <= j for i, j in possible)
        last = (len(pair["english"]) - 1, len(pair["french"]) - 1)
        assert last in sure
    loose = sum(len(pair["english"]) - len({i for i, _ in pair["possible"]}) for pair in everything)
    assert 0 < loose < 0.01 * sum(len(pair["english"]) for pair in everything)


DICTIONARY = """cat chat; dog chien; house maison; letter lettre; red rouge; not pas; never jamais; and et
because parce; tomorrow demain; yesterday hier; Paul Paul; two deux; often souvent; book livre
car voiture; hat chapeau; with avec; under sous; Marie Marie; books livres"""


def test_words_are_linked_to_their_translations(everything):
    """Wherever both words of a small dictionary occur once, they are linked, and surely."""
    seen = Counter()
    for pair in everything:
        for row in DICTIONARY.replace("\n", ";").split(";"):
            english, french = row.split()
            if pair["english"].count(english) == pair["french"].count(french) == 1:
                link = [pair["english"].index(english), pair["french"].index(french)]
                compound = "compound" in pair["phenomena"] or "noun sense" in pair["phenomena"]
                assert link in pair["sure"] or compound, (pair["english"], pair["french"])
                seen[english] += 1
    assert len(seen) >= 15 and sum(seen.values()) > 500


@pytest.mark.parametrize("frame, french, sure, possible", [
    (Clause("see", NP("boy"), NP("cat"), negation="not"), "le garçon ne voit pas le chat .",
     "the=le boy=garçon not=pas see=voit the=le cat=chat .=.", "does=voit does=ne does=pas not=ne"),
    (Clause("miss", NP("I"), NP("Paul")), "Paul me manque .", "I=me miss=manque Paul=Paul .=.", ""),
    (Clause("buy", NP("she"), NP("house", "a", adjective="white"), tense="past"), "elle a acheté une maison blanche .",
     "she=elle bought=acheté a=une white=blanche house=maison .=.", "bought=a"),
    (Clause("look for", NP("Marie"), NP("hat", owner=NP("baker"))), "Marie cherche le chapeau du boulanger .",
     "Marie=Marie looks=cherche baker=boulanger 's=du hat=chapeau .=.", "for=cherche the=du 's=le"),
    (Clause("give", NP("we"), NP("egg", "a"), NP("they"), tense="future"), "nous leur donnerons un œuf .",
     "we=nous give=donnerons them=leur an=un egg=œuf .=.", "will=donnerons"),
    (Clause("wash (own)", NP("queen"), NP("hand", "own", True), tense="past"), "la reine s' est lavé les mains .",
     "the=la queen=reine washed=lavé hands=mains .=.", "washed=est her=s' her=les"),
    (Clause("play (game)", NP("they"), NP("chess", "every", True), question="yes/no"), "jouent -ils aux échecs ?",
     "they=-ils play=jouent chess=échecs ?=?", "do=jouent play=aux chess=aux do=aux"),
    (Clause("rain hard", time="today"), "il pleut des cordes aujourd'hui .", "it=il today=aujourd'hui .=.",
     " ".join(f"{a}={b}" for a in "rains cats and dogs".split() for b in "pleut des cordes".split())),
    (Clause("be", NP("Anne"), complement="old", degree="more", standard=NP("he", "")),
     "Anne est plus vieille que lui .",
     "Anne=Anne is=est older=vieille than=que him=lui .=.", "older=plus"),
    (Clause("find", NP("who"), NP("garden chair", "this"), tense="past", question="subject"),
     "qui a trouvé cette chaise de jardin ?",
     "who=qui found=trouvé this=cette garden=jardin chair=chaise ?=?", "found=a garden=de"),
    (Clause("repair", NP("I"), NP("car"), aspect="recent"), "je viens de réparer la voiture .",
     "I=je just=viens repaired=réparer the=la car=voiture .=.",
     "have=viens have=de have=réparer just=de repaired=viens"),
])
def test_links_of_a_frame(frame, french, sure, possible):
    english, words = realise_english(frame), realise_french(frame)
    assert " ".join(word.text for word in words) == french
    pair = {"english": [w.text for w in english], "french": [w.text for w in words],
            **dict(zip(("sure", "possible"), links(english, words)))}
    assert gold(pair) == (set(sure.split()), set(possible.split()))


# Phenomena and frames

def test_every_phenomenon_is_there_often_enough_to_measure(pairs):
    counts = Counter(name for pair in pairs["train"] for name in pair["phenomena"])
    assert set(counts) == set(PHENOMENA) - {"bulletin"}
    assert min(counts.values()) >= 8 and all(pair["phenomena"] == sorted(set(pair["phenomena"]))
                                             for pair in pairs["train"])


@pytest.mark.parametrize("name, english, french", [
    ("noun sense", r"\b(pens?|banks?|bats?|nails?|match(es)?|plants?)\b", r"."), ("inversion", r"\b(miss|like)",
                                                                                  r"\b(manqu|pl[aû])"),
    ("know", r"\b(know|knew)", r"\b(sa[iv]|conna)"), ("genitive", r" 's? ", r"\b(de|d'|du|des) "),
    ("être", r".", r"\b(suis|est|sommes|êtes|sont)\b"),
    ("future", r"\bwill\b", r"(ai|a|ons|ez|ont)\b"), ("recent past", r"\b(has|have) .*\bjust\b",
                                                      r"\b(vien|ven).*(de|d') "), ("depuis", r"\bbeen\b",
                                                                                   r"\bdepuis\b"),
    ("comparison", r"\b(than|as)\b", r"\b(plus|moins|aussi|meilleure?s?)\b.*qu[e']"), ("existential", r"\bthere\b",
                                                                                       r"\by (a|avait|aura)\b"),
    ("before a vowel", r".", r"\b(bel|vieil|nouvel|cet|mon|son)\b"), ("relative clause", r"\b(who|that)\b",
                                                                      r"\bqu(i|e|')"),
    ("contraction", r".", r"\b(du|des|au|aux)\b"), ("reflexive", r".", r"\b(me|m'|se|s'|nous|vous)( |$)"),
    ("one to many", r".", r"."),
    ("own body", r"\b(my|his|her|our|your|their)\b", r"\b(le|la|les) (mains|cheveux|dents|ongles|jambe|bras)"),
    ("partitive", r".", r"\b(du|de la|de l'|de|d') ?"),
])
def test_phenomena_show(pairs, name, english, french):
    shown = [pair for pair in pairs["train"] if name in pair["phenomena"]]
    for pair in shown:
        assert re.search(english, " ".join(pair["english"])) and re.search(french,
                                                                           " ".join(pair["french"])), (pair["english"],
                                                                                                       pair["french"])
    hidden = [pair for pair in pairs["train"] if name not in pair["phenomena"]]
    if name in ("existential", "comparison", "depuis"):
        assert not any(re.search(english, " ".join(pair["english"])) and re.search(french, " ".join(pair["french"]))
                       for pair in hidden if "idiom" not in pair["phenomena"]
                       and "relative clause" not in pair["phenomena"])


def test_a_word_of_several_senses_has_several_translations(pairs):
    seen = defaultdict(Counter)
    for pair in pairs["train"] + pairs["compositional"]:
        for i, j in pair["sure"]:
            seen[pair["english"][i]][pair["french"][j]] += 1
    assert {"stylo", "enclos"} <= set(seen["pen"]) and {"usine", "plante"} <= set(seen["plant"])
    assert {"allumette", "match"} <= set(seen["match"]) and "banque" in seen["bank"] and "ongles" in seen["nails"]


def test_frames_are_the_meaning_of_both_sentences(everything):
    for pair in everything[::7]:
        frame = from_json(pair["frame"])
        assert to_json(frame) == pair["frame"]
        assert [word.text for word in realise_english(frame)] == pair["english"]
        assert [word.text for word in realise_french(frame)] == pair["french"]
    bulletin = next(write_pairs(domain="weather"))
    assert isinstance(from_json(bulletin["frame"]), Bulletin) and "bulletin" in bulletin["phenomena"]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"kind": "verse"}', '{"kind": "clause"}',
                                  '{"kind": "clause", "predicate": "see", "x": 1}'])
def test_text_that_is_no_frame(text):
    with pytest.raises(ValueError, match="not a frame"):
        from_json(text)


# Splits and sizes

def test_lengths_and_vocabularies(pairs):
    train = pairs["train"]
    assert 7 < sum(len(pair["english"]) for pair in train) / len(train) < 8.5
    assert 7.5 < sum(len(pair["french"]) for pair in train) / len(train) < 9.5
    # 2,500 pairs already; 10,000 have more
    assert len({word for pair in train for word in pair["english"]}) >= 315
    assert len({word for pair in train for word in pair["french"]}) >= 590
    longest = max(len(pair["english"]) for split in SPLITS if split != "long" for pair in pairs[split])
    assert longest <= translation.LONGEST < min(len(pair["english"]) for pair in pairs["long"])


def test_no_sentence_is_in_two_parts_whatever_the_seed(pairs):
    texts = {split: {" ".join(pair["english"]) for pair in rows} for split, rows in pairs.items()}
    assert all(len(texts[split]) == len(pairs[split]) for split in SPLITS)
    others = {" ".join(pair["english"]) for pair in islice(write_pairs("train", seed=8), 500)}
    for split in SPLITS[1:]:
        assert not texts[split] & (texts["train"] | others)


def test_combinations_held_out_never_occur_in_training(pairs):
    trained = set().union(*(compositions(from_json(pair["frame"])) for split in ("train", "validation", "iid")
                            for pair in pairs[split]))
    new = [compositions(from_json(pair["frame"])) - trained for pair in pairs["compositional"]]
    assert all(new) and len(set().union(*new)) > 60
    assert all(any(zlib.crc32(" ".join(c).encode()) % 12 == 0 for c in found) for found in new)
    words = {word for pair in pairs["train"] for word in pair["english"]}
    tested = [word for pair in pairs["compositional"] for word in pair["english"]]
    assert sum(word in words for word in tested) > 0.97 * len(tested), "the words themselves are known"


def test_word_for_word_is_not_enough(pairs):
    """Each English word by its most frequent translation, in the order of the English."""
    sacrebleu = pytest.importorskip("sacrebleu")
    counts = defaultdict(Counter)
    for pair in pairs["train"]:
        for i, j in pair["sure"]:
            counts[pair["english"][i]][pair["french"][j]] += 1
    best = {word: ways.most_common(1)[0][0] for word, ways in counts.items()}
    bleu = sacrebleu.corpus_bleu([" ".join(best.get(word, word) for word in pair["english"]) for pair in pairs["iid"]],
                                 [[" ".join(pair["french"]) for pair in pairs["iid"]]], tokenize="none", force=True)
    assert 5 < bleu.score <= 12


def test_one_english_sentence_has_one_french_one():
    french = {}
    for seed in range(3):
        for pair in islice(write_pairs("train", seed=seed), 800):
            text = " ".join(pair["english"])
            assert french.setdefault(text, pair["french"]) == pair["french"], text


def test_parts_and_nested_sizes():
    small, large = (load_translations(size, held_out=5, seed=3) for size in (30, 100))
    assert small.train.column_names == ["english", "french", "sure", "possible", "phenomena", "frame", "noise"]
    assert large.train.select(range(30)).to_list() == small.train.to_list() and len(large.train) == 100
    for split in SPLITS[1:]:
        assert len(getattr(large, split)) == 5 and getattr(large, split).to_list() == getattr(small, split).to_list()
    assert load_translations(30, 1, seed=4).train[0]["english"] != small.train[0]["english"]
    assert set(large.train["noise"]) == {""}


def test_weather_bulletins():
    corpus = load_translations(300, 30, domain="weather")
    assert all("bulletin" in row for row in corpus.train["phenomena"])
    texts = {" ".join(words) for words in corpus.train["french"]}
    assert any("vents de l' est" in text for text in texts) or any("vents de l' ouest" in text for text in texts)
    assert not any(re.search(r"\bde (le|les)\b|\bdu (est|ouest)|\b(de|le|la) [aeiouéêh](?!ausse)", text)
                   for text in texts)
    for pair in corpus.train:
        sure = {pair["english"][i]: pair["french"][j] for i, j in pair["sure"]}
        numbers = [word for word in pair["english"] if word.isdigit()]
        assert numbers == [word for word in pair["french"] if word.isdigit()]
        assert all(sure[number] == number for number in numbers)
    vocabulary = {word for words in corpus.train["french"] for word in words}
    assert {"pluie", "averses", "maximum", "vents", "neige"} <= vocabulary


# Noise

def test_noise_spoils_a_share_of_the_training_pairs_and_says_so():
    clean, noisy = (load_translations(600, 2, seed=2, noise=noise) for noise in (0.0, 0.3))
    kinds = Counter(noisy.train["noise"])
    assert set(kinds) == {"", "wrong", "shifted", "typo"} and 130 < 600 - kinds[""] < 230
    assert min(kinds[kind] for kind in ("wrong", "shifted", "typo")) > 30
    rows = clean.train.to_list()
    for number, (before, after) in enumerate(zip(rows, noisy.train.to_list())):
        if after["noise"] == "":
            assert before == after
        elif after["noise"] == "typo":
            changed = [(a, b) for side in ("english", "french") for a, b in zip(before[side], after[side]) if a != b]
            assert len(changed) == 1 and sorted(changed[0][0]) == sorted(changed[0][1])
            assert before["sure"] == after["sure"]
        else:
            assert after["english"] == before["english"] and after["sure"] == after["possible"] == []
            sources = rows[number - 1:number] if after["noise"] == "shifted" else rows[:number]
            assert after["french"] in [row["french"] for row in sources]
    assert clean.iid.to_list() == noisy.iid.to_list()
    assert add_noise(rows[:50], 0.3, 2) == add_noise(rows, 0.3, 2)[:50], "a smaller size is spoilt alike"


# Real text

@pytest.fixture
def folder(tmp_path):
    def write(name, english, french):
        (tmp_path / f"{name}.en").write_text("\n".join(english) + "\n", encoding="utf-8")
        (tmp_path / f"{name}.fr").write_text("\n".join(french) + "\n", encoding="utf-8")
    write("train", [f"Train {i} doesn't stop." for i in range(8)], [f"L'homme n°{i} arrive-t-il ?" for i in range(8)])
    write("val", ["A dog.", "", "A cat."], ["Un chien.", "Rien.", "Un chat."])
    write("test_2016_flickr", ["One.", "Two."], ["Un.", "Deux."])
    return tmp_path


def test_a_folder_of_real_text(folder):
    corpus = load_translations(8, 2, source=folder)
    assert corpus.train[3]["english"] == ["Train", "3", "does", "n't", "stop", "."]
    assert corpus.train[3]["french"] == ["L'", "homme", "n", "°", "3", "arrive", "-t-il", "?"]
    assert list(corpus.validation["english"]) == [["A", "dog", "."], ["A", "cat", "."]], "the empty line is left out"
    assert list(corpus.iid["french"]) == [["Un", "."], ["Deux", "."]]
    assert len(corpus.compositional) == len(corpus.long) == 0 and corpus.train[0]["sure"] == []
    assert load_translations(8, 2, source=folder, lowercase=True).train[0]["french"][0] == "l'"
    noisy = load_translations(8, 2, source=folder, noise=1.0)
    assert set(noisy.train["noise"]) <= {"wrong", "shifted", "typo", ""} and noisy.iid["noise"][0] == ""


def test_parts_that_a_folder_lacks_are_cut_from_its_training_lines(folder):
    (folder / "val.en").unlink(), (folder / "val.fr").unlink()
    corpus = load_translations(4, 2, source=folder)
    assert [row["english"][1] for row in corpus.validation] == ["4", "5"] and corpus.iid[0]["english"] == ["One", "."]
    corpus = load_translations(3, 2, source=folder / "train")
    assert [row["english"][1] for part in (corpus.train, corpus.validation, corpus.iid)
            for row in part] == list("0123456")


def test_real_text_that_cannot_be_read(folder, tmp_path):
    with pytest.raises(ValueError, match="train .* has 8 pairs, but 9 are asked for"):
        load_translations(9, 2, source=folder)
    with pytest.raises(ValueError, match="validation .* has 2 pairs, but 3"):
        load_translations(8, 3, source=folder)
    with pytest.raises(ValueError, match="has 8 pairs, but 12 .*4 to train, 4 for each of validation, iid"):
        load_translations(4, 4, source=folder / "train")
    (folder / "train.fr").write_text("Une ligne.\n", encoding="utf-8")
    with pytest.raises(ValueError, match="8 lines.* 1: not translations line by line"):
        load_translations(1, 1, source=folder)
    for name in ("en", "fr"):
        (folder / f"train.{name}").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match="no line with text on both sides"):
        load_translations(1, 1, source=folder)
    (folder / "train.en").write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match="not UTF-8"):
        load_translations(1, 1, source=folder)
    (folder / "train.en").write_text("A line.\n", encoding="utf-8")
    (folder / "train.fr").unlink()
    with pytest.raises(FileNotFoundError, match="train.fr is missing"):
        load_translations(1, 1, source=folder)
    (folder / "train.en").unlink()
    with pytest.raises(FileNotFoundError, match="no train.en and train.fr"):
        load_translations(1, 1, source=folder)


def test_a_hub_name(monkeypatch):
    import datasets

    rows = [{"id": str(i), "translation": {"en": f"The  cat {i}.", "fr": f"Le chat {i}."}} for i in range(5)]
    asked = []

    def stored(name, configuration=None, **options):
        asked.append((name, configuration, options["split"]))
        return rows if name == "someone/pairs" else [{"en": "A.", "fr": "B."}] * 5
    monkeypatch.setattr(datasets, "load_dataset", stored)
    corpus = load_translations(3, 1, source="someone/pairs:en-fr")
    assert corpus.train[2]["english"] == ["The", "cat", "2", "."] and corpus.iid[0]["french"] == ["Le", "chat", "4",
                                                                                                  "."]
    assert asked == [("someone/pairs", "en-fr", "train")]
    assert load_translations(2, 1, source="someone/columns").train[0]["french"] == ["B", "."]

    def broken(*args, **options):
        raise ConnectionError("no network")
    monkeypatch.setattr(datasets, "load_dataset", broken)
    with pytest.raises(OSError, match="no files someone/pairs.en .*check the name, the network"):
        load_translations(3, 1, source="someone/pairs")


@pytest.mark.parametrize("language, text, tokens", [
    ("fr", "L'homme n'a-t-il pas vu l'arc-en-ciel aujourd'hui ?",
     "L' homme n' a -t-il pas vu l' arc-en-ciel aujourd'hui ?"),
    ("fr", "Qu'est-ce que c'est ? Donne-le-moi, grand-mère !",
     "Qu' est -ce que c' est ? Donne -le -moi , grand-mère !"),
    ("fr", "Peut-être qu'elle a rendez-vous à 8,5 km d'ici.", "Peut-être qu' elle a rendez-vous à 8,5 km d' ici ."),
    ("en", "He doesn't see Paul's dog (3.5 km away), does he?",
     "He does n't see Paul 's dog ( 3.5 km away ) , does he ?"),
    ("en", "The boys' cat is a well-known one.", "The boys ' cat is a well-known one ."),
    ("en", "She said \"yes\" and left...", "She said \" yes \" and left ..."),
    ("fr", "", ""), ("en", "   ", ""),
])
def test_the_tokeniser_can_be_undone(language, text, tokens):
    assert tokenise(text, language) == tokens.split()
    assert detokenise(tokens.split(), language) == text.strip()


def test_the_tokeniser_undoes_the_corpus(everything):
    for pair in everything[::5]:
        for side, language in (("english", "en"), ("french", "fr")):
            text = detokenise(pair[side], language)
            again = tokenise(text, language)
            assert [word.lower() for word in again] == [word.lower() for word in pair[side]], text
            assert detokenise(again, language) == text
    assert tokenise("Le Chat", "fr", lowercase=True) == ["le", "chat"]


# What cannot be

@pytest.mark.parametrize("arguments, message", [
    ({"size": 0}, "at least one pair"), ({"held_out": 0}, "at least one pair"), ({"noise": 1.5}, "from 0 to 1"),
    ({"noise": -0.1}, "from 0 to 1"),
    ({"domain": "sports"}, '"general" or "weather"'),
])
def test_arguments_that_make_no_corpus(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_translations(**{"size": 5, "held_out": 5} | arguments)


def test_other_bad_input(monkeypatch):
    with pytest.raises(ValueError, match="one of train, validation"):
        next(write_pairs("test"))
    with pytest.raises(TypeError, match="tokenised already"):
        tokenise(["a"], "en")
    with pytest.raises(TypeError, match="list of tokens"):
        detokenise("a b", "en")
    for function, text in ((tokenise, "a"), (detokenise, ["a"])):
        with pytest.raises(ValueError, match='"en" or "fr"'):
            function(text, "de")
    frame = from_json(next(write_pairs(domain="weather"))["frame"])
    monkeypatch.setattr(translation.weather, "draw", lambda rng, long=False: frame)
    with pytest.raises(ValueError, match="1 pairs are all that the split train of the domain weather has"):
        list(write_pairs("train", "weather"))
