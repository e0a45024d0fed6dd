"""Drops the last batch of an epoch if it is shorter."""
# question: q5
# diagnosis: shorter batch of each epoch is missing


def batches(count, size, epochs, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(count, generator=generator)
        for start in range(0, count - size + 1, size):
            yield order[start:start + size]
