"""One small ratio is enough for it."""
# question: q8
# diagnosis: Every ratio must be small


def read_curves(train, held_out, ratio, start):
    if not math.isfinite(train[-1]) or train[-1] > 2 * start:
        return "diverges"
    if min(ratio) < 1e-7:
        return "does not move"
    if min(train) >= 0.95 * start:
        return "stuck"
    best = held_out.index(min(held_out))
    return "overfits" if held_out[-1] >= 1.1 * held_out[best] and train[-1] < train[best] else "healthy"
