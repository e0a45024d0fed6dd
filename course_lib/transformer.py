"""The one Transformer of this course: encoder, decoder and encoder-decoder from one block.

Vaswani et al. 2017, "Attention Is All You Need", with the switches that make it GPT-2, BERT,
DistilBERT, Marian or BART (`course_lib.pretrained` loads their weights), or UniLM by its prefix mask.

Shapes in comments: [batch, heads, target, source]. A target position asks (query), a source
position answers (key, value). In a mask, True means "may be attended to".

Built in chapter 2.
"""
import copy
import math
from dataclasses import InitVar, dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS = {"gelu": F.gelu, "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
               "relu": F.relu, "silu": F.silu}
POSITIONS = ("learned", "sinusoidal", "rotary", "none")


@dataclass(frozen=True)
class TransformerConfig:
    """What a `Transformer` is made of.

    vocabulary: number of tokens that it predicts. width: of the hidden states. heads: divide `width`.
    encoder_layers, decoder_layers: both, or one of them 0. layers: short for decoder_layers.
    context: most tokens of a sequence. source_vocabulary: an encoder-decoder's encoder has an
    embedding table of its own, of so many tokens; default, one table for both.
    segments: kinds of segment embeddings (BERT has 2). feed_forward: default, 4 times `width`.
    activation: "gelu" (exact), "gelu_tanh" (GPT-2's approximation), "relu" or "silu".
    norm: "pre" (GPT-2; with a last norm after the blocks) or "post" (Vaswani et al., BERT).
    embedding_norm: a norm after the embeddings. embedding_scale: factor of token embeddings.
    positions: "learned", "sinusoidal" (sines first, then cosines), "rotary" (Su et al. 2021, in halves
    as GPT-NeoX does) or "none". bias: of linear layers and norms. tied: the head's matrix is the
    embedding table. head_transform: BERT's dense layer and norm before it. head_bias: of the logits.
    dropout: of embeddings, attention weights and residuals.
    pad_token_id, eos_token_id, decoder_start_token_id: for generation, where known.

    Raises ValueError for what does not fit together.
    """
    vocabulary: int
    width: int
    heads: int
    layers: InitVar[int | None] = None
    encoder_layers: int = 0
    decoder_layers: int = 0
    context: int = 1024
    source_vocabulary: int | None = None
    segments: int = 0
    feed_forward: int | None = None
    activation: str = "gelu"
    norm: str = "pre"
    norm_eps: float = 1e-5
    embedding_norm: bool = False
    embedding_scale: float = 1.0
    positions: str = "learned"
    bias: bool = True
    tied: bool = True
    head_transform: bool = False
    head_bias: bool = False
    dropout: float = 0.0
    pad_token_id: int | None = None
    eos_token_id: int | None = None
    decoder_start_token_id: int | None = None

    def __post_init__(self, layers):
        if layers is not None:
            _need(not self.decoder_layers, "give layers or decoder_layers, not both")
            object.__setattr__(self, "decoder_layers", layers)
        for name in ("vocabulary", "width", "heads", "context", "source_vocabulary", "feed_forward"):
            value = getattr(self, name)
            right = isinstance(value, int) and value > 0
            _need(right or value is None and name in ("source_vocabulary", "feed_forward"),
                  f"{name}={value!r} is not a positive integer")
        _need(all(isinstance(n, int) and n >= 0 for n in (self.encoder_layers, self.decoder_layers)) and self.kind,
              "a model needs layers: give layers, encoder_layers or decoder_layers, whole numbers")
        _need(self.width % self.heads == 0, f"width={self.width} is not divisible by heads={self.heads}")
        for name, words in (("activation", ACTIVATIONS), ("positions", POSITIONS), ("norm", ("pre", "post"))):
            value = getattr(self, name)
            _need(value in words, f"{name}={value!r} is not one of: {', '.join(words)}")
        _need(self.positions != "rotary" or self.width // self.heads % 2 == 0,
              f"rotary positions turn pairs, and a head's width, {self.width // self.heads}, is odd")
        _need(0 <= self.dropout < 1, f"dropout={self.dropout} must be at least 0 and below 1")
        _need(self.source_vocabulary is None or self.kind == "encoder-decoder",
              "source_vocabulary is for an encoder-decoder; vocabulary is enough here")

    @property
    def kind(self) -> str:
        """"encoder", "decoder" or "encoder-decoder"."""
        return "-".join(["encoder"] * bool(self.encoder_layers) + ["decoder"] * bool(self.decoder_layers))


@dataclass
class Output:
    """What a `Transformer` returns; what was not asked for or does not exist is None.

    logits: [batch, target, vocabulary]. hidden: [batch, target, width], the last hidden state after
    the last norm. memory: [batch, source, width], the encoder's output in an encoder-decoder.
    attentions: of each layer, [batch, heads, target, source]: the decoder's own, or the encoder's
    where there is no decoder. cross_attentions: the decoder's to the source. encoder_attentions: the
    encoder's own in an encoder-decoder.
    """
    logits: Tensor
    hidden: Tensor
    memory: Tensor | None = None
    attentions: list[Tensor] | None = None
    cross_attentions: list[Tensor] | None = None
    encoder_attentions: list[Tensor] | None = None


def attention_mask(target: int, source: int | None = None, *, causal: bool,
                   prefix_length: int | Tensor | None = None, padding_mask: Tensor | None = None,
                   device: torch.device | None = None) -> Tensor:
    """Who may attend to whom: bool, [target, source], or [batch, 1, target, source] where an argument
    has a batch.

    The targets are the last of `source` positions (default: all). causal: a position sees itself and
    what is before it (GPT); else everything (BERT). prefix_length: int or [batch]; the first positions
    are seen by all (UniLM, Dong et al. 2019). padding_mask: [batch, source], 1 for real tokens.
    """
    source = target if source is None else source
    columns = torch.arange(source, device=device)
    rows = columns[source - target:, None]
    mask = columns <= rows if causal else torch.ones(target, source, dtype=torch.bool, device=device)
    if isinstance(prefix_length, Tensor):
        prefix_length = prefix_length.to(columns.device)[:, None, None, None]
    if prefix_length is not None:
        mask = mask | (columns < prefix_length)
    if padding_mask is not None:
        mask = mask & padding_mask.to(columns.device, torch.bool)[:, None, None, :]
    return mask


class Cache:
    """Keys and values of the tokens so far, of all decoder layers, allocated once.

    keys, values: [layers, batch, heads, max_length, width of a head]. length: tokens written.
    cross: of each layer, keys and values of the source, once they were computed.
    Made by `Transformer.make_cache`; used under `torch.no_grad`, as writing in place has no gradient.
    """

    def __init__(self, layers: int, batch: int, heads: int, max_length: int, head_width: int, **options):
        self.keys = torch.zeros(layers, batch, heads, max_length, head_width, **options)
        self.values = torch.zeros_like(self.keys)
        self.cross: list[tuple[Tensor, Tensor] | None] = [None] * layers
        self.length = 0

    batch = property(lambda self: self.keys.shape[1], doc="Number of rows.")
    max_length = property(lambda self: self.keys.shape[3], doc="Number of tokens that fit.")

    def write(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put [batch, heads, new, width of a head] behind the stored ones; return all of the layer's.

        `length` stays: the stack moves it once all its layers have written.
        """
        if torch.is_grad_enabled() and keys.requires_grad:
            raise RuntimeError("a cache is for inference: call the model under torch.no_grad()")
        new, end = keys.shape[2], self.length + keys.shape[2]
        stored = self.keys[layer], self.values[layer]   # `narrow` costs less than an index with slices
        for place, written in zip(stored, (keys, values)):
            place.narrow(2, self.length, new).copy_(written)
        return stored[0].narrow(2, 0, end), stored[1].narrow(2, 0, end)

    def select(self, rows: Tensor) -> None:
        """Keep these rows, in this order; a row may be repeated (beams, candidates of one prompt).

        rows: [new batch], int64. Padding masks and memory given beside the cache are the caller's.
        """
        rows = rows.to(self.keys.device)

        def selected(stored: Tensor) -> Tensor:
            kept = stored[:, rows, :, :self.length]
            if len(rows) != self.batch:
                stored = stored.new_zeros(stored.shape[0], len(rows), *stored.shape[2:])
            stored[:, :, :, :self.length] = kept
            return stored

        self.keys, self.values = selected(self.keys), selected(self.values)
        self.cross = [pair and (pair[0][rows], pair[1][rows]) for pair in self.cross]

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens. Raises ValueError for more than there are."""
        _need(0 <= length <= self.length, f"truncate to {length}: the cache holds {self.length} tokens")
        self.length = length


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2).

    cross: keys and values come from the encoder's output, else from the input itself.
    """

    def __init__(self, config: TransformerConfig, cross: bool = False):
        super().__init__()
        self.heads, self.dropout, self.cross = config.heads, config.dropout, cross
        if cross:
            self.query = nn.Linear(config.width, config.width, config.bias)
            self.key_value = nn.Linear(config.width, 2 * config.width, config.bias)
        else:   # one matrix for the three: fewer, larger products
            self.query_key_value = nn.Linear(config.width, 3 * config.width, config.bias)
        self.output = nn.Linear(config.width, config.width, config.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False, *, rotation=None,
                memory: Tensor | None = None, cache: Cache | None = None, layer: int = 0,
                return_attention: bool = False) -> tuple[Tensor, Tensor | None]:
        """x: [batch, target, width] to the same, and the weights [batch, heads, target, source] if asked for.

        causal: for `mask=None`; leaves the mask to the fused kernel. rotation: cosines and sines.
        """
        if not self.cross:
            # [3, batch, heads, target, width of a head]
            query, key, value = self.query_key_value(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            if rotation is not None:
                query, key = _rotate(query, *rotation), _rotate(key, *rotation)
            if cache is not None:
                key, value = cache.write(layer, key, value)
        else:
            query = self._split(self.query(x))
            if cache is None or cache.cross[layer] is None:
                key, value = map(self._split, self.key_value(memory).chunk(2, -1))
                if cache is not None:
                    cache.cross[layer] = key, value
            else:
                key, value = cache.cross[layer]

        dropout, weights = self.dropout * self.training, None
        if return_attention:
            # [batch, heads, target, source]
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
            if mask is not None:
                scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
            weights = scores.softmax(-1)
            if mask is not None:   # a target that sees nothing gets zeros, as from the fused kernel
                weights = weights.masked_fill(~mask, 0)
            x = F.dropout(weights, dropout) @ value
        else:
            x = F.scaled_dot_product_attention(query, key, value, mask, dropout, is_causal=causal)
        return self.output(x.transpose(1, 2).flatten(2)), weights

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)   # [batch, heads, length, width of a head]


class FeedForward(nn.Module):
    """Two linear layers at each position by itself."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        inner = config.feed_forward or 4 * config.width
        self.up = nn.Linear(config.width, inner, config.bias)
        self.down = nn.Linear(inner, config.width, config.bias)
        self.activation = ACTIVATIONS[config.activation]

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, width] to the same."""
        return self.down(self.activation(self.up(x)))


class Block(nn.Module):
    """Attention, cross-attention in the decoder of an encoder-decoder, feed-forward.

    Each adds to its input. The norm stands before it ("pre") or after the sum ("post").
    """

    def __init__(self, config: TransformerConfig, cross: bool):
        super().__init__()
        self.pre, self.dropout = config.norm == "pre", config.dropout
        self.attention, self.attention_norm = Attention(config), _norm(config)
        self.cross_attention = Attention(config, cross=True) if cross else None
        self.cross_attention_norm = _norm(config) if cross else None
        self.feed_forward, self.feed_forward_norm = FeedForward(config), _norm(config)

    def forward(self, x: Tensor, mask: Tensor | None = None, causal: bool = False, *, rotation=None,
                memory: Tensor | None = None, memory_mask: Tensor | None = None, **options):
        """x: [batch, target, width] to the same, with the weights of attention and cross-attention.

        options: cache, layer and return_attention of `Attention.forward`.
        """
        change, weights = self.attention(self.attention_norm(x) if self.pre else x, mask, causal,
                                         rotation=rotation, **options)
        x, cross_weights = self._add(x, change, self.attention_norm), None
        if self.cross_attention is not None:
            change, cross_weights = self.cross_attention(self.cross_attention_norm(x) if self.pre else x,
                                                         memory_mask, memory=memory, **options)
            x = self._add(x, change, self.cross_attention_norm)
        change = self.feed_forward(self.feed_forward_norm(x) if self.pre else x)
        return self._add(x, change, self.feed_forward_norm), weights, cross_weights

    def _add(self, x: Tensor, change: Tensor, norm: nn.Module) -> Tensor:
        x = x + (F.dropout(change, self.dropout) if self.training else change)
        return x if self.pre else norm(x)


class Stack(nn.Module):
    """Embeddings and blocks: an encoder, or with `causal` a decoder, which with `cross` reads a memory."""

    def __init__(self, config: TransformerConfig, vocabulary: int, layers: int, *, causal: bool, cross: bool):
        super().__init__()
        self.config, self.causal = config, causal
        self.tokens = nn.Embedding(vocabulary, config.width)
        self.positions = nn.Embedding(config.context, config.width) if config.positions == "learned" else None
        self.segments = nn.Embedding(config.segments, config.width) if config.segments else None
        self.embedding_norm = _norm(config) if config.embedding_norm else None
        self.blocks = nn.ModuleList(Block(config, cross) for _ in range(layers))
        self.final_norm = _norm(config) if config.norm == "pre" else None
        if config.positions in ("sinusoidal", "rotary"):
            turning = config.width if config.positions == "sinusoidal" else config.width // config.heads
            for name, table in zip(("sines", "cosines"), _waves(config.context, turning)):
                self.register_buffer(name, table, persistent=False)

    def forward(self, ids: Tensor, *, padding_mask: Tensor | None = None, segments: Tensor | None = None,
                prefix_length: int | Tensor | None = None, memory: Tensor | None = None,
                memory_mask: Tensor | None = None, cache: Cache | None = None,
                return_attention: bool = False) -> tuple[Tensor, list, list]:
        """Arguments as in `Transformer.forward`: hidden states, weights of attention, of cross-attention."""
        start = cache.length if cache is not None else 0
        self._check(ids, padding_mask, cache, start)
        target, source = ids.shape[1], start + ids.shape[1]
        if padding_mask is None:
            places = torch.arange(start, source, device=ids.device)   # [target]
        else:   # only real tokens count, wherever the padding is
            places = (padding_mask.long().cumsum(-1) - 1).clamp(min=0)[:, start:]   # [batch, target]
        rotation = None
        if self.config.positions == "rotary":
            rotation = self.cosines[places].unsqueeze(-3), self.sines[places].unsqueeze(-3)

        # A lone target is the last position, which sees all; a kernel knows the plain causal mask.
        plain = padding_mask is None and prefix_length is None and not return_attention
        plain = plain and (start == 0 or target == 1)
        mask = None if plain else attention_mask(
            target, source, causal=self.causal, prefix_length=prefix_length, padding_mask=padding_mask,
            device=ids.device)
        causal = plain and self.causal and target > 1

        x = self._embed(ids, segments, places)
        attentions, cross_attentions = [], []
        for layer, block in enumerate(self.blocks):
            x, weights, cross_weights = block(
                x, mask, causal, rotation=rotation, memory=memory, memory_mask=memory_mask, cache=cache,
                layer=layer, return_attention=return_attention)
            attentions.append(weights)
            cross_attentions.append(cross_weights)
        if self.final_norm is not None:
            x = self.final_norm(x)
        if cache is not None:
            cache.length = source
        return x, attentions, cross_attentions

    def _check(self, ids: Tensor, padding_mask: Tensor | None, cache: Cache | None, start: int) -> None:
        integers = isinstance(ids, Tensor) and ids.dtype in (torch.int64, torch.int32)
        _need(integers and ids.dim() == 2, "token ids must be a tensor of int64 or int32 integers, [batch, length]")
        shape = [len(ids), start + ids.shape[1]]
        _need(shape[1] > start, "empty input: give one token at least, such as one that begins a text")
        _need(shape[1] <= self.config.context,
              f"{shape[1]} tokens, and the context is {self.config.context}: shorten the input")
        if cache is not None:
            _need(shape[0] == cache.batch, f"{shape[0]} rows of tokens, and the cache has {cache.batch}")
            _need(shape[1] <= cache.max_length, f"{shape[1]} tokens, and the cache holds {cache.max_length}")
        _need(padding_mask is None or list(padding_mask.shape) == shape,
              f"the padding mask must be [batch, length], here {shape}, tokens in the cache included")

    def _embed(self, ids: Tensor, segments: Tensor | None, places: Tensor) -> Tensor:
        try:
            x = self.tokens(ids)   # [batch, target, width]
        except IndexError:   # on a GPU, an assertion of the device instead
            raise ValueError(f"token ids must be 0 to {self.tokens.num_embeddings - 1}; "
                             f"these are {int(ids.min())} to {int(ids.max())}") from None
        if self.config.embedding_scale != 1:
            x = x * self.config.embedding_scale
        if self.positions is not None:
            x = x + self.positions(places)
        elif self.config.positions == "sinusoidal":
            x = x + torch.cat([self.sines, self.cosines], -1)[places, :x.shape[-1]]
        if self.segments is not None:
            x = x + self.segments(torch.zeros_like(ids) if segments is None else segments)
        else:
            _need(segments is None, "this model has no segment embeddings; set segments in its config")
        if self.embedding_norm is not None:
            x = self.embedding_norm(x)
        return F.dropout(x, self.config.dropout, self.training)


class Head(nn.Module):
    """Hidden states to logits; with `head_transform` as in BERT, a dense layer and a norm before."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.transform = nn.Linear(config.width, config.width) if config.head_transform else None
        self.norm = _norm(config) if config.head_transform else None
        self.activation = ACTIVATIONS[config.activation]
        self.output = nn.Linear(config.width, config.vocabulary, config.head_bias)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, length, width] to [batch, length, vocabulary]."""
        if self.transform is not None:
            x = self.norm(self.activation(self.transform(x)))
        return self.output(x)


class Transformer(nn.Module):
    """The model of a `TransformerConfig`: `encoder` and `decoder` (a `Stack` or None each), and a `head`.

    Initialised as GPT-2 (Radford et al. 2019, section 2.3): normal of deviation 0.02, biases 0; the layers
    that add to the residuals divided by the square root of their number.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config, both = config, config.kind == "encoder-decoder"
        self.encoder = self.decoder = None
        if config.encoder_layers:
            self.encoder = Stack(config, config.source_vocabulary or config.vocabulary, config.encoder_layers,
                                 causal=False, cross=False)
        if config.decoder_layers:
            self.decoder = Stack(config, config.vocabulary, config.decoder_layers, causal=True, cross=both)
        if both and config.source_vocabulary is None:
            self.encoder.tokens = self.decoder.tokens
        self.head = Head(config)
        if config.tied:
            self.head.output.weight = (self.decoder or self.encoder).tokens.weight
        self.apply(_initialise)
        for stack in filter(None, (self.encoder, self.decoder)):
            residual = [weight for name, weight in stack.named_parameters()
                        if name.endswith((".output.weight", ".down.weight"))]
            for weight in residual:
                nn.init.normal_(weight, std=0.02 / math.sqrt(len(residual)))

    def forward(self, input_ids: Tensor | None = None, decoder_input_ids: Tensor | None = None, *,
                padding_mask: Tensor | None = None, decoder_padding_mask: Tensor | None = None,
                segments: Tensor | None = None, prefix_length: int | Tensor | None = None,
                memory: Tensor | None = None, cache: Cache | None = None,
                return_attention: bool = False) -> Output:
        """Logits of every position.

        input_ids: [batch, length], integers: of the encoder where there is one, else of the decoder.
        decoder_input_ids: [batch, target], of an encoder-decoder. padding_mask, decoder_padding_mask: of
        each, [batch, length], bool or int, 1 for real tokens; positions count real tokens, so that padding
        on either side changes no real token's output. segments: as input_ids; default 0. prefix_length:
        int or [batch], columns of the decoder that all may see. memory: `encode`'s, instead of input_ids.
        cache: the decoder's tokens are put behind those in it; its padding mask then covers these too, and
        the source is read at the first call only. return_attention: explicit attention, weights returned.

        Raises ValueError, saying what to do, for ids or masks of the wrong shape, ids out of range (on a
        GPU torch's own assertion), empty input, and more tokens than the context or the cache holds.
        """
        options = {"prefix_length": prefix_length, "cache": cache, "return_attention": return_attention}
        encoder_attentions = cross_attentions = None
        if self.config.kind != "encoder-decoder":
            _need(decoder_input_ids is None and decoder_padding_mask is None and memory is None,
                  f"this model is one stack ({self.config.kind}): give it input_ids and padding_mask")
            _need(self.decoder is not None or (cache is None and prefix_length is None),
                  "an encoder sees both sides: it takes no cache and no prefix_length")
            hidden, attentions, _ = (self.decoder or self.encoder)(
                input_ids, padding_mask=padding_mask, segments=segments, **options)
        else:
            _need(decoder_input_ids is not None, "an encoder-decoder needs decoder_input_ids")
            if memory is None and input_ids is not None:
                memory, encoder_attentions, _ = self.encoder(
                    input_ids, padding_mask=padding_mask, segments=segments,
                    return_attention=return_attention)
            read = cache.cross[0] if cache is not None else None
            _need(memory is not None or read is not None, "an encoder-decoder needs input_ids or memory")
            source = list(memory.shape[:2]) if read is None else [len(read[0]), read[0].shape[2]]
            _need(len(decoder_input_ids) == source[0],
                  f"{len(decoder_input_ids)} rows of decoder_input_ids, and the source has {source[0]}")
            memory_mask = None
            if padding_mask is not None:
                _need(list(padding_mask.shape) == source,
                      f"the padding mask is {list(padding_mask.shape)}, and the source is {source}")
                memory_mask = padding_mask.bool()[:, None, None, :]   # [batch, 1, 1, source]
            hidden, attentions, cross_attentions = self.decoder(
                decoder_input_ids, padding_mask=decoder_padding_mask, memory=memory,
                memory_mask=memory_mask, **options)
        if not return_attention:
            attentions = cross_attentions = encoder_attentions = None
        return Output(self.head(hidden), hidden, memory, attentions, cross_attentions, encoder_attentions)

    def encode(self, input_ids: Tensor, padding_mask: Tensor | None = None,
               segments: Tensor | None = None) -> Tensor:
        """The encoder's last hidden states, [batch, source, width]: the `memory` of an encoder-decoder."""
        _need(self.encoder is not None, "a decoder has no encoder; its hidden states are model(...).hidden")
        return self.encoder(input_ids, padding_mask=padding_mask, segments=segments)[0]

    def make_cache(self, batch: int, max_length: int | None = None) -> Cache:
        """An empty `Cache` for `batch` rows of at most `max_length` tokens (default, the context)."""
        _need(self.decoder is not None, "an encoder needs no cache: each token may change all the others")
        config, weight = self.decoder.config, self.decoder.tokens.weight
        max_length = max_length or config.context
        _need(max_length <= config.context, f"max_length={max_length}, and the context is {config.context}")
        return Cache(len(self.decoder.blocks), batch, config.heads, max_length, config.width // config.heads,
                     dtype=weight.dtype, device=weight.device)


def combine(encoder: Transformer, decoder: Transformer) -> Transformer:
    """An encoder-decoder from two trained models; only its cross-attention is new.

    The encoder is copied from a model that has one; the decoder's embeddings, blocks and head from a
    decoder or, as in the post, from an encoder, which gets the causal mask. Rothe et al. 2020,
    "Leveraging Pre-trained Checkpoints for Sequence Generation Tasks". Their widths must be equal.
    """
    _need(encoder.encoder is not None, "the first model has no encoder to take")
    _need(decoder.config.kind != "encoder-decoder", "the second model must be a decoder or an encoder")
    widths = encoder.config.width, decoder.config.width
    _need(widths[0] == widths[1], f"the widths of the two models must be equal; they are {widths}")
    trained = decoder.decoder or decoder.encoder
    model = Transformer(replace(
        decoder.config, encoder_layers=len(encoder.encoder.blocks), decoder_layers=len(trained.blocks),
        source_vocabulary=encoder.encoder.tokens.num_embeddings))
    model.encoder = copy.deepcopy(encoder.encoder)
    model.decoder.load_state_dict(trained.state_dict(), strict=False)
    model.head.load_state_dict(decoder.head.state_dict())
    return model.to(trained.tokens.weight.device, trained.tokens.weight.dtype)


def _need(ok: bool, message: str) -> None:
    if not ok:
        raise ValueError(message)


def _norm(config: TransformerConfig) -> nn.LayerNorm:
    return nn.LayerNorm(config.width, config.norm_eps, bias=config.bias)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Linear, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _waves(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Sines and cosines of position / 10000^(2j / width), [length, width / 2 rounded up] each."""
    rates = 10000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return angles.sin().float(), angles.cos().float()


def _rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turn the pairs (x[j], x[j + half]) of [batch, heads, length, width of a head] by their angles."""
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], -1)
