"""SQL from a model, run where it can do no harm, and judged by what it returns.

A predicted query counts as right where it returns what the gold query returns, on every database it is
tried on (execution accuracy; several databases, so that a wrong query is seldom right by chance: the
test suites of Zhong, Yu and Klein 2020). Rows are compared in order where the gold query orders them.
Built in the chapter "Encoder-decoders".
"""
import math
import re
import sqlite3
from collections import Counter
from functools import lru_cache
from pathlib import Path

STEPS = 20_000_000  # of SQLite's virtual machine: about 0.1 s of the simplest ones
ROWS = 10_000
NESTING = 1_000_000  # copies that SQLite may make of a part of a query while it compiles it, at the most
_LIMITS = {sqlite3.SQLITE_LIMIT_LENGTH: 100_000, sqlite3.SQLITE_LIMIT_SQL_LENGTH: 10_000,
           sqlite3.SQLITE_LIMIT_COLUMN: 100, sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
           sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100, sqlite3.SQLITE_LIMIT_ATTACHED: 0}
_READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}


class SQLError(ValueError):
    """SQL that cannot be run, or must not be; the message says why."""


class Database:
    """A SQLite database that can be read and in no way changed.

    Three guards: the connection is read-only, an authorizer lets SELECT pass and nothing else (no
    PRAGMA, no ATTACH), and a query that takes too many steps is stopped. Nesting is limited too, since
    compiling a query can take time and memory that double with every level.
    """

    def __init__(self, connection: sqlite3.Connection):
        self._connection = connection
        self._steps = 0
        connection.isolation_level = None  # else Python opens a transaction before a statement that writes
        connection.execute("PRAGMA query_only = ON")
        for limit, value in _LIMITS.items():
            connection.setlimit(limit, value)
        connection.set_authorizer(self._authorise)
        connection.set_progress_handler(self._step, 1_000)

    @classmethod
    def from_script(cls, script: str) -> "Database":
        """A database in memory, filled by `script`, a string of SQL statements that is trusted."""
        connection = sqlite3.connect(":memory:")
        connection.executescript(script)
        return cls(connection)

    @classmethod
    def from_file(cls, path: str | Path) -> "Database":
        """The SQLite file at `path`. Raises FileNotFoundError or, where it is not one, ValueError."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no database at {path}")
        database = cls(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True))
        try:
            database.run("SELECT COUNT(*) FROM sqlite_master")
        except SQLError as error:
            raise ValueError(f"{path} is not a SQLite database: {error}") from error
        return database

    def run(self, sql: str) -> list[tuple]:
        """The rows that one SELECT returns, at most `ROWS`, after at most `STEPS` steps.

        Raises SQLError for SQL that is wrong, writes, is more than one statement, or does not end.
        """
        self._steps = 0
        try:
            if isinstance(sql, str) and _nesting(sql) > NESTING:
                raise sqlite3.OperationalError("too deeply nested")
            cursor = self._connection.execute(sql)
            rows = cursor.fetchmany(ROWS + 1)
            if cursor.description is None:
                raise sqlite3.OperationalError("not authorized" if sql.strip() else "no SQL")
        except (sqlite3.Error, sqlite3.Warning, ValueError, TypeError) as error:
            reason = str(error)
            if self._steps > STEPS:
                reason = f"stopped after {STEPS:,} steps: it would run for very long, or for ever"
            elif any(words in reason for words in ("not authorized", "authorization denied", "readonly")):
                reason = "refused: only SELECT is allowed, nothing that writes or changes settings"
            raise SQLError(f"{reason}: {str(sql)[:200]}") from error
        if len(rows) > ROWS:
            raise SQLError(f"stopped after {ROWS:,} rows: {sql[:200]}")
        return rows

    @staticmethod
    def _authorise(action, *_):
        return sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY

    def _step(self):
        self._steps += 1_000
        return self._steps > STEPS


def execution_accuracy(predictions: list[str], golds: list[str], databases: list[Database]) -> float:
    """Share of the predicted queries, from 0 to 1, that `judge` finds right.

    Raises ValueError for lists of unequal length or without a query, and as `judge` does.
    """
    if len(predictions) != len(golds) or not golds:
        raise ValueError(f"{len(predictions)} predictions for {len(golds)} gold queries; each needs one")
    return sum(judge(p, g, databases) == "right" for p, g in zip(predictions, golds)) / len(golds)


def judge(prediction: str, gold: str, databases: list[Database]) -> str:
    """"right", "wrong result", or why SQLite did not run the prediction.

    Right means: on every database the same rows as the gold query, columns in its order; rows in its
    order if it has an ORDER BY, in any order if not. Numbers are equal up to nine digits.
    Raises ValueError where the gold query fails or has an empty result on every database: any failed
    query would then be as right.
    """
    if not databases:
        raise ValueError("no database to judge on")
    try:
        expected = [_rows(database.run(gold)) for database in databases]
    except SQLError as error:
        raise ValueError(f"the gold query fails: {error}") from error
    if all(map(is_empty, expected)):
        raise ValueError(f"the gold query has an empty result on every database: {gold}")
    arrange = list if is_ordered(gold) else Counter
    for database, rows in zip(databases, expected):
        try:
            found = _rows(database.run(prediction))
        except SQLError as error:
            return str(error)
        if arrange(found) != arrange(rows):
            return "wrong result"
    return "right"


def is_empty(rows: list[tuple]) -> bool:
    """Whether a result says nothing: no rows, or only NULL (the average of none), or a count of none."""
    return all(value is None for row in rows for value in row) or rows == [(0,)]


def _rows(rows):
    return [tuple(float(f"{v:.9g}") if isinstance(v, float) else v for v in row) for row in rows]


_TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+(?:\.\w+)*|[<>!=|]+|\S")
_KEYWORDS = frozenset("""SELECT DISTINCT FROM JOIN LEFT INNER OUTER CROSS NATURAL ON AS WHERE AND OR NOT IN
    IS NULL BETWEEN LIKE EXISTS GROUP ORDER BY HAVING ASC DESC LIMIT OFFSET UNION ALL INTERSECT EXCEPT CASE
    WHEN THEN ELSE END COUNT SUM AVG MIN MAX""".split())


def skeleton(sql: str) -> str:
    """The shape of a query: keywords and operators stay, names become ``_`` and values ``?``."""
    def shape(token):
        if token[0] in "'\"" or token[0].isdigit():
            return "?"
        if token.upper() in _KEYWORDS:
            return token.upper()
        return "_" if token[0].isalpha() or token[0] == "_" else token

    return " ".join(map(shape, _TOKEN.findall(sql.rstrip(" ;"))))


@lru_cache(maxsize=4096)
def _nesting(sql: str) -> int:
    """A bound on what compiling can blow up: each SELECT may copy the one inside it for each name it uses."""
    _, *selects = skeleton(sql).split("SELECT")
    return math.prod(max(1, part.count("_") + part.count("?")) for part in selects)


def is_ordered(sql: str) -> bool:
    """Whether the outermost query has an ORDER BY."""
    depth, before = 0, ""
    for token in _TOKEN.findall(sql):
        depth += (token == "(") - (token == ")")
        if depth == 0 and before == "ORDER" and token.upper() == "BY":
            return True
        before = token.upper()
    return False
