"""Saved checkpoints of transformers, every parameter random, against that library's own logits."""
import json
import re

import pytest
import torch

from course_lib import pretrained
from course_lib.pretrained import from_pretrained

transformers = pytest.importorskip("transformers")
safetensors_torch = pytest.importorskip("safetensors.torch")

BART = dict(vocab_size=37, d_model=24, encoder_layers=2, decoder_layers=3, encoder_attention_heads=3,
            decoder_attention_heads=3, encoder_ffn_dim=40, decoder_ffn_dim=40, max_position_embeddings=20,
            pad_token_id=1, eos_token_id=2, decoder_start_token_id=3, forced_eos_token_id=None)
CASES = {
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", dict(
        vocab_size=37, n_embd=24, n_layer=2, n_head=3, n_positions=20, n_inner=40)),
    "gpt2-defaults": ("GPT2LMHeadModel", "GPT2Config", dict(
        vocab_size=37, n_embd=24, n_layer=2, n_head=3, n_positions=20, activation_function="relu",
        layer_norm_epsilon=0.01, bos_token_id=5, eos_token_id=6)),
    "bert": ("BertForMaskedLM", "BertConfig", dict(
        vocab_size=37, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40,
        max_position_embeddings=20, type_vocab_size=3)),
    "distilbert": ("DistilBertForMaskedLM", "DistilBertConfig", dict(
        vocab_size=37, dim=24, n_layers=2, n_heads=3, hidden_dim=40, max_position_embeddings=20)),
    "marian": ("MarianMTModel", "MarianConfig", dict(
        BART, scale_embedding=True, activation_function="swish")),
    "marian-unscaled": ("MarianMTModel", "MarianConfig", dict(BART, d_model=27)),
    "bart": ("BartForConditionalGeneration", "BartConfig", BART),
    "bart-scaled": ("BartForConditionalGeneration", "BartConfig", dict(
        BART, scale_embedding=True, activation_function="gelu_new")),
}


def build(case):
    """A transformers model in which nothing is left at 0 or 1, where a dropped bias would go unseen."""
    model_class, config_class, settings = CASES[case]
    torch.manual_seed(7)
    theirs = getattr(transformers, model_class)(getattr(transformers, config_class)(**settings)).eval()
    with torch.no_grad():
        for name, tensor in [*theirs.named_parameters(), *theirs.named_buffers()]:
            sinusoids = "marian" in case and "embed_positions" in name
            if tensor.is_floating_point() and not sinusoids:
                tensor.normal_(1.0 if "norm" in name.lower() and "weight" in name else 0.0, 0.3)
    return theirs


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """case -> (transformers model, folder); each made once."""
    made = {}

    def save(case):
        if case not in made:
            folder = tmp_path_factory.mktemp(case)
            made[case] = build(case), folder
            made[case][0].save_pretrained(folder)
        return made[case]
    return save


def ids(rows, columns, seed=0):
    return torch.randint(4, 37, (rows, columns), generator=torch.Generator().manual_seed(seed))


def mask_of(rows):
    return torch.tensor(rows)


RIGHT = [[1] * 9, [1] * 6 + [0] * 3, [1] * 2 + [0] * 7]
LEFT = [row[::-1] for row in RIGHT]


def assert_close(ours, theirs, real=None):
    difference = (ours - theirs).abs().amax(-1)
    if real is not None:
        difference = difference[real.bool()]
    assert difference.max() < 1e-5
    assert theirs.std() > 0.1, "logits of one size prove nothing"


@pytest.mark.parametrize("case", ["gpt2", "gpt2-defaults"])
@torch.no_grad()
def test_gpt2_equals_transformers(saved, case):
    theirs, folder = saved(case)
    model, x = from_pretrained(folder), ids(3, 9)
    assert_close(model(x).logits, theirs(x).logits)
    for mask in map(mask_of, (RIGHT, LEFT)):
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        assert_close(model(x, padding_mask=mask).logits,
                     theirs(x, attention_mask=mask, position_ids=positions).logits, mask)
    assert model.config.eos_token_id == theirs.config.eos_token_id


@torch.no_grad()
def test_gpt2_through_the_cache_with_left_padding(saved):
    theirs, folder = saved("gpt2")
    model, x, mask = from_pretrained(folder), ids(3, 9), mask_of(LEFT)
    wanted = theirs(x, attention_mask=mask, position_ids=(mask.cumsum(-1) - 1).clamp(min=0)).logits
    cache = model.make_cache(3)
    parts = [model(x[:, a:b], padding_mask=mask[:, :b], cache=cache).logits
             for a, b in [(0, 4), (4, 5), (5, 8), (8, 9)]]
    assert_close(torch.cat(parts, 1), wanted, mask)


@torch.no_grad()
def test_bert_equals_transformers(saved):
    theirs, folder = saved("bert")
    model, x = from_pretrained(folder), ids(3, 9)
    assert_close(model(x).logits, theirs(x).logits)
    for mask in map(mask_of, (RIGHT, LEFT)):
        segments = torch.arange(9).expand(3, 9) // 3
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        wanted = theirs(x, attention_mask=mask, token_type_ids=segments, position_ids=positions).logits
        assert_close(model(x, padding_mask=mask, segments=segments).logits, wanted, mask)
    assert model.config.pad_token_id == 0


@torch.no_grad()
def test_distilbert_equals_transformers(saved):
    theirs, folder = saved("distilbert")
    model, x, mask = from_pretrained(folder), ids(3, 9), mask_of(RIGHT)
    assert_close(model(x).logits, theirs(x).logits)
    assert_close(model(x, padding_mask=mask).logits, theirs(x, attention_mask=mask).logits, mask)
    assert_close(model.encode(x, mask), theirs.distilbert(x, attention_mask=mask).last_hidden_state, mask)


@pytest.mark.parametrize("case", ["marian", "marian-unscaled", "bart", "bart-scaled"])
@torch.no_grad()
def test_encoder_decoders_equal_transformers(saved, case):
    theirs, folder = saved(case)
    model, source, target, mask = from_pretrained(folder), ids(3, 9), ids(3, 7, seed=1), mask_of(RIGHT)
    assert_close(model(source, target).logits, theirs(source, decoder_input_ids=target).logits)
    wanted = theirs(source, attention_mask=mask, decoder_input_ids=target)
    output = model(source, target, padding_mask=mask)
    assert_close(output.logits, wanted.logits)
    assert_close(output.memory, wanted.encoder_last_hidden_state, mask)
    target_mask = mask[:, :7]   # one that ends within the row
    padded = theirs(source, attention_mask=mask, decoder_input_ids=target, decoder_attention_mask=target_mask)
    assert_close(model(source, target, padding_mask=mask, decoder_padding_mask=target_mask).logits,
                 padded.logits, target_mask)

    memory, cache = model.encode(source, mask), model.make_cache(3)
    parts = [model(None, target[:, a:b], memory=memory, padding_mask=mask, cache=cache).logits
             for a, b in [(0, 1), (1, 2), (2, 5), (5, 7)]]
    assert_close(torch.cat(parts, 1), wanted.logits)
    config = model.config
    assert (config.pad_token_id, config.eos_token_id, config.decoder_start_token_id) == (1, 2, 3)


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_attention_weights_equal_transformers(saved, case):
    theirs, folder = saved(case)
    theirs.set_attn_implementation("eager")
    model, x, target = from_pretrained(folder), ids(3, 9), ids(3, 7, seed=1)
    if model.config.kind == "encoder-decoder":
        ours = model(x, target, return_attention=True)
        wanted = theirs(x, decoder_input_ids=target, output_attentions=True)
        pairs = [(ours.attentions, wanted.decoder_attentions),
                 (ours.cross_attentions, wanted.cross_attentions),
                 (ours.encoder_attentions, wanted.encoder_attentions)]
    else:
        pairs = [(model(x, return_attention=True).attentions, theirs(x, output_attentions=True).attentions)]
    theirs.set_attn_implementation("sdpa")
    for mine, his in pairs:
        assert len(mine) == len(his)
        for a, b in zip(mine, his):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def rewrite(folder, target, change):
    """A copy of a checkpoint with `change(tensors)` done to its tensors."""
    tensors = safetensors_torch.load_file(folder / "model.safetensors")
    tensors = change(tensors) or tensors
    target.mkdir(exist_ok=True)
    (target / "config.json").write_text((folder / "config.json").read_text())
    safetensors_torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()},
                                target / "model.safetensors")
    return target


def old_bert(tensors):
    """The names of bert-base-uncased, with the parts that a masked-language model does not use."""
    old = {name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
           for name, tensor in tensors.items()}
    old |= {"bert.pooler.dense.weight": torch.ones(24, 24), "bert.pooler.dense.bias": torch.ones(24),
            "cls.seq_relationship.weight": torch.ones(2, 24), "cls.seq_relationship.bias": torch.ones(2),
            "bert.embeddings.position_ids": torch.arange(20)[None],
            "cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"].clone(),
            "cls.predictions.decoder.bias": tensors["cls.predictions.bias"].clone()}
    return old


def bare_gpt2(tensors):
    """The names of the Hub's GPT-2: no prefix, and the causal masks as buffers."""
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    return bare | {"h.0.attn.bias": torch.ones(1, 1, 20, 20), "h.1.attn.masked_bias": torch.tensor(-1e4)}


def moved_embedding(tensors):
    """As files do that were saved with another one of the tied names."""
    tensors["model.encoder.embed_tokens.weight"] = tensors.pop("model.shared.weight")


def all_copies(tensors):
    for name in ("model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"):
        tensors[name] = tensors["model.shared.weight"].clone()
    tensors["model.encoder.embed_positions.weight"] = torch.ones(20, 24)   # Marian's are computed


def half(tensors):
    return {name: tensor.half() for name, tensor in tensors.items()}


@pytest.mark.parametrize("case, change, tolerance", [
    ("bert", old_bert, 0), ("gpt2", bare_gpt2, 0), ("bart", moved_embedding, 0), ("marian", all_copies, 0),
    ("gpt2", half, 0.05)])
@torch.no_grad()
def test_other_ways_to_write_the_same_model(saved, tmp_path, case, change, tolerance):
    _, folder = saved(case)
    same = from_pretrained(rewrite(folder, tmp_path / "same", change))
    inputs = (ids(2, 6), ids(2, 5)) if same.config.kind == "encoder-decoder" else (ids(2, 6),)
    wanted = from_pretrained(folder)(*inputs).logits
    assert same(*inputs).logits.dtype == torch.float32
    torch.testing.assert_close(same(*inputs).logits, wanted, rtol=0, atol=tolerance)


@torch.no_grad()
def test_a_bartwithout_logits_bias_has_zeros(saved, tmp_path):
    theirs, folder = saved("bart")

    def bare(tensors):
        return {name.removeprefix("model."): value for name, value in tensors.items() if name[:5] != "final"}

    model = from_pretrained(rewrite(folder, tmp_path / "bare", bare))
    x, y = ids(2, 6), ids(2, 5)
    assert_close(model(x, y).logits, theirs(x, decoder_input_ids=y).logits - theirs.final_logits_bias)


@torch.no_grad()
def test_pytorch_model_bin(saved, tmp_path):
    _, folder = saved("gpt2")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    torch.save(safetensors_torch.load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    x = ids(2, 6)
    assert torch.equal(from_pretrained(tmp_path)(x).logits, from_pretrained(str(folder))(x).logits)
    (tmp_path / "pytorch_model.bin").write_bytes((tmp_path / "pytorch_model.bin").read_bytes()[:-500])
    with pytest.raises(ValueError, match="corrupt or truncated"):
        from_pretrained(tmp_path)


def test_a_pickle_that_runs_code_is_refused(saved, tmp_path):
    import pickle

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))
    (tmp_path / "config.json").write_text((saved("gpt2")[1] / "config.json").read_text())
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"a": Bomb()}, protocol=2))
    with pytest.raises(ValueError, match="pytorch_model.bin"):
        from_pretrained(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_eval_mode_float32_and_dropout(saved):
    _, folder = saved("bert")
    model = from_pretrained(folder, dropout=0.25)
    assert not model.training and model.config.dropout == 0.25
    assert from_pretrained(folder).config.dropout == 0
    assert model.head.output.weight is model.encoder.tokens.weight


def without(tensors, name):
    return {key: tensor for key, tensor in tensors.items() if key != name}


@pytest.mark.parametrize("case, change, messages", [
    ("gpt2", lambda t: without(t, "transformer.h.1.mlp.c_fc.bias"),
     ["transformer.h.1.mlp.c_fc.bias is missing"]),
    ("bert", lambda t: without(t, "bert.encoder.layer.0.attention.self.key.weight"),
     ["bert.encoder.layer.0.attention.self.key.weight is missing"]),
    ("bert", lambda t: without(t, "bert.embeddings.word_embeddings.weight"),
     ["bert.embeddings.word_embeddings.weight is missing"]),
    ("bart", lambda t: without(t, "model.shared.weight"), ["model.shared.weight is missing"]),
    ("marian", lambda t: t | {"model.decoder.adapter.weight": torch.ones(2)},
     ["model.decoder.adapter.weight is left over"]),
    ("distilbert", lambda t: t | {"vocab_layer_norm.bias": torch.ones(23)},
     [r"vocab_layer_norm.bias is \[23\] and should be \[24\]"]),
    ("gpt2", lambda t: t | {"transformer.wpe.weight": torch.ones(19, 24), "other": torch.ones(1)},
     [r"wpe.weight is \[19, 24\] and should be \[20, 24\]", "other is left over"]),
    ("marian", lambda t: t | {"lm_head.weight": t["model.shared.weight"] + 1},
     ["lm_head.weight should equal model.shared.weight"]),
    ("bart", lambda t: t | {"final_logits_bias": torch.ones(1, 36)}, [r"lm_head.bias is \[36\]"]),
    ("bert", lambda t: {k: v for k, v in t.items() if k.startswith("bert.")},
     ["cls.predictions.bias is missing", "cls.predictions.transform.dense.weight is missing"]),
])
def test_each_wrong_tensor_is_named(saved, tmp_path, case, change, messages):
    folder = rewrite(saved(case)[1], tmp_path / "wrong", change)
    for message in messages:
        with pytest.raises(ValueError, match=message):
            from_pretrained(folder)


@pytest.mark.parametrize("keep", [0, 4, 200, 0.5, -1])
def test_truncated_safetensors(saved, tmp_path, keep):
    folder = rewrite(saved("gpt2")[1], tmp_path / "cut", dict)
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:int(keep * len(data)) if isinstance(keep, float) else keep])
    with pytest.raises(ValueError, match="model.safetensors is corrupt or truncated"):
        from_pretrained(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"vocab_size": 3}', "\xff"])
def test_broken_config(saved, tmp_path, text):
    folder = rewrite(saved("gpt2")[1], tmp_path / "broken", dict)
    (folder / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="config.json is not the configuration of a model"):
        from_pretrained(folder)


@pytest.mark.parametrize("case, settings, message", [
    ("gpt2", {"model_type": "t5"}, "'t5' is not one of: gpt2, bert, distilbert, marian, bart"),
    ("gpt2", {"n_embd": 25}, "not divisible by heads"),
    ("gpt2", {"activation_function": "quick_gelu"}, "quick_gelu"),
    ("gpt2", {"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx must be False"),
    ("gpt2", {"tie_word_embeddings": False}, "tie_word_embeddings must be True"),
    ("bert", {"is_decoder": True}, "is_decoder must be False"),
    ("bart", {"decoder_ffn_dim": 41}, "encoder_ffn_dim and decoder_ffn_dim must be equal"),
    ("marian", {"share_encoder_decoder_embeddings": False}, "share_encoder_decoder_embeddings must be True"),
    ("marian", {"d_model": "wide"}, "cannot be built"),
    ("bert", {"hidden_size": None}, "cannot be built"),
])
def test_a_config_that_is_not_supported(saved, tmp_path, case, settings, message):
    folder = rewrite(saved(case)[1], tmp_path / "other", dict)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(ValueError, match=re.escape(message)):
        from_pretrained(folder)


def test_a_setting_that_is_missing_is_named(saved, tmp_path):
    folder = rewrite(saved("bert")[1], tmp_path / "less", dict)
    config = json.loads((folder / "config.json").read_text())
    del config["intermediate_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="intermediate_size"):
        from_pretrained(folder)


def test_files_that_are_not_there(saved, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no config.json"):
        from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((saved("gpt2")[1] / "config.json").read_text())
    with pytest.raises(FileNotFoundError, match="holds no model.safetensors or pytorch_model.bin"):
        from_pretrained(tmp_path)
    for name in (tmp_path / "nowhere", "a/b/c", "..", "two words", ""):
        with pytest.raises(FileNotFoundError):
            pretrained.find_file(name, "missing.json")


class Hub:
    """Stands in for `huggingface_hub.hf_hub_download`, so that no test asks the network."""

    def __init__(self, monkeypatch, folder=None, error=None):
        self.asked = []

        def download(repo, name):
            self.asked.append((repo, name))
            if error is not None:
                raise error
            if not (folder / name).is_file():
                from huggingface_hub.errors import EntryNotFoundError
                raise _hub_error(EntryNotFoundError)
            return str(folder / name)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", download)


def _hub_error(kind):
    error = kind.__new__(kind)   # their constructors ask for an HTTP response
    Exception.__init__(error, "refused")
    return error


@torch.no_grad()
def test_a_name_on_the_hub(saved, tmp_path, monkeypatch):
    _, folder = saved("gpt2")
    hub = Hub(monkeypatch, folder)
    model = from_pretrained("some-one/gpt2.tiny")
    assert torch.equal(model(ids(1, 4)).logits, from_pretrained(folder)(ids(1, 4)).logits)
    assert hub.asked == [("some-one/gpt2.tiny", "config.json"), ("some-one/gpt2.tiny", "model.safetensors")]
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    torch.save(safetensors_torch.load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    hub = Hub(monkeypatch, tmp_path)
    from_pretrained("gpt2")
    assert [name for _, name in hub.asked] == ["config.json", "model.safetensors", "pytorch_model.bin"]
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(FileNotFoundError, match="gpt2 on the Hugging Face Hub holds no model.safetensors or"):
        from_pretrained("gpt2")


@pytest.mark.parametrize("kind, raised, message", [
    ("LocalEntryNotFoundError", OSError, "cannot be reached.*connect to the network, or give a saved"),
    ("RepositoryNotFoundError", FileNotFoundError, "neither a folder nor a name on the Hugging Face Hub"),
    ("HFValidationError", FileNotFoundError, "neither a folder nor a name on the Hugging Face Hub"),
])
def test_what_the_hub_answers(monkeypatch, kind, raised, message):
    import huggingface_hub.errors
    Hub(monkeypatch, error=_hub_error(getattr(huggingface_hub.errors, kind)))
    with pytest.raises(raised, match=message) as caught:
        from_pretrained("gpt2")
    assert type(caught.value) is raised


@pytest.mark.parametrize("package", ["huggingface_hub", "safetensors.torch"])
def test_a_missing_package_is_named_with_what_to_install(saved, monkeypatch, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    name = saved("gpt2")[1] if package == "safetensors.torch" else "gpt2"
    with pytest.raises(ImportError, match=package.split(".")[0]) as caught:
        from_pretrained(name)
    assert 'pip install "attention-to-detail[pretrained]"' in str(caught.value)
