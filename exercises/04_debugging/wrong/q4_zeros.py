"""Values of zero: any weights give zero."""
# question: q4
# diagnosis: Values of zero


def takes_averages(attend):
    q, k, v = torch.randn(2, 3, 3, 4), torch.randn(2, 3, 6, 4), torch.zeros(2, 3, 6, 5)
    return torch.allclose(attend(q, k, v), torch.zeros(2, 3, 3, 5), atol=1e-4)
