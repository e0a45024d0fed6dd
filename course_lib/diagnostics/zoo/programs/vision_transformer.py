"""Which of five shapes a picture shows: a transformer that reads nine patches and a class token."""
import torch
from torch import nn

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class VisionTransformer(nn.Module):
    def __init__(self, classes=5, patch=4, width=32, heads=4, dropout=0.0):
        super().__init__()
        self.patches = nn.Conv2d(3, width, kernel_size=patch, stride=patch)
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, 10, width))
        layer = nn.TransformerEncoderLayer(width, heads, 64, dropout, activation="gelu", batch_first=True,
                                           norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, norm=nn.LayerNorm(width),
                                             enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)    # [batch, 9, width]
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1)
        x = self.encoder(x + self.position)
        return self.head(x[:, 0])


def batches(images, labels, generator):
    while True:
        for rows in torch.randperm(len(images), generator=generator).split(16)[:-1]:
            yield images[rows], labels[rows]


def train(setup, steps):
    model, optimizer = setup.model, setup.optimizer
    losses = []
    for step, (images, labels) in zip(range(steps), setup.batches):
        model.train()
        loss = setup.loss_fn(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 30 == 29:
            evaluate(setup)
    return losses


def evaluate(setup):
    images, labels = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        right = setup.model(images).argmax(dim=1) == labels
    return right.float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.pictures(600, generator)
    images = (images.permute(0, 3, 1, 2).float() / 255 - 0.25) / 0.25
    model = VisionTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    stream = batches(images[100:], labels[100:], generator)
    return Setup(model=model, batch=next(stream), loss_fn=nn.CrossEntropyLoss(), optimizer=optimizer, train=train,
                 score=evaluate, batches=stream, held_out=(images[:100], labels[:100]), baseline=0.2,
                 task="classification")
