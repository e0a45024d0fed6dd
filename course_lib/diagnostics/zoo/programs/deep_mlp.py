"""The state of a machine from its sensors: a deep residual perceptron, plain stochastic gradient descent."""
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        h = F.relu(self.up(self.norm(x)))
        return x + self.down(h)


class DeepMLP(nn.Module):
    def __init__(self, features=16, classes=6, width=32, depth=6):
        super().__init__()
        self.embed = nn.Linear(features, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, readings):
        x = self.embed(readings)
        x = self.blocks(x)
        return self.head(self.norm(x))


def loss_fn(logits, states):
    return F.cross_entropy(logits, states)


def batches(readings, states, generator):
    while True:
        rows = torch.randint(len(readings), (16,), generator=generator)
        yield readings[rows], states[rows]


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    model.train()
    losses = []
    for step in range(steps):
        readings, states = next(setup.batches)
        loss = setup.loss_fn(model(readings), states)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def evaluate(setup):
    readings, states = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        guesses = setup.model(readings).argmax(dim=-1)
    setup.model.train()
    return (guesses == states).float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    readings, states, _ = data.sensor_readings(1200, generator)
    model = DeepMLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    stream = batches(readings[200:], states[200:], generator)
    return Setup(model=model, batch=next(stream), loss_fn=loss_fn, optimizer=optimizer, train=train, score=evaluate,
                 batches=stream, held_out=(readings[:200], states[:200]), baseline=1 / 6, task="classification")
