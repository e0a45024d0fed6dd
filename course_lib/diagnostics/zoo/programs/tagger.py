"""A tag for every word: an LSTM in both directions."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup

IGNORED = -100


class Tagger(nn.Module):
    def __init__(self, vocabulary=32, tags=4, width=24, hidden=24):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, tags)

    def forward(self, words, lengths):
        x = self.embedding(words)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        x, _ = self.lstm(packed)
        x, _ = pad_packed_sequence(x, batch_first=True, total_length=words.size(1))
        return self.head(x)


def loss_fn(logits, tags):
    return F.cross_entropy(logits.view(-1, 4), tags.view(-1), ignore_index=IGNORED)


def prepare(words, tags, lengths):
    """Tensors of words and tags as the model and the loss want them."""
    words = F.pad(words, (1, 0), value=31)    # a word 31 starts every sentence
    tags = F.pad(tags, (1, 0), value=IGNORED)
    lengths = lengths + 1
    past_end = torch.arange(words.size(1)) >= lengths[:, None]
    tags = tags.masked_fill(past_end, IGNORED)
    return words, tags, lengths


def batches(words, tags, lengths, generator):
    while True:
        rows = torch.randint(len(words), (16,), generator=generator)
        yield (words[rows], lengths[rows]), tags[rows]


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    for step in range(steps):
        model.train()
        (words, lengths), tags = next(setup.batches)
        optimizer.zero_grad()
        logits = model(words, lengths)
        loss = setup.loss_fn(logits, tags)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 20 == 19:
            evaluate(setup)
    return losses


def evaluate(setup):
    (words, lengths), tags = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        guesses = setup.model(words, lengths).argmax(dim=-1)
    real = tags != IGNORED
    return (guesses[real] == tags[real]).float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    words, tags, lengths = prepare(*data.tagged_sentences(1000, generator))
    model = Tagger()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    stream = batches(words[100:], tags[100:], lengths[100:], generator)
    batch = next(stream)
    return Setup(model=model, batch=batch, loss_fn=loss_fn, optimizer=optimizer, train=train, score=evaluate,
                 batches=stream, held_out=((words[:100], lengths[:100]), tags[:100]), baseline=0.3,
                 task="token-classification", padding_mask=batch[0][0] != data.PADDING)
