import json
import random
import re
import sqlite3
from collections import Counter, defaultdict
from itertools import islice

import pytest

from course_lib.data import databases as db
from course_lib.data import queries
from course_lib.data.databases import Database, SQLError, execution_accuracy, is_ordered, judge, skeleton
from course_lib.data.queries import load_queries, nearest_neighbours, write_queries

SCRIPT = """
CREATE TABLE pet (name TEXT, kind TEXT, age INTEGER);
INSERT INTO pet VALUES ('Rex', 'dog', 3), ('Tom', 'cat', 5), ('Kit', 'cat', 5), ('Bo', 'dog', 1);
"""


@pytest.fixture
def pets():
    return Database.from_script(SCRIPT)


@pytest.fixture(scope="module")
def corpus():
    return load_queries(size=4000, held_out=400)


# The written corpus

def test_many_skeletons_and_none_frequent(corpus):
    shapes = Counter(corpus.train["skeleton"])
    assert len(shapes) >= 150
    assert max(shapes.values()) <= 0.03 * len(corpus.train)
    # Also where < and >, = and !=, the aggregates and both directions of sorting are one.
    coarse = Counter(re.sub("MIN|MAX|SUM", "AVG", re.sub("ASC", "DESC", re.sub("!=|>|<", "=", shape)))
                     for shape in corpus.train["skeleton"])
    assert len(coarse) >= 150 and max(coarse.values()) <= 0.04 * len(corpus.train)


def test_joins_aggregates_ordering_and_nesting_are_all_there(corpus):
    sql = list(corpus.train["sql"])
    for pattern in (" JOIN ", r"\b(AVG|SUM|MIN|MAX) \(", r"COUNT \( \* \)", r"COUNT \( DISTINCT",
                    " GROUP BY ", " HAVING ", " ORDER BY .* ASC$", " ORDER BY .* DESC$", "LIMIT [2-5]$",
                    r"\( SELECT AVG", r" IN \( SELECT", r"NOT IN \( SELECT", " BETWEEN ", " AND ", " OR ",
                    "SELECT DISTINCT", r"> \( SELECT \S+ FROM \S+ WHERE"):
        assert sum(bool(re.search(pattern, text)) for text in sql) >= 40, pattern


def test_every_gold_query_returns_something_on_three_databases(corpus):
    assert len(corpus.databases) == 3
    for part in (corpus.train, corpus.validation, corpus.test):
        for sql in part["sql"][:500]:
            results = [database.run(sql) for database in corpus.databases]
            assert all(rows and rows != [(0,)] and any(v is not None for row in rows for v in row)
                       for rows in results), sql
    assert execution_accuracy(corpus.test["sql"], corpus.test["sql"], corpus.databases) == 1


def test_the_databases_differ_in_contents_and_agree_in_names():
    contents = [{table: database.run(f"SELECT * FROM {table}") for table in queries.TABLES}
                for database in queries.databases()]
    for table, described in queries.TABLES.items():
        for found in contents:
            assert len(found[table]) == described.rows
            assert not described.names or {row[1] for row in found[table]} == set(described.names)
        assert contents[0][table] != contents[1][table] != contents[2][table] != contents[0][table]
        named = [[row[1] for row in found[table]] for found in contents]
        assert not described.names or named[0] != named[1] != named[2] != named[0]


def test_what_is_sorted_by_has_no_ties():
    for database in queries.databases():
        for table, described in queries.TABLES.items():
            for column in described.columns:
                if column.measure and described.names:
                    values = [v for v, in database.run(f"SELECT {column.name} FROM {table}")]
                    assert len(set(values)) == len(values)


def test_a_request_has_one_meaning_and_a_query_several_wordings():
    meaning, wordings = {}, defaultdict(set)
    for seed in range(2):
        for request, sql in islice(write_queries(seed), 2500):
            assert meaning.setdefault(request, sql) == sql
            wordings[sql].add(request)
    assert sum(len(ways) > 1 for ways in wordings.values()) > 150
    assert max(map(len, wordings.values())) >= 4


def test_requests_read_as_english(corpus):
    for request, sql in zip(corpus.train["request"], corpus.train["sql"]):
        assert request[0].isupper() and request[-1] in ".?" and "  " not in request
        assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|[{}_%]|\bNone\b", request), request
        assert " ".join(sql.split()) == sql
        for value in re.findall(r"'(\w+)'|\b(\d+)\b", sql):
            assert "LIMIT 1" in sql or re.search(rf"\b{''.join(value)}\b", request), (request, sql)


MORE = {"above", "over", "more", "higher", "larger", "older", "after"}
LESS = {"below", "under", "less", "fewer", "lower", "smaller", "younger", "before", "cheaper"}


def test_comparisons_say_what_the_query_asks(corpus):
    compared = 0
    for request, sql in zip(corpus.train["request"], corpus.train["sql"]):
        operators = re.findall(" [<>] ", sql)
        words = set(re.findall(r"\w+", request)) & (MORE | LESS)
        if len(operators) == 1:
            compared += 1
            assert words <= (MORE if operators == [" > "] else LESS), (request, sql)
        for low, high in re.findall(r"BETWEEN (\d+) AND (\d+)", sql):
            assert int(low) < int(high) and re.search(rf"\b{low} (and|to) {high}\b", request)
    assert compared > 1000


def test_nobody_asks_for_what_a_condition_says(corpus):
    for sql in corpus.train["sql"]:
        outer = re.sub(r"\( SELECT .* \)", "", sql)
        fixed = re.findall(r"(\w+\.\w+) = (?:'|\d)", outer) if " OR " not in sql else []
        assert not set(fixed) & set(sql.split(" FROM ")[0].split()), sql


def test_parts_share_no_request(corpus):
    requests = [*corpus.train["request"], *corpus.validation["request"], *corpus.test["request"]]
    assert len(set(requests)) == len(requests) == 4800
    assert corpus.train.column_names == ["request", "sql", "skeleton"] and corpus.left_out == []


def test_the_seed_decides_the_pairs():
    one, again, other = (load_queries(size=40, held_out=10, seed=seed) for seed in (1, 1, 2))
    assert list(one.train["request"]) == list(again.train["request"]) != list(other.train["request"])
    assert list(one.test["sql"]) == list(again.test["sql"])


def test_nearest_neighbours_stay_below_half(corpus):
    predictions = nearest_neighbours(corpus.train["request"], corpus.train["sql"], corpus.test["request"])
    assert 0.02 < execution_accuracy(predictions, corpus.test["sql"], corpus.databases) < 0.5


def test_compositional_parts_share_no_skeleton_but_all_tokens():
    corpus = load_queries("compositional", size=3000, held_out=300, seed=4)
    shapes = [set(part["skeleton"]) for part in (corpus.train, corpus.validation, corpus.test)]
    assert not shapes[0] & shapes[1] and not shapes[0] & shapes[2] and not shapes[1] & shapes[2]
    assert 20 <= len(shapes[1]) < len(shapes[2]) < len(shapes[0])
    known = {word for sql in corpus.train["sql"] for word in sql.split()}
    assert all(set(sql.split()) <= known for part in (corpus.validation, corpus.test) for sql in part["sql"])
    other = load_queries("compositional", size=300, held_out=100, seed=9)
    assert not set(other.train["skeleton"]) & shapes[2], "a skeleton changed sides with the seed"


def test_a_wrong_query_is_seldom_right_by_chance(corpus):
    """One token of the gold query replaced by another of its kind, or a condition or the order left out."""
    rng, kinds = random.Random(0), ("<|>|=|!=", r"\d+", "'.*'", "AVG|SUM|MIN|MAX", "ASC|DESC", r"\w+\.\w+")
    pool = {kind: sorted({t for sql in corpus.train["sql"] for t in sql.split() if re.fullmatch(kind, t)})
            for kind in kinds}
    verdicts, left_out = [], []
    for sql in corpus.test["sql"]:
        tokens = sql.split()
        places = [(i, kind) for i, token in enumerate(tokens) for kind in kinds if re.fullmatch(kind, token)]
        if not places:  # SELECT COUNT ( * ) FROM shop
            continue
        i, kind = rng.choice(places)
        tokens[i] = rng.choice([t for t in pool[kind] if t != tokens[i]])
        verdicts.append(judge(" ".join(tokens), sql, corpus.databases) == "right")
        for part in (r" WHERE (?!.*\().*?(?= GROUP BY| ORDER BY|$)", r" ORDER BY \S+ \w+$"):
            if re.search(part, sql):
                left_out.append(judge(re.sub(part, "", sql), sql, corpus.databases) == "right")
    assert sum(verdicts) <= 0.03 * len(verdicts)
    assert len(left_out) > 200 and sum(left_out) <= 0.01 * len(left_out)


@pytest.mark.parametrize("arguments, message", [
    ({"split": "query"}, "compositional"), ({"size": 0}, "at least one pair"),
    ({"held_out": 0}, "at least one pair"),
])
def test_arguments_that_make_no_corpus(arguments, message):
    with pytest.raises(ValueError, match=message):
        load_queries(**arguments)


# Judging

@pytest.mark.parametrize("prediction, gold, verdict", [
    ("SELECT name FROM pet WHERE age > 2", "SELECT name FROM pet WHERE age > 2", "right"),
    ("select NAME from pet where not age <= 2 ;", "SELECT name FROM pet WHERE age > 2", "right"),
    ("SELECT name FROM pet ORDER BY name", "SELECT name FROM pet", "right"),
    ("SELECT name FROM pet", "SELECT name FROM pet ORDER BY name", "wrong result"),
    ("SELECT name FROM pet ORDER BY name DESC", "SELECT name FROM pet ORDER BY name", "wrong result"),
    ("SELECT DISTINCT kind FROM pet", "SELECT kind FROM pet", "wrong result"),
    ("SELECT age , name FROM pet", "SELECT name , age FROM pet", "wrong result"),
    ("SELECT SUM(age) / 4.0 FROM pet", "SELECT AVG(age) FROM pet", "right"),
    ("SELECT 3.5000000000001", "SELECT AVG(age) FROM pet", "right"),
    ("SELECT 3.5001", "SELECT AVG(age) FROM pet", "wrong result"),
    ("SELECT '3'", "SELECT age FROM pet WHERE name = 'Rex'", "wrong result"),
    ("SELECT name FROM pet WHERE age IN (SELECT MAX(age) FROM pet ORDER BY 1)",
     "SELECT name FROM pet WHERE age = (SELECT age FROM pet ORDER BY age DESC LIMIT 1)", "right"),
])
def test_verdicts(pets, prediction, gold, verdict):
    assert judge(prediction, gold, [pets]) == verdict


def test_one_database_on_which_it_differs_is_enough(pets):
    older = Database.from_script(SCRIPT.replace("'dog', 1", "'dog', 9"))
    gold, wrong = "SELECT MAX(age) FROM pet", "SELECT MAX(age) FROM pet WHERE kind = 'cat'"
    assert judge(wrong, gold, [pets]) == "right" and judge(wrong, gold, [pets, older]) == "wrong result"
    assert execution_accuracy([wrong, gold], [gold, gold], [pets, older]) == 0.5


@pytest.mark.parametrize("prediction", [
    "", "no SQL at all", "SELECT nothing FROM pet", "SELECT (", "SELECT 1; SELECT 2", "SELECT '\0'",
    "SELECT '\ud800'", "SELECT ?", "-- nothing", None])
def test_a_prediction_that_cannot_run_is_wrong_and_says_why(pets, prediction):
    verdict = judge(prediction, "SELECT name FROM pet", [pets])
    assert verdict not in ("right", "wrong result") and len(verdict) > 5
    assert execution_accuracy([prediction], ["SELECT name FROM pet"], [pets]) == 0


def test_gold_queries_that_cannot_judge(pets):
    with pytest.raises(ValueError, match="gold query fails.*no such column"):
        judge("SELECT 1", "SELECT x FROM pet", [pets])
    for empty in ("SELECT name FROM pet WHERE age > 99", "SELECT AVG(age) FROM pet WHERE age > 99",
                  "SELECT COUNT(*) FROM pet WHERE age > 99"):
        with pytest.raises(ValueError, match="empty result"):
            judge(empty, empty, [pets])
    with pytest.raises(ValueError, match="no database"):
        judge("SELECT 1", "SELECT 1", [])
    with pytest.raises(ValueError, match="1 predictions for 2"):
        execution_accuracy(["SELECT 1"], ["SELECT 1"] * 2, [pets])
    with pytest.raises(ValueError, match="0 predictions for 0"):
        execution_accuracy([], [], [pets])


@pytest.mark.parametrize("sql, expected", [
    ("SELECT a FROM t ORDER BY a", True), ("select a from t order  by a", True), ("SELECT a FROM t", False),
    ("SELECT a FROM t WHERE b IN ( SELECT b FROM u ORDER BY b )", False),
    ("SELECT a FROM t WHERE b = 'ORDER BY'", False), ("SELECT COUNT(*) FROM t ORDER BY MAX(b)", True),
    ("SELECT a FROM t WHERE b = ')' ORDER BY a", True),
])
def test_which_queries_are_ordered(sql, expected):
    assert is_ordered(sql) == expected


def test_skeletons():
    assert skeleton("SELECT pet.name FROM pet WHERE pet.age > 3 AND kind = 'a cat' ;") == (
        "SELECT _ FROM _ WHERE _ > ? AND _ = ?")
    assert skeleton("select count(*) from a where b != \"x\"") == "SELECT COUNT ( * ) FROM _ WHERE _ != ?"
    assert skeleton("SELECT MAX( A.B ) FROM T AS A") == skeleton("SELECT MAX ( C.D ) FROM U AS C")
    assert skeleton("SELECT MAX ( a ) FROM t") != skeleton("SELECT MIN ( a ) FROM t")


# Safety

@pytest.mark.parametrize("sql", [
    "DELETE FROM pet", "DROP TABLE pet", "INSERT INTO pet VALUES ('x', 'y', 1)", "UPDATE pet SET age = 0",
    "CREATE TABLE x (a)", "CREATE TEMP TABLE x (a)", "ALTER TABLE pet ADD COLUMN x",
    "PRAGMA query_only = OFF", "PRAGMA user_version = 3",
    "BEGIN", "SAVEPOINT x", "REINDEX", "ANALYZE", "ATTACH 'new.db' AS x",
    "VACUUM INTO 'new.db'", "WITH x AS (SELECT 1) DELETE FROM pet", "REPLACE INTO pet VALUES (1, 2, 3)",
])
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_sql_that_writes_is_refused(tmp_path, monkeypatch, sql, kind):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "a b%20.sqlite"  # a name that must be quoted in an address
    with sqlite3.connect(path) as connection:
        connection.executescript(SCRIPT)
    connection.close()
    before = path.read_bytes()
    database = Database.from_file(path) if kind == "file" else Database.from_script(SCRIPT)
    with pytest.raises(SQLError, match="only SELECT is allowed"):
        database.run(sql)
    assert len(database.run("SELECT * FROM pet")) == 4
    assert path.read_bytes() == before and [p.name for p in tmp_path.rglob("*")] == ["data", path.name]


def test_the_connection_itself_is_read_only(tmp_path):
    """Each guard alone: without the authorizer, writing still fails."""
    path = tmp_path / "pets.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCRIPT)
    connection.close()
    for database in (Database.from_file(path), Database.from_script(SCRIPT)):
        database._connection.set_authorizer(None)
        with pytest.raises(SQLError, match="only SELECT is allowed"):
            database.run("DELETE FROM pet")
        assert len(database.run("SELECT * FROM pet")) == 4
        database._connection.execute("PRAGMA query_only = OFF")
        if database._connection.execute("PRAGMA database_list").fetchone()[2]:
            with pytest.raises(SQLError, match="only SELECT is allowed"):
                database.run("DELETE FROM pet")
            assert len(database.run("SELECT * FROM pet")) == 4


@pytest.mark.parametrize("sql", [
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT COUNT(*) FROM c",
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c) SELECT x FROM c WHERE x = 2",
    "SELECT COUNT(*) FROM " + ", ".join(f"sale s{i}" for i in range(8)),
])
def test_sql_that_does_not_end_is_stopped(sql):
    database = queries.databases()[0]
    with pytest.raises(SQLError, match="stopped after"):
        database.run(sql)
    assert judge(sql, "SELECT COUNT(*) FROM sale", [database]).startswith("stopped")
    assert database.run("SELECT COUNT(*) FROM sale") == [(80,)]


def doubling_tables():
    """24 levels took 132 s and much memory to compile, which no limit on steps interrupts."""
    levels = "".join(f", c{i} AS (SELECT a.x FROM c{i - 1} a, c{i - 1} b)" for i in range(1, 24))
    return f"WITH c0 AS (SELECT 1 AS x){levels} SELECT * FROM c23"


def doubling_terms(name="a"):
    sql = f"SELECT sale.id AS {name} FROM sale"
    for _ in range(13):
        sql = f"SELECT {'+'.join([name] * 4)} AS {name} FROM ( {sql} )"
    return sql


@pytest.mark.parametrize("sql", [doubling_tables(), doubling_terms(), doubling_terms('"a"'),
                                 doubling_terms("[a]")])
def test_sql_that_explodes_while_it_is_compiled_is_refused(sql):
    with pytest.raises(SQLError, match="too deeply nested"):
        queries.databases()[0].run(sql)


@pytest.mark.parametrize("sql, message", [
    ("SELECT a.id FROM sale a, sale b, sale c", "10,000 rows"),
    ("SELECT length(zeroblob(1000000000))", "too big"),
    ("SELECT load_extension('x')", "not authorized|no such function|only SELECT"),
    ("SELECT " + "1+" * 200 + "1", "too large"),
    ("SELECT '" + "x" * 20_000 + "'", "too large"),
])
def test_sql_that_takes_too_much_is_stopped(sql, message):
    with pytest.raises(SQLError, match=message):
        queries.databases()[0].run(sql)


def test_the_step_limit_is_for_each_query(pets, monkeypatch):
    monkeypatch.setattr(db, "STEPS", 10_000)
    for _ in range(30):
        pets.run("SELECT COUNT(*) FROM pet a, pet b, pet c, pet d")


def test_files_that_are_no_database(tmp_path):
    with pytest.raises(FileNotFoundError, match="no database at"):
        Database.from_file(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("not a database " * 100)
    with pytest.raises(ValueError, match="is not a SQLite database"):
        Database.from_file(tmp_path / "text.sqlite")
    assert [path.name for path in tmp_path.iterdir()] == ["text.sqlite"]


# GeoQuery's format

def entry(sql, sentences, split="train", variables=()):
    return {"sql": [sql, "SELECT 'another way'"], "query-split": split,
            "variables": [{"name": name, "example": example, "type": "x", "location": "both"}
                          for name, example in variables],
            "sentences": [{"text": text, "question-split": part, "variables": values}
                          for text, part, values in sentences]}


@pytest.fixture
def folder(tmp_path):
    connection = sqlite3.connect(tmp_path / "tiny-db.sqlite")
    connection.executescript(SCRIPT + "INSERT INTO pet VALUES ('O''Hara', 'parrot', 40);")
    connection.close()
    (tmp_path / "tiny.json").write_text(json.dumps([
        entry('SELECT P.AGE FROM PET AS P WHERE P.NAME = "name0" ;', [
            ("how old is name0", "train", {"name0": "Rex"}),
            ("what age is name0", "test", {"name0": "O'Hara"}),
            ("how old is name0", "dev", {"name0": "Nobody"})], variables=[("name0", "Tom")]),
        entry('SELECT NAME FROM PET WHERE KIND = "kind0" OR KIND = "kind01" ;', [
            ("list kind0 and kind01", "dev", {"kind0": "cat"})], "test",
            [("kind0", "dog"), ("kind01", "dog")]),
        entry("SELECT COUNT( * ) FROM PETS ;", [("how many", "test", {})], "dev"),
    ]), encoding="utf-8")
    return tmp_path


def test_geoquery_format_question_split(folder):
    corpus = load_queries(source=folder)
    assert corpus.train[0] == {
        "request": "how old is Rex", "sql": "SELECT P.AGE FROM PET AS P WHERE P.NAME = 'Rex' ;",
        "skeleton": "SELECT _ FROM _ AS _ WHERE _ = ?"}
    assert list(corpus.validation["request"]) == ["list cat and dog"]
    assert corpus.validation["sql"][0] == "SELECT NAME FROM PET WHERE KIND = 'cat' OR KIND = 'dog' ;"
    assert corpus.test[0]["request"] == "what age is O'Hara" and len(corpus.test) == 1
    assert corpus.databases[0].run(corpus.test["sql"][0]) == [(40,)]
    assert [(row["part"], row["request"]) for row in corpus.left_out] == [
        ("validation", "how old is Nobody"), ("test", "how many")]
    assert corpus.left_out[0]["reason"] == "its result is empty"
    assert "no such table" in corpus.left_out[1]["reason"]
    assert execution_accuracy(corpus.test["sql"], corpus.test["sql"], corpus.databases) == 1


def test_geoquery_format_query_split(folder):
    corpus = load_queries("compositional", source=str(folder))
    assert list(corpus.train["request"]) == ["how old is Rex", "what age is O'Hara", "how old is Nobody"]
    assert list(corpus.test["request"]) == ["list cat and dog"] and len(corpus.validation) == 0


def test_a_folder_without_the_corpus_is_an_error(folder, tmp_path):
    (folder / "tiny.json").write_text("[{")
    with pytest.raises(ValueError, match="damaged"):
        load_queries(source=folder)
    (folder / "tiny.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"one \*\.json"):
        load_queries(source=folder)
    with pytest.raises(FileNotFoundError):
        load_queries(source=tmp_path / "nowhere")


# The baseline

def test_nearest_neighbours_equal_a_slow_reference():
    rng = random.Random(2)
    known = [" ".join(rng.choices("abcdefgh", k=rng.randint(1, 6))) for _ in range(30)]
    asked = [" ".join(rng.choices("abcdefghz", k=rng.randint(1, 6))) for _ in range(40)]
    sql = [str(i) for i in range(30)]
    import math
    idf = {w: math.log(31 / (1 + sum(w in k.split() for k in known))) for w in "abcdefghz"}

    def cosine(a, b):
        a, b = set(a.split()), set(b.split())
        norm = math.sqrt(sum(idf[w] ** 2 for w in a)) * math.sqrt(sum(idf[w] ** 2 for w in b))
        return sum(idf[w] ** 2 for w in a & b) / norm if norm else 0

    for question, found in zip(asked, nearest_neighbours(known, sql, asked)):
        scores = [cosine(question, k) for k in known]
        assert scores[int(found)] == pytest.approx(max(scores), abs=1e-5)
    assert nearest_neighbours(["a b", "a b"], ["first", "second"], ["b a", "unseen"]) == ["first", "first"]


def test_nearest_neighbours_need_one_query_each():
    with pytest.raises(ValueError, match="one for each"):
        nearest_neighbours(["a"], [], ["a"])
