"""Uses the formula for square matrices with one of the three sizes."""
# question: q1
# diagnosis: not 84 / 41


def intensity(n, k, m, size=4):
    return n / (1.5 * size)
