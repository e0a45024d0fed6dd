"""The decision, made in sorted order, is applied to the unsorted scores."""
# question: q9
# diagnosis: decided in sorted order
def process(scores, ids, penalty, p):
    if not 0 <= p <= 1:
        raise ValueError("p must be from 0 to 1")
    seen = scores.gather(1, ids)
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    scores = scores.scatter(1, ids, seen)
    best = scores.sort(descending=True)[0]
    before_it = best.softmax(-1).cumsum(-1).roll(1, -1)
    before_it[:, 0] = -1
    return scores.masked_fill(before_it >= p, -math.inf)
