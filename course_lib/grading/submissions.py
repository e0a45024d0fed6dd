"""What students hand in: which files there are, and what of a notebook is the student's own.

Names, links, sizes and contents are anybody's. A file that cannot be used is its student's problem,
never the batch's. No code of a notebook is run here. Standard library only.
"""
import ast
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from course_lib.grading.notebook import ID, MAX_BYTES, PLACEHOLDER, NotebookError, Set, read_cells

MAX_CODE = 2**19      # signs of code; parsing takes some 700 bytes for each
_ANSWER = re.compile(rf"#\s*exercise\s*:?\s*({ID})\b.*", re.IGNORECASE)
_WRITTEN = re.compile(rf"<!--+\s*answer\s*:\s*({ID})\s*--+>", re.IGNORECASE)
_OTHERS = re.compile(rf"#\s*(observe|check)\s*:\s*{ID}\b.*", re.IGNORECASE)
_MAGIC = re.compile(r"^([ \t]*)(?:%{1,2}[A-Za-z]|!).*$", re.MULTILINE)


@dataclass(frozen=True)
class Handed:
    """One student's submission. problem: why it cannot be read, with `data` empty."""
    student: str
    file: str = ""
    data: bytes = b""
    time: float = 0.0
    problem: str = ""
    status: str = "unreadable"


@dataclass(frozen=True)
class Submission:
    """What is in a student's notebook. answers: code by question id, as it stands there (perhaps still the
    stub). written: text of open questions by id, "" where nothing was written. helpers: the student's own
    code cells, in order."""
    answers: dict[str, str]
    written: dict[str, str]
    helpers: list[str]


def find_submissions(folder: Path, set: Set) -> list[Handed]:
    """What was handed in, by student; two of one name are a problem of that student's, not of the batch."""
    if not folder.is_dir():
        raise NotebookError(f"{folder}: no such folder")
    found = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        is_folder = entry.is_dir(follow_symlinks=False)
        if entry.name.startswith(".") or not (entry.name.endswith(".ipynb") or is_folder):
            continue
        student = _shown(entry.name.removesuffix(".ipynb"))
        one = (_from_folder if is_folder else _from_file)(student, entry.path, set)
        if student in found:
            one = Handed(student, problem=f"There are two submissions of this name: {found[student].file}, {one.file}.")
        found[student] = one
    if not found:
        raise NotebookError(f"{folder}: no submissions; it holds STUDENT.ipynb or STUDENT/{set.name}.ipynb")
    return list(found.values())


def _from_folder(student, path, set) -> Handed:
    try:
        names = sorted(name for name in os.listdir(path) if name.endswith(".ipynb") and not name.startswith("."))
    except OSError as error:
        return Handed(student, _shown(path), problem=f"The folder cannot be read: {os.strerror(error.errno)}.")
    wanted = [name for name in names if name == f"{set.name}.ipynb"] or names
    if len(wanted) != 1:
        problem = f"The folder holds {len(names)} notebooks, none of them {set.name}.ipynb." if names else "The folder holds no notebook."
        return Handed(student, _shown(path), problem=problem, status="unreadable" if names else "missing")
    return _from_file(student, os.path.join(path, wanted[0]), set)


def _from_file(student, path, set) -> Handed:
    """The bytes of a regular file: a link, a pipe or a device is not opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                return Handed(student, _shown(path), problem="This is no ordinary file.")
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        return Handed(student, _shown(path), problem=f"The file cannot be read: {os.strerror(error.errno)} (links are not followed).")
    return Handed(student, _shown(path), data, status.st_mtime)


def _shown(path) -> str:
    """The name of a file as text that every file and database takes."""
    return os.fsencode(os.path.basename(path)).decode("utf-8", "replace")


def read_submission(notebook: Path | bytes, set: Set, name: str = "notebook") -> Submission:
    """What is there of the student's own in a notebook, which may have lost its metadata, its order
    and its checks.

    Of two cells with one marker the later one counts, as it does when the notebook is run. A helper
    is a code cell without a marker that is not a setup cell of the set. Lines that only Jupyter
    understands (`%timeit`, `!ls`) become `pass`. Raises NotebookError for what is no notebook, and
    for more code than anybody writes.
    """
    answers, written, helpers, signs = {}, {}, [], 0
    setup = {_plain(source) for source in set.setup}
    for cell in read_cells(notebook, name):
        lines = (line.strip("\ufeff \t") for line in cell.source.split("\n"))
        first = next((line for line in lines if line and not (cell.type == "code" and line.startswith("%"))), "")[:200]
        if cell.type == "markdown":
            if mark := _WRITTEN.match(first):
                text = cell.source.partition("-->")[2].strip()
                written[mark[1].lower()] = "" if text == PLACEHOLDER else text
            continue
        mark = _ANSWER.fullmatch(first)
        if cell.type != "code" or not first or not mark and (_OTHERS.fullmatch(first) or _plain(cell.source) in setup):
            continue
        signs += len(cell.source)
        if signs > MAX_CODE:
            raise NotebookError(f"{name}: more than {MAX_CODE:,} signs of code; data belong into no cell")
        if mark:
            answers[mark[1].lower()] = _without_magics(cell.source)
        else:
            helpers.append(_without_magics(cell.source))
    return Submission({id: answers[id] for id in set.questions if id in answers},
                      {id: written[id] for id in set.questions if id in written}, helpers)


def _plain(source):
    return "\n".join(line.rstrip() for line in source.strip().split("\n"))


def _without_magics(source):
    """Magics as `pass`, where there are any and the source is no Python with them (a string may hold one)."""
    if _MAGIC.search(source):
        try:
            ast.parse(source)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return _MAGIC.sub(r"\1pass", source)
    return source
