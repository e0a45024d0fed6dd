"""The gradients of earlier outputs are left in .grad."""
# question: q4
# diagnosis: .grad adds up
def depends_on(f, x):
    x = x.clone().requires_grad_()
    rows = []
    for output in f(x):
        for number in output:
            number.backward(retain_graph=True)
        rows.append((x.grad != 0).any(-1))
    return torch.stack(rows)
