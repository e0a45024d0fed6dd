"""The logarithm of a softmax that has become 0."""
# question: q3
# diagnosis: log_softmax, not softmax and log
def log_probability(logits, ids, real):
    log_p = logits[:, :-1].softmax(-1).log()
    chosen = log_p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return chosen.masked_fill(~real[:, 1:], 0).sum(-1)
