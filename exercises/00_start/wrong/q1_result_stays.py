"""Counts the two inputs that are read, not the result that is written."""
# question: q1
# diagnosis: The result moves too


def intensity(n, k, m, size=4):
    return 2 * n * k * m / (size * (n * k + k * m))
