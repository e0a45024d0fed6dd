"""Returns the median of the draws' medians in place of the median of the rounds: nearly the same, and random."""
# question: q2
# diagnosis: not of the medians


def median_interval(seconds, rng, draws=2000):
    medians = np.median(rng.choice(seconds, (draws, len(seconds))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return np.median(medians), low, high
