"""The penalty is applied once for each time that a token occurs."""
# question: q9
# diagnosis: once for each occurrence
def process(scores, ids, penalty, p):
    if not 0 <= p <= 1:
        raise ValueError("p must be from 0 to 1")
    scores = scores.clone()
    for row, text in zip(scores, ids.tolist()):
        for token in text:
            row[token] *= penalty if row[token] < 0 else 1 / penalty
    best, order = scores.sort(descending=True)
    before_it = best.softmax(-1).cumsum(-1).roll(1, -1)
    before_it[:, 0] = -1
    keep = torch.zeros_like(scores).bool().scatter(1, order, before_it < p)
    return scores.masked_fill(~keep, -math.inf)
