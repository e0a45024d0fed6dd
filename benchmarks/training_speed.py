"""Training steps of the course's Transformer against transformers' GPT-2.

    python -m benchmarks.training_speed [--results results] [--device auto]

All have 4 layers of width 256 and a vocabulary of 2000, start from the same weights, see the same random
tokens and use the same optimiser; a step is forward, loss, backward, clipping and AdamW. transformers runs
with its fused attention ("sdpa"). Ours is timed twice: with GPT-2's GELU, which approximates by tanh, so
that both compute the same function (the losses of three steps are held equal first), and with the exact
GELU, which is our default and nanoGPT's, and cheaper on a CPU. Rounds are interleaved. On a GPU that can,
all run in bfloat16 autocast. Writes `<results>/training_speed/<hardware>.json`.
"""
import argparse
import tempfile
from dataclasses import replace

import torch

from course_lib.benchmarking import Comparison, compare
from course_lib.devices import Device, pick_device
from course_lib.pretrained import from_pretrained
from course_lib.results import Figure, record
from course_lib.training import cross_entropy, make_optimizer
from course_lib.transformer import Transformer

SIZES = {"layers": 4, "width": 256, "heads": 4, "vocabulary": 2000}


def make_models(context: int, device: torch.device) -> dict[str, torch.nn.Module]:
    """transformers' GPT-2 and ours, twice, with the same weights and without dropout."""
    import transformers

    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        n_layer=SIZES["layers"], n_embd=SIZES["width"], n_head=SIZES["heads"], vocab_size=SIZES["vocabulary"],
        n_positions=context, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0, bos_token_id=None, eos_token_id=None,
        attn_implementation="sdpa"))
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = from_pretrained(folder)
    exact = Transformer(replace(ours.config, activation="gelu"))
    exact.load_state_dict(ours.state_dict())
    models = {"transformers": theirs, "course_lib-tanh-gelu": ours, "course_lib": exact}
    return {name: model.to(device).train() for name, model in models.items()}


def make_step(model, batches: list[torch.Tensor], device: Device):
    """A function that takes one training step on the next batch and returns its loss."""
    optimizer, turn = make_optimizer(model, 3e-4), iter(range(10**9))

    def step() -> torch.Tensor:
        ids = batches[next(turn) % len(batches)]
        with torch.autocast(device.device.type, torch.bfloat16, enabled=device.bf16):
            loss = cross_entropy(model(ids[:, :-1]).logits, ids[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach()
    return step


def measure(device: Device, batch: int, length: int, repeats: int, threads: int) -> Comparison:
    """Seconds a step of each."""
    generator = torch.Generator().manual_seed(0)
    batches = [torch.randint(SIZES["vocabulary"], (batch, length + 1), generator=generator).to(device.device)
               for _ in range(8)]
    steps = {name: make_step(model, batches, device)
             for name, model in make_models(length, device.device).items()}
    for number in range(3):
        theirs, ours = float(steps["transformers"]()), float(steps["course_lib-tanh-gelu"]())
        if abs(theirs - ours) > (0.02 if device.bf16 else 1e-4):
            raise SystemExit(f"step {number}: the losses differ, {theirs} and {ours}: not the same work")
    return compare(steps, repeats=repeats, threads=threads, device=device, progress=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    options = parser.parse_args(arguments)

    device = pick_device(options.device)
    timed = measure(device, options.batch, options.length, options.repeats, options.threads)
    print(timed)
    figures: dict[str, Figure] = {}
    for name in timed.seconds:
        figures[f"{name}-tokens"] = timed.rate(name, options.batch * options.length, "tokens/s")
        if name != "transformers":    # the ratio of times the other way round is that of speeds
            figures[f"{name}-over-transformers"] = replace(timed.ratio("transformers", to=name), unit="x")
            print(name, figures[f"{name}-over-transformers"])
    path = record(
        "training_speed", figures, device=device, folder=options.results,
        what="Tokens a second in training steps of a small GPT-2, and how many times as fast as "
             "transformers' with fused attention: same weights, data and optimiser.",
        settings=SIZES | {"batch": options.batch, "length": options.length, "repeats": options.repeats,
                          "threads": options.threads, "dtype": "bfloat16" if device.bf16 else "float32",
                          "optimizer": "AdamW, fused"})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
