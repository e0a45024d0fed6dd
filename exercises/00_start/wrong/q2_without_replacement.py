"""Draws without replacement: each draw is the same rounds in another order."""
# question: q2
# diagnosis: draw with replacement


def median_interval(seconds, rng, draws=2000):
    medians = [np.median(rng.choice(seconds, len(seconds), replace=False)) for _ in range(draws)]
    low, high = np.percentile(medians, [2.5, 97.5])
    return np.median(seconds), low, high
