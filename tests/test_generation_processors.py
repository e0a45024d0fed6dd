"""Each processor against the one of the same name in transformers, value by value."""
import math

import pytest
import torch
from transformers.generation import logits_process as theirs

from course_lib.generation import GenerationConfig
from course_lib.generation import processors as ours

INF = math.inf


def cases():
    """Names and float [rows, vocabulary]: smooth, with ties, sharp, flat, and partly ruled out."""
    torch.manual_seed(0)
    for vocabulary in (2, 7, 40):
        scores = 3 * torch.randn(16, vocabulary)
        yield f"smooth-{vocabulary}", scores
        yield f"ties-{vocabulary}", scores.round()
        yield f"sharp-{vocabulary}", 20 * scores
        yield f"flat-{vocabulary}", torch.zeros(3, vocabulary)
        holes = scores.masked_fill(torch.rand_like(scores) < 0.4, -INF)
        holes[:, 1] = scores[:, 1]   # one is left in each row
        yield f"holes-{vocabulary}", holes
        one_left = torch.full((2, vocabulary), -INF)
        one_left[:, 1] = -3
        yield f"one-left-{vocabulary}", one_left
    yield "one-token", torch.tensor([[0.5], [-2.0]])


CASES = dict(cases())
WARPERS = [
    ("temperature", theirs.TemperatureLogitsWarper, [0.1, 0.7, 1.0, 3.0]),
    ("top_k", theirs.TopKLogitsWarper, [1, 2, 5, 100]),
    ("top_p", theirs.TopPLogitsWarper, [0.0, 0.05, 0.3, 0.5, 0.9, 0.999, 1.0]),
    ("min_p", theirs.MinPLogitsWarper, [0.0, 0.02, 0.3, 1.0]),
    ("typical_p", theirs.TypicalLogitsWarper, [0.01, 0.2, 0.5, 0.9, 0.999]),
    ("epsilon_cutoff", theirs.EpsilonLogitsWarper, [3e-4, 0.02, 0.2, 0.9]),
    ("eta_cutoff", theirs.EtaLogitsWarper, [3e-4, 0.02, 0.2, 0.9]),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name, warper, values", WARPERS, ids=[name for name, *_ in WARPERS])
def test_filters_of_the_distribution(name, warper, values, case):
    scores = CASES[case]
    before = scores.clone()
    for value in values:
        mine, expected = getattr(ours, name)(scores, value), warper(value)(None, scores)
        if name == "top_p":   # which of tied tokens stay is the sort's choice: what stays is not
            mine, expected = mine.sort(-1)[0], expected.sort(-1)[0]
        assert torch.equal(mine, expected), value
    assert torch.equal(scores, before)


def test_typical_mass_that_is_reached_exactly():
    torch.manual_seed(5)
    for scores in 2 * torch.randn(10, 1, 9):
        log_p = scores.log_softmax(-1)
        distance = (-log_p - (-(log_p * log_p.exp()).sum())).abs()
        reached = scores.gather(-1, distance.argsort(-1)).softmax(-1).cumsum(-1)[0]
        for mass in reached[:6].tolist():
            expected = theirs.TypicalLogitsWarper(mass)(None, scores)
            assert torch.equal(ours.typical_p(scores, mass), expected)


def test_renormalize():
    scores = CASES["holes-7"].clone()
    scores[3] = -INF
    found, expected = ours.renormalize(scores), theirs.LogitNormalization()(None, scores)
    assert (found[3] == -INF).all() and expected[3].isnan().all()   # a beam without continuation just ends
    expected[3] = -INF
    assert torch.equal(found, expected)


@pytest.mark.parametrize("words, rows, length", [(1, 1, 1), (2, 1, 5), (7, 16, 12), (3, 16, 30), (1, 2, 4)])
def test_what_looks_at_the_text(words, rows, length):
    torch.manual_seed(1)
    text = torch.randint(0, words, (rows, length))
    scores = 3 * torch.randn(len(text), 7)
    scores[:, 2] = -INF
    scores[:, 4] = 0
    for penalty in (0.5, 1.0, 1.3, 10.0):
        expected = theirs.RepetitionPenaltyLogitsProcessor(penalty)(text, scores.clone())
        assert torch.equal(ours.repetition_penalty(scores, text, penalty), expected)
    for n in (1, 2, 3, 4, 20):
        expected = theirs.NoRepeatNGramLogitsProcessor(n)(text, scores)
        assert torch.equal(ours.no_repeat_ngram(scores, text, n), expected)
    suppressed = theirs.SuppressTokensLogitsProcessor([1, 5])(text, scores)
    assert torch.equal(ours.suppress(scores, [1, 5]), suppressed)
    forced = theirs.ForcedEOSTokenLogitsProcessor(text.shape[1] + 1, [1, 5])(text, scores)
    assert torch.equal(ours.force(scores, [1, 5]), forced)


def test_repetition_by_hand():
    scores = torch.tensor([[2.0, -2.0, 0.0, -INF, 4.0]])
    text = torch.tensor([[0, 0, 1, 2, 3]])   # 0 occurs twice and is penalised once
    assert ours.repetition_penalty(scores, text, 2.0).tolist() == [[1.0, -4.0, 0.0, -INF, 4.0]]


def test_ngrams_by_brute_force():
    torch.manual_seed(2)
    for n in (1, 2, 3):
        text = torch.randint(0, 3, (20, 9))
        found = ours.no_repeat_ngram(torch.zeros(20, 3), text, n)
        for row, scores in zip(text.tolist(), found.tolist()):
            for token in range(3):
                ngrams = [tuple((row + [token])[i:i + n]) for i in range(len(row) + 2 - n)]
                assert (scores[token] == -INF) == (ngrams[-1] in ngrams[:-1])


def test_an_id_beyond_the_vocabulary_is_padding():
    scores = torch.randn(1, 4, generator=torch.Generator().manual_seed(0))
    padded, text = torch.tensor([[4, 4, 4, 1, 2, 1]]), torch.tensor([[1, 2, 1]])
    for function in (ours.repetition_penalty, ours.no_repeat_ngram):
        for value in (1, 2, 3):
            assert torch.equal(function(scores, padded, value), function(scores, text, value))


ALL = dict(max_new_tokens=6, min_new_tokens=3, eos_token_id=(0, 4), pad_token_id=0, repetition_penalty=1.4,
           no_repeat_ngram_size=2, suppress_tokens=(6,), forced_eos_token_id=4, do_sample=True,
           temperature=0.8, top_k=9, top_p=0.95, min_p=0.01, typical_p=0.9, epsilon_cutoff=0.001,
           eta_cutoff=0.002, renormalize_logits=True)


def their_list(options, prompt_length):
    """What transformers builds from these options."""
    from transformers import GenerationConfig as TheirConfig
    from transformers import GPT2Config, GPT2LMHeadModel
    model = GPT2LMHeadModel(GPT2Config(vocab_size=12, n_positions=16, n_embd=4, n_layer=1, n_head=1))
    config = TheirConfig(**{"top_k": 0, **options, "eos_token_id": list(options["eos_token_id"])},
                         max_length=prompt_length + options["max_new_tokens"])
    model._prepare_special_tokens(config)
    return model._get_logits_processor(config, prompt_length, device="cpu")


@pytest.mark.parametrize("options", [
    ALL, {**ALL, "renormalize_logits": False}, {**ALL, "top_k": 2},
    {"max_new_tokens": 6, "min_new_tokens": 2, "eos_token_id": (1,), "repetition_penalty": 0.7},
], ids=["all", "raw", "top-2", "greedy"])
def test_the_whole_list_in_order(options):
    torch.manual_seed(3)
    mine = ours.make_processors(GenerationConfig(**options), prompt_length=4)
    expected = their_list(options, 4)
    assert len(mine) == len(expected)
    for length in range(4, 10):
        text, scores = torch.randint(0, 12, (32, length)), 3 * torch.randn(32, 12)
        found = scores
        for process in mine:
            found = process(found, text)
        assert torch.equal(found.nan_to_num(7), expected(text, scores).nan_to_num(7))


def test_forced_beginning():
    [process] = ours.make_processors(GenerationConfig(forced_bos_token_id=2), prompt_length=1)
    expected = theirs.ForcedBOSTokenLogitsProcessor(2)
    for length in (1, 2):
        text, scores = torch.zeros(2, length, dtype=torch.long), torch.randn(2, 5)
        assert torch.equal(process(scores, text), expected(text, scores))


def test_defaults_change_nothing():
    assert ours.make_processors(GenerationConfig(), prompt_length=3) == []
    sampling = GenerationConfig(do_sample=True)   # no hidden top_k of 50
    assert ours.make_processors(sampling, prompt_length=3) == []


def test_padding_is_no_text_for_repeated_rows():
    """Each row of the list's result is what the row gives alone, without its padding."""
    torch.manual_seed(4)
    text, scores = torch.randint(0, 5, (6, 7)), torch.randn(6, 5)
    padding = torch.tensor([0, 3, 5])
    for options in ({"repetition_penalty": 2.0}, {"no_repeat_ngram_size": 2}):
        [process] = ours.make_processors(GenerationConfig(**options), prompt_length=7, padding=padding)
        [alone] = ours.make_processors(GenerationConfig(**options), prompt_length=7)
        found = process(scores, text)
        for row in range(6):
            expected = alone(scores[row:row + 1], text[row:row + 1, padding[row // 2]:])
            assert torch.equal(found[row:row + 1], expected)


@pytest.mark.parametrize("name, values, message", [
    ("temperature", [0, 0.0, -1, INF, math.nan], "temperature=.* must be above 0; greedy decoding is"),
    ("top_k", [0, -3, 1.5, INF, math.nan], "top_k=.* must be at least 1 and whole"),
    ("top_p", [-0.1, 1.1, math.nan], "top_p=.* must be from 0 to 1"),
    ("min_p", [-0.1, 1.1], "min_p=.* must be from 0 to 1"),
    ("typical_p", [0, 1, 2], "typical_p=.* must be above 0 and below 1"),
    ("epsilon_cutoff", [0, 1], "epsilon_cutoff=.* must be above 0 and below 1"),
    ("eta_cutoff", [0, 1], "eta_cutoff=.* must be above 0 and below 1"),
])
def test_bad_values(name, values, message):
    for value in values:
        with pytest.raises(ValueError, match=message):
            getattr(ours, name)(torch.zeros(1, 3), value)
        with pytest.raises(ValueError, match=message):   # before any token is computed
            GenerationConfig(do_sample=True, **{name: value})


def test_bad_values_of_what_looks_at_the_text():
    text = torch.zeros(1, 3, dtype=torch.long)
    for penalty in (0, -1, INF):
        with pytest.raises(ValueError, match="repetition_penalty=.* must be above 0"):
            ours.repetition_penalty(torch.zeros(1, 3), text, penalty)
        with pytest.raises(ValueError, match="repetition_penalty=.* must be above 0"):
            GenerationConfig(repetition_penalty=penalty)
    with pytest.raises(ValueError, match="no_repeat_ngram_size=0 must be at least 1"):
        ours.no_repeat_ngram(torch.zeros(1, 3), text, 0)
