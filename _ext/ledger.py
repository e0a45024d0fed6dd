"""What the posts claimed: reading `book/claims/*.yaml`, and deciding each claim by its own rule.

A claim is decided in one of three ways, written before anything was measured:

    by: measuring   `holds` and `partly` are expressions over value, low and high; neither: "no"
    by: sources     a person reads the named references and writes the verdict and why
    by: none        it cannot be tested here; the rule says why

`result` names where our value comes from: `notebooks/NN.ipynb::key` (a value glued by a lesson) or
`results/<benchmark>/<hardware>.json::figure` (a recorded file). The first one named decides.
"""

import ast
import functools
import json
import math
import operator
import re
from pathlib import Path

import yaml

from course_lib import results

ROOT = Path(__file__).resolve().parent.parent
KINDS = {"measurement", "mechanism", "history", "prediction", "advice"}
VERDICTS = {
    "holds": "holds",
    "partly": "holds partly",
    "no": "no longer holds",
    "untestable": "cannot be tested here",
    "pending": "not measured yet",
}
ALWAYS = {"id", "section", "claim", "kind", "year", "machine", "rule"}
FIELDS = {"measuring": {"metric", "result"}, "sources": {"sources", "verdict", "why"}, "none": set()}
RULE = {"measuring": {"holds", "partly"}, "sources": {"holds", "partly"}, "none": {"why"}}


class LedgerError(ValueError):
    """A claims file, a rule or a result key that cannot be used; the message says which and why."""


def in_role(run):
    """For a role's `run`: a LedgerError is logged with page and line instead of ending the build there."""

    @functools.wraps(run)
    def reported(role):
        from docutils import nodes
        from sphinx.util import logging

        try:
            return run(role)
        except (LedgerError, ValueError) as error:
            logging.getLogger(__name__).error("{%s}: %s", role.name, error, location=role.get_location())
            return [nodes.literal("", role.text)], []

    return reported


def in_directive(run):
    """For a directive's `run`: as `in_role`."""

    @functools.wraps(run)
    def reported(directive):
        try:
            return run(directive)
        except (LedgerError, ValueError) as error:
            raise directive.error(f"{{{directive.name}}}: {error}") from error

    return reported


def load(path):
    """The claims file at `path` as a dictionary, every entry checked."""
    path = Path(path)
    if not path.is_file():
        raise LedgerError(f"there is no {path.name} in {path.parent.name}/")
    try:
        ledger = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise LedgerError(f"{path.name}: not valid YAML: {error}") from error
    if not isinstance(ledger, dict) or set(ledger) != {"chapter", "post", "status", "claims"}:
        raise LedgerError(f"{path.name}: the keys must be chapter, post, status and claims")
    if ledger["chapter"] != path.stem:
        raise LedgerError(f"{path.name}: chapter is {ledger['chapter']!r}, must be {path.stem!r}")
    if ledger["status"] not in ("planned", "finished"):
        raise LedgerError(f"{path.name}: status must be planned or finished")
    if not isinstance(ledger["claims"], list) or not ledger["claims"]:
        raise LedgerError(f"{path.name}: claims must be a list with at least one claim")
    seen = set()
    for claim in ledger["claims"]:
        if not isinstance(claim, dict):
            raise LedgerError(f"{path.name}: a claim must have fields, this is {claim!r}")
        where = f"{path.name}, claim {claim.get('id')!r}"
        _check(claim, where)
        if claim["id"] in seen:
            raise LedgerError(f"{where}: this id is used twice")
        seen.add(claim["id"])
        if ledger["status"] == "finished" and decide(claim) == "pending":
            raise LedgerError(f"{where}: the chapter is finished, but the claim is not decided")
    return ledger


def load_all(folder=None):
    return [load(path) for path in sorted(Path(folder or ROOT / "book" / "claims").glob("*.yaml"))]


def decide(claim, root=None):
    """The verdict on a claim, a key of VERDICTS: computed from its rule and our value."""
    rule = claim["rule"]
    if rule["by"] == "none":
        return "untestable"
    if rule["by"] == "sources":
        return claim["verdict"] or "pending"
    if not claim["result"]:
        return "pending"
    figure = resolve(next(iter(claim["result"].values())), root)
    for verdict in ("holds", "partly"):
        if verdict in rule and evaluate(rule[verdict], figure):
            return verdict
    return "no"


def resolve(key, root=None):
    """Our value for a result key: a dictionary with value, low, high (equal where no interval) and unit."""
    path, _, name = key.partition("::")
    root = Path(root or ROOT).resolve()
    file = (root / path).resolve()
    if not name or not file.is_file() or not file.is_relative_to(root):
        raise LedgerError(f"result key {key!r}: there is no such file; expected PATH::NAME")
    try:
        if file.suffix == ".ipynb":
            figure = _glued(str(file), file.stat().st_mtime_ns, name)
        else:
            figure = vars(results.read(file).figures[name])
    except KeyError:
        figure = None
    except (ValueError, TypeError, AttributeError, SyntaxError, RecursionError) as error:
        raise LedgerError(f"result key {key!r}: {error}") from error
    if figure is None:
        raise LedgerError(f"result key {key!r}: nothing of this name is recorded in {path}")
    if not isinstance(figure, dict):
        figure = {"value": figure}
    value = figure.get("value")
    figure = {"low": value, "high": value, "unit": "", **{k: v for k, v in figure.items() if v is not None}}
    numbers = [figure.get(k) for k in ("low", "value", "high")]
    if all(isinstance(x, (int, float)) for x in numbers):
        if not all(map(math.isfinite, numbers)) or sorted(numbers) != numbers:
            raise LedgerError(f"result key {key!r}: {numbers} are not finite numbers, low to high")
    elif not isinstance(value, str):
        raise LedgerError(f"result key {key!r}: {value!r} is neither a number, a truth nor a text")
    return figure


def evaluate(expression, figure):
    """Whether `expression` ("low >= 1.1 and value < 2") is true of a figure. Nothing else is run."""
    names = {"true": True, "false": False, **{k: figure[k] for k in ("value", "low", "high")}}
    compare = {ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Lt: operator.lt, ast.LtE: operator.le,
               ast.Eq: operator.eq, ast.NotEq: operator.ne}  # fmt: skip
    compute = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}

    def walk(node):
        match node:
            case ast.Expression(body=body):
                return walk(body)
            case ast.Constant(value=bool() | int() | float() as constant):
                return constant
            case ast.Name(id=name) if name in names:
                return names[name]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -walk(operand)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not walk(operand)
            case ast.BoolOp(op=ast.And(), values=values):
                return all([walk(value) for value in values])  # a list: each operand is checked
            case ast.BoolOp(op=ast.Or(), values=values):
                return any([walk(value) for value in values])
            case ast.BinOp(left=left, op=op, right=right) if type(op) in compute:
                return compute[type(op)](walk(left), walk(right))
            case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]):
                return abs(walk(argument))
            case ast.Compare(left=left, ops=ops, comparators=rest) if all(type(o) in compare for o in ops):
                values = [walk(left), *map(walk, rest)]
                return all(compare[type(o)](a, b) for o, a, b in zip(ops, values, values[1:]))
        raise LedgerError(f"rule {expression!r}: only value, low, high, numbers, abs and comparisons")

    try:
        tree = ast.parse(str(expression), mode="eval")
        result = walk(tree)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        if isinstance(error, LedgerError):
            raise
        raise LedgerError(f"rule {expression!r}: not an expression") from error
    except (TypeError, ArithmeticError) as error:
        raise LedgerError(f"rule {expression!r}: cannot be computed: {error}") from error
    if not isinstance(result, bool):
        raise LedgerError(f"rule {expression!r}: must be true or false, not {result!r}")
    return result


def _check(claim, where):
    if missing := ALWAYS - set(claim):
        raise LedgerError(f"{where}: missing {sorted(missing)}")
    rule = claim["rule"]
    if not isinstance(rule, dict):
        raise LedgerError(f"{where}: the rule must have fields: by, holds, partly")
    if not isinstance(claim["id"], str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", claim["id"]):
        raise LedgerError(f"{where}: an id is lower-case words joined by hyphens; it becomes an address")
    by = rule.get("by")
    if by not in FIELDS:
        raise LedgerError(f"{where}: rule.by must be one of {sorted(FIELDS)}, not {by!r}")
    if extra := set(claim) - ALWAYS - FIELDS[by]:
        raise LedgerError(f"{where}: {sorted(extra)} has no meaning where a claim is decided by {by}")
    if missing := FIELDS[by] - set(claim):
        raise LedgerError(f"{where}: missing {sorted(missing)}, needed where a claim is decided by {by}")
    if set(rule) - {"by"} - RULE[by] or ("holds" in RULE[by] and "holds" not in rule):
        raise LedgerError(f"{where}: the rule needs {sorted(RULE[by])} (partly may be left out)")
    if claim["kind"] not in KINDS:
        raise LedgerError(f"{where}: kind must be one of {sorted(KINDS)}")
    if not isinstance(claim["year"], int):
        raise LedgerError(f"{where}: year must be a whole number")
    for field in ("section", "claim"):
        if not isinstance(claim[field], str) or not claim[field].strip():
            raise LedgerError(f"{where}: {field} is empty")
    if "$" in claim["claim"] + str(rule):
        raise LedgerError(f"{where}: write dollars as USD, since $ begins a formula")
    if by == "measuring":
        if claim["result"] is not None and (not isinstance(claim["result"], dict) or not claim["result"]
                                            or set(claim["result"]) - {"cpu", "gpu"}):
            raise LedgerError(f"{where}: result must be null or have the keys cpu, gpu")
        for name in ("holds", "partly"):
            if name in rule:
                evaluate(rule[name], {"value": 1.0, "low": 1.0, "high": 1.0})
    elif by == "none" and not rule.get("why"):
        raise LedgerError(f"{where}: say in the rule why it cannot be tested")
    elif by == "sources" and claim["verdict"] not in (None, "holds", "partly", "no"):
        raise LedgerError(f"{where}: verdict must be holds, partly or no, not {claim['verdict']!r}")
    elif by == "sources" and claim["verdict"] and not (claim["sources"] and claim["why"]):
        raise LedgerError(f"{where}: a verdict by sources names them and says why")


def _glued(path, changed, name):
    content = _glued_texts(path, changed).get(name)
    return None if content is None else ast.literal_eval(content)


@functools.lru_cache(maxsize=64)  # a lesson with its pictures is megabytes, and is asked for many values
def _glued_texts(path, changed):
    """{name: text of the value} of all that the lesson at `path`, last changed then, has glued."""
    found = {}
    for cell in json.loads(Path(path).read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", []):
            name = output.get("metadata", {}).get("scrapbook", {}).get("name")
            for mime, content in output.get("data", {}).items() if name else ():
                if mime.endswith("text/plain"):
                    found.setdefault(name, "".join(content))
    return found
