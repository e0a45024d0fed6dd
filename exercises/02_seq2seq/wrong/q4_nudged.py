"""Moves an input a little and looks which outputs change."""
# question: q4
# diagnosis: Moving an input
def depends_on(f, x):
    before, columns = f(x), []
    for j in range(len(x)):
        nudged = x.clone()
        nudged[j] += 1e-3
        columns.append((f(nudged) != before).any(-1))
    return torch.stack(columns, dim=1)
