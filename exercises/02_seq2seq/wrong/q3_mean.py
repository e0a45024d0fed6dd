"""The mean over the tokens, as in a loss."""
# question: q3
# diagnosis: A mean over the tokens
def log_probability(logits, ids, real):
    log_p = logits[:, :-1].log_softmax(-1)
    chosen = log_p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    counts = real[:, 1:]
    return (chosen * counts).sum(-1) / counts.sum(-1).clamp(min=1)
