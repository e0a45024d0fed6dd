"""The token that crosses the border is dropped."""
# question: q9
# diagnosis: The token that crosses the border is dropped
def process(scores, ids, penalty, p):
    if not 0 <= p <= 1:
        raise ValueError("p must be from 0 to 1")
    seen = scores.gather(1, ids)
    seen = torch.where(seen < 0, seen * penalty, seen / penalty)
    scores = scores.scatter(1, ids, seen)
    best, order = scores.sort(descending=True)
    drop = best.softmax(-1).cumsum(-1) > p
    drop[:, 0] = False
    return scores.masked_fill(drop.scatter(1, order, drop), -math.inf)
