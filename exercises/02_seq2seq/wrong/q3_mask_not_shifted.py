"""The mask is that of the token before the predicted one."""
# question: q3
# diagnosis: The mask is not shifted
def log_probability(logits, ids, real):
    log_p = logits[:, :-1].log_softmax(-1)
    chosen = log_p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return (chosen * real[:, :-1]).sum(-1)
