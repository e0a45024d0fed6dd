"""A softmax written out, without subtracting the highest score."""
# question: q2
# diagnosis: Large scores overflow
def attend(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.exp() * mask
    total = weights.sum(-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1) @ value
