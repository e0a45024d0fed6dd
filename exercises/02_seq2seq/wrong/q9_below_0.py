"""A p below 0 is let through."""
# question: q9
# diagnosis: p=-0.1 must raise
def process(scores, ids, penalty, p):
    """Scores after repetition penalty and top-p, [rows, vocabulary]."""
    if p > 1:
        raise ValueError(f"p={p} must be from 0 to 1")
    marked = torch.zeros_like(scores).bool().scatter(1, ids, True)
    weaker = torch.where(scores < 0, scores * penalty, scores / penalty)
    scores = torch.where(marked, weaker, scores)

    descending, order = scores.sort(descending=True)
    mass = descending.softmax(-1)
    drop = mass.cumsum(-1) - mass >= p
    drop[:, 0] = False
    return scores.masked_fill(drop.scatter(1, order, drop), -math.inf)
