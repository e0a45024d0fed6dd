"""The mask is not used."""
# question: q3
# diagnosis: Padding is counted
def log_probability(logits, ids, real):
    log_p = logits[:, :-1].log_softmax(-1)
    return log_p.gather(-1, ids[:, 1:, None]).squeeze(-1).sum(-1)
