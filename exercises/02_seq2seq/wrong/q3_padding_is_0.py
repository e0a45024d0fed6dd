"""Padding is recognised by its id, which is a word as well."""
# question: q3
# diagnosis: the id 0 is a word as well
def log_probability(logits, ids, real):
    log_p = logits[:, :-1].log_softmax(-1)
    chosen = log_p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    padding = (ids.flip(1).cumsum(1).flip(1) == 0) & (ids == 0)
    return chosen.masked_fill(padding[:, 1:], 0).sum(-1)
