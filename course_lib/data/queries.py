"""Requests in English and their SQL: the work of the post's Boss2SQL.

A grammar writes requests about a chain of shops, each with the query that answers it. What a query
selects, which rows, and in what order are drawn independently, so that their combinations are many and
none is frequent; every query returns something on three databases of random contents. The same
functions read GeoQuery as published by Finegan-Dollak et al. 2018. Built in the chapter
"Encoder-decoders".
"""
import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy

from course_lib.data.databases import Database, SQLError, execution_accuracy, is_empty, judge, skeleton

__all__ = ["Queries", "load_queries", "write_queries", "databases", "nearest_neighbours",
           "execution_accuracy", "judge", "skeleton"]


# The chain of shops

@dataclass(frozen=True)
class Column:
    """A column: how people call it, what it holds, and how a condition on it is said.

    values: the words it holds, or for a number the values that requests mention; phrases: for an
    operator, ways to say it, with ``{}`` for the value.
    """
    name: str
    nouns: tuple[str, ...]
    values: tuple | range
    phrases: dict[str, tuple[str, ...]]
    measure: bool = False  # a number to average and to sort by


def _number(name, nouns, values, more=(), less=()):
    a = f"{'an' if nouns[0][0] in 'aeiou' else 'a'} {nouns[0]}"
    return Column(name, nouns, values, {
        ">": (f"with {a} above {{}}", f"with {a} over {{}}", *more),
        "<": (f"with {a} below {{}}", f"with {a} under {{}}", *less),
        "between": (f"with {a} between {{}} and {{}}", f"with {a} from {{}} to {{}}"),
        "> average": (f"with {a} above average", f"with an above-average {nouns[0]}"),
        "< average": (f"with {a} below average", f"with a below-average {nouns[0]}"),
    }, measure=True)


def _word(name, nouns, values, is_, is_not):
    return Column(name, nouns, tuple(values.split()), {"=": is_, "!=": is_not})


@dataclass(frozen=True)
class Table:
    nouns: tuple[str, ...]
    rows: int
    columns: tuple[Column, ...]
    names: tuple[str, ...] = ()      # one for each row, in every database; sales have none
    parents: dict | None = None      # table -> ways to say that a row belongs to one of its rows
    child: str = ""                  # the table whose rows belong to this one


_CITIES = "Lisbon Oslo Paris Rome Vienna Dublin Prague Athens"
TABLES = {
    "shop": Table(("shops", "stores"), 24, (
        _word("city", ("city", "cities"), _CITIES, ("in {}", "located in {}"), ("outside {}", "not in {}")),
        _word("kind", ("kind", "kinds"), "outlet flagship kiosk market",
              ("of the kind {}", "of type {}"), ("not of the kind {}", "not of type {}")),
        _number("area", ("area", "size"), range(100, 1000, 100), ("larger than {}",), ("smaller than {}",)),
        _number("rent", ("rent",), range(1000, 9000, 1000)),
    ), names=tuple("Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliet Kilo Lima Mike November "
                   "Oscar Papa Quebec Romeo Sierra Tango Uniform Victor Whiskey Zulu".split()),
        child="employee"),
    "employee": Table(("employees", "workers"), 36, (
        _word("role", ("role", "roles"), "cashier clerk driver manager cleaner buyer",
              ("working as {}", "employed as {}"), ("not working as {}", "not employed as {}")),
        _word("town", ("town", "towns"), _CITIES,
              ("living in {}", "from {}"), ("not living in {}", "not from {}")),
        _number("salary", ("salary", "pay"), range(2000, 6000, 500), ("earning more than {}", "paid over {}"),
                ("earning less than {}", "paid under {}")),
        _number("age", ("age",), range(20, 65, 5), ("older than {}",), ("younger than {}",)),
    ), names=tuple("Ada Ben Cleo Dan Eva Finn Gina Hugo Ida Jack Kim Leo Mona Nils Olga Pete Quinn Rosa Sam "
                   "Tina Uma Vera Will Xenia Yann Zoe Amir Bea Carl Dora Emil Fay Gus Hana Ivan "
                   "June".split()),
        parents={"shop": ("of {}", "working in {}")}, child="sale"),
    "product": Table(("products", "articles"), 30, (
        _word("category", ("category", "categories"), "toys books garden kitchen sports office",
              ("in the category {}", "from the {} range"),
              ("outside the category {}", "not from the {} range")),
        _word("maker", ("maker", "makers"), "Acme Borel Cano Duval Egli Fuchs",
              ("made by {}", "produced by {}"), ("not made by {}", "not produced by {}")),
        _number("price", ("price",), range(10, 100, 10), ("costing more than {}", "more expensive than {}"),
                ("costing less than {}", "cheaper than {}")),
        _number("stock", ("stock",), range(50, 500, 50)),
    ), names=tuple("ball bench blender bowl brush chair clock desk drill easel fan glove hammer kettle kite "
                   "lamp mirror mug novel pan pen puzzle racket rake robot rug spade stapler tent "
                   "vase".split()),
        child="sale"),
    "sale": Table(("sales", "orders"), 80, (
        _word("channel", ("channel", "channels"), "phone web post counter",
              ("made by {}", "placed by {}"), ("not made by {}", "not placed by {}")),
        Column("year", ("year", "years"), (2017, 2018, 2019, 2020, 2021), {
            "=": ("in {}", "from the year {}"), "!=": ("not in {}",),
            ">": ("after {}",), "<": ("before {}",)}),
        _number("quantity", ("quantity",), range(2, 20, 2),
                ("of more than {} pieces",), ("of fewer than {} pieces",)),
        _number("discount", ("discount",), range(5, 50, 5)),
    ), parents={"product": ("of {}", "for {}"), "employee": ("by {}", "handled by {}")}),
}


# What is selected. In the order of the tuple: SQL after SELECT, SQL at the end, ways to ask for it, and
# the fewest rows that show whether a prediction is right. {t} is the table, {m} a measure, {c} any column,
# {w} a column of words; {mn}, {cn}, {wn}, {ws} what people call them; {what} the rows.
_AGGREGATES = {"AVG": ("average", "mean"), "SUM": ("total", "combined"), "MAX": ("highest", "largest"),
               "MIN": ("lowest", "smallest")}
SELECTS = {
    "names": ("{t}.name", "", ("List the {what}.", "Show me all {what}.", "Which {what} are there?"), 1),
    "column": ("{c}", "", ("What is the {cn} of the {what}?", "Show the {cn} of the {what}."), 1),
    "name and column": ("{t}.name , {c}", "", ("Show name and {cn} of the {what}.",
                                               "List the {what} by name with the {cn} of each."), 1),
    "distinct": ("DISTINCT {w}", "", ("Which different {ws} do the {what} have?",
                                      "List the distinct {ws} of the {what}."), 1),
    "count": ("COUNT ( * )", "", ("How many {what} are there?", "Count the {what}.",
                                  "What is the number of {what}?"), 1),
    "count distinct": ("COUNT ( DISTINCT {w} )", "", ("How many different {ws} do the {what} have?",
                                                      "Count the distinct {ws} of the {what}."), 1),
    "count each": ("{w} , COUNT ( * )", "GROUP BY {w}", ("How many {what} are there for each {wn}?",
                                                         "Count the {what} per {wn}."), 2),
    "more than": ("{w}", "GROUP BY {w} HAVING COUNT ( * ) > {k}", (
        "Which {ws} have more than {k} {what}?", "List the {ws} with over {k} {what}."), 1),
    "best group": ("{w}", "GROUP BY {w} ORDER BY AVG ( {m} ) DESC LIMIT 1", (
        "Which {wn} has the highest average {mn} for {what}?",), 1),
    "worst group": ("{w}", "GROUP BY {w} ORDER BY AVG ( {m} ) ASC LIMIT 1", (
        "Which {wn} has the lowest average {mn} for {what}?",), 1),
    "rising": ("{t}.name", "ORDER BY {m} ASC", ("List the {what} sorted by {mn}.",
                                                "Show the {what} from lowest to highest {mn}."), 3),
    "falling": ("{t}.name", "ORDER BY {m} DESC", ("List the {what} sorted by falling {mn}.",
                                                  "Show the {what} from highest to lowest {mn}."), 3),
    "top": ("{t}.name", "ORDER BY {m} DESC LIMIT {k}", (
        "Show the {k} {what} with the highest {mn}.", "List the top {k} of the {what} by {mn}."), "{k}"),
    "bottom": ("{t}.name", "ORDER BY {m} ASC LIMIT {k}", (
        "Show the {k} {what} with the lowest {mn}.", "List the bottom {k} of the {what} by {mn}."), "{k}"),
}
for _function, _words in _AGGREGATES.items():
    SELECTS[_words[0]] = (f"{_function} ( {{m}} )", "", tuple(
        f"{ask} {word} {{mn}} of the {{what}}{end}" for word in _words
        for ask, end in (("What is the", "?"), ("Compute the", "."))), 1)
    SELECTS[f"{_words[0]} each"] = (f"{{w}} , {_function} ( {{m}} )", "GROUP BY {w}", tuple(
        f"What is the {word} {{mn}} of the {{what}} for each {{wn}}?" for word in _words), 2)
# Which rows: operators on a column of the table itself, of the table that its rows belong to (parent), or
# of the one whose rows belong to it (child).
WHERES = ("", "=", "!=", ">", "<", "between", "> average", "< average", "> named", "< named",
          "parent =", "parent !=", "parent >", "parent <", "child", "no child", "child =", "child >",
          "no child =", "no child <", "= and >", "= and <", "!= and >", "> and <", "= and between",
          "= and > average", "= or =", "= or >", "< or >")


def _write(rng: random.Random, select: str, where: str, table: str) -> tuple[str, str, int, list[str]]:
    """One request, its SQL, the fewest rows it must return, and queries that leave out a condition."""
    noun, columns = rng.choice(TABLES[table].nouns), TABLES[table].columns
    rows, phrase, fewer = _where(rng, table, where)
    # What all rows have in common is not worth asking for.
    varied = [column for column in columns if f"{table}.{column.name} = " not in rows]
    measure = rng.choice([column for column in varied if column.measure])
    word = rng.choice([column for column in varied if not column.measure] or columns[:1])
    column = rng.choice(varied)
    fill = {"t": table, "m": f"{table}.{measure.name}", "mn": rng.choice(measure.nouns),
            "w": f"{table}.{word.name}", "wn": word.nouns[0], "ws": word.nouns[-1],
            "c": f"{table}.{column.name}", "cn": column.nouns[0],
            "what": f"{noun} {phrase}".rstrip(), "k": rng.randint(2, 5)}
    what, end, ways, least = SELECTS[select]
    sql, *careless = (" ".join(f"SELECT {what} FROM {table} {these} {end}".format(**fill).split())
                      for these in (rows, *fewer))
    return rng.choice(ways).format(**fill), sql, int(str(least).format(**fill)), careless


def _where(rng, table, kind) -> tuple[str, str, list[str]]:
    """SQL after FROM and the table, how the rows are said, and the SQL with a condition left out."""
    first, _, rest = kind.partition(" ")
    if first == "parent":
        parent, ways = rng.choice(list(TABLES[table].parents.items()))
        condition, phrase = _condition(rng, parent, rest)
        return (f"JOIN {parent} ON {table}.{parent}_id = {parent}.id WHERE {condition}",
                rng.choice(ways).format(f"{rng.choice(TABLES[parent].nouns)} {phrase}"), [""])
    if "child" in kind:
        child, operator = TABLES[table].child, kind.partition("child")[2].strip()
        condition, phrase = _condition(rng, child, operator) if operator else ("", "")
        ways = ("without {}", "that have no {}") if first == "no" else ("with {}", "that have {}")
        outer = f"WHERE {table}.id {'NOT' * (first == 'no')} IN ( SELECT {child}.{table}_id FROM {child}"
        said = rng.choice(ways).format(f"{rng.choice(TABLES[child].nouns)} {phrase}".strip())
        if not operator:
            return f"{outer} )", said, [""]
        return f"{outer} WHERE {condition} )", said, ["", f"{outer} )"]
    for joint in ("and", "or"):
        if f" {joint} " in kind:
            left, right = kind.split(f" {joint} ")
            a, said_a = _condition(rng, table, left)
            b, said_b = _condition(rng, table, right, besides=a)
            return (f"WHERE {a} {joint.upper()} {b}", f"{said_a} {joint} {said_b}",
                    ["", f"WHERE {a}", f"WHERE {b}"])
    if not kind:
        return "", "", []
    condition, phrase = _condition(rng, table, kind)
    return f"WHERE {condition}", phrase, [""]


def _condition(rng, table, kind, besides="") -> tuple[str, str]:
    """SQL and phrase of a condition on one column, not the one that the condition `besides` is on."""
    operator, _, against = kind.partition(" ")
    column = rng.choice([c for c in TABLES[table].columns
                         if (kind in c.phrases or against == "named" and c.measure)
                         and not besides.startswith(f"{table}.{c.name} ")])
    name = f"{table}.{column.name}"
    if against == "named":
        # Four of the names: a word seen a few times only would test memory, not the language.
        other, comparison = rng.choice(TABLES[table].names[:4]), "higher" if operator == ">" else "lower"
        return (f"{name} {operator} ( SELECT {name} FROM {table} WHERE {table}.name = '{other}' )",
                f"with a {comparison} {rng.choice(column.nouns)} than {other}")
    phrase = rng.choice(column.phrases[kind])
    if against == "average":
        return f"{name} {operator} ( SELECT AVG ( {name} ) FROM {table} )", phrase
    if kind == "between":
        low, high = sorted(rng.sample(column.values, 2))
        return f"{name} BETWEEN {low} AND {high}", phrase.format(low, high)
    value = rng.choice(column.values)
    return f"{name} {operator} {value if isinstance(value, int) else repr(value)}", phrase.format(value)


def _fits(select, where, table) -> bool:
    """Whether this table can be asked this: sales have no names, not every table a parent or a child."""
    found = TABLES[table]
    return ((found.names or not ("{t}.name" in SELECTS[select][0] or "named" in where))
            and (found.parents or "parent" not in where) and (found.child or "child" not in where))


@lru_cache(maxsize=None)
def databases(seeds: tuple[int, ...] = (0, 1, 2)) -> list[Database]:
    """Databases of the chain, one a seed, with random contents: the same names, everything else drawn.

    The measures of shops, employees and products are distinct, so that sorting by one has one result.
    """
    return [Database.from_script(_contents(random.Random(f"shops {seed}"))) for seed in seeds]


def _contents(rng) -> str:
    script = []
    for name, table in TABLES.items():
        columns = ["id", *["name"] * bool(table.names), *(c.name for c in table.columns),
                   *(f"{parent}_id" for parent in table.parents or ())]
        script.append(f"CREATE TABLE {name} ({', '.join(columns)});")
        drawn = []
        for column in table.columns:
            if not column.measure:
                drawn.append(rng.choices(column.values, k=table.rows))
                continue
            low, high = column.values[0] - column.values.step, column.values[-1] + column.values.step
            fine = range(max(low, 1), high)
            drawn.append(rng.sample(fine, table.rows) if len(fine) >= table.rows
                         else rng.choices(fine, k=table.rows))
        names = [rng.sample(table.names, table.rows)] if table.names else []
        links = [rng.choices(range(1, TABLES[parent].rows + 1), k=table.rows)
                 for parent in table.parents or ()]
        for row in zip(range(1, table.rows + 1), *names, *drawn, *links):
            script.append(f"INSERT INTO {name} VALUES ({', '.join(map(repr, row))});")
    return "\n".join(script)


# The corpus

def write_queries(seed: int = 0) -> Iterator[tuple[str, str]]:
    """Pairs of request and SQL without end, no request twice.

    Each query returns something on all `databases`, and something else on one of them at least where a
    condition is left out.
    """
    rng, seen = random.Random(f"queries {seed}"), set()
    while True:
        select, where, table = rng.choice(list(SELECTS)), rng.choice(WHERES), rng.choice(list(TABLES))
        if not _fits(select, where, table):
            continue
        request, sql, least, careless = _write(rng, select, where, table)
        if request in seen:
            continue
        results = [database.run(sql) for database in databases()]
        if any(is_empty(rows) or len(rows) < least for rows in results):
            continue
        if all(judge(query, sql, databases()) != "right" for query in careless):
            seen.add(request)
            yield request, sql


@dataclass(frozen=True)
class Queries:
    """Pairs of request and SQL in three parts, and the databases to judge predictions on.

    Each part is a datasets.Dataset with the columns request, sql and skeleton. left_out: pairs that
    cannot be judged (with a reason), which only real data has.
    """
    train: "datasets.Dataset"
    validation: "datasets.Dataset"
    test: "datasets.Dataset"
    databases: list[Database]
    left_out: list[dict]


def load_queries(split: str = "iid", size: int = 10_000, held_out: int = 500, seed: int = 0,
                 source: str | Path | None = None) -> Queries:
    """Requests and their SQL: `size` pairs to train on, `held_out` to validate and as many to test.

    split: "iid", all parts drawn alike, or "compositional", where validation and test have shapes of
    queries (skeletons) that training lacks. source: the folder of a real corpus in the format of
    GeoQuery (a .json file of Finegan-Dollak et al. and a SQLite file beside it), which brings its own
    splits: their "question split" is "iid" here, their "query split" "compositional"; `size`,
    `held_out` and `seed` then have no effect.

    Raises ValueError for another split, FileNotFoundError where `source` lacks a file, ImportError where
    the package datasets is missing.
    """
    if split not in ("iid", "compositional"):
        raise ValueError(f'split={split!r}: "iid" or "compositional"')
    if source is not None:
        return _read_geoquery(Path(source), split)
    wanted = {"train": size, "validation": held_out, "test": held_out}
    if min(wanted.values()) < 1:
        raise ValueError(f"size={size}, held_out={held_out}: each part needs at least one pair")
    parts = {name: [] for name in wanted}
    rng = random.Random(f"parts {seed}")
    for request, sql in write_queries(seed):
        shape = skeleton(sql)
        if split == "iid":
            name = rng.choices(list(wanted), weights=list(wanted.values()))[0]
        else:  # a skeleton is always on the same side, whatever the seed and the size
            fold = hashlib.sha256(shape.encode()).digest()[0] % 10
            name = "test" if fold < 2 else "validation" if fold == 2 else "train"
        if len(parts[name]) < wanted[name]:
            parts[name].append({"request": request, "sql": sql, "skeleton": shape})
        if all(len(parts[name]) == wanted[name] for name in wanted):
            return _queries(parts, databases(), [])


def _queries(parts, databases, left_out) -> Queries:
    try:
        from datasets import Dataset
    except ImportError as error:
        raise ImportError('the corpora need: pip install "attention-to-detail[data]"') from error
    columns = ("request", "sql", "skeleton")
    made = {name: Dataset.from_dict({column: [row[column] for row in rows] for column in columns})
            for name, rows in parts.items()}
    return Queries(**made, databases=databases, left_out=left_out)


def _read_geoquery(folder: Path, split: str) -> Queries:
    files = []
    for pattern in ("*.json", "*.sqlite"):
        found = sorted(folder.glob(pattern))
        if len(found) != 1:
            raise FileNotFoundError(f"{folder} must be a folder with one {pattern}; it has {len(found)}. "
                                    "GeoQuery in this format: github.com/jkkummerfeld/text2sql-data")
        files += found
    try:
        entries = json.loads(files[0].read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{files[0]} is damaged, fetch it again: {error}") from error
    database = Database.from_file(files[1])
    names = {"train": "train", "dev": "validation", "test": "test"}
    parts, left_out = {name: [] for name in names.values()}, []
    for entry in entries:
        examples = {variable["name"]: variable["example"] for variable in entry["variables"]}
        for sentence in entry["sentences"]:
            values = examples | sentence["variables"]
            name = names[entry["query-split"] if split == "compositional" else sentence["question-split"]]
            sql = re.sub(r'"([^"]*)"', r"'\1'", entry["sql"][0])  # double quotes are for names
            row = {"request": _fill(sentence["text"], values),
                   "sql": _fill(sql, {k: v.replace("'", "''") for k, v in values.items()}),
                   "skeleton": skeleton(sql)}
            reason = None
            try:
                if is_empty(database.run(row["sql"])):
                    reason = "its result is empty"
            except SQLError as error:
                reason = str(error)
            if reason and name != "train":
                left_out.append(row | {"part": name, "reason": reason})
            else:
                parts[name].append(row)
    return _queries(parts, [database], left_out)


def _fill(text, values):
    return re.sub(r"\w+", lambda match: values.get(match[0], match[0]), text)


# The baseline

def nearest_neighbours(requests: list[str], sql: list[str], asked: list[str]) -> list[str]:
    """For each of `asked` the SQL of the most similar of `requests`: by cosine of tf-idf vectors of words.

    What remembering alone can do. Ties go to the earlier request.
    """
    if not requests or len(requests) != len(sql):
        raise ValueError(f"{len(requests)} requests with {len(sql)} queries; one for each, and at least one")
    words = [set(re.findall(r"\w+", text.lower())) for text in [*requests, *asked]]
    index = {word: i for i, word in enumerate(sorted(set().union(*words)))}
    vectors = numpy.zeros((len(words), len(index)), dtype=numpy.float32)  # [request, word]
    for row, present in zip(vectors, words):
        row[[index[word] for word in present]] = 1
    known, new = vectors[: len(requests)], vectors[len(requests):]
    weights = numpy.log((1 + len(known)) / (1 + known.sum(0)))  # a word that is everywhere says nothing
    known, new = known * weights, new * weights
    known /= numpy.linalg.norm(known, axis=1, keepdims=True) + 1e-9
    return [sql[i] for i in (new @ known.T).argmax(1)]
