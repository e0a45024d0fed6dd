"""The weights are set to 0 after the softmax, and no longer sum to 1."""
# question: q2
# diagnosis: after the softmax
def attend(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.softmax(-1).masked_fill(~mask, 0)
    return weights @ value
