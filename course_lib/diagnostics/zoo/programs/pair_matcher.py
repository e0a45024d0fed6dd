"""Whether two texts are about the same subject: one encoder for both, and their distance."""
import torch
from torch import nn

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Encoder(nn.Module):
    def __init__(self, vocabulary=41, width=32):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.score = nn.Linear(width, 1)
        self.project = nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, width))

    def forward(self, ids):
        mask = ids != data.PADDING
        x = self.embed(ids)
        scores = self.score(torch.tanh(x)).squeeze(-1)
        scores = scores.masked_fill(~mask, -1e9)
        weights = scores.softmax(dim=1)    # [batch, length]: how much each word counts
        return self.project((weights[..., None] * x).sum(dim=1))


class PairMatcher(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.scale = nn.Parameter(torch.tensor(-3.0))
        self.bias = nn.Parameter(torch.tensor(1.0))

    def forward(self, first, second):
        a = self.encoder(first)
        b = self.encoder(second)
        distance = ((a - b).square().sum(dim=-1) + 1e-6).sqrt()
        return self.scale * distance + self.bias


def batches(first, second, same, generator):
    while True:
        for rows in torch.randperm(len(first), generator=generator).split(16)[:-1]:
            yield (first[rows], second[rows]), same[rows]


def train(setup, steps):
    losses = []
    setup.model.train()
    for (first, second), same in setup.batches:
        logits = setup.model(first, second)
        loss = setup.loss_fn(logits, same)
        setup.optimizer.zero_grad()
        loss.backward()
        setup.optimizer.step()
        losses.append(loss.item())
        if len(losses) == steps:
            break
    return losses


def evaluate(setup):
    (first, second), same = setup.held_out
    setup.model.eval()
    right = 0
    with torch.no_grad(), setup.evaluating():
        for rows in torch.arange(len(same)).split(20):
            logits = setup.model(first[rows], second[rows])
            right += ((logits > 0) == (same[rows] > 0.5)).sum().item()
    setup.model.train()
    return right / len(same)


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    first, second, same = data.sentence_twins(1500, generator)
    model = PairMatcher()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = batches(first[200:], second[200:], same[200:], generator)
    batch = next(stream)
    return Setup(model=model, batch=batch, loss_fn=nn.BCEWithLogitsLoss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=stream, held_out=((first[:200], second[:200]), same[:200]), baseline=0.5,
                 task="classification", padding_mask=batch[0][0] != data.PADDING)
