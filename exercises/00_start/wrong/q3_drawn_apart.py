"""Draws the rounds of the two variants independently, so that the speed of the round does not cancel."""
# question: q3
# diagnosis: take the same rounds of both variants


def compare(first, second, rng, draws=2000):
    if len(first) != len(second):
        raise ValueError("not timed in turns")
    top = np.median(rng.choice(first, (draws, len(first))), axis=1)
    bottom = np.median(rng.choice(second, (draws, len(second))), axis=1)
    low, high = np.percentile(top / bottom, [2.5, 97.5])
    verdict = "first" if high < 1 else "second" if low > 1 else "cannot tell"
    return np.median(first) / np.median(second), low, high, verdict
