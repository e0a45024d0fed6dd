"""The loss on the most frequent label."""
# question: q1
# diagnosis: the loss on the most frequent label


def reference_losses(labels, classes):
    shares = torch.bincount(labels, minlength=classes) / len(labels)
    return math.log(classes), -math.log(float(shares.max()))
