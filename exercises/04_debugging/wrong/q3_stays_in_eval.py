"""Leaves the model in evaluation mode."""
# question: q3
# diagnosis: is not any more


def mixes_examples(model, x):
    model.eval()
    x = x.detach().clone().requires_grad_()
    outputs = model(x)
    for row in range(len(x)):
        weighed = (outputs[row] * torch.randn_like(outputs[row])).sum()
        gradient, = torch.autograd.grad(weighed, x, retain_graph=True)
        if (gradient[torch.arange(len(x)) != row] != 0).any():
            return True
    return False
