"""Negative scores are divided too, which makes the token more likely."""
# question: q9
# diagnosis: Dividing a negative score
def process(scores, ids, penalty, p):
    if not 0 <= p <= 1:
        raise ValueError("p must be from 0 to 1")
    scores = scores.scatter(1, ids, scores.gather(1, ids) / penalty)
    best, order = scores.sort(descending=True)
    before_it = best.softmax(-1).cumsum(-1).roll(1, -1)
    before_it[:, 0] = -1
    keep = torch.zeros_like(scores).bool().scatter(1, order, before_it < p)
    return scores.masked_fill(~keep, -math.inf)
