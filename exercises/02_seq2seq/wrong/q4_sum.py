"""The numbers of an output are summed first, and their gradients cancel."""
# question: q4
# diagnosis: cancel in the sum
def depends_on(f, x):
    x = x.clone().requires_grad_()
    rows = []
    for output in f(x):
        gradient, = torch.autograd.grad(output.sum(), x, retain_graph=True)
        rows.append((gradient != 0).any(-1))
    return torch.stack(rows)
