"""The next value of a wave at every moment: an LSTM."""
import torch
from torch import nn

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Forecaster(nn.Module):
    def __init__(self, features=1, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(features, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.hidden = nn.Linear(hidden, 32)
        self.out = nn.Linear(32, 1)

    def forward(self, x):
        x, _ = self.lstm(x)
        x = torch.relu(self.hidden(self.norm(x)))
        return self.out(x)


def batches(series, generator):
    while True:
        chosen = series[torch.randint(len(series), (16,), generator=generator)]
        yield chosen[:, :-1], chosen[:, 1:]


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    model.train()
    for step, (past, future) in zip(range(steps), setup.batches):
        loss = setup.loss_fn(model(past), future)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % 30 == 29:
            evaluate(setup)
    return losses


def evaluate(setup):
    past, future = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        error = (setup.model(past) - future).square().mean()
    setup.model.train()
    return 1 - (error / future.var()).item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    series = data.waves(700, 21, generator)
    model = Forecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    stream = batches(series[100:], generator)
    return Setup(model=model, batch=next(stream), loss_fn=nn.MSELoss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=stream, held_out=(series[:100, :-1], series[:100, 1:]), baseline=0.0,
                 task="regression", causal=True)
