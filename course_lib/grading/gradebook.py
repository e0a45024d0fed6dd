"""What was graded, kept in SQLite; points by hand, late and partial credit merged; CSV for a course's own gradebook.

A row of `submission` is what one student handed in, graded against one version of the set, with one
set of limits: its key is a hash of all of these, so nothing is graded twice and nothing stale is used.
Points by hand and the policy are applied when the CSV is written: changing them grades nothing again.

The policy, a YAML file, every line of it optional:

    due: 2026-03-01T23:59:00+01:00
    grace_minutes: 15            # after `due`
    percent_per_day: 10          # taken off the score for each day begun
    days: 5                      # after so many days: nothing
    submitted: times.csv         # columns student,submitted (ISO); otherwise the time of the file
    extensions: {alice: 2026-03-08T23:59:00+01:00}
    visible_share: 0.5           # of a question's points, where all tests that students have pass and a hidden one fails
    secret: some words           # makes the per-student seeds unpredictable

Points by hand: a CSV with the columns student,question,points,comment. They replace what was computed.
"""
import csv
import datetime
import hashlib
import math
import sqlite3
from dataclasses import dataclass, field, fields
from pathlib import Path

from course_lib.grading.notebook import NotebookError, Set

_TABLES = """
create table if not exists submission (
    key text primary key, student text, exercise_set text, file text, submitted real, graded text, sandboxed integer);
create table if not exists result (
    key text, question text, status text, share real, visible integer, feedback text, private text, seconds real,
    primary key (key, question));
"""


STATUSES = {
    "ok": "right",
    "wrong": "runs, and a test failed",
    "crash": "stopped with an error",
    "timeout": "took longer than the limit",
    "died": "its process ended before the answer was there, or ran out of memory",
    "too big": "results larger than the grader takes",
    "not attempted": "the cell is as it was handed out",
    "missing": "the cell, or the submission, is not there",
    "unreadable": "the file is no notebook",
    "by hand": "an open question, waiting for its points",
    "graded": "points given by hand",
    "error": "the grader itself failed; no points can be given yet",
}


@dataclass(frozen=True)
class Result:
    """What became of one answer. share: of the points, 1 or 0. visible: do the tests that students have
    pass? feedback: for the student, holds nothing of a hidden test but its constant message.
    private: for the instructor; may hold text of the student's."""
    question: str
    status: str
    share: float = 0
    visible: bool = False
    feedback: str = ""
    private: str = ""
    seconds: float = 0


@dataclass(frozen=True)
class Policy:
    """Late and partial credit. Times have a zone; without one they are this machine's."""
    due: datetime.datetime | None = None
    grace_minutes: float = 0
    percent_per_day: float = 0
    days: float = math.inf
    submitted: str | None = None
    extensions: dict = field(default_factory=dict)
    visible_share: float = 0
    secret: str = ""
    times: dict = field(default_factory=dict)

    def kept(self, student: str, handed_in: float) -> float:
        """The share of the score that is kept for a submission of that time (seconds since 1970)."""
        due = self.extensions.get(student, self.due)
        if due is None:
            return 1.0
        late = self.times.get(student, handed_in) - due.timestamp()
        if late <= self.grace_minutes * 60:
            return 1.0
        days = math.ceil(late / 86400)
        return 0.0 if days > self.days else round(max(0.0, 1 - self.percent_per_day / 100 * days), 6)


def read_policy(path: Path | None) -> Policy:
    """Raises NotebookError, naming the line's key, for what is not a policy."""
    if path is None:
        return Policy()
    import yaml

    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NotebookError(f"{path}: {error}") from None
    known = [f.name for f in fields(Policy) if f.name != "times"]
    if not isinstance(said, dict) or set(said) - set(known):
        raise NotebookError(f"{path}: unknown {', '.join(map(str, set(said) - set(known))) if isinstance(said, dict) else 'form'}; "
                            f"a policy has {', '.join(known)}")
    for name in ("grace_minutes", "percent_per_day", "days", "visible_share"):
        top = {"percent_per_day": 100, "visible_share": 1}.get(name, math.inf)
        value = said.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= top:
            raise NotebookError(f"{path}: {name}: {value!r} is not a number from 0 to {top:g}")
    if "due" in said:
        said["due"] = _time(path, "due", said["due"])
    if not isinstance(said.get("extensions", {}), dict):
        raise NotebookError(f"{path}: extensions: write {{student: time, ...}}")
    said["extensions"] = {str(name): _time(path, f"extensions, {name}", value) for name, value in said.get("extensions", {}).items()}
    said["secret"] = str(said.get("secret", ""))
    if said.get("submitted"):
        rows = _read(path.parent / str(said["submitted"]), ["student", "submitted"])
        said["times"] = {row["student"]: _time(path, f"submitted, {row['student']}", row["submitted"]).timestamp() for row in rows}
    return Policy(**said)


def _time(path, name, value) -> datetime.datetime:
    try:
        if not isinstance(value, datetime.datetime):
            value = datetime.datetime.fromisoformat(str(value))
    except ValueError:
        raise NotebookError(f"{path}: {name}: {value!r} is not a time like 2026-03-01T23:59:00+01:00") from None
    return value.astimezone() if value.tzinfo is None else value


def _read(path, columns) -> list[dict]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise NotebookError(f"{path}: {error}") from None
    for number, row in enumerate(rows, 2):
        if any(not isinstance(row.get(name), str) for name in columns):
            raise NotebookError(f"{path}, line {number}: the columns are {', '.join(columns)}")
    return [{name: value.strip() for name, value in row.items() if isinstance(value, str)} for row in rows]


def read_manual(path: Path | None, set: Set) -> dict[tuple[str, str], tuple[float, str]]:
    """{(student, question): (points, comment)}; of two lines for one question the later one counts."""
    found = {}
    for number, row in enumerate(_read(path, ["student", "question", "points", "comment"]) if path else (), 2):
        question = set.questions.get(row["question"])
        try:
            points = float(row["points"])
        except ValueError:
            points = math.nan
        if question is None or not 0 <= points <= question.points:
            raise NotebookError(f"{path}, line {number}: " + (
                f"{set.name} has no question {row['question']!r}" if question is None else
                f"{row['points']!r} is not a number from 0 to {question.points}"))
        found[row["student"], row["question"]] = points, row["comment"]
    return found


# ---- what is kept -------------------------------------------------------------------------------


class Gradebook:
    """The database; it is written after each submission."""

    def __init__(self, path: Path | str):
        try:
            self.database = sqlite3.connect(path)
            self.database.executescript(_TABLES)
        except sqlite3.Error as error:
            raise NotebookError(f"{path}: {error}; give --db the name of a new file") from None

    def has(self, key: str) -> bool:
        """Is it graded? Not where the grader itself failed."""
        return self.database.execute("select 1 from submission where key = ? and not exists (select 1 from result where "
                                     "result.key = submission.key and status = 'error')", [key]).fetchone() is not None

    def add(self, key, student, exercise_set, file, submitted, sandboxed, results: list[Result]) -> None:
        with self.database:       # one transaction: a submission is there whole or not at all
            self.database.execute("insert or replace into submission values (?, ?, ?, ?, ?, ?, ?)", [
                key, student, exercise_set, file, submitted, datetime.datetime.now().astimezone().isoformat(timespec="seconds"), sandboxed])
            for r in results:
                self.database.execute("insert or replace into result values (?, ?, ?, ?, ?, ?, ?, ?)", [
                    key, r.question, r.status, r.share, r.visible, r.feedback, r.private, r.seconds])

    def results(self, key: str) -> dict[str, Result]:
        rows = self.database.execute("select question, status, share, visible, feedback, private, seconds from result "
                                     "where key = ?", [key])
        return {row[0]: Result(row[0], row[1], row[2], bool(row[3]), *row[4:]) for row in rows}

    def close(self):
        self.database.close()


# ---- what is given out --------------------------------------------------------------------------


@dataclass(frozen=True)
class Grade:
    """A student's row. points: by question, None where a grade is still to come. kept: after lateness."""
    student: str
    points: dict[str, float | None]
    status: dict[str, str]
    feedback: dict[str, str]
    kept: float

    @property
    def score(self) -> float:
        return round(sum(points or 0 for points in self.points.values()) * self.kept, 2)


def grade_of(student: str, handed_in: float, results: dict[str, Result], set: Set, policy: Policy, manual: dict) -> Grade:
    points, status, feedback = {}, {}, {}
    for id, question in set.questions.items():
        result = results[id]
        share = result.share or (policy.visible_share if result.visible else 0)
        points[id] = None if result.status in ("by hand", "error") else round(share * question.points, 2)
        status[id], feedback[id] = result.status, result.feedback
        if (student, id) in manual:
            points[id], comment = manual[student, id]
            status[id], feedback[id] = "graded", comment or feedback[id]
    return Grade(student, points, status, feedback, policy.kept(student, handed_in))


def write_csv(path: Path, grades: list[Grade], set: Set) -> list[Path]:
    """Two files. `path`: for people, and for Moodle, whose import asks which column is the user (`Student`)
    and which the grade (`Score`). Beside it NAME_canvas.csv, as Canvas's importer asks for (its
    lib/gradebook_importer.rb, 2026): these columns to Section, a column for the assignment, a row whose
    first cell says Points Possible. The student is the SIS Login ID.
    """
    header = ["Student", "Score", "Points possible", "Kept after lateness", "Still to grade"]
    header += [text for id in set.questions for text in (id, f"{id} status")]
    rows = [[g.student, g.score, set.points, g.kept, " ".join(id for id, points in g.points.items() if points is None),
             *(x for id in set.questions for x in ("" if g.points[id] is None else g.points[id], g.status[id]))] for g in grades]
    canvas = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", set.name]
    points = [["    Points Possible", "", "", "", "", set.points]]
    other = path.with_name(path.stem + "_canvas.csv")
    _write(path, [header, *rows])
    _write(other, [canvas, *points, *([g.student, "", "", g.student, "", g.score] for g in grades)])
    return [path, other]


def _write(path, rows):
    part = path.with_name(path.name + ".part")
    with open(part, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([[_cell(value) for value in row] for row in rows])
    part.replace(path)


def _cell(value):
    """A text that a spreadsheet would run as a formula gets an apostrophe in front; 7.0 is 7."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def key_of(*parts) -> str:
    """One hash of all parts: bytes, or anything with a faithful repr."""
    digest = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
