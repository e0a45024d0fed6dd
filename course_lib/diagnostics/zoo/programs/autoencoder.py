"""Sensor readings through a bottleneck and back: the target is the input."""
import torch
from torch import nn

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Autoencoder(nn.Module):
    def __init__(self, features=16, width=48, bottleneck=8):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, bottleneck))
        self.decoder = nn.Sequential(nn.Linear(bottleneck, width), nn.SiLU(), nn.Linear(width, features))

    def forward(self, readings):
        return self.decoder(self.encoder(readings))


def batches(readings, generator):
    while True:
        chosen = readings[torch.randint(len(readings), (16,), generator=generator)]
        yield chosen, chosen


def train(setup, steps):
    losses = []
    setup.model.train()
    for _ in range(steps):
        readings, target = next(setup.batches)
        loss = setup.loss_fn(setup.model(readings), target)
        setup.optimizer.zero_grad()
        loss.backward()
        setup.optimizer.step()
        losses.append(loss.item())
    return losses


def evaluate(setup):
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        error = setup.loss_fn(setup.model(setup.held_out), setup.held_out)
    setup.model.train()
    return 1 - (error / setup.held_out.var(dim=0).mean()).item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    readings, _, _ = data.sensor_readings(700, generator)
    model = Autoencoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = batches(readings[100:], generator)
    return Setup(model=model, batch=next(stream), loss_fn=nn.MSELoss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=stream, held_out=readings[:100], baseline=0.0, task="regression")
