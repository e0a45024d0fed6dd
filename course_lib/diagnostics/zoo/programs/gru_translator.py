"""Short sentences translated: a recurrent encoder whose last state starts a recurrent decoder."""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class Encoder(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.join = nn.Linear(2 * width, width)

    def forward(self, source):
        lengths = (source != data.PADDING).sum(dim=1)
        packed = pack_padded_sequence(self.embed(source), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)    # [2, batch, width]: forwards and backwards
        return torch.tanh(self.join(torch.cat([last[0], last[1]], dim=-1)))


class Decoder(nn.Module):
    def __init__(self, vocabulary, width):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.gru = nn.GRU(width, width, batch_first=True)
        self.out = nn.Linear(width, vocabulary)

    def forward(self, target, state):
        x, _ = self.gru(self.embed(target), state[None])
        return self.out(x)


class Seq2Seq(nn.Module):
    def __init__(self, vocabulary=18, width=48):
        super().__init__()
        self.encoder = Encoder(vocabulary, width)
        self.decoder = Decoder(vocabulary, width)

    def forward(self, source, target):
        state = self.encoder(source)
        return self.decoder(target, state)


class SequenceLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.CrossEntropyLoss(ignore_index=data.PADDING)

    def forward(self, logits, targets):
        return self.criterion(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))


def batches(source, target, generator):
    while True:
        order = torch.randperm(len(source), generator=generator)
        for rows in order[:len(order) // 16 * 16].view(-1, 16):
            yield (source[rows], target[rows, :-1]), target[rows, 1:]


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    for step in range(steps):
        model.train()
        inputs, targets = next(setup.batches)
        loss = setup.loss_fn(model(*inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if (step + 1) % 25 == 0:
            evaluate(setup)
    return losses


def evaluate(setup):
    inputs, targets = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        guesses = setup.model(*inputs).argmax(dim=-1)
    words = targets != data.PADDING
    return ((guesses == targets) & words).sum().item() / words.sum().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    source, target = data.sentence_pairs(1000, generator)
    model = Seq2Seq()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    stream = batches(source[100:], target[100:], generator)
    batch = next(stream)
    return Setup(model=model, batch=batch, loss_fn=SequenceLoss(), optimizer=optimizer, train=train, score=evaluate,
                 batches=stream, held_out=((source[:100], target[:100, :-1]), target[:100, 1:]), baseline=0.17,
                 task="sequence-to-sequence", causal=True, padding_mask=batch[0][0] != data.PADDING)
