"""The flat step for one new token against the model itself, and when it must not be taken."""
import contextlib
import itertools

import pytest
import torch
from torch import nn

from course_lib.generation import generate, one_token, state
from course_lib.transformer import ACTIVATIONS, Attention, Transformer, TransformerConfig

VOCABULARY = 12


def make(kind="decoder", **options):
    """A model in evaluation mode in which every parameter is random."""
    torch.manual_seed(3)
    layers = {"decoder_layers": 2} if kind == "decoder" else {"encoder_layers": 1, "decoder_layers": 1}
    model = Transformer(TransformerConfig(VOCABULARY, 16, 2, context=32, **layers, **options)).eval()
    for name, parameter in model.named_parameters():
        nn.init.normal_(parameter, std=0.4)
        if "norm" in name and "weight" in name:
            parameter.data += 1
    return model


def settings():
    """Every value of every switch that the step knows, in turn with some of the others."""
    activations = itertools.cycle(ACTIVATIONS)
    grid = itertools.product(("learned", "rotary", "none"), (True, False), (True, False))
    return [{}] + [dict(positions=positions, bias=bias, tied=tied, activation=next(activations),
                        head_bias=i % 3 == 0, embedding_scale=(1.0, 4.0)[i % 2],
                        norm_eps=(1e-5, 0.1)[i % 5 == 0], feed_forward=(None, 24)[i % 7 == 0])
                   for i, (positions, bias, tied) in enumerate(grid)]


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("options", settings(), ids=str)
def test_equal_to_the_model(options, padded):
    model, rows = make(**options), 3
    torch.manual_seed(0)
    ids = torch.randint(VOCABULARY, (rows, 10))
    mask = torch.ones(rows, 10, dtype=torch.bool)
    if padded:
        mask[1, :2] = mask[2, :4] = False
    given = mask if padded else None
    step = one_token.make_step(model)
    with torch.inference_mode():
        expected, cache = model.make_cache(rows, 12), model.make_cache(rows, 12)
        for each in (expected, cache):
            model(ids[:, :5], padding_mask=mask[:, :5] if padded else None, cache=each)
        for length in range(6, 11):
            seen = None if given is None else given[:, :length]
            logits = model(ids[:, length - 1:length], padding_mask=seen, cache=expected).logits[:, 0]
            torch.testing.assert_close(step(ids[:, length - 1], cache, seen), logits, rtol=1e-5, atol=1e-5)
            assert cache.length == expected.length == length
        torch.testing.assert_close(cache.keys, expected.keys, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(cache.values, expected.values, rtol=1e-5, atol=1e-5)


WAYS = {
    "greedy": {}, "one-token-prompt": {"ids": torch.tensor([[5]])},
    "padded": {"padding_mask": torch.tensor([[0, 0, 1], [1, 1, 1]])},
    "prefix": {"prefix_length": 2}, "sampling": {"do_sample": True, "num_return_sequences": 3},
    "beams": {"num_beams": 3}, "padded-beams": {"num_beams": 2, "padding_mask": torch.tensor([[0, 1, 1], [1, 1, 1]])},
    "speculative": {"ids": torch.tensor([[5, 2]]), "draft": make(bias=False)},
}


@pytest.mark.parametrize("way", WAYS)
def test_generation_takes_it_and_writes_the_same(way, monkeypatch):
    model, taken = make(), []
    options = {"max_new_tokens": 10, "eos_token_id": ()} | WAYS[way]
    ids = options.pop("ids", torch.tensor([[3, 1, 4], [1, 5, 9]]))

    def counted(model):
        step = one_token.make_step(model)
        return lambda *arguments: taken.append(model) or step(*arguments)

    def written(make_step):
        monkeypatch.setattr(state, "make_step", make_step)
        torch.manual_seed(1)
        return generate(model, ids, **options)

    expected = written(lambda model: None)
    assert not taken
    found = written(counted)
    assert found.new_tokens == expected.new_tokens and found.steps == expected.steps
    assert len(taken) == found.steps - 1 if way != "speculative" else taken and model not in taken


def test_in_half_precision():
    model = make().to(torch.bfloat16)
    ids = torch.tensor([[3, 1, 4]])
    with torch.inference_mode():
        caches = [model.make_cache(1), model.make_cache(1)]
        for cache in caches:
            model(ids[:, :2], cache=cache)
        expected = model(ids[:, 2:], cache=caches[0]).logits[:, 0]
        found = one_token.make_step(model)(ids[:, 2], caches[1])
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("options", [
    {"kind": "encoder-decoder"}, {"norm": "post"}, {"positions": "sinusoidal"}, {"segments": 2},
    {"embedding_norm": True}, {"head_transform": True}], ids=str)
def test_not_for_other_models(options):
    assert one_token.make_step(make(**options)) is None


class Doubled(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


@contextlib.contextmanager
def changed(model, how):
    """A model in which something is changed that the flat step would not do."""
    feed_forward, undo = model.decoder.blocks[1].feed_forward, []
    if how == "another module":
        feed_forward.up = Doubled(16, 64)
    elif how == "a forward of its own":
        inner = feed_forward.down.forward
        feed_forward.down.forward = lambda x: 2 * inner(x)
    elif how == "a patched class":
        inner = Attention.forward
        Attention.forward = lambda self, x, *a, **k: inner(self, 2 * x, *a, **k)
        undo.append(lambda: setattr(Attention, "forward", inner))
    elif how == "a hook":
        model.decoder.final_norm.register_forward_hook(lambda module, given, x: 1 - x)
    elif how == "a hook before":
        feed_forward.down.register_forward_pre_hook(lambda module, given: (1 - given[0],))
    elif how == "a hook on all":
        undo.append(nn.modules.module.register_module_forward_hook(
            lambda module, given, x: 2 * x if module is feed_forward else None).remove)
    elif how == "a hook before all":
        undo.append(nn.modules.module.register_module_forward_pre_hook(
            lambda module, given: (2 * given[0],) if module is feed_forward else None).remove)
    try:
        yield
    finally:
        for each in undo:
            each()


@pytest.mark.parametrize("how", ["another module", "a forward of its own", "a patched class", "a hook",
                                 "a hook before", "a hook on all", "a hook before all"])
def test_a_changed_model_is_called(how):
    model, ids = make(), torch.tensor([[3, 1, 4]])
    before = generate(model, ids, max_new_tokens=12).new_tokens[0]
    with changed(model, how):
        assert one_token.make_step(model) is None
        found = generate(model, ids, max_new_tokens=12).new_tokens[0]
        text = ids
        for _ in range(12):
            with torch.no_grad():
                text = torch.cat([text, model(text).logits[:, -1].argmax(-1)[:, None]], 1)
    assert found == text[0, 3:].tolist() != before
