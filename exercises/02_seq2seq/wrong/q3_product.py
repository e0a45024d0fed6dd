"""The probabilities are multiplied, and of a long text nothing is left."""
# question: q3
# diagnosis: add logarithms
def log_probability(logits, ids, real):
    p = logits[:, :-1].softmax(-1)
    chosen = p.gather(-1, ids[:, 1:, None]).squeeze(-1)
    return chosen.masked_fill(~real[:, 1:], 1).prod(-1).log()
