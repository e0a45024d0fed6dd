"""Grade a folder of submissions.

    python -m course_lib.grading grade 02 SUBMISSIONS/ --csv grades.csv --db grades.sqlite

SUBMISSIONS holds `<student>.ipynb`, or a folder `<student>/` with the notebook of the set in it
(another name will do if it is the only one). The name of file or folder is the student's id. Links are
not followed. Each submission is graded in a process of its own, in a sandbox of its own (sandbox.py);
one that breaks anything breaks its own grade. Stopped and started again, it continues.
"""
import argparse
import hashlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import re
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from course_lib.grading import feedback, gradebook, sandbox
from course_lib.grading.gradebook import Result
from course_lib.grading.notebook import NotebookError, Set, find_set, read_set
from course_lib.grading.sandbox import Limits, SandboxError, modules
from course_lib.grading.submissions import Handed, find_submissions, read_submission

VERSION = 2        # raise it where a change gives other grades: everything is graded again


def with_private(set: Set, folder: Path | None) -> Set:
    """The set with the hidden tests of FOLDER/NN_name/qN.py added: code below the lines `# observe` and `# check`."""
    if folder is None:
        return set
    files = sorted((folder / set.name).glob("*.py"))
    if not files:
        raise NotebookError(f"{folder / set.name}: no private tests; they are files like q1.py")
    questions = dict(set.questions)
    for path in files:
        if path.stem not in questions or not questions[path.stem].check:
            raise NotebookError(f"{path}: {set.name} has no question {path.stem} that is graded by tests")
        parts = re.split(r"^# (observe|check)[ \t]*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        if len(parts) < 3 or len(parts) % 2 == 0:
            raise NotebookError(f"{path}: put the code below lines `# observe` and `# check`")
        question = questions[path.stem]
        for kind, code in zip(parts[1::2], parts[2::2]):
            source = f"{getattr(question, kind)}\n### BEGIN HIDDEN TESTS\n{code.strip()}\n### END HIDDEN TESTS"
            try:
                compile(source, str(path), "exec", dont_inherit=True)
            except SyntaxError as error:
                raise NotebookError(f"{path}, below `# {kind}`: not valid Python: {error.msg}") from None
            question = replace(question, **{kind: source})
        questions[path.stem] = question
    return replace(set, questions=questions)


def check_private(set: Set, limits: Limits, unsandboxed: bool) -> None:
    """Raises NotebookError where a reference answer does not pass: a slip in a private test would cost everybody the points."""
    coded = [(id, question.exercise) for id, question in set.questions.items() if question.exercise]
    for result in grade_answers(set, coded, limits, unsandboxed=unsandboxed):
        if result.status != "ok":
            raise NotebookError(f"with the private tests, the reference answer of {result.question} is {result.status}: {result.private}")


def student_seed(student: str, set: Set, secret: str) -> int:
    return int(hashlib.sha256(f"{secret}\0{set.name}\0{student}".encode("utf-8", "replace")).hexdigest()[:8], 16)


# ---- one submission, in a process of its own ----------------------------------------------------


def grade_answers(set: Set, answers: list[tuple[str, str]], limits: Limits = Limits(), seed: int = 0,
                  unsandboxed: bool = False) -> list[Result]:
    """Grade (question id, source) pairs, each for itself, in one sandbox: reference, stub and wrong answers of a set.

    Raises NotebookError where the set itself fails and SandboxError where there is no sandbox.
    """
    return _elsewhere(_answers, set, answers, limits, seed, unsandboxed)


def _answers(set, answers, limits, seed, unsandboxed):
    from course_lib.grading.referee import Referee      # here: the command itself does not need torch

    order = list(set.questions)
    by_question = sorted(range(len(answers)), key=lambda i: order.index(answers[i][0]))     # the references are run once
    referee = Referee(set, limits, seed, unsandboxed)
    try:
        results = dict(zip(by_question, referee.grade([(*answers[i], ()) for i in by_question])))
        return [results[i] for i in range(len(answers))]
    finally:
        referee.close()


def _submission(set, handed, limits, seed, unsandboxed):
    from course_lib.grading.referee import Referee

    try:
        there = read_submission(handed.data, set, handed.file)
    except (NotebookError, MemoryError, RecursionError) as error:
        return all_results(set, "unreadable", str(error) or "Reading the notebook takes too much memory.")
    coded = [id for id, question in set.questions.items() if not question.rubric]
    # What an earlier answer defines besides its answer counts as a helper of the later ones.
    answers = [(id, there.answers.get(id), [*there.helpers, *(there.answers[other] for other in coded[:i] if other in there.answers)])
               for i, id in enumerate(coded)]
    referee = Referee(set, limits, seed, unsandboxed)
    try:
        graded = {result.question: result for result in referee.grade(answers)}
    finally:
        referee.close()
    written = {id: there.written.get(id, "").strip() for id in set.questions}
    return [graded.get(id) or Result(id, "by hand" if written[id] else "missing", private=written[id]) for id in set.questions]


def all_results(set: Set, status: str, problem: str) -> list[Result]:
    return [Result(id, status, feedback=problem) for id in set.questions]


def failed(set: Set, problem: str) -> list[Result]:
    """No grade, and not the student's fault for all that is known: it is tried again the next time."""
    return [replace(result, private=problem) for result in all_results(set, "error", "Not graded yet.")]


def _server(imports):
    """Processes are forked from a server that has imported torch and started no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["course_lib.grading.grade", "course_lib.grading.referee", *imports])
    # The processes of the grader use one thread, and no GPU, which a forked process could not use.
    ours = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    # Ctrl-C is for the command, which ends the others: they inherit that it is blocked.
    multiprocessing.resource_tracker.ensure_running()       # which unblocks it
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        multiprocessing.forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
    return context


def _call(connection, function, arguments):
    try:
        reply = "ok", function(*arguments)
    except NotebookError as error:
        reply = "set", str(error)
    except SandboxError as error:
        reply = "sandbox", str(error)
    try:
        connection.send(reply)
    except BrokenPipeError:      # the command is gone
        pass


def _start(function, *arguments):
    context = _server(modules(arguments[0]))
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def _elsewhere(function, *arguments):
    process, connection = _start(function, *arguments)
    try:
        kind, value = connection.recv()
    except EOFError:
        raise RuntimeError("the grading process ended before it was done") from None
    finally:
        process.join(30)
    if kind != "ok":
        raise {"set": NotebookError, "sandbox": SandboxError}[kind](value)
    return value


# ---- all submissions ----------------------------------------------------------------------------


def grade_all(set: Set, submissions: list[tuple[str, Handed]], book, options, policy) -> None:
    """Grade what is not in the book yet, `options.jobs` at a time, and keep each as soon as it is there.

    Ctrl-C ends it with KeyboardInterrupt after a moment, never in the middle of starting a process.
    """
    from tqdm.auto import tqdm

    waiting = [(key, handed) for key, handed in submissions if not book.has(key)]
    running, patience = {}, 300 + len(set.questions) * (60 + 30 * options.time_limit)
    bar = tqdm(total=len(submissions), initial=len(submissions) - len(waiting), unit="submission", disable=None)

    def keep(key, handed, results):
        book.add(key, handed.student, set.name, handed.file, handed.time, not options.unsandboxed, results)
        bar.update()
    stopped = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        while (waiting or running) and not stopped.is_set():
            while waiting and len(running) < options.jobs:
                key, handed = waiting.pop(0)
                if handed.problem:
                    keep(key, handed, all_results(set, handed.status, handed.problem))
                    continue
                seed = student_seed(handed.student, set, policy.secret)
                process, connection = _start(_submission, set, handed, options.limits, seed, options.unsandboxed)
                running[connection] = process, key, handed, time.monotonic() + patience
            for connection in multiprocessing.connection.wait(list(running), timeout=0.2) if running else ():
                process, key, handed, _ = running.pop(connection)
                try:
                    kind, value = connection.recv()
                except (EOFError, OSError):
                    kind, value = "failed", "the process that graded it ended"
                process.join(30)
                if kind == "set":
                    raise NotebookError(value)
                keep(key, handed, value if kind == "ok" else failed(set, value))
            for connection, (process, key, handed, deadline) in list(running.items()):
                if time.monotonic() > deadline:
                    running.pop(connection)
                    process.kill()
                    process.join()
                    keep(key, handed, failed(set, "it took too long"))
        if stopped.is_set():
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)
        bar.close()
        for process, *_ in running.values():
            process.kill()
            process.join()


def memory(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([MG])B?", text.strip().upper())
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2G or 512M")
    return int(float(found[1]) * {"M": 2**20, "G": 2**30}[found[2]])


def positive(kind):
    def check(text):
        value = kind(text)
        if not value > 0:
            raise ValueError
        return value
    check.__name__ = f"positive {kind.__name__}"
    return check


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m course_lib.grading grade", description=__doc__,
                                  formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("set", metavar="NN", help="number or name of a set, or path of a source notebook")
    top.add_argument("submissions", type=Path, metavar="SUBMISSIONS")
    top.add_argument("--csv", type=Path, default=Path("grades.csv"), help="grades for people and Moodle; NAME_canvas.csv beside it (default: %(default)s)")
    top.add_argument("--db", type=Path, default=Path("grades.sqlite"), help="what was graded, with all messages (default: %(default)s)")
    top.add_argument("--feedback", type=Path, metavar="DIR", help="write a page for each student")
    top.add_argument("--private", type=Path, metavar="DIR", help="hidden tests that are not in the repository: DIR/NN_name/q1.py")
    top.add_argument("--jobs", type=positive(int), default=os.cpu_count() or 1, help="submissions at a time (default: the processors, %(default)s)")
    top.add_argument("--time-limit", type=positive(float), default=5, metavar="SECONDS", help="for an answer, of processor time (default: %(default)s)")
    top.add_argument("--memory", type=memory, default=2 * 2**30, metavar="2G", help="for an answer (default: 2G)")
    top.add_argument("--late", type=Path, metavar="POLICY.yaml", help="late and partial credit, the seeds' secret")
    top.add_argument("--manual", type=Path, metavar="POINTS.csv", help="points by hand: student,question,points,comment")
    top.add_argument("--unsandboxed", action="store_true", help="run students' code with your rights: only code that you have read")
    return top


def main(argv: list[str]) -> int:
    options = parser().parse_args(argv)
    options.limits = Limits(options.time_limit, options.memory)
    set = with_private(read_set(find_set(options.set)), options.private)
    policy, manual = gradebook.read_policy(options.late), gradebook.read_manual(options.manual, set)
    handed = find_submissions(options.submissions, set)
    if strangers := {student for student, _ in manual} - {one.student for one in handed}:
        print(f"{options.manual}: nothing was handed in by {', '.join(sorted(strangers))}", file=sys.stderr)
    if options.unsandboxed:
        print("Without a sandbox: students' code runs with your rights and can read and change your files.", file=sys.stderr)
    parts = [VERSION, set.name, set.setup, list(set.questions.values()), options.limits, options.unsandboxed, policy.secret]
    submissions = [(gradebook.key_of(*parts, one.student, one.problem, one.data), one) for one in handed]
    book = gradebook.Gradebook(options.db)
    try:
        if not all(book.has(key) for key, _ in submissions):
            if not options.unsandboxed and (problem := sandbox.probe()):
                raise SandboxError(problem)
            if options.private:
                check_private(set, options.limits, options.unsandboxed)
        grade_all(set, submissions, book, options, policy)
        grades = [gradebook.grade_of(one.student, one.time, book.results(key), set, policy, manual) for key, one in submissions]
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Stopped. What is graded is in {options.db}; the same command continues.", file=sys.stderr)
        return 130
    finally:
        book.close()
    written = gradebook.write_csv(options.csv, grades, set)
    if options.feedback:
        feedback.write(options.feedback, grades, set)
        written.append(options.feedback)
    counts = {}
    for grade in grades:
        for status in grade.status.values():
            counts[status] = counts.get(status, 0) + 1
    print(f"{len(grades)} submissions: " + ", ".join(f"{n} {status}" for status, n in sorted(counts.items(), key=lambda x: -x[1])))
    print(f"wrote {', '.join(map(str, written))}")
    return 0
