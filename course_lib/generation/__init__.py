"""Generation: from the scores of a model to text.

`generate` reads the prompts once and then goes on token by token: greedily, sampling, by beam
search, diverse beams, contrastive search or speculative decoding. Each way is a module; what they
share are the processors between scores and choice, and the `GenerationConfig`.

    generate(model, input_ids, max_new_tokens=40, do_sample=True, top_p=0.9, num_return_sequences=3)

Built in chapter 2.
"""
import time
from collections.abc import Iterator
from dataclasses import replace

import torch

from course_lib.generation.beam_search import beam_search
from course_lib.generation.config import Generated, GenerationConfig, Stopping, need
from course_lib.generation.contrastive import contrastive_search
from course_lib.generation.processors import make_processors
from course_lib.generation.sampling import step_by_step
from course_lib.generation.speculative import speculative_decoding
from course_lib.generation.state import DecoderState
from course_lib.generation.streaming import TextStream, before_stop

EMPTY = "an empty prompt; give each one token at least, such as one that begins a text"
__all__ = ["generate", "stream", "left_pad", "Generated", "GenerationConfig", "TextStream", "before_stop"]


def generate(model, input_ids: torch.Tensor, config: GenerationConfig | None = None, **options) -> Generated:
    """Continue the prompts, or write an encoder-decoder's answers to them.

    model: a `course_lib.transformer.Transformer` with a decoder; dropout is off meanwhile. input_ids:
    int64 [batch, length]. options: fields of `GenerationConfig`, which replace those of `config`, and

    - padding_mask: [batch, length], 1 for real tokens. A decoder's prompts are padded on the left
      (`left_pad`); a row is continued as it would be without its padding.
    - prefix_length: int or [batch], columns of the prompts that see each other (UniLM).
    - draft: a smaller model of the same kind and vocabulary, for speculative decoding of one prompt.
    - decode: a function from a list of ids to text, for stop_strings.
    - generator: of random numbers, on the model's device; default, torch's own.
    - clock: a function to seconds, for max_time.

    Raises ValueError, saying what to do, for options that do not fit together, empty prompts, ids
    beyond the vocabulary, prompts beyond the context, an encoder (which cannot write), and for a row
    in which no token is left to choose.
    """
    steps = _prepare(model, input_ids, config, **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def stream(model, input_ids: torch.Tensor, config: GenerationConfig | None = None, **options
           ) -> Iterator[list[list[int]]]:
    """As `generate`, step by step: yields each row's new ids, none for a row that has ended.

    Closing the iterator ends the work. `TextStream` makes text of the ids. Raises ValueError as
    `generate` does, at once, and for beam search, which knows its text only at the end.
    """
    if options.get("num_beams", config.num_beams if config else 1) > 1:
        raise ValueError("beam search cannot stream: it knows its text only at the end; use generate")
    return _prepare(model, input_ids, config, **options)


def _prepare(model, input_ids, config=None, *, padding_mask=None, prefix_length=None, draft=None, decode=None,
             generator=None, clock=time.monotonic, **options):
    """Everything is checked here; the iterator then only works."""
    config = _complete(replace(config or GenerationConfig(), **options), model)
    device = next(model.parameters()).device
    input_ids, padding_mask = _check_prompts(model, config, input_ids, padding_mask)
    input_ids = input_ids.to(device)
    padding_mask = None if padding_mask is None or padding_mask.all() else padding_mask.to(device)
    if draft is not None:
        need(len(input_ids) == 1, f"speculative decoding continues one prompt, not {len(input_ids)}")
        need(config.num_beams == config.num_return_sequences == 1 and config.penalty_alpha is None,
              "speculative decoding is greedy or samples one candidate; leave out draft or the other options")
        need((draft.config.kind, draft.config.vocabulary) == (model.config.kind, model.config.vocabulary),
             f"the draft has kind {draft.config.kind} and {draft.config.vocabulary} tokens, the model "
             f"{model.config.kind} and {model.config.vocabulary}; they must be the same")
        _check_prompts(draft, config, input_ids, padding_mask)
    need(prefix_length is None or model.config.kind == "decoder",
         "prefix_length is for a decoder: an encoder sees all of its input")
    stopping = Stopping(config, decode, clock)
    prompts = input_ids, padding_mask, config.max_new_tokens, config.decoder_start_token_id, prefix_length
    return _run(model, draft, config, prompts, stopping, generator)


@torch.inference_mode()   # less overhead than no_grad; `assemble` returns ordinary tensors
def _run(model, draft, config, prompts, stopping, generator):
    modules = [*model.modules(), *(draft.modules() if draft is not None else ())]
    training = [module for module in modules if module.training]
    for module in training:
        module.training = False
    try:
        state = DecoderState(model, *prompts)
        padding = None if state.mask is None else (~state.mask).sum(1)
        process = make_processors(config, state.prompt_length, padding)
        if draft is not None:
            guessing = DecoderState(draft, *prompts)
            return (yield from speculative_decoding(state, guessing, config, process, stopping, generator))
        if config.penalty_alpha is not None:
            return (yield from contrastive_search(state, config, process, stopping))
        if config.num_beams > 1:
            return beam_search(state, config, process, stopping)
        return (yield from step_by_step(state, config, process, stopping, generator))
    finally:
        for module in training:
            module.training = True


def _complete(config, model):
    """The config with what the model knows of its special tokens."""
    known = model.config
    need(known.kind != "encoder",
         "an encoder cannot write, as it sees both sides; use a decoder or an encoder-decoder")
    for name in ("eos_token_id", "pad_token_id", "decoder_start_token_id"):
        if getattr(config, name) is None:
            config = replace(config, **{name: getattr(known, name)})
    if config.pad_token_id is None:
        config = replace(config, pad_token_id=(*config.eos_token_ids, 0)[0])
    start = config.decoder_start_token_id
    need(known.kind == "decoder" or start is not None,
         "an encoder-decoder's decoder begins with a token: give decoder_start_token_id")
    for token in (*config.eos_token_ids, *config.suppress_tokens, start, config.forced_bos_token_id,
                  config.forced_eos_token_id):
        need(token is None or 0 <= token < known.vocabulary,
              f"token {token} is not in the model's vocabulary, 0 to {known.vocabulary - 1}")
    return config


def _check_prompts(model, config, input_ids, padding_mask):
    known, is_decoder = model.config, model.config.kind == "decoder"
    need(isinstance(input_ids, torch.Tensor) and input_ids.dim() == 2
         and input_ids.dtype in (torch.int64, torch.int32),
          "input_ids must be an integer tensor [batch, length]; for one prompt torch.tensor([ids])")
    batch, length = input_ids.shape
    need(batch > 0 and length > 0, EMPTY)
    vocabulary = known.vocabulary if is_decoder else known.source_vocabulary or known.vocabulary
    low, high = int(input_ids.min()), int(input_ids.max())
    need(low >= 0 and high < vocabulary,
         f"input_ids hold {low if low < 0 else high}; the vocabulary is 0 to {vocabulary - 1}")
    context, begun = known.context, length if is_decoder else 1
    need(length <= context and begun < context,
         f"a prompt of {length} tokens leaves no room in the context of {context}; shorten it")
    need(begun + config.max_new_tokens <= context,
         f"{begun} tokens and max_new_tokens={config.max_new_tokens} are more than the context of {context}; "
          f"lower max_new_tokens to {context - begun}")
    if padding_mask is not None:
        need(padding_mask.shape == input_ids.shape,
              f"padding_mask is {list(padding_mask.shape)}, input_ids are {list(input_ids.shape)}")
        padding_mask = padding_mask.bool()
        need(padding_mask.any(1).all(), "a prompt that is all padding is empty")
        need(not is_decoder or (padding_mask[:, 1:] >= padding_mask[:, :-1]).all(),
              "a decoder continues the end of its prompts: pad them on the left, with left_pad")
    return input_ids.long(), padding_mask


def left_pad(sequences: list[list[int]], pad_token_id: int, device=None) -> tuple[torch.Tensor, torch.Tensor]:
    """input_ids and padding_mask, int64 and bool [batch, longest], of prompts of different lengths."""
    longest = max(map(len, sequences), default=0)
    if not sequences or not min(map(len, sequences)):
        raise ValueError(EMPTY)
    ids = [[pad_token_id] * (longest - len(row)) + list(row) for row in sequences]
    mask = [[False] * (longest - len(row)) + [True] * len(row) for row in sequences]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
