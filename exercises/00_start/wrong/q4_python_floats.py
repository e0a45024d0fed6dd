"""Adds Python floats, which are float64, and rounds once at the end."""
# question: q4
# diagnosis: are there float64 or Python floats?


def sum_in_parts(x, k):
    return np.float32(sum(float(value) for value in x))
