"""Puts the right class at the lower end."""
# question: q2
# diagnosis: The other way round


def floor(classes, low, high):
    return math.log(1 + (classes - 1) * math.exp(high - low))
