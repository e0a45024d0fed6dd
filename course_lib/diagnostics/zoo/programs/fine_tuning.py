"""A pretrained body gets two new heads, one for the state of a machine and one for its load."""
import functools

import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Body(nn.Module):
    def __init__(self, features=16, width=48):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(features, width), nn.LayerNorm(width), nn.GELU(),
            nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())

    def forward(self, readings):
        return self.layers(readings)


class TwoTasks(nn.Module):
    def __init__(self, body, width=48, states=6):
        super().__init__()
        self.body = body
        self.adapter = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU())
        self.state = nn.Linear(width, states)
        self.load = nn.Linear(width, 1)

    def forward(self, readings):
        x = self.adapter(self.body(readings))
        return self.state(x), self.load(x).squeeze(-1)


@functools.cache
def pretrained_weights():
    """Weights of a body that has learned to tell which cluster of ten a reading is from."""
    generator = torch.Generator().manual_seed(5)
    readings, clusters, _ = data.sensor_readings(640, generator, classes=10)
    torch.manual_seed(5)
    model = nn.Sequential(Body(), nn.Linear(48, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for rows in torch.arange(640).view(-1, 32).repeat(4, 1):
        loss = F.cross_entropy(model(readings[rows]), clusters[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model[0].state_dict()


def loss_fn(outputs, targets):
    (logits, load), (states, loads) = outputs, targets
    main = F.cross_entropy(logits, states)
    auxiliary = F.mse_loss(load, loads)
    return main + 2.0 * auxiliary


def batches(readings, states, loads, generator):
    while True:
        for rows in torch.randperm(len(readings), generator=generator).split(16)[:-1]:
            yield readings[rows], (states[rows], loads[rows])


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    for step, (readings, targets) in zip(range(steps), setup.batches):
        model.train()
        loss = setup.loss_fn(model(readings), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 19:
            evaluate(setup)
    return losses


def evaluate(setup):
    readings, (states, _) = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        logits, _ = setup.model(readings)
    return (logits.argmax(dim=-1) == states).float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    readings, states, loads = data.sensor_readings(1000, generator)
    body = Body()
    with torch.random.fork_rng(devices=[]):
        body.load_state_dict(pretrained_weights())
    model = TwoTasks(body)
    learning_rate = 5e-3
    optimizer = torch.optim.AdamW([
        {"params": model.body.parameters(), "lr": learning_rate / 10},
        {"params": [*model.adapter.parameters(), *model.state.parameters(), *model.load.parameters()],
         "lr": learning_rate}])
    stream = batches(readings[200:], states[200:], loads[200:], generator)
    return Setup(model=model, batch=next(stream), loss_fn=loss_fn, optimizer=optimizer, train=train, score=evaluate,
                 batches=stream, held_out=(readings[:200], (states[:200], loads[:200])), baseline=1 / 6,
                 task="classification", output=lambda outputs: outputs[0])
