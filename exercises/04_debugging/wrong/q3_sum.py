"""Takes the gradient of the sum of the outputs."""
# question: q3
# diagnosis: the sum of the outputs is constant


def mixes_examples(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    x = x.detach().clone().requires_grad_()
    outputs = model(x)
    mixed = False
    for row in range(len(x)):
        gradient, = torch.autograd.grad(outputs[row].sum(), x, retain_graph=True)
        others = torch.arange(len(x)) != row
        mixed |= bool(gradient[others].abs().sum() > 1e-4)
    for module, mode in modes:
        module.training = mode
    return mixed
