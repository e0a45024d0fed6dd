"""Takes the four bytes of a float32 whatever `size` says."""
# question: q1
# diagnosis: use size, not 4


def intensity(n, k, m, size=4):
    return 2 * n * k * m / (4 * (n * k + k * m + n * m))
