"""Short sentences translated: PyTorch's transformer, encoder and decoder."""
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Translator(nn.Module):
    def __init__(self, vocabulary=18, width=32, heads=4, dropout=0.1):
        super().__init__()
        self.source_embed = nn.Embedding(vocabulary, width)
        self.target_embed = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(12, width)
        layer = nn.TransformerEncoderLayer(width, heads, 64, dropout, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=1, enable_nested_tensor=False)
        layer = nn.TransformerDecoderLayer(width, heads, 64, dropout, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, num_layers=1)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, source, target):
        padding = source == data.PADDING
        future = torch.ones(target.size(1), target.size(1), dtype=torch.bool).triu(diagonal=1)
        x = self.source_embed(source) + self.position(torch.arange(source.size(1)))
        y = self.target_embed(target) + self.position(torch.arange(target.size(1)))
        memory = self.encoder(x, src_key_padding_mask=padding)
        y = self.decoder(y, memory, tgt_mask=future, memory_key_padding_mask=padding)
        return self.head(y)


def loss_fn(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets, ignore_index=data.PADDING)


def batches(source, target, generator):
    while True:
        rows = torch.randint(len(source), (16,), generator=generator)
        yield (source[rows], target[rows, :-1]), target[rows, 1:]


def train(setup, steps):
    losses = []
    setup.model.train()
    for step, ((source, target), wanted) in enumerate(setup.batches):
        if step == steps:
            break
        logits = setup.model(source, target)
        loss = setup.loss_fn(logits, wanted)
        setup.optimizer.zero_grad()
        loss.backward()
        setup.optimizer.step()
        losses.append(loss.item())
        if step % 25 == 24:
            evaluate(setup)
    return losses


def evaluate(setup):
    (source, target), wanted = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        guesses = setup.model(source, target).argmax(dim=-1)
    setup.model.train()
    words = wanted != data.PADDING
    return (guesses == wanted)[words].float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    source, target = data.sentence_pairs(1000, generator)
    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    stream = batches(source[100:], target[100:], generator)
    batch = next(stream)
    held_out = (source[:100], target[:100, :-1]), target[:100, 1:]
    return Setup(model=model, batch=batch, loss_fn=loss_fn, optimizer=optimizer, train=train, score=evaluate,
                 batches=stream, held_out=held_out, baseline=0.17, task="sequence-to-sequence", causal=True,
                 padding_mask=batch[0][0] != data.PADDING)
