"""The mask comes after the softmax, and the rest is divided by its sum."""
# question: q2
# diagnosis: Mask before the softmax
def attend(query, key, value, mask):
    """Scaled dot-product attention: [batch, heads, target, e]."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.softmax(-1) * mask
    return weights / weights.sum(-1, keepdim=True).clamp(min=1e-12) @ value
