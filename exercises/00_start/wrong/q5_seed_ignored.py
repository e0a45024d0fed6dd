"""Shuffles from the global generator, whose state is that of everything before."""
# question: q5
# diagnosis: Two calls with one seed differ


def batches(count, size, epochs, seed):
    for _ in range(epochs):
        yield from torch.randperm(count).split(size)
