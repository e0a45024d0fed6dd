"""The softmax runs over the targets."""
# question: q2
# diagnosis: The softmax runs over the targets
def attend(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask, -math.inf).softmax(-2)
    return weights.masked_fill(~mask, 0) @ value
