"""`generate` against transformers' `generate`, token for token, on the same random weights."""
import itertools
import os

import pytest
import torch
import transformers

from course_lib.generation import generate, left_pad
from course_lib.pretrained import from_pretrained

os.environ.setdefault("TQDM_DISABLE", "1")
VOCABULARY, PAD = 40, 0
EOS = {False: 21, True: 9}   # tokens that a decoder, an encoder-decoder of these weights often write


def saved(model, folder):
    """Ours and theirs of the same weights, all of them random."""
    torch.manual_seed(2)
    for bias in model.buffers():   # BART's final_logits_bias
        torch.nn.init.normal_(bias, std=0.5)
    for name, parameter in model.named_parameters():
        torch.nn.init.normal_(parameter, std=0.2 if parameter.dim() > 1 else 0.1)
        if parameter.dim() == 1 and "bias" not in name:
            parameter.data += 1
        # Else most texts would repeat one token for ever.
        if "wpe" in name or "embed_positions" in name:
            parameter.data *= 5
        if "wte" in name or "shared" in name:
            parameter.data *= 2
    model.eval().save_pretrained(folder)
    model.generation_config = transformers.GenerationConfig(top_k=0)   # not the hidden 50
    return from_pretrained(folder), model


@pytest.fixture(scope="module")
def decoders(tmp_path_factory):
    return saved(transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=24, n_layer=2, n_head=2, bos_token_id=None,
        eos_token_id=None, pad_token_id=None)), tmp_path_factory.mktemp("gpt2"))


@pytest.fixture(scope="module")
def encoder_decoders(tmp_path_factory):
    model = transformers.BartForConditionalGeneration(transformers.BartConfig(
        vocab_size=VOCABULARY, max_position_embeddings=64, d_model=24, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48,
        pad_token_id=PAD, eos_token_id=None, bos_token_id=None, decoder_start_token_id=PAD,
        forced_eos_token_id=None))
    return saved(model, tmp_path_factory.mktemp("bart"))


def prompts(seed, padded, left):
    torch.manual_seed(seed)
    if not padded:
        return torch.randint(2, VOCABULARY, (3, 5)), torch.ones(3, 5, dtype=torch.bool)
    ids, mask = left_pad([torch.randint(2, VOCABULARY, (n,)).tolist() for n in (3, 6, 1)], PAD)
    return (ids, mask) if left else (ids.flip(1), mask.flip(1))


def both(models, seed, padded=False, **options):
    """Our result and theirs, from the same random numbers."""
    ours, theirs = models
    both_kinds = theirs.config.is_encoder_decoder
    ids, mask = prompts(seed, padded, left=not both_kinds)
    options = {"max_new_tokens": 12, "pad_token_id": 2, "eos_token_id": EOS[both_kinds], **options}
    torch.manual_seed(seed)
    mine = generate(ours, ids, padding_mask=mask, **options)
    options["eos_token_id"] = options["eos_token_id"] if options["eos_token_id"] != () else None
    start = {"decoder_start_token_id": PAD} if both_kinds else {}
    torch.manual_seed(seed)
    expected = theirs.generate(ids, attention_mask=mask.long(), return_dict_in_generate=True,
                               output_scores=True, **start, **options)
    return mine, expected


def assert_same(mine, expected):
    assert mine.sequences.tolist() == expected.sequences.tolist()


KINDS = ["decoders", "encoder_decoders"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [
    {}, {"eos_token_id": ()}, {"eos_token_id": (9, 21, 33)}, {"repetition_penalty": 1.5},
    {"no_repeat_ngram_size": 2}, {"min_new_tokens": 6}, {"suppress_tokens": (5, 9, 30)},
    {"forced_eos_token_id": 9, "min_new_tokens": 12},
    {"repetition_penalty": 1.2, "no_repeat_ngram_size": 3, "min_new_tokens": 3},
], ids=str)
def test_greedy(request, kind, options):
    for seed, padded in itertools.product(range(3), (False, True)):
        mine, expected = both(request.getfixturevalue(kind), seed, padded, **options)
        assert_same(mine, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [
    {}, {"temperature": 0.6}, {"top_k": 4}, {"top_p": 0.8}, {"min_p": 0.2}, {"typical_p": 0.7},
    {"epsilon_cutoff": 0.02}, {"eta_cutoff": 0.05},
    {"temperature": 1.4, "top_k": 8, "top_p": 0.95, "repetition_penalty": 1.3},
    {"num_return_sequences": 3}, {"num_return_sequences": 2, "no_repeat_ngram_size": 2, "min_new_tokens": 4},
    {"renormalize_logits": True, "top_k": 6},
], ids=str)
def test_sampling_under_one_seed(request, kind, options):
    for seed, padded in itertools.product(range(3), (False, True)):
        if padded and "no_repeat_ngram_size" in options:
            continue   # theirs takes padding for text
        mine, expected = both(request.getfixturevalue(kind), seed, padded, do_sample=True, **options)
        assert_same(mine, expected)


def beam_settings():
    """More than 200, each with its own prompts."""
    grid = itertools.product(KINDS, (False, True), (2, 3, 5), (-1.0, 0.0, 1.0, 2.5), (False, True, "never"))
    for kind, padded, num_beams, length_penalty, early_stopping in grid:
        options = dict(num_beams=num_beams, length_penalty=length_penalty, early_stopping=early_stopping)
        yield kind, padded, options
        yield kind, padded, options | {"eos_token_id": (9, 21, 33)}
    rest = itertools.product(KINDS, (False, True, "never"), (
        {"eos_token_id": ()}, {"num_return_sequences": 3}, {"repetition_penalty": 1.4},
        {"no_repeat_ngram_size": 2, "repetition_penalty": 0.8}, {"min_new_tokens": 5},
        {"renormalize_logits": True, "repetition_penalty": 2.0},
        {"max_new_tokens": 1}, {"max_new_tokens": 25, "length_penalty": 1.5}, {"forced_eos_token_id": 9},
        {"suppress_tokens": (3, 4)}, {"num_beams": 15, "num_return_sequences": 15}))
    for kind, early_stopping, options in rest:
        padded = "repetition_penalty" in options and "no_repeat_ngram_size" not in options
        yield kind, padded, dict(num_beams=4, early_stopping=early_stopping) | options


SETTINGS = list(beam_settings())


@pytest.mark.parametrize("part", range(12))
def test_beam_search(request, part):
    ended = rows = 0
    for i in range(part, len(SETTINGS), 12):
        kind, padded, options = SETTINGS[i]
        mine, expected = both(request.getfixturevalue(kind), i, padded, **options)
        assert_same(mine, expected), SETTINGS[i]
        torch.testing.assert_close(mine.scores, expected.sequences_scores, rtol=1e-4, atol=1e-4)
        ended += mine.reasons.count("eos")
        rows += len(mine.reasons)
    assert 0.2 < ended / rows < 0.95   # a search that never meets an end token tests little


def test_there_are_enough_beam_settings():
    assert len(SETTINGS) >= 200


def test_stop_strings(decoders):
    """With tokens of one letter and of two, a stop string ends, or begins, inside a token."""
    from tokenizers import Tokenizer, decoders as text_decoders
    from tokenizers.models import BPE
    letters = "abcdefghijklmnopqrst"
    merges = [(letter, letters[i - 7]) for i, letter in enumerate(letters)]
    pieces = list(letters) + [first + second for first, second in merges]
    backend = Tokenizer(BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    backend.decoder = text_decoders.Fuse()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend)
    ours, theirs = decoders
    reasons = []
    for seed in range(6):
        ids, mask = prompts(seed, padded=False, left=True)
        for stops, beams in itertools.product((["b"], ["nt", "pj"], ["ncn", "qjr", "ppp"]), (1, 3)):
            # Without an end token theirs writes on behind a stop string.
            options = dict(max_new_tokens=12, num_beams=beams, stop_strings=stops, pad_token_id=2,
                           eos_token_id=39)
            mine = generate(ours, ids, decode=tokenizer.decode, **options)
            expected = theirs.generate(ids, attention_mask=mask.long(), tokenizer=tokenizer, **options)
            assert mine.sequences.tolist() == expected.tolist()
            assert [any(stop in tokenizer.decode(row) for stop in stops) for row in mine.new_tokens] == [
                reason == "stop_string" for reason in mine.reasons]
            reasons += mine.reasons
    assert min(reasons.count("stop_string"), reasons.count("length")) > 20
