"""A softmax, clamped, and its logarithm."""
# question: q3
# diagnosis: log_softmax needs no clamp
def log_probability(logits, ids, real):
    """log p(tokens after the first | the first), float [batch]."""
    log_p = logits[:, :-1].softmax(-1).clamp(min=1e-30).log()
    chosen = log_p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return chosen.masked_fill(~real[:, 1:], 0).sum(-1)
