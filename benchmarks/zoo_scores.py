"""Where the bugs of the zoo end: do they crash, how good do they look, and what would the post's recipe have said.

    python -m benchmarks.zoo_scores [--seeds 0] [--steps 100] [--results results] [--limit N]

Every bug of `course_lib.diagnostics.zoo`, open and sealed half, is trained beside its healthy twin, the same program
without the bug, for as many steps, and both are scored on held-out data. A bug is decent if its score goes at least
80 % of the way from the baseline (always the most frequent answer) to the twin's, mean over seeds. The twin also
learns one batch of 16 by heart, as `bug_zoo` lets the bug do it.

What each method found is read from the recording of `benchmarks.bug_zoo --half all` on the same hardware, which
must be there. Intervals are Wilson's over cases, and Newcombe's for a difference of two shares. Figures that decide a
claim of chapter 4 bear its id. Writes `<results>/zoo_scores/<hardware>.json`; about 5 minutes on one thread; finished
runs are kept if it is interrupted.
"""
import argparse
import math
import statistics
import warnings
from pathlib import Path

from tqdm.auto import tqdm

from benchmarks.bug_zoo import overfit_one_batch, share
from benchmarks.over_seeds import Runs
from course_lib import devices, results
from course_lib.benchmarking import benchmark
from course_lib.diagnostics.zoo.cases import Case, run
from course_lib.diagnostics.zoo.open import OPEN
from course_lib.diagnostics.zoo.sealed import SEALED
from course_lib.results import Figure, record
from course_lib.training import set_seed

DECENT = 0.8
STEPS_OF_A_PROGRAM = ("data", "model", "loss", "optimiser", "evaluation")
INDEXING = {"wrong-dimension", "batch-mixing", "position-mixing", "labels-misaligned", "future-leak"}
OF_LANGUAGE = {"transformer encoder", "transformer decoder", "encoder-decoder", "recurrent"}
LOOP = {"loss", "optimiser"}


def train_and_score(case: Case, seed: int, steps: int) -> dict:
    """Score, baseline, last training loss (mean of ten), and the error that ended the run, if any."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            setup, losses, score = run(case, seed, steps)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {str(error)[:120]}"}
    last = statistics.fmean(losses[-10:])
    return {"error": "" if math.isfinite(last) else "the loss is not finite", "baseline": setup.baseline,
            "score": score if math.isfinite(score) else setup.baseline, "loss": last if math.isfinite(last) else 1e9}


def twin_overfits(case: Case, seed: int = 0) -> bool:
    set_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return not overfit_one_batch(case.healthy().build(seed), 0).causes


def way(bug: dict, twin: dict) -> float:
    """How far a bug gets from the baseline (0) to its twin (1)."""
    return (bug["score"] - twin["baseline"]) / (twin["score"] - twin["baseline"])


def difference(first: Figure, second: Figure) -> Figure:
    """Of two shares, in points, with Newcombe's interval made of the two Wilson intervals."""
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Figure(100 * value, 100 * low, 100 * high, "points", first.n + second.n, "95 % Newcombe interval")


def has_a_bug(failing_bugs: Figure, failing_healthy: Figure) -> Figure:
    """Of the models that fail a test, the share that has a bug, were there as many healthy models as bugs.

    Its ends are those of the two Wilson intervals at their worst, so the interval is wider than 95 %.
    """
    def of(bugs, healthy):
        return bugs / (bugs + healthy) if bugs + healthy else 0.0

    return Figure(of(failing_bugs.value, failing_healthy.value), of(failing_bugs.low, failing_healthy.high),
                  of(failing_bugs.high, failing_healthy.low), "share", failing_bugs.n + failing_healthy.n,
                  "of two 95 % Wilson intervals, at their worst")


def figures_of(rows: list[dict], healthy: list[dict]) -> dict[str, Figure]:
    """rows: a bug each: step, cause, family, way, crashed, twin_overfits, same_loss, and methods as `bug_zoo` has them.
    healthy: as `bug_zoo` has them."""
    def number(flags) -> Figure:
        count = float(sum(flags))
        return Figure(count, count, count, "bugs", len(rows), "a count")

    def of(flags) -> Figure | None:
        flags = list(flags)
        return share(sum(flags), len(flags)) if flags else None

    def found(method, chosen=rows) -> Figure | None:
        return of(row["methods"][method]["detected"] for row in chosen)

    decent = [row for row in rows if not row["crashed"] and row["way"] >= DECENT]
    in_model = [row for row in rows if row["step"] in ("model", "loss")]
    indexing = [row for row in rows if row["cause"] in INDEXING]
    steps = {row["step"] for row in decent}
    recipe, invariance = (lambda row: row["methods"]["recipe"]["detected"]), (lambda row: row["methods"]["invariance"]["detected"])
    figures = {
        "cases": number(True for _ in rows), "silent-cases": number(row["variant"] == "silent" for row in rows),
        "bugs-do-not-crash": of(not row["crashed"] for row in rows),
        "bugs-perform-decently": of(row in decent for row in rows),
        "mistakes-at-every-step": Figure(float(len(steps)), float(len(steps)), float(len(steps)), "steps", 5, "a count"),
        "look-at-predictions": number(row["same_loss"] and row["way"] < 0.5 for row in rows),
        "overfitting-finds-bugs": of(row["methods"]["overfit"]["detected"] and row["twin_overfits"] for row in rows),
        "initial-loss-is-a-reference": found("initial", in_model),
        "indexing-is-the-worst": difference(found("recipe", indexing), found("recipe", [r for r in rows if r not in indexing]))
        if 0 < len(indexing) < len(rows) else None,
        "holds-in-other-fields": found("doctor", [row for row in rows if row["family"] not in OF_LANGUAGE]),
        **{f"found-by-{name}": found(name) for name in ("initial", "overfit", "recipe", "invariance", "diagnose", "watch", "doctor")},
        "invariance-only": number(invariance(row) and not recipe(row) for row in rows),
        "recipe-only": number(recipe(row) and not invariance(row) for row in rows),
        "correct-models-overfit": of(row["methods"]["overfit"]["alarms"] == 0 for row in healthy),
        "failing-means-a-bug": has_a_bug(found("overfit"), of(row["methods"]["overfit"]["alarms"] > 0 for row in healthy)),
        "neither": number(not recipe(row) and not invariance(row) for row in rows),
        "named-first": of(row["methods"]["doctor"]["named"] for row in rows),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}    # of no cases there is no share


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=100, help="training steps of a run (default: 100)")
    parser.add_argument("--results", default="my_results", help="folder to read bug_zoo from and to write to")
    parser.add_argument("--limit", type=int, help="so many cases of each half, to see that it runs")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    options = parser.parse_args(arguments)
    name = results.hardware_slug(devices.machine("cpu"))
    path = Path(options.results) / "bug_zoo" / f"{name}.json"
    if not path.is_file():
        raise SystemExit(f"there is no {path}: run python -m benchmarks.bug_zoo --half all --results {options.results} first")
    here = results.read(path)
    table = {row["case"]: row for half in here.settings["cases"].values() for row in half}
    cases = [case for half in (OPEN, SEALED) for case in half[:options.limit] if case.name in table]
    runs = Runs(options.results, "zoo_scores")
    rows = []
    with benchmark.set_torch_threads(options.threads):
        for case in tqdm(cases):
            key = {"case": case.code(), "steps": options.steps}
            bugs = [runs.get(key | {"seed": seed}, lambda: train_and_score(case, seed, options.steps)) for seed in options.seeds]
            twins = [runs.get(key | {"seed": seed, "twin": True}, lambda: train_and_score(case.healthy(), seed, options.steps))
                     for seed in options.seeds]
            overfits = runs.get({"overfit": case.healthy().code()}, lambda: {"yes": twin_overfits(case)})["yes"]
            crashed = any(bug["error"] for bug in bugs)
            losses = [twin["loss"] for twin in twins]
            spread = max(losses) - min(losses) + 0.05 * abs(statistics.fmean(losses))
            rows.append(table[case.name] | {
                "crashed": crashed, "twin_overfits": overfits,
                "way": 0.0 if crashed else round(statistics.fmean(way(bug, twin) for bug, twin in zip(bugs, twins)), 3),
                "same_loss": not crashed and statistics.fmean(bug["loss"] for bug in bugs) <= max(losses) + spread})
    path = record(
        "zoo_scores", figures_of(rows, here.settings["cases"]["healthy"]), folder=options.results, device="cpu",
        what="Where the bugs of the zoo end beside their healthy twins, and which method found them.",
        settings={"seeds": options.seeds, "steps": options.steps, "threads": options.threads, "decent": DECENT,
                  "cases": [{key: row[key] for key in ("case", "family", "variant", "cause", "step", "way", "crashed", "same_loss",
                                                       "twin_overfits")} |
                            {"found_by": [name for name, verdict in row["methods"].items() if verdict["detected"]]} for row in rows]})
    runs.finish()
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
