"""The scores are multiplied with the mask, and exp(0) is 1."""
# question: q2
# diagnosis: minus infinity, not 0
def attend(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return (scores * mask).softmax(-1) @ value
