"""The benchmarks of "Debugging" on the data: planted defects, film reviews, frozen embeddings."""
import copy

import numpy
import pytest
import torch

pytest.importorskip("datasets")
pytest.importorskip("sklearn")

from benchmarks import data_audit, film_reviews, frozen_embeddings
from course_lib.data.defects import DEFECTS
from course_lib.data.reviews import load_reviews
from course_lib.training import cross_entropy, train
from course_lib.transformer import Transformer, TransformerConfig


# Frozen embeddings

@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Transformer(TransformerConfig(vocabulary=50, width=8, heads=2, encoder_layers=1, context=12, segments=2,
                                         embedding_norm=True))


def test_frozen_embeddings_stay_and_the_rest_learns(encoder):
    model = frozen_embeddings.Classifier(encoder)
    assert frozen_embeddings.freeze(encoder) == 8 * (50 + 12 + 2 + 2)
    before = copy.deepcopy(model.state_dict())
    ids, mask = torch.randint(50, (4, 6)), torch.ones(4, 6, dtype=torch.bool)
    train(model, [0], lambda model, _: cross_entropy(model(ids, mask), torch.tensor([0, 1, 0, 1])), steps=3, progress=False)
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    parts = ("tokens", "positions", "segments", "embedding_norm", "encoder.head")
    assert moved and not any(part in name for name in moved for part in parts)
    assert {"head.weight", "head.bias"} <= moved and any("blocks" in name for name in moved)


def test_padding_does_not_reach_the_classifier(encoder):
    model = frozen_embeddings.Classifier(encoder).eval()
    ids, mask = torch.randint(1, 50, (1, 5)), torch.ones(1, 5, dtype=torch.bool)
    longer, more = torch.cat([ids, torch.randint(50, (1, 3))], 1), torch.cat([mask, torch.zeros(1, 3, dtype=torch.bool)], 1)
    assert torch.allclose(model(ids, mask), model(longer, more), atol=1e-5)


def test_shares_of_the_published_models():
    pytest.importorskip("transformers")
    shares = frozen_embeddings.embedding_shares()
    assert {name: whole for name, (_, whole) in shares.items()} == {
        "gpt2": 124_439_808, "bert-base": 109_482_240, "distilbert": 66_362_880}
    assert shares["gpt2"][0] == 768 * (50_257 + 1024)
    assert shares["bert-base"][0] == 768 * (30_522 + 512 + 2 + 2)


# Planted defects

def test_what_a_reader_of_300_sees_is_the_hypergeometric_share():
    from scipy.stats import hypergeom
    sizes = data_audit.SIZES | {"reviews": 1000, "test": 300, "draws": 400}
    expected = 1 - hypergeom(1000, round(0.01 * 1000), 300).cdf(2)
    assert abs(data_audit.seen_by_reading(0, "outliers", sizes) - expected) < 0.1
    assert data_audit.seen_by_reading(0, "imbalance", sizes) == 1.0
    assert data_audit.seen_by_reading(0, "flipped-labels", sizes) == 1.0
    # Both rows of a pair have to be among the 300: 50 pairs, each with a chance of (300 / 1050)^2 or about .08.
    assert 0.6 < data_audit.seen_by_reading(0, "exact-duplicates", sizes) < 0.95


def test_each_of_the_questions_has_a_planted_defect():
    assert {defect.question for defect in DEFECTS.values()} >= set(range(6))


def test_tokenizer_faults_are_seen_and_healthy_ones_are_not():
    pytest.importorskip("tokenizers")
    found = data_audit.look_at_tokens(0, data_audit.QUICK)
    assert found["alarms"] == 0 and all(found["seen"].values())


# Film reviews

@pytest.mark.parametrize("text, label", [
    ("a wonderful , moving film", 1), ("a boring mess", 0), ("it is not good", 0), ("not bad at all", 1), ("it isn't funny", 0),
    ("a film", 1), ("no problem , it is great", 1)])
def test_the_rule(text, label):
    assert film_reviews.rule(text) == label


def test_the_bootstrap_interval_is_that_of_the_mean():
    values = numpy.random.default_rng(0).normal(1, 2, size=(400, 1))
    found = film_reviews.bootstrap(values, lambda x: x.mean(), "points")
    error = values.std(ddof=1) / 20
    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.03)


def test_the_best_way_to_cut_is_picked_on_validation_texts():
    reviews = load_reviews(300, 100, sentences=(1, 3))
    filler = "It was a Monday in May. " * 8
    parts = [[row | {"text": filler + row["text"]} for row in part] for part in (reviews.train, reviews.validation, reviews.test)]
    found = film_reviews.truncation(parts)
    assert found["best"] == "end" and 0.25 <= found["share"] <= 0.35
    right = {keep: numpy.mean(values) for keep, values in found["test"].items()}
    assert right["end"] >= right["start"] and len(found["test"]["start"]) == 100
