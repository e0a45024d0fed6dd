"""Which of four subjects a message is about: a transformer encoder with its attention written out."""
import math

import torch
from torch import nn

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, mask):
        batch, length, width = x.shape
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        q = q.view(batch, length, self.heads, -1).transpose(1, 2)    # [batch, heads, length, width of a head]
        k = k.view(batch, length, self.heads, -1).transpose(1, 2)
        v = v.view(batch, length, self.heads, -1).transpose(1, 2)
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1))
        scores = scores.masked_fill(~mask[:, None, None, :], -1e9)
        weights = scores.softmax(dim=-1)
        x = (weights @ v).transpose(1, 2).reshape(batch, length, width)
        return self.out(x)


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.attention = Attention(width, heads)
        self.feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, mask):
        x = x + self.dropout(self.attention(self.norm1(x), mask))
        return x + self.dropout(self.feed_forward(self.norm2(x)))


class Classifier(nn.Module):
    def __init__(self, vocabulary=40, classes=4, width=32, heads=4, layers=2, length=12, dropout=0.1):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(width, classes)

    def forward(self, ids, mask):
        x = self.embed(ids) + self.position(torch.arange(ids.size(1)))
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x)
        x = (x * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        x = self.dropout(x)
        return self.head(x)


def batches(ids, labels, generator):
    while True:
        for chosen in torch.randperm(len(ids), generator=generator).split(16)[:-1]:
            yield (ids[chosen], ids[chosen] != data.PADDING), labels[chosen]


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    model.train()
    for step, (inputs, labels) in zip(range(steps), setup.batches):
        optimizer.zero_grad()
        loss = setup.loss_fn(model(*inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 19:
            evaluate(setup)
    return losses


def evaluate(setup):
    (ids, mask), labels = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        predicted = setup.model(ids, mask).argmax(dim=-1)
    setup.model.train()
    return (predicted == labels).float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    ids, labels = data.messages(1000, generator)
    model = Classifier()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = batches(ids[200:], labels[200:], generator)
    batch = next(stream)
    return Setup(model=model, batch=batch, loss_fn=nn.CrossEntropyLoss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=stream, held_out=((ids[:200], ids[:200] != data.PADDING), labels[:200]),
                 baseline=0.25, task="classification", padding_mask=batch[0][1])
