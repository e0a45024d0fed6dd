"""Pretrained weights in Hugging Face format, read into `course_lib.transformer.Transformer`.

GPT-2, BERT, DistilBERT, Marian and BART differ in the names of their tensors and in a few switches of
`course_lib.transformer.TransformerConfig`: that is the table `FAMILIES`.

Built in chapter 2.
"""
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from course_lib.transformer import Transformer, TransformerConfig

Tensors = dict[str, Tensor]
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def from_pretrained(name_or_path: str | Path, *, dropout: float = 0.0) -> Transformer:
    """The model of a checkpoint: float32, on the CPU, in evaluation mode.

    name_or_path: a folder with config.json and model.safetensors (or pytorch_model.bin), or a name on
    the Hugging Face Hub, such as "openai-community/gpt2", "google-bert/bert-base-uncased",
    "distilbert/distilbert-base-uncased", "Helsinki-NLP/opus-mt-en-de" or "facebook/bart-base".
    dropout: for fine-tuning; the checkpoint's own is not taken over.

    Raises ValueError for another kind of model, for corrupt or truncated files and for tensors that are
    missing, left over or misshapen, naming each; FileNotFoundError where there is no such file; OSError
    where the Hub cannot be reached; ImportError, naming what to install.
    """
    path = find_file(name_or_path, "config.json")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        kind = settings["model_type"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path} is not the configuration of a model ({error!r})") from error
    if kind not in FAMILIES:
        raise ValueError(f"{path}: model_type {kind!r} is not one of: {', '.join(FAMILIES)}")
    family = FAMILIES[kind]
    try:
        for name, needed in family.fixed.items():
            if settings.get(name, needed) != needed:
                raise ValueError(f"{name} must be {needed!r}")
        model = Transformer(TransformerConfig(**family.configure(settings), dropout=dropout))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: this model cannot be built: {error!r}") from error
    weights = find_file(name_or_path, *WEIGHTS)
    _load(model, _read(weights), family, weights)
    return model.eval()


def find_file(name_or_path: str | Path, *names: str) -> Path:
    """Path of the first of these files that a folder or a Hub repository has; downloaded once.

    Raises FileNotFoundError, OSError and ImportError as `from_pretrained` does.
    """
    folder = Path(name_or_path)
    wanted = " or ".join(names)
    if folder.is_dir():
        for name in names:
            if (folder / name).is_file():
                return folder / name
        raise FileNotFoundError(f"{folder} holds no {wanted}")
    neither = f"{name_or_path} is neither a folder nor a name on the Hugging Face Hub"
    if not re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)?", str(name_or_path)):
        raise FileNotFoundError(neither)
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise _missing_extra("huggingface_hub") from error
    for name in names:
        try:
            return Path(huggingface_hub.hf_hub_download(str(name_or_path), name))
        except errors.LocalEntryNotFoundError as error:   # before EntryNotFoundError, of which it is one
            raise OSError(f"there is no folder {name_or_path}, and the Hugging Face Hub cannot be reached "
                          f"for its {name}: connect to the network, or give a saved model's path") from error
        except errors.EntryNotFoundError:
            continue
        except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
            raise FileNotFoundError(neither) from error
    raise FileNotFoundError(f"{name_or_path} on the Hugging Face Hub holds no {wanted}")


def _missing_extra(package: str) -> ImportError:
    return ImportError(f"reading pretrained weights needs {package}: "
                       'pip install "attention-to-detail[pretrained]"')


def _read(path: Path) -> Tensors:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file
            return load_file(path)
        # Tensors only: a pickle may hold code.
        return torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as error:
        raise _missing_extra("safetensors") from error
    except Exception as error:   # each format fails in its own ways
        raise ValueError(f"{path} is corrupt or truncated ({error}); download it again") from error


@dataclass(frozen=True)
class Family:
    """How one kind of checkpoint differs.

    prefix: of the names of the bare model's tensors, which a checkpoint saved without a head leaves out.
    configure: from config.json to arguments of `TransformerConfig`. fixed: settings that only have one
    supported value. modules: from our names to theirs, which may be several to put on top of each other;
    "#" is the number of a layer. copies: names of one tensor, of which a file holds one or more, ours the
    first. unused: pattern of tensors to leave aside. prepare: changes tensors in place.
    """
    prefix: str
    configure: Callable[[dict], dict]
    modules: dict[str, str | list[str]]
    copies: tuple[tuple[str, ...], ...]
    fixed: dict
    unused: str = "$^"
    prepare: Callable[[Tensors], None] = lambda tensors: None


def _load(model: Transformer, tensors: Tensors, family: Family, path: Path) -> None:
    """Copy tensors into the model, or say in one error all that is wrong with them."""
    bare = not any(name.startswith(family.prefix) for name in tensors)
    # Old BERT files say gamma and beta.
    renamed = {family.prefix * bare + re.sub("gamma$", "weight", re.sub("beta$", "bias", name)): tensor
               for name, tensor in tensors.items()}
    tensors = {name: tensor for name, tensor in renamed.items() if not re.search(family.unused, name)}
    wrong = []
    for first, *others in family.copies:
        for other in filter(tensors.__contains__, others):
            if not torch.equal(tensors.setdefault(first, tensors[other]), tensors.pop(other)):
                wrong.append(f"{other} should equal {first}")
    family.prepare(tensors)

    used = set()
    for name, own in model.state_dict().items():
        if name == "head.output.weight" and model.config.tied:
            continue
        module, _, kind = name.rpartition(".")
        theirs = family.modules[re.sub(r"\d+", "#", module)]
        layer = re.search(r"\d+", module)
        names = [f"{part.replace('#', layer[0] if layer else '')}.{kind}"
                 for part in ([theirs] if isinstance(theirs, str) else theirs)]
        used.update(names)
        missing = [part for part in names if part not in tensors]
        wrong += [f"{part} is missing" for part in missing]
        shape = [len(own) // len(names), *own.shape[1:]]
        misshapen = [part for part in names if part not in missing and list(tensors[part].shape) != shape]
        wrong += [f"{part} is {list(tensors[part].shape)} and should be {shape}" for part in misshapen]
        if not missing and not misshapen:
            own.copy_(torch.cat([tensors[part] for part in names]))
    wrong += [f"{name} is left over" for name in tensors if name not in used]
    if wrong:
        raise ValueError(f"{path} does not fit its config.json: " + "; ".join(sorted(set(wrong))))


def _activation(name: str) -> str:
    known = {"gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu",
             "silu": "silu", "swish": "silu"}
    if name not in known:
        raise ValueError(f"activation {name!r} is not one of: {', '.join(known)}")
    return known[name]


def _gpt2(s: dict) -> dict:
    return {"vocabulary": s["vocab_size"], "width": s["n_embd"], "heads": s["n_head"],
            "decoder_layers": s["n_layer"], "context": s["n_positions"], "feed_forward": s.get("n_inner"),
            "norm_eps": s["layer_norm_epsilon"], "activation": _activation(s["activation_function"]),
            "eos_token_id": s.get("eos_token_id")}


def _transpose_conv1d(tensors: Tensors) -> None:
    for name in tensors:   # GPT-2 stores [inputs, outputs]
        if re.search(r"\.c_(attn|proj|fc)\.weight$", name):
            tensors[name] = tensors[name].T


_BERT_SWITCHES = {"norm": "post", "embedding_norm": True, "head_transform": True, "head_bias": True}


def _bert(s: dict) -> dict:
    return {"vocabulary": s["vocab_size"], "width": s["hidden_size"], "heads": s["num_attention_heads"],
            "encoder_layers": s["num_hidden_layers"], "feed_forward": s["intermediate_size"],
            "context": s["max_position_embeddings"], "segments": s["type_vocab_size"],
            "norm_eps": s["layer_norm_eps"], "activation": _activation(s["hidden_act"]),
            "pad_token_id": s.get("pad_token_id"), **_BERT_SWITCHES}


def _distilbert(s: dict) -> dict:
    return {"vocabulary": s["vocab_size"], "width": s["dim"], "heads": s["n_heads"],
            "encoder_layers": s["n_layers"], "feed_forward": s["hidden_dim"],
            "context": s["max_position_embeddings"], "norm_eps": 1e-12,
            "activation": _activation(s["activation"]), "pad_token_id": s.get("pad_token_id"),
            **_BERT_SWITCHES}


def _bart(s: dict) -> dict:
    for what in ("attention_heads", "ffn_dim"):
        if s[f"encoder_{what}"] != s[f"decoder_{what}"]:
            raise ValueError(f"encoder_{what} and decoder_{what} must be equal")
    return {"vocabulary": s["vocab_size"], "width": s["d_model"], "heads": s["encoder_attention_heads"],
            "encoder_layers": s["encoder_layers"], "decoder_layers": s["decoder_layers"],
            "feed_forward": s["encoder_ffn_dim"], "context": s["max_position_embeddings"], "norm": "post",
            "activation": _activation(s["activation_function"]), "embedding_norm": True, "head_bias": True,
            "embedding_scale": math.sqrt(s["d_model"]) if s.get("scale_embedding") else 1.0,
            "pad_token_id": s["pad_token_id"], "eos_token_id": s["eos_token_id"],
            "decoder_start_token_id": s["decoder_start_token_id"]}


def _marian(s: dict) -> dict:
    return _bart(s) | {"embedding_norm": False, "positions": "sinusoidal"}


def _name_logits_bias(tensors: Tensors) -> None:
    """A buffer, [1, vocabulary], that bare models are saved without: 0 then."""
    shared = tensors.get("model.shared.weight", torch.empty(0))
    tensors["lm_head.bias"] = tensors.pop("final_logits_bias", torch.zeros(1, len(shared))).flatten()


def _drop_first_positions(tensors: Tensors) -> None:
    _name_logits_bias(tensors)
    for stack in ("encoder", "decoder"):   # BART counts positions from 2
        name = f"model.{stack}.embed_positions.weight"
        if name in tensors:
            tensors[name] = tensors[name][2:]


_BERT_LAYER = "bert.encoder.layer.#"
_DISTILBERT_LAYER = "distilbert.transformer.layer.#"
_MARIAN_MODULES = {"head.output": "lm_head"}
for _stack in ("encoder", "decoder"):
    _ours, _theirs = f"{_stack}.blocks.#", f"model.{_stack}.layers.#"
    _MARIAN_MODULES |= {
        f"{_stack}.tokens": "model.shared",
        f"{_ours}.attention.query_key_value": [f"{_theirs}.self_attn.{part}_proj" for part in "qkv"],
        f"{_ours}.attention.output": f"{_theirs}.self_attn.out_proj",
        f"{_ours}.attention_norm": f"{_theirs}.self_attn_layer_norm",
        f"{_ours}.cross_attention.query": f"{_theirs}.encoder_attn.q_proj",
        f"{_ours}.cross_attention.key_value": [f"{_theirs}.encoder_attn.{part}_proj" for part in "kv"],
        f"{_ours}.cross_attention.output": f"{_theirs}.encoder_attn.out_proj",
        f"{_ours}.cross_attention_norm": f"{_theirs}.encoder_attn_layer_norm",
        f"{_ours}.feed_forward.up": f"{_theirs}.fc1",
        f"{_ours}.feed_forward.down": f"{_theirs}.fc2",
        f"{_ours}.feed_forward_norm": f"{_theirs}.final_layer_norm",
    }
_SHARED = ("model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight",
           "lm_head.weight")
_BART_MODULES = _MARIAN_MODULES | {
    f"{_stack}.{ours}": f"model.{_stack}.{theirs}" for _stack in ("encoder", "decoder")
    for ours, theirs in (("positions", "embed_positions"), ("embedding_norm", "layernorm_embedding"))}

#: By the model_type of config.json.
FAMILIES = {
    "gpt2": Family(
        "transformer.", _gpt2, {
            "decoder.tokens": "transformer.wte",
            "decoder.positions": "transformer.wpe",
            "decoder.blocks.#.attention_norm": "transformer.h.#.ln_1",
            "decoder.blocks.#.attention.query_key_value": "transformer.h.#.attn.c_attn",
            "decoder.blocks.#.attention.output": "transformer.h.#.attn.c_proj",
            "decoder.blocks.#.feed_forward_norm": "transformer.h.#.ln_2",
            "decoder.blocks.#.feed_forward.up": "transformer.h.#.mlp.c_fc",
            "decoder.blocks.#.feed_forward.down": "transformer.h.#.mlp.c_proj",
            "decoder.final_norm": "transformer.ln_f"},
        copies=(("transformer.wte.weight", "lm_head.weight"),),
        fixed={"tie_word_embeddings": True, "scale_attn_weights": True,
               "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
        unused=r"\.attn\.(masked_)?bias$", prepare=_transpose_conv1d),
    "bert": Family(
        "bert.", _bert, {
            "encoder.tokens": "bert.embeddings.word_embeddings",
            "encoder.positions": "bert.embeddings.position_embeddings",
            "encoder.segments": "bert.embeddings.token_type_embeddings",
            "encoder.embedding_norm": "bert.embeddings.LayerNorm",
            "encoder.blocks.#.attention.query_key_value": [
                f"{_BERT_LAYER}.attention.self.{part}" for part in ("query", "key", "value")],
            "encoder.blocks.#.attention.output": f"{_BERT_LAYER}.attention.output.dense",
            "encoder.blocks.#.attention_norm": f"{_BERT_LAYER}.attention.output.LayerNorm",
            "encoder.blocks.#.feed_forward.up": f"{_BERT_LAYER}.intermediate.dense",
            "encoder.blocks.#.feed_forward.down": f"{_BERT_LAYER}.output.dense",
            "encoder.blocks.#.feed_forward_norm": f"{_BERT_LAYER}.output.LayerNorm",
            "head.transform": "cls.predictions.transform.dense",
            "head.norm": "cls.predictions.transform.LayerNorm",
            "head.output": "cls.predictions"},
        copies=(("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
                ("cls.predictions.bias", "cls.predictions.decoder.bias")),
        fixed={"tie_word_embeddings": True, "is_decoder": False, "position_embedding_type": "absolute"},
        unused=r"^bert\.pooler\.|^cls\.seq_relationship\.|\.position_ids$"),
    "distilbert": Family(
        "distilbert.", _distilbert, {
            "encoder.tokens": "distilbert.embeddings.word_embeddings",
            "encoder.positions": "distilbert.embeddings.position_embeddings",
            "encoder.embedding_norm": "distilbert.embeddings.LayerNorm",
            "encoder.blocks.#.attention.query_key_value": [
                f"{_DISTILBERT_LAYER}.attention.{part}_lin" for part in "qkv"],
            "encoder.blocks.#.attention.output": f"{_DISTILBERT_LAYER}.attention.out_lin",
            "encoder.blocks.#.attention_norm": f"{_DISTILBERT_LAYER}.sa_layer_norm",
            "encoder.blocks.#.feed_forward.up": f"{_DISTILBERT_LAYER}.ffn.lin1",
            "encoder.blocks.#.feed_forward.down": f"{_DISTILBERT_LAYER}.ffn.lin2",
            "encoder.blocks.#.feed_forward_norm": f"{_DISTILBERT_LAYER}.output_layer_norm",
            "head.transform": "vocab_transform",
            "head.norm": "vocab_layer_norm",
            "head.output": "vocab_projector"},
        copies=(("distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight"),),
        fixed={"tie_word_embeddings": True, "tie_weights_": True}, unused=r"\.position_ids$"),
    "marian": Family(
        "model.", _marian, _MARIAN_MODULES, copies=(_SHARED,),
        fixed={"tie_word_embeddings": True, "share_encoder_decoder_embeddings": True,
               "normalize_before": False, "normalize_embedding": False, "static_position_embeddings": True},
        unused=r"\.embed_positions\.weight$", prepare=_name_logits_bias),
    "bart": Family(
        "model.", _bart, _BART_MODULES, copies=(_SHARED,),
        fixed={"tie_word_embeddings": True, "normalize_before": False, "normalize_embedding": True,
               "add_final_layer_norm": False, "static_position_embeddings": False},
        unused=r"\.(encoder|decoder)\.version$", prepare=_drop_first_positions),
}
