"""Draws from NumPy's global generator, so that the caller cannot repeat the interval."""
# question: q2
# diagnosis: Equal generators, different intervals


def median_interval(seconds, rng, draws=2000):
    drawn = np.random.choice(seconds, (draws, len(seconds)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return np.median(seconds), low, high
