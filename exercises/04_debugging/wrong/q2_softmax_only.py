"""Knows the formula for 0 to 1 only."""
# question: q2
# diagnosis: Is `low` used


def floor(classes, low, high):
    return math.log(math.e + classes - 1) - 1
