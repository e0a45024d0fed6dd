"""The next value of a wave at every moment: convolutions that look back further in each layer."""
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class CausalConv(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.reach = 2 * dilation
        self.conv = nn.Conv1d(channels, channels, kernel_size=3, dilation=dilation)

    def forward(self, x):
        past = F.pad(x, (self.reach, 0))
        return x + F.relu(self.conv(past))


class ConvForecaster(nn.Module):
    def __init__(self, channels=24, layers=3):
        super().__init__()
        self.embed = nn.Conv1d(1, channels, kernel_size=1)
        self.layers = nn.ModuleList([CausalConv(channels, 2**i) for i in range(layers)])
        self.out = nn.Conv1d(channels, 1, kernel_size=1)

    def forward(self, x):
        x = self.embed(x.transpose(1, 2))    # [batch, channels, length]
        for layer in self.layers:
            x = layer(x)
        return self.out(x).transpose(1, 2)


def batches(series, generator):
    while True:
        chosen = series[torch.randint(len(series), (16,), generator=generator)]
        yield chosen[:, :-1], chosen[:, 1:]


def train(setup, steps):
    losses = []
    for step, (past, future) in zip(range(steps), setup.batches):
        setup.model.train()
        setup.optimizer.zero_grad()
        loss = setup.loss_fn(setup.model(past), future)
        loss.backward()
        setup.optimizer.step()
        losses.append(loss.item())
        if step % 30 == 29:
            evaluate(setup)
    return losses


def evaluate(setup):
    past, future = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        error = F.mse_loss(setup.model(past), future)
    return 1 - (error / future.var()).item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    series = data.waves(700, 21, generator)
    model = ConvForecaster()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = batches(series[100:], generator)
    return Setup(model=model, batch=next(stream), loss_fn=nn.SmoothL1Loss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=stream, held_out=(series[:100, :-1], series[:100, 1:]), baseline=0.0,
                 task="regression", causal=True)
