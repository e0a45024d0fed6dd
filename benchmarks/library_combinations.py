"""What the post says of the library's combiners and sampler, checked on the library as pinned.

    python -m benchmarks.library_combinations [--only bert-no-mask ...] [--results results]

The library is Hugging Face transformers; what the post calls combiners is its `EncoderDecoderModel`. Every
model is small, with random weights. One function a claim, named in `CHECKS` by the claim's id; a figure is
1 for true and 0 for false, else the number that the claim's metric asks for. The eleven families are those
that the package of release 2.2.0 has a module of (its README lists ten, without ALBERT). Which pairs join,
and why the others do not, is in the settings. Writes `<results>/library_combinations/<hardware>.json`.
About a minute; nothing is timed.
"""
import argparse
import math
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import (AutoConfig, AutoModel, BertModel, EncoderDecoderModel, GPT2Config,
                          GPT2LMHeadModel)

from course_lib.generation import generate
from course_lib.pretrained import from_pretrained
from course_lib.results import Figure, record
from course_lib.transformer import Transformer, TransformerConfig

VOCABULARY, WIDTH, LAYERS, HEADS = 60, 32, 2, 4
_BERT = dict(hidden_size=WIDTH, num_hidden_layers=LAYERS, num_attention_heads=HEADS, intermediate_size=64)
_GPT = dict(n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=64)
_ALL = dict(vocab_size=VOCABULARY, pad_token_id=0, bos_token_id=1, eos_token_id=2)

#: The families of release 2.2.0: their names in the pinned release and small sizes.
FAMILIES = {
    "BERT": ("bert", _BERT),
    "GPT": ("openai-gpt", _GPT),
    "GPT-2": ("gpt2", _GPT),
    "Transformer-XL": ("transfo-xl", dict(d_model=WIDTH, d_embed=WIDTH, n_layer=LAYERS, n_head=HEADS, d_head=8,
                                          d_inner=64, cutoffs=[20, 40])),
    "XLNet": ("xlnet", dict(d_model=WIDTH, n_layer=LAYERS, n_head=HEADS, d_inner=64)),
    "XLM": ("xlm", dict(emb_dim=WIDTH, n_layers=LAYERS, n_heads=HEADS)),
    "RoBERTa": ("roberta", _BERT | dict(max_position_embeddings=64)),
    "DistilBERT": ("distilbert", dict(dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=64)),
    "CTRL": ("ctrl", _GPT | dict(dff=64)),
    "CamemBERT": ("camembert", _BERT | dict(max_position_embeddings=64)),
    "ALBERT": ("albert", _BERT | dict(embedding_size=16)),
}


# Building blocks

def config_of(family: str):
    """A small configuration. Raises ValueError for a family that the library no longer has."""
    name, sizes = FAMILIES[family]
    return AutoConfig.for_model(name, **_ALL, **sizes)


def randomise(model: nn.Module, deviation: float = 0.2) -> nn.Module:
    """Make every parameter random, biases and norms included; the norms' weights around 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(float(parameter.dim() == 1 and name.endswith("weight")), deviation)
    return model.eval()


def save(family: str, folder: str | Path) -> Path:
    """The path of a saved small random model without a head."""
    path = Path(folder) / family
    if not path.is_dir():
        AutoModel.from_config(config_of(family)).save_pretrained(path)
    return path


def join(encoder: str, decoder: str, folder: str | Path) -> EncoderDecoderModel:
    """The two families joined in the library's one call, ready to train."""
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(save(encoder, folder), save(decoder, folder))
    return prepare(model)


def prepare(model: EncoderDecoderModel) -> EncoderDecoderModel:
    """Set what the loss needs."""
    model.config.decoder_start_token_id, model.config.pad_token_id = 1, 0
    return model.train()


def batch() -> dict[str, torch.Tensor]:
    """Random source and labels, [4, 7] and [4, 5], without special tokens."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randint(3, VOCABULARY, (4, length), generator=generator)
            for name, length in (("input_ids", 7), ("labels", 5))}


def step(model: EncoderDecoderModel) -> set[str]:
    """Take one step of training; the names of the parameters that it changed.

    Raises RuntimeError where the loss is not finite.
    """
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)    # a note on losses before 4.12
        loss = model(**batch()).loss
    loss.backward()
    if not math.isfinite(float(loss.detach())):
        raise RuntimeError("the loss is not finite")
    optimizer.step()
    return {name for name, parameter in model.named_parameters() if not torch.equal(before[name], parameter)}


def received(model: EncoderDecoderModel, **arguments) -> dict[str, set[str]]:
    """Names of the arguments that reach each half in a forward call; an argument that a half refuses, too."""
    found = {}
    hooks = [half.register_forward_pre_hook(
        lambda module, positional, named, name=name: found.__setitem__(name, {
            key for key, value in named.items() if value is not None}), with_kwargs=True)
        for name, half in (("encoder", model.encoder), ("decoder", model.decoder))]
    ids = batch()
    try:
        model.eval()(input_ids=ids["input_ids"], decoder_input_ids=ids["labels"], **arguments)
    except TypeError:    # an argument that the half does not know
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return {half: found.get(half, set()) for half in ("encoder", "decoder")}


# Checks

def bert_no_mask() -> bool:
    """Every output position of BERT has a gradient with respect to every input position."""
    torch.manual_seed(0)
    model = randomise(BertModel(config_of("BERT"))).double()
    x = torch.randn(1, 9, WIDTH, dtype=torch.float64, requires_grad=True)
    output = model(inputs_embeds=x).last_hidden_state @ torch.randn(WIDTH, dtype=torch.float64)    # [1, 9]
    reached = [torch.autograd.grad(output[0, i], x, retain_graph=True)[0].abs().amax(-1)[0] > 0 for i in range(9)]
    return bool(torch.stack(reached).all())


def encoder_plus_mask_is_gpt() -> float:
    """Largest difference of logits between our encoder with a causal mask and the library's GPT-2."""
    torch.manual_seed(0)
    theirs = randomise(GPT2LMHeadModel(config_of("GPT-2")))
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        decoder = from_pretrained(folder)
    known = decoder.config
    ours = Transformer(TransformerConfig(
        vocabulary=known.vocabulary, width=known.width, heads=known.heads, encoder_layers=known.decoder_layers,
        context=known.context, feed_forward=known.feed_forward, activation=known.activation,
        norm_eps=known.norm_eps)).eval()
    ours.load_state_dict({name.replace("decoder.", "encoder."): value
                          for name, value in decoder.state_dict().items()})
    ours.encoder.causal = True    # the mask, and nothing else
    ids = torch.randint(VOCABULARY, (8, 40))
    with torch.no_grad():
        return float((ours(ids).logits - theirs(ids).logits).abs().max())


def bert_gpt2_combine() -> bool:
    """BERT and GPT-2 join in one call, and a step changes both and the cross-attention."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        changed = step(join("BERT", "GPT-2", folder))
    return (any(name.startswith("encoder.") for name in changed)
            and any("crossattention" in name for name in changed)
            and any(name.startswith("decoder.") and "crossattention" not in name for name in changed))


def why_not(encoder: str, decoder: str, folder: str | Path) -> str:
    """Why two families do not join and train for one step; empty where they do."""
    torch.manual_seed(0)
    for family in (encoder, decoder):
        try:
            save(family, folder)
        except ValueError:
            return f"{family} is no longer in the library"
    try:
        changed = step(join(encoder, decoder, folder))
    except Exception as error:    # each family fails in its own way
        if "not prepared for the encoder hidden states" in str(error):
            return f"{decoder} takes no states of an encoder"
        if "Unrecognized configuration class" in str(error):
            return f"{decoder} has no causal language model"
        return f"{type(error).__name__} in {encoder} with {decoder}"
    missing = [half for half in ("encoder", "decoder") if not any(name.startswith(half) for name in changed)]
    return f"one step leaves the {missing[0]} as it was" if missing else ""


def combinations() -> dict[str, str]:
    """For each ordered pair of families, "A + B": why it does not join, empty where it does."""
    with tempfile.TemporaryDirectory() as folder:
        return {f"{encoder} + {decoder}": why_not(encoder, decoder, folder)
                for encoder in FAMILIES for decoder in FAMILIES}


def prefixed_arguments() -> dict[str, bool]:
    """Whether an argument with each prefix arrives at that half, without the prefix, and not at the other."""
    with tempfile.TemporaryDirectory() as folder:
        model = join("BERT", "BERT", folder)
    found = {}
    for half, other, like in (("encoder", "decoder", "input_ids"), ("decoder", "encoder", "labels")):
        name = f"{half}_token_type_ids"
        got = received(model, **{name: torch.zeros_like(batch()[like])})
        found[half] = "token_type_ids" in got[half] and not {"token_type_ids", name} & got[other]
    return found


def unprefixed_arguments() -> dict[str, bool]:
    """Whether each of three arguments without a prefix, not named in the signature, arrives at both halves."""
    with tempfile.TemporaryDirectory() as folder:
        model = join("BERT", "BERT", folder)
    ids = batch()["input_ids"]
    values = {"token_type_ids": torch.zeros_like(ids), "position_ids": torch.arange(ids.shape[1])[None],
              "output_attentions": True}
    return {name: all(name in got for got in received(model, **{name: value}).values())
            for name, value in values.items()}


def random_half_possible() -> bool:
    """Saved BERT joins a new GPT-2 decoder, keeps its weights, and a step of training works."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        saved = randomise(BertModel(config_of("BERT")))
        saved.save_pretrained(folder)
        decoder = GPT2LMHeadModel(GPT2Config(**_ALL, **_GPT, is_decoder=True, add_cross_attention=True))
        model = prepare(EncoderDecoderModel(encoder=BertModel.from_pretrained(folder), decoder=decoder))
    kept = model.encoder.state_dict()
    as_saved = all(torch.equal(value, kept[name]) for name, value in saved.state_dict().items())
    changed = step(model)
    return as_saved and {name.partition(".")[0] for name in changed} >= {"encoder", "decoder"}


def sharing_by_hand() -> bool:
    """Tying BERT's halves through `encoder` and `decoder` saves parameters, and a step keeps them equal."""
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        model = join("BERT", "BERT", folder)
    before = sum(parameter.numel() for parameter in model.parameters())    # each counted once
    decoder = model.decoder.bert
    shared = [name for name, _ in decoder.named_parameters() if "crossattention" not in name]
    for name in shared:
        module, _, kind = name.rpartition(".")
        setattr(decoder.get_submodule(module), kind, model.encoder.get_parameter(name))
    fewer = sum(parameter.numel() for parameter in model.parameters()) < before
    changed = step(model)
    agree = all(torch.equal(decoder.get_parameter(name), model.encoder.get_parameter(name)) for name in shared)
    return fewer and agree and any(name.startswith("encoder.") for name in changed)


def sampling_options(seeds: int = 20) -> bool:
    """Temperature, top-k, nucleus and repetition penalty together: the same tokens as the library's."""
    torch.manual_seed(0)
    theirs = randomise(GPT2LMHeadModel(config_of("GPT-2")))
    with tempfile.TemporaryDirectory() as folder:
        theirs.save_pretrained(folder)
        ours = from_pretrained(folder)
    prompts = torch.randint(3, VOCABULARY, (3, 5))
    options = dict(do_sample=True, temperature=0.8, top_k=20, top_p=0.9, repetition_penalty=1.3,
                   max_new_tokens=30, pad_token_id=0, eos_token_id=2)
    for seed in range(seeds):
        torch.manual_seed(seed)
        mine = generate(ours, prompts, **options).sequences
        torch.manual_seed(seed)
        library = theirs.generate(prompts, attention_mask=torch.ones_like(prompts), **options)
        if not torch.equal(mine, library):
            return False
    return True


#: By claim id: the check, and the unit of its figure.
CHECKS = {
    "encoder-plus-mask-is-gpt": (encoder_plus_mask_is_gpt, "largest difference of logits"),
    "bert-no-mask": (bert_no_mask, "true or false"),
    "bert-gpt2-combine": (bert_gpt2_combine, "true or false"),
    "combinations-121": (combinations, "pairs"),
    "prefixed-arguments": (prefixed_arguments, "true or false"),
    "unprefixed-arguments": (unprefixed_arguments, "true or false"),
    "random-half-possible": (random_half_possible, "true or false"),
    "sharing-by-hand": (sharing_by_hand, "true or false"),
    "sampling-options": (sampling_options, "true or false"),
}


def number(found) -> float:
    """A check's result as a figure's value: pairs without a reason against them, all of several, or itself."""
    if isinstance(found, dict):
        reasons = [value for value in found.values() if isinstance(value, str)]
        return float(reasons.count("") if reasons else all(found.values()))
    return float(found)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CHECKS, nargs="+", default=list(CHECKS), metavar="ID", help="claim ids")
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    figures, details = {}, {}
    for name in options.only:
        check, unit = CHECKS[name]
        found = check()
        value = number(found)
        figures[name] = Figure(value, value, value, unit, 1, "one deterministic run, no interval")
        if isinstance(found, dict):
            details[name] = found
        print(f"{name}: {value:g} {unit}", flush=True)
    joined = details.pop("combinations-121", None)
    if joined is not None:
        details["joined"] = [pair for pair, reason in joined.items() if not reason]
        details["not_joined"] = {pair: reason for pair, reason in joined.items() if reason}
    path = record(
        "library_combinations", figures, folder=options.results, device="cpu",
        what="What the library's encoder-decoder and its sampler do, on small random models: true is 1.",
        settings={"transformers": transformers.__version__, "width": WIDTH, "layers": LAYERS,
                  "vocabulary": VOCABULARY, "families": list(FAMILIES), "threads": options.threads, **details})
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
