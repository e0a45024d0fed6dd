"""Judges by the ratio and ignores the interval."""
# question: q3
# diagnosis: A verdict without evidence


def compare(first, second, rng, draws=2000):
    if len(first) != len(second):
        raise ValueError("not timed in turns")
    rows = rng.integers(len(first), size=(draws, len(first)))
    low, high = np.percentile(np.median(first[rows], axis=1) / np.median(second[rows], axis=1), [2.5, 97.5])
    ratio = np.median(first) / np.median(second)
    return ratio, low, high, "first" if ratio < 1 else "second" if ratio > 1 else "cannot tell"
