"""Contrastive search: probable, and unlike what was said before.

Built in chapter 2.
"""
from collections.abc import Iterator

import torch
from torch.nn.functional import normalize

from course_lib.generation.config import GenerationConfig, Rows, Stopping
from course_lib.generation.sampling import apply
from course_lib.generation.state import DecoderState


def contrastive_search(state: DecoderState, config: GenerationConfig, processors: list,
                       stopping: Stopping) -> Iterator[list[list[int]]]:
    """Takes, of the top_k most probable tokens v, the one with the highest

        (1 - penalty_alpha) p(v) - penalty_alpha max_j cos(h_v, h_j)

    where h_v is the last hidden state with v appended and h_j are those of the text so far, the
    prompt included (Su et al., 2022, "A Contrastive Framework for Neural Text Generation"). A token
    that the processors rule out is never taken. Yields and returns as `step_by_step` does.
    """
    alpha = config.penalty_alpha
    output = state.forward()
    scores = output.logits[:, -1]
    told = normalize(output.hidden.float(), dim=-1)                               # [rows, length, width]
    count, k = len(scores), min(config.top_k, scores.shape[-1])
    rows = Rows(count, stopping)
    first = torch.arange(count, device=scores.device)
    while True:
        scores = apply(processors, scores.float(), state.text)
        valid = scores.amax(-1).isfinite()
        p, candidates = scores.softmax(-1).topk(k)                                # [rows, k]
        state.select(first.repeat_interleave(k))
        state.append(candidates.flatten())
        output = state.forward()
        hidden = normalize(output.hidden[:, -1].float(), dim=-1).unflatten(0, (count, k))
        likeness = hidden @ told.transpose(1, 2)                                  # [rows, k, length]
        if state.mask is not None:   # padding is no text
            likeness = likeness.masked_fill(~state.mask[::k, None, :told.shape[1]], -1)
        best = ((1 - alpha) * p - alpha * likeness.amax(-1)).masked_fill(p == 0, -torch.inf).argmax(-1)
        chosen = first * k + best
        state.select(chosen)
        told = torch.cat([told, hidden[first, best][:, None]], 1)
        scores = output.logits[chosen, -1]
        tokens = state.text[:, -1].masked_fill(~valid, -1)
        yield rows.add([[token] for token in tokens.tolist()])
        if rows.done:
            return rows.generated(state.prompts, state.steps)
