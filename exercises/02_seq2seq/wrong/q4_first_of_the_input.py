"""Only the first number of each input is looked at."""
# question: q4
# diagnosis: through the last numbers only
def depends_on(f, x):
    jacobian = torch.autograd.functional.jacobian(f, x)
    return (jacobian[..., 0] != 0).any(1)
