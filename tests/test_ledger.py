"""The claims files and the rules that decide them (`_ext/ledger.py`)."""

import copy
import json

import ledger
import pytest
import yaml

FIGURE = {"value": 1.2, "low": 1.1, "high": 1.3, "unit": "x"}
CLAIM = {
    "id": "faster", "section": "Results", "claim": "It is faster.", "kind": "measurement", "year": 2019,
    "machine": None, "metric": "time / time", "rule": {"by": "measuring", "holds": "low >= 1.1", "partly": "value >= 1"},
    "result": None,
}  # fmt: skip
SOURCED = {key: CLAIM[key] for key in ("id", "section", "claim", "kind", "year", "machine")} | {
    "rule": {"by": "sources", "holds": "a source confirms it"}, "sources": [], "verdict": None, "why": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "expression, truth",
    [
        ("low >= 1.1", True), ("low > 1.1", False), ("value == 1.2", True), ("1 < value < 1.2", False),
        ("1 < value < 1.3", True), ("value > 2 or high < 1.4", True), ("value > 1 and high > 1.4", False),
        ("not value > 2", True), ("abs(value - 1.4) < 0.3", True), ("value >= 1 == true", True), ("-value < 0", True),
        ("high - low <= 0.3", True), ("value * 2 / 4 + 1 == 1.6", True), ("true", True), ("false", False),
    ],
)  # fmt: skip
def test_rules(expression, truth):
    # Python itself is the oracle for the arithmetic.
    assert ledger.evaluate(expression, FIGURE) is truth
    assert eval(expression, {"true": True, "false": False, "abs": abs}, FIGURE) == truth


def test_rules_on_yes_and_no():
    assert ledger.evaluate("value == true", {"value": True, "low": True, "high": True})
    assert not ledger.evaluate("value == true", {"value": False, "low": False, "high": False})


@pytest.mark.parametrize(
    "expression",
    ["value", "1 + 1", "open('x') == 1", "__import__('os') == 1", "value.real > 1", "spread > 1", "value >", "a sentence",
     "value > 0 or spread > 1", "value > 2 and spread > 1", "value == 'yes'", "value / 0 > 1", "-" * 9999 + "value > 1",
     "1" * 9999 + " > value", "value > 1 \0", "[value] == [1]", "(lambda: value)() > 1", "value ** 2 > 1", "abs(value, low) > 1", "value in low"],
)  # fmt: skip
def test_anything_else_is_refused(expression):
    with pytest.raises(ledger.LedgerError):
        ledger.evaluate(expression, FIGURE)


def repository(tmp_path, figure=None, glued=None):
    """A root folder with one recording and one notebook."""
    (tmp_path / "results" / "race").mkdir(parents=True)
    hardware = dict.fromkeys(("system", "cpu", "cores", "memory_gib", "gpu", "gpu_count"))
    recording = {"schema": 1, "benchmark": "race", "what": "a race", "date": "2026-11-22", "hardware": hardware, "versions": {},
                 "settings": {}, "figures": {"gain": {"unit": "x", "n": 3} | (figure or FIGURE)}, "command": "race"}  # fmt: skip
    (tmp_path / "results" / "race" / "cpu.json").write_text(json.dumps(recording))
    (tmp_path / "notebooks").mkdir()
    output = {"data": {"application/papermill.record/text/plain": repr(glued)},
              "metadata": {"scrapbook": {"name": "same"}}}  # fmt: skip
    (tmp_path / "notebooks" / "01_x.ipynb").write_text(json.dumps({"cells": [{"outputs": [output]}]}))
    return tmp_path


RACE = "results/race/cpu.json::gain"


@pytest.mark.parametrize(
    "figure, verdict",
    [
        ({"value": 1.2, "low": 1.1, "high": 1.3}, "holds"),
        ({"value": 1.2, "low": 1.05, "high": 1.3}, "partly"),
        ({"value": 0.9, "low": 0.8, "high": 1.0}, "no"),
        ({"value": 1.1, "low": 1.1, "high": 1.1}, "holds"),
    ],
)
def test_a_measured_claim_is_decided_by_its_rule(tmp_path, figure, verdict):
    root = repository(tmp_path, figure)
    assert ledger.decide(CLAIM | {"result": {"cpu": RACE}}, root) == verdict


def test_a_claim_without_partly_falls_through(tmp_path):
    root = repository(tmp_path, {"value": 1.0, "low": 0.9, "high": 1.1})
    claim = CLAIM | {"result": {"cpu": RACE}, "rule": {"by": "measuring", "holds": "low >= 1"}}
    assert ledger.decide(claim, root) == "no"


def test_the_first_named_result_decides(tmp_path):
    root = repository(tmp_path, glued=0.5)
    result = {"gpu": "notebooks/01_x.ipynb::same", "cpu": RACE}
    assert ledger.decide(CLAIM | {"result": result}, root) == "no"
    assert ledger.decide(CLAIM | {"result": dict(reversed(result.items()))}, root) == "holds"


@pytest.mark.parametrize("value", [True, 7, 0.25, "text", {"value": 1.2, "low": 1.1, "high": 1.3}])
def test_glued_values_come_back(tmp_path, value):
    figure = ledger.resolve("notebooks/01_x.ipynb::same", repository(tmp_path, glued=value))
    assert figure["value"] == (value["value"] if isinstance(value, dict) else value)
    assert figure["low"] == (1.1 if isinstance(value, dict) else value)


@pytest.mark.parametrize("key", ["results/race/cpu.json::loss", "results/race/gpu.json::gain", "results/race/cpu.json",
                                 "notebooks/01_x.ipynb::other"])  # fmt: skip
def test_keys_that_lead_nowhere_are_named(tmp_path, key):
    with pytest.raises(ledger.LedgerError, match=key.split("::")[0]):
        ledger.resolve(key, repository(tmp_path))


@pytest.mark.parametrize("figure", [{"value": 2.0}, {"low": 1.4, "high": 1.0}, {"value": float("nan")}, {"unit": ""}])
def test_a_recording_that_is_not_valid_decides_nothing(tmp_path, figure):
    with pytest.raises(ledger.LedgerError, match="figures.gain"):
        ledger.resolve(RACE, repository(tmp_path, FIGURE | figure))


@pytest.mark.parametrize("value", [float("nan"), {"value": 1, "low": 2, "high": 3}, {"low": 1}, [1, 2], None, {"value": [1]}])
def test_a_glued_value_that_says_nothing_decides_nothing(tmp_path, value):
    with pytest.raises(ledger.LedgerError, match="01_x.ipynb"):
        ledger.resolve("notebooks/01_x.ipynb::same", repository(tmp_path, glued=value))


def test_a_key_stays_in_the_repository(tmp_path):
    inner = repository(tmp_path / "inner")
    repository(tmp_path)
    with pytest.raises(ledger.LedgerError, match="no such file"):
        ledger.resolve(f"../{RACE}", inner)


def test_a_broken_notebook_is_named(tmp_path):
    root = repository(tmp_path)
    (root / "notebooks" / "01_x.ipynb").write_text("{")
    with pytest.raises(ledger.LedgerError, match="01_x.ipynb"):
        ledger.resolve("notebooks/01_x.ipynb::same", root)


def test_sources_and_none(tmp_path):
    assert ledger.decide(SOURCED) == "pending"
    assert ledger.decide(SOURCED | {"verdict": "partly"}) == "partly"
    assert ledger.decide(CLAIM) == "pending"
    assert ledger.decide({"rule": {"by": "none", "why": "no GPU"}}) == "untestable"


def write(tmp_path, *claims, **changes):
    path = tmp_path / "01_x.yaml"
    path.write_text(yaml.safe_dump({"chapter": "01_x", "post": "key", "status": "planned", "claims": list(claims)} | changes))
    return path


def test_a_good_file_loads(tmp_path):
    assert len(ledger.load(write(tmp_path, CLAIM, SOURCED | {"id": "other"}))["claims"]) == 2


def changed(**changes):
    return copy.deepcopy(CLAIM) | changes


@pytest.mark.parametrize(
    "claims, message",
    [
        ([CLAIM, CLAIM], "twice"),
        ([{k: v for k, v in CLAIM.items() if k != "year"}], "year"),
        ([{k: v for k, v in CLAIM.items() if k != "metric"}], "metric"),
        ([changed(kind="rumour")], "kind"),
        (["text"], "must have fields"), ([], "at least one claim"), ([changed(rule="fast")], "rule must have fields"),
        ([changed(id="Two words")], "lower-case words"), ([changed(id=7)], "lower-case words"),
        ([changed(claim="It costs $5, not $6.")], "USD"),
        ([changed(result={})], "cpu, gpu"), ([changed(result={"tpu": "x::y"})], "cpu, gpu"), ([changed(result="x::y")], "cpu, gpu"),
        ([changed(rule={"by": "measuring", "holds": "value > 1", "partly": "value > 0 or nothing"})], "only value"),
        ([changed(year="2019")], "year"),
        ([changed(claim=" ")], "claim is empty"),
        ([changed(verdict="holds")], "no meaning"),
        ([changed(rule={"by": "feeling"})], "rule.by"),
        ([changed(rule={"by": "measuring"})], "rule needs"),
        ([changed(rule={"by": "measuring", "holds": "it is much faster"})], "not an expression"),
        ([changed(rule={"by": "measuring", "holds": "value > 1", "why": "x"})], "rule needs"),
        ([SOURCED | {"verdict": "maybe"}], "verdict must be"),
        ([SOURCED | {"verdict": "holds"}], "names them"),
        ([{k: v for k, v in CLAIM.items() if k not in ("metric", "result")} | {"rule": {"by": "none", "why": ""}}], "why"),
    ],
)
def test_bad_claims_are_named(tmp_path, claims, message):
    with pytest.raises(ledger.LedgerError, match=message):
        ledger.load(write(tmp_path, *claims))


def test_bad_files_are_named(tmp_path):
    with pytest.raises(ledger.LedgerError, match="status"):
        ledger.load(write(tmp_path, CLAIM, status="done"))
    with pytest.raises(ledger.LedgerError, match="chapter"):
        ledger.load(write(tmp_path, CLAIM, chapter="02_y"))
    (tmp_path / "01_x.yaml").write_text("claims: [")
    with pytest.raises(ledger.LedgerError, match="not valid YAML"):
        ledger.load(tmp_path / "01_x.yaml")


def test_a_finished_chapter_has_no_open_claim(tmp_path):
    with pytest.raises(ledger.LedgerError, match="not decided"):
        ledger.load(write(tmp_path, CLAIM, status="finished"))


# What is committed.

CHAPTERS = ["00_start", "01_mt_history", "02_seq2seq", "03_writing", "04_debugging", "05_porting", "06_benchmarking",
            "07_gpu_architecture", "08_sparsity", "09_distillation", "10_serving"]  # fmt: skip


def test_every_chapter_has_its_claims_and_every_key_of_a_finished_one_resolves():
    chapters = {chapter["chapter"]: chapter for chapter in ledger.load_all()}  # load() checks what the name says
    assert list(chapters) == CHAPTERS
    for chapter in chapters.values():
        assert chapter["claims"]
        for claim in chapter["claims"]:
            for key in (claim.get("result") or {}).values():
                assert ledger.resolve(key)["value"] is not None


def test_every_post_and_source_is_in_the_bibliography():
    import re

    known = set(re.findall(r"^@\w+\{(\S+),", (ledger.ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    for chapter in ledger.load_all():
        assert chapter["post"] in known
        for claim in chapter["claims"]:
            assert set(claim.get("sources") or []) <= known
