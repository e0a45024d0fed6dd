"""Programs that look sick and are not: a near miss for every check of the doctor.

Each is one of the zoo's programs as it stands, or with edits that are right. A doctor must be silent about all of
them; `looks_sick` says what a careless check would take for a bug. Built in chapter 4.
"""
from course_lib.diagnostics.zoo.cases import Case


def _healthy(name: str, program: str, family: str, looks_sick: str, *setting: tuple[str, str]) -> Case:
    return Case(name, program, family, "healthy", looks_sick=looks_sick, setting=setting)


# Edits that several cases make.
LM_ACCUMULATES = (
    ("loss.backward()\ntorch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\noptimizer.step()\nscheduler.step()\n"
     "optimizer.zero_grad()",
     "(loss / 4).backward()\nif step % 4 == 3:\n    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
     "    optimizer.step()\n    scheduler.step()\n    optimizer.zero_grad()"),)
FROZEN_BODY = ("model = TwoTasks(body)", "model = TwoTasks(body)\nmodel.body.requires_grad_(False)")
CLASSIFIER_BLOCKS = ("self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])",)

PLAIN = [
    _healthy("plain-classifier", "text_classifier", "transformer encoder",
             "Padding, and attention in both directions, which is no leak in a classifier."),
    _healthy("plain-gpt", "language_model", "causal transformer",
             "Weights of standard deviation 0.02, a warm-up, gradients that are clipped at nearly every step."),
    _healthy("plain-translator", "translator", "transformer encoder-decoder",
             "Three masks, an encoder that sees everything, a decoder that must not; padding ignored by the loss."),
    _healthy("plain-gru-translator", "gru_translator", "GRU encoder-decoder",
             "An encoder in both directions before a causal decoder."),
    _healthy("plain-tagger", "tagger", "LSTM",
             "Both directions, packed sequences, a padding row of the embedding that gets no gradient."),
    _healthy("plain-convnet", "image_classifier", "convolutional network",
             "Batch norm, so that in training an example's output depends on the others; dropout."),
    _healthy("plain-regressor", "regressor", "MLP",
             "Rows of the embedding that a batch does not touch; a learning rate that falls at plateaus."),
    _healthy("plain-matcher", "pair_matcher", "siamese network",
             "One encoder that is used twice, on purpose; pairs of equal texts."),
    _healthy("plain-reviews", "reviews", "GRU", "Packed sequences of very different lengths."),
    _healthy("plain-forecaster", "forecaster", "LSTM", "A target that is the input, moved by one."),
    _healthy("plain-conv-forecaster", "conv_forecaster", "causal convolution",
             "Zeros before the series, which are padding and no leak."),
    _healthy("plain-deep-mlp", "deep_mlp", "residual MLP", "Thirteen linear layers and plain SGD at 0.1."),
    _healthy("plain-two-tasks", "fine_tuning", "pretrained MLP with two heads",
             "Two outputs, two losses, two learning rates."),
    _healthy("plain-vision-transformer", "vision_transformer", "vision transformer",
             "A class token that starts at zero; a strong weight decay; nine of ten outputs unused."),
    _healthy("plain-autoencoder", "autoencoder", "autoencoder", "The target is the input."),
]

DATA = [
    _healthy("classifier-of-unbalanced-labels", "text_classifier", "transformer encoder",
             "Three labels in four are the same; a low loss says little.",
             ("ids, labels = data.messages(1000, generator)",
              "ids, labels = data.messages(2400, generator)\n"
              "kept = (labels == 0) | (torch.rand(2400, generator=generator) < 0.12)\n"
              "ids, labels = ids[kept], labels[kept]"),
             ("baseline=0.25, task=\"classification\", padding_mask=batch[0][1])",
              "baseline=0.74, task=\"classification\", padding_mask=batch[0][1])")),
    _healthy("convnet-of-noisy-labels", "image_classifier", "convolutional network",
             "One training label in five is drawn at random: the loss cannot reach 0.",
             ("images = prepare(images)",
              "images = prepare(images)\nnoisy = torch.rand(480, generator=generator) < 0.2\nnoisy[:160] = False\n"
              "labels[noisy] = torch.randint(5, (480,), generator=generator)[noisy]")),
    _healthy("classifier-of-contradicting-labels", "text_classifier", "transformer encoder",
             "One message in ten stands in the data twice, with different labels.",
             ("stream = batches(ids[200:], labels[200:], generator)",
              "ids = torch.cat([ids, ids[200:280]])\nlabels = torch.cat([labels, (labels[200:280] + 1) % 4])\n"
              "stream = batches(ids[200:], labels[200:], generator)")),
    _healthy("tagger-of-one-hot-words", "tagger", "LSTM",
             "Inputs that are nearly all 0, by a linear layer without a bias.",
             ("self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)",
              "self.embedding = nn.Linear(vocabulary, width, bias=False)"),
             ("x = self.embedding(words)", "x = self.embedding(F.one_hot(words, 32).float())")),
    _healthy("regressor-with-a-constant-feature", "regressor", "MLP",
             "A feature that is 1 for all examples: the old way of writing a bias.",
             ("return features, target", "return torch.cat([features, torch.ones(len(features), 1)], dim=1), target"),
             ("model = Regressor()", "model = Regressor(features=5)")),
    _healthy("regressor-of-raw-hires", "regressor", "MLP",
             "A loss of over a thousand: the target is in bicycles, and the output starts at their mean.",
             ("target = (hires - hires.mean()) / hires.std()", "target = hires"),
             ("model = Regressor()",
              "model = Regressor()\nnn.init.constant_(model.head.bias, target.mean().item())"),
             ("optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)",
              "optimizer = torch.optim.Adam(model.parameters(), lr=3e-2)")),
    _healthy("classifier-of-sorted-lengths", "text_classifier", "transformer encoder",
             "Batches of one length each, in order of length, and not shuffled within.",
             ("for chosen in torch.randperm(len(ids), generator=generator).split(16)[:-1]:",
              "order = (ids != data.PADDING).sum(dim=1).argsort(stable=True)\n"
              "for chosen in order.split(16)[:-1]:")),
    _healthy("masked-language-model", "language_model", "transformer encoder",
             "No causal mask, and most labels are ignored: it restores tokens that were masked.",
             ("x = F.scaled_dot_product_attention(q, k, v, is_causal=True)",
              "x = F.scaled_dot_product_attention(q, k, v)"),
             ("def __init__(self, vocabulary=24, width=32, heads=4, layers=2, dropout=0.1):",
              "def __init__(self, vocabulary=25, width=32, heads=4, layers=2, dropout=0.1):"),
             ("ids = stream[torch.randint(len(stream), (16,), generator=generator)]\nyield ids[:, :-1], ids[:, 1:]",
              "ids = stream[torch.randint(len(stream), (16,), generator=generator), 1:]\n"
              "yield hide(ids, generator)"),
             ("def batches(stream, generator):",
              "def hide(ids, generator):\n    hidden = torch.rand(ids.shape, generator=generator) < 0.2\n"
              "    return ids.masked_fill(hidden, 24), ids.masked_fill(~hidden, -100)\n\n\n"
              "def batches(stream, generator):"),
             ("return (guesses == targets).float().mean().item()",
              "return (guesses == targets)[targets != -100].float().mean().item()"),
             ("train=train, score=evaluate, batches=pairs, held_out=(stream[:100, :-1], stream[:100, 1:]),",
              "train=train, score=evaluate, batches=pairs, held_out=hide(stream[:100, 1:], generator),"),
             ("baseline=1 / 24, task=\"language-model\", causal=True)",
              "baseline=1 / 24, task=\"token-classification\", causal=False)")),
]

MODEL = [
    _healthy("gpt-tied", "language_model", "causal transformer",
             "Embedding and output layer share their weights.",
             ("self.head = nn.Linear(width, vocabulary, bias=False)",
              "self.head = nn.Linear(width, vocabulary, bias=False)\nself.head.weight = self.embed.weight")),
    _healthy("classifier-with-frozen-word-vectors", "text_classifier", "transformer encoder",
             "Embeddings without a gradient: pretrained vectors, words of a subject close together.",
             ("self.embed = nn.Embedding(vocabulary, width)",
              "self.embed = nn.Embedding.from_pretrained(word_vectors(vocabulary, width), freeze=True)"),
             ("class Classifier(nn.Module):",
              "def word_vectors(vocabulary, width):\n"
              "    \"\"\"As word2vec would give them: words that are used alike lie together.\"\"\"\n"
              "    generator = torch.Generator().manual_seed(6)\n"
              "    centres = torch.randn(7, width, generator=generator)\n"
              "    near = 0.5 * torch.randn(vocabulary, width, generator=generator)\n"
              "    vectors = centres[(torch.arange(vocabulary) + 5) // 6 % 7] + near\n"
              "    vectors[0] = 0\n    return vectors\n\n\nclass Classifier(nn.Module):")),
    _healthy("two-tasks-on-a-frozen-body", "fine_tuning", "pretrained MLP with two heads",
             "Half of the layers have no gradient: the pretrained body is frozen, and not in the optimiser.",
             FROZEN_BODY,
             ("{\"params\": model.body.parameters(), \"lr\": learning_rate / 10},", "")),
    _healthy("two-tasks-frozen-but-in-the-optimiser", "fine_tuning", "pretrained MLP with two heads",
             "The frozen body is in the optimiser, where it does no harm, and in evaluation mode all the time.",
             FROZEN_BODY, ("model.train()", "model.train()\nmodel.body.eval()")),
    _healthy("two-tasks-with-rare-loads", "fine_tuning", "pretrained MLP with two heads",
             "One batch in three has no loads, so that a head gets no gradient from it.",
             ("auxiliary = F.mse_loss(load, loads)\nreturn main + 2.0 * auxiliary",
              "if loads is None:\n    return main\nreturn main + 2.0 * F.mse_loss(load, loads)"),
             ("for rows in torch.randperm(len(readings), generator=generator).split(16)[:-1]:\n"
              "    yield readings[rows], (states[rows], loads[rows])",
              "for i, rows in enumerate(torch.randperm(len(readings), generator=generator).split(16)[:-1]):\n"
              "    yield readings[rows], (states[rows], loads[rows] if i % 3 else None)")),
    _healthy("convnet-with-high-dropout", "image_classifier", "convolutional network",
             "Dropout of 0.6: training loss far above the evaluation loss.",
             ("self.dropout = nn.Dropout(0.3)", "self.dropout = nn.Dropout(0.6)")),
    _healthy("classifier-post-norm", "text_classifier", "transformer encoder",
             "The norm comes after the sum, so that no path runs through unscaled.",
             ("x = x + self.dropout(self.attention(self.norm1(x), mask))\n"
              "return x + self.dropout(self.feed_forward(self.norm2(x)))",
              "x = self.norm1(x + self.dropout(self.attention(x, mask)))\n"
              "return self.norm2(x + self.dropout(self.feed_forward(x)))")),
    _healthy("classifier-with-a-zero-head", "text_classifier", "transformer encoder",
             "The last layer starts at 0: its rows are equal, all outputs are 0, nothing below gets a gradient "
             "at the first step.",
             ("self.head = nn.Linear(width, classes)",
              "self.head = nn.Linear(width, classes)\nnn.init.zeros_(self.head.weight)\n"
              "nn.init.zeros_(self.head.bias)")),
    _healthy("deep-mlp-with-layer-scale", "deep_mlp", "residual MLP",
             "Each branch is scaled by 0.001, and so are its gradients.",
             ("self.down = nn.Linear(2 * width, width)",
              "self.down = nn.Linear(2 * width, width)\nself.scale = nn.Parameter(torch.full((width,), 1e-3))"),
             ("return x + self.down(h)", "return x + self.scale * self.down(h)")),
    _healthy("deep-mlp-branches-from-zero", "deep_mlp", "residual MLP",
             "The last layer of each branch starts at 0: equal rows, and no gradient for the layer before.",
             ("self.down = nn.Linear(2 * width, width)",
              "self.down = nn.Linear(2 * width, width)\nnn.init.zeros_(self.down.weight)\n"
              "nn.init.zeros_(self.down.bias)")),
    _healthy("deep-mlp-orthogonal", "deep_mlp", "residual MLP",
             "Orthogonal weights, whose rows all have the same length.",
             ("self.head = nn.Linear(width, classes)",
              "self.head = nn.Linear(width, classes)\nfor module in self.modules():\n"
              "    if isinstance(module, nn.Linear):\n        nn.init.orthogonal_(module.weight)")),
    _healthy("regressor-with-some-dead-units", "regressor", "MLP",
             "About one unit in eight is 0 for every example of a batch.",
             ("nn.init.zeros_(module.bias)", "nn.init.normal_(module.bias, std=1.0)")),
    _healthy("classifier-with-shared-blocks", "text_classifier", "transformer encoder",
             "One block, called three times, as in ALBERT.",
             (*CLASSIFIER_BLOCKS, "self.block, self.layers = Block(width, heads, dropout), layers + 1"),
             ("for block in self.blocks:\n    x = block(x, mask)",
              "for _ in range(self.layers):\n    x = self.block(x, mask)")),
    _healthy("reviews-as-a-bag-of-words", "reviews", "bag of words",
             "The order of the words does not matter, and is not meant to.",
             ("self.gru = nn.GRU(width, hidden, batch_first=True, bidirectional=True)\n"
              "self.head = nn.Linear(2 * hidden, 2)", "self.head = nn.Linear(width, 2)"),
             ("packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)\n"
              "_, state = self.gru(packed)    # [2, batch, hidden]: the last state of either direction\n"
              "return self.head(torch.cat([state[0], state[1]], dim=-1))",
              "return self.head(self.embed(ids).sum(dim=1) / lengths[:, None])"),
             ("from torch.nn.utils.rnn import pack_padded_sequence", "")),
    _healthy("forecaster-augmented", "forecaster", "LSTM",
             "Noise is added to the inputs, in training only.",
             ("x, _ = self.lstm(x)",
              "if self.training:\n    x = x + 0.1 * torch.randn_like(x)\nx, _ = self.lstm(x)")),
    _healthy("classifier-with-sinusoidal-positions", "text_classifier", "transformer encoder",
             "Positions in a table without a gradient: sines, kept in a buffer.",
             ("self.position = nn.Embedding(length, width)",
              "angles = torch.arange(length)[:, None] / 10_000 ** (torch.arange(0, width, 2) / width)\n"
              "self.register_buffer(\"position\", torch.cat([angles.sin(), angles.cos()], dim=1))"),
             ("x = self.embed(ids) + self.position(torch.arange(ids.size(1)))",
              "x = self.embed(ids) + self.position[:ids.size(1)]")),
]

LOSS = [
    _healthy("convnet-with-label-smoothing", "image_classifier", "convolutional network",
             "The loss stops well above 0: smoothed labels have an entropy of their own.",
             ("return Setup(model=model, batch=tuple(next(iter(loader))), loss_fn=nn.CrossEntropyLoss(), "
              "optimizer=optimizer,",
              "return Setup(model=model, batch=tuple(next(iter(loader))), optimizer=optimizer,\n"
              "             loss_fn=nn.CrossEntropyLoss(label_smoothing=0.1),")),
    _healthy("convnet-with-class-weights", "image_classifier", "convolutional network",
             "The first loss is not ln 5: the classes weigh from 0.2 to 3.",
             ("return Setup(model=model, batch=tuple(next(iter(loader))), loss_fn=nn.CrossEntropyLoss(), "
              "optimizer=optimizer,",
              "return Setup(model=model, batch=tuple(next(iter(loader))), optimizer=optimizer,\n"
              "             loss_fn=nn.CrossEntropyLoss(weight=torch.tensor([0.2, 0.5, 1.0, 2.0, 3.0])),")),
    _healthy("classifier-log-softmax-and-cross-entropy", "text_classifier", "transformer encoder",
             "log_softmax before cross-entropy: done twice, but log_softmax of log_softmax changes nothing.",
             ("x = self.dropout(x)\nreturn self.head(x)",
              "x = self.dropout(x)\nreturn self.head(x).log_softmax(dim=-1)")),
    _healthy("convnet-nll-of-log-softmax", "image_classifier", "convolutional network",
             "Outputs that are all negative, and NLLLoss, which suits them.",
             ("return self.head(x)", "return F.log_softmax(self.head(x), dim=1)"),
             ("return Setup(model=model, batch=tuple(next(iter(loader))), loss_fn=nn.CrossEntropyLoss(), "
              "optimizer=optimizer,",
              "return Setup(model=model, batch=tuple(next(iter(loader))), loss_fn=nn.NLLLoss(), "
              "optimizer=optimizer,")),
    _healthy("two-tasks-of-unequal-weight", "fine_tuning", "pretrained MLP with two heads",
             "The second loss counts a hundredth, and its head's gradients are a hundredth.",
             ("return main + 2.0 * auxiliary", "return main + 0.01 * auxiliary")),
    _healthy("deep-mlp-summed-loss-at-a-scaled-rate", "deep_mlp", "residual MLP",
             "The loss is summed over the batch, and the learning rate is divided by it.",
             ("return F.cross_entropy(logits, states)", "return F.cross_entropy(logits, states, reduction=\"sum\")"),
             ("optimizer = torch.optim.SGD(model.parameters(), lr=0.1)",
              "optimizer = torch.optim.SGD(model.parameters(), lr=0.1 / 16)")),
    _healthy("matcher-contrastive", "pair_matcher", "siamese network",
             "The loss compares every text with every other of the batch, as CLIP's does; the model does not.",
             ("a = self.encoder(first)\nb = self.encoder(second)\n"
              "distance = ((a - b).square().sum(dim=-1) + 1e-6).sqrt()\nreturn self.scale * distance + self.bias",
              "return self.encoder(first), self.encoder(second)"),
             ("self.scale = nn.Parameter(torch.tensor(-3.0))\nself.bias = nn.Parameter(torch.tensor(1.0))", ""),
             ("def batches(first, second, same, generator):",
              "def contrastive_loss(outputs, targets):\n    a, b = outputs\n    logits = a @ b.T / a.size(1) ** 0.5\n"
              "    return nn.functional.cross_entropy(logits, targets)\n\n\n"
              "def batches(first, second, same, generator):"),
             ("first, second, same = data.sentence_twins(1500, generator)",
              "first, second, same = data.sentence_twins(3000, generator)\n"
              "first, second = first[same > 0], second[same > 0]\nsame = torch.ones(len(first))"),
             ("yield (first[rows], second[rows]), same[rows]", "yield (first[rows], second[rows]), torch.arange(16)"),
             ("right = 0", "right, total = 0, 0"),
             ("logits = setup.model(first[rows], second[rows])\n"
              "right += ((logits > 0) == (same[rows] > 0.5)).sum().item()",
              "a, b = setup.model(first[rows], second[rows])\n"
              "right += ((a @ b.T).argmax(dim=1) == torch.arange(20)).sum().item()\ntotal += 20"),
             ("return right / len(same)", "return right / total"),
             ("return Setup(model=model, batch=batch, loss_fn=nn.BCEWithLogitsLoss(), optimizer=optimizer, "
              "train=train,",
              "return Setup(model=model, batch=batch, loss_fn=contrastive_loss, optimizer=optimizer, train=train,"),
             ("score=evaluate, batches=stream, held_out=((first[:200], second[:200]), same[:200]), baseline=0.5,",
              "score=evaluate, batches=stream, held_out=((first[:200], second[:200]), same[:200]), baseline=0.05,\n"
              "output=lambda outputs: outputs[0],")),
]

LOOP = [
    _healthy("two-tasks-at-a-tiny-learning-rate", "fine_tuning", "pretrained MLP with two heads",
             "A learning rate of 0.0003, and a tenth of it for the body, as is usual in fine-tuning.",
             ("learning_rate = 5e-3", "learning_rate = 3e-4")),
    _healthy("gpt-warmed-up-from-zero", "language_model", "causal transformer",
             "The learning rate of the first step is 0, and that of the next ones is tiny.",
             ("lambda step: min((step + 1) / WARMUP, (STEPS - step) / STEPS))",
              "lambda step: min(step / WARMUP, (STEPS - step) / STEPS))")),
    _healthy("gpt-accumulating", "language_model", "causal transformer",
             "Gradients of four batches are added before a step, each divided by four.", *LM_ACCUMULATES),
    _healthy("gpt-weight-decay", "language_model", "causal transformer",
             "A weight decay of 0.3: parameter norms fall.",
             ("optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.01)",
              "optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.3)")),
    _healthy("convnet-one-cycle", "image_classifier", "convolutional network",
             "The scheduler is stepped after every batch, as OneCycleLR is meant to be.",
             ("scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)",
              "scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.05, total_steps=1000)"),
             ("optimizer.step()\nlosses.append(loss.item())",
              "optimizer.step()\nscheduler.step()\nlosses.append(loss.item())"),
             ("scheduler.step()\nevaluate(setup)", "evaluate(setup)")),
    _healthy("gpt-cosine", "language_model", "causal transformer",
             "A cosine to 0, stepped after every batch and as long as the training.",
             ("scheduler = torch.optim.lr_scheduler.LambdaLR(\n    optimizer,\n"
              "    lambda step: min((step + 1) / WARMUP, (STEPS - step) / STEPS))",
              "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)"),
             ("LENGTH, STEPS, WARMUP = 16, 2000, 10", "LENGTH, STEPS = 16, 2000")),
    _healthy("tagger-clipped-at-every-step", "tagger", "LSTM",
             "A gradient norm that is cut at every step, and a learning rate to suit.",
             ("torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)",
              "torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)"),
             ("optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)",
              "optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)")),
]

HEALTHY = PLAIN + DATA + MODEL + LOSS + LOOP
