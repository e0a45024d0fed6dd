"""Draws rows instead of an order: some come twice in an epoch, some never."""
# question: q5
# diagnosis: draw an order, not rows


def batches(count, size, epochs, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for start in range(0, count, size):
            yield torch.randint(count, (min(size, count - start),), generator=generator)
