"""The gradient of the sum of squares."""
# question: q4
# diagnosis: not of its square
def depends_on(f, x):
    """Whether output i depends on input j: bool, [outputs, inputs]."""
    x = x.clone().requires_grad_()
    rows = [torch.autograd.grad((y ** 2).sum(), x, retain_graph=True)[0]
            for y in f(x) + 0 * x.sum()]
    return torch.stack([(row != 0).any(-1) for row in rows])
