"""Calls backward, which stores gradients in the parameters."""
# question: q3
# diagnosis: use torch.autograd.grad


def mixes_examples(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    mixed = False
    for row in range(len(x)):
        given = x.detach().clone().requires_grad_()
        output = model(given)[row]
        (output * torch.randn_like(output)).sum().backward()
        mixed |= bool((given.grad[torch.arange(len(x)) != row] != 0).any())
    for module, mode in modes:
        module.training = mode
    return mixed
