"""Adds each part in float64 and rounds its sum; only the parts meet in float32."""
# question: q4
# diagnosis: The parts are added in float64


def sum_in_parts(x, k):
    of_parts = np.array([part.sum(dtype=np.float64) for part in np.array_split(x, k)], np.float32)
    return np.add.accumulate(of_parts)[-1]
