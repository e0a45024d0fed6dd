"""Counts the classes that occur in the batch."""
# question: q1
# diagnosis: Count all `classes`


def reference_losses(labels, classes):
    shares = torch.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return math.log(len(shares)), float(-(shares * shares.log()).sum())
