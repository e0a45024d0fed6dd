"""With p=0 every token is dropped."""
# question: q9
# diagnosis: no token is left
def process(scores, ids, penalty, p):
    if not 0 <= p <= 1:
        raise ValueError("p must be from 0 to 1")
    seen = scores.gather(1, ids)
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    scores = scores.scatter(1, ids, seen)
    best, order = scores.sort(descending=True)
    mass = best.softmax(-1)
    drop = mass.cumsum(-1) - mass >= p
    return scores.masked_fill(drop.scatter(1, order, drop), -math.inf)
