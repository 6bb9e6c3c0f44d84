"""Point-in-time joins: to each row the features that the online store would have answered with at the row's time, and nothing later.

The offline store of a feature group has every record that was ever written (SageMaker guide, "Amazon SageMaker Feature Store offline store
data format"). Online is of each identifier the record with the greatest event time among those that have come (API PutRecord): one that is
not newer than what is there is history when it comes, and was never answered with. So a record counts from the moment at which it was
known, which is when it came or, where it came by a backfill, its event time; and only if no record known before has its event time or a
later one. Backfilled records name their ingestion in `ingestion`, a feature that the group has for it.

The store goes on growing, and a backfill changes what was known long ago. So a join that is to be made again looks at what was written
until some moment alone (`write_time`, the same page): then it finds what it found.

DuckDB joins: it is no part of an image that does not ask for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

INGESTION = "ingestion"
ABSENT = "add paved-runtime's extra `features` to the model's requirements.in and run ./road lock"
MEMORY = "2GB"
QUIET = {"autoinstall_known_extensions": "false"}  # of DuckDB: it fetches nothing by itself
FILES = "**/*.parquet"
NUMBER, FRESH = '"row number"', '"has a record"'
DIALECT = "delim = ',', quote = '\"', escape = '\"'"  # of a data set in CSV: nothing is guessed


class FeatureError(ValueError):
    """Features that cannot be joined; the message says what is wrong and what to do."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Where some columns of a data set come from.

    `store` is a folder with the group's Parquet files, whose records are known by `identifier` and have their time in `event_time`: a text
    or seconds since 1970. `key` is the data set's column with the identifier; `columns` are features. Records that are older than
    `maximum_age` at a row's time count as none, and so do those that were written after `until`.
    """

    group: str
    store: Path
    identifier: str
    event_time: str
    key: str
    columns: tuple[str, ...]
    maximum_age: timedelta | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a group's store has had until a moment: records, the newest event time (ISO-8601, UTC; None without a record), and how many of
    the records came by which ingestion.
    """

    records: int
    newest_event: str | None
    ingestions: dict[str, int]


def join(rows: Path, time: str, lookups: Sequence[Lookup], target: Path) -> list[int]:
    """Write `rows`, a CSV or Parquet file, with the columns of the lookups beside its own, to the CSV file `target`, in the file's order.

    `time` is the column with the moment for which features are looked up: an ISO-8601 text, in UTC where it says no offset; a day without a
    time stands for its beginning. The answer is how many rows got a record, of each lookup.

    Raises:
        FeatureError: a column is missing, is there twice, or has what cannot be read; a store has no records; or DuckDB is not there.
    """
    with _connected(rows.name) as connection:
        return _join(connection, rows, time, lookups, target)


def known(lookup: Lookup) -> Known:
    """What there was to be looked up. Raises FeatureError as `join` does."""
    counted = f"""
        SELECT {INGESTION}, count(*), epoch_ms(max({_moment(lookup.event_time)})) FROM {_records(lookup)} GROUP BY ALL ORDER BY ALL
    """
    with _connected(lookup.group) as connection:
        counts = connection.execute(counted, _store(lookup)).fetchall()
    newest = max((event for *_, event in counts), default=None)
    return Known(
        records=sum(records for _, records, _ in counts),
        newest_event=None if newest is None else datetime.fromtimestamp(newest / 1000, UTC).isoformat().replace("+00:00", "Z"),
        ingestions={ingestion: records for ingestion, records, _ in counts if ingestion is not None},
    )


@contextmanager
def _connected(about: str) -> Iterator[Any]:
    """A database in memory, whose refusals are FeatureErrors `about` something."""
    try:
        duckdb = import_module("duckdb")
    except ModuleNotFoundError as error:
        raise FeatureError(f"features are joined by DuckDB, which is not here: {ABSENT}") from error
    with duckdb.connect(config=QUIET) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY}'; SET TimeZone = 'UTC'")
        try:
            yield connection
        except duckdb.Error as error:
            raise FeatureError(f"{about}: {str(error).splitlines()[0]}") from error


def _join(connection: Any, rows: Path, time: str, lookups: Sequence[Lookup], target: Path) -> list[int]:
    if rows.suffix == ".parquet":
        file = "read_parquet($rows)"
    else:
        file = f"read_csv($rows, header = true, all_varchar = true, ignore_errors = false, {DIALECT})"
    connection.execute(f"CREATE TEMP TABLE data_set AS SELECT *, row_number() OVER () AS {NUMBER} FROM {file}", {"rows": str(rows)})
    own = [name for name, *_ in connection.execute("DESCRIBE data_set").fetchall() if name != NUMBER.strip('"')]
    _fit(own, time, lookups)
    for number, lookup in enumerate(lookups):
        connection.execute(f"CREATE TEMP TABLE looked_up_{number} AS {_as_of(lookup, time)}", _parameters(lookup))
    tables = "".join(f" JOIN looked_up_{number} USING ({NUMBER})" for number in range(len(lookups)))
    columns = ", ".join([*(f"data_set.{_name(column)}" for column in own), *(_name(c) for lookup in lookups for c in lookup.columns)])
    ordered = f"SELECT {columns} FROM data_set{tables} ORDER BY {NUMBER}"
    connection.execute(f"COPY ({ordered}) TO {_text(str(target))} (FORMAT csv, HEADER true)")
    counts = (f"SELECT count(*) FILTER ({FRESH}) FROM looked_up_{number}" for number in range(len(lookups)))
    return [int(connection.execute(count).fetchone()[0]) for count in counts]


def _as_of(lookup: Lookup, time: str) -> str:
    """The query of a row's number and of the lookup's columns at the row's time, for every row."""
    columns = ", ".join(map(_name, lookup.columns))
    answered = ", ".join(f"CASE WHEN fresh THEN {_name(c)} END AS {_name(c)}" for c in lookup.columns)
    return f"""
        WITH records AS (
            SELECT
                {_name(lookup.identifier)}::VARCHAR AS identifier,
                {_moment(lookup.event_time)} AS happened,
                CASE WHEN {INGESTION} IS NULL THEN greatest(happened, api_invocation_time::TIMESTAMPTZ) ELSE happened END AS known,
                api_invocation_time AS came,
                is_deleted,
                {columns}
            FROM {_records(lookup)}
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
        SELECT {NUMBER}, coalesce(fresh, false) AS {FRESH}, {answered}
        FROM (
            SELECT moments.{NUMBER}, answers.*, NOT is_deleted AND epoch(moment) - epoch(happened) <= $age AS fresh
            FROM moments ASOF LEFT JOIN answers
            ON moments.identifier = answers.identifier AND moments.moment >= answers.known
        )
    """


def _parameters(lookup: Lookup) -> dict[str, Any]:
    return {**_store(lookup), "age": lookup.maximum_age.total_seconds() if lookup.maximum_age else float("inf")}


def _records(lookup: Lookup) -> str:
    """The relation of the records that count. Raises FeatureError where the store has no file."""
    if next(lookup.store.glob(FILES), None) is None:
        raise FeatureError(f"feature group {lookup.group} has no records to look up: put some with ./road features put {lookup.group}")
    written = "WHERE write_time::TIMESTAMPTZ <= $until::TIMESTAMPTZ" if lookup.until else ""
    return f"(SELECT * FROM read_parquet($store, union_by_name = true, hive_partitioning = false) {written})"


def _store(lookup: Lookup) -> dict[str, Any]:
    return {"store": str(lookup.store / FILES), **({"until": lookup.until.isoformat()} if lookup.until else {})}


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
