"""Makes the generator inside the loop: every epoch has the first one's order."""
# question: q5
# diagnosis: Every epoch has the same order


def batches(count, size, epochs, seed):
    for _ in range(epochs):
        generator = torch.Generator().manual_seed(seed)
        yield from torch.randperm(count, generator=generator).split(size)
