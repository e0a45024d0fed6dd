"""Does not ask what the training loss did."""
# question: q8
# diagnosis: The training loss rose as well


def read_curves(train, held_out, ratio, start):
    if not math.isfinite(train[-1]) or train[-1] > 2 * start:
        return "diverges"
    if max(ratio) < 1e-7:
        return "does not move"
    if min(train) >= 0.95 * start:
        return "stuck"
    return "overfits" if held_out[-1] >= 1.1 * min(held_out) else "healthy"
