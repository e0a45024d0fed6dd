"""The architecture against brute force, torch's own layers, GPT-NeoX, and itself in other ways of use.

Other switches are held against transformers in test_pretrained.py.
"""
import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from course_lib.transformer import Attention, Transformer, TransformerConfig, attention_mask, combine

SMALL = dict(vocabulary=23, width=24, heads=3, context=16, feed_forward=40)
KINDS = {"encoder": dict(encoder_layers=2), "decoder": dict(layers=2),
         "encoder-decoder": dict(encoder_layers=2, decoder_layers=3)}


def build(kind="decoder", seed=0, **settings):
    """A model in evaluation mode; no parameter is left at 0 or 1, where a dropped one goes unseen."""
    torch.manual_seed(seed)
    model = Transformer(TransformerConfig(**(SMALL | KINDS[kind] | settings))).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if "norm" in name and name.endswith("weight") else 0.0, 0.3)
    return model


def ids(rows, columns, seed=0, vocabulary=23):
    return torch.randint(vocabulary, (rows, columns), generator=torch.Generator().manual_seed(seed))


def close(a, b, tolerance=1e-5):
    torch.testing.assert_close(a, b, rtol=0, atol=tolerance)


# The mask

@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("prefix", [None, 0, 3, [1, 4]])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("target, source", [(5, None), (5, 5), (2, 5), (1, 5)])
def test_mask_by_its_definition(causal, prefix, padded, target, source):
    padding = [[0, 1, 1, 1, 0], [1, 1, 1, 0, 1]]
    mask = attention_mask(target, source, causal=causal,
                          prefix_length=torch.tensor(prefix) if isinstance(prefix, list) else prefix,
                          padding_mask=torch.tensor(padding) if padded else None)
    assert mask.dtype == torch.bool
    if not padded and not isinstance(prefix, list):
        assert mask.shape == (target, 5)
    mask = mask.expand(2, 1, target, 5)
    for row, i, column in itertools.product(range(2), range(target), range(5)):
        position = 5 - target + i
        known = prefix[row] if isinstance(prefix, list) else prefix or 0
        wanted = (not causal or column <= position or column < known) and (not padded or padding[row][column])
        assert mask[row, 0, i, column] == bool(wanted)


@pytest.mark.parametrize("kind, prefix, sees", [
    ("decoder", None, lambda target, source: source <= target),
    ("decoder", 3, lambda target, source: source <= target or source < 3),
    ("encoder", None, lambda target, source: True),
])
def test_gradients_show_who_sees_whom(kind, prefix, sees):
    model = build(kind)
    stack = model.decoder or model.encoder
    seen = []
    stack.tokens.register_forward_hook(lambda module, inputs, output: seen.append(output))
    logits = model(ids(1, 6), prefix_length=prefix).logits
    for target in range(6):
        (gradient,) = torch.autograd.grad(logits[0, target].square().sum(), seen[0], retain_graph=True)
        for source in range(6):
            assert bool(gradient[0, source].abs().sum() > 0) == sees(target, source), (target, source)


@torch.no_grad()
def test_prefix_by_row_equals_each_row_alone():
    model, x = build(), ids(2, 6)
    both = model(x, prefix_length=torch.tensor([2, 5])).logits
    close(both[:1], model(x[:1], prefix_length=2).logits)
    close(both[1:], model(x[1:], prefix_length=5).logits)
    assert (both - model(x).logits).abs().max() > 0.01


# Attention

def attend_by_loops(attention, x, memory=None, mask=None):
    """Vaswani et al., equation 1, one number at a time."""
    source = x if memory is None else memory
    if memory is None:
        query, key, value = attention.query_key_value(x).chunk(3, -1)
    else:
        query, (key, value) = attention.query(x), attention.key_value(memory).chunk(2, -1)
    batch, target, width = x.shape
    size = width // attention.heads
    weights = x.new_zeros(batch, attention.heads, target, source.shape[1])
    mixed = torch.zeros_like(x)
    for b, h, i in itertools.product(range(batch), range(attention.heads), range(target)):
        part = slice(h * size, (h + 1) * size)
        allowed = [j for j in range(source.shape[1]) if mask is None or mask[b, i, j]]
        scores = [math.exp(float(query[b, i, part] @ key[b, j, part]) / math.sqrt(size)) for j in allowed]
        for j, score in zip(allowed, scores):
            weights[b, h, i, j] = score / sum(scores)
            mixed[b, i, part] += weights[b, h, i, j] * value[b, j, part]
    return attention.output(mixed), weights


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@torch.no_grad()
def test_attention_equals_loops_in_float64(cross, masked):
    torch.manual_seed(1)
    attention = Attention(TransformerConfig(**SMALL, layers=1), cross=cross).double()
    for weight in attention.parameters():
        weight.normal_(0, 0.3)
    x, memory = torch.randn(2, 4, 24).double(), torch.randn(2, 6, 24).double() if cross else None
    source = 6 if cross else 4
    mask = torch.rand(2, 4, source) < 0.6 if masked else None
    if masked:
        mask[0, 1] = False   # a target that sees nothing
    wanted, weights = attend_by_loops(attention, x, memory, mask)
    options = dict(mask=None if mask is None else mask[:, None], memory=memory)
    explicit, given = attention(x, **options, return_attention=True)
    fused, nothing = attention(x, **options)
    close(explicit, wanted, 1e-12)
    close(fused, wanted, 1e-12)
    close(given, weights, 1e-12)
    assert nothing is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_returned_weights_change_nothing_and_are_probabilities(kind, padded):
    model, x = build(kind), ids(2, 6)
    mask = torch.tensor([[1] * 6, [1] * 4 + [0] * 2]) if padded else None
    inputs = (x, ids(2, 5, seed=1)) if kind == "encoder-decoder" else (x,)
    plain, output = (model(*inputs, padding_mask=mask, return_attention=asked) for asked in (False, True))
    assert plain.attentions is plain.cross_attentions is plain.encoder_attentions is None
    real = slice(None) if kind == "encoder-decoder" or mask is None else mask.bool()
    close(output.logits[real], plain.logits[real])
    shapes = {"encoder": [(2, 6, 6), None, None], "decoder": [(2, 6, 6), None, None],
              "encoder-decoder": [(3, 5, 5), (3, 5, 6), (2, 6, 6)]}[kind]
    for found, shape in zip((output.attentions, output.cross_attentions, output.encoder_attentions), shapes):
        if shape is None:
            assert not found or found[0] is None
            continue
        layers, target, source = shape
        assert len(found) == layers
        for weights in found:
            assert weights.shape == (2, 3, target, source)
            close(weights.sum(-1), torch.ones(2, 3, target))
            if padded and source == 6:
                assert not weights[1, :, :, 4:].any()
    if kind != "encoder":
        assert not output.attentions[0].triu(1).any()


def test_explicit_attention_has_the_same_gradients():
    model, x = build(), ids(2, 6)
    mask = torch.tensor([[1] * 6, [0] * 2 + [1] * 4])   # its first targets see nothing
    gradients = []
    for asked in (False, True):
        loss = model(x, padding_mask=mask, return_attention=asked).logits[mask.bool()].square().mean()
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
    for fused, explicit in zip(*gradients):
        assert fused.isfinite().all()
        close(fused, explicit, 1e-4 * float(fused.abs().max()) + 1e-6)


# Oracles for whole models

def copy_linear(source, target):
    with torch.no_grad():
        target.weight.copy_(source.weight)
        target.bias.copy_(source.bias)


def torch_layer(block, config, decoder):
    kind = torch.nn.TransformerDecoderLayer if decoder else torch.nn.TransformerEncoderLayer
    layer = kind(config.width, config.heads, config.feed_forward, 0.0, F.relu, config.norm_eps, True,
                 norm_first=config.norm == "pre").eval()
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(block.attention.query_key_value.weight)
        layer.self_attn.in_proj_bias.copy_(block.attention.query_key_value.bias)
        copy_linear(block.attention.output, layer.self_attn.out_proj)
        norms = [block.attention_norm, block.feed_forward_norm]
        if decoder:
            cross = block.cross_attention
            layer.multihead_attn.in_proj_weight.copy_(torch.cat([cross.query.weight, cross.key_value.weight]))
            layer.multihead_attn.in_proj_bias.copy_(torch.cat([cross.query.bias, cross.key_value.bias]))
            copy_linear(cross.output, layer.multihead_attn.out_proj)
            norms.insert(1, block.cross_attention_norm)
        for i, norm in enumerate(norms, start=1):
            copy_linear(norm, getattr(layer, f"norm{i}"))
        copy_linear(block.feed_forward.up, layer.linear1)
        copy_linear(block.feed_forward.down, layer.linear2)
    return layer


@pytest.mark.parametrize("norm", ["pre", "post"])
@torch.no_grad()
def test_encoder_decoder_equals_torch_layers(norm):
    model = build("encoder-decoder", norm=norm, activation="relu")
    source, target = ids(2, 6), ids(2, 5, seed=1)
    padding = torch.tensor([[1] * 6, [1] * 3 + [0] * 3])
    x = model.encoder.tokens(source) + model.encoder.positions.weight[(padding.cumsum(-1) - 1).clamp(min=0)]
    for block in model.encoder.blocks:
        x = torch_layer(block, model.config, False)(x, src_key_padding_mask=padding == 0)
    memory = x if norm == "post" else model.encoder.final_norm(x)
    y = model.decoder.tokens(target) + model.decoder.positions.weight[:5]
    causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
    for block in model.decoder.blocks:
        y = torch_layer(block, model.config, True)(
            y, memory, tgt_mask=causal, memory_key_padding_mask=padding == 0)
    hidden = y if norm == "post" else model.decoder.final_norm(y)
    output = model(source, target, padding_mask=padding)
    close(output.hidden, hidden)
    close(output.logits, hidden @ model.decoder.tokens.weight.T)
    close(output.memory[padding.bool()], memory[padding.bool()])


@torch.no_grad()
def test_rotary_equals_gpt_neox():
    transformers = pytest.importorskip("transformers")
    model = build(positions="rotary", tied=False, width=24, heads=3)
    theirs = transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(
        vocab_size=23, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        hidden_act="gelu", rotary_pct=1.0, use_parallel_residual=False, layer_norm_eps=1e-5,
        max_position_embeddings=16, rope_parameters={
            "rope_type": "default", "rope_theta": 10000, "partial_rotary_factor": 1.0})).eval()
    theirs.gpt_neox.embed_in.weight.copy_(model.decoder.tokens.weight)
    theirs.get_output_embeddings().weight.copy_(model.head.output.weight)
    copy_linear(model.decoder.final_norm, theirs.gpt_neox.final_layer_norm)
    for block, layer in zip(model.decoder.blocks, theirs.gpt_neox.layers):
        for name in ("weight", "bias"):   # theirs: for each head, its query, key and value
            fused = getattr(block.attention.query_key_value, name).unflatten(0, (3, 3, 8))
            getattr(layer.attention.query_key_value, name).copy_(fused.transpose(0, 1).flatten(0, 2))
        copy_linear(block.attention.output, layer.attention.dense)
        copy_linear(block.attention_norm, layer.input_layernorm)
        copy_linear(block.feed_forward_norm, layer.post_attention_layernorm)
        copy_linear(block.feed_forward.up, layer.mlp.dense_h_to_4h)
        copy_linear(block.feed_forward.down, layer.mlp.dense_4h_to_h)
    x = ids(2, 12)
    close(model(x).logits, theirs(x).logits)
    mask = torch.tensor([[1] * 12, [0] * 5 + [1] * 7])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    wanted = theirs(x, attention_mask=mask, position_ids=positions).logits
    close(model(x, padding_mask=mask).logits[mask.bool()], wanted[mask.bool()])


@torch.no_grad()
def test_rotary_sees_distances_only():
    """Two tokens far to the right attend as two at the left do (Su et al. 2021, section 3.1)."""
    model = build(positions="rotary")
    x = ids(1, 12)
    left, right = x[:, :3], torch.cat([ids(1, 9, seed=5), x[:, :3]], 1)
    mask = torch.tensor([[0] * 9 + [1] * 3])
    wanted = model(left).logits
    model.decoder.cosines, model.decoder.sines = (t.roll(-4, 0) for t in (
        model.decoder.cosines, model.decoder.sines))   # every position moved by 4
    close(model(left).logits, wanted)
    close(model(right, padding_mask=mask).logits[:, 9:], wanted)


@pytest.mark.parametrize("width, heads", [(24, 3), (9, 3)])
@torch.no_grad()
def test_sinusoids_by_their_formula(width, heads):
    """Vaswani et al., section 3.5, with all sines before all cosines."""
    model = build(positions="sinusoidal", width=width, heads=heads, embedding_scale=3.0)
    seen = []
    model.decoder.blocks[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    x = ids(1, 16)
    model(x)
    order = [*range(0, width, 2), *range(1, width, 2)]
    for position in range(16):
        angles = [position / 10000 ** (j // 2 * 2 / width) for j in order]
        waves = [math.cos(a) if j % 2 else math.sin(a) for j, a in zip(order, angles)]
        wanted = model.decoder.tokens.weight[x[0, position]] * 3.0 + torch.tensor(waves)
        close(seen[0][0, position], wanted)


@torch.no_grad()
def test_no_positions_see_a_bag_of_words():
    model, x = build("encoder", positions="none"), ids(1, 6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    close(model(x[:, order]).logits, model(x).logits[:, order])
    learned = build("encoder")
    assert (learned(x[:, order]).logits - learned(x).logits[:, order]).abs().max() > 0.1


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_float64_agrees(kind, positions):
    model, x = build(kind, positions=positions), ids(2, 8)
    inputs = (x, ids(2, 7, seed=3)) if kind == "encoder-decoder" else (x,)
    single = model(*inputs).logits
    double = model.double()(*inputs).logits
    assert double.dtype == torch.float64
    close(single.double(), double)


@pytest.mark.parametrize("bias", [True, False])
@torch.no_grad()
def test_untied_head_and_bias(bias):
    model = build(tied=False, bias=bias, head_bias=True)
    names = {name for name, _ in model.named_parameters()}
    assert any(name.endswith("bias") and "head" not in name for name in names) == bias
    output = model(ids(1, 4))
    close(output.logits, output.hidden @ model.head.output.weight.T + model.head.output.bias)
    assert model.head.output.weight is not model.decoder.tokens.weight


@torch.no_grad()
def test_segments_default_to_the_first():
    model, x = build("encoder", segments=2), ids(2, 5)
    first, second = torch.zeros(2, 5, dtype=torch.long), torch.ones(2, 5, dtype=torch.long)
    assert torch.equal(model(x).logits, model(x, segments=first).logits)
    assert (model(x).logits - model(x, segments=second).logits).abs().max() > 0.1


# Padding

@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary", "none"])
@pytest.mark.parametrize("left, right", [(0, 3), (3, 0), (2, 1)])
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64])
@torch.no_grad()
def test_padding_changes_no_real_token(kind, positions, left, right, dtype):
    model, x = build(kind, positions=positions), ids(2, 5)
    padded = torch.cat([ids(2, left, 8), x, ids(2, right, 9)], 1)
    mask = torch.tensor([[0] * left + [1] * 5 + [0] * right] * 2, dtype=dtype)
    if kind == "encoder-decoder":
        target = ids(2, 4, seed=2)
        padded_target = torch.cat([ids(2, 1, 4), target, ids(2, 2, 5)], 1)
        target_mask = torch.tensor([[0] + [1] * 4 + [0] * 2] * 2, dtype=dtype)
        output = model(padded, padded_target, padding_mask=mask, decoder_padding_mask=target_mask)
        close(output.logits[:, 1:5], model(x, target).logits)
    else:
        close(model(padded, padding_mask=mask).logits[:, left:left + 5], model(x).logits)


# The cache

@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary", "none"])
@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@pytest.mark.parametrize("padded", [False, True])
@torch.no_grad()
def test_cache_equals_the_whole_at_once(kind, norm, positions, padded):
    model, x = build(kind, norm=norm, positions=positions), ids(2, 9)
    mask = torch.tensor([[1] * 9, [0] * 2 + [1] * 7]) if padded else None
    real = mask.bool() if padded else slice(None)
    cache, parts = model.make_cache(2, max_length=10), []
    source = ids(2, 6, seed=3)
    if kind == "encoder-decoder":
        whole = model(source, x, decoder_padding_mask=mask)
        assert whole.memory.shape == (2, 6, 24)
    else:
        whole = model(x, padding_mask=mask)
    for a, b in [(0, 1), (1, 4), (4, 5), (5, 9)]:
        seen = mask[:, :b] if padded else None
        if kind == "encoder-decoder":
            memory = model.encode(source) if a == 0 else None   # the cache knows it after the first call
            part = model(None, x[:, a:b], memory=memory, decoder_padding_mask=seen, cache=cache)
        else:
            part = model(x[:, a:b], padding_mask=seen, cache=cache)
        parts.append(part.logits)
        assert cache.length == b
    close(torch.cat(parts, 1)[real], whole.logits[real])


@torch.no_grad()
def test_cache_after_a_prefix():
    model, x = build(), ids(2, 8)
    whole = model(x, prefix_length=4).logits
    cache = model.make_cache(2)
    first = model(x[:, :4], prefix_length=4, cache=cache).logits
    rest = model(x[:, 4:], cache=cache).logits
    close(torch.cat([first, rest], 1), whole)


@torch.no_grad()
def test_cache_shows_attention_to_all_so_far():
    model, x = build(), ids(2, 6)
    whole = model(x, return_attention=True).attentions
    cache = model.make_cache(2)
    model(x[:, :4], cache=cache)
    for part, all_rows in zip(model(x[:, 4:], cache=cache, return_attention=True).attentions, whole):
        close(part, all_rows[:, :, 4:])


@torch.no_grad()
def test_source_is_read_once():
    model = build("encoder-decoder")
    calls = []
    for block in model.decoder.blocks:
        block.cross_attention.key_value.register_forward_hook(lambda *_: calls.append(1))
    cache, memory = model.make_cache(2), model.encode(ids(2, 5))
    for step in range(4):
        model(None, ids(2, 1, seed=step), memory=memory, cache=cache)
    assert len(calls) == len(model.decoder.blocks)


@pytest.mark.parametrize("rows", [[1, 0, 2], [2, 2, 2], [0, 0, 1, 1, 2, 2], [1]])
@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
@torch.no_grad()
def test_select_reorders_and_repeats_rows(kind, rows):
    model, x, source = build(kind), ids(3, 6), ids(3, 5, seed=4)
    mask = torch.tensor([[1] * 5, [1] * 4 + [0], [1] * 2 + [0] * 3])
    cache, rows = model.make_cache(3), torch.tensor(rows)
    if kind == "decoder":
        model(x[:, :4], cache=cache)
    else:
        model(source, x[:, :4], padding_mask=mask, cache=cache)
    cache.select(rows)
    assert (cache.batch, cache.length) == (len(rows), 4)
    for step in (4, 5):   # writing goes on in each row by itself
        new = (x[rows, step:step + 1] + torch.arange(len(rows))[:, None]) % 23
        x_rows = torch.cat([x[rows, :step], new], 1) if step == 4 else torch.cat([x_rows, new], 1)
        if kind == "decoder":
            part, whole = model(new, cache=cache), model(x_rows)
        else:
            part = model(None, new, padding_mask=mask[rows], cache=cache)
            whole = model(source[rows], x_rows, padding_mask=mask[rows])
        close(part.logits[:, 0], whole.logits[:, -1])


@torch.no_grad()
def test_truncate_forgets_the_tail():
    model, x = build(), ids(2, 7)
    cache = model.make_cache(2)
    model(torch.cat([x[:, :3], ids(2, 4, seed=9)], 1), cache=cache)
    cache.truncate(3)
    assert cache.length == 3
    close(model(x[:, 3:], cache=cache).logits, model(x).logits[:, 3:])
    for length in (8, -1):
        with pytest.raises(ValueError, match="the cache holds 7"):
            cache.truncate(length)


@torch.no_grad()
def test_cache_is_allocated_once():
    model, x = build(), ids(2, 6)
    cache = model.make_cache(2, max_length=6)
    assert cache.keys.shape == cache.values.shape == (2, 2, 3, 6, 8) and cache.max_length == 6
    address = cache.keys.data_ptr(), cache.values.data_ptr()
    for step in range(6):
        model(x[:, step:step + 1], cache=cache)
        cache.select(torch.tensor([1, 0]))
    assert address == (cache.keys.data_ptr(), cache.values.data_ptr())
    assert model.make_cache(1).max_length == 16
    assert model.double().make_cache(1).keys.dtype == torch.float64


# Making a model

def test_number_of_parameters_of_gpt2():
    """124 million, as published for the smallest GPT-2."""
    with torch.device("meta"):
        model = Transformer(TransformerConfig(vocabulary=50257, width=768, heads=12, layers=12, context=1024))
    assert sum(weight.numel() for weight in model.parameters()) == 124_439_808


def test_initial_weights_are_those_of_gpt2():
    torch.manual_seed(3)
    model = Transformer(TransformerConfig(
        vocabulary=500, width=128, heads=4, encoder_layers=2, decoder_layers=3)).requires_grad_(False)
    for name, weight in model.named_parameters():
        if weight.dim() == 1:
            assert (weight == float("norm" in name and name.endswith("weight"))).all(), name
            continue
        adders = {"encoder": 2 * 2, "decoder": 3 * 3}[name.split(".")[0]]   # layers that add to the residuals
        added = name.endswith((".output.weight", ".down.weight"))
        assert float(weight.std()) == pytest.approx(0.02 / math.sqrt(adders) ** added, rel=0.05), name
    logits = model(ids(2, 8), ids(2, 8)).logits
    loss = F.cross_entropy(logits.flatten(0, 1), ids(2, 8, seed=1).flatten())
    assert float(loss) == pytest.approx(math.log(500), abs=0.2), "nothing is known yet"


def test_one_seed_one_model():
    def weights_of(seed):
        torch.manual_seed(seed)
        model = Transformer(TransformerConfig(**SMALL, layers=1))
        return torch.cat([weight.detach().flatten() for weight in model.parameters()])
    first, again, other = (weights_of(seed) for seed in (5, 5, 6))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_one_table_or_two():
    shared, two = build("encoder-decoder"), build("encoder-decoder", source_vocabulary=31)
    assert shared.encoder.tokens.weight is shared.decoder.tokens.weight is shared.head.output.weight
    assert two.encoder.tokens.weight.shape == (31, 24) and two.head.output.weight is two.decoder.tokens.weight
    with torch.no_grad():
        assert two(ids(2, 5, vocabulary=31) * 0 + 30, ids(2, 4)).logits.shape == (2, 4, 23)


def test_a_state_dict_is_enough_to_copy_a_model():
    model, other = build("encoder-decoder"), build("encoder-decoder", seed=1)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model(ids(2, 5), ids(2, 4)).logits, other(ids(2, 5), ids(2, 4)).logits)


def test_dropout_of_embeddings_attention_and_residuals():
    torch.manual_seed(0)
    model = Transformer(TransformerConfig(**SMALL, layers=1, dropout=0.9))
    block, x, seen = model.decoder.blocks[0], ids(2, 16), {}
    hooks = {"embedded": block, "mixed": block.attention.output, "attended": block.feed_forward_norm,
             "left": model.decoder.final_norm}
    for name, module in hooks.items():
        module.register_forward_pre_hook(lambda module, inputs, name=name: seen.__setitem__(name, inputs[0]))

    def zeros(tensor):
        return float((tensor == 0).float().mean())
    for asked in (False, True):
        model.train()(x, return_attention=asked)
        assert zeros(seen["embedded"]) == pytest.approx(0.9, abs=0.05)
        assert zeros(seen["attended"] - seen["embedded"]) == pytest.approx(0.9, abs=0.05)
        assert zeros(seen["left"] - seen["attended"]) == pytest.approx(0.9, abs=0.05)
        assert zeros(seen["mixed"][:, 0]) > 0.5, "the first target sees itself only, mostly dropped"
        first = model.eval()(x, return_attention=asked).logits
        assert torch.equal(first, model(x, return_attention=asked).logits)
        for name in ("embedded", "mixed"):
            assert zeros(seen[name]) == 0
        assert zeros(seen["attended"] - seen["embedded"]) < 0.01 > zeros(seen["left"] - seen["attended"])


@pytest.mark.parametrize("autocast", [False, True])
@torch.no_grad()
def test_bfloat16(autocast):
    model, x = build(), ids(2, 8)
    wanted = model(x).logits
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        model = model if autocast else model.bfloat16()
        found = model(x).logits
        cache = model.make_cache(2)
        steps = torch.cat([model(x[:, i:i + 1], cache=cache).logits for i in range(8)], 1)
    assert found.dtype == torch.bfloat16
    for logits in (found, steps):
        assert (logits - wanted).abs().mean() < 0.02 * wanted.abs().mean() + 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_gpu_equals_cpu(kind):
    model, x = build(kind, positions="rotary"), ids(2, 8)
    mask = torch.tensor([[1] * 8, [0] * 3 + [1] * 5])
    inputs = (x, ids(2, 6, seed=2)) if kind == "encoder-decoder" else (x,)
    wanted = model(*inputs, padding_mask=mask).logits
    model.cuda()
    inputs = [part.cuda() for part in inputs]
    found = model(*inputs, padding_mask=mask.cuda()).logits.cpu()
    real = mask.bool() if kind != "encoder-decoder" else slice(None)
    close(found[real], wanted[real], 1e-3)    # a GPU may multiply in TF32
    if kind == "decoder":
        cache = model.make_cache(2)
        parts = [model(inputs[0][:, a:b], padding_mask=mask[:, :b].cuda(), cache=cache).logits
                 for a, b in [(0, 5), (5, 6), (6, 8)]]
        close(torch.cat(parts, 1).cpu()[real], wanted[real], 1e-3)


# Parts of trained models

@pytest.mark.parametrize("second", ["decoder", "encoder"])
@torch.no_grad()
def test_combine_keeps_what_was_trained(second):
    encoder = build("encoder", seed=1, vocabulary=31, norm="post", embedding_norm=True, segments=2)
    decoder = build(second, seed=2, head_transform=True, head_bias=True)
    model = combine(encoder, decoder).eval()
    source, target = ids(2, 6, vocabulary=31), ids(2, 5)
    mask = torch.tensor([[1] * 6, [1] * 3 + [0] * 3])
    assert model.config.kind == "encoder-decoder" and model.config.source_vocabulary == 31
    close(model.encode(source, mask), encoder.encode(source, mask))
    before = [weight.clone() for weight in encoder.parameters()]
    for block in model.decoder.blocks:   # without what is new, it is the second model with a causal mask
        block.cross_attention.output.weight.zero_()
    stack = decoder.decoder or decoder.encoder
    stack.causal = True
    close(model(source, target, padding_mask=mask).logits, decoder(target).logits)
    for weight in model.parameters():
        weight.add_(1)
    assert all(map(torch.equal, before, encoder.parameters())), "the parts are copies"


def test_combine_trains_and_decodes():
    model = combine(build("encoder"), build("decoder"))
    loss = F.cross_entropy(model(ids(2, 6), ids(2, 5)).logits.flatten(0, 1), ids(2, 5, 1).flatten())
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
    with torch.no_grad():
        cache = model.make_cache(2)
        for step in range(3):
            part = model(ids(2, 6), ids(2, 3)[:, step:step + 1], cache=cache).logits
        close(part[:, 0], model(ids(2, 6), ids(2, 3)).logits[:, -1])


@pytest.mark.parametrize("first, second, message", [
    (dict(kind="decoder"), dict(kind="decoder"), "no encoder to take"),
    (dict(kind="encoder"), dict(kind="encoder-decoder"), "must be a decoder or an encoder"),
    (dict(kind="encoder", width=12), dict(kind="decoder"), r"widths .* \(12, 24\)"),
])
def test_combine_refuses(first, second, message):
    with pytest.raises(ValueError, match=message):
        combine(build(**first), build(**second))


# Bad input

@pytest.mark.parametrize("settings, message", [
    (dict(layers=0), "needs layers"),
    (dict(), "needs layers"),
    (dict(encoder_layers=-1, decoder_layers=2), "needs layers"),
    (dict(layers=2.0), "whole numbers"),
    (dict(encoder_layers="2"), "whole numbers"),
    (dict(layers=2, decoder_layers=2), "not both"),
    (dict(layers=1, width=25), "width=25 is not divisible by heads=3"),
    (dict(layers=1, vocabulary=0), "vocabulary=0"),
    (dict(layers=1, context=None), "context=None"),
    (dict(layers=1, feed_forward=-4), "feed_forward=-4"),
    (dict(layers=1, heads=1.5), "heads=1.5"),
    (dict(layers=1, activation="gelu_new"), "activation='gelu_new' is not one of: gelu, gelu_t"),
    (dict(layers=1, positions="relative"), "learned, sinusoidal, rotary, none"),
    (dict(layers=1, norm="sandwich"), "pre, post"),
    (dict(layers=1, width=9, positions="rotary"), "a head's width, 3, is odd"),
    (dict(layers=1, dropout=1.0), "dropout=1.0"),
    (dict(layers=1, source_vocabulary=9), "source_vocabulary"),
    (dict(encoder_layers=1, decoder_layers=1, source_vocabulary=0), "source_vocabulary=0"),
])
def test_config_refuses(settings, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**(SMALL | settings))


def test_kind_and_replace():
    for kind, layers in KINDS.items():
        assert TransformerConfig(**SMALL, **layers).kind == kind
    config = TransformerConfig(vocabulary=9, width=8, heads=2, layers=1)
    wide = replace(config, width=16, decoder_layers=3)
    assert wide.decoder_layers == 3 and Transformer(wide).decoder.blocks[0].feed_forward.up.out_features == 64


@pytest.mark.parametrize("kind, call, message", [
    ("decoder", lambda m: m(torch.zeros(2, 0, dtype=torch.long)), "empty input"),
    ("decoder", lambda m: m(ids(1, 17)), "17 tokens, and the context is 16"),
    ("decoder", lambda m: m(ids(1, 4) + 23), "token ids must be 0 to 22; these are 2[3-9]"),
    ("decoder", lambda m: m(-1 - ids(1, 4)), "token ids must be 0 to 22"),
    ("decoder", lambda m: m(ids(1, 4)[0]), r"integers, \[batch, length\]"),
    ("decoder", lambda m: m(ids(1, 4).float()), "integers"),
    ("decoder", lambda m: m(ids(1, 4) > 3), "integers"),
    ("decoder", lambda m: m(ids(1, 4).to(torch.uint8)), "int64 or int32"),
    ("decoder", lambda m: m([[1, 2]]), "must be a tensor"),
    ("decoder", lambda m: m(None), "must be a tensor"),
    ("decoder", lambda m: m(ids(2, 4), padding_mask=torch.ones(2, 3)), r"here \[2, 4\]"),
    ("decoder", lambda m: m(ids(2, 4), ids(2, 4)), "one stack"),
    ("decoder", lambda m: m(ids(2, 4), memory=torch.ones(2, 4, 24)), "one stack"),
    ("decoder", lambda m: m(ids(2, 4), segments=ids(2, 4)), "no segment embeddings"),
    ("decoder", lambda m: m.encode(ids(2, 4)), "a decoder has no encoder"),
    ("decoder", lambda m: m(ids(2, 4), cache=m.make_cache(3)), "2 rows of tokens, and the cache has 3"),
    ("decoder", lambda m: m(ids(2, 4), cache=m.make_cache(2, 3)), "4 tokens, and the cache holds 3"),
    ("decoder", lambda m: m.make_cache(2, 17), "max_length=17, and the context is 16"),
    ("encoder", lambda m: m(ids(2, 4), prefix_length=2), "an encoder sees both sides"),
    ("encoder", lambda m: m.make_cache(2), "an encoder needs no cache"),
    ("encoder-decoder", lambda m: m(ids(2, 4)), "needs decoder_input_ids"),
    ("encoder-decoder", lambda m: m(None, ids(2, 4)), "needs input_ids or memory"),
    ("encoder-decoder", lambda m: m(ids(3, 4), ids(2, 4)), "2 rows of decoder_input_ids, .* source has 3"),
    ("encoder-decoder",
     lambda m: m(None, ids(2, 4), memory=torch.ones(2, 5, 24), padding_mask=torch.ones(2, 4)),
     r"the padding mask is \[2, 4\], and the source is \[2, 5\]"),
])
@torch.no_grad()
def test_forward_refuses(kind, call, message):
    with pytest.raises(ValueError, match=message):
        call(build(kind))


@torch.no_grad()
def test_a_refused_call_leaves_the_cache_as_it_was():
    model, x = build(), ids(2, 6)
    cache = model.make_cache(2, max_length=6)
    model(x[:, :4], cache=cache)
    for bad in (torch.full((2, 1), 23), ids(2, 3), ids(1, 1)):
        with pytest.raises(ValueError):
            model(bad, cache=cache)
    close(model(x[:, 4:], cache=cache).logits, model(x).logits[:, 4:])
    with pytest.raises(ValueError, match=r"here \[2, 5\]"):
        cache.truncate(4)
        model(x[:, 4:5], padding_mask=torch.ones(2, 1), cache=cache)


def test_a_cache_under_gradients_is_refused():
    model = build()
    with pytest.raises(RuntimeError, match="torch.no_grad"):
        model(ids(2, 4), cache=model.make_cache(2))
