"""Reads a ratio above 1 as if it were one of speeds, not of times."""
# question: q3
# diagnosis: a ratio above 1 says that the first one takes longer


def compare(first, second, rng, draws=2000):
    if len(first) != len(second):
        raise ValueError("not timed in turns")
    rows = rng.integers(len(first), size=(draws, len(first)))
    low, high = np.percentile(np.median(first[rows], axis=1) / np.median(second[rows], axis=1), [2.5, 97.5])
    verdict = "first" if low > 1 else "second" if high < 1 else "cannot tell"
    return np.median(first) / np.median(second), low, high, verdict
