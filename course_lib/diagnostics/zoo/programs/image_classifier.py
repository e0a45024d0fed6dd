"""Which of five shapes a picture shows: a small convolutional network with batch norm."""
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from course_lib.diagnostics.zoo import data
from course_lib.diagnostics.zoo.cases import Setup


class ConvNet(nn.Module):
    def __init__(self, classes=5, channels=16):
        super().__init__()
        self.conv1 = nn.Conv2d(3, channels, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(channels)
        self.hidden = nn.Linear(channels * 3 * 3, 32)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(32, classes)

    def forward(self, images):
        x = F.relu(self.norm1(self.conv1(images)))
        x = F.max_pool2d(x, 2)
        x = F.relu(self.norm2(self.conv2(x)))
        x = F.relu(self.norm3(self.conv3(x)))
        x = F.max_pool2d(x, 2).flatten(1)
        x = self.dropout(F.relu(self.hidden(x)))
        return self.head(x)


def prepare(images):
    """uint8 [count, height, width, 3] to float [count, 3, height, width] around 0."""
    images = images.permute(0, 3, 1, 2).contiguous()
    images = images.float() / 255
    return (images - 0.25) / 0.25


def train(setup, steps):
    model, optimizer, scheduler = setup.model, setup.optimizer, setup.scheduler
    losses = []
    model.train()
    while len(losses) < steps:
        for images, labels in setup.batches:
            optimizer.zero_grad()
            loss = setup.loss_fn(model(images), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if len(losses) == steps:
                return losses
        scheduler.step()
        evaluate(setup)
    return losses


def evaluate(setup):
    images, labels = setup.held_out
    setup.model.eval()
    with torch.no_grad(), setup.evaluating():
        right = setup.model(images).argmax(1) == labels
    setup.model.train()
    return right.float().mean().item()


def build(seed):
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.pictures(480, generator)
    images = prepare(images)
    loader = DataLoader(TensorDataset(images[160:], labels[160:]), batch_size=16, shuffle=True, drop_last=True,
                        generator=generator)
    model = ConvNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    return Setup(model=model, batch=tuple(next(iter(loader))), loss_fn=nn.CrossEntropyLoss(), optimizer=optimizer,
                 scheduler=scheduler, train=train, score=evaluate, batches=loader,
                 held_out=(images[:160], labels[:160]), baseline=0.2, task="classification")
