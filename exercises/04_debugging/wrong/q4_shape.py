"""Looks at the shape alone."""
# question: q4
# diagnosis: or shapes alone, do not tell


def takes_averages(attend):
    q, k, v = torch.randn(2, 3, 3, 4), torch.randn(2, 3, 6, 4), torch.randn(2, 3, 6, 5)
    return attend(q, k, v).shape == (2, 3, 3, 5)
