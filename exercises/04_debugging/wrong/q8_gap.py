"""Takes the gap between the losses for overfitting."""
# question: q8
# diagnosis: is no overfitting while it


def read_curves(train, held_out, ratio, start):
    if not math.isfinite(train[-1]) or train[-1] > 2 * start:
        return "diverges"
    if max(ratio) < 1e-7:
        return "does not move"
    if min(train) >= 0.95 * start:
        return "stuck"
    return "overfits" if held_out[-1] >= 1.1 * train[-1] else "healthy"
