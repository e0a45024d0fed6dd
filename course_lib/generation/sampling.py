"""Greedy decoding and sampling: one token a step, for all rows at once.

Built in chapter 2.
"""
import math
from collections.abc import Iterator

import torch

from course_lib.generation.config import GenerationConfig, Rows, Stopping
from course_lib.generation.state import DecoderState


def greedy(scores: torch.Tensor) -> torch.Tensor:
    """The best token of each row, int64 [rows]; -1 where scores hold NaN or +inf, or are all -inf.

    scores: float [rows, vocabulary]. Of ties, the first.
    """
    best, tokens = scores.max(-1)
    return tokens.where(best.abs() < math.inf, -1)   # neither for NaN


def sample(scores: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """A token of each row drawn from softmax(scores), int64 [rows]; -1 as in `greedy`.

    generator: of random numbers; default, torch's own, which transformers uses as well.
    """
    valid = scores.amax(-1).isfinite()   # on a GPU, drawing from NaN would end the process
    probabilities = scores.masked_fill(~valid[:, None], 0).softmax(-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0].masked_fill(~valid, -1)


def apply(processors: list, scores: torch.Tensor, input_ids: torch.Tensor) -> torch.Tensor:
    """Scores after all processors, one after the other."""
    for process in processors:
        scores = process(scores, input_ids)
    return scores


def step_by_step(state: DecoderState, config: GenerationConfig, processors: list, stopping: Stopping,
                 generator: torch.Generator | None = None) -> Iterator[list[list[int]]]:
    """Greedy decoding, or sampling where config.do_sample.

    Yields after each step the new ids of each row, none for a row that has ended before, and returns
    `Generated`. The prompts are read once, however many candidates of each are asked for.
    """
    scores = state.next_scores()
    if config.num_return_sequences > 1:
        repeats = torch.arange(len(scores), device=scores.device)
        repeats = repeats.repeat_interleave(config.num_return_sequences)
        state.select(repeats)
        scores = scores[repeats]
    rows = Rows(len(scores), stopping)
    while True:
        scores = apply(processors, scores, state.text)
        tokens = sample(scores, generator) if config.do_sample else greedy(scores)
        # Rows that have ended go on unseen: the others' random numbers stay what they are in transformers.
        yield rows.add([[token] for token in tokens.tolist()])
        if rows.done:
            return rows.generated(state.prompts, state.steps)
        state.append(tokens.clamp(min=0))
        scores = state.next_scores()
