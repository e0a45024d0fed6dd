"""One new token a row through a decoder, written flat.

The matrices of one token are small: calling the modules around them takes about as long as multiplying
(`benchmarks/generation_speed.py` times both). So generation runs the same functions in a row, without the
modules, where it can: in a pre-norm decoder made of nothing but the modules of `course_lib.transformer`,
as they are and without hooks. Any other model is called.

Built in chapter 2.
"""
from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as hooks

from course_lib.transformer import (
    ACTIVATIONS, Attention, Block, Cache, FeedForward, Head, Stack, Transformer, _rotate)

# What each kind of module computes, so that a changed or unknown one is noticed.
KNOWN = {kind: kind.forward for kind in (Transformer, Stack, Block, Attention, FeedForward, Head,
                                         nn.ModuleList, nn.Embedding, nn.Linear, nn.LayerNorm)}


def make_step(model: nn.Module) -> Callable[[Tensor, Cache, Tensor | None], Tensor] | None:
    """A function that does what `model` does with one new token a row; None for a model that has to be called.

    The function takes ids, int64 [rows], a cache, to which they are added, and a padding mask, bool [rows,
    tokens in the cache + 1], or None. It returns logits, [rows, vocabulary], and checks nothing. It holds the
    weights that the model has now; it is for inference, without dropout.
    """
    if not _is_plain(model):
        return None
    config, stack, heads = model.config, model.decoder, model.config.heads
    activation = ACTIVATIONS[config.activation]
    layers = [[_function(module) for module in (
        block.attention_norm, block.attention.query_key_value, block.attention.output,
        block.feed_forward_norm, block.feed_forward.up, block.feed_forward.down)] for block in stack.blocks]
    final_norm, head = _function(stack.final_norm), _function(model.head.output)
    tokens, positions = stack.tokens.weight, stack.positions and stack.positions.weight

    def step(ids: Tensor, cache: Cache, mask: Tensor | None = None) -> Tensor:
        place, end, rows = cache.length, cache.length + 1, len(ids)
        if mask is not None:   # positions count real tokens
            place, mask = mask.sum(-1) - 1, mask[:, None, None]
        x = F.embedding(ids, tokens)   # [rows, width]
        if config.embedding_scale != 1:
            x = x * config.embedding_scale
        if positions is not None:
            x = x + positions[place]
        for functions, keys, values in zip(layers, cache.keys, cache.values):
            norm, query_key_value, output, second_norm, up, down = functions
            # [rows, heads, 1, width of a head]
            query, key, value = query_key_value(norm(x)).view(rows, 3, heads, 1, -1).unbind(1)
            if config.positions == "rotary":
                turn = [table[place].view(-1, 1, 1, table.shape[1]) for table in (stack.cosines, stack.sines)]
                query, key = _rotate(query, *turn), _rotate(key, *turn)
            keys.narrow(2, cache.length, 1).copy_(key)
            values.narrow(2, cache.length, 1).copy_(value)
            seen = F.scaled_dot_product_attention(query, keys.narrow(2, 0, end), values.narrow(2, 0, end), mask)
            x = x + output(seen.reshape(rows, -1))
            x = x + down(activation(up(second_norm(x))))
        cache.length = end
        return head(final_norm(x))
    return step


def _is_plain(model: nn.Module) -> bool:
    """Whether `step` computes what the model does."""
    if hooks._global_forward_hooks or hooks._global_forward_pre_hooks:
        return False
    for module in model.modules():
        changed = KNOWN.get(type(module)) is not type(module).forward or "forward" in vars(module)
        if changed or module._forward_hooks or module._forward_pre_hooks:
            return False
    config = model.config
    return (config.kind == "decoder" and config.norm == "pre" and config.positions != "sinusoidal"
            and not (config.segments or config.embedding_norm or config.head_transform))


def _function(module: nn.Linear | nn.LayerNorm) -> Callable[[Tensor], Tensor]:
    if isinstance(module, nn.Linear):
        return partial(F.linear, weight=module.weight, bias=module.bias)
    return partial(F.layer_norm, normalized_shape=module.normalized_shape, weight=module.weight,
                   bias=module.bias, eps=module.eps)
