"""Takes the logarithm of 0 where a class does not occur."""
# question: q1
# diagnosis: NaN: a class that does not occur


def reference_losses(labels, classes):
    shares = torch.bincount(labels, minlength=classes) / len(labels)
    return math.log(classes), float(-(shares * shares.log()).sum())
