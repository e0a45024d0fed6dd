"""Takes an output of 1 for a probability of 1."""
# question: q2
# diagnosis: not a probability of 1


def floor(classes, low, high):
    return -math.log(min(high, 1.0))
