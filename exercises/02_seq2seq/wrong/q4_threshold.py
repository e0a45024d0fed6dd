"""Small gradients do not count."""
# question: q4
# diagnosis: Small gradients are overlooked
def depends_on(f, x):
    """Whether output i depends on input j: bool, [outputs, inputs]."""
    jacobian = torch.autograd.functional.jacobian(f, x)
    return (jacobian.abs() > 1e-6).any(-1).any(1)
