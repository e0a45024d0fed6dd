"""Divides by numbers instead of bytes; right for one byte a number."""
# question: q1
# diagnosis: A number is `size` bytes


def intensity(n, k, m, size=4):
    return 2 * n * k * m / (n * k + k * m + n * m)
