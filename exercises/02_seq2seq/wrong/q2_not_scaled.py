"""The division by the square root of d is forgotten."""
# question: q2
# diagnosis: The scores are not scaled
def attend(query, key, value, mask):
    weights = (query @ key.mT).masked_fill(~mask, -math.inf).softmax(-1)
    return weights.masked_fill(~mask, 0) @ value
