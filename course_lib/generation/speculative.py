"""Speculative decoding: a small model guesses, the large one checks several guesses at once.

Leviathan et al. (2023), "Fast Inference from Transformers via Speculative Decoding"; Chen et al.
(2023). The result is distributed as if the large model had written alone; greedy, it is the same.

Built in chapter 2.
"""
from collections.abc import Iterator

import torch

from course_lib.generation.config import GenerationConfig, Rows, Stopping
from course_lib.generation.sampling import apply, greedy, sample
from course_lib.generation.state import DecoderState


def verify(guesses: torch.Tensor, draft: torch.Tensor, target: torch.Tensor,
           generator: torch.Generator | None = None) -> tuple[int, int]:
    """How many guesses to keep, and the token to go on with (Leviathan et al., algorithm 1).

    guesses: int64 [n]. draft: float [n, vocabulary], the distributions that they were drawn from.
    target: float [n + 1, vocabulary], the large model's at the same places and one further. A guess
    is kept with the probability target / draft; the token after the kept ones comes from what the
    draft gave too little mass, or after n kept ones from the target.
    """
    n = len(guesses)
    places = torch.arange(n, device=guesses.device)
    ratio = target[places, guesses] / draft[places, guesses]
    keep = torch.rand(n, device=guesses.device, generator=generator) < ratio   # never where the target has 0
    kept = int(keep.cumprod(0).sum())
    left = target[kept] if kept == n else (target[kept] - draft[kept]).clamp(min=0)
    if not left.any():   # the two differ by rounding only
        left = target[kept]
    return kept, int(torch.multinomial(left, 1, generator=generator))


def speculative_decoding(state: DecoderState, draft: DecoderState, config: GenerationConfig,
                         processors: list, stopping: Stopping, generator: torch.Generator | None = None
                         ) -> Iterator[list[list[int]]]:
    """One row of text: in a step the draft guesses num_draft_tokens, and the model reads them at once.

    The processors apply to both. Yields after each step the kept guesses and the token after them,
    and returns `Generated`, whose `steps` are the model's.
    """
    rows = Rows(1, stopping)
    while True:
        known = state.length
        guesses, proposed = [], []
        for _ in range(min(config.num_draft_tokens, state.ids.shape[1] - known - 1)):
            scores = apply(processors, draft.next_scores(), draft.text)
            guess = sample(scores, generator) if config.do_sample else greedy(scores)
            if guess < 0:   # the model may know better
                break
            draft.append(guess)
            guesses.append(guess)
            proposed.append(scores.softmax(-1))
        n = len(guesses)
        guesses = torch.cat([state.ids[0, :0], *guesses])                     # [n]
        state.append(guesses[None])
        scores = state.forward().logits[:, -n - 1:].float()                   # [1, n + 1, vocabulary]
        scores = torch.cat([apply(processors, scores[:, i], state.ids[:, :known + i]) for i in range(n + 1)])
        best = greedy(scores)
        n = min(n, int((best >= 0).cumprod(0).sum()) - 1)   # guesses behind a place without a token are lost
        if n < 0:
            kept, token = 0, -1
        elif config.do_sample:
            drawn_from = torch.cat([scores[:0], *proposed[:n]])
            kept, token = verify(guesses[:n], drawn_from, scores[:n + 1].softmax(-1), generator)
        else:
            kept = int((best[:n] == guesses[:n]).cumprod(0).sum())
            token = int(best[kept])
        yield rows.add([guesses[:kept].tolist() + [token]])
        if rows.done:
            return rows.generated(state.prompts, state.steps)
        for each in (state, draft):
            each.truncate(known + kept)
            each.append(torch.tensor([[token]], device=scores.device))
