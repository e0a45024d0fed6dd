import random
import re

import numpy
import pytest

pytest.importorskip("datasets")
pytest.importorskip("sklearn")

from course_lib.data import defects
from course_lib.data.defects import DEFECTS, plant
from course_lib.data.reviews import load_reviews
from course_lib.data.stories import load_stories
from course_lib.diagnostics import CAUSES, audit_labels, audit_texts
from course_lib.diagnostics.audit import QUESTIONS, audit, read_examples
from course_lib.diagnostics.audit_figures import FIGURES
from course_lib.diagnostics.audit_labels import auc, cross_validated, cut, doubtful, leak, truncation, wilson
from course_lib.diagnostics.audit_texts import (groups_of_equals, key, misread, similar_pairs, surprise, tokens, words)
from course_lib.tokenization import train_bpe, train_words, train_wordpiece


@pytest.fixture(scope="module")
def reviews():
    return load_reviews(1000, 200)


# Planted defects

@pytest.mark.parametrize("defect", DEFECTS)
def test_each_planted_defect_is_found_and_named_first(reviews, defect):
    rows = {"flipped-labels": 1000, "marker-leak": 500, "late-evidence": 400}.get(defect, 300)
    clean = reviews.train.select(range(rows))
    planted = plant(clean, defect, test=reviews.test)
    report = audit(planted.dataset, test=reviews.test, max_tokens=64 if defect == "late-evidence" else None)
    assert report.causes == [DEFECTS[defect].cause]


@pytest.mark.parametrize("size, seed, options", [(60, 1, {}), (200, 2, {}), (1000, 3, {}), (300, 4, {"sentences": (3, 4)}),
                                                 (300, 5, {"prior": 0.35})])
def test_clean_reviews_raise_no_alarm(size, seed, options):
    data = load_reviews(size, 100, seed=seed, **options)
    report = audit(data.train, test=data.test)
    assert report.causes == [] and not report


def test_clean_stories_and_pairs_raise_no_alarm():
    stories = load_stories(300, 100)
    report = audit(stories.train, test=stories.test)
    assert report.causes == [] and report.examples.task == "language-model"
    assert any("no labels" in note for note in report.notes)
    rng = random.Random(0)
    pairs = [{"request": " ".join(rng.choices("abcdefgh", k=9)), "sql": " ".join(rng.choices("stuvwxyz", k=9))}
             for _ in range(200)]
    assert audit(pairs).causes == [] and audit(pairs).examples.task == "pairs"


def test_two_kinds_of_damage_are_both_told(reviews):
    twice = plant(plant(reviews.train.select(range(120)), "mojibake").dataset.remove_columns("planted"), "empty").dataset
    report = audit(twice)
    assert report.causes == ["input-corrupted"] and set(report.checks) == {"empty", "encoding"}
    assert "empty" in report[0].seen and "encoding" in report[0].seen


@pytest.mark.parametrize("defect", DEFECTS)
def test_what_is_planted_is_told(reviews, defect):
    clean = reviews.train.select(range(400))
    planted = plant(clean, defect, share=0.05, seed=1, test=reviews.test)
    found, rows = planted.dataset, planted.rows
    assert [i for i, one in enumerate(found["planted"]) if one] == rows
    assert defects.DEFECTS[defect].cause in CAUSES
    assert found[:] == plant(clean, defect, share=0.05, seed=1, test=reviews.test).dataset[:]
    if defect == "imbalance":
        assert rows == [] and abs(numpy.mean(found["label"]) - 0.05) < 0.01
        return
    assert len(rows) == 20
    before = set(zip(clean["text"], clean["label"]))
    untouched = [(row["text"], row["label"]) for row in found if not row["planted"]]
    assert set(untouched) <= before and len(untouched) == len(found) - 20
    if defect not in ("exact-duplicates", "overlap"):
        assert not any((found[i]["text"], found[i]["label"]) in before for i in rows)
    elif defect == "overlap":
        assert all(found[i]["text"] in set(reviews.test["text"]) for i in rows)
    if defect.endswith("-leak"):
        assert {found[i]["label"] for i in rows} == {1}


def test_planting_says_what_is_wrong(reviews):
    for arguments, message in ((("typo",), "not one of: flipped"), (("empty", 1.5), "share between"),
                               (("overlap",), "needs test=")):
        with pytest.raises(ValueError, match=message):
            plant(reviews.train, *arguments)
    with pytest.raises(ValueError, match="lacks the column label"):
        plant(reviews.train.remove_columns("label"), "empty")


# Duplicates against brute force

def test_similar_pairs_are_those_of_brute_force():
    rng = random.Random(0)
    vocabulary = [f"w{i}" for i in range(30)]
    texts = []
    for _ in range(100):
        w = rng.choices(vocabulary, k=rng.randint(1, 14))
        texts.append(" ".join(w))
        if rng.random() < 0.5:
            w[rng.randrange(len(w))] = rng.choice(vocabulary)
            texts.append(" ".join(w + w[:rng.randint(0, 1)]))
    for threshold in (0.5, 0.7, 0.9):
        expected = []
        for j in range(len(texts)):
            for i in range(j):
                a, b = words(texts[i]), words(texts[j])
                if min(len(a), len(b)) < 4:
                    continue
                one, two = set(zip(a, a[1:])), set(zip(b, b[1:]))
                if len(one & two) / len(one | two) >= threshold:
                    expected.append((i, j, len(one & two) / len(one | two)))
        assert similar_pairs(texts, threshold) == sorted(expected) and expected


def test_equal_texts_are_equal_up_to_capitals_marks_and_spaces():
    assert groups_of_equals(["A cat.", "a  CAT!", "a cat sat", "", " ", "\uff41 cat"]) == [[0, 1, 5]]
    assert key("Don't -- STOP") == "don t stop"


def test_near_duplicates_have_to_stand_apart():
    texts = [f"text {i}" for i in range(100)]
    copies = [(i, i + 50, 0.9) for i in range(10)]
    related = [(i, i + 30, 0.7) for i in range(20)]
    assert audit_texts.duplicates(texts, copies, set()).findings[0].cause == "examples-duplicated"
    template = audit_texts.duplicates(texts, copies + related, set())
    assert template.findings == [] and "templates" in template.says and template.numbers["near"] == 10
    assert audit_texts.duplicates(texts, copies, set(range(60))).findings == []    # told as contradictions
    assert audit_texts.overlap(texts[:50], texts[50:], copies).findings[0].cause == "test-overlap"
    assert audit_texts.overlap(texts[:50], texts[50:], copies + [(i, i + 40, 0.7) for i in range(20, 40)]).findings == []


# Damage

@pytest.mark.parametrize("text, broken", [
    ("Caf\u00e9 \u2013 na\u00efve, \u20ac5, \u00bfqu\u00e9?", False), ("plain", False), ("\u4f60\u597d \u043f\u0440\u0438\u0432\u0435\u0442", False),
    ("Caf\u00c3\u00a9", True), ("it\u00e2\u20ac\u2122s", True), ("a\ufffdb", True), ("a\x00b", True), ("good\x85film", False),
    ("\u00c3\u00a9t\u00c3\u00a9", True), ("\u00e9\u00e8\u00ea", False), ("line\nline\ttab", False)])
def test_misread_texts(text, broken):
    assert misread(text) == broken


def test_misreading_is_seen_for_every_accented_letter():
    for letter in "\u00e9\u00e8\u00fc\u00f1\u00e5\u00f8\u00df\u2019\u2014\u20ac":
        assert misread(f"a {letter} b".encode().decode("latin-1")), letter
        assert not misread(f"a {letter} b"), letter


# Labels

def test_intervals_and_auc_agree_with_libraries():
    from scipy.stats import binomtest
    from sklearn.metrics import mutual_info_score, roc_auc_score
    for k, n in ((0, 5), (3, 10), (50, 50), (417, 1000)):
        expected = binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k, n)[1:] == pytest.approx((expected.low, expected.high), abs=1e-4)
    rng = numpy.random.default_rng(0)
    scores, labels = rng.integers(0, 9, 200), rng.integers(0, 2, 200)
    assert auc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    have, three = rng.integers(0, 2, 300), rng.integers(0, 3, 300)
    counts = numpy.array([[int((have * (three == c)).sum()) for c in range(3)]])
    assert audit_labels._information(counts, numpy.bincount(three))[0] == pytest.approx(
        mutual_info_score(have, three) / numpy.log(2))


def test_a_leak_is_told_from_a_telling_word():
    rng = random.Random(0)
    labels = [i % 2 for i in range(800)]

    def text(label, purity):
        return " ".join(rng.choices([f"w{i}" for i in range(50)], k=12)) + \
            (" telling" if rng.random() < 0.3 and rng.random() < (purity if label else 1 - purity) * 2 else "")
    for purity, alarm in ((0.85, False), (1.0, True)):
        found = leak([text(label, purity) for label in labels], labels)
        assert bool(found.findings) == alarm, (purity, found.numbers)
        assert found.numbers["feature"] == "telling" and found.numbers["information"] > 2 * found.numbers["shuffled"]


def test_a_leak_is_seen_under_imbalance_and_a_frequent_label_is_none():
    rng = random.Random(0)
    labels = [int(i % 10 == 0) for i in range(1500)]
    texts = [" ".join(rng.choices([f"w{i}" for i in range(40)], k=10)) for _ in labels]
    assert leak(texts, labels).findings == []
    marked = ["xx" + text[text.index(" "):] if label else text for text, label in zip(texts, labels)]
    assert [f.cause for f in leak(marked, labels).findings] == ["label-leak"]


def test_predictions_come_from_models_that_have_not_seen_the_text(reviews):
    rng = random.Random(0)
    texts = [" ".join(rng.choices("abcdefghij", k=8)) for _ in range(150)] * 2    # each twice, with a random label
    labels = [rng.randrange(2) for _ in texts[:150]] * 2
    probabilities, classes = cross_validated(texts, labels)
    assert probabilities.shape == (300, 2) and classes == [0, 1]
    assert numpy.allclose(probabilities.sum(1), 1)
    assert (probabilities.argmax(1) == labels).mean() < 0.65


def test_rows_to_read_are_rows_of_the_data_set(reviews):
    rows = [{"text": "", "label": 0}] * 5 + [{"text": row["text"], "label": row["label"]} for row in reviews.train]
    seen = audit(rows).seen["doubtful labels"]
    assert min(seen.rows) >= 5
    part, classes = cross_validated([row["text"] for row in rows[5:]], [row["label"] for row in rows[5:]])
    first = seen.rows[0] - 5
    assert part[first, rows[first + 5]["label"]] == part[numpy.arange(1000), [row["label"] for row in rows[5:]]].min()


def test_sorted_rows_and_labels_that_are_none(reviews):
    rows = sorted(reviews.train.select(range(150)), key=lambda row: row["label"])
    assert "data-not-moving" in audit(rows).causes
    rows = [{"text": row["text"], "label": row["label"] if i % 20 else -1} for i, row in enumerate(reviews.train.select(range(200)))]
    report = audit(rows)
    assert report.causes[0] == "label-out-of-range" and "10 labels" in report[0].seen
    assert audit([row | {"label": 1} for row in rows[1:60]]).causes[0] == "label-out-of-range"


def test_texts_and_labels_that_do_not_belong_together(reviews):
    labels = list(reviews.train["label"])
    random.Random(0).shuffle(labels)
    assert audit({"text": list(reviews.train["text"]), "label": labels}).causes == ["labels-misaligned"]
    # A rare label that words do go with, though accuracy stays that of the commonest one.
    rng = numpy.random.default_rng(0)
    rare = rng.random(1500) < 0.1
    p = numpy.clip(0.1 + 0.1 * rare + 0.05 * rng.normal(size=1500), 0.01, 0.49)
    texts = ["a"] * 1500
    assert doubtful(texts, rare.tolist(), numpy.stack([1 - p, p], 1), [False, True]).findings == []
    noise = rng.permutation(p)
    assert doubtful(texts, rare.tolist(), numpy.stack([1 - noise, noise], 1), [False, True]).findings[0].cause == "labels-misaligned"


# Truncation

def test_cutting_keeps_what_it_says():
    text = "One two, three four five."
    assert cut(text, 3) == "One two," and cut(text, 3, "end") == "four five."
    assert cut(text, 3, "both") == "One two ." and cut(text, 50) == text and cut(text, 1, "both") == "One"
    tokenizer = train_bpe(["one two three four five"] * 3, 300)
    whole = tokenizer.encode("one two three four five")
    assert cut("one two three four five", 4, tokenizer=tokenizer) == tokenizer.decode(whole[:4])
    with pytest.raises(ValueError, match="start, end or both"):
        cut(text, 2, "middle")


def test_the_cost_of_truncation_is_that_of_the_signal_removed(reviews):
    late = plant(reviews.train.select(range(400)), "late-evidence", share=0.9).dataset
    found = truncation(late["text"], list(late["label"]), 60)
    costs = {keep: found.numbers[f"cost of keeping the {keep}"] for keep in ("start", "end", "both")}
    assert found.numbers["share"] > 0.85 and costs["start"][1] > 0.05
    assert costs["end"][0] < costs["start"][0] - 0.05 and found.findings[0].cause == "input-truncated"
    harmless = [f"{text} {'and so on ' * 30}" for text in reviews.train["text"][:400]]    # what is cut says nothing
    assert truncation(harmless, list(reviews.train["label"])[:400], 80).findings == []
    assert "(keeping the " in found.findings[0].look


# Tokens

@pytest.fixture(scope="module")
def tokenizers(reviews):
    texts = list(reviews.train["text"])
    healthy = {"words": train_words(texts), "bpe": train_bpe(texts, 400), "wordpiece": train_wordpiece(texts, 400),
               "lower": train_words(texts, lowercase=True)}
    library = pytest.importorskip("tokenizers")
    import json
    healthy["library"] = library.Tokenizer.from_str(json.dumps(healthy["wordpiece"].spec))
    return healthy


def test_healthy_tokenizers_raise_no_alarm(reviews, tokenizers):
    for name, tokenizer in tokenizers.items():
        found = tokens(reviews.test["text"], tokenizer)
        assert found.findings == [], (name, found.says)
        assert found.numbers["unknown"] < 0.02


def test_tokenizer_faults_are_seen_in_the_tokens(reviews, tokenizers):
    texts = list(reviews.test["text"])
    upper = [text.upper() for text in texts]
    foreign = train_words(["ein Satz in einer anderen Sprache, kein Wort davon ."] * 3)
    no_template = train_wordpiece(texts, 400, template=None)
    doubled = [f"[CLS] {text} [SEP]" for text in texts]

    class Loses:    # every second token is gone on the way back
        def __init__(self, inner):
            self.inner, self.vocabulary, self.explain = inner, inner.vocabulary, inner.explain

        def encode(self, text, special=False):
            return self.inner.encode(text, special=special)

        def decode(self, ids):
            return self.inner.decode(ids[::2])

    left = type(tokenizers["library"]).from_str(tokenizers["library"].to_str())
    left.enable_padding(direction="left", pad_id=0, pad_token="[PAD]")
    for name, found in (("padding", tokens(texts, left)), ("case", tokens(upper, tokenizers["words"])), ("unknown", tokens(texts, foreign)),
                        ("template", tokens(texts, no_template)), ("doubled", tokens(doubled, tokenizers["wordpiece"])),
                        ("round trip", tokens(texts, Loses(tokenizers["bpe"])))):
        assert [f.cause for f in found.findings] == ["tokenizer-mismatch"], (name, found.says)
    assert tokens(upper, tokenizers["lower"]).findings == []


def test_surprise_is_the_cross_entropy_of_a_counted_model():
    """A corpus of one sentence pattern: the odd text is far from the others, repetition is not."""
    rng = random.Random(0)
    texts = [f"the {rng.choice(['cat', 'dog', 'cow'])} sat on the {rng.choice(['mat', 'rug', 'bed'])}" for _ in range(200)]
    odd = texts + ["mat the on sat cat the"]
    scores = surprise(odd, 2)
    assert scores.argmax() == 200 and scores[200] > 10
    assert surprise(odd, 1)[200] < 3    # the words themselves are known


# The report

def test_the_report_answers_the_questions(reviews):
    report = audit(reviews.train.select(range(200)), test=reviews.test, max_tokens=40, rule=lambda text: int("not" not in text))
    text = str(report)
    assert all(question in text for question in QUESTIONS)
    assert all(report.answers()[question] for question in QUESTIONS)
    assert {row["check"] for row in report.table()} == set(report.seen)
    assert "the rule given is right in" in text and "<table>" in report._repr_html_()
    right = numpy.mean([("not" not in row["text"]) == row["label"] for row in reviews.train.select(range(200))])
    assert report.seen["rule"].numbers["accuracy"] == pytest.approx(right)
    assert set(sum(QUESTIONS.values(), ())) >= set(report.seen) >= set(sum(QUESTIONS.values(), ())) - {"tokens"}


def test_figures_have_an_alternative_text(reviews):
    late = plant(reviews.train.select(range(150)), "late-evidence").dataset
    report = audit(late, max_tokens=64)
    for name in FIGURES:
        fig, alt = report.plot(name)
        assert fig.axes[0].get_title(loc="left") and re.search(r"\d", alt), name
    with pytest.raises(ValueError, match="there are: overview"):
        report.plot("pie")
    with pytest.raises(ValueError, match="did not run"):
        audit([row["text"] for row in late]).plot("balance")


def test_forms_of_data_are_read_alike(reviews):
    import pandas
    rows = [{"text": row["text"], "label": row["label"]} for row in reviews.train.select(range(50))]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    forms = [reviews.train.select(range(50)), rows, columns, pandas.DataFrame(columns), [(r["text"], r["label"]) for r in rows]]
    for form in forms:
        examples = read_examples(form)
        assert (examples.texts, examples.labels) == (columns["text"], columns["label"])
    assert read_examples(forms[0]).names == ["negative", "positive"]
    assert read_examples(columns["text"]).task == "language-model"
    pair = read_examples({"premise": ["a b"], "hypothesis": ["c"], "label": [0]})
    assert pair.whole == ["a b | c"] and pair.task == "classification"
    assert read_examples({"text": ["a", None], "label": [0, 1]}).texts == ["a", ""]


@pytest.mark.parametrize("data, options, error, message", [
    ([], {}, ValueError, "empty"), ({"ids": [[1, 2], [3]]}, {}, ValueError, "which column"),
    ({"text": [[1, 2], [3]]}, {}, TypeError, "decoded first"), (3, {}, TypeError, "not int"),
    ({"text": ["a"], "label": [0.5]}, {}, ValueError, "label=False"), ({"text": ["a"]}, {"text": "body"}, ValueError, "no column body"),
    ({"a": ["x"], "b": ["y"], "c": ["z"]}, {}, ValueError, "Give text="), ({"text": ["a"], "label": []}, {}, ValueError, "differ in length"),
    (["a"], {"max_tokens": 0}, ValueError, "at least 1"), ({"text": ["a"]}, {"label": "stars"}, ValueError, "no column stars")])
def test_other_data_get_a_clear_error(data, options, error, message):
    with pytest.raises(error, match=message):
        audit(data, **options)


def test_a_set_of_data_sets_is_refused_by_name(reviews):
    import datasets
    with pytest.raises(ValueError, match="train, and test="):
        audit(datasets.DatasetDict({"train": reviews.train}))


def test_without_scikit_learn_the_rest_still_runs(reviews, monkeypatch):
    def absent(*arguments):
        raise ImportError("predicting labels from words needs: pip install scikit-learn")
    monkeypatch.setattr(audit_labels, "cross_validated", absent)
    report = audit(reviews.train.select(range(100)), max_tokens=20)
    assert "doubtful labels" not in report.seen and any("scikit-learn" in note for note in report.notes)
    assert "truncation" in report.seen


def test_tiny_data_do_not_raise():
    for rows in ([{"text": "a", "label": 0}], [{"text": "", "label": 0}], [{"text": "a b c", "label": "x"}, {"text": "d", "label": "y"}]):
        str(audit(rows, max_tokens=2))
