import math
import random
import statistics
from collections import Counter, defaultdict

import pytest

from course_lib.data import passages, reviews
from course_lib.data.passages import load_questions, locate, tokens
from course_lib.data.reviews import best_possible, load_reviews, posterior, write_review


def written(count=2000, seed=0, **options):
    rng = random.Random(seed)
    return [write_review(rng, **options) for _ in range(count)]


class Every(reviews.Draw):
    """Takes the choices of a path, first options behind its end; knows how many options each choice had."""

    def __init__(self, label, path):
        super().__init__(None, label)
        self.path, self.options, self.probability = path, [], 1.0

    def pick(self, options, shares):
        at = len(self.options)
        chosen = self.path[at] if at < len(self.path) else 0
        self.options.append(len(options))
        self.probability *= shares[chosen]
        return options[chosen]


def everything(label, **options):
    """Every review that can be written for a label, with its probability: the tree of choices, walked through."""
    path = []
    while path is not None:
        draw = Every(label, path)
        row = write_review(None, draw=draw, **options)
        yield row, draw.probability
        path = (path + [0] * len(draw.options))[:len(draw.options)]
        while path and path[-1] + 1 == draw.options[len(path) - 1]:
            path.pop()
        path = [*path[:-1], path[-1] + 1] if path else None


@pytest.mark.parametrize("prior", [0.5, 0.2])
def test_the_posterior_is_that_of_a_full_enumeration(monkeypatch, prior):
    monkeypatch.setattr(reviews, "ASPECTS", {"hotel": ("room", "bed", "bar")})
    monkeypatch.setattr(reviews, "OPINIONS", {"mild": (["poor"], ["good", "nice"]), "strong": (["awful"], ["superb"])})
    monkeypatch.setattr(reviews, "DEGREES", ("", "very "))
    monkeypatch.setattr(reviews, "CLAUSES", reviews.CLAUSES[:1])
    monkeypatch.setattr(reviews, "FACTS", ("It was a {day}",))
    monkeypatch.setattr(reviews, "SLOTS", {"day": ["Monday", "Sunday"]})
    found = defaultdict(lambda: [0.0, 0.0])
    rows = {}
    for label in (0, 1):
        for row, probability in everything(label, domains=("hotel",), prior=prior, sentences=(1, 1)):
            found[row["text"]][label] += probability * (prior if label else 1 - prior)
            rows[row["text"]] = row
    assert sum(map(sum, found.values())) == pytest.approx(1) and len(found) > 2000
    for text, (negative, positive) in found.items():
        assert rows[text]["posterior"] == pytest.approx(positive / (negative + positive)), text
        assert rows[text]["log_probability"] == pytest.approx(math.log(negative + positive))
        assert posterior(text, prior) == pytest.approx(rows[text]["posterior"])
    best = sum(max(both) for both in found.values())
    entropy = -sum(p * math.log(p / sum(both)) for both in found.values() for p in both)
    assert best_possible(prior, (1, 1)) == pytest.approx((best, entropy))


@pytest.mark.parametrize("options", [{}, {"prior": 0.2}, {"sentences": (1, 3)}, {"domains": ("phone", "film")}])
def test_what_is_read_from_the_text_is_what_the_generator_knew(options):
    for row in written(600, **options):
        assert posterior(row["text"], options.get("prior", 0.5)) == pytest.approx(row["posterior"], abs=1e-12), row


def test_labels_come_as_often_as_the_posterior_says():
    rows = written(20_000)
    for low in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9):
        some = [row for row in rows if low <= row["posterior"] < low + 0.1]
        expected = statistics.fmean(row["posterior"] for row in some)
        error = math.sqrt(expected * (1 - expected) / len(some))
        assert abs(statistics.fmean(row["label"] for row in some) - expected) < 4 * error, low


@pytest.mark.parametrize("options", [{}, {"prior": 0.1}, {"sentences": (3, 3)}])
def test_the_best_accuracy_and_the_entropy_are_those_of_a_sample(options):
    rows = written(8000, **options)
    accuracy, entropy = best_possible(**options)
    for exact, values in ((accuracy, [max(row["posterior"], 1 - row["posterior"]) for row in rows]),
                          (entropy, [-math.log(row["posterior"] if row["label"] else 1 - row["posterior"])
                                     for row in rows])):
        assert abs(statistics.fmean(values) - exact) < 4 * statistics.stdev(values) / math.sqrt(len(rows))


def test_nothing_saturates():
    assert 0.8 < best_possible()[0] < 0.95


@pytest.mark.parametrize("text, positive", [
    ("The room was good.", 0.72), ("The room was not good.", 0.25), ("The room was hardly bland.", 0.75),
    ("The room was superb.", 0.86), ("I found the room very poor.", 0.28),
    ("The room was good, but the bed is poor.", 0.14), ("The bed is poor, but the room was good.", 0.86),
    ("Although the bed is poor, the room was good.", 0.86), ("The room was good, although the bed is poor.", 0.86),
    ("The bed is poor, even if the room was good.", 0.14), ("The room seemed quiet to me.", 0.72),
    ("The speaker seemed quiet to me.", 0.28), ("In the end I would not recommend it.", 0.1),
    ("It was a Sunday in May.", 0.5), ("", 0.5), ("Colourless green ideas.", 0.5), ("The room was", 0.5),
    ("The room was good. The bar", 0.72), ("The room was superb. The bed was superb.", 0.86**2 / (0.86**2 + 0.14**2)),
])
def test_posteriors_worked_out_by_hand(text, positive):
    assert posterior(text) == pytest.approx(positive)


def test_phenomena_are_those_of_the_text():
    for row in written(500):
        text = row["text"].lower()
        assert ("contrast" in row["phenomena"]) == any(word in text for word in (", but ", "although", "even if"))
        assert ("negation" in row["phenomena"]) == any(f" {word} " in text for word in ("not", "never", "hardly"))


def test_texts_vary():
    rows = written(3000)
    assert len({row["text"] for row in rows}) > 2990
    lengths = [len(row["text"].split()) for row in rows]
    assert min(lengths) < 10 and max(lengths) > 55
    assert set(Counter(row["domain"] for row in rows)) == set(reviews.DOMAINS)


def test_parts_seeds_and_prior():
    pytest.importorskip("datasets")
    one, again, other = (load_reviews(60, 20, seed=seed) for seed in (0, 0, 1))
    assert one.train[:] == again.train[:] and one.train[:] != other.train[:]
    assert (len(one.train), len(one.validation), len(one.test)) == (60, 20, 20)
    assert one.train.features["label"].names == ["negative", "positive"]
    assert not set(one.train["text"]) & set(one.test["text"])
    rare = load_reviews(1000, 1, prior=0.1)
    assert 0.07 < statistics.fmean(rare.train["label"]) < 0.13


def test_real_reviews_from_a_folder(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "rt-polarity.pos").write_bytes("a r\u00e9sum\u00e9 of joy \ngood\u0085film\n".encode("latin-1"))
    (tmp_path / "rt-polarity.neg").write_bytes("bad\n\nworse\n".encode("latin-1"))
    found = load_reviews(2, 1, source=tmp_path)
    rows = [row for part in (found.train, found.validation, found.test) for row in part]
    assert {(row["text"], row["label"]) for row in rows} == {
        ("a r\u00e9sum\u00e9 of joy", 1), ("good\u0085film", 1), ("bad", 0), ("worse", 0)}
    assert found.bayes_accuracy is None
    (tmp_path / "rt-polarity.neg").write_text("sch\u00f6n\u00e9\n" * 2, encoding="utf-8")
    assert "sch\u00f6n\u00e9" in [text for part in (load_reviews(2, 1, source=tmp_path).train,) for text in part["text"]] + \
        [load_reviews(2, 1, source=tmp_path).test["text"][0], load_reviews(2, 1, source=tmp_path).validation["text"][0]]


def test_bad_arguments_say_what_to_do(tmp_path):
    pytest.importorskip("datasets")
    for options, message in (({"size": 0}, "at least one review"), ({"domains": ("cars",)}, "give some of film"),
                             ({"prior": 1.0}, "between 0 and 1"), ({"sentences": (3, 2)}, "fewest")):
        with pytest.raises(ValueError, match=message):
            load_reviews(**options)
    with pytest.raises(FileNotFoundError, match="one \\*.neg"):
        load_reviews(source=tmp_path)
    for name in ("x.neg", "x.pos"):
        (tmp_path / name).write_text("one\ntwo\n")
    with pytest.raises(ValueError, match="4 reviews"):
        load_reviews(size=4, held_out=1, source=tmp_path)


# Questions on passages

def answer_by_reading(passage, question):
    """A reader that knows no word of the tables: sentences about the person asked for, then the kind of word that
    such a question is answered with. Every candidate is returned."""
    import re
    kinds = [("born", r"born in (\d{4})|began in (\d{4})"), ("dog", r"(?:called|name of) ([A-Z]\w+)"),
             ("town|Where", r"(?:lives|home is|flat) in ((?:[A-Z]\w+ ?)+)"), ("sport", r"goes in for ([\w ]+)|sport is ([\w ]+)"),
             ("friend|Whom", r"friend is (\w+)|known (\w+) since"), ("instrument|play", r"(?:plays|practises) the ([\w ]+)"),
             ("job|living|work", r"(?:works|living) as an? ([\w ]+)|been an? ([\w ]+) for years")]
    pattern = next(pattern for cue, pattern in kinds if re.search(cue, question))
    name = re.search(r"[A-Z]\w+", question[1:].partition(" ")[2])[0]
    about, found = None, []
    for sentence in re.findall(r"[^.]+\.", passage):
        named = re.match(r"\s*(?:In the evening |On Sundays )?([A-Z]\w+)", sentence)[1]
        if named not in ("She", "He", "Her", "His", "In", "On", "It", "Nobody", "The", "Time"):
            about = named
        if about == name and (match := re.search(pattern, sentence)):
            found.append(next(filter(None, match.groups())).strip())
    return found


def asked(count=800, **options):
    rng = random.Random(0)
    return [passages.write_question(rng, **options) for _ in range(count)]


def test_each_answer_is_unique_and_found_by_a_reader_without_the_tables():
    for row in asked():
        assert row["passage"].count(row["answer"]) == 1
        assert answer_by_reading(row["passage"], row["question"]) == [row["answer"]], row


def test_unanswerable_questions_have_no_answer_but_mostly_a_tempting_one():
    tempting = 0
    for row in asked(answerable=False):
        assert answer_by_reading(row["passage"], row["question"]) == []
        assert (row["answer"], row["start"], row["end"], row["token_start"], row["token_end"]) == ("", -1, -1, -1, -1)
        tempting += any(value in row["passage"] for value in passages.ATTRIBUTES[row["kind"]][0])
    assert tempting > 700


def test_spans_agree_in_characters_and_in_tokens():
    lengths = Counter()
    for row in asked():
        assert row["passage"][row["start"]:row["end"]] == row["answer"]
        spans = tokens(row["passage"])[row["token_start"]:row["token_end"]]
        assert (spans[0][0], spans[-1][1]) == (row["start"], row["end"])
        lengths[len(spans)] += 1
    assert lengths[1] > 300 and lengths[2] > 50


def test_there_are_others_of_the_same_kind_to_confuse_the_answer_with():
    rivals = [sum(value in row["passage"] for value in passages.ATTRIBUTES[row["kind"]][0]) > 1 for row in asked()]
    assert statistics.fmean(rivals) > 0.3


def test_no_pronoun_follows_somebody_else():
    import re
    for row in asked(400):
        said = re.findall(r"[^.]+\.", row["passage"])
        for before, sentence in zip(said, said[1:]):
            if "best friend" in before or "has known" in before or " dog " in before:
                assert not re.search(r"\b(she|he|her|his)\b", sentence, re.IGNORECASE), (before, sentence)


def test_parts_of_questions(tmp_path):
    pytest.importorskip("datasets")
    found = load_questions(400, 10, unanswerable=0.25)
    assert 0.18 < 1 - statistics.fmean(found.train["answerable"]) < 0.32
    assert found.train[:] == load_questions(400, 10, unanswerable=0.25).train[:]
    (tmp_path / "squad.json").write_text(
        '{"data": [{"paragraphs": [{"context": "a cat and a cat", "qas": ['
        '{"question": "What?", "answers": [{"text": "cat", "answer_start": 12}]},'
        '{"question": "Who?", "answers": []}, {"question": "Which?", "answers": [{"text": "a", "answer_start": 0}]}]}]}]}')
    real = load_questions(1, 1, source=tmp_path / "squad.json")
    rows = {row["question"]: row for part in (real.train, real.validation, real.test) for row in part}
    assert (rows["What?"]["start"], rows["What?"]["token_start"], rows["Who?"]["answerable"]) == (12, 4, False)
    with pytest.raises(ValueError, match="3 questions"):
        load_questions(4, 1, source=tmp_path / "squad.json")
    with pytest.raises(ValueError, match="share between"):
        load_questions(unanswerable=2)
    with pytest.raises(ValueError, match="does not stand"):
        locate("a cat", "What?", "dog")
