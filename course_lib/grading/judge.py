"""The judge: one forked process a question, outside the sandbox. It lends earlier answers and asserts on what comes back.

Whatever the data does to it (a shape that multiplies into terabytes, say) ends with the process. The
check cell is the instructor's own and sees setup names and observations, nothing else.
"""
import ast
import ctypes
import json
import os
import random
import re
import resource
import signal
import traceback
from dataclasses import dataclass

import numpy as np
import torch

from course_lib.grading.transport import Decoder, Garbage, NotData, TooBig

ENDED = "The process ended before an answer was there."


@dataclass(frozen=True)
class Verdict:
    """Of one run. message: may repeat observations. constant: of the failed assert, if it is a plain string.
    private: for the instructor, where that is another text."""
    status: str
    message: str = ""
    constant: str | None = None
    visible: str | None = None          # None: the visible tests pass; else what they say
    seconds: float = 0
    private: str = ""


def judge(peer, job, names, check, check_visible, report, limits) -> None:
    """Serve the sandbox until its observations are there, check them, write the verdict to `report`."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)      # PR_SET_PDEATHSIG: ends with the grader
    with open("/proc/self/statm") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, [mapped + limits.memory + 2**30] * 2)
    seed_all()
    try:
        peer.send("job", job, other=peer._lend)
        verdict = _listen(peer, names, job["wanted"], check, check_visible, report)
    except NotData as error:
        verdict = Verdict("error", f"An earlier reference answer cannot be lent: {error}")
    except (Garbage, TooBig):
        verdict = Verdict("died", "What came back was not readable.")
    except (EOFError, OSError):
        verdict = Verdict("died", ENDED)
    except Exception as error:      # what was sent is no message after all; or a fault of ours, which should be findable
        verdict = Verdict("died", "What came back was not readable.", private=f"{type(error).__name__}: {_line(error)}")
    os.write(report, json.dumps(vars(verdict)).encode())
    os._exit(0)


def _listen(peer, names, wanted, check, check_visible, report) -> Verdict:
    ready = False
    while True:
        kind, nodes, decoder = peer.receive(peer._stand_in)
        if kind == "ready" and not ready:
            ready = True
            os.write(report, b"r")
        elif kind == "crash":
            name, text, line, _ = (decoder(node) for node in _four(nodes))
            text = f"{_line(name, 100)}: {_line(text)}" if text else _line(name, 100)
            return Verdict("crash", text + (f" (line {line} of your cell)" if type(line) is int else ""))
        elif kind == "too big":
            return Verdict("too big", f"The results are larger than the grader takes: {_line(str(decoder(nodes[0])))}.")
        elif kind == "observations":
            os.write(report, b"c")
            peer.sock.close()
            return check_all(names, wanted, nodes, decoder.blobs, check, check_visible)
        else:
            peer.serve(kind, nodes, decoder)


def _four(nodes):
    if len(nodes) != 4:
        raise Garbage("not a crash")
    return nodes


def check_all(names, wanted, nodes, blobs, check, check_visible) -> Verdict:
    """Assert. Each time on freshly decoded observations, which a check may change, and with the same random numbers.

    Only observations of the `wanted` names count: another could stand in the place of the check's own.
    """
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
        space = names | {name: observed[name] for name in wanted if name in observed}
        seed_all()
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
        return Verdict("ok")
    seen = attempt(check_visible) if check != check_visible else failed
    return Verdict("wrong", failed[0], failed[1], seen and seen[0])


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


def seed_all():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
