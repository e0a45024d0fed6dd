"""Each token is scored by the logits of its own position."""
# question: q3
# diagnosis: No shift
def log_probability(logits, ids, real):
    log_p = logits.log_softmax(-1).gather(-1, ids[..., None]).squeeze(-1)
    return log_p.masked_fill(~real, 0)[:, 1:].sum(-1)
