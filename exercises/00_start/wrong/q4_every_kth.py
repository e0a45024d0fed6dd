"""Part i is x[i::k], as work is dealt to threads: the same numbers in other parts."""
# question: q4
# diagnosis: Parts are neighbours


def sum_in_parts(x, k):
    of_parts = np.array([np.add.accumulate(x[i::k])[-1] for i in range(k)], np.float32)
    return np.add.accumulate(of_parts)[-1]
