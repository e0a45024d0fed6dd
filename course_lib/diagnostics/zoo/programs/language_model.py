"""The next token of a stream: a small GPT."""
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup

LENGTH, STEPS, WARMUP = 16, 2000, 10


class Block(nn.Module):
    def __init__(self, width, heads, dropout):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def attend(self, x):
        batch, length, width = x.shape
        q, k, v = self.query_key_value(x).chunk(3, dim=-1)
        q = q.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
        k = k.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
        v = v.view(batch, length, self.heads, width // self.heads).transpose(1, 2)
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.project(x.transpose(1, 2).reshape(batch, length, width))

    def forward(self, x):
        x = x + self.dropout(self.attend(self.norm1(x)))
        return x + self.dropout(self.feed_forward(self.norm2(x)))


class LanguageModel(nn.Module):
    def __init__(self, vocabulary=24, width=32, heads=4, layers=2, dropout=0.1):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(LENGTH, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.apply(self.initialise)

    def initialise(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids):
        x = self.embed(ids) + self.position(torch.arange(ids.size(1)))
        x = self.dropout(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def loss_fn(logits, targets):
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def batches(stream, generator):
    while True:
        ids = stream[torch.randint(len(stream), (16,), generator=generator)]
        yield ids[:, :-1], ids[:, 1:]


def train(setup, steps):
    model, optimizer, scheduler = setup.model, setup.optimizer, setup.scheduler
    losses = []
    model.train()
    for step in range(steps):
        inputs, targets = next(setup.batches)
        loss = setup.loss_fn(model(inputs), targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % 25 == 24:
            evaluate(setup)
    return losses


@torch.no_grad()
def evaluate(setup):
    inputs, targets = setup.held_out
    setup.model.eval()
    with setup.evaluating():
        guesses = setup.model(inputs).argmax(-1)
    setup.model.train()
    return (guesses == targets).float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    stream = data.token_stream(1500, LENGTH + 1, generator)
    model = LanguageModel()
    optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / WARMUP, (STEPS - step) / STEPS))
    pairs = batches(stream[100:], generator)
    return Setup(model=model, batch=next(pairs), loss_fn=loss_fn, optimizer=optimizer, scheduler=scheduler,
                 train=train, score=evaluate, batches=pairs, held_out=(stream[:100, :-1], stream[:100, 1:]),
                 baseline=1 / 24, task="language-model", causal=True)
