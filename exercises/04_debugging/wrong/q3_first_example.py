"""Looks at the first example only."""
# question: q3
# diagnosis: test every example


def mixes_examples(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    x = x.detach().clone().requires_grad_()
    output = model(x)[0]
    gradient, = torch.autograd.grad((output * torch.randn_like(output)).sum(), x)
    for module, mode in modes:
        module.training = mode
    return bool((gradient[1:] != 0).any())
