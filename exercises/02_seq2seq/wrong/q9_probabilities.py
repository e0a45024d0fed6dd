"""What stays becomes a probability."""
# question: q9
# diagnosis: Probabilities, not scores
def process(scores, ids, penalty, p):
    if not 0 <= p <= 1:
        raise ValueError("p must be from 0 to 1")
    seen = scores.gather(1, ids)
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    scores = scores.scatter(1, ids, seen)
    best, order = scores.sort(descending=True)
    before_it = best.softmax(-1).cumsum(-1).roll(1, -1)
    before_it[:, 0] = -1
    keep = torch.zeros_like(scores).bool().scatter(1, order, before_it < p)
    return scores.masked_fill(~keep, -math.inf).softmax(-1)
