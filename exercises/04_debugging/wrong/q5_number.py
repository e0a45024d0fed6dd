"""Returns a number without a gradient."""
# question: q5
# diagnosis: gradients must flow


def token_loss(logits, targets, pad):
    if not (targets != pad).any():
        raise ValueError("only padding")
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad).item()
