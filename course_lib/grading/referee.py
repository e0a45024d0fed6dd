"""The trusted side of a question: hands the job to the sandbox, lends earlier answers, judges what comes back.

One forked process a question, so that whatever the data does to it (a shape that multiplies into
terabytes, say) ends there. The check cell is the instructor's own and sees setup names and
observations, nothing else.
"""
import ast
import ctypes
import json
import os
import random
import re
import resource
import select
import signal
import socket
import sys
import time
import traceback
import types
from dataclasses import dataclass, replace

import numpy as np
import torch

from course_lib.grading.gradebook import Result
from course_lib.grading.names import bound, observations
from course_lib.grading.notebook import NotebookError, Set
from course_lib.grading.remote import Peer
from course_lib.grading.sandbox import Limits, Sandbox, imports, modules
from course_lib.grading.transport import Decoder, Garbage, NotData, TooBig

MODULE = "course_set"
_ENDED = "The process ended before an answer was there."


@dataclass(frozen=True)
class _Verdict:
    """Of one run. message: may repeat observations. constant: of the failed assert, if it is a plain string."""
    status: str
    message: str = ""
    constant: str | None = None
    visible: str | None = None          # None: the visible tests pass; else what they say
    seconds: float = 0


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
        _seed_all()
        module = sys.modules[MODULE] = types.ModuleType(MODULE)
        for source in set.setup:
            self._execute(source, vars(module), "a setup cell")
        self.names = vars(module)
        self.references, self.known = dict(self.names), []      # after the reference answers so far; their ids

    def close(self):
        if self.sandbox:
            self.sandbox.close()
            self.sandbox = None

    def grade(self, id: str, answer: str | None, helpers: list[str] = ()) -> Result:
        """Grade the answer to a question; None: there is none. helpers: further cells of the student."""
        question = self.set.questions[id]
        if answer is None:
            return Result(id, "missing", feedback="The cell of this exercise is not in the notebook.")
        if _code(answer) == _code(question.stub):
            return Result(id, "not attempted", feedback="Not attempted.")
        full = self._run(question, answer, helpers, question.observe, question.check, question.check_visible)
        if full.status == "error":
            raise NotebookError(f"{self.set.path}: {id}: {full.message}")
        private = full.message
        if full.status == "ok":
            return Result(id, "ok", 1, True, "Right.", private, full.seconds)
        shown = full
        hidden = "### BEGIN HIDDEN" in question.observe and full.status not in ("timeout", "died")
        if hidden:
            # Text of a process that held hidden lines is not shown: once more, without them.
            shown = self._run(question, answer, helpers, question.observe_visible, question.check_visible, question.check_visible)
        if shown.status == "ok" or shown.status == "wrong" and shown.visible is None:
            constant = full.constant if full.status == "wrong" else None
            text = f"A hidden test failed: {constant}" if constant else "A hidden test failed."
            return Result(id, full.status, visible=True, feedback=text, private=private, seconds=full.seconds)
        text = shown.visible if shown.status == "wrong" else shown.message
        if full.status == "crash" and text == f"NotImplementedError: {id}: your code here":
            return Result(id, "not attempted", feedback="Not attempted.", seconds=full.seconds)
        return Result(id, full.status, feedback=text, private=private, seconds=full.seconds)

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

    def _run(self, question, answer, helpers, observe, check, check_visible) -> _Verdict:
        """Run once; a second time where it ended for a reason that may not be the answer's own: killed for want of memory."""
        for _ in range(2):
            verdict, killed = self._run_once(question, answer, helpers, observe, check, check_visible)
            if not killed:
                break
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
                _judge(Peer(ours, MODULE), job, dict(self.names), check, check_visible, write, self.limits)
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
            return _Verdict("died", _ENDED), True
        finally:
            os.close(report)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            os.waitpid(pid, 0)

    def _watch(self, pid, report) -> tuple[_Verdict, bool]:
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
            verdict = _Verdict(**json.loads(said[said.index(b"{"):]))
        except (ValueError, TypeError):
            verdict = _Verdict("died", "The tests did not finish on these results." if b"c" in phase else _ENDED)
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


# ---- the judge's process ------------------------------------------------------------------------


def _judge(peer, job, names, check, check_visible, report, limits) -> None:
    """Serve the sandbox until its observations are there, check them, write the verdict to `report`."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)      # PR_SET_PDEATHSIG: ends with the grader
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, [mapped + limits.memory + 2**30] * 2)
    _seed_all()
    try:
        peer.send("job", job, other=peer._lend)
        verdict = _listen(peer, names, check, check_visible, report)
    except NotData as error:
        verdict = _Verdict("error", f"An earlier reference answer cannot be lent: {error}")
    except (Garbage, TooBig):
        verdict = _Verdict("died", "What came back was not readable.")
    except (EOFError, OSError):
        verdict = _Verdict("died", _ENDED)
    os.write(report, json.dumps(vars(verdict)).encode())
    os._exit(0)


def _listen(peer, names, check, check_visible, report) -> _Verdict:
    ready = False
    while True:
        kind, nodes, decoder = peer.receive(peer._stand_in)
        if kind == "ready" and not ready:
            ready = True
            os.write(report, b"r")
        elif kind == "crash":
            name, text, line, _ = (decoder(node) for node in _four(nodes))
            text = f"{_line(name, 100)}: {_line(text)}" if text else _line(name, 100)
            return _Verdict("crash", text + (f" (line {line} of your cell)" if type(line) is int else ""))
        elif kind == "too big":
            return _Verdict("too big", f"The results are larger than the grader takes: {_line(str(decoder(nodes[0])))}.")
        elif kind == "observations":
            os.write(report, b"c")
            peer.sock.close()
            return _check(names, nodes, decoder.blobs, check, check_visible)
        else:
            peer.serve(kind, nodes, decoder)


def _four(nodes):
    if len(nodes) != 4:
        raise Garbage("not a crash")
    return nodes


def _check(names, nodes, blobs, check, check_visible) -> _Verdict:
    """Assert. Each time on freshly decoded observations: a check may change them."""
    def observations():
        if len(nodes) != 2:
            raise Garbage("not observations")
        observed, opaque = (Decoder(blobs)(node) for node in nodes)
        for part in (observed, opaque):
            if type(part) is not dict or not all(type(name) is str for name in part):
                raise Garbage("not observations")
        return observed, opaque

    def attempt(source):
        observed, opaque = observations()
        if opaque:
            name, text = next(iter(opaque.items()))
            return f"`{_line(name, 60)}`: {_line(str(text))}.", None
        space = names | observed
        try:
            exec(compile(source, "<check>", "exec", dont_inherit=True), space)
        except AssertionError as error:
            line = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<check>"][-1]
            return _line(str(error)) or "A test failed.", _constant(source, line)
        except Exception as error:
            if isinstance(error, NameError) and error.name not in space:
                return f"`{error.name}` was not computed.", None
            return f"The test could not use the result: {type(error).__name__}: {_line(str(error))}", None
        return None

    failed = attempt(check)
    if failed is None:
        return _Verdict("ok")
    seen = attempt(check_visible) if check != check_visible else failed
    return _Verdict("wrong", failed[0], failed[1], seen and seen[0])


def _constant(source, line) -> str | None:
    """The message of the assert at `line`, if it is a plain string: an f-string may hold what is expected."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assert) and node.lineno <= line <= node.end_lineno \
                and isinstance(node.msg, ast.Constant) and isinstance(node.msg.value, str):
            return _line(node.msg.value)
    return None


def _line(text, length=500) -> str:
    """Text of anybody's as one printable line."""
    text = "".join(c if c.isprintable() else " " for c in str(text)[:4 * length])
    text = re.sub(r" +", " ", text).strip()
    return text if len(text) <= length else text[:length] + " ..."


def _seed_all():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


def _code(source) -> list[str]:
    return [line.strip() for line in source.split("\n") if line.strip()]
