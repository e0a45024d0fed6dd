"""A large negative number: the row that sees nothing becomes a mean of all values."""
# question: q2
# diagnosis: got a mean of values
def attend(query, key, value, mask):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    return scores.masked_fill(~mask, -1e9).softmax(-1) @ value
