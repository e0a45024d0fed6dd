"""Small models for the tests of the doctor: two token models, two for numbers, each with a switch for one bug."""
import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY, CLASSES = 30, 5


class Attention(nn.Module):
    """Multi-head self-attention by hand; `bug` names what is wrong in it."""

    def __init__(self, width=32, heads=4, causal=False, bug=None):
        super().__init__()
        self.heads, self.causal, self.bug = heads, causal, bug
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x, real=None):
        batch, length, width = x.shape

        def split(y):
            if self.bug == "split without transpose":
                return y.view(batch, self.heads, length, width // self.heads)
            return y.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(-2, -1) / (width // self.heads) ** 0.5
        if self.causal and self.bug != "no causal mask":
            diagonal = 1 if self.bug == "diagonal" else 0
            scores = scores.masked_fill(~torch.ones(length, length, dtype=torch.bool).tril(diagonal), -1e9)
        if real is not None and self.bug != "padding attended":
            scores = scores.masked_fill(~real[:, None, None, :], -1e9)
        weights = scores.softmax({"softmax over queries": -2, "softmax over heads": 1,
                                  "softmax over batch": 0}.get(self.bug, -1))
        y = weights @ v
        if self.bug == "join without transpose":
            return self.out(y.reshape(batch, length, width))
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, causal, bug):
        super().__init__()
        self.attention = Attention(width, causal=causal, bug=bug)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout, self.bug = nn.Dropout(0.1), bug
        if bug == "unused layer":
            self.gate = nn.Linear(width, width)

    def forward(self, x, real=None):
        if self.bug == "unnormalised over positions":
            x = F.normalize(x, dim=1)
        x = x + self.dropout(self.attention(self.first(x), real))
        if self.bug == "dropout always on":
            x = F.dropout(x, 0.1)
        return x + self.down(F.relu(self.up(self.second(x))))


class Tokens(nn.Module):
    """A Transformer over token ids, for a language model (causal), tags, or classes (pool)."""

    def __init__(self, bug=None, causal=False, pool=False, outputs=None, width=32, layers=2):
        super().__init__()
        self.bug, self.pool, self.causal = bug, pool, causal
        self.embedding, self.positions = nn.Embedding(VOCABULARY, width, padding_idx=0), nn.Embedding(32, width)
        blocks = [Block(width, causal, bug) for _ in range(layers)]
        if bug == "same block":
            blocks = [blocks[0]] * layers
        self.blocks = blocks if bug == "plain list" else {str(i): b for i,
                                                          b in enumerate(blocks)} if bug == "plain dict" \
            else nn.ModuleList(blocks)
        self.head = nn.Linear(width, outputs or (VOCABULARY if causal else CLASSES))

    def forward(self, ids, mask=None):
        real = None if mask is None else mask.bool()
        x = self.embedding(ids)
        if self.bug == "positions not added":
            x = x + 0 * self.positions(torch.zeros_like(ids))
        elif self.bug == "positions all zero":
            x = x + self.positions(torch.zeros_like(ids))
        else:
            x = x + self.positions(torch.arange(ids.shape[1]))
        if self.bug == "batch and length swapped":
            x = x.transpose(0, 1)
        for block in self.blocks.values() if isinstance(self.blocks, dict) else self.blocks:
            x = block(x, real)
        if self.bug == "batch and length swapped":
            x = x.transpose(0, 1)
        if self.bug == "detached":
            x = x.detach()
        if self.pool:
            if self.bug == "pool over batch":
                x = x.mean(0, keepdim=True).expand_as(x)
            if self.bug == "first of the batch":
                x = x[0][:len(x)]
            elif self.bug == "mean counts padding" or real is None:
                x = x.mean(1)
            else:
                x = (x * real[..., None]).sum(1) / real.sum(1, keepdim=True)
        out = self.head(x)
        axis = {"softmax": -1, "softmax over the batch": 0}.get(self.bug)
        return out if axis is None else out.softmax(axis)


class Recurrent(nn.Module):
    """An LSTM over token ids: a language model (causal), tags (two directions), or classes (pool)."""

    def __init__(self, bug=None, causal=False, pool=False, outputs=None, width=32):
        super().__init__()
        self.bug, self.pool = bug, pool
        self.embedding = nn.Embedding(VOCABULARY, width, padding_idx=0)
        both = not causal or bug == "two directions"
        self.lstm = nn.LSTM(width, width, batch_first=bug != "batch and length swapped", bidirectional=both)
        if bug == "plain list":
            self.lstm, self.layers = None, [self.lstm]
        if bug == "unused layer":
            self.gate = nn.Linear(width, width)
        self.head = nn.Linear(width * (1 + both), outputs or (VOCABULARY if causal else CLASSES))

    def forward(self, ids):
        x = self.embedding(ids)
        if self.bug == "dropout always on":
            x = F.dropout(x, 0.2)
        if self.bug == "input multiplied by 0":
            x = x * 0
        x, _ = (self.lstm or self.layers[0])(x)
        if self.bug == "detached":
            x = x.data
        if self.pool:
            x = x.mean(1)
        out = self.head(x)
        return out.sigmoid() if self.bug == "softmax" else out


def network(bug=None, features=8, outputs=CLASSES, width=32):
    """A multilayer perceptron over numbers."""
    layers = [nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs)]
    if bug == "constant":
        for layer in layers[::2]:
            nn.init.constant_(layer.weight, 0.1)
    if bug == "dead":
        nn.init.constant_(layers[0].bias, -20.0)
    if bug == "dead second layer":
        nn.init.constant_(layers[2].bias, -20.0)
    if bug == "large":
        for layer in layers[::2]:
            nn.init.normal_(layer.weight, std=3.0)
    if bug == "same layer":
        layers[2] = layers[0] = nn.Linear(features, features)
        layers[4] = nn.Linear(features, outputs)
        layers.insert(2, layers[0])
        layers.insert(3, nn.ReLU())
        layers.pop(4), layers.pop(4)
    if bug in ("softmax", "sigmoid", "relu", "tanh"):
        layers.append({"softmax": nn.Softmax(-1), "sigmoid": nn.Sigmoid(), "relu": nn.ReLU(), "tanh": nn.Tanh()}[bug])
    return nn.Sequential(*layers)


def images(bug=None, outputs=CLASSES):
    """A convolutional network with BatchNorm."""
    norm = nn.BatchNorm2d(16, track_running_stats=bug != "batch statistics")
    layers = [nn.Conv2d(3, 16, 3, padding=1), norm, nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
              nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, outputs)]
    if bug == "constant":
        for layer in (layers[0], layers[3], layers[7]):
            nn.init.constant_(layer.weight, 0.05)
    if bug == "dead":
        nn.init.constant_(layers[3].bias, -10.0)
    if bug == "softmax":
        layers.append(nn.Softmax(-1))
    return nn.Sequential(*layers)


def ids(count=16, length=12, low=1):
    return torch.randint(low, VOCABULARY, (count, length))


def text(count=8, length=12):
    """(tokens, next tokens)."""
    tokens = ids(count, length + 1)
    return tokens[:, :-1], tokens[:, 1:]


def classes(count=16):
    return torch.arange(count) % CLASSES


def token_loss(outputs, targets):
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())
