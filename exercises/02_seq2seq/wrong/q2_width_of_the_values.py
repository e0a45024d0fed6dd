"""The scores are divided by the root of the width of the values."""
# question: q2
# diagnosis: not the values
def attend(query, key, value, mask):
    """Scaled dot-product attention: [batch, heads, target, e]."""
    scores = query @ key.mT / math.sqrt(value.shape[-1])
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    return weights.masked_fill(~mask, 0) @ value
