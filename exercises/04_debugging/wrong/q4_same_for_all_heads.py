"""One value for all heads."""
# question: q4
# diagnosis: Heads exchanged


def takes_averages(attend):
    value = torch.randn(1, 1, 1, 5)
    for n, m in ((3, 7), (7, 3)):
        q, k = 3 * torch.randn(2, 3, n, 4), 3 * torch.randn(2, 3, m, 4)
        out = attend(q, k, value.expand(2, 3, m, 5).contiguous())
        if not torch.allclose(out, value.expand(2, 3, n, 5), atol=1e-4):
            return False
    return True
