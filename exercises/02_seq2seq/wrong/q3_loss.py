"""The loss: the sign is that of the negative log-probability."""
# question: q3
# diagnosis: The sign
def log_probability(logits, ids, real):
    labels = ids.masked_fill(~real, -100)[:, 1:]
    return F.cross_entropy(logits[:, :-1].mT, labels, reduction="none").sum(-1)
