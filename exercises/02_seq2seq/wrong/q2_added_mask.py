"""Minus infinity is added: the result is right, the gradients are NaN."""
# question: q2
# diagnosis: NaN in the gradient of query
def attend(query, key, value, mask):
    """Scaled dot-product attention: [batch, heads, target, e]."""
    added = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -math.inf)
    scores = query @ key.mT / math.sqrt(query.shape[-1]) + added
    return scores.softmax(-1).masked_fill(~mask, 0) @ value
