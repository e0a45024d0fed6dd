"""Takes padding for 0."""
# question: q5
# diagnosis: Is `pad` used


def token_loss(logits, targets, pad):
    if not (targets != 0).any():
        raise ValueError("only padding")
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=0)
