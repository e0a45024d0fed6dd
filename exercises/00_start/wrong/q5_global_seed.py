"""Seeds torch's global generator, and with it everything else that draws."""
# question: q5
# diagnosis: torch's global generator moved


def batches(count, size, epochs, seed):
    torch.manual_seed(seed)
    for _ in range(epochs):
        yield from torch.randperm(count).split(size)
