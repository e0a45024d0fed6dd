"""Cuts five per cent off each end, which leaves 90 %."""
# question: q2
# diagnosis: 2.5th and 97.5th percentiles


def median_interval(seconds, rng, draws=2000):
    drawn = rng.choice(seconds, (draws, len(seconds)))
    low, high = np.percentile(np.median(drawn, axis=1), [5, 95])
    return np.median(seconds), low, high
