"""What to generate, when to stop, and what comes back.

Built in chapter 2.
"""
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from course_lib.generation import processors

_FILTERS = ("top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff")


@dataclass(frozen=True)
class GenerationConfig:
    """Options of `generate`, under the names that transformers gives them.

    Unlike there, top_k has no hidden default of 50, and an option that would have no effect, such as
    a temperature without do_sample, is an error.

    max_new_tokens, min_new_tokens: the end token is ruled out before. max_time: seconds; the step in
    which they run out is kept. stop_strings: end where the new text holds one. eos_token_id: one or
    several, () for none. eos_token_id, pad_token_id, decoder_start_token_id: default, the model's;
    for pad the end token, else 0. num_return_sequences: candidates of each prompt, from one prefill.

    do_sample: draw tokens instead of taking the best; temperature to eta_cutoff, see
    `course_lib.generation.processors`, shape what it draws from, in this order. repetition_penalty,
    no_repeat_ngram_size (0: none): also of the prompt. suppress_tokens: never these.
    forced_bos_token_id: where the decoder holds one token; forced_eos_token_id: where one more is
    allowed. renormalize_logits: log-softmax, after all of these.

    num_beams, num_beam_groups, diversity_penalty, length_penalty, early_stopping: see
    `course_lib.generation.beam_search.beam_search`. penalty_alpha: contrastive search among the
    top_k. num_draft_tokens: guesses a step in speculative decoding.

    Raises ValueError for what does not fit together.
    """
    max_new_tokens: int = 20
    min_new_tokens: int = 0
    max_time: float | None = None
    stop_strings: tuple[str, ...] = ()
    eos_token_id: int | tuple[int, ...] | None = None
    pad_token_id: int | None = None
    decoder_start_token_id: int | None = None
    num_return_sequences: int = 1
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    epsilon_cutoff: float | None = None
    eta_cutoff: float | None = None
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    suppress_tokens: tuple[int, ...] = ()
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None
    renormalize_logits: bool = False
    num_beams: int = 1
    num_beam_groups: int = 1
    diversity_penalty: float = 0.0
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    penalty_alpha: float | None = None
    num_draft_tokens: int = 4

    def __post_init__(self):
        for name in ("stop_strings", "suppress_tokens", "eos_token_id"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, (value,) if isinstance(value, (str, int)) else tuple(value))
        for name, least in (("max_new_tokens", 1), ("min_new_tokens", 0), ("num_return_sequences", 1),
                            ("no_repeat_ngram_size", 0), ("num_beams", 1), ("num_beam_groups", 1),
                            ("num_draft_tokens", 1)):
            value = getattr(self, name)
            need(isinstance(value, int) and value >= least,
                 f"{name}={value!r} must be {least} or a larger integer")
        need(self.min_new_tokens <= self.max_new_tokens, "min_new_tokens is more than max_new_tokens")
        need(self.max_time is None or self.max_time > 0, f"max_time={self.max_time} must be above 0 seconds")
        need(all(self.stop_strings), "an empty stop string would stop everything")

        given = [name for name in _FILTERS if getattr(self, name) is not None]
        if self.temperature != 1:
            given.insert(0, "temperature")
        for name in given:   # the functions know which values are good
            getattr(processors, name)(torch.zeros(1, 1), getattr(self, name))
        processors.repetition_penalty(torch.zeros(1, 1), torch.zeros(1, 1).long(), self.repetition_penalty)

        if self.penalty_alpha is not None:
            need(0 <= self.penalty_alpha <= 1, f"penalty_alpha={self.penalty_alpha} must be from 0 to 1")
            need((self.top_k or 1) > 1, "contrastive search chooses among the top_k; give top_k=4")
            need(not self.do_sample and self.num_beams == 1,
                 "contrastive search neither samples nor has beams")
            given.remove("top_k")
        need(self.do_sample or not given, f"{', '.join(given)}: without effect unless do_sample=True")
        if self.num_beams > 1:
            need(not self.do_sample, "beam search does not sample here; leave out do_sample or num_beams")
            need(self.num_return_sequences <= self.num_beams, "num_return_sequences is more than num_beams")
        else:
            need(self.num_return_sequences == 1 or self.do_sample,
                 "without sampling or beams all num_return_sequences would be the same")
        need(self.early_stopping in (True, False, "never"), "early_stopping must be True, False or 'never'")
        need(self.num_beams % self.num_beam_groups == 0, "num_beams must be a multiple of num_beam_groups")
        need(self.diversity_penalty == 0 or self.num_beam_groups > 1,
             "diversity_penalty needs num_beam_groups")

    @property
    def eos_token_ids(self) -> tuple[int, ...]:
        """The end tokens, none where eos_token_id is None."""
        return self.eos_token_id or ()


@dataclass(frozen=True)
class Generated:
    """What `generate` returns.

    sequences: int64 [batch * num_return_sequences, prompt + new tokens], the candidates of a prompt
    one after the other; ended rows are filled up with pad_token_id. new_tokens: of each row, without
    the prompt and the filling, with the end token. reasons: why each row ended, "eos",
    "stop_string", "length" or "time". steps: forward passes of the model, the prompt's included.
    scores: float [rows], of beam search: log-probability over length ** length_penalty; else None.
    """
    sequences: torch.Tensor
    new_tokens: list[list[int]]
    reasons: list[str]
    steps: int
    scores: torch.Tensor | None = None


class Stopping:
    """When a row ends, and when all do. decode: ids of one row to text. clock: seconds."""

    def __init__(self, config: GenerationConfig, decode: Callable[[list[int]], str] | None = None,
                 clock: Callable[[], float] = time.monotonic):
        need(decode is not None or not config.stop_strings,
             "stop_strings need decode=, a function from a list of ids to text")
        self.config, self.decode, self.clock, self.started = config, decode, clock, clock()

    def reason(self, new_tokens: list[int]) -> str | None:
        """Why the row ends here, or None."""
        if new_tokens and new_tokens[-1] in self.config.eos_token_ids:
            return "eos"
        if self.config.stop_strings:
            text = self.decode(new_tokens)
            if any(stop in text for stop in self.config.stop_strings):
                return "stop_string"
        return "length" if len(new_tokens) >= self.config.max_new_tokens else None

    def out_of_time(self) -> bool:
        """Whether max_time has passed since the start."""
        return self.config.max_time is not None and self.clock() - self.started >= self.config.max_time


class Rows:
    """The new tokens of each row, and why it ended (None while it goes on)."""

    def __init__(self, count: int, stopping: Stopping):
        self.stopping = stopping
        self.new_tokens: list[list[int]] = [[] for _ in range(count)]
        self.reasons: list[str | None] = [None] * count

    def add(self, step: list[list[int]]) -> list[list[int]]:
        """Take each row's tokens of a step up to where it ends; return those taken.

        Raises ValueError for a row that goes on and has no token to choose (-1).
        """
        late = self.stopping.out_of_time()
        taken = [[] for _ in step]
        for row, tokens in enumerate(step):
            for token in tokens:
                if self.reasons[row]:
                    break
                if token < 0:
                    raise no_token_left(row)
                self.new_tokens[row].append(token)
                taken[row].append(token)
                self.reasons[row] = self.stopping.reason(self.new_tokens[row])
            if late and not self.reasons[row]:
                self.reasons[row] = "time"
        return taken

    @property
    def done(self) -> bool:
        """Whether all rows have ended."""
        return all(self.reasons)

    def generated(self, prompts: torch.Tensor, steps: int) -> Generated:
        """prompts: int64 [rows, length]."""
        return assemble(prompts, self.new_tokens, self.reasons, self.stopping.config.pad_token_id, steps)


def assemble(prompts: torch.Tensor, new_tokens: list[list[int]], reasons: list[str], pad_token_id: int,
             steps: int, scores: torch.Tensor | None = None) -> Generated:
    """A `Generated` from prompts, int64 [rows, length], and the new tokens of each row."""
    longest = max(map(len, new_tokens))
    filled = [row + [pad_token_id] * (longest - len(row)) for row in new_tokens]
    with torch.inference_mode(False):   # tensors that a model can be trained on
        sequences = torch.cat([prompts, torch.tensor(filled, dtype=torch.long, device=prompts.device)], 1)
        return Generated(sequences, new_tokens, reasons, steps, None if scores is None else scores.clone())


def no_token_left(row: int) -> ValueError:
    """The error for a row in which no token can be chosen."""
    return ValueError(
        f"row {row}: no token can be chosen, as all scores are -inf, or some are NaN or +inf. Either the "
        "options rule out every token (no_repeat_ngram_size, suppress_tokens, min_new_tokens), or the "
        "temperature is so small that scores overflow, or the model's weights are broken: look at its logits")


def need(condition, message: str) -> None:
    """Raise ValueError with this message unless the condition holds."""
    if not condition:
        raise ValueError(message)
