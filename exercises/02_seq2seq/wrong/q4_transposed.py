"""Rows are inputs, columns are outputs."""
# question: q4
# diagnosis: Transposed
def depends_on(f, x):
    jacobian = torch.autograd.functional.jacobian(f, x)
    return (jacobian != 0).any(-1).any(1).T
