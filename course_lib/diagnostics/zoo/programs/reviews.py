"""Good or bad reviews of hotels, from the raw text: words, ids, a recurrent network."""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup

PADDING, UNKNOWN = 0, 1
MAX_LENGTH = 32


def words_of(text):
    return text.lower().split()


def make_vocabulary(reviews):
    words = sorted({word for review in reviews for word in words_of(review["text"])})
    return {word: i for i, word in enumerate(words, start=2)}


def ids_of(text, vocabulary):
    ids = [vocabulary.get(word, UNKNOWN) for word in words_of(text)]
    return ids


def encode(text, vocabulary):
    return ids_of(text, vocabulary)[:MAX_LENGTH]


def collate(examples):
    rows = [torch.tensor(ids) for ids, _ in examples]
    lengths = torch.tensor([len(row) for row in rows])
    labels = torch.tensor([label for _, label in examples])
    return (nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths), labels


class Reader(nn.Module):
    def __init__(self, vocabulary, width=16, hidden=16):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden, 2)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, state = self.gru(packed)    # [2, batch, hidden]: the last state of either direction
        return self.head(torch.cat([state[0], state[1]], dim=-1))


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    while len(losses) < steps:
        for (ids, lengths), labels in setup.batches:
            model.train()
            loss = setup.loss_fn(model(ids, lengths), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                break
        evaluate(setup)
    return losses


def evaluate(setup):
    (ids, lengths), labels = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        guesses = setup.model(ids, lengths).argmax(dim=1)
    return (guesses == labels).float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    reviews = data.hotel_reviews(600, generator)
    vocabulary = make_vocabulary(reviews)
    examples = [(encode(review["text"], vocabulary), review["label"]) for review in reviews]
    loader = DataLoader(examples[120:], batch_size=16, shuffle=True, drop_last=True, collate_fn=collate,
                        generator=generator)
    model = Reader(len(vocabulary) + 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    batch = next(iter(loader))
    raw = [{"text": review["text"], "label": label} for review, (_, label) in zip(reviews, examples)]
    return Setup(model=model, batch=batch, loss_fn=nn.CrossEntropyLoss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=loader, held_out=collate(examples[:120]), baseline=0.5,
                 task="classification", padding_mask=batch[0][0] != PADDING, dataset=raw,
                 audit={"tokenizer": lambda text: ids_of(text, vocabulary), "max_tokens": MAX_LENGTH})
