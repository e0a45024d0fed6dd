"""benchmarks/request_to_sql.py and benchmarks/pretrained_halves.py on tiny models, and their arithmetic."""
import copy
import json
import math
import sqlite3
import statistics

import pytest
import torch
from scipy import stats

from benchmarks import pretrained_halves, request_to_sql
from benchmarks.request_to_sql import Part, Texts, batches, frequent, mask_words, spaced, unspaced
from course_lib.data.queries import skeleton, write_queries
from course_lib.results import Figure, load
from course_lib.training import IGNORED, pad
from course_lib.transformer import Transformer, combine

SIZES = dict(width=16, heads=2, layers=1, context=96, positions="rotary")


@pytest.fixture(scope="module")
def pairs():
    stream = write_queries(3)
    return Part(*map(list, zip(*(next(stream) for _ in range(40)))))


@pytest.fixture(scope="module")
def texts(pairs):
    return Texts(pairs.requests, pairs.sql)


# Text

def test_sql_survives_its_words(texts, pairs):
    for sql, ids in zip(pairs.sql, texts.queries(pairs.sql)):
        assert texts.sql(ids) == sql


@pytest.mark.parametrize("sql", ["SELECT T.NAME FROM T WHERE T.CITY = 'new york' AND T.N = 3 ;",
                                 "SELECT MAX( T.N ) FROM T , U WHERE T.A IN ( SELECT U.A FROM U )"])
def test_real_sql_keeps_its_meaning(sql):
    words = spaced(sql, True).split()
    assert "'" not in "".join(word for word in words if len(word) > 1)
    assert unspaced(" ".join(words)).replace(" ", "") == sql.replace(" ", "")
    assert "'new york'" in unspaced(" ".join(words)) or "new" not in sql


def test_a_value_is_the_same_word_in_request_and_sql(texts):
    [request], [sql] = texts.requests(["shops in Oslo?"]), texts.queries(["SELECT shop.city = 'Oslo'"])
    assert set(request) & set(sql) == {*texts.tokenizer.encode("Oslo")}


def test_words_that_are_frequent():
    assert set(frequent(["a man, a dog", "a cat ."], 2).split()) == {"a"}
    assert frequent([], 2) == ""


def test_batches_go_through_everything_in_each_pass():
    stream = batches(10, 4, seed=0)
    drawn = [index for _ in range(5) for index in next(stream)]
    assert sorted(drawn[:10]) == sorted(drawn[10:]) == [*range(10)] and drawn[:10] != drawn[10:]
    again = batches(10, 4, seed=0)
    assert drawn[:8] == next(again) + next(again)
    assert [len(batch) for batch, _ in zip(batches(3, 8, 0), range(3))] == [8, 8, 8]


# Masked words

def test_masked_words_are_those_of_bert(texts, pairs):
    ids, mask = pad(texts.queries(pairs.sql) * 60)
    hidden, labels = mask_words(ids, mask, texts.tokenizer, torch.Generator().manual_seed(0))
    words = mask & (ids >= 5)
    chosen = labels != IGNORED
    assert not (chosen & ~words).any() and torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(hidden[~chosen], ids[~chosen])
    assert chosen.sum() / words.sum() == pytest.approx(0.15, abs=0.01)
    masked = hidden[chosen] == texts.tokenizer.id("<mask>")
    same = hidden[chosen] == ids[chosen]
    assert masked.float().mean() == pytest.approx(0.8, abs=0.02)
    assert same.float().mean() == pytest.approx(0.1, abs=0.02)


def test_a_batch_has_always_something_to_restore(texts):
    ids = torch.tensor([texts.tokenizer.encode("SELECT")])
    for seed in range(40):
        _, labels = mask_words(ids, torch.ones_like(ids).bool(), texts.tokenizer,
                               torch.Generator().manual_seed(seed))
        assert (labels != IGNORED).sum() == 1


# Losses

def test_nats_are_those_of_one_pair_at_a_time(texts, pairs):
    torch.manual_seed(0)
    model = Transformer(texts.config(SIZES, "encoder-decoder")).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    # 160 pairs: more than go into one batch, and the last ones are the longest.
    both = sorted(zip(texts.requests(pairs.requests), texts.queries(pairs.sql)), key=lambda two: len(two[1]))
    sources, targets = zip(*(two for two in both for _ in range(4)))
    total = 0.0
    with torch.no_grad():
        for source, target in zip(sources, targets):
            logits = model(torch.tensor([source]), torch.tensor([target[:-1]])).logits[0]
            total -= float(logits.log_softmax(-1)[range(len(target) - 1), target[1:]].sum())
    tokens = sum(map(len, targets)) - len(targets)
    assert request_to_sql.nats_a_token(model, sources, targets) == pytest.approx(total / tokens, rel=1e-5)


def test_prefix_loss_is_that_of_one_pair_at_a_time(texts, pairs):
    torch.manual_seed(0)    # two layers, large weights: what the request's words see changes what SQL sees
    model = Transformer(texts.config(SIZES | {"layers": 2}, "decoder")).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    sources, targets = texts.requests(pairs.requests), texts.queries(pairs.sql)
    total = 0.0
    with torch.no_grad():
        for source, target in zip(sources, targets):
            logits = model(torch.tensor([source + target]), prefix_length=len(source)).logits[0, len(source):-1]
            total -= float(logits.log_softmax(-1)[range(len(target) - 1), target[1:]].sum())
        loss = pretrained_halves.prefix_loss(model, sources, targets)
    assert float(loss) == pytest.approx(total / (sum(map(len, targets)) - len(targets)), rel=1e-5)


# Halves

def test_tied_halves_stay_one_model_while_they_train(texts, pairs):
    torch.manual_seed(0)
    half = Transformer(texts.config(SIZES, "encoder"))
    apart = combine(half, half)
    tied = pretrained_halves.tie(copy.deepcopy(apart))
    sources, targets = texts.requests(pairs.requests), texts.queries(pairs.sql)
    ids = pad(sources), pad(targets)
    with torch.no_grad():    # tying changes nothing yet
        first, second = (model(ids[0][0], ids[1][0], padding_mask=ids[0][1]).logits for model in (apart, tied))
        assert torch.equal(first, second)
    request_to_sql.fit_pairs(tied, sources, targets, steps=3, batch=8, seed=0)
    cross = [name for name in tied.decoder.state_dict() if "cross" in name]
    assert cross and {*tied.decoder.state_dict()} - {*tied.encoder.state_dict()} == {*cross}
    for name, weight in tied.encoder.state_dict().items():
        assert torch.equal(weight, tied.decoder.state_dict()[name])
    before, after = (model.encoder.blocks[0].feed_forward.up.weight for model in (half, tied))
    assert not torch.equal(before, after)


@pytest.fixture(scope="module", params=["iid", "compositional"])
def corpus(request):
    settings = pretrained_halves.SETTINGS | dict(pretraining_texts=100, held_out=30)
    return request.param, pretrained_halves.Corpus(request.param, settings, 50)


def test_pretraining_reads_nothing_that_is_tuned_on_or_judged(corpus):
    split, corpus = corpus
    assert not set(corpus.requests) & {*corpus.pairs.requests, *corpus.test.requests, *corpus.validation.requests}
    assert not set(corpus.sql) & {*corpus.test.sql, *corpus.validation.sql}
    assert len(corpus.requests) == 100 and len(corpus.sql) > 80
    if split == "compositional":
        shape = skeleton
        assert not {*map(shape, corpus.sql + corpus.pairs.sql)} & {*map(shape, corpus.test.sql)}


def test_fewer_pairs_are_among_more(corpus):
    _, corpus = corpus
    few, more = corpus.drawn(10, seed=1), corpus.drawn(30, seed=1)
    assert set(few.requests) < set(more.requests) and len(set(more.requests)) == 30
    assert corpus.drawn(10, seed=2).requests != few.requests
    known = dict(zip(corpus.pairs.requests, corpus.pairs.sql))
    assert all(known[request] == sql for request, sql in zip(more.requests, more.sql))


# Figures

def made_up(accuracy) -> list[tuple[dict, dict]]:
    """Runs whose accuracy is accuracy(arm, pairs, split, seed), and nats 3 times that."""
    return [(key, {"accuracy": accuracy(**key), "nats": 3 * accuracy(**key)})
            for key in pretrained_halves.grid([0, 1, 2], (100, 300, 1000))]


#: accuracy of an arm at 100, 300 and 1,000 pairs, of seed 0
TABLE = {"scratch": (.1, .2, .3), "encoder": (.2, .3, .7), "decoder": (.4, .3, .2), "decoder-causal": (.1, .1, .1),
         "both": (.5, .6, .7), "both-causal": (.6, .6, .9), "tied": (.4, .6, .5), "single-stack": (.1, .1, .25),
         "language-model": (.7, .8, .9)}
NUDGE = {0: 0.0, 1: 0.01, 2: 0.05}    # of a seed, for both alone


def table(arm, pairs, split, seed):
    if split == "compositional":
        return {"scratch": .01, "both": .02}[arm] + NUDGE[seed]
    return TABLE[arm][(100, 300, 1000).index(pairs)] + NUDGE[seed] * (arm == "both")


def test_figures_are_those_computed_by_hand():
    figures = pretrained_halves.figures_of(made_up(table))
    values = {name: figure.value for name, figure in figures.items()}
    expected = {
        "accuracy-scratch": .2, "accuracy-scratch-300": .2, "accuracy-both-1000": .72, "nats-tied-300": 1.8,
        "nats-language-model-100": 2.1, "accuracy-scratch-1000-compositional": .03,
        "boss2sql-works": .72, "boss2sql-never-again": .04, "boss2sql-pretraining-pays": .62 - .2,
        "pretraining-pays-causal": .5, "masked-decoder-serves": .72 - .7, "causal-decoder-over-masked": .08,
        "pretraining-compounds": .62 - .4, "pretraining-compounds-causal": .3, "tied-in-small": .5 - .62,
        "single-stack-suffices": -.05, "conditioning-matters": 1.8}
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert "accuracy-language-model" not in values and "accuracy-tied-1000-compositional" not in values


def test_intervals_are_paired_by_seed_and_students():
    # Both arms move together by seed: a paired interval of their difference has no width.
    figures = pretrained_halves.figures_of(made_up(lambda arm, pairs, split, seed: .3 * (arm == "both") + seed / 10))
    pays = figures["boss2sql-pretraining-pays"]
    assert (pays.low, pays.high) == pytest.approx((.3, .3))
    works = figures["boss2sql-works"]
    low, high = stats.t.interval(.95, 2, loc=.4, scale=stats.sem([.3, .4, .5]))
    assert (works.low, works.high) == pytest.approx((low, high), rel=1e-4)
    assert (works.n, works.unit) == (3, "share") and "t-interval" in works.spread


def test_a_seed_that_lacks_a_run_is_not_passed_over():
    with pytest.raises(KeyError):
        pretrained_halves.figures_of(made_up(table)[:-1])


def test_summary_is_over_its_baseline():
    results = [{"accuracy": accuracy, "nats": 1.0} for accuracy in (.6, .7, .8)]
    figures = request_to_sql.summary("x", results, Figure(.2, .2, .2, "share", 10, "exact"))
    assert figures["over-nearest-neighbour-x"].value == pytest.approx(.5)
    half = figures["accuracy-x"].high - .7
    assert half == pytest.approx(stats.t.ppf(.975, 2) * statistics.stdev([.6, .7, .8]) / math.sqrt(3), rel=1e-4)


# Whole runs

def test_halves_run_and_go_on(tmp_path, capsys, monkeypatch):
    arguments = ["--quick", "--seeds", "0", "--results", str(tmp_path / "r"), "--runs", str(tmp_path)]
    pretrained_halves.main(arguments)
    kept = (tmp_path / "pretrained_halves" / "unfinished.jsonl").read_text().splitlines()
    assert len(kept) == len(pretrained_halves.grid([0], (10, 20)))
    [found] = load("pretrained_halves", tmp_path / "r")
    assert "accuracy-both-causal-20" in found.figures and found.figures["boss2sql-works"].n == 1
    keys = [json.loads(line)[0] for line in kept]
    assert all(key["width"] == 16 and key["steps"] == 4 and key["optimiser"] for key in keys)

    # Nothing is trained a second time, and the figures are the same.
    monkeypatch.setattr(pretrained_halves, "Corpus", None)
    pretrained_halves.main(arguments)
    [again] = load("pretrained_halves", tmp_path / "r")
    assert again.figures == found.figures
    assert capsys.readouterr().out.splitlines()[-1].startswith("wrote ")


@pytest.fixture
def geoquery(tmp_path):
    """A folder in the format of GeoQuery: four questions, two of them to train on."""
    def entry(sql, split, *sentences):
        return {"sql": [sql], "query-split": split, "variables": [], "sentences": [
            {"text": text, "question-split": part, "variables": {}} for text, part in sentences]}
    folder = tmp_path / "geoquery"
    folder.mkdir()
    entries = [entry("SELECT C.NAME FROM C ;", "train", ("what are the cities", "train"), ("cities ?", "dev")),
               entry("SELECT C.SIZE FROM C WHERE C.NAME = \"san jose\" ;", "train", ("how big is san jose", "train")),
               entry("SELECT MAX( C.SIZE ) FROM C ;", "test", ("how big is the biggest of the cities", "test"))]
    (folder / "geo.json").write_text(json.dumps(entries))
    connection = sqlite3.connect(folder / "geo.sqlite")
    connection.executescript("CREATE TABLE C (NAME, SIZE); INSERT INTO C VALUES ('san jose', 2), ('reno', 3);")
    connection.close()
    return folder


def test_requests_run_with_real_questions_and_go_on(tmp_path, geoquery, monkeypatch):
    english = tmp_path / "english.txt"
    english.write_text("A dog runs.\nTwo dogs run.\n")
    arguments = ["--quick", "--seeds", "0", "1", "--results", str(tmp_path / "r"), "--runs", str(tmp_path),
                 "--data", str(geoquery), "--english", str(english)]
    request_to_sql.main(arguments)
    [found] = load("request_to_sql", tmp_path / "r")
    names = ["iid", "compositional", *(f"geoquery-{split}-{arm}" for split in ("question", "query")
                                       for arm in ("scratch", "pretrained"))]
    splits = ["iid", "compositional", "geoquery-question", "geoquery-query"]
    assert set(found.figures) == {
        "boss2sql-real-questions", "training-cpu-time", *(f"nearest-neighbour-{split}" for split in splits),
        *(f"{what}-{name}" for name in names
          for what in ("accuracy", "over-nearest-neighbour", "nats"))}
    assert found.figures["accuracy-iid"].n == 2
    assert str(tmp_path) not in json.dumps(found.settings)
    # One question to test on, and no query of training answers it.
    assert found.figures["nearest-neighbour-geoquery-question"].value == 0

    monkeypatch.setattr(request_to_sql, "tune", None)
    request_to_sql.main(arguments)
    [again] = load("request_to_sql", tmp_path / "r")
    del again.figures["training-cpu-time"], found.figures["training-cpu-time"]
    assert again.figures == found.figures


def test_english_that_is_not_there(tmp_path):
    with pytest.raises(SystemExit, match="none.txt: no such file"):
        request_to_sql.main(["--quick", "--english", str(tmp_path / "none.txt"), "--runs", str(tmp_path)])
    assert not any(tmp_path.iterdir())


def test_training_time_is_scaled_to_all_steps(texts, pairs, monkeypatch):
    ticks = iter(range(0, 1000, 3))    # each training reads the clock twice: 3 s
    monkeypatch.setattr(request_to_sql.time, "process_time", lambda: next(ticks))
    figure = request_to_sql.training_time(texts, pairs, SIZES, dict(batch=4, steps=100), repeats=5, steps=2)
    assert (figure.value, figure.low, figure.high, figure.n) == (150, 150, 150, 5)
