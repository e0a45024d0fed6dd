"""A p of 1.5 is taken."""
# question: q9
# diagnosis: must raise ValueError
def process(scores, ids, penalty, p):
    seen = scores.gather(1, ids)
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    scores = scores.scatter(1, ids, seen)
    best, order = scores.sort(descending=True)
    before_it = best.softmax(-1).cumsum(-1).roll(1, -1)
    before_it[:, 0] = -1
    keep = torch.zeros_like(scores).bool().scatter(1, order, before_it < p)
    return scores.masked_fill(~keep, -math.inf)
