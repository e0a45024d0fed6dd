"""How long the grader takes for a class: submissions of an eight-question set, some looping, some dying.

    python -m benchmarks.grading [--set 02] [--submissions 300] [--jobs 2] [--results results]

Writes the notebooks of an invented class and runs the command that an instructor runs, sandbox and
all. In one submission of twenty one answer loops for ever, in one of twenty one ends its process; the
other answers are drawn from the reference, the set's known wrong answers, the untouched cell and none.
The statuses that come back are compared with what was handed in.
"""
import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from course_lib import results
from course_lib.grading.notebook import find_set, read_set, read_wrong

LOOP = "# exercise: {}\nwhile True:\n    pass"
EXIT = "# exercise: {}\nimport os\nos._exit(1)"
# Of the answers that neither loop nor die.
SHARES = {"ok": 0.6, "wrong": 0.25, "not attempted": 0.1, "missing": 0.05}


def notebook(cells) -> str:
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": kind, "metadata": {}, "source": source, **({"outputs": [], "execution_count": None} if kind == "code" else {})}
        for kind, source in cells]})


def write_class(folder: Path, whole, wrong, count: int, questions: int, seed: int) -> tuple[Path, dict]:
    """The source of a set of the first `questions`, and `count` submissions; (source, statuses by student)."""
    chosen = [id for id, question in whole.questions.items() if question.exercise][:questions]
    source = folder / "exercises" / whole.name / "source.ipynb"
    source.parent.mkdir(parents=True)
    source.write_text(notebook((cell.type, cell.source) for cell in whole.cells if not cell.question or cell.question in chosen))
    (folder / "handed_in").mkdir()
    draw, wanted = random.Random(seed), {}
    for number in range(count):
        student = f"student{number:03}"
        statuses = draw.choices(list(SHARES), list(SHARES.values()), k=len(chosen))
        if number % 20 < 2:
            statuses[draw.randrange(len(chosen))] = ("timeout", "died")[number % 20]
        cells = [("code", setup) for setup in whole.setup]
        for id, status in zip(chosen, statuses):
            answer = {"ok": whole.questions[id].exercise, "not attempted": whole.questions[id].stub, "missing": None,
                      "timeout": LOOP.format(id), "died": EXIT.format(id)}.get(status)
            if status == "wrong":
                answer = f"# exercise: {id}\n{draw.choice([w.source for w in wrong if w.question == id])}"
            if answer is not None:
                cells.append(("code", answer))
        (folder / "handed_in" / f"{student}.ipynb").write_text(notebook(cells))
        wanted[student] = dict(zip(chosen, statuses))
    return source, wanted


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", default="my_results", help="folder to write to (default: my_results)")
    parser.add_argument("--set", default="02")
    parser.add_argument("--submissions", type=int, default=300)
    parser.add_argument("--questions", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)

    path = find_set(options.set)
    whole, wrong = read_set(path), read_wrong(path.parent / "wrong")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, wanted = write_class(folder, whole, wrong, options.submissions, options.questions, options.seed)
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "course_lib.grading", "grade", str(source), str(folder / "handed_in"), "--jobs",
                               str(options.jobs), "--csv", str(folder / "grades.csv"), "--db", str(folder / "grades.sqlite"),
                               "--feedback", str(folder / "feedback")])
        seconds = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"grading stopped with status {done.returncode}")
        with open(folder / "grades.csv", encoding="utf-8", newline="") as file:
            rows = {row["Student"]: row for row in csv.DictReader(file)}
    # An answer that imports the library's own is refused when it is run: a crash, not a wrong result.
    other = Counter((status, rows[student][f"{id} status"]) for student, statuses in wanted.items() for id, status in statuses.items()
                    if rows[student][f"{id} status"] != status)
    print(f"{seconds / 60:.1f} minutes; (handed in, graded as) where they differ: {dict(other)}")
    if unexpected := {pair: n for pair, n in other.items() if pair != ("wrong", "crash")}:
        raise SystemExit(f"not recorded: {unexpected}")
    minutes = results.Figure(seconds / 60, seconds / 60, seconds / 60, "min", 1, "one run")
    each = results.Figure(seconds / options.submissions, seconds / options.submissions, seconds / options.submissions, "s", 1, "one run")
    print("wrote", results.record(
        "grading", {"batch_minutes": minutes, "seconds_per_submission": each}, folder=options.results, device="cpu",
        what="Time of grading a class's submissions in sandboxes, from the command to the feedback pages; 5 % hold an answer "
             "that loops, 5 % one that ends its process.",
        settings={"set": whole.name, "submissions": options.submissions, "questions": options.questions, "jobs": options.jobs,
                  "seed": options.seed, "time_limit_s": 5, "shares_of_other_answers": SHARES}))


if __name__ == "__main__":
    main()
