"""Bad input, ends, time, streams, candidates of one prefill, and what `generate` leaves behind."""
import itertools
import math

import pytest
import torch

from course_lib.generation import (
    Generated, GenerationConfig, TextStream, before_stop, generate, left_pad, stream)
from course_lib.transformer import Transformer, TransformerConfig


def make(kind="decoder", seed=9, dropout=0.0, **options):
    both = kind == "encoder-decoder"
    torch.manual_seed(seed)
    model = Transformer(TransformerConfig(
        12, 16, 2, encoder_layers=int(kind != "decoder"), decoder_layers=int(kind != "encoder"), context=32,
        dropout=dropout, **({"decoder_start_token_id": 0} if both else {}), **options))
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=1.5 if "positions" in name else 0.5)
        if "norm" in name and "weight" in name:
            parameter.data += 1
    return model


MODEL = make().eval()
IDS = torch.tensor([[3, 1, 4], [1, 5, 9]])
LONG = dict(max_new_tokens=8, eos_token_id=())


# ---------------------------------------------------------------- bad input

@pytest.mark.parametrize("options, message", [
    ({"max_new_tokens": 0}, "max_new_tokens=0 must be 1 or a larger integer"),
    ({"max_new_tokens": 2.5}, "max_new_tokens=2.5 must be 1 or"),
    ({"min_new_tokens": 30}, "min_new_tokens is more than max_new_tokens"),
    ({"num_beams": 0}, "num_beams=0 must be 1 or"),
    ({"no_repeat_ngram_size": -1}, "no_repeat_ngram_size=-1 must be"),
    ({"max_time": 0}, "max_time=0 must be above 0 seconds"),
    ({"stop_strings": ["a", ""]}, "an empty stop string"),
    ({"temperature": 0, "do_sample": True}, "greedy decoding is do_sample=False"),
    ({"temperature": 0.5, "top_p": 0.5}, "temperature, top_p: without effect unless do_sample=True"),
    ({"num_return_sequences": 2}, "all num_return_sequences would be the same"),
    ({"num_return_sequences": 4, "num_beams": 3}, "num_return_sequences is more than num_beams"),
    ({"do_sample": True, "num_beams": 3}, "beam search does not sample"),
    ({"num_beams": 4, "early_stopping": "always"}, "early_stopping must be True, False or 'never'"),
    ({"num_beams": 5, "num_beam_groups": 2}, "num_beams must be a multiple of num_beam_groups"),
    ({"num_beams": 4, "diversity_penalty": 1.0}, "diversity_penalty needs num_beam_groups"),
    ({"penalty_alpha": 0.6}, "give top_k=4"),
    ({"penalty_alpha": 0.6, "top_k": 1}, "give top_k=4"),
    ({"penalty_alpha": 1.5, "top_k": 4}, "penalty_alpha=1.5 must be from 0 to 1"),
    ({"penalty_alpha": 0.6, "top_k": 4, "do_sample": True}, "neither samples nor has beams"),
    ({"penalty_alpha": 0.6, "top_k": 4, "num_beams": 2}, "neither samples nor has beams"),
])
def test_options_that_do_not_fit(options, message):
    with pytest.raises(ValueError, match=message):
        GenerationConfig(**options)
    with pytest.raises(ValueError, match=message):
        generate(MODEL, IDS, **options)


def test_an_unknown_option():
    with pytest.raises(TypeError, match="num_beam"):
        generate(MODEL, IDS, num_beam=3)


@pytest.mark.parametrize("ids, options, message", [
    (torch.tensor([1, 2]), {}, r"integer tensor \[batch, length\]"),
    ([[1, 2]], {}, r"integer tensor \[batch, length\]"),
    (torch.tensor([[1.0, 2.0]]), {}, r"integer tensor \[batch, length\]"),
    (torch.zeros(2, 0, dtype=torch.long), {}, "an empty prompt; give each one token at least"),
    (torch.zeros(0, 2, dtype=torch.long), {}, "an empty prompt"),
    (torch.tensor([[3, 12]]), {}, "input_ids hold 12; the vocabulary is 0 to 11"),
    (torch.tensor([[3, -1]]), {}, "input_ids hold -1; the vocabulary is 0 to 11"),
    (torch.ones(1, 33, dtype=torch.long), {}, "a prompt of 33 tokens leaves no room in the context of 32"),
    (torch.ones(1, 32, dtype=torch.long), {}, "a prompt of 32 tokens leaves no room in the context of 32"),
    (torch.ones(1, 30, dtype=torch.long), {"max_new_tokens": 8}, "30 tokens.*=8.* lower max_new_tokens to 2"),
    (IDS, {"padding_mask": torch.ones(2, 4)}, r"padding_mask is \[2, 4\], input_ids are \[2, 3\]"),
    (IDS, {"padding_mask": torch.tensor([[1, 1, 1], [0, 0, 0]])}, "a prompt that is all padding is empty"),
    (IDS, {"padding_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}, "pad them on the left"),
    (IDS, {"eos_token_id": 12}, "token 12 is not in the model's vocabulary, 0 to 11"),
    (IDS, {"suppress_tokens": [3, -1]}, "token -1 is not in the model's vocabulary"),
    (IDS, {"stop_strings": "x"}, "stop_strings need decode="),
    (IDS, {"draft": MODEL}, "speculative decoding continues one prompt, not 2"),
    (IDS[:1], {"draft": MODEL, "num_beams": 2}, "leave out draft or the other options"),
    (IDS[:1], {"draft": MODEL, "penalty_alpha": 0.5, "top_k": 4}, "leave out draft"),
    (IDS, {"prefix_length": 2, "model": make("encoder-decoder")}, "prefix_length is for a decoder"),
    (IDS[:1], {"draft": make("encoder-decoder")}, "the draft has kind encoder-decoder and 12"),
    (IDS[:1], {"draft": Transformer(TransformerConfig(13, 4, 1, 1))}, "kind decoder and 13 tokens"),
    (IDS[:1], {"draft": Transformer(TransformerConfig(12, 4, 1, 1, context=8))}, "the context of 8"),
])
def test_prompts_that_cannot_be_continued(ids, options, message):
    options = {"model": MODEL} | options
    with pytest.raises(ValueError, match=message):
        generate(input_ids=ids, **options)
    if "num_beams" not in options:
        with pytest.raises(ValueError, match=message):   # at once, not at the first step
            stream(input_ids=ids, **options)


def test_kinds_of_models():
    with pytest.raises(ValueError, match="an encoder cannot write"):
        generate(make("encoder"), IDS)
    both = Transformer(TransformerConfig(12, 4, 1, encoder_layers=1, decoder_layers=1))
    with pytest.raises(ValueError, match="give decoder_start_token_id"):
        generate(both, IDS)
    assert generate(both, IDS, decoder_start_token_id=7).sequences[:, 0].tolist() == [7, 7]
    two = Transformer(TransformerConfig(12, 4, 1, encoder_layers=1, decoder_layers=1, source_vocabulary=50,
                                        decoder_start_token_id=0, context=24))
    assert len(generate(two, torch.tensor([[49] * 24])).new_tokens[0]) == 20   # a context for each
    with pytest.raises(ValueError, match="input_ids hold 50; the vocabulary is 0 to 49"):
        generate(two, torch.tensor([[50]]))


def test_the_longest_prompt_and_text():
    assert generate(MODEL, torch.ones(1, 31, dtype=torch.long), max_new_tokens=1).sequences.shape == (1, 32)
    short = torch.ones(1, 1, dtype=torch.int32)
    assert generate(MODEL, short, max_new_tokens=31).sequences.shape == (1, 32)


METHODS = [{}, {"do_sample": True}, {"num_beams": 3}, {"penalty_alpha": 0.5, "top_k": 4}]


@pytest.mark.parametrize("options", METHODS, ids=str)
def test_a_row_without_a_token_left(options):
    with pytest.raises(ValueError, match="row 0: no token can be chosen.*suppress_tokens"):
        generate(MODEL, IDS, suppress_tokens=range(12), **options)


@pytest.mark.parametrize("temperature", [1e-40, 1e-320])
def test_a_temperature_so_small_that_scores_overflow(temperature):
    with pytest.raises(ValueError, match="row 0: no token can be chosen.*temperature is so small that"):
        generate(MODEL, IDS, do_sample=True, temperature=temperature)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("options", METHODS, ids=str)
def test_broken_weights(options, bad):
    model = make()
    with torch.no_grad():
        model.decoder.positions.weight[3] = bad   # all goes well up to there
    with pytest.raises(ValueError, match="row 0: no token can be chosen.*weights are broken"):
        generate(model, IDS, **options)


@pytest.mark.parametrize("options", METHODS, ids=str)
def test_a_row_that_has_ended_may_run_out_of_tokens(options):
    """No token twice: the first row can only end, and has none left while the second goes on."""
    end = 10
    ids, mask = left_pad([[token for token in range(12) if token != end], [3]], pad_token_id=0)
    options = dict(padding_mask=mask, no_repeat_ngram_size=1, eos_token_id=end, **options)
    found = generate(MODEL, ids, max_new_tokens=5, **options)
    assert found.new_tokens[0] == [end] and len(found.new_tokens[1]) > 1
    with pytest.raises(ValueError, match="row 0: no token"):   # where it has not ended, that is an error
        generate(MODEL, ids, max_new_tokens=5, **options | {"eos_token_id": ()})


@pytest.mark.parametrize("do_sample", [False, True])
def test_speculation_that_runs_out_of_tokens(do_sample):
    for guesses in (1, 4, 20):
        options = dict(draft=MODEL, no_repeat_ngram_size=1, num_draft_tokens=guesses, do_sample=do_sample)
        assert len(generate(MODEL, IDS[:1], max_new_tokens=9, **options).new_tokens[0]) == 9   # all others
        with pytest.raises(ValueError, match="row 0: no token"):
            generate(MODEL, IDS[:1], max_new_tokens=12, **options)


# ---------------------------------------------------------------- ends

def test_what_comes_back():
    found = generate(MODEL, IDS, **LONG)
    assert isinstance(found, Generated) and found.sequences.dtype == torch.int64 and found.scores is None
    assert torch.equal(found.sequences[:, :3], IDS) and found.sequences[:, 3:].tolist() == found.new_tokens
    assert found.reasons == ["length", "length"] and found.steps == 8
    end = found.new_tokens[0][1]
    at = [row.index(end) if end in row else 8 for row in found.new_tokens]
    assert at == [1, 8]
    ended = generate(MODEL, IDS, **LONG | {"eos_token_id": end, "pad_token_id": 11})
    assert ended.new_tokens == [row[:i + 1] for row, i in zip(found.new_tokens, at)]   # with the end token
    longest = max(map(len, ended.new_tokens))
    assert ended.sequences[:, 3:].tolist() == [row + [11] * (longest - len(row)) for row in ended.new_tokens]
    assert ended.reasons == ["eos" if i < 8 else "length" for i in at]
    assert ended.steps == longest


def test_special_tokens_of_the_model():
    end = generate(MODEL, IDS, **LONG).new_tokens[0][1]
    model = make(eos_token_id=end, pad_token_id=10).eval()   # the same weights
    ended = generate(model, IDS, max_new_tokens=8)
    assert ended.reasons[0] == "eos" and 10 in ended.sequences[0, 3:]
    assert generate(model, IDS, **LONG).reasons == ["length"] * 2                   # () for none
    padded = generate(make(eos_token_id=end).eval(), IDS, max_new_tokens=8).sequences
    assert padded[0, 3:].tolist() == ended.new_tokens[0] + [end] * 6


def clock(*ticks):
    """Seconds, one after the other."""
    return iter(ticks).__next__


@pytest.mark.parametrize("options", METHODS, ids=str)
def test_max_time(options):
    found = generate(MODEL, IDS, **LONG, max_time=1.0, clock=clock(100.0, 100.3, 100.99, 101.0), **options)
    assert list(map(len, found.new_tokens)) == [3, 3] and found.reasons == ["time", "time"]
    torch.manual_seed(0)
    plain = generate(MODEL, IDS, **LONG, **options)
    torch.manual_seed(0)
    found = generate(MODEL, IDS, **LONG, max_time=1.0, clock=lambda: 5.0, **options)
    assert found.new_tokens == plain.new_tokens
    found = generate(MODEL, IDS, **LONG, max_time=1.0, clock=clock(0, 9), **options)   # one step at least
    assert list(map(len, found.new_tokens)) == [1, 1]


def test_max_time_of_speculation_and_of_rows_that_ended():
    found = generate(MODEL, IDS[:1], **LONG, draft=MODEL, num_draft_tokens=2, max_time=1.0,
                     clock=clock(0, 0.5, 1))
    assert len(found.new_tokens[0]) == 6 and found.reasons == ["time"]
    end = generate(MODEL, IDS, **LONG).new_tokens[0][0]
    found = generate(MODEL, IDS, **LONG | {"eos_token_id": end}, max_time=1.0, clock=clock(0, 0, 2))
    assert found.reasons == ["eos", "time"]


def test_without_max_time_the_clock_is_read_once():
    generate(MODEL, IDS, clock=clock(0.0))


def decode(ids):
    return "".join("abcdefghijkl"[i] for i in ids)


@pytest.mark.parametrize("options", METHODS[:1] + METHODS[2:] + [{"draft": MODEL}], ids=str)
def test_stop_strings(options):
    ids = IDS[:1]
    text = decode(generate(MODEL, ids, **LONG, **options).new_tokens[0])
    for stop in (text[2], text[2:4], text[1:5]):
        found = generate(MODEL, ids, **LONG, stop_strings=stop, decode=decode, **options)
        if options.get("num_beams"):   # another beam may be better now
            assert (stop in decode(found.new_tokens[0])) == (found.reasons[0] == "stop_string")
        else:
            assert decode(found.new_tokens[0]) == text[:text.index(stop) + len(stop)]
            assert found.reasons == ["stop_string"]
    found = generate(MODEL, ids, **LONG, stop_strings=["zz", "bbbbbb"], decode=decode, **options)
    assert found.reasons == ["length"]


def test_a_stop_string_in_the_prompt_does_not_count():
    found = generate(MODEL, IDS, **LONG, stop_strings=[decode([3, 1, 4])], decode=decode)
    assert found.reasons == ["length"] * 2


# ---------------------------------------------------------------- candidates, random numbers

def test_candidates_of_one_prefill(monkeypatch):
    read = []
    forward = Transformer.forward

    def spy(self, *arguments, **options):
        read.append(tuple(next(ids for ids in arguments if ids is not None).shape))
        return forward(self, *arguments, **options)
    monkeypatch.setattr(Transformer, "forward", spy)
    for options in ({"do_sample": True}, {"num_beams": 3}):
        read.clear()
        found = generate(MODEL, IDS, **LONG, **options, num_return_sequences=3)
        assert read == [(2, 3)] + [(6, 1)] * 7   # the prompts once, then one token of each candidate
        assert found.sequences[:, :3].tolist() == [IDS[i // 3].tolist() for i in range(6)]
        assert len(set(map(tuple, found.new_tokens))) == 6


def test_random_numbers_of_a_generator():
    options = dict(LONG, do_sample=True, num_return_sequences=2)
    state = torch.get_rng_state()
    generator = torch.Generator()
    first, again, other = (generate(MODEL, IDS, generator=generator.manual_seed(seed), **options).new_tokens
                           for seed in (1, 1, 2))
    assert first == again != other
    assert torch.equal(torch.get_rng_state(), state)   # torch's own were left alone
    torch.manual_seed(1)
    assert generate(MODEL, IDS, **options).new_tokens == first


# ---------------------------------------------------------------- what is left behind

@pytest.mark.parametrize("options", METHODS, ids=str)
def test_dropout_is_off_and_modes_come_back(options):
    model = make(dropout=0.5)
    model.decoder.blocks[0].eval()   # frozen by hand
    modes = [module.training for module in model.modules()]
    assert len(set(modes)) == 2
    torch.manual_seed(0)
    found = generate(model, IDS, **LONG, **options).new_tokens
    torch.manual_seed(0)
    assert found == generate(MODEL, IDS, **LONG, **options).new_tokens
    assert [module.training for module in model.modules()] == modes
    with pytest.raises(ValueError):
        generate(model, IDS, suppress_tokens=range(12), **options)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_a_model_can_be_trained_on_what_it_wrote(kind, positions):
    model = make(kind, positions=positions)
    found = generate(model, IDS, **LONG, num_beams=2)
    assert torch.is_grad_enabled()
    texts = (found.sequences,) if kind == "decoder" else (IDS, found.sequences)
    assert not found.scores.is_inference()
    model(*texts).logits.sum().backward()
    assert model.decoder.tokens.weight.grad is not None


# ---------------------------------------------------------------- streams

@pytest.mark.parametrize("options", METHODS[:2] + METHODS[3:] + [{"draft": make(seed=5).eval()}], ids=str)
def test_a_stream_is_the_same_in_steps(options):
    ids = IDS[:1] if "draft" in options else IDS
    end = generate(MODEL, ids, **LONG).new_tokens[0][3]
    options = dict(LONG, eos_token_id=end, **options)
    torch.manual_seed(0)
    whole = generate(MODEL, ids, **options)
    torch.manual_seed(0)
    steps, iterator = [], stream(MODEL, ids, **options)
    while True:
        try:
            steps.append(next(iterator))
        except StopIteration as finished:
            assert torch.equal(finished.value.sequences, whole.sequences)
            break
    assert [list(itertools.chain(*row)) for row in zip(*steps)] == whole.new_tokens
    if "draft" not in options:
        assert len(steps) == whole.steps - ("penalty_alpha" in options)


def test_a_stream_that_is_left_ends_the_work(monkeypatch):
    model, calls = make(), []
    forward = Transformer.forward
    monkeypatch.setattr(Transformer, "forward", lambda *a, **k: calls.append(1) or forward(*a, **k))
    steps = stream(model, IDS, **LONG)
    assert calls == [] and model.training
    next(steps), next(steps)
    assert len(calls) == 2
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()   # the caller's part
    steps.close()
    assert len(calls) == 2 and all(module.training for module in model.modules())


def test_beam_search_cannot_stream():
    for options in ({"num_beams": 2}, {"config": GenerationConfig(num_beams=2)}):
        with pytest.raises(ValueError, match="beam search cannot stream.*use generate"):
            stream(MODEL, IDS, **options)


def utf8(ids):
    return bytes(ids).decode("utf-8", errors="replace")


@pytest.mark.parametrize("text", ["plain", "naïve café", "日本語 and 🙂🙃", "trailing \ufffd", "\ufffd\ufffdx"])
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_text_stream_shows_settled_text(text, size):
    data, shown = list(text.encode()), TextStream(utf8)
    seen = ""
    for i in range(0, len(data), size):
        seen += shown.push(data[i:i + size])
        assert text.startswith(seen)   # nothing to take back
    assert seen == text.rstrip("\ufffd")
    assert seen + shown.end() == text and shown.end() == ""


def test_text_stream_waits_for_no_more_than_it_must():
    shown = TextStream(utf8, stop_strings=["\n\n", "STOP"])
    pieces = ("a", "b\n", "c", "S", "T", "x", "ST")
    assert [shown.push(list(piece.encode())) for piece in pieces] == ["a", "b", "\nc", "", "", "STx", ""]
    assert shown.end() == "ST"
    cut = TextStream(utf8, stop_strings="STOP")
    pieces = ("go S", "TO", "Pped", "more")
    assert [cut.push(list(piece.encode())) for piece in pieces] == ["go ", "", "", ""]
    assert cut.end() == ""


def test_text_stream_never_repeats_itself():
    texts = iter(["a", "a b", "a", "a bc"])   # a decoder that tidies up after itself
    shown = TextStream(lambda ids: next(texts))
    assert [shown.push([i]) for i in range(4)] == ["a", " b", "", "c"]


def test_before_stop():
    assert before_stop("abcabc", ["c", "bc"]) == "a"
    assert before_stop("abc", ["x"]) == "abc" and before_stop("abc", []) == "abc"


def test_text_stream_of_a_model():
    text = decode(generate(MODEL, IDS[:1], **LONG).new_tokens[0])
    options = dict(stop_strings=[text[4:6]])
    shown, seen = TextStream(decode, **options), ""
    for [new] in stream(MODEL, IDS[:1], **LONG, **options, decode=decode):
        seen += shown.push(new)
    assert seen + shown.end() == before_stop(text, [text[4:6]])


# ---------------------------------------------------------------- padding

def test_left_pad():
    ids, mask = left_pad([[1, 2, 3], [4]], pad_token_id=9)
    assert ids.tolist() == [[1, 2, 3], [9, 9, 4]] and ids.dtype == torch.int64
    assert mask.tolist() == [[True] * 3, [False, False, True]]
    for empty in ([], [[1], []]):
        with pytest.raises(ValueError, match="an empty prompt"):
            left_pad(empty, 0)
