"""The trusted side of a submission: runs each answer in the sandbox, a judge beside it, and holds both to the limits."""
import json
import os
import re
import select
import signal
import socket
import sys
import time
import types
from dataclasses import replace

import torch

from course_lib.grading.gradebook import Result
from course_lib.grading.judge import ENDED, Verdict, judge, seed_all
from course_lib.grading.names import bound, observations
from course_lib.grading.notebook import NotebookError, Set
from course_lib.grading.remote import Peer
from course_lib.grading.sandbox import Limits, Sandbox, SandboxError, imports, modules

MODULE = "course_set"


class Referee:
    """Grades answers of one set with one seed, in this process and its children.

    Setup cells and reference answers are run here: call it in a process of its own. Raises
    NotebookError where they fail.
    """

    def __init__(self, set: Set, limits: Limits = Limits(), seed: int = 0, unsandboxed: bool = False):
        self.set, self.limits, self.unsandboxed, self.seed = set, limits, unsandboxed, seed
        self.sandbox = None
        self.imports = [pair for pair in imports(set) if pair[0].partition(".")[0] == "course_lib"]
        os.environ["COURSE_STUDENT_SEED"] = str(seed)
        torch.set_num_threads(1)
        seed_all()
        module = sys.modules[MODULE] = types.ModuleType(MODULE)
        for source in set.setup:
            self._execute(source, vars(module), "a setup cell")
        self.names = vars(module)
        self.references, self.known = dict(self.names), []      # after the reference answers so far; their ids

    def close(self):
        if self.sandbox:
            self.sandbox.close()
            self.sandbox = None

    def grade(self, answers: list[tuple[str, str | None, list[str]]]) -> list[Result]:
        """Grade (question id, answer, further cells of the student); an answer of None is one that is not there.

        What a run says is for the student to read, and what it leaves in a corner of the sandbox the next one may find.
        So all answers are first run without hidden lines. Those that pass are then run with them, and of these runs
        nothing is shown but the constant message of an assert.
        """
        results = [self._or_error(id, self._shown, id, answer, helpers) for id, answer, helpers in answers]
        for i, (id, answer, helpers) in enumerate(answers):
            if results[i].status == "ok" and _hides(self.set.questions[id]):
                results[i] = self._or_error(id, self._hidden, id, answer, helpers)
        return results

    def _or_error(self, id, run, *arguments) -> Result:
        try:
            return run(*arguments)
        except (NotebookError, SandboxError):
            raise
        except Exception as error:      # a fault of ours: this question alone, and a new sandbox for the next
            self.close()
            return Result(id, "error", feedback="Not graded yet.", private=f"{type(error).__name__}: {error}")

    def _shown(self, id, answer, helpers) -> Result:
        """Graded without the hidden lines of the observe cell: those of the check cell are never in the sandbox."""
        question = self.set.questions[id]
        if answer is None:
            return Result(id, "missing", feedback="The cell of this exercise is not in the notebook.")
        if _code(answer) == _code(question.stub):
            return Result(id, "not attempted", feedback="Not attempted.")
        check = question.check_visible if _hides(question) else question.check
        said = self._run(question, answer, helpers, question.observe_visible, check, question.check_visible)
        if said.status == "wrong" and said.visible is None:
            return _failed_hidden(id, said)
        if said.status == "crash" and said.message == f"NotImplementedError: {id}: your code here":
            return Result(id, "not attempted", feedback="Not attempted.", seconds=said.seconds)
        text = {"ok": "Right.", "wrong": said.visible}.get(said.status, said.message)
        return Result(id, said.status, float(said.status == "ok"), said.status == "ok", text, said.private or said.message, said.seconds)

    def _hidden(self, id, answer, helpers) -> Result:
        question = self.set.questions[id]
        said = self._run(question, answer, helpers, question.observe, question.check, question.check_visible)
        return Result(id, "ok", 1, True, "Right.", seconds=said.seconds) if said.status == "ok" else _failed_hidden(id, said)

    # ---- the other answers ----

    def _execute(self, source, names, what):
        try:
            exec(compile(source, f"<{what}>", "exec", dont_inherit=True), names)
        except Exception as error:
            raise NotebookError(f"{self.set.path}: {what} stops with {type(error).__name__}: {error}") from error

    def _earlier(self, id, text) -> dict:
        """Reference answers of earlier questions by the names that occur in `text`."""
        before = [q for q in list(self.set.questions.values())[:list(self.set.questions).index(id)] if q.exercise]
        words = set(re.findall(r"\w+", text))
        wanted = set().union(*(bound(q.exercise) for q in before)) & words
        if not wanted:
            return {}
        if not self.known == [q.id for q in before][:len(self.known)]:      # asked for an earlier question again
            self.references, self.known = dict(self.names), []
        for q in before[len(self.known):]:
            self._execute(q.exercise, self.references, f"the reference answer of {q.id}")
            self.known.append(q.id)
        return {name: self.references[name] for name in sorted(wanted)
                if name in self.references and not isinstance(self.references[name], types.ModuleType)}

    # ---- one run ----

    def _run(self, question, answer, helpers, observe, check, check_visible) -> Verdict:
        """Run once; a second time where it ended for a reason that may not be the answer's own: killed for want of memory."""
        for _ in range(2):
            verdict, killed = self._run_once(question, answer, helpers, observe, check, check_visible)
            if not killed:
                break
        if verdict.status == "error":
            raise NotebookError(f"{self.set.path}: {question.id}: {verdict.message}")
        return verdict

    def _run_once(self, question, answer, helpers, observe, check, check_visible):
        earlier = self._earlier(question.id, "\n".join([answer, observe, *helpers]))
        job = {"seed": self.seed, "setup": self.set.setup, "earlier": earlier, "imports": self.imports,
               "helpers": list(helpers), "answer": answer, "observe": observe, "wanted": observations(observe, check)}
        self.sandbox = self.sandbox or Sandbox(self.limits, modules(self.set), self.unsandboxed)
        ours, theirs = socket.socketpair()
        report, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                theirs.close()
                os.close(report)
                judge(Peer(ours, MODULE), job, dict(self.names), check, check_visible, write, self.limits)
            finally:
                os._exit(1)
        ours.close()
        os.close(write)
        try:
            self.sandbox.start(theirs)
            theirs.close()
            return self._watch(pid, report)
        except OSError:
            theirs.close()
            self.close()
            return Verdict("died", ENDED), True
        finally:
            os.close(report)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(pid, 0)

    def _watch(self, pid, report) -> tuple[Verdict, bool]:
        """Wait for judge and sandbox, hold them to the limits. (verdict, did the kernel or another process kill it)."""
        limits, ended, said, phase, why = self.limits, None, b"", b"", None
        control = self.sandbox.control
        deadline, watched = time.monotonic() + 120, [report, control]      # setup cells first

        def within(seconds):
            return min(deadline, time.monotonic() + seconds)
        idle, before, looked = 0.0, None, time.monotonic()
        while watched and time.monotonic() < deadline + 10:
            readable, _, _ = select.select(watched, [], [], 0.2)
            if report in readable:
                part = os.read(report, 65536)
                said += part
                if phase != said.partition(b"{")[0]:
                    phase = said.partition(b"{")[0]
                    deadline = time.monotonic() + (20 * limits.seconds if phase == b"r" else 30 + 10 * limits.seconds)
                if not part:
                    watched.remove(report)
                    if self.sandbox:
                        self.sandbox.stop()
                    deadline = within(0)
            if control in readable:
                ended = self.sandbox.ended()
                watched.remove(control)
                if ended is None:
                    self.close()
                if b"c" not in phase:
                    deadline = within(0)        # the judge finds its connection closed
            if why is None and control in watched and report in watched and b"c" not in phase:
                used, cpu, busy = self.sandbox.look()
                before = cpu if before is None else before
                now, since = time.monotonic(), looked
                looked = now
                # Waiting for a processor is not the answer's fault; waiting for nothing is.
                if phase == b"r" and not busy and not _busy(pid):
                    idle += now - since
                if used > limits.memory:
                    why = f"It used more than {limits.memory / 2**30:.3g} GB of memory."
                elif idle > 2 * limits.seconds or now > deadline or phase == b"r" and cpu - before > 2 * limits.seconds + 1:
                    why = self._late()
                if why:
                    self.sandbox.stop()
        try:
            verdict = Verdict(**json.loads(said[said.index(b"{"):]))
        except (ValueError, TypeError):
            verdict = Verdict("died", "The tests did not finish on these results." if b"c" in phase else ENDED)
        if ended is None:
            self.close()        # it was killed, or does not answer: the next question gets a new one
            ended = {"exit": -signal.SIGKILL, "cpu": 0}
        verdict = replace(verdict, seconds=round(ended["cpu"], 3))
        if verdict.status != "died":
            return verdict, False
        if why is None and (ended["exit"] == -signal.SIGXCPU or ended["cpu"] > limits.seconds):
            why = self._late()
        if why:
            return replace(verdict, status="timeout" if why == self._late() else "died", message=why), False
        return verdict, ended["exit"] == -signal.SIGKILL

    def _late(self):
        return f"It took longer than {self.limits.seconds:g} seconds."


def _busy(pid) -> bool:
    """Does the process run, or wait for a processor or a disk?"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] in (b"R", b"D")
    except OSError:
        return False


def _hides(question) -> bool:
    return "### BEGIN HIDDEN" in question.observe


def _failed_hidden(id, said) -> Result:
    text = f"A hidden test failed: {said.constant}" if said.constant else "A hidden test failed."
    return Result(id, said.status, visible=True, feedback=text, private=said.message, seconds=said.seconds)


def _code(source) -> list[str]:
    return [line.strip() for line in source.split("\n") if line.strip()]
