"""What a mask and a pretraining task do: small stacks on stories whose exact entropy is known.

    python -m benchmarks.pretraining_tasks [--seeds 0 1 2] [--results results] [--quick]

For each seed, three stacks of one size are pretrained on the same batches of the same stories for as many
steps: "causal" (next words behind GPT's mask), "unmasked" (next words without a mask) and "masked" (BERT's
task: 15 % of the words chosen; of these 80 % hidden, 10 % replaced, 10 % left; no mask). "random" is the
unmasked stack before any step. An encoder-decoder is pretrained for as many steps to restore the story from
one with words hidden so.

Another causal stack is trained three times as long, on the same stories, and writes: a story is right only if
all of its 57 tokens, on average, are, so that a gap of 0.03 nats a token, which is small, spoils most of them.
(Decided after the first run, in which .095 of the stories were right and new; the figure of the shorter
training is reported beside the claim's.)

The probe on understanding, written down before any run. A story of loss or of hunger names a thing: what was
lost, or the food. The question is whether she or he it is about, and whether it ends well (found again, or
shared) or badly (gone, or taken without asking): four answers. She or he stands to the left of that word and
the end to its right, so that a reader needs both sides. A linear classifier reads the frozen outputs of all
blocks side by side, so that no model suffers from what its last block was trained to predict, at that word of
the unhidden story; it is tuned on stories of their own and judged on others. Beside it, reported but not the
claim's figure:

- left: the same states; which animal it is about, five answers. The left side tells.
- last: the first question, states of the story's last mark: here the causal model, too, has read everything.
- mean: the first question, mean of the states of all tokens.

The first run (one seed, 800 steps) showed that the random stack answers it at .998: single words give the end
away, and random attention passes them on. The probe measures what a state can have seen, not what training
taught. So a second question was added, and decides no claim: does the story contradict itself? In half of the
stories another word of its kind stands wherever the thing is named again. No single word tells; the first
mention and a later one have to be compared.

- contradiction-first: states of the first mention, with the other one to the right.
- contradiction-again: states of the next mention, with the first one to the left.
- contradiction-last, contradiction-mean: as above.

In text: the encoder-decoder is tuned on 100 labelled stories (with 500, both answered all of the first run's
right) to write the answer in two words of the stories ("she happy", "he sad"), greedily, right if it wrote
exactly these; the masked stack, on the same stories for as many steps, to answer through a linear layer on the
mean of its last hidden states. All weights are tuned.

Differences are paired by seed; intervals are 95 % t-intervals over seeds. Writes
`<results>/pretraining_tasks/<hardware>.json`; figures that decide a claim bear its id. Thinned loss curves
are in `settings`. About 9 minutes a seed on one thread; finished seeds are kept if it is interrupted.
"""
import argparse
import copy
import random
import statistics
from collections import Counter
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.over_seeds import Runs, t_interval
from course_lib.benchmarking import benchmark
from course_lib.data.stories import AGREEMENT, RULES, Grammar, load_stories
from course_lib.generation import generate
from course_lib.results import Figure, record
from course_lib.tokenization import Tokenizer, train_words
from course_lib.training import (IGNORED, History, cross_entropy, evaluating, language_model_loss, pad,
                                 seq2seq_loss, set_seed, train)
from course_lib.transformer import Transformer, TransformerConfig

SIZES = dict(width=96, heads=4, layers=2, stories=3000, held_out=500, batch=16, steps=1600, written=200,
             probe_train=1500, probe_test=1000, tuning_pairs=100, tuning_steps=200)
QUICK = SIZES | dict(width=16, heads=2, stories=60, held_out=10, batch=4, steps=6, written=3, probe_train=20,
                     probe_test=20, tuning_pairs=8, tuning_steps=3)
OPTIMISER = dict(learning_rate=3e-3, warmup=100, decay="cosine", weight_decay=0.01, clip=1.0)
TUNING = OPTIMISER | dict(learning_rate=5e-4, warmup=20)
WRITING_STEPS = 4800
HIDDEN_SHARE = 0.15
POINTS = 40    # of a loss curve
LABELS = ("she happy", "she sad", "he happy", "he sad")
TASKS = ("causal", "unmasked", "masked", "random")
#: By name: where the states are read, which answer is asked for, and whether of stories made to contradict.
PROBES = {"understanding": ("place", "answer", False), "left": ("place", "animal", False),
          "last": ("last", "answer", False), "mean": ("mean", "answer", False),
          "contradiction-first": ("place", "true", True), "contradiction-again": ("again", "true", True),
          "contradiction-last": ("last", "true", True), "contradiction-mean": ("mean", "true", True)}


# Stories and questions

def words_of(symbol: str) -> set[str]:
    """The words that a symbol of the story grammar can be."""
    rule = RULES[symbol]
    return {word.strip() for word in (rule.split("|") if isinstance(rule, str) else rule)}


def question(text: str) -> dict | None:
    """Of a story that names a thing: place and again, the indices of its first two mentions among the tokens;
    answer, an index in LABELS; animal."""
    tokens = Grammar.tokens(text)
    place = next((i for i, token in enumerate(tokens) if token in words_of("THING") | words_of("FOOD")), None)
    if place is None:
        return None
    hero = next(token for token in tokens if token in words_of("HERO"))
    mood = "happy" if {"found", "shared"} & set(tokens) else "sad"
    animals = sorted(words_of("ANIMAL"))
    return {"text": text, "place": place, "again": tokens.index(tokens[place], place + 1),
            "answer": LABELS.index(f"{AGREEMENT['she'][hero]} {mood}"),
            "animal": next(animals.index(token) for token in tokens if token in animals)}


def contradict(asked: list[dict], seed: int) -> list[dict]:
    """The same stories, with true: 1 for one left as it is, 0 for one whose thing becomes another later on."""
    rng, found = random.Random(seed), []
    for one in asked:
        tokens, true = Grammar.tokens(one["text"]), rng.randrange(2)
        kind = words_of("THING") if tokens[one["place"]] in words_of("THING") else words_of("FOOD")
        other = rng.choice(sorted(kind - {tokens[one["place"]]}))
        tokens = [other if not true and i > one["place"] and token == tokens[one["place"]] else token
                  for i, token in enumerate(tokens)]
        found.append(one | {"text": Grammar.text(tokens), "true": true})
    return found


def make_tokenizer(grammar: Grammar) -> Tokenizer:
    """Words of the grammar, a story between <s> and </s>."""
    return train_words([" ".join(grammar.vocabulary())], template="<s> $A </s>")


def batches(rows: list, size: int, seed: int):
    """Endless random batches of `rows`, as lists; the same seed gives the same."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        for chosen in torch.randperm(len(rows), generator=generator).split(size):
            if len(chosen) == size:
                yield [rows[i] for i in chosen.tolist()]


# Pretraining

def hide(ids: Tensor, mask: Tensor, tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """BERT's task (Devlin et al. 2019, section 3.1): ids with words hidden, and labels of the chosen ones.

    ids, mask: [batch, length]. Special tokens are neither chosen nor put in a word's place.
    """
    first = len(tokenizer.special)
    chosen = mask & (ids >= first) & (torch.rand(ids.shape) < HIDDEN_SHARE)
    fate = torch.rand(ids.shape)
    hidden = torch.where(chosen & (fate < 0.8), tokenizer.id("<mask>"), ids)
    other = torch.randint(first, len(tokenizer), ids.shape)
    return torch.where(chosen & (fate >= 0.9), other, hidden), ids.masked_fill(~chosen, IGNORED)


def new_model(tokenizer: Tokenizer, sizes: dict, encoder_layers: int, decoder_layers: int) -> Transformer:
    """A model with random weights."""
    return Transformer(TransformerConfig(
        vocabulary=len(tokenizer), width=sizes["width"], heads=sizes["heads"], encoder_layers=encoder_layers,
        decoder_layers=decoder_layers, context=80, positions="rotary", eos_token_id=tokenizer.id("</s>"),
        pad_token_id=tokenizer.pad_id, decoder_start_token_id=tokenizer.id("<s>")))


def pretrain(task: str, rows: list[list[int]], tokenizer: Tokenizer, sizes: dict, seed: int,
             steps: int | None = None) -> tuple[Transformer, History]:
    """A model pretrained on stories (lists of ids) by "causal", "unmasked", "masked" or "restored".

    steps: default, that of `sizes`.
    """
    set_seed(seed)
    encoder, decoder = task != "causal", task in ("causal", "restored")
    model = new_model(tokenizer, sizes, sizes["layers"] * encoder, sizes["layers"] * decoder)

    def loss_of(model, batch):
        ids, mask = pad(batch, tokenizer.pad_id)
        if task in ("causal", "unmasked"):
            return language_model_loss(model, ids, mask)
        hidden, labels = hide(ids, mask, tokenizer)
        if task == "masked":
            return cross_entropy(model(hidden, padding_mask=mask).logits, labels)
        return seq2seq_loss(model, hidden, mask, ids, mask)

    history = train(model, batches(rows, sizes["batch"], seed), loss_of, steps=steps or sizes["steps"],
                    progress=False, **OPTIMISER)
    return model.eval(), history


# What became of it

def held_out_loss(model: Transformer, rows: list[list[int]], tokenizer: Tokenizer) -> float:
    """Nats a token of next-word prediction, all tokens of all rows counted alike."""
    total = count = 0
    with evaluating(model):
        for start in range(0, len(rows), 100):
            ids, mask = pad(rows[start:start + 100], tokenizer.pad_id)
            tokens = int(mask[:, 1:].sum())
            total += float(language_model_loss(model, ids, mask)) * tokens
            count += tokens
    return total / count


def prefix_loss(model: Transformer, rows: list[list[int]], tokenizer: Tokenizer) -> float:
    """Nats a token where the model is shown the tokens before it alone, as when it writes."""
    losses = []
    with evaluating(model):
        for row in rows:
            ids, mask = pad([row[:end] for end in range(1, len(row))], tokenizer.pad_id)
            last = model(ids, padding_mask=mask).logits[torch.arange(len(ids)), mask.sum(1) - 1]
            losses.append(F.cross_entropy(last, torch.tensor(row[1:]), reduction="none"))
    return float(torch.cat(losses).mean())


def unigram_loss(train_rows: list[list[int]], rows: list[list[int]], vocabulary: int) -> float:
    """Nats a token under the frequencies of the training stories, one added to each count."""
    counts = Counter(token for row in train_rows for token in row[1:])
    frequencies = torch.tensor([counts[token] + 1.0 for token in range(vocabulary)])
    logs = (frequencies / frequencies.sum()).log()
    return -float(logs[torch.tensor([token for row in rows for token in row[1:]])].mean())


def write(model: Transformer, tokenizer: Tokenizer, count: int, seed: int) -> list[str]:
    """Stories sampled from the model's own distribution, from <s> alone."""
    prompts = torch.full((count, 1), tokenizer.id("<s>"))
    written = generate(model, prompts, max_new_tokens=78, do_sample=True,
                       generator=torch.Generator().manual_seed(seed))
    return [Grammar.text([tokenizer.decode([token]) for token in row if token != tokenizer.id("</s>")])
            if reason == "eos" else "" for row, reason in zip(written.new_tokens, written.reasons)]


def share_new(stories: list[str], grammar: Grammar, seen: set[str]) -> float:
    """Share of stories that the grammar accepts and that are not among those seen."""
    return statistics.fmean(bool(story) and grammar.accepts(story) and story not in seen for story in stories)


def states(model: Transformer, asked: list[dict], tokenizer: Tokenizer) -> dict[str, Tensor]:
    """Outputs of all blocks side by side, [stories, blocks * width], at each place that a probe reads."""
    found, outputs = {"place": [], "again": [], "last": [], "mean": []}, []
    hooks = [block.register_forward_hook(lambda module, inputs, output: outputs.append(output[0]))
             for block in (model.decoder or model.encoder).blocks]
    with evaluating(model):
        for start in range(0, len(asked), 100):
            part = asked[start:start + 100]
            ids, mask = tokenizer.batch([one["text"] for one in part])
            outputs.clear()
            model(ids, padding_mask=mask)
            x, rows = torch.cat(outputs, -1), torch.arange(len(part))
            for name in ("place", "again"):
                found[name].append(x[rows, torch.tensor([one[name] + 1 for one in part])])   # after <s>
            found["last"].append(x[rows, mask.sum(1) - 2])   # before </s>, which no model learned to read
            found["mean"].append((x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(parts) for name, parts in found.items()}


def probe(train_states: Tensor, train_answers: Tensor, test_states: Tensor, test_answers: Tensor) -> float:
    """Accuracy of a linear classifier: logistic regression on standardised states, penalty 1e-3."""
    mean, deviation = train_states.mean(0), train_states.std(0).clamp(min=1e-6)
    x, test_x = (train_states - mean) / deviation, (test_states - mean) / deviation
    weight = torch.zeros(x.shape[1], int(train_answers.max()) + 1, requires_grad=True)
    bias = torch.zeros(weight.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(x @ weight + bias, train_answers) + 1e-3 * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(((test_x @ weight + bias).argmax(1) == test_answers).float().mean())


def probes(model: Transformer, train_part: list[dict], test_part: list[dict], tokenizer: Tokenizer, seed: int
           ) -> dict[str, float]:
    """Accuracy of each of PROBES."""
    parts = {False: (train_part, test_part), True: (contradict(train_part, seed), contradict(test_part, seed + 1))}
    read = {altered: [states(model, part, tokenizer) for part in both] for altered, both in parts.items()}
    found = {}
    for name, (place, what, altered) in PROBES.items():
        answers, test_answers = (torch.tensor([one[what] for one in part]) for part in parts[altered])
        x, test_x = (part[place] for part in read[altered])
        found[name] = probe(x, answers, test_x, test_answers)
    return found


# Answers in text

def classify(encoder: Transformer, pairs: list[dict], test: list[dict], tokenizer: Tokenizer, sizes: dict,
             seed: int) -> float:
    """Accuracy of an encoder and a linear layer, both tuned on `pairs`."""
    set_seed(seed)
    model = nn.ModuleDict({"encoder": copy.deepcopy(encoder), "head": nn.Linear(sizes["width"], len(LABELS))})

    def scores(asked):
        ids, mask = tokenizer.batch([one["text"] for one in asked])
        hidden = model["encoder"](ids, padding_mask=mask).hidden * mask[..., None]
        return model["head"](hidden.sum(1) / mask.sum(1, keepdim=True))

    train(model, batches(pairs, sizes["batch"], seed), steps=sizes["tuning_steps"], progress=False,
          loss_of=lambda _, asked: cross_entropy(scores(asked), torch.tensor([one["answer"] for one in asked])),
          **TUNING)
    with evaluating(model):
        return statistics.fmean(guess == one["answer"]
                                for guess, one in zip(scores(test).argmax(1).tolist(), test))


def answer_in_text(pretrained: Transformer, pairs: list[dict], test: list[dict], tokenizer: Tokenizer,
                   sizes: dict, seed: int) -> float:
    """Accuracy of an encoder-decoder tuned on `pairs` to write the answer."""
    set_seed(seed)
    model = copy.deepcopy(pretrained)

    def loss_of(model, asked):
        source, target = ([one[what] for one in asked] for what in ("text", "answer"))
        return seq2seq_loss(model, *tokenizer.batch(source), *tokenizer.batch([LABELS[i] for i in target]))

    train(model, batches(pairs, sizes["batch"], seed), loss_of, steps=sizes["tuning_steps"], progress=False,
          **TUNING)
    ids, mask = tokenizer.batch([one["text"] for one in test])
    written = generate(model, ids, padding_mask=mask, max_new_tokens=4).new_tokens
    return statistics.fmean(tokenizer.decode(row, skip_special=True) == LABELS[one["answer"]]
                            for row, one in zip(written, test))


# A seed, and all of them

def run(sizes: dict, seed: int) -> dict:
    """All measurements of one seed, plain JSON."""
    stories = load_stories(sizes["stories"], sizes["held_out"], seed=seed)
    grammar, tokenizer = stories.grammar, make_tokenizer(stories.grammar)
    rows, held_out = ([tokenizer.encode(text) for text in part["text"]]
                      for part in (stories.train, stories.test))
    wanted = sizes["probe_train"] + sizes["probe_test"]
    asked = list(islice(filter(None, map(question, grammar.sample(f"questions {seed}"))), wanted))
    train_part, test_part = asked[:sizes["probe_train"]], asked[sizes["probe_train"]:]

    models, histories = {}, {}
    for task in ("causal", "unmasked", "masked", "restored"):
        models[task], histories[task] = pretrain(task, rows, tokenizer, sizes, seed)
        print(f"seed {seed}, {task}: {histories[task].losses[-1]:.3f}, {histories[task].seconds:.0f} s", flush=True)
    set_seed(seed)
    models["random"] = new_model(tokenizer, sizes, sizes["layers"], 0).eval()

    exact = -statistics.fmean(value for text in stories.test["text"] for value in grammar.log_probabilities(text))
    thin = max(1, sizes["steps"] // POINTS)
    written = write(models["causal"], tokenizer, sizes["written"], seed)
    found = {
        "entropy": grammar.entropy_per_token, "exact": exact,
        "unigram": unigram_loss(rows, held_out, len(tokenizer)),
        "held_out": {task: held_out_loss(models[task], held_out, tokenizer) for task in ("causal", "unmasked")},
        "from_prefixes": prefix_loss(models["unmasked"], held_out[:100], tokenizer),
        "last_steps": {task: statistics.fmean(histories[task].losses[-100:]) for task in histories},
        "written": share_new(written, grammar, set(stories.train["text"])),
        "probes": {task: probes(models[task], train_part, test_part, tokenizer, seed) for task in TASKS},
        "best_from_left": statistics.fmean(LABELS[one["answer"]].endswith("happy") for one in test_part),
        "head": classify(models["masked"], train_part[:sizes["tuning_pairs"]], test_part, tokenizer, sizes, seed),
        "in_text": answer_in_text(models["restored"], train_part[:sizes["tuning_pairs"]], test_part, tokenizer,
                                  sizes, seed),
        "curves": {task: [statistics.fmean(history.losses[i:i + thin])
                          for i in range(0, len(history.losses), thin)] for task, history in histories.items()},
        "seconds": {task: history.seconds for task, history in histories.items()},
    }
    print(f"seed {seed}: {({k: v for k, v in found.items() if k != 'curves'})}", flush=True)
    return found


def run_writer(sizes: dict, steps: int, seed: int) -> dict:
    """A causal stack trained for `steps`: its held-out loss and the share of right and new stories of its own."""
    stories = load_stories(sizes["stories"], sizes["held_out"], seed=seed)
    tokenizer = make_tokenizer(stories.grammar)
    model, history = pretrain("causal", [tokenizer.encode(text) for text in stories.train["text"]], tokenizer,
                              sizes, seed, steps)
    written = write(model, tokenizer, sizes["written"], seed)
    found = {"held_out": held_out_loss(model, [tokenizer.encode(text) for text in stories.test["text"]], tokenizer),
             "written": share_new(written, stories.grammar, set(stories.train["text"])),
             "accepted": share_new(written, stories.grammar, set()), "seconds": history.seconds}
    print(f"seed {seed}, {steps} steps: {found}", flush=True)
    return found


def figures_of(found: list[dict]) -> dict[str, Figure]:
    """Figures over seeds; differences and shares are formed within a seed first."""
    def over(value, unit: str) -> Figure:
        return t_interval([value(one) for one in found], unit)

    nats, share = "nats/token", "share"
    figures = {
        "mask-needed-to-learn": over(lambda one: one["last_steps"]["unmasked"] - one["entropy"], nats),
        "next-token-training": over(lambda one: (one["held_out"]["causal"] - one["entropy"])
                                    / (one["unigram"] - one["entropy"]), share),
        "autoregressive-generation": over(lambda one: one["writer"]["written"], share),
        "writer-accepted": over(lambda one: one["writer"]["accepted"], share),
        "writer-held-out-loss": over(lambda one: one["writer"]["held_out"], nats),
        "causal-stories-right-and-new": over(lambda one: one["written"], share),
        "gpt-weak-at-understanding": over(
            lambda one: one["probes"]["masked"]["understanding"] - one["probes"]["causal"]["understanding"], share),
        "bert-task-pulls": over(
            lambda one: one["probes"]["masked"]["understanding"] - one["probes"]["unmasked"]["understanding"],
            share),
        "text-to-text-in-small": over(lambda one: one["in_text"] - one["head"], share),
        "accuracy-in-text": over(lambda one: one["in_text"], share),
        "accuracy-of-a-head": over(lambda one: one["head"], share),
        "entropy": over(lambda one: one["entropy"], nats),
        "causal-held-out-loss": over(lambda one: one["held_out"]["causal"], nats),
        "causal-gap-on-the-same-stories": over(lambda one: one["held_out"]["causal"] - one["exact"], nats),
        "unigram-held-out-loss": over(lambda one: one["unigram"], nats),
        "unmasked-held-out-loss": over(lambda one: one["held_out"]["unmasked"], nats),
        "unmasked-loss-from-prefixes": over(lambda one: one["from_prefixes"], nats),
        "understanding-best-from-the-left": over(lambda one: one["best_from_left"], share),
    }
    for name in PROBES:
        for task in TASKS:
            figures[f"probe-{name}-{task}"] = over(lambda one: one["probes"][task][name], share)
        figures[f"probe-{name}-masked-minus-causal"] = over(
            lambda one: one["probes"]["masked"][name] - one["probes"]["causal"][name], share)
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--quick", action="store_true", help="a few steps, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    sizes, writing_steps = (QUICK, 8) if options.quick else (SIZES, WRITING_STEPS)
    runs = Runs(options.results, "pretraining_tasks")
    with benchmark.set_torch_threads(options.threads):
        found = [runs.get(sizes | OPTIMISER | {"seed": seed}, lambda: run(sizes, seed))
                 | {"writer": runs.get(sizes | OPTIMISER | {"seed": seed, "writing_steps": writing_steps},
                                       lambda: run_writer(sizes, writing_steps, seed))} for seed in options.seeds]
    curves = {task: [round(statistics.fmean(values), 4) for values in zip(*(one["curves"][task] for one in found))]
              for task in found[0]["curves"]}
    path = record(
        "pretraining_tasks", figures_of(found), folder=options.results, device="cpu",
        what="Losses, sampled stories and linear probes of small stacks pretrained on next words behind a mask, "
             "next words without one, and masked words; a question answered by a head and in text.",
        settings={**sizes, **OPTIMISER, "tuning": TUNING, "writing_steps": writing_steps,
                  "hidden_share": HIDDEN_SHARE, "seeds": options.seeds, "threads": options.threads,
                  "curves": curves, "curve_steps": max(1, sizes["steps"] // POINTS)})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
