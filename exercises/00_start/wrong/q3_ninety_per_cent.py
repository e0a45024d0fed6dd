"""Cuts 5 % off each end: the 90 % interval."""
# question: q3
# diagnosis: the 90 % interval


def compare(first, second, rng, draws=2000):
    if len(first) != len(second):
        raise ValueError("not timed in turns")
    rows = rng.integers(len(first), size=(draws, len(first)))
    ratios = np.median(first[rows], axis=1) / np.median(second[rows], axis=1)
    low, high = np.percentile(ratios, [5, 95])
    verdict = "first" if high < 1 else "second" if low > 1 else "cannot tell"
    return np.median(first) / np.median(second), low, high, verdict
