"""The benchmarks of "Encoder-decoders" on pretraining tasks, captions, the library's combiners, Shakespeare."""
import json
import math
from types import SimpleNamespace

import pytest
import torch

from benchmarks import captions, library_combinations, over_seeds, pretraining_tasks, shakespeare
from course_lib.data.stories import story_grammar
from course_lib.results import load

LOSS = ("One morning Mia the fox walked to the river. There she lost her red kite. She asked Otto the owl for "
        "help. Together they looked behind the wall. {} Then they went home from the river together.")
FOUND = LOSS.format("At last Otto found the kite, and Mia was happy again.")
GONE = LOSS.format("But the kite was gone. Otto gave her his own.")
HUNGER = ("Tom the goat loved the mill more than anything. He was hungry and saw a basket of nuts. It belonged to "
          "Ivy the duck. {} He never forgot that day at the mill.")
SHARED = HUNGER.format("Tom asked politely, and Ivy shared the nuts with him.")
TAKEN = HUNGER.format("Tom took the nuts, and Ivy was sad. He said sorry and brought more nuts.")
STORM = ("One morning Mia the fox walked to the river. Then a storm came. The wind blew and Mia was afraid. She hid "
         "under a bridge, where Otto the owl was hiding too. They sang until the storm was over. She never forgot "
         "that day at the river.")


# Seeds

def test_the_interval_over_seeds():
    # By hand: mean 7/3; squared deviations 16/9, 1/9, 25/9, their sum over 2 is 7/3; t of 2 degrees is 4.30265.
    figure = over_seeds.t_interval([1.0, 2.0, 4.0], "nats")
    half = 4.30265 * math.sqrt(7 / 3 / 3)
    assert (figure.value, figure.low, figure.high) == pytest.approx((7 / 3, 7 / 3 - half, 7 / 3 + half))
    assert (figure.n, figure.unit) == (3, "nats")


def test_one_seed_has_no_interval_and_an_unknown_number_is_refused():
    assert over_seeds.t_interval([2.0], "nats").spread == "one run, no interval"
    with pytest.raises(ValueError, match="13 seeds: take one of 2, 3, 4"):
        over_seeds.t_interval([1.0] * 13, "nats")


def test_an_interrupted_script_goes_on(tmp_path):
    done = []

    def run(seed):
        return over_seeds.Runs(tmp_path, "x").get({"seed": seed}, lambda: done.append(seed) or {"loss": seed / 3})

    assert run(1) == {"loss": 1 / 3}
    run(2)
    with (tmp_path / "x" / "unfinished.jsonl").open("a") as file:
        file.write('\n[{"seed": 3}, {"lo')    # cut off while it was written
    assert [run(seed)["loss"] for seed in (1, 2, 3)] == [1 / 3, 2 / 3, 1.0]
    assert run(3) == {"loss": 1.0}
    assert done == [1, 2, 3]
    over_seeds.Runs(tmp_path, "x").finish()
    assert not list((tmp_path / "x").iterdir())


# Pretraining tasks

@pytest.mark.parametrize("text, answer, animal, word", [
    (FOUND, "she happy", "fox", "kite"), (GONE, "she sad", "fox", "kite"),
    (SHARED, "he happy", "goat", "nuts"), (TAKEN, "he sad", "goat", "nuts")])
def test_the_question_about_a_story(text, answer, animal, word):
    assert story_grammar().accepts(text)
    asked = pretraining_tasks.question(text)
    assert pretraining_tasks.LABELS[asked["answer"]] == answer
    assert sorted(pretraining_tasks.words_of("ANIMAL"))[asked["animal"]] == animal
    tokens = story_grammar().tokens(text)
    assert tokens[asked["place"]] == word
    assert word not in tokens[:asked["place"]]


def test_a_story_of_a_storm_names_no_thing():
    assert story_grammar().accepts(STORM)
    assert pretraining_tasks.question(STORM) is None


def test_stories_made_to_contradict_themselves():
    asked = [pretraining_tasks.question(text) for text in (FOUND, GONE, SHARED, TAKEN)] * 10
    altered = pretraining_tasks.contradict(asked, seed=0)
    for before, after in zip(asked, altered):
        assert story_grammar().accepts(after["text"]) == after["true"] == (after["text"] == before["text"])
        tokens, changed = (story_grammar().tokens(one["text"]) for one in (before, after))
        assert tokens[:before["again"]] == changed[:before["again"]]
        assert tokens[before["again"]] == tokens[before["place"]]
        assert (changed[before["again"]] == changed[before["place"]]) == after["true"]
    assert {one["true"] for one in altered} == {0, 1}


def test_the_states_are_those_of_the_places():
    tokenizer = pretraining_tasks.make_tokenizer(story_grammar())
    model = pretraining_tasks.new_model(tokenizer, pretraining_tasks.QUICK, 1, 0).eval()
    with torch.no_grad():
        for parameter in model.parameters():    # as large as trained ones: the same word is not the same twice
            parameter.normal_(0, 0.3)
    asked = [pretraining_tasks.question(text) for text in (FOUND, TAKEN)]
    found = pretraining_tasks.states(model, asked, tokenizer)
    for row, one in enumerate(asked):    # one story at a time, and the last norm undone: no padding, no hooks
        ids = torch.tensor([tokenizer.encode(one["text"])])
        outputs = []
        model.encoder.final_norm.register_forward_pre_hook(lambda module, inputs: outputs.append(inputs[0][0]))
        model(ids)
        place = ids[0].tolist().index(tokenizer.id("kite" if row == 0 else "nuts"))
        torch.testing.assert_close(found["place"][row], outputs[-1][place])
        again = ids[0].tolist().index(int(ids[0, place]), place + 1)
        torch.testing.assert_close(found["again"][row], outputs[-1][again])
        torch.testing.assert_close(found["last"][row], outputs[-1][-2])
        torch.testing.assert_close(found["mean"][row], outputs[-1].mean(0))


def test_the_probe_reads_what_is_linear_and_no_more():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 8, generator=generator)
    linear, neither = (x[:, 0] > 0).long(), (x[:, 0] * x[:, 1] > 0).long()
    assert pretraining_tasks.probe(x[:300], linear[:300], x[300:], linear[300:]) > 0.95
    assert pretraining_tasks.probe(x[:300], neither[:300], x[300:], neither[300:]) < 0.7


def test_words_are_hidden_as_in_bert():
    torch.manual_seed(0)
    tokenizer = pretraining_tasks.make_tokenizer(story_grammar())
    ids, mask = tokenizer.batch([FOUND, TAKEN] * 200)
    hidden, labels = pretraining_tasks.hide(ids, mask, tokenizer)
    chosen = labels != -100
    words = mask & (ids >= len(tokenizer.special))
    assert not (chosen & ~words).any()
    assert torch.equal(labels[chosen], ids[chosen])
    assert torch.equal(hidden[~chosen], ids[~chosen])
    assert float(chosen[words].float().mean()) == pytest.approx(0.15, abs=0.01)
    masks = hidden[chosen] == tokenizer.id("<mask>")
    assert float(masks.float().mean()) == pytest.approx(0.8, abs=0.03)
    assert float((hidden[chosen] == ids[chosen]).float().mean()) == pytest.approx(0.1, abs=0.03)
    assert not set(hidden[chosen][~masks].tolist()) & set(range(len(tokenizer.special)))


def test_the_unigram_loss_by_hand():
    # Counts plus one: id 1 three, id 2 two, ids 0 and 3 one each, of seven; the first token has no loss.
    found = pretraining_tasks.unigram_loss([[0, 1, 1], [0, 2]], [[0, 1, 2]], 4)
    assert found == pytest.approx(-(math.log(3 / 7) + math.log(2 / 7)) / 2)


def test_new_stories_are_counted():
    share = pretraining_tasks.share_new([FOUND, GONE, "", FOUND.replace("kite", "fox")], story_grammar(), {GONE})
    assert share == 0.25


def hand_made_run(shift):
    probes = {task: dict.fromkeys(pretraining_tasks.PROBES, accuracy + shift)
              for task, accuracy in zip(pretraining_tasks.TASKS, (0.5, 0.4, 0.8, 0.3))}
    probes["masked"]["last"] = probes["causal"]["last"] - 0.1
    return {"entropy": 0.25, "exact": 0.3, "unigram": 4.25, "held_out": {"causal": 0.45 + shift, "unmasked": 0.02},
            "from_prefixes": 3.0, "last_steps": {"unmasked": 0.05 + shift}, "written": 0.9 + shift,
            "probes": probes, "best_from_left": 0.7, "head": 0.95, "in_text": 0.9 + shift,
            "writer": {"held_out": 0.26, "written": 0.7, "accepted": 0.8}}


def test_the_figures_of_the_pretraining_tasks():
    figures = pretraining_tasks.figures_of([hand_made_run(0.0), hand_made_run(0.02)])
    by_hand = {"mask-needed-to-learn": 0.06 - 0.25, "next-token-training": (0.46 - 0.25) / (4.25 - 0.25),
               "autoregressive-generation": 0.7,
               "causal-stories-right-and-new": 0.91, "gpt-weak-at-understanding": 0.3, "bert-task-pulls": 0.4,
               "text-to-text-in-small": 0.91 - 0.95, "causal-gap-on-the-same-stories": 0.46 - 0.3,
               "probe-last-masked-minus-causal": -0.1, "probe-understanding-random": 0.31}
    assert {name: figures[name].value for name in by_hand} == pytest.approx(by_hand)
    # Paired: the two seeds differ by as much in both, so that the difference does not vary.
    assert figures["gpt-weak-at-understanding"].low == pytest.approx(0.3)
    assert figures["mask-needed-to-learn"].high == pytest.approx(0.06 - 0.25 + 12.7062 * 0.01)


def test_the_pretraining_tasks_run(tmp_path, capsys):
    pretraining_tasks.main(["--quick", "--seeds", "0", "1", "--results", str(tmp_path)])
    [found] = load("pretraining_tasks", tmp_path)
    assert {"mask-needed-to-learn", "next-token-training", "autoregressive-generation", "gpt-weak-at-understanding",
            "bert-task-pulls", "text-to-text-in-small"} <= found.figures.keys()
    assert all(figure.n == 2 for figure in found.figures.values())
    assert found.settings["curves"].keys() == {"causal", "unmasked", "masked", "restored"}
    assert all(len(curve) == pretraining_tasks.QUICK["steps"] for curve in found.settings["curves"].values())
    assert not list(tmp_path.glob("*/unfinished.jsonl"))
    assert capsys.readouterr().out.splitlines()[-1].startswith("wrote ")


# Captions

def test_no_picture_is_in_two_parts():
    parts = captions.split(29, 9, seed=3)
    assert [len(part) for part in parts] == [9, 10, 10]
    assert sorted(sum(parts, [])) == list(range(29))
    assert parts != captions.split(29, 9, seed=4)


def test_the_figures_of_the_captions():
    def run(shift):
        bleu = {"scratch": 2.0 + shift, "both": 5.0 + shift, "encoder": 2.5 + shift, "decoder": 4.0 + 2 * shift}
        return {"bleu": bleu, "tuning_loss": dict.fromkeys(captions.STARTS, 1.0)}

    figures = captions.figures_of([run(0.0), run(1.0)])
    assert figures["language-a-to-language-b"].value == figures["language-a-to-language-b"].low == 3.0
    assert figures["encoder-minus-scratch"].value == 0.5
    assert figures["decoder-minus-scratch"].value == 2.5
    assert figures["decoder-minus-scratch"].high == pytest.approx(2.5 + 12.7062 * 0.5)
    assert figures["bleu-both"].value == 5.5


@pytest.fixture
def multi30k(tmp_path):
    folder = tmp_path / "multi30k"
    folder.mkdir()
    for name in captions.FILES:
        words = ("a man", "rides", "a horse") if name.endswith("en") else ("un homme", "monte", "un cheval")
        lines = [f"{words[0]} {number} {words[1]} {words[2]}." for number in range(30)]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_the_captions_run(multi30k, tmp_path):
    captions.main(["--data", str(multi30k), "--quick", "--seeds", "0", "1", "--results", str(tmp_path)])
    [found] = load("captions", tmp_path)
    assert found.figures.keys() == {"language-a-to-language-b", "encoder-minus-scratch", "decoder-minus-scratch",
                                    *(f"bleu-{start}" for start in captions.STARTS),
                                    *(f"tuning-loss-{start}" for start in captions.STARTS)}
    assert found.settings["pretraining_captions_each"] == 11
    assert "tok:13a" in found.settings["sacrebleu"]


def test_translations_keep_the_order_of_the_texts(multi30k, monkeypatch):
    texts = captions.read(multi30k)
    tokenizer = captions.train_bpe(texts["train.en"], 280, template="<s> $A </s>")

    def echo(model, ids, padding_mask, max_new_tokens):    # a model that writes what it reads
        return SimpleNamespace(new_tokens=[row[mask].tolist()[1:] for row, mask in zip(ids, padding_mask)])

    monkeypatch.setattr(captions, "generate", echo)
    asked = [text[: 5 + i * 7 % 11] for i, text in enumerate(texts["train.en"] * 5)]
    assert captions.translate(None, asked, tokenizer, tokenizer) == [text.strip() for text in asked]
    assert len(asked) > 100    # several batches


def test_missing_captions_are_named(multi30k):
    (multi30k / "train.fr").unlink()
    with pytest.raises(SystemExit, match="holds no train.fr: give the folder of Multi30k"):
        captions.read(multi30k)


def test_captions_that_do_not_match_are_refused(multi30k):
    (multi30k / "train.fr").write_text("un homme\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="train.en and train.fr .* different numbers of lines"):
        captions.read(multi30k)


# The library

def test_checks_as_figures():
    assert [library_combinations.number(found) for found in (True, False, 1e-7)] == [1.0, 0.0, 1e-7]
    assert library_combinations.number({"A + A": "", "A + B": "B takes no states", "B + A": ""}) == 2.0
    assert library_combinations.number({"encoder": True, "decoder": False}) == 0.0


def test_why_pairs_join_or_not(tmp_path):
    assert library_combinations.why_not("GPT", "BERT", tmp_path) == ""
    assert library_combinations.why_not("BERT", "GPT", tmp_path) == "GPT takes no states of an encoder"
    assert library_combinations.why_not("BERT", "ALBERT", tmp_path) == "ALBERT has no causal language model"
    assert library_combinations.why_not("Transformer-XL", "BERT", tmp_path).endswith("no longer in the library")


def test_a_mask_is_noticed(monkeypatch):
    assert library_combinations.bert_no_mask()
    config_of = library_combinations.config_of

    def causal(family):
        config = config_of(family)
        config.is_decoder = True
        return config

    monkeypatch.setattr(library_combinations, "config_of", causal)
    assert not library_combinations.bert_no_mask()


def test_another_choice_of_tokens_is_noticed(monkeypatch):
    assert library_combinations.sampling_options(seeds=2)
    generate = library_combinations.generate
    monkeypatch.setattr(library_combinations, "generate",
                        lambda *arguments, **options: generate(*arguments, **options | {"top_p": 0.85}))
    assert not library_combinations.sampling_options(seeds=2)


def test_the_library_is_recorded(tmp_path):
    library_combinations.main(["--only", "encoder-plus-mask-is-gpt", "prefixed-arguments", "--results", str(tmp_path)])
    [found] = load("library_combinations", tmp_path)
    assert 0 < found.figures["encoder-plus-mask-is-gpt"].value < 1e-5
    assert found.figures["prefixed-arguments"].value == float(all(found.settings["prefixed-arguments"].values()))


# Shakespeare

def test_shakespeare_measures_both_kinds_of_positions(tmp_path, monkeypatch):
    small = dict(context=16, batch=2, layers=1, heads=2, width=16, dropout=0.0, steps=2, validate_every=2)
    monkeypatch.setitem(shakespeare.SETTINGS, "cpu", small)
    text = tmp_path / "input.txt"
    text.write_text("To be, or not to be, that is the question. " * 20, encoding="utf-8")
    shakespeare.main(["--data", str(text), "--setting", "cpu", "--device", "cpu", "--seeds", "0", "1", "2",
                      "--results", str(tmp_path)])
    path = next(tmp_path.glob("shakespeare/*.json"))
    figures = json.loads(path.read_text())["figures"]
    assert figures.keys() == {f"cpu-setting-{positions}-{what}" for positions in ("learned", "rotary")
                              for what in ("validation-loss", "time")}
    device = shakespeare.pick_device("cpu")
    for positions in ("learned", "rotary"):
        losses = sorted(shakespeare.run(text.read_text(), small, positions, seed, device).best[1] for seed in range(3))
        figure = figures[f"cpu-setting-{positions}-validation-loss"]
        assert [figure["low"], figure["value"], figure["high"]] == pytest.approx(losses, rel=1e-4)
