"""Counts the right class among the others."""
# question: q2
# diagnosis: C - 1 other classes


def floor(classes, low, high):
    return math.log(math.exp(high) + classes * math.exp(low)) - high
