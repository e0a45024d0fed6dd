"""Gives NaN where there is no token."""
# question: q5
# diagnosis: must raise a ValueError


def token_loss(logits, targets, pad):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad)
