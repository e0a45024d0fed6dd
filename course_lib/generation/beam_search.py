"""Beam search: keep several beginnings instead of one; and diverse groups of them.

Built in chapter 2.
"""
import math

import torch

from course_lib.generation.config import Generated, GenerationConfig, Stopping, assemble, no_token_left
from course_lib.generation.sampling import apply
from course_lib.generation.state import DecoderState


class Beams:
    """The beams of one group: the running ones, and the best of those that have ended.

    tokens: int64 [batch, beams, max_new_tokens], the new ones of the running beams. scores: float
    [batch, beams], the sums of their log-probabilities, the best first; -inf where there is no such
    beam, as in all but one at the start. ended_tokens, ended_lengths, ended_scores: likewise, scores
    divided by length ** length_penalty.
    """

    def __init__(self, batch: int, beams: int, config: GenerationConfig, stopping: Stopping, device=None):
        self.config, self.stopping, self.length, self.beams = config, stopping, 0, beams
        self.tokens = torch.full((batch, beams, config.max_new_tokens), config.pad_token_id, device=device)
        self.scores = torch.full((batch, beams), -math.inf, device=device)
        self.scores[:, 0] = 0
        self.ended_tokens = self.tokens
        self.ended_lengths = torch.zeros((batch, beams), dtype=torch.long, device=device)
        self.ended_scores = torch.full_like(self.scores, -math.inf)
        self.improvable = torch.ones(batch, dtype=torch.bool, device=device)
        self.done = False

    def advance(self, log_probabilities: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One step. log_probabilities: float [batch, beams, vocabulary], of each beam's next token.

        Returns parents, int64 [batch, beams]: the old beam that each running one continues; and the
        tokens of the best `beams` continuations, whether they end or not, int64 [batch, beams].
        """
        vocabulary = log_probabilities.shape[2]
        totals = (self.scores[..., None] + log_probabilities).flatten(1)
        # Even if every beam ended in every way it can, there must be `beams` candidates to go on with.
        count = self.beams * min(max(2, 1 + len(self.config.eos_token_ids)), vocabulary)
        totals, candidates = totals.topk(count)                              # [batch, count]
        self._check(totals[:, 0])
        parents, tokens = candidates // vocabulary, candidates % vocabulary
        sequences = _take(self.tokens, parents)                              # [batch, count, max_new_tokens]
        sequences[..., self.length] = tokens
        self.length += 1
        ends = self._ends(sequences[..., :self.length])

        # An ended candidate counts only among the first `beams`: the others are there to go on.
        counts = ends & (torch.arange(count, device=ends.device) < self.beams) & self.improvable[:, None]
        if self.config.early_stopping is True:
            counts &= ~self._full()[:, None]
        ended = (totals / self.length ** self.config.length_penalty).masked_fill(~counts, -math.inf)
        self.ended_scores, best = torch.cat([self.ended_scores, ended], 1).topk(self.beams)
        lengths = torch.cat([self.ended_lengths, torch.full_like(tokens, self.length)], 1)
        self.ended_lengths = lengths.gather(1, best)
        self.ended_tokens = _take(torch.cat([self.ended_tokens, sequences], 1), best)

        self.scores, best = totals.masked_fill(ends, -math.inf).topk(self.beams)
        self.tokens = _take(sequences, best)
        self._stop(bool(ends.all()))
        return parents.gather(1, best), tokens[:, :self.beams]

    def _ends(self, sequences):
        """bool [batch, count]: candidates that end here, by end token, stop string, length or time."""
        if self.length == self.config.max_new_tokens or self.stopping.out_of_time():
            return torch.ones_like(sequences[..., 0], dtype=torch.bool)
        if self.config.stop_strings:
            return torch.tensor([[self.stopping.reason(row) is not None for row in rows]
                                 for rows in sequences.tolist()], device=sequences.device)
        ends = torch.tensor(self.config.eos_token_ids, dtype=torch.long, device=sequences.device)
        return torch.isin(sequences[..., -1], ends)

    def _full(self):
        """bool [batch]: `beams` have ended."""
        return self.ended_scores[:, -1] > -math.inf

    def _stop(self, all_end):
        """Whether a running beam can still be better than the worst of the ended: see `beam_search`."""
        config, length = self.config, self.length
        if config.early_stopping == "never" and config.length_penalty > 0:
            length = config.max_new_tokens
        self.improvable &= self.scores[:, 0] / length ** config.length_penalty > self.ended_scores[:, -1]
        enough = config.early_stopping is True and bool(self._full().all())
        self.done = all_end or enough or not bool(self.improvable.any())

    def _check(self, best):
        broken = best.isnan() | (torch.maximum(best, self.ended_scores[:, 0]) == -math.inf)
        if broken.any():
            raise no_token_left(int(broken.nonzero()[0]))


def beam_search(state: DecoderState, config: GenerationConfig, processors: list,
                stopping: Stopping) -> Generated:
    """The num_return_sequences best of num_beams, the best first.

    Scores are sums of log-probabilities (after the processors) over length ** length_penalty: above
    0 that favours longer ones. A sentence is done, depending on early_stopping,
    True: when num_beams beams have ended;
    False: when besides the best running beam, at its present length, is no better than the worst of them;
    "never": the same at the length that would suit it best, so that none better is missed.

    With num_beam_groups, diverse beam search (Vijayakumar et al., 2018): the groups take turns, and
    a token costs a group diversity_penalty for each time that an earlier group has it among its best
    continuations in this step. The penalties stay in the scores, by which the best of all groups are
    returned.

    Where fewer sequences exist than are asked for (beams wider than the vocabulary), the missing
    ones are empty, with the score -inf. Raises ValueError where no token can be chosen.
    """
    scores = state.next_scores()
    batch = len(scores)
    width = config.num_beams // config.num_beam_groups
    offsets = torch.arange(batch, device=scores.device)[:, None] * config.num_beams
    rows = torch.arange(batch, device=scores.device).repeat_interleave(config.num_beams)
    state.select(rows)
    scores = scores[rows]
    groups = [Beams(batch, width, config, stopping, scores.device) for _ in range(config.num_beam_groups)]
    while True:
        log_p = apply(processors, scores.log_softmax(-1), state.text).unflatten(0, (batch, -1))
        taken = torch.zeros_like(log_p[:, 0])                       # how often by earlier groups
        parents = torch.arange(config.num_beams, device=scores.device).repeat(batch, 1)
        for g, group in enumerate(groups):
            if group.done:
                continue
            mine = slice(g * width, (g + 1) * width)
            penalised = log_p[:, mine] - config.diversity_penalty * taken[:, None]
            best, tokens = group.advance(penalised)
            parents[:, mine] = best + g * width
            taken.scatter_add_(1, tokens, torch.ones_like(group.scores))
        if all(group.done for group in groups):
            return _best(groups, state, config, stopping)
        state.select((parents + offsets).flatten())
        tokens = torch.cat([group.tokens[..., state.length - state.prompt_length] for group in groups], 1)
        state.append(tokens.flatten())
        scores = state.next_scores()


def _best(groups, state, config, stopping):
    scores, best = torch.cat([group.ended_scores for group in groups], 1).topk(config.num_return_sequences)
    lengths = torch.cat([group.ended_lengths for group in groups], 1).gather(1, best)
    lengths = lengths.masked_fill(scores == -math.inf, 0).flatten()
    tokens = _take(torch.cat([group.ended_tokens for group in groups], 1), best).flatten(0, 1)
    new_tokens = [row[:length] for row, length in zip(tokens.tolist(), lengths.tolist())]
    reasons = [stopping.reason(row) or ("time" if row else "missing") for row in new_tokens]
    prompts = state.prompts[::config.num_beams].repeat_interleave(config.num_return_sequences, 0)
    return assemble(prompts, new_tokens, reasons, config.pad_token_id, state.steps, scores.flatten())


def _take(sequences, indices):
    """Rows of [batch, n, length] by indices [batch, m]: [batch, m, length]."""
    return sequences.gather(1, indices[..., None].expand(-1, -1, sequences.shape[2]))
