"""Steps with a learning rate above 0."""
# question: q6
# diagnosis: The weights changed


def gradients_are_fresh(model, train_step, loss_of, batches):
    parameters = list(model.parameters())
    optimizer = torch.optim.SGD(parameters, lr=1e-5)
    found = []
    optimizer.register_step_pre_hook(lambda *_: found.append(
        [None if p.grad is None else p.grad.clone() for p in parameters]))
    fresh = True
    for batch in batches:
        found.clear()
        train_step(model, optimizer, batch)
        own = torch.autograd.grad(loss_of(model, batch), parameters)
        fresh &= len(found) == 1 and all(s is not None and torch.allclose(s, o, rtol=1e-2, atol=1e-4) for s, o in zip(found[0], own))
    for p in parameters:
        p.grad = None
    return fresh
