"""Forgets the padding."""
# question: q5
# diagnosis: The padding counts


def token_loss(logits, targets, pad):
    if not (targets != pad).any():
        raise ValueError("only padding")
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())
