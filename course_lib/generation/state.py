"""The text so far, the model and its cache: what every way of decoding goes on from."""
import torch
from torch.nn.functional import pad

from course_lib.generation.one_token import make_step


class DecoderState:
    """Rows of token ids with room for new ones, and a cache of those that the model has read.

    ids: int64 [rows, prompt + max_new_tokens], of which `length` columns are written. mask: bool of
    the same shape, False at the prompts' padding, or None. The decoder of an encoder-decoder begins
    with `start_token`; its source is encoded once.
    """

    def __init__(self, model, input_ids, padding_mask, max_new_tokens, start_token=None, prefix_length=None):
        self.model, self.prefix_length, self.steps = model, prefix_length, 0
        self.memory = self.source_mask = self.mask = None
        prompt = input_ids
        if model.config.kind == "encoder-decoder":
            self.memory, self.source_mask = model.encode(input_ids, padding_mask), padding_mask
            prompt = torch.full_like(input_ids[:, :1], start_token)
        elif padding_mask is not None:
            self.mask = pad(padding_mask.bool(), (0, max_new_tokens), value=True)
        self.length = self.prompt_length = prompt.shape[1]
        self.ids = pad(prompt, (0, max_new_tokens))
        self.cache = model.make_cache(*self.ids.shape)
        self.one_token = make_step(model)

    @property
    def text(self) -> torch.Tensor:
        """The ids written so far, int64 [rows, length]."""
        return self.ids[:, :self.length]

    @property
    def prompts(self) -> torch.Tensor:
        """What the decoder began with, int64 [rows, prompt]."""
        return self.ids[:, :self.prompt_length]

    def forward(self):
        """The model's output for the ids that it has not read yet."""
        self.steps += 1
        new = self.ids[:, self.cache.length:self.length]
        if self.model.config.kind == "encoder-decoder":
            memory, self.memory = self.memory, None   # then the cache has its keys and values
            return self.model(None, new, memory=memory, padding_mask=self.source_mask, cache=self.cache)
        prefix_length = None if self.cache.length else self.prefix_length
        return self.model(new, padding_mask=self._seen(), prefix_length=prefix_length, cache=self.cache)

    def next_scores(self) -> torch.Tensor:
        """Logits of the token after the text, float32 [rows, vocabulary]."""
        last = self.length - 1
        if self.one_token is None or not 0 < self.cache.length == last:
            return self.forward().logits[:, -1].float()
        self.steps += 1
        return self.one_token(self.ids[:, last], self.cache, self._seen()).float()

    def _seen(self):
        """The padding mask of the text, bool [rows, length], or None."""
        return None if self.mask is None else self.mask[:, :self.length]

    def append(self, tokens: torch.Tensor) -> None:
        """Write int64 [rows], one token each, or [rows, n]."""
        tokens = tokens.view(len(self.ids), -1)
        self.ids[:, self.length:self.length + tokens.shape[1]] = tokens
        self.length += tokens.shape[1]

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows, int64; a row may be repeated or left out."""
        self.ids = self.ids[rows]
        self.mask = None if self.mask is None else self.mask[rows]
        self.source_mask = None if self.source_mask is None else self.source_mask[rows]
        self.cache.select(rows)

    def truncate(self, length: int) -> None:
        """Forget what comes after the first `length` tokens."""
        self.length = length
        self.cache.truncate(min(length, self.cache.length))
