"""Takes the ratio in each round and then the median, which is another number."""
# question: q3
# diagnosis: The median of the ratios


def compare(first, second, rng, draws=2000):
    if len(first) != len(second):
        raise ValueError("not timed in turns")
    ratios = first / second
    low, high = np.percentile(np.median(rng.choice(ratios, (draws, len(ratios))), axis=1), [2.5, 97.5])
    verdict = "first" if high < 1 else "second" if low > 1 else "cannot tell"
    return np.median(ratios), low, high, verdict
