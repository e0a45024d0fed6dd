"""The probability, not its logarithm."""
# question: q3
# diagnosis: The probability, not its logarithm
def log_probability(logits, ids, real):
    log_p = logits[:, :-1].log_softmax(-1)
    chosen = log_p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return chosen.masked_fill(~real[:, 1:], 0).sum(-1).exp()
