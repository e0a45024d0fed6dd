"""A mean over texts of means over tokens."""
# question: q5
# diagnosis: A mean over texts


def token_loss(logits, targets, pad):
    real = targets != pad
    if not real.any():
        raise ValueError("only padding")
    each = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none") * real
    return (each.sum(1) / real.sum(1).clamp(min=1)).mean()
