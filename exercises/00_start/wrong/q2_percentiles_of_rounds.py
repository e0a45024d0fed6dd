"""Takes the percentiles of the rounds, which say how rounds spread and not how sure the median is."""
# question: q2
# diagnosis: percentiles of the rounds


def median_interval(seconds, rng, draws=2000):
    low, high = np.percentile(seconds, [2.5, 97.5])
    return np.median(seconds), low, high
