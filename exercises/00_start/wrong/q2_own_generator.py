"""Ignores `rng` and makes a generator with a seed of its own."""
# question: q2
# diagnosis: Nothing was drawn from `rng`


def median_interval(seconds, rng, draws=2000):
    drawn = np.random.default_rng(0).choice(seconds, (draws, len(seconds)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return np.median(seconds), low, high
