"""Only gradients above 0 count."""
# question: q4
# diagnosis: Negative gradients are overlooked
def depends_on(f, x):
    jacobian = torch.autograd.functional.jacobian(f, x)
    return (jacobian > 0).any(-1).any(1)
