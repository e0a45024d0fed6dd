"""Logits are taken for log-probabilities."""
# question: q3
# diagnosis: The scores are not normalised
def log_probability(logits, ids, real):
    chosen = logits[:, :-1].gather(-1, ids[:, 1:, None]).squeeze(-1)
    return chosen.masked_fill(~real[:, 1:], 0).sum(-1)
