"""Cuts the longer array to the shorter one's length and says nothing."""
# question: q3
# diagnosis: were not timed in turns


def compare(first, second, rng, draws=2000):
    n = min(len(first), len(second))
    first, second = first[:n], second[:n]
    rows = rng.integers(len(first), size=(draws, len(first)))
    low, high = np.percentile(np.median(first[rows], axis=1) / np.median(second[rows], axis=1), [2.5, 97.5])
    verdict = "first" if high < 1 else "second" if low > 1 else "cannot tell"
    return np.median(first) / np.median(second), low, high, verdict
