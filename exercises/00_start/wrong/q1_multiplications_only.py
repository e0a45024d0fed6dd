"""Counts the multiplications and forgets the additions."""
# question: q1
# diagnosis: no additions


def intensity(n, k, m, size=4):
    return n * k * m / (size * (n * k + k * m + n * m))
