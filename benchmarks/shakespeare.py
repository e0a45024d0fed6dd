"""Character-level tiny Shakespeare at nanoGPT's settings.

    python -m benchmarks.shakespeare --data input.txt [--setting cpu|gpu] [--positions learned rotary]
                                     [--seeds 0 1 2] [--results results]

--data: the text of Karpathy's char-rnn, data/tinyshakespeare/input.txt; the course holds no copy. The
settings are those of nanoGPT's README and config/train_shakespeare_char.py, which reports a best
validation loss of 1.88 on a CPU (from 20 random batches) and 1.4697 on an A100. Here the loss is of every
character of the validation split but the first, in windows of the context's length. On the CPU it is taken
after the last step; on the GPU, where training overfits, also on the way, and the lowest counts, as there.
nanoGPT's positions are learned; rotary ones are measured beside them. Writes
`<results>/shakespeare/<hardware>.json`; runs of an interrupted call are kept and not done again.
"""
import argparse
import statistics
from pathlib import Path

import torch
from torch.nn import functional as F

from benchmarks.over_seeds import Runs
from course_lib.benchmarking import benchmark
from course_lib.devices import Device, pick_device
from course_lib.results import Figure, record
from course_lib.training import History, language_model_loss, set_seed, train
from course_lib.transformer import Transformer, TransformerConfig

SETTINGS = {
    "cpu": dict(context=64, batch=12, layers=4, heads=4, width=128, dropout=0.0, steps=2000,
                validate_every=2000),
    "gpu": dict(context=256, batch=64, layers=6, heads=6, width=384, dropout=0.2, steps=5000,
                validate_every=250),
}
OPTIMISER = dict(learning_rate=1e-3, floor=1e-4, decay="cosine", warmup=100, weight_decay=0.1,
                 betas=(0.9, 0.99), clip=1.0)


def split(text: str) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Training and validation characters as ids, 90 % and 10 %, and the number of different ones."""
    characters = sorted(set(text))
    index = {character: i for i, character in enumerate(characters)}
    ids = torch.tensor([index[character] for character in text])
    return ids[:int(0.9 * len(ids))], ids[int(0.9 * len(ids)):], len(characters)


def crops(ids: torch.Tensor, batch: int, context: int, generator: torch.Generator):
    """Endless batches of random crops, [batch, context + 1], on the device of `ids`."""
    while True:
        starts = torch.randint(len(ids) - context, (batch, 1), generator=generator).to(ids.device)
        yield ids[starts + torch.arange(context + 1, device=ids.device)]


def whole_loss(model: Transformer, ids: torch.Tensor, context: int) -> float:
    """Mean nats a character over all of `ids` but the first, each window predicted from itself only."""
    windows = len(ids) // context * context
    windows -= context * (windows == len(ids))    # the last character of a window is in the next one
    # [2, rows, context]
    rows = torch.stack([ids[:windows], ids[1:windows + 1]]).unflatten(1, (-1, context))
    pieces = [*zip(*(part.split(64) for part in rows)), (ids[None, windows:-1], ids[None, windows + 1:])]
    total = sum(F.cross_entropy(model(inputs).logits.flatten(0, 1).float(), labels.flatten(), reduction="sum")
                for inputs, labels in pieces if inputs.numel())
    return float(total) / (len(ids) - 1)


def run(text: str, setting: dict, positions: str, seed: int, device: Device) -> History:
    """One training run; `validation` of its history is over the whole validation split."""
    training, validation, vocabulary = split(text)
    training, validation = training.to(device.device), validation.to(device.device)
    set_seed(seed)
    sizes = {name: setting[name] for name in ("context", "layers", "heads", "width", "dropout")}
    model = Transformer(TransformerConfig(vocabulary=vocabulary, positions=positions, bias=False, **sizes))
    model.to(device.device)
    batches = crops(training, setting["batch"], setting["context"], torch.Generator().manual_seed(seed))
    return train(model, batches, language_model_loss, steps=setting["steps"], **OPTIMISER,
                 validate=lambda: whole_loss(model, validation, setting["context"]),
                 validate_every=setting["validate_every"],
                 dtype=torch.bfloat16 if device.bf16 else torch.float32)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the text file")
    parser.add_argument("--setting", choices=SETTINGS, help="default: gpu on a GPU, else cpu")
    parser.add_argument("--positions", choices=["learned", "rotary"], nargs="+", default=["learned", "rotary"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    if not options.data.is_file():
        raise SystemExit(f"{options.data}: no such file")
    text = options.data.read_text(encoding="utf-8")
    device = pick_device(options.device)
    name = options.setting or ("cpu" if device.device.type == "cpu" else "gpu")
    setting = SETTINGS[name]

    runs, figures = Runs(options.results, "shakespeare"), {}
    with benchmark.set_torch_threads(options.threads):
        for positions in options.positions:
            def measure(seed: int) -> dict:
                history = run(text, setting, positions, seed, device)
                print(f"{positions}, seed {seed}: {history.best[1]:.4f} at step {history.best[0]}, "
                      f"{history.seconds:.0f} s", flush=True)
                return {"validation-loss": history.best[1], "time": history.seconds}

            found = [runs.get({**setting, "characters": len(text), "positions": positions, "seed": seed},
                              lambda: measure(seed)) for seed in options.seeds]
            for what, unit in (("validation-loss", "nats/character"), ("time", "s")):
                values = [result[what] for result in found]
                figures[f"{name}-setting-{positions}-{what}"] = Figure(
                    statistics.median(values), min(values), max(values), unit, len(values), "range")
    path = record(
        "shakespeare", figures, device=device, folder=options.results,
        what="Loss on the whole validation split of character-level tiny Shakespeare at nanoGPT's settings, "
             "and the time of a run, validation included.",
        settings={**setting, **OPTIMISER, "positions": options.positions, "seeds": options.seeds,
                  "threads": options.threads, "characters": len(text),
                  "dtype": "bfloat16" if device.bf16 else "float32"})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
