"""Logarithms to the base 2."""
# question: q1
# diagnosis: This is in bits


def reference_losses(labels, classes):
    shares = torch.bincount(labels, minlength=classes) / len(labels)
    shares = shares[shares > 0]
    return math.log2(classes), float(-(shares * shares.log2()).sum())
