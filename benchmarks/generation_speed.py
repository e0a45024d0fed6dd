"""Greedy generation with a cache: `course_lib.generation` against transformers, on the same weights.

    python -m benchmarks.generation_speed [--results results] [--device auto]

A random GPT-2 of 4 layers x 256 and 2000 tokens, batches of 1 and 3, both in one process and in
turns. Both must write the same ids, in float32, before anything is timed; where the GPU has them on
tensor cores, bfloat16 is timed as well. Two more variants say where the time goes: "modules" is ours
without `course_lib.generation.one_token`, so that every token is a call of the model; "matrices" computes
the matrix products of the new tokens and nothing else: what no Python around them can save. Takes about
two minutes on a laptop. Writes `<results>/generation_speed/<hardware>.json`.
"""
import argparse
import copy
import tempfile
from dataclasses import replace

import torch

from course_lib.benchmarking import compare
from course_lib.devices import pick_device
from course_lib.generation import generate
from course_lib.pretrained import from_pretrained
from course_lib.results import Figure, record

VOCABULARY, PROMPT = 2000, 16


def models(layers: int, width: int):
    """Ours and theirs of the same random weights, biases and norms included, in evaluation mode."""
    import transformers
    torch.manual_seed(0)
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=VOCABULARY, n_positions=1024, n_embd=width, n_layer=layers, n_head=width // 64,
        bos_token_id=None, eos_token_id=None))
    for parameter in theirs.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = from_pretrained(folder)
    return ours, theirs.eval()


def products(model, x: torch.Tensor, new_tokens: int):
    """A function that multiplies x, [batch, width], with every matrix of the model, once a new token."""
    layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    inputs = {n: x.repeat(1, n // x.shape[1])[:, None] for n in {layer.in_features for layer in layers}}

    @torch.inference_mode()
    def run():
        for _ in range(new_tokens):
            for layer in layers:
                torch.nn.functional.linear(inputs[layer.in_features], layer.weight, layer.bias)
    return run


def measure(device, layers: int, width: int, new_tokens: int, batches: list[int], repeats: int,
            threads: int) -> dict[str, Figure]:
    """Tokens/s of both, and how often as fast ours is, by batch."""
    ours, theirs = (model.to(device.device) for model in models(layers, width))
    called = copy.deepcopy(ours)    # a hook may look at what a module computes, so it has to be called
    called.head.register_forward_hook(lambda *_: None)
    figures: dict[str, Figure] = {}
    for dtype in [torch.float32] + [torch.bfloat16] * device.bf16:
        ours, theirs, called = ours.to(dtype), theirs.to(dtype), called.to(dtype)
        for batch in batches:
            ids = torch.randint(VOCABULARY, (batch, PROMPT), generator=torch.Generator().manual_seed(batch))
            ids = ids.to(device.device)
            mask = torch.ones_like(ids)

            def mine(model=ours):
                return generate(model, ids, max_new_tokens=new_tokens).sequences

            def reference():
                return theirs.generate(ids, attention_mask=mask, max_new_tokens=new_tokens, do_sample=False,
                                       pad_token_id=0)

            matrices = products(ours, torch.randn(batch, width, device=device.device, dtype=dtype), new_tokens)
            equal = torch.equal(mine(), reference())
            if not equal and dtype == torch.float32:
                raise RuntimeError(f"batch {batch}: the two wrote different ids, so their times say nothing")
            timed = compare({"ours": mine, "transformers": reference, "modules": lambda: mine(called),
                             "matrices": matrices}, repeats=repeats, threads=threads, device=device)
            name = f"batch-{batch}" + "-bfloat16" * (dtype == torch.bfloat16)
            for variant in timed.seconds:
                figures[f"{variant}-{name}"] = timed.rate(variant, batch * new_tokens, "tokens/s")
            ratio = timed.ratio("transformers", to="ours")   # of times, so of our speed to theirs
            figures[f"speed-over-transformers-{name}"] = replace(ratio, unit="x")
            figures[f"transformers-time-over-matrices-{name}"] = replace(
                timed.ratio("transformers", to="matrices"), unit="x")
            print(f"{name}{'' if equal else ', ids differ by rounding'}\n{timed}", flush=True)
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=128)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    given = parser.parse_args(arguments)

    import transformers
    device = pick_device(given.device)
    settings = {name: value for name, value in vars(given).items() if name not in ("results", "device")}
    figures = measure(device, **settings)
    path = record(
        "generation_speed", figures, folder=given.results, device=device,
        what="Tokens a second in greedy generation with a cache by a small GPT-2, and how many times as fast "
             "as transformers' ours is, same weights and ids.",
        settings=settings | {"prompt": PROMPT, "vocabulary": VOCABULARY,
                             "transformers": transformers.__version__})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
