"""Compares with softmax attention, which is one way of several."""
# question: q4
# diagnosis: test the property, not the way


def takes_averages(attend):
    for n, m in ((3, 7), (7, 3)):
        q, k, v = 3 * torch.randn(2, 3, n, 4), 3 * torch.randn(2, 3, m, 4), torch.randn(2, 3, m, 5)
        wanted = (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v
        if not torch.allclose(attend(q, k, v), wanted, atol=1e-4):
            return False
    return True
