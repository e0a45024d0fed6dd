"""Sorts the caller's array to find the median."""
# question: q2
# diagnosis: The caller's rounds were changed


def median_interval(seconds, rng, draws=2000):
    drawn = rng.choice(seconds, (draws, len(seconds)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    seconds.sort()
    n = len(seconds)
    return (seconds[(n - 1) // 2] + seconds[n // 2]) / 2, low, high
