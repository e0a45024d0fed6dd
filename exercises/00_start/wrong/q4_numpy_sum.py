"""Adds each part with np.sum, which adds in an order of its own."""
# question: q4
# diagnosis: np.sum adds a part in another order


def sum_in_parts(x, k):
    of_parts = np.array([part.sum() for part in np.array_split(x, k)], np.float32)
    return np.add.accumulate(of_parts)[-1]
