"""The loss that training starts at."""
# question: q2
# diagnosis: How far down can it come


def floor(classes, low, high):
    return math.log(classes)
