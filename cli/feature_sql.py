"""Features, made of source files by a group's SQL. DuckDB runs it; it reaches nothing but `source`, and makes the same of the same.

What is wrong is found before anything is written: a record that was put into a feature store stays there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli import csv_files
from cli.problem import Problem
from paved_runtime import feature_groups
from paved_runtime.as_of import QUIET
from paved_runtime.csv_text import shortened
from paved_runtime.feature_groups import FeatureGroup, FeatureGroupError, FeatureType

SOURCE = "source"
SUFFIXES = (".csv", ".parquet")
MEMORY = "2GB"
BATCH = 5000  # records that are read at a time
LONGEST_IDENTIFIER = 2048  # bytes (SageMaker guide, "Quotas, naming rules and data types")
WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE")
ACCEPTED: dict[FeatureType, tuple[str, ...]] = {
    "integer": WHOLE,
    "number": (*WHOLE, "FLOAT", "DOUBLE", "DECIMAL"),
    "text": ("VARCHAR",),
}
NOTHING = '"NULL"'  # the type of a column in which nothing has a value
STORED: dict[FeatureType, str] = {"integer": "BIGINT", "number": "DOUBLE", "text": "VARCHAR"}
CLOCK = ("current_date", "current_time", "current_timestamp", "localtime", "localtimestamp")  # called without brackets
VOLATILE = {  # what answers otherwise at another time, beside the functions that DuckDB itself calls so
    *CLOCK,
    *("current_localtime", "current_localtimestamp", "get_current_time", "get_current_timestamp", "now", "today", "transaction_timestamp"),
}
Record = tuple[str | int | float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Features:
    """What the SQL of a group, in the folder `home`, made of source files.

    `records` is a table of `connection`, with identifier, event time and features, each in its type. Event times are ISO-8601 texts in UTC;
    `first` and `last` are the oldest and the newest, None where there are no records. In `stored`, an empty folder, the connection may read
    files, too.
    """

    group: FeatureGroup
    home: Path
    connection: Any
    rows: int
    first: str | None
    last: str | None
    stored: Path

    def batches(self) -> Iterator[list[Record]]:
        """The records, oldest first, some at a time."""
        names = ", ".join(map(quoted, columns(self.group)))
        records = self.connection.execute(f"SELECT {names} FROM records ORDER BY happened, {quoted(self.group.record_identifier)}")
        while batch := records.fetchmany(BATCH):
            yield batch


def columns(group: FeatureGroup) -> list[str]:
    """What a record has: identifier, event time, features."""
    return [group.record_identifier, group.event_time, *group.features]


def check(group: FeatureGroup, groups: Path | None = None) -> None:
    """Look at a group's SQL without any rows. `groups` is where the group's folder is, as in `feature_groups.load`.

    Raises:
        Problem: it is no single SELECT, reads something else than `source`, would make something else of the same source at another time,
            or names other columns than the declaration.
    """
    duckdb = load()
    with duckdb.connect(config=QUIET) as connection, _refusing(group, duckdb):
        selected = _selected(connection, _statement(group, groups), group)
    if selected is not None:
        _same(group, selected)


def problems(groups: Path | None = None) -> list[str]:
    """What is wrong with the declarations and the SQL of all groups, a line each."""
    found = []
    for name in feature_groups.names(groups):
        try:
            check(feature_groups.load(name, groups), groups)
        except (FeatureGroupError, Problem) as problem:
            found += str(problem).splitlines()
    return found


@contextmanager
def made(group: FeatureGroup, files: Sequence[Path], groups: Path | None = None) -> Iterator[Features]:
    """Run a group's SQL over source files: CSV with a header, whose cells are texts, or Parquet.

    Raises:
        Problem: the files cannot be read or have different columns, the SQL fails, or what it makes is not what the group declares:
            columns, types, an identifier and a time in every row, each pair once, no time in the future.
    """
    check(group, groups)
    duckdb = load()
    with TemporaryDirectory() as folder, duckdb.connect(str(Path(folder) / "features.duckdb"), config=QUIET) as connection:
        stored = Path(folder) / "stored"
        stored.mkdir()
        # One thread: sums of numbers do not depend on who came first.
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET threads = 1; SET TimeZone = 'UTC'")
        _read(connection, duckdb, files, Path(folder))
        confined = "SET enable_external_access = false; SET lock_configuration = true"
        connection.execute(f"SET allowed_directories = [{text(str(stored))}]; {confined}")
        with _refusing(group, duckdb):
            connection.execute(f"CREATE TABLE made AS {_statement(group, groups)}")
            _types(connection, group)
            connection.execute(_records(group))
            _fit(connection, group)
        time, home = quoted(group.event_time), (groups or feature_groups.GROUPS) / group.name
        totals = connection.execute(f"SELECT count(*), arg_min({time}, happened), arg_max({time}, happened) FROM records").fetchone()
        rows, first, last = totals
        yield Features(group=group, home=home, connection=connection, rows=rows, first=first, last=last, stored=stored)


def sources(paths: Sequence[Path]) -> list[Path]:
    """The source files that a person names, one by one or by their folder, by their names. Raises Problem where there are none."""
    files: list[Path] = []
    for path in paths:
        named = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not named or not all(each.is_file() for each in named):
            why = f"it has no file of {', '.join(SUFFIXES)}" if path.is_dir() else "there is no such file"
            raise Problem(f"source {path}", why, "name CSV or Parquet files, or a folder of such", code=2)
        files += named
    if len(kinds := {file.suffix.lower() for file in files}) > 1 or not kinds <= set(SUFFIXES):
        raise Problem("source", f"found {', '.join(sorted(kinds))}", f"name files of one kind, {' or '.join(SUFFIXES)}", code=2)
    return files


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL has it."""
    return "'" + value.replace("'", "''") + "'"


def load() -> Any:
    """DuckDB, which nothing else here is made of. Raises Problem where it is not there."""
    try:
        return import_module("duckdb")
    except ModuleNotFoundError as error:
        raise Problem("features", "DuckDB is not in this environment", "add duckdb to pyproject.toml and run ./road lock") from error


@contextmanager
def _refusing(group: FeatureGroup, duckdb: Any) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise _wrong(group, str(error).partition("\n")[0]) from error


def _wrong(group: FeatureGroup, why: str, do: str = "") -> Problem:
    return Problem(f"features.sql of {group.name}", why, do or f"correct it, or feature_groups/{group.name}/group.toml")


def _statement(group: FeatureGroup, groups: Path | None) -> str:
    statements = load().extract_statements(feature_groups.query(group.name, groups))
    kinds = [statement.type.name for statement in statements]
    if kinds != ["SELECT"]:
        raise _wrong(group, f"found {', '.join(kinds) or 'nothing'}", "it is one SELECT")
    return str(statements[0].query).rstrip().rstrip(";")


def _selected(connection: Any, statement: str, group: FeatureGroup) -> list[str] | None:
    """The columns that a query names, which has been looked at; None where only its source says which there are."""
    asked = {"query": statement}
    tree = json.loads(connection.execute("SELECT json_serialize_sql($query)", asked).fetchone()[0])
    if tree["error"]:
        raise _wrong(group, tree["error_message"].partition("\n")[0])
    nodes = list(_nodes(tree["statements"]))
    shared = {entry["key"] for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    tables = {".".join(node["qualified_name"]["path"]) for node in nodes if node.get("type") == "BASE_TABLE"} - (shared - {SOURCE})
    if tables != {SOURCE}:
        raise _wrong(group, f"it reads {', '.join(sorted(tables)) or 'nothing'}", f"it may read {SOURCE}, and nothing else")
    volatile = {
        name for (name,) in connection.execute("SELECT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'").fetchall()
    }
    if never := sorted({name for node in nodes for name in _called(node)} & (volatile | VOLATILE)):
        raise _wrong(group, f"{never[0]} makes something else of the same source every time", "take it from a column of source")
    return _names(tree["statements"][0]["node"])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Every part of a parsed query that has names."""
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(part)


def _called(node: dict[str, Any]) -> Iterator[str]:
    """The function that a part calls; what stands there like a column may be one."""
    if "function_name" in node:
        yield node["function_name"].lower()
    yield from (name.lower() for name in node.get("column_names", ())[:1] if name.lower() in CLOCK)


def _names(node: dict[str, Any]) -> list[str] | None:
    items = node.get("select_list", [{"class": "STAR"}])
    if any(item["class"] == "STAR" for item in items):
        return None
    names = [item["alias"] or (item["column_names"][-1] if item["class"] == "COLUMN_REF" else "") for item in items]
    return None if "" in names else names


def _read(connection: Any, duckdb: Any, files: Sequence[Path], folder: Path) -> None:
    """Read the files into the table `source`, whose columns are in the first one's order.

    In `folder` they get plain names: DuckDB takes `[1]` for a pattern.
    """
    known: list[str] = []
    for number, file in enumerate(files):
        link = folder / f"{number}{file.suffix.lower()}"
        link.symlink_to(file.resolve())
        try:
            relation, names = _csv(file, link) if link.suffix == ".csv" else _parquet(connection, link)
            known = known or names
            if sorted(names) != sorted(known):
                why = f"its columns are {shortened(', '.join(names))}, those of {files[0].name} {shortened(', '.join(known))}"
                raise Problem(f"source file {file}", why, "hand in files with the same columns")
            into = f"INSERT INTO {SOURCE} BY NAME" if number else f"CREATE TABLE {SOURCE} AS"
            connection.execute(f"{into} FROM {relation}")
        except duckdb.Error as error:
            raise Problem(f"source file {file}", str(error).partition("\n")[0], "hand in CSV with a header, or Parquet") from error


def _csv(file: Path, link: Path) -> tuple[str, list[str]]:
    """A CSV file as a relation, and its columns. Nothing about it is guessed: whatever its cells look like, they are texts."""
    with csv_files.rows(file, "source file") as (header, _):
        types = ", ".join(f"{text(name)}: 'VARCHAR'" for name in header)
    form = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"'"
    return f"read_csv({text(str(link))}, columns = {{{types}}}, {form})", header


def _parquet(connection: Any, link: Path) -> tuple[str, list[str]]:
    relation = f"read_parquet({text(str(link))}, hive_partitioning = false)"
    return relation, [name for name, *_ in connection.execute(f"DESCRIBE FROM {relation}").fetchall()]


def _types(connection: Any, group: FeatureGroup) -> None:
    """Raise Problem where the columns of `made` are not those that the group declares, or have other types."""
    types = {name: kind for name, kind, *_ in connection.execute("DESCRIBE made").fetchall()}
    _same(group, list(types))
    accepted = {group.record_identifier: ("VARCHAR",), group.event_time: MOMENTS}
    accepted |= {name: ACCEPTED[kind] for name, kind in group.features.items() if types[name] != NOTHING}
    for name, kinds in accepted.items():
        if types[name].partition("(")[0] not in kinds:
            shown = {WHOLE: "an integer", MOMENTS: "DATE, TIMESTAMP (in UTC) or TIMESTAMPTZ"}.get(kinds, " or ".join(kinds[-3:]))
            raise _wrong(group, f"column {name!r} is {types[name]}, accepted is {shown}", f"cast it: {name}::…")


def _same(group: FeatureGroup, names: Sequence[str]) -> None:
    declared = columns(group)
    if lacking := [name for name in declared if name not in names]:
        raise _wrong(group, f"column {lacking[0]!r} is not there: it yields {', '.join(names)}")
    if more := [name for name in names if name not in declared]:
        raise _wrong(group, f"column {more[0]!r} is not declared: group.toml has {', '.join(declared)}")
    if len(set(names)) < len(names):
        raise _wrong(group, f"a column is there twice: it yields {', '.join(names)}")


def _records(group: FeatureGroup) -> str:
    """What makes `records` of `made`: in the types of the store, and with `happened`, which is the event time as a moment."""
    time = quoted(group.event_time)
    cast = ", ".join(f"{quoted(name)}::{STORED[kind]} AS {quoted(name)}" for name, kind in group.features.items())
    return f"""
        CREATE TABLE records AS
        WITH timed AS (SELECT * REPLACE (date_trunc('millisecond', {time}::TIMESTAMPTZ AT TIME ZONE 'UTC') AS {time}) FROM made)
        SELECT
            {quoted(group.record_identifier)},
            replace(strftime({time}, '%Y-%m-%dT%H:%M:%S.%gZ'), '.000Z', 'Z') AS {time},
            {cast},
            {time} AS happened
        FROM timed
    """


def _fit(connection: Any, group: FeatureGroup) -> None:
    """Raise Problem for the first record that no store should have."""
    identifier, time = quoted(group.record_identifier), quoted(group.event_time)
    now = datetime.now(UTC).replace(tzinfo=None)
    numbers = [name for name, kind in group.features.items() if kind == "number"]
    wrong = {
        f"{group.record_identifier} is empty": f"{identifier} IS NULL OR {identifier} = ''",
        f"{group.record_identifier} has more than {LONGEST_IDENTIFIER} bytes": f"strlen({identifier}) > {LONGEST_IDENTIFIER}",
        f"{group.event_time} is empty": "happened IS NULL",
        f"{group.event_time} is no moment": "NOT isfinite(happened) OR year(happened) NOT BETWEEN 1 AND 9999",
        f"{group.event_time} is in the future": "happened > $now",
        **{f"{name} is no finite number": f"NOT isfinite({quoted(name)})" for name in numbers},
    }
    for why, condition in wrong.items():
        asked = {"now": now} if "$now" in condition else {}
        found = connection.execute(f"SELECT {identifier}, {time} FROM records WHERE {condition} ORDER BY ALL LIMIT 1", asked).fetchone()
        if found:
            raise _wrong(group, f"{why}: {_row(found)}", "leave such rows out, or correct the source")
    twice = connection.execute(f"SELECT {identifier}, {time} FROM records GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL LIMIT 1").fetchone()
    if twice:
        raise _wrong(group, f"there are several records of {_row(twice)}", "yield one of each identifier and time")


def _row(found: tuple[str | None, str | None]) -> str:
    return f"{shortened(found[0] or '')} at {found[1]}"
