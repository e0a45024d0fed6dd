import math
import random
import statistics

import numpy
import pytest

pytest.importorskip("datasets")
pytest.importorskip("sklearn")

from course_lib.data.reviews import best_possible, load_reviews
from course_lib.diagnostics import metric_limits
from course_lib.diagnostics.baselines import (averaged_vectors, bag_of_words, baselines, count_vectors, loss_of, random_loss,
                                              read_vectors)
from course_lib.diagnostics.metric_limits import limits


@pytest.fixture(scope="module")
def reviews():
    return load_reviews(800, 400, prior=0.4)


@pytest.fixture(scope="module")
def found(reviews):
    return baselines(reviews.train, reviews.test, rule=lambda text: int("not" not in text))


def test_the_baselines_are_what_they_say(reviews, found):
    from scipy.stats import binomtest
    labels = list(reviews.test["label"])
    rates = {"majority": statistics.fmean(y == 0 for y in labels),
             "rule": statistics.fmean(y == ("not" not in text) for text, y in zip(reviews.test["text"], labels))}
    for name, value in rates.items():
        assert found[name].accuracy == pytest.approx(value)
    assert abs(found["random"].accuracy - 0.5) < 0.1
    for one in found[:-1]:
        hits = sum(a == b for a, b in zip(one.guesses, labels))
        expected = binomtest(hits, len(labels)).proportion_ci(method="wilson")
        assert (one.low, one.high) == pytest.approx((expected.low, expected.high), abs=1e-4)
    assert found["majority"].accuracy < found["averaged vectors"].accuracy and found["bag of words"].accuracy < found["ceiling"].accuracy
    assert [one.name for one in found] == ["random", "majority", "rule", "bag of words", "averaged vectors", "ceiling"]


def test_losses_of_those_who_know_nothing(reviews, found):
    assert found["random"].loss == pytest.approx(math.log(2)) == random_loss(2)
    p = statistics.fmean(reviews.train["label"])
    q = statistics.fmean(reviews.test["label"])
    assert found["majority"].loss == pytest.approx(-q * math.log(p) - (1 - q) * math.log(1 - p))
    assert found["ceiling"].loss < found["bag of words"].loss < found["majority"].loss
    assert loss_of(numpy.array([[0.5, 0.5], [0.1, 0.9]]), [0, 1]) == pytest.approx(-(math.log(0.5) + math.log(0.9)) / 2)


def test_the_ceiling_is_the_exact_one(found):
    accuracy, _ = best_possible(0.4)
    assert found["ceiling"].low < accuracy < found["ceiling"].high


def test_the_bag_of_words_is_scikit_learns(reviews):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\w+|[^\w\s]")
    x = vectorizer.fit_transform(reviews.train["text"])
    model = LogisticRegression(C=3.0, max_iter=500).fit(x, reviews.train["label"])
    ours = bag_of_words().fit(reviews.train["text"], reviews.train["label"])
    assert numpy.allclose(ours.predict_proba(reviews.test["text"]), model.predict_proba(vectorizer.transform(reviews.test["text"])))


def test_word_vectors_are_the_singular_vectors_of_the_information():
    texts = ["the cat sat on the mat", "the dog sat on the rug", "a cat and a dog sat", "the mat and the rug"] * 2
    vectors = count_vectors(texts, width=3, window=2, minimum=2)
    index = sorted(vectors)
    matrix = numpy.zeros((len(index), len(index)))
    for text in texts:
        w = text.split()
        for i, one in enumerate(w):
            for j, other in enumerate(w):
                if 0 < abs(i - j) <= 2:
                    matrix[index.index(one), index.index(other)] += 1
    each = matrix.sum(1)
    with numpy.errstate(divide="ignore"):
        information = numpy.maximum(0, numpy.log(matrix * matrix.sum() / numpy.outer(each, each)))
    left, strength, _ = numpy.linalg.svd(information)
    ours = numpy.stack([vectors[word] for word in index])
    expected = (left * numpy.sqrt(strength))[:, :3]
    assert numpy.allclose(ours @ ours.T, expected @ expected.T, atol=1e-8)


def test_vectors_know_which_words_stand_alike(reviews):
    vectors = count_vectors(reviews.train["text"], width=30)

    def cosine(a, b):
        return vectors[a] @ vectors[b] / numpy.linalg.norm(vectors[a]) / numpy.linalg.norm(vectors[b])
    assert cosine("monday", "tuesday") > cosine("monday", "dull") + 0.2


def test_vectors_of_a_file(tmp_path, reviews):
    rng = numpy.random.default_rng(0)
    lines = {word: " ".join(map(str, rng.normal(size=4).round(3))) for word in ("good", "bad", "was")}
    glove, word2vec = tmp_path / "glove.txt", tmp_path / "w2v.txt"
    body = "".join(f"{word} {numbers}\n" for word, numbers in lines.items())
    glove.write_text(body)
    word2vec.write_text("3 4\n" + body)
    one, two = read_vectors(glove), read_vectors(word2vec, {"good"})
    assert sorted(one) == ["bad", "good", "was"] and numpy.array_equal(one["good"], two["good"]) and len(two) == 1
    mean = averaged_vectors(one)[0].transform(["good, bad", "nothing known"])
    assert numpy.allclose(mean[0], (one["good"] + one["bad"]) / 2, atol=1e-6) and not mean[1].any()
    row = baselines(reviews.train.select(range(60)), reviews.test, vectors=glove)["averaged vectors"]
    assert "glove.txt" in row.what
    for text, message in (("good 1 2\nbad 1\n", "line 2: 1 numbers"), ("good x y\n", "line 1: not a word"), ("2 4\n", "none of the words")):
        glove.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_vectors(glove)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_vectors(tmp_path / "none.txt")


def test_the_ceiling_from_texts_labelled_twice():
    rng = random.Random(0)
    rows = []
    for i in range(400):    # two annotators, each right in 85 % of the cases
        truth = i % 2
        rows += [{"text": f"text number {i} {'good' if truth else 'bad'}", "label": truth if rng.random() < 0.85 else 1 - truth}
                 for _ in range(2)]
    one = baselines(rows, rows)["ceiling"]
    assert one.low < 0.85 < one.high and "400 pairs" in one.what
    assert "not known" in baselines(rows[::2], rows)["ceiling"].what


def test_three_labels_and_words_as_labels():
    rng = random.Random(0)
    rows = [{"text": f"{color} " + " ".join(rng.choices("abcdef", k=5)), "label": color} for color in ("red", "green", "blue") * 40]
    found = baselines(rows, rows)
    assert found["bag of words"].accuracy == 1 and found["random"].loss == pytest.approx(math.log(3))


def test_bad_data_say_what_to_do(reviews):
    rows = [{"text": "a b", "label": 0}, {"text": "b a", "label": 1}] * 3
    with pytest.raises(ValueError, match="no labels"):
        baselines(["a text", "another"], rows)
    with pytest.raises(ValueError, match="labels that training lacks: 2"):
        baselines(rows, [{"text": "a", "label": 2}])
    with pytest.raises(ValueError, match="nothing to tell apart"):
        baselines(rows[:1], rows[:1])
    with pytest.raises(ValueError, match="too little"):
        count_vectors(["one", "two"])
    with pytest.raises(KeyError, match="there are: random"):
        baselines(rows, rows)["oracle"]


def test_the_table_is_printed(found):
    text = str(found)
    assert all(one.name in text for one in found) and "ln 2" in text
    assert [row["name"] for row in found.table()] == [one.name for one in found]
    assert found._repr_html_().count("<tr>") == len(found) + 1


# What a metric cannot see

@pytest.mark.parametrize("limit", limits(), ids=lambda limit: limit.metric)
def test_two_systems_are_equal_in_the_metric_and_differ_in_what_matters(limit):
    (first, failing), (second, other) = limit.systems.values()
    assert first == pytest.approx(second) and 0.99 <= limit.reached <= 1
    assert other - failing >= 0.45
    assert limit.metric in str(limit) and limit.second in str(limit)


def test_the_metrics_agree_with_scikit_learn():
    from sklearn.metrics import accuracy_score, f1_score, recall_score
    rng = numpy.random.default_rng(0)
    labels, guesses = rng.integers(0, 2, 100).tolist(), rng.integers(0, 2, 100).tolist()
    assert metric_limits.accuracy(labels, guesses) == accuracy_score(labels, guesses)
    assert metric_limits.recall(labels, guesses) == recall_score(labels, guesses)
    assert metric_limits.f1(labels, guesses) == pytest.approx(f1_score(labels, guesses))
    assert metric_limits.f1(labels, guesses, 0) == pytest.approx(f1_score(labels, guesses, pos_label=0))
    assert metric_limits.f1([0], [0]) == 0
