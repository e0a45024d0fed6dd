"""What has no counterpart in transformers, against brute force: exhaustive search, references without
cache and tensors, exact probabilities. And that no row depends on its padding or its neighbours."""
import itertools
import math

import pytest
import torch
from torch.nn.functional import cosine_similarity
from transformers.generation.utils import _speculative_sampling

from course_lib.generation import GenerationConfig, generate, left_pad
from course_lib.generation.beam_search import Beams
from course_lib.generation.config import Stopping
from course_lib.generation.processors import no_repeat_ngram, repetition_penalty
from course_lib.generation.speculative import verify
from course_lib.transformer import Transformer, TransformerConfig


def make(seed=0, kind="decoder", vocabulary=12, width=16, layers=1, spread=0.5):
    """A model of which every parameter is random, and whose texts vary."""
    both = kind == "encoder-decoder"
    model = Transformer(TransformerConfig(
        vocabulary, width, 2, encoder_layers=layers * both, decoder_layers=layers, context=32,
        decoder_start_token_id=0 if both else None))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator))
            parameter.mul_(3 if "positions" in name else 1)
            parameter.add_(1 if "norm" in name and "weight" in name else 0)
    return model.eval()


def prompts(seed, rows=2, length=4, vocabulary=12):
    return torch.randint(0, vocabulary, (rows, length), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def log_p(model, source, new):
    """log p(next token) of one row, from scratch. source: the prompt, or an encoder-decoder's source."""
    if model.config.kind == "decoder":
        logits = model(torch.tensor([source + new])).logits
    else:
        logits = model(torch.tensor([source]), torch.tensor([[0] + new])).logits
    return logits[0, -1].log_softmax(-1)


# ---------------------------------------------------------------- beams

@pytest.mark.parametrize("length_penalty", [-1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("end", [(), (2,), (0, 3)])
def test_wide_beams_find_the_best_of_all_sequences(end, length_penalty):
    """Beams wider than the vocabulary: as many as there are beginnings, so that none is lost."""
    model, longest = make(vocabulary=4), 3
    ids = prompts(1, vocabulary=4)
    found = generate(model, ids, max_new_tokens=longest, num_beams=64, num_return_sequences=30,
                     eos_token_id=end, length_penalty=length_penalty, early_stopping="never")
    for row, source in enumerate(ids.tolist()):
        complete = []
        for length in range(1, longest + 1):
            for new in itertools.product(range(4), repeat=length):
                if any(token in end for token in new[:-1]) or not (new[-1] in end or length == longest):
                    continue
                total = sum(float(log_p(model, source, list(new[:i]))[token]) for i, token in enumerate(new))
                complete.append((total / length ** length_penalty, list(new)))
        complete = sorted(complete, reverse=True)[:30]
        mine = slice(30 * row, 30 * row + len(complete))
        assert found.new_tokens[mine] == [new for _, new in complete]
        assert found.scores[mine].tolist() == pytest.approx([score for score, _ in complete], abs=1e-4)


def test_sequences_that_do_not_exist_are_missing():
    found = generate(make(vocabulary=4), prompts(1, rows=1, vocabulary=4), max_new_tokens=1, num_beams=6,
                     num_return_sequences=6, pad_token_id=3)
    assert sorted(found.new_tokens[:4]) == [[0], [1], [2], [3]] and found.new_tokens[4:] == [[], []]
    assert found.reasons == ["length"] * 4 + ["missing"] * 2
    assert found.scores[4:].tolist() == [-math.inf] * 2
    assert found.sequences[4:, -1].tolist() == [3, 3]


def reference(model, source, groups, width, diversity_penalty, longest, end, length_penalty, early_stopping):
    """(Diverse) beam search of one row as lists of beams, each from scratch: score and new tokens."""
    running, ended = [[(0.0, [])] for _ in range(groups)], [[] for _ in range(groups)]
    open_ = [True] * groups
    for step in range(1, longest + 1):
        taken = []
        for g in range(groups):
            if not open_[g]:
                continue
            candidates = []
            for score, new in running[g]:
                for token, value in enumerate(log_p(model, source, new).tolist()):
                    value -= diversity_penalty * taken.count(token)
                    candidates.append((score + value, new + [token]))
            candidates = sorted(candidates, reverse=True)[:2 * width]
            taken += [new[-1] for _, new in candidates[:width]]
            running[g], full = [], len(ended[g]) == width
            for rank, (score, new) in enumerate(candidates):
                if new[-1] == end or step == longest:
                    if rank < width and not (full and early_stopping is True):
                        ended[g].append((score / step ** length_penalty, new))
                elif len(running[g]) < width:
                    running[g].append((score, new))
            ended[g] = sorted(ended[g], reverse=True)[:width]
            if len(ended[g]) == width:
                length = longest if early_stopping == "never" and length_penalty > 0 else step
                best = running[g][0][0] / length ** length_penalty if running[g] else -math.inf
                open_[g] = early_stopping is not True and best > ended[g][-1][0]
    return sorted(itertools.chain(*ended), reverse=True)


@pytest.mark.parametrize("early_stopping", [False, True, "never"])
@pytest.mark.parametrize("groups, width, penalty",
                         [(1, 3, 0.0), (2, 2, 0.0), (2, 2, 0.7), (3, 1, 1.5), (3, 2, 0.4)])
def test_diverse_beam_search(groups, width, penalty, early_stopping):
    ended = total = 0
    for seed in range(6):
        model, ids = make(seed), prompts(seed, rows=1)
        texts = generate(model, prompts(seed, rows=8), eos_token_id=()).sequences[:, 4:]
        end = int(texts.flatten().bincount(minlength=12).argsort()[-2])   # the second most frequent token
        length_penalty = [0.0, 1.0, -0.5][seed % 3]
        found = generate(model, ids, num_beams=groups * width, num_beam_groups=groups, max_new_tokens=6,
                         diversity_penalty=penalty, length_penalty=length_penalty, eos_token_id=end,
                         early_stopping=early_stopping, num_return_sequences=groups * width)
        scores, new = zip(*reference(model, ids[0].tolist(), groups, width, penalty, 6, end, length_penalty,
                                     early_stopping))
        assert found.scores.tolist() == pytest.approx(scores, abs=1e-4)
        if penalty:   # without it groups are equal, and the order among equals is anyone's
            assert found.new_tokens == list(new)
        else:
            assert sorted(found.new_tokens) == sorted(new)
        ended += found.reasons.count("eos")
        total += len(found.reasons)
    assert 0.1 < ended / total


def test_never_stops_early_where_short_ones_are_favoured():
    """With a length penalty below 0 the present length is the one that suits a running beam best."""
    config = GenerationConfig(max_new_tokens=10, num_beams=2, eos_token_id=0, pad_token_id=0,
                              early_stopping="never", length_penalty=-1.0)
    beams = Beams(1, 2, config, Stopping(config))
    no = [-9.0, -9.0, -9.0]
    beams.advance(torch.tensor([[[-0.5, -0.6, -5.0], no]]))   # [0] ends with -0.5
    beams.advance(torch.tensor([[[-2.4, -0.1, -9.0], no]]))   # [1, 0] ends with (-0.6 - 2.4) * 2 = -6
    assert not beams.done
    beams.advance(torch.tensor([[[-0.1, -9.0, -9.0], no]]))   # [1, 1, 0] ends with -0.8 * 3 and replaces it
    assert beams.ended_scores[0].tolist() == pytest.approx([-0.5, -2.4])


def test_diversity_makes_groups_differ():
    ids = prompts(0, rows=3)
    first = {}
    for penalty in (0.0, 100.0):
        found = generate(make(), ids, num_beams=4, num_beam_groups=4, diversity_penalty=penalty,
                         num_return_sequences=4, eos_token_id=(), max_new_tokens=5)
        first[penalty] = [len({tuple(new) for new in found.new_tokens[i:i + 4]}) for i in (0, 4, 8)]
        if penalty:
            for i in (0, 4, 8):   # no token at the same place twice
                assert all(len(set(tokens)) == 4 for tokens in zip(*found.new_tokens[i:i + 4]))
    assert first == {0.0: [1, 1, 1], 100.0: [4, 4, 4]}


# ---------------------------------------------------------------- contrastive search

@torch.no_grad()
def contrastive_reference(model, source, k, alpha, steps, n=0, penalty=1.0):
    """Each candidate from scratch, for one row."""
    new = []
    for _ in range(steps):
        def hidden(new):
            if model.config.kind == "decoder":
                return model(torch.tensor([source + new])).hidden[0]
            return model(torch.tensor([source]), torch.tensor([[0] + new])).hidden[0]
        text = torch.tensor([source + new if model.config.kind == "decoder" else [0] + new])
        scores = model.head(hidden(new))[-1:]
        if penalty != 1:
            scores = repetition_penalty(scores, text, penalty)
        if n:
            scores = no_repeat_ngram(scores, text, n)
        p, tokens = scores.softmax(-1)[0].topk(k)
        best = []
        for probability, token in zip(p.tolist(), tokens.tolist()):
            told = hidden(new + [token])
            likeness = max(float(cosine_similarity(told[-1], before, dim=0)) for before in told[:-1])
            if probability > 0:
                best.append(((1 - alpha) * probability - alpha * likeness, token))
        new.append(max(best)[1])
    return new


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("k, alpha, n, penalty", [
    (4, 0.6, 0, 1.0), (2, 0.3, 0, 1.0), (12, 0.9, 0, 1.0), (4, 0.0, 0, 1.0), (40, 1.0, 1, 1.0),
    (5, 0.5, 2, 1.3)])
def test_contrastive_search(kind, k, alpha, n, penalty):
    for seed in range(3):
        model, ids = make(seed, kind), prompts(seed)
        found = generate(model, ids, top_k=k, penalty_alpha=alpha, no_repeat_ngram_size=n,
                         repetition_penalty=penalty, max_new_tokens=7, eos_token_id=())
        for row, source in enumerate(ids.tolist()):
            expected = contrastive_reference(model, source, min(k, 12), alpha, 7, n, penalty)
            assert found.new_tokens[row] == expected


def test_contrastive_search_with_alpha_0_is_greedy_and_with_more_is_not():
    model, ids = make(1), prompts(1, rows=4)
    plain = generate(model, ids, eos_token_id=()).new_tokens
    assert generate(model, ids, eos_token_id=(), penalty_alpha=0.0, top_k=4).new_tokens == plain
    assert generate(model, ids, eos_token_id=(), penalty_alpha=0.6, top_k=4).new_tokens != plain


# ---------------------------------------------------------------- speculative decoding

@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("options", [
    {}, {"eos_token_id": 5}, {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
    {"min_new_tokens": 9, "eos_token_id": (1, 2, 3, 4)}, {"max_new_tokens": 1}], ids=str)
def test_greedy_speculation_changes_nothing_but_the_steps(kind, options):
    options = {"max_new_tokens": 13, "eos_token_id": ()} | options
    saved = 0
    for seed, guesses in itertools.product(range(4), (1, 2, 5, 30)):
        model, ids = make(seed, kind, layers=2), prompts(seed, rows=1)
        close = make(seed, kind, layers=2)   # mostly right
        torch.manual_seed(9)
        close.head.output.weight.data += 0.15 * torch.randn_like(close.head.output.weight)
        plain = generate(model, ids, **options)
        for draft in (model, close, make(seed + 50, kind)):
            found = generate(model, ids, draft=draft, num_draft_tokens=guesses, **options)
            assert found.new_tokens == plain.new_tokens and found.reasons == plain.reasons
            assert torch.equal(found.sequences, plain.sequences)
            assert found.steps <= plain.steps
            saved += plain.steps - found.steps
            if draft is model:
                assert found.steps == math.ceil(len(plain.new_tokens[0]) / (guesses + 1))
    assert saved > 0 or options["max_new_tokens"] == 1


def test_verify_against_transformers():
    for seed in range(60):
        torch.manual_seed(seed)
        n, vocabulary = 1 + seed % 5, 6
        draft, target = 2 * torch.randn(n, vocabulary), torch.randn(n + 1, vocabulary)
        target[:n] = draft + (seed % 3) * target[:n]
        guesses = torch.multinomial(draft.softmax(-1), 1)[:, 0]
        torch.manual_seed(seed)
        kept, token = verify(guesses, draft.softmax(-1), target.softmax(-1))
        torch.manual_seed(seed)
        tokens, matches = _speculative_sampling(guesses[None], draft[None], n, target[None])
        assert guesses[:kept].tolist() + [token] == tokens[0].tolist() and kept == int(matches)


def test_verify_where_one_of_the_two_has_no_mass(monkeypatch):
    guesses = torch.tensor([0])
    sure, other = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    for _ in range(20):
        assert verify(guesses, sure, torch.cat([other, sure])) == (0, 1)   # never what the target rules out
        assert verify(guesses, sure, torch.cat([sure, other])) == (1, 1)
    # Rejected, and the draft has as much mass everywhere: rounding can do that. The target decides.
    assert verify(guesses, 1e6 * sure, torch.cat([sure, other])) == (0, 0)
    monkeypatch.setattr(torch, "rand", lambda n, **_: torch.zeros(n))   # the smallest number it can draw
    assert verify(guesses, sure, torch.cat([other, sure])) == (0, 1)


@pytest.mark.parametrize("options", [
    {}, {"temperature": 1.5, "top_k": 3}, {"no_repeat_ngram_size": 1}], ids=str)
def test_sampled_speculation_has_the_distribution_of_the_model(options):
    """Chi-square over all texts of two tokens; 37.7 is its 99.9 % quantile for 15 degrees of freedom."""
    model, draft, ids = make(0, vocabulary=4, width=4), make(7, vocabulary=4, width=4), prompts(0, 1, 2, 4)
    runs, counts = 1500, {}
    generator = torch.Generator().manual_seed(0)
    options = {"do_sample": True, "max_new_tokens": 2, "num_draft_tokens": 1, "eos_token_id": (), **options}
    for _ in range(runs):
        [new] = generate(model, ids, draft=draft, generator=generator, **options).new_tokens
        counts[tuple(new)] = counts.get(tuple(new), 0) + 1
    expected = {}
    for new in itertools.product(range(4), repeat=2):
        p = 1.0
        for i, token in enumerate(new):
            scores = log_p(model, ids[0].tolist(), list(new[:i]))[None] / options.get("temperature", 1)
            if "top_k" in options:
                scores[scores < scores.topk(3)[0][:, -1:]] = -math.inf
            if "no_repeat_ngram_size" in options:
                scores[0, ids[0].tolist() + list(new[:i])] = -math.inf
            p *= float(scores.softmax(-1)[0, token])
        if p:
            expected[new] = p * runs
    assert set(counts) <= set(expected)
    assert min(expected.values()) > 2
    assert sum((counts.get(new, 0) - value) ** 2 / value for new, value in expected.items()) < 37.7


def test_no_guess_beyond_the_last_token(monkeypatch):
    model, draft, ids = make(0), make(1), prompts(0, rows=1)
    calls = []
    forward = draft.forward
    monkeypatch.setattr(draft, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    generate(model, ids, draft=draft, max_new_tokens=1)
    assert calls == []
    generate(model, ids, draft=draft, max_new_tokens=3, eos_token_id=(), num_draft_tokens=9)
    assert len(calls) <= 2 + 1   # all but the last token; then all but the last of the rest


def test_a_draft_that_has_no_token_left_stops_guessing():
    model, draft, ids = make(0), make(0), prompts(0, rows=1)
    with torch.no_grad():
        draft.decoder.final_norm.bias.fill_(math.nan)
    plain = generate(model, ids, eos_token_id=())
    found = generate(model, ids, eos_token_id=(), draft=draft)
    assert found.new_tokens == plain.new_tokens and found.steps == plain.steps


# ---------------------------------------------------------------- padding, neighbours, the cache

METHODS = {"greedy": {"no_repeat_ngram_size": 3, "repetition_penalty": 1.2},
           "beams": {"num_beams": 3, "num_return_sequences": 2, "repetition_penalty": 1.2},
           "diverse": {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.8,
                       "no_repeat_ngram_size": 2},
           "contrastive": {"penalty_alpha": 0.7, "top_k": 4}}


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("method", METHODS)
def test_a_row_is_continued_as_it_would_be_alone(kind, method):
    """Also across end tokens: rows end at different steps."""
    lengths = set()
    for seed in range(4):
        model = make(seed, kind)
        texts = [prompts(seed + 10 * n, rows=1, length=n)[0].tolist() for n in (1, 5, 3, 7)]
        ids, mask = left_pad(texts, pad_token_id=seed)   # a token that is used as a word as well
        options = METHODS[method] | {"max_new_tokens": 8, "eos_token_id": (3, 7), "pad_token_id": 0}
        together = generate(model, ids, padding_mask=mask, **options)
        alone = [generate(model, torch.tensor([text]), **options) for text in texts]
        assert together.new_tokens == [new for one in alone for new in one.new_tokens]
        assert together.reasons == [reason for one in alone for reason in one.reasons]
        lengths |= set(map(len, together.new_tokens))
    assert len(lengths) > 1


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_greedy_by_brute_force(kind):
    for seed in range(4):
        model, ids = make(seed, kind), prompts(seed)
        found = generate(model, ids, max_new_tokens=9, eos_token_id=())
        for row, source in enumerate(ids.tolist()):
            new = []
            for _ in range(9):
                new.append(int(log_p(model, source, new).argmax()))
            assert found.new_tokens[row] == new


def test_the_prompt_of_a_prefix_model_sees_itself():
    differ = 0
    for seed in range(4):
        # In one layer the last token sees the same keys with both masks.
        model, ids = make(seed, layers=2, spread=1.0), prompts(seed, rows=1, length=6)
        found = generate(model, ids, max_new_tokens=5, eos_token_id=(), prefix_length=6)
        new = []
        with torch.no_grad():
            for _ in range(5):
                text = torch.tensor([ids[0].tolist() + new])
                new.append(int(model(text, prefix_length=6).logits[0, -1].argmax()))
        assert found.new_tokens == [new]
        differ += found.new_tokens != generate(model, ids, max_new_tokens=5, eos_token_id=()).new_tokens
    assert differ
