"""The result is always float64."""
# question: q2
# diagnosis: float32 in, float32 out
def attend(query, key, value, mask):
    """Scaled dot-product attention: [batch, heads, target, e]."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    weights, value = weights.double(), value.double()
    return weights.masked_fill(~mask, 0) @ value
