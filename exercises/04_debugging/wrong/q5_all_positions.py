"""Divides by all positions."""
# question: q5
# diagnosis: divide by the number of real tokens


def token_loss(logits, targets, pad):
    if not (targets != pad).any():
        raise ValueError("only padding")
    each = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    return (each * (targets.flatten() != pad)).mean()
