"""Cuts parts of len(x) // k numbers and leaves the rest over."""
# question: q4
# diagnosis: the remainder?


def sum_in_parts(x, k):
    parts = x[:len(x) // k * k].reshape(k, -1)
    return np.add.accumulate(np.add.accumulate(parts, axis=1)[:, -1])[-1]
