"""Point-in-time joins: to each row the features that the online store would have answered with at the row's time, and nothing later.

The offline store of a feature group has every record that was ever written (SageMaker guide, "Amazon SageMaker Feature Store offline store
data format"). Online is of each identifier the record with the greatest event time among those that have come (API PutRecord): one that is
not newer than what is there is history when it comes, and was never answered with. So a record counts from the moment at which it was
known, which is when it came or, where it came by a backfill, its event time; and only if no record known before has its event time or a
later one. Backfilled records name their ingestion in `ingestion`, a feature that the group has for it.

DuckDB joins: it is no part of an image that does not ask for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

INGESTION = "ingestion"
ABSENT = "add paved-runtime's extra `features` to the model's requirements.in and run ./road lock"
MEMORY = "2GB"
NUMBER = '"row number"'


class FeatureError(ValueError):
    """Features that cannot be joined; the message says what is wrong and what to do."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Where some columns of a data set come from.

    `store` is a folder with the group's Parquet files, whose records are known by `identifier` and have their time in `event_time`: a text
    or seconds since 1970. `key` is the data set's column with the identifier; `columns` are features. Records that are older than
    `maximum_age` at a row's time count as none.
    """

    group: str
    store: Path
    identifier: str
    event_time: str
    key: str
    columns: tuple[str, ...]
    maximum_age: timedelta | None = None


def join(rows: Path, time: str, lookups: Sequence[Lookup], target: Path) -> None:
    """Write `rows`, a CSV or Parquet file, with the columns of the lookups beside its own, to the CSV file `target`, in the file's order.

    `time` is the column with the moment for which features are looked up: an ISO-8601 text, in UTC where it says no offset; a day without a
    time stands for its beginning.

    Raises:
        FeatureError: a column is missing, is there twice, or has what cannot be read; or DuckDB is not there.
    """
    try:
        duckdb = import_module("duckdb")
    except ModuleNotFoundError as error:
        raise FeatureError(f"features are joined by DuckDB, which is not here: {ABSENT}") from error
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET TimeZone = 'UTC'")
        try:
            _join(connection, rows, time, lookups, target)
        except duckdb.Error as error:
            raise FeatureError(f"{rows.name}: {str(error).splitlines()[0]}") from error


def _join(connection: Any, rows: Path, time: str, lookups: Sequence[Lookup], target: Path) -> None:
    if rows.suffix == ".parquet":
        file = "read_parquet($rows)"
    else:
        file = "read_csv($rows, header = true, all_varchar = true, ignore_errors = false)"
    connection.execute(f"CREATE TEMP TABLE data_set AS SELECT *, row_number() OVER () AS {NUMBER} FROM {file}", {"rows": str(rows)})
    own = [name for name, *_ in connection.execute("DESCRIBE data_set").fetchall() if name != NUMBER.strip('"')]
    _fit(own, time, lookups)
    for number, lookup in enumerate(lookups):
        connection.execute(f"CREATE TEMP TABLE looked_up_{number} AS {_as_of(lookup, time)}", _parameters(lookup))
    tables = "".join(f" JOIN looked_up_{number} USING ({NUMBER})" for number in range(len(lookups)))
    columns = ", ".join([*(f"data_set.{_name(column)}" for column in own), *(_name(c) for lookup in lookups for c in lookup.columns)])
    ordered = f"SELECT {columns} FROM data_set{tables} ORDER BY {NUMBER}"
    connection.execute(f"COPY ({ordered}) TO {_text(str(target))} (FORMAT csv, HEADER true)")


def _as_of(lookup: Lookup, time: str) -> str:
    """The query of a row's number and of the lookup's columns at the row's time, for every row."""
    columns = ", ".join(map(_name, lookup.columns))
    return f"""
        WITH records AS (
            SELECT
                {_name(lookup.identifier)}::VARCHAR AS identifier,
                {_moment(lookup.event_time)} AS happened,
                CASE WHEN {INGESTION} IS NULL THEN greatest(happened, api_invocation_time::TIMESTAMPTZ) ELSE happened END AS known,
                api_invocation_time AS came,
                is_deleted,
                {columns}
            FROM read_parquet($store, union_by_name = true, hive_partitioning = false)
        ),
        online AS (
            SELECT *, max(happened) OVER (
                PARTITION BY identifier ORDER BY known, came, happened ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS newest
            FROM records
            QUALIFY newest IS NULL OR happened > newest
        ),
        answers AS (
            SELECT * FROM online QUALIFY row_number() OVER (PARTITION BY identifier, known ORDER BY happened DESC) = 1
        ),
        moments AS (
            SELECT {NUMBER}, {_name(lookup.key)}::VARCHAR AS identifier, {_moment(time)} AS moment FROM data_set
        )
        SELECT {NUMBER}, {", ".join(f"CASE WHEN fresh THEN {_name(c)} END AS {_name(c)}" for c in lookup.columns)}
        FROM (
            SELECT moments.{NUMBER}, answers.*, NOT is_deleted AND epoch(moment) - epoch(happened) <= $age AS fresh
            FROM moments ASOF LEFT JOIN answers
            ON moments.identifier = answers.identifier AND moments.moment >= answers.known
        )
    """


def _parameters(lookup: Lookup) -> dict[str, Any]:
    age = lookup.maximum_age.total_seconds() if lookup.maximum_age else float("inf")
    return {"store": str(lookup.store / "**/*.parquet"), "age": age}


def _moment(column: str) -> str:
    """A moment out of a text or of seconds since 1970."""
    name = _name(column)
    return f"CASE WHEN typeof({name}) = 'DOUBLE' THEN to_timestamp(try_cast({name} AS DOUBLE)) ELSE {name}::VARCHAR::TIMESTAMPTZ END"


def _fit(own: Sequence[str], time: str, lookups: Sequence[Lookup]) -> None:
    for column in (time, *(lookup.key for lookup in lookups)):
        if column not in own:
            raise FeatureError(f"the data set has no column {column!r}, by which features are looked up: it has {', '.join(own)}")
    there = list(own)
    for lookup in lookups:
        for column in lookup.columns:
            if column in there:
                raise FeatureError(f"column {column!r} comes from the feature group {lookup.group}: take it out of what has it, too")
            there.append(column)


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
