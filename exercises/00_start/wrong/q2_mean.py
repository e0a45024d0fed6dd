"""Takes the mean, of the rounds and of each draw."""
# question: q2
# diagnosis: The mean, not the median


def median_interval(seconds, rng, draws=2000):
    drawn = rng.choice(seconds, (draws, len(seconds)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return seconds.mean(), low, high
