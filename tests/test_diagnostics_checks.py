"""Each check of the doctor: its bug on two architectures at least, named first; and near misses, which stay silent."""
import copy
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from course_lib.diagnostics.doctor import CHECKS, diagnose

sys.path.insert(0, str(Path(__file__).resolve().parent))
from diagnostics_healthy import padded  # noqa: E402
# noqa: E402
from diagnostics_models import (CLASSES, VOCABULARY, Recurrent, Tokens, classes, ids, images, network, text,
                                token_loss)

WITHOUT_TRAINING = [name for name in CHECKS if name != "overfit"]
cross_entropy = nn.CrossEntropyLoss()


def numbers():
    return torch.randn(16, 8)


def tables():
    return numbers(), classes()


def sentences():
    return ids(), classes()


def square():
    return ids(16, 16), classes()


def tagged():
    return ids(), torch.randint(0, CLASSES, (16, 12))


def pictures():
    return torch.randn(16, 3, 8, 8), classes()


def sentences_with_mask():
    return padded(ids(), 12, 8, 10), classes()


TAGS, TEXT = dict(task="token-classification"), dict(task="language-model")
CASES = []    # (name, causes that may come first, model, batch, loss, arguments)


def case(name, causes, model, batch, loss=cross_entropy, **arguments):
    CASES.append(pytest.param(causes.split(), model, batch, loss, arguments, id=name))


def token_cases(bug, causes, *kinds):
    """The bug in a Transformer of tags, of text and of classes."""
    if "tags" in kinds:
        case(f"tags, {bug}", causes, lambda: Tokens(bug), tagged, token_loss, **TAGS)
    if "text" in kinds:
        case(f"text, {bug}", causes, lambda: Tokens(bug, causal=True), text, token_loss, **TEXT)
    if "classes" in kinds:
        case(f"classes, {bug}", causes, lambda: Tokens(bug, pool=True), sentences)
    if "recurrent text" in kinds:
        case(f"recurrent text, {bug}", causes, lambda: Recurrent(bug, causal=True), text, token_loss, **TEXT)
    if "recurrent classes" in kinds:
        case(f"recurrent classes, {bug}", causes, lambda: Recurrent(bug, pool=True), sentences)


# How the model is built
token_cases("plain list", "layer-not-registered", "tags", "text", "recurrent text", "recurrent classes")
token_cases("plain dict", "layer-not-registered", "classes")
token_cases("same block", "parameter-shared", "tags", "classes")
token_cases("unused layer", "parameter-unused", "text", "classes", "recurrent classes")
token_cases("positions not added", "parameter-unused input-ignored", "tags", "classes")
token_cases("detached", "parameter-unused", "classes", "recurrent text")
case("layer made in forward", "layer-not-registered", lambda: MadeInForward(), tables)
case("perceptron, one layer twice", "parameter-shared", lambda: network("same layer"), tables)
case("one layer, two names", "parameter-shared", lambda: TwoNames(), tables)
case("optimiser of a copy", "parameter-not-in-optimizer", network, tables,
     optimizer=lambda model: torch.optim.Adam(copy.deepcopy(model).parameters()))
case("optimiser of the head", "parameter-not-in-optimizer", lambda: Tokens(pool=True), sentences,
     optimizer=lambda model: torch.optim.Adam(model.head.parameters()))
case("learning rate 0", "learning-rate-zero", network, tables,
     optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.0))
case("frozen in the middle", "parameter-frozen", lambda: frozen(2), tables)
case("frozen head", "parameter-frozen", lambda: frozen(4), tables)
case("all frozen", "parameter-frozen", lambda: frozen(0, 2, 4), tables)
case("body under no_grad", "parameter-unused", lambda: BodyUnderNoGrad(), tables)

# Initialisation
case("perceptron, constant", "symmetric-init", lambda: network("constant"), tables)
case("convolutional, constant", "symmetric-init", lambda: images("constant"), pictures)
case("Transformer, constant", "symmetric-init", lambda: filled(Tokens(pool=True), 0.02), sentences)
case("all zero", "symmetric-init", lambda: filled(network(), 0.0, biases=True), tables)
case("weights zero", "symmetric-init", lambda: filled(network(), 0.0), tables)
case("perceptron, dead", "dead-units", lambda: network("dead"), tables)
case("perceptron, dead second layer", "dead-units", lambda: network("dead second layer"), tables)
case("convolutional, dead", "dead-units", lambda: images("dead"), pictures)
case("ReLU before the loss", "dead-units", lambda: network("relu"), tables)
case("perceptron, large", "activation-scale", lambda: network("large"), tables)
case("regression, large", "activation-scale", lambda: network("large", outputs=1),
     lambda: (numbers(), torch.randn(16, 1)), F.mse_loss)
case("Transformer, large", "activation-scale", lambda: spread(Tokens(pool=True), 2.0), sentences)
case("sixteen sigmoids", "gradients-vanishing activation-scale", lambda: sigmoids(16), tables)

# Data
case("pixels to 255", "input-scale", images, lambda: (torch.randint(0, 256, (16, 3, 8, 8)).float(), classes()))
case("features of all sizes", "input-scale", network,
     lambda: (numbers() * torch.tensor([1, 1, 1, 1e4, 1, 1, 1, 1e-2]), classes()))
case("NaN", "input-scale", network, lambda: (numbers().index_fill(1, torch.tensor([2]), float("nan")), classes()))
case("everything unknown", "input-corrupted", lambda: Tokens(pool=True),
     lambda: (torch.where(torch.rand(16, 12) < 0.9, 1, ids()), classes()))
case("target among the features", "label-leak", lambda: network(outputs=1), lambda: with_target(), lambda o,
     y: F.mse_loss(o[:, 0], y))
case("labels from 1", "label-out-of-range", network, lambda: (numbers(), classes() + 1))
case("one label", "label-out-of-range", lambda: Tokens(), lambda: (ids(), torch.full((16, 12), 2)), token_loss, **TAGS)

# What the forward pass computes
token_cases("batch and length swapped", "batch-mixing", "tags", "text", "classes", "recurrent text",
            "recurrent classes")
case("mean over the batch", "batch-mixing", lambda: Tokens("pool over batch", pool=True), square)
case("[0] for [:, 0]", "batch-mixing", lambda: Tokens("first of the batch", pool=True), square)
case("batch statistics in evaluation", "batch-mixing", lambda: images("batch statistics"), pictures)
case("states viewed", "batch-mixing", lambda: States("view"), sentences)
case("last example", "batch-mixing", lambda: States("last"), square)
case("positions by the batch, causal", "batch-mixing", lambda: BatchPositions(True), text, token_loss, **TEXT)
case("positions by the batch", "batch-mixing input-ignored", lambda: BatchPositions(False), tagged, token_loss, **TAGS)
token_cases("split without transpose", "position-mixing", "tags", "text", "classes")
token_cases("join without transpose", "position-mixing", "tags", "text", "classes")
case("channels last, viewed", "position-mixing", lambda: ChannelsLast(True),
     lambda: (torch.randn(16, 8, 8, 3), classes()))
case("embedding viewed for a convolution", "position-mixing", lambda: Convolution(True), sentences)
token_cases("softmax over queries", "wrong-dimension", "tags", "text", "classes")
token_cases("softmax over heads", "wrong-dimension", "tags", "text")
token_cases("softmax over batch", "wrong-dimension batch-mixing", "text", "classes")
token_cases("unnormalised over positions", "wrong-dimension", "tags", "text")
token_cases("softmax over the batch", "wrong-dimension", "classes")
case("pooling over one entry", "wrong-dimension", lambda: Pooling(2), sentences)
case("pooling over the batch", "wrong-dimension batch-mixing", lambda: Pooling(0), sentences)
case("norm over positions", "wrong-dimension", lambda: NormOverPositions(), text, token_loss, **TEXT)
token_cases("no causal mask", "future-leak", "text")
token_cases("diagonal", "future-leak", "text")
token_cases("two directions", "future-leak", "recurrent text")
case("no target mask", "future-leak", lambda: Seq2Seq("no mask"), lambda: pairs(), token_loss,
     task="sequence-to-sequence")
case("padding attended", "padding-leak", lambda: Tokens("padding attended", pool=True), sentences_with_mask)
case("mean counts padding", "padding-leak", lambda: Tokens("mean counts padding", pool=True), sentences_with_mask)
case("mask not used", "padding-leak", lambda: Masked("not used"), sentences_with_mask)
case("mask the wrong way round", "padding-leak", lambda: Masked("inverted"), sentences_with_mask)
case("mask the wrong way round, all padded", "padding-leak", lambda: Masked("inverted"),
     lambda: (padded(ids(), 11, 8), classes()))
token_cases("positions all zero", "input-ignored", "tags", "classes")
case("memory of the target", "input-ignored", lambda: Seq2Seq("memory"), lambda: pairs(), token_loss,
     task="sequence-to-sequence")
case("state not handed on", "input-ignored", lambda: Recurrent2("state"), lambda: pairs(), token_loss,
     task="sequence-to-sequence")
case("attention to itself only", "input-ignored", lambda: BatchPositions("itself", right=True), text, token_loss,
     **TEXT)
case("first state of an LSTM", "input-ignored", lambda: FirstState(), sentences)
case("input times 0", "input-ignored", lambda: Recurrent("input multiplied by 0", pool=True), sentences)
case("input cut", "input-truncated", lambda: Cut(), square)
token_cases("dropout always on", "nondeterministic-eval", "tags", "text", "recurrent classes")

# What the loss is given
token_cases("softmax", "probabilities-for-logits", "tags", "text", "classes", "recurrent text")
for activation in ("softmax", "sigmoid", "tanh"):
    case(f"perceptron, {activation}", "probabilities-for-logits", lambda activation=activation: network(activation),
         tables)
case("convolutional, softmax", "probabilities-for-logits", lambda: images("softmax"), pictures)
case("sigmoid twice", "probabilities-for-logits", lambda: nn.Sequential(network(outputs=1), nn.Sigmoid()),
     lambda: (numbers(), (torch.arange(16) % 2).float()), lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y))
case("nll of logits", "probabilities-for-logits", network, tables, F.nll_loss)
case("nll of probabilities", "probabilities-for-logits", lambda: network("softmax"), tables, F.nll_loss)
case("squared error, (N, 1) and (N)", "loss-broadcast", lambda: network(outputs=1),
     lambda: (numbers(), torch.randn(16)), F.mse_loss)
case("absolute error, (N, 1) and (N)", "loss-broadcast", lambda: network(outputs=1),
     lambda: (numbers(), torch.randn(16)),
     lambda o, y: (o - y).abs().mean())
case("loss detached", "loss-detached", network, tables, lambda o, y: F.cross_entropy(o.detach(), y))
case("summed", "loss-scale", network, tables, nn.CrossEntropyLoss(reduction="sum"))
case("divided twice", "loss-scale", lambda: Tokens(pool=True), sentences, lambda o, y: F.cross_entropy(o, y) / len(y))
for Model in (Tokens, Recurrent):
    name = Model.__name__
    case(f"{name}, not shifted", "labels-misaligned", lambda Model=Model: Model(causal=True),
         lambda: (lambda x: (x, x))(ids(8)), token_loss)
    case(f"{name}, shifted twice", "labels-misaligned", lambda Model=Model: Model(causal=True), text,
         lambda o, y: token_loss(o[:, :-1], y[:, 1:]), **TEXT)
    case(f"{name}, the token before", "labels-misaligned", lambda Model=Model: Model(causal=True),
         lambda: (lambda x: (x[:, 1:], x[:, :-1]))(ids(8)), token_loss, **TEXT)
    case(f"{name}, rows of others", "labels-misaligned", lambda Model=Model: Model(causal=True),
         lambda: (lambda x, y: (x, y.roll(1, 0)))(*text()), token_loss, **TEXT)
    case(f"{name}, logits viewed", "position-mixing", lambda Model=Model: Model(), tagged,
         lambda o, y: F.cross_entropy(o.view(16, CLASSES, 12), y), **TAGS)
    case(f"{name}, logits transposed", "labels-misaligned", lambda Model=Model: Model(), tagged,
         lambda o, y: token_loss(o.transpose(0, 1), y), **TAGS)
    case(f"{name}, padding counts", "padding-in-loss", lambda Model=Model: Model(causal=True),
         lambda: (lambda x: (x[:, :-1], x[:, 1:]))(padded(ids(8, 13), 13, 8)[0]), token_loss, **TEXT)
case("targets not shifted", "labels-misaligned", lambda: Recurrent2(), lambda: pairs(shifted=False), token_loss,
     task="sequence-to-sequence")
case("tags shifted", "labels-misaligned", lambda: Tokens(), lambda: tags(shift=1), token_loss, **TAGS)


@pytest.mark.parametrize("causes, model, batch, loss, arguments", CASES)
def test_a_bug_is_named_first(causes, model, batch, loss, arguments):
    torch.manual_seed(0)
    model, batch = model(), batch()
    if "optimizer" in arguments:
        arguments = {**arguments, "optimizer": arguments["optimizer"](model)}
    report = diagnose(model, batch, loss, checks=WITHOUT_TRAINING, **arguments)
    assert report.causes and report.causes[0] in causes, str(report)
    assert len(report) <= 2, str(report)


NEAR = [
    pytest.param(lambda: ChannelsLast(False), lambda: (torch.randn(16, 8, 8, 3), classes()), cross_entropy, {},
                 id="channels permuted"),
    pytest.param(lambda: Convolution(False), sentences, cross_entropy, {}, id="embedding transposed"),
    pytest.param(lambda: States(None), sentences, cross_entropy, {}, id="states transposed"),
    pytest.param(lambda: Pooling(1), sentences, cross_entropy, {}, id="attention pooling"),
    pytest.param(lambda: Masked(None), sentences_with_mask, cross_entropy, {}, id="padding masked"),
    pytest.param(lambda: BatchPositions(True, right=True), text, token_loss, TEXT, id="sines by position"),
    pytest.param(lambda: Seq2Seq(), lambda: pairs(), token_loss, dict(task="sequence-to-sequence"), id="sequence to "
                 "sequence"),
    pytest.param(lambda: frozen(0), tables, cross_entropy, {}, id="first layer frozen"),
    pytest.param(lambda: Teacher(), tables, cross_entropy, {}, id="frozen teacher hidden in a list"),
    pytest.param(lambda: Tokens(causal=True, outputs=CLASSES), tagged, token_loss, TAGS, id="causal tagger"),
    pytest.param(lambda: network(outputs=1), lambda: (numbers(), torch.randn(16, 1)), F.mse_loss, {},
                 id="equal shapes"),
    pytest.param(lambda: Tokens(), lambda: tags(), token_loss, TAGS,
                 id="tags in place"),
    pytest.param(lambda: Tokens(causal=True), lambda: without_padding(), token_loss, TEXT, id="padding ignored"),
    pytest.param(lambda: Tokens(causal=True, outputs=VOCABULARY), lambda: (lambda x: (x, x))(ids(8)),
                 lambda o, y: token_loss(o[:, :-1], y[:, 1:]), TEXT, id="shifted in the loss"),
    pytest.param(lambda: nn.Sequential(nn.BatchNorm2d(3), images()),
                 lambda: (torch.randint(0, 256, (16, 3, 8, 8)).float(), classes()),
                 cross_entropy, {}, id="pixels to 255 before a norm"),
    pytest.param(lambda: nn.Sequential(network(outputs=1), nn.Sigmoid()), lambda: (numbers(), torch.rand(16, 1)),
                 F.mse_loss, {},
                 id="sigmoid for targets between 0 and 1"),
]


@pytest.mark.parametrize("model, batch, loss, arguments", NEAR)
@pytest.mark.parametrize("seed", range(3))
def test_a_near_miss_stays_silent(model, batch, loss, arguments, seed):
    torch.manual_seed(seed)
    model = model()
    report = diagnose(model, batch(), loss, optimizer=torch.optim.SGD(model.parameters(), lr=1e-6),
                      checks=WITHOUT_TRAINING, **arguments)
    assert not report, str(report)


def test_the_first_loss_is_held_against_constant_outputs():
    torch.manual_seed(0)
    model, batch = network(), tables()
    assert not diagnose(model, batch, cross_entropy, checks=["initial loss"])
    nn.init.normal_(model[4].weight, std=20.0)
    report = diagnose(model, batch, cross_entropy, checks=["initial loss"])
    assert report.causes == ["activation-scale"] and "1.61" in report[0].seen    # log 5


# The overfit test

def test_softmax_in_the_loss_is_known_by_its_floor():
    torch.manual_seed(0)
    report = diagnose(network(), tables(), lambda o, y: F.cross_entropy(o.softmax(-1), y))
    assert report.causes == ["probabilities-for-logits"] and "0.9048" in report[0].seen    # log(e + 5 - 1) - 1


def test_a_model_that_is_too_small():
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, CLASSES))    # one unit for 16 points of a plane
    batch = torch.randn(16, 2), torch.randint(0, CLASSES, (16,))
    report = diagnose(model, batch, cross_entropy, steps=60, seconds=600)
    assert report.causes == ["capacity"]


def test_the_overfit_test_alone_misses_a_swapped_batch():
    """The chapter's point: the model with batch and length exchanged remembers its batch."""
    torch.manual_seed(0)
    batch = sentences()
    model = Tokens("batch and length swapped", pool=True)
    assert not diagnose(model, batch, cross_entropy, checks=["initial loss", "overfit"])
    assert diagnose(model, batch, cross_entropy, checks=["batch independence"]).causes == ["batch-mixing"]


def test_floor_of_contradicting_labels():
    """Two examples with one input and two labels: at best log 2 each."""
    from course_lib.diagnostics.overfit import floor
    from course_lib.diagnostics.probe import Probe
    x = torch.randn(4, 8)
    x[1] = x[0]
    assert floor(Probe(network().eval(), (x, torch.tensor([0, 1, 2, 3])),
                       cross_entropy)) == pytest.approx(2 * 0.693147 / 4, abs=1e-3)


# Models of single cases

class MadeInForward(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, 16)

    def forward(self, x):
        return nn.Linear(16, CLASSES)(F.relu(self.first(x)))


class TwoNames(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(8, 32), nn.Linear(32, 32), nn.Linear(32, CLASSES)
        self.third = self.second

    def forward(self, x):
        return self.head(F.relu(self.third(F.relu(self.second(F.relu(self.first(x)))))))


class BodyUnderNoGrad(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = network(outputs=16), nn.Linear(16, CLASSES)

    def forward(self, x):
        with torch.no_grad():
            x = self.body(x)
        return self.head(x)


class Teacher(nn.Module):
    """A teacher in a list, so that it is neither trained nor saved."""

    def __init__(self):
        super().__init__()
        self.student, self.teacher = network(), [network().requires_grad_(False)]

    def forward(self, x):
        return self.student(x) + 0.1 * self.teacher[0](x)


class States(nn.Module):
    def __init__(self, bug):
        super().__init__()
        self.bug, self.embedding, self.head = bug, nn.Embedding(VOCABULARY, 16), nn.Linear(32, CLASSES)
        self.lstm = nn.LSTM(16, 16, batch_first=True, bidirectional=True)

    def forward(self, tokens):
        states, (last, _) = self.lstm(self.embedding(tokens))
        if self.bug == "view":
            return self.head(last.view(len(tokens), -1))
        if self.bug == "last":
            return self.head(states[-1])
        return self.head(last.transpose(0, 1).reshape(len(tokens), -1))


class FirstState(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Recurrent(causal=True, outputs=CLASSES)

    def forward(self, tokens):
        return self.model(tokens)[:, 0]


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Recurrent(pool=True)

    def forward(self, tokens):
        return self.model(tokens[:, :4])


class BatchPositions(nn.Module):
    """Sines made for [length, batch, width], added to [batch, length, width]."""

    def __init__(self, causal, right=False):
        super().__init__()
        angles = torch.arange(64)[:, None] * torch.exp(-0.3 * torch.arange(0, 32, 2))
        self.register_buffer("sines", torch.stack([angles.sin(), angles.cos()], -1).reshape(64, 1, 32))
        self.embedding, self.head = nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY)
        self.causal, self.right = causal, right
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x + (self.sines[:x.size(1)].transpose(0, 1) if self.right else self.sines[:x.size(0)])
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1]) if self.causal else None
        if self.causal == "itself":
            mask = ~torch.eye(tokens.shape[1], dtype=torch.bool)
        return self.head(self.encoder(x, mask=mask))


class ChannelsLast(nn.Module):
    def __init__(self, view):
        super().__init__()
        self.view, self.convolution, self.head = view, nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, CLASSES)

    def forward(self, x):
        x = x.view(len(x), 3, 8, 8) if self.view else x.permute(0, 3, 1, 2)
        return self.head(F.relu(self.convolution(x)).mean((2, 3)))


class Convolution(nn.Module):
    def __init__(self, view):
        super().__init__()
        self.view, self.embedding = view, nn.Embedding(VOCABULARY, 16)
        self.convolution, self.head = nn.Conv1d(16, 32, 3, padding=1), nn.Linear(32, CLASSES)

    def forward(self, tokens):
        x = self.embedding(tokens)
        x = x.view(len(x), 16, -1) if self.view else x.transpose(1, 2)
        return self.head(F.relu(self.convolution(x)).amax(-1))


class Pooling(nn.Module):
    """Attention pooling, with the softmax over dimension `dim`: 1 are the positions."""

    def __init__(self, dim):
        super().__init__()
        self.dim, self.embedding, self.gru = dim, nn.Embedding(VOCABULARY, 32), nn.GRU(32, 32, batch_first=True)
        self.score, self.head = nn.Linear(32, 1), nn.Linear(32, CLASSES)

    def forward(self, tokens):
        x, _ = self.gru(self.embedding(tokens))
        return self.head((self.score(x).softmax(self.dim) * x).sum(1))


class NormOverPositions(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.norm = nn.Embedding(VOCABULARY, 32), nn.LayerNorm([12, 32])
        self.gru, self.head = nn.GRU(32, 32, batch_first=True), nn.Linear(32, VOCABULARY)

    def forward(self, tokens):
        return self.head(self.gru(self.norm(self.embedding(tokens)))[0])


class Masked(nn.Module):
    def __init__(self, bug):
        super().__init__()
        self.bug, self.embedding, self.positions = bug, nn.Embedding(VOCABULARY, 32, padding_idx=0), nn.Embedding(32,
                                                                                                                  32)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 1)
        self.head = nn.Linear(32, CLASSES)

    def forward(self, tokens, mask):
        x = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        given = None if self.bug == "not used" else mask.bool() if self.bug == "inverted" else ~mask.bool()
        x = self.encoder(x, src_key_padding_mask=given)
        return self.head((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))


class Seq2Seq(nn.Module):
    def __init__(self, bug=None):
        super().__init__()
        self.bug, self.embedding, self.positions = bug, nn.Embedding(VOCABULARY, 32), nn.Embedding(32, 32)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 1)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(32, 4, 64, batch_first=True), 1)
        self.head = nn.Linear(32, VOCABULARY)

    def forward(self, source, target):
        source, target = (self.embedding(x) + self.positions(torch.arange(x.shape[1])) for x in (source, target))
        mask = None if self.bug == "no mask" else nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        memory = self.encoder(source)
        return self.head(self.decoder(target, target if self.bug == "memory" else memory, tgt_mask=mask))


class Recurrent2(nn.Module):
    """A recurrent encoder-decoder."""

    def __init__(self, bug=None):
        super().__init__()
        self.bug, self.embedding, self.head = bug, nn.Embedding(VOCABULARY, 32), nn.Linear(32, VOCABULARY)
        self.encoder, self.decoder = nn.GRU(32, 32, batch_first=True), nn.GRU(32, 32, batch_first=True)

    def forward(self, source, target):
        _, state = self.encoder(self.embedding(source))
        return self.head(self.decoder(self.embedding(target), None if self.bug == "state" else state)[0])


def pairs(shifted=True):
    target = ids(8, 9)
    return (ids(8, 7), target[:, :-1]), target[:, 1:] if shifted else target[:, :-1]


def tags(shift=0):
    tokens = ids()
    return tokens, (tokens * 7 % 11 % CLASSES).roll(shift, 1)


def frozen(*places):
    model = network()
    for place in places:
        model[place].requires_grad_(False)
    return model


def filled(model, value, biases=False):
    for p in model.parameters():
        if p.dim() > 1 or biases:
            nn.init.constant_(p, value)
    return model


def spread(model, std):
    for p in model.parameters():
        if p.dim() > 1:
            nn.init.normal_(p, std=std)
    return model


def sigmoids(depth):
    layers = [layer for place in range(depth) for layer in (nn.Linear(32 if place else 8, 32), nn.Sigmoid())]
    return nn.Sequential(*layers, nn.Linear(32, CLASSES))


def with_target():
    x, y = numbers(), torch.randn(16)
    x[:, 3] = 2 * y + 1
    return x, y


def without_padding():
    tokens, mask = padded(ids(8, 13), 13, 8)
    return tokens[:, :-1], tokens[:, 1:].masked_fill(mask[:, 1:] == 0, -100)
