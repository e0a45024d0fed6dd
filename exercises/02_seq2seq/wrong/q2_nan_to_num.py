"""NaN is mended in the output: the gradient of the values stays NaN."""
# question: q2
# diagnosis: NaN in the gradient of value
def attend(query, key, value, mask):
    """Scaled dot-product attention: [batch, heads, target, e]."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask, -math.inf).softmax(-1)
    return (weights @ value).nan_to_num(0)
