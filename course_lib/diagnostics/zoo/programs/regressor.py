"""How many bicycles are hired, from the weather and the time of day: a multilayer perceptron."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Regressor(nn.Module):
    def __init__(self, features=4, width=64):
        super().__init__()
        self.hour = nn.Embedding(24, 8)
        self.body = nn.Sequential(
            nn.Linear(features + 8, width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU())
        self.head = nn.Linear(width, 1)
        self.body.apply(self.initialise)

    def initialise(self, module):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)

    def forward(self, weather, minutes):
        hour = self.hour(minutes // 60)
        x = self.body(torch.cat([weather, hour], dim=-1))
        return self.head(x).squeeze(-1)


def loss_fn(predicted, hires):
    return F.mse_loss(predicted, hires)


def prepare(weather, hires):
    """Features and target with mean 0 and standard deviation 1."""
    features = (weather - weather.mean(dim=0)) / weather.std(dim=0)
    target = (hires - hires.mean()) / hires.std()
    return features, target


def train(setup, steps):
    model, optimizer, scheduler = setup.model, setup.optimizer, setup.scheduler
    losses = []
    while len(losses) < steps:
        model.train()
        for weather, minutes, hires in setup.batches:
            optimizer.zero_grad()
            predicted = model(weather, minutes)
            loss = setup.loss_fn(predicted, hires)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                return losses
        scheduler.step(1 - evaluate(setup))
    return losses


def evaluate(setup):
    (weather, minutes), hires = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        predicted = setup.model(weather, minutes).flatten()
    return 1 - ((predicted - hires).square().mean() / hires.var()).item()    # explained share of the variance


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    weather, minutes, hires = data.bicycle_hires(480, generator)
    features, target = prepare(weather, hires)
    loader = DataLoader(TensorDataset(features[160:], minutes[160:], target[160:]), batch_size=16, shuffle=True,
                        drop_last=True, generator=generator)
    model = Regressor()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=1)
    first = next(iter(loader))
    return Setup(model=model, batch=((first[0], first[1]), first[2]), loss_fn=loss_fn, optimizer=optimizer,
                 scheduler=scheduler, train=train, score=evaluate, batches=loader,
                 held_out=((features[:160], minutes[:160]), target[:160]), baseline=0.0, task="regression")
