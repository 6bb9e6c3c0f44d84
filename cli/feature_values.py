"""The values that a feature store has: what was known of somebody and when, and how the values of each feature are spread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.table import Table
from rich.text import Text

import naming
from cli import feature_sql, offline_store
from cli.feature_places import Place
from cli.feature_sql import quoted
from cli.offline_store import LAG, OfflineStore
from cli.problem import Problem
from config import CONFIG
from paved_runtime import feature_groups
from paved_runtime.as_of import QUIET
from paved_runtime.feature_groups import FeatureGroup
from paved_runtime.page import legible

BINS = 10
WIDTH = 30  # characters of the longest bar
Json = dict[str, Any]


@contextmanager
def brought(place: Place, group: FeatureGroup) -> Iterator[Any]:
    """A connection of DuckDB in which `records` are all of the group's offline store. Raises Problem where there are none."""
    store = OfflineStore.of(place.s3, place.describe(group))
    with TemporaryDirectory() as folder, feature_sql.load().connect(config=QUIET) as connection:
        if not store.bring(Path(folder)):
            name = naming.feature_group(CONFIG, group.name)
            raise Problem(f"feature group {name} in {place.name}", "its offline store is empty", f"put records; {LAG}")
        connection.execute(f"SET TimeZone = 'UTC'; CREATE VIEW records AS FROM {offline_store.files(Path(folder))}")
        yield connection


def history(connection: Any, group: FeatureGroup, identifier: str) -> list[Json]:
    """Every record of an identifier, newest event first. Raises Problem where there is none."""
    names = [*feature_sql.columns(group), feature_groups.INGESTION, "api_invocation_time", "is_deleted"]
    shown = ", ".join(f"{quoted(name)}::VARCHAR AS {name}" if name == "api_invocation_time" else quoted(name) for name in names)
    order = f"{quoted(group.event_time)}::TIMESTAMPTZ DESC, records.api_invocation_time DESC"
    asked = f"SELECT {shown} FROM records WHERE {quoted(group.record_identifier)} = $identifier ORDER BY {order}"
    rows = connection.execute(asked, {"identifier": identifier}).fetchall()
    if not rows:
        raise Problem(f"record {identifier} of {group.name}", "there is none in the offline store", f"name another; {LAG}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def history_view(rows: Sequence[Json]) -> Table:
    """A history as a person reads it."""
    table = Table(*rows[0], box=None, pad_edge=False, header_style="dim")
    for row in rows:
        table.add_row(*("" if value is None else legible(str(value)) for value in row.values()))
    return table


def histograms(connection: Any, group: FeatureGroup) -> dict[str, Json]:
    """Of each feature the values in the newest record of every identifier: how many records, how many without a value, and what lies where.

    `counts` has, of numbers, equal parts between the least and the greatest, by `[from, to]`; of texts the most frequent ones.
    """
    newest = f"""
        CREATE TEMP TABLE newest AS
        SELECT * FROM records
        QUALIFY row_number() OVER (
            PARTITION BY {quoted(group.record_identifier)} ORDER BY {quoted(group.event_time)}::TIMESTAMPTZ DESC, api_invocation_time
        ) = 1
    """
    connection.execute(newest)
    connection.execute("DELETE FROM newest WHERE is_deleted")
    made = {}
    for name, kind in group.features.items():
        records, there = connection.execute(f"SELECT count(*), count({quoted(name)}) FROM newest").fetchone()
        counts = _texts(connection, name) if kind == "text" else _numbers(connection, name)
        made[name] = {"records": records, "missing": records - there, "counts": counts}
    return made


def histograms_view(histograms: dict[str, Json]) -> Table:
    """Histograms as a person reads them."""
    table = Table.grid(padding=(0, 2))
    for name, each in histograms.items():
        table.add_row(Text(name, "bold"), Text(f"{each['records']} records, {each['missing']} without a value"), "")
        most = max((count for _, count in each["counts"]), default=1) or 1
        for value, count in each["counts"]:
            where = legible(value) if isinstance(value, str) else f"{value[0]:.6g} to {value[1]:.6g}"
            table.add_row(Text(f"  {where}"), Text("▇" * round(WIDTH * count / most)), str(count))
    return table


def _texts(connection: Any, name: str) -> list[tuple[str, int]]:
    asked = f"SELECT {quoted(name)}, count(*) FROM newest WHERE {quoted(name)} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {BINS}"
    return [(value, count) for value, count in connection.execute(asked).fetchall()]


def _numbers(connection: Any, name: str) -> list[tuple[list[float], int]]:
    low, high = connection.execute(f"SELECT min({quoted(name)})::DOUBLE, max({quoted(name)})::DOUBLE FROM newest").fetchone()
    if low is None:
        return []
    width = high / BINS - low / BINS
    if width == 0:
        return [([low, high], connection.execute(f"SELECT count({quoted(name)}) FROM newest").fetchone()[0])]
    place = f"least(floor(({quoted(name)}::DOUBLE / $width - $low / $width)), {BINS - 1})::INTEGER"
    asked = f"SELECT {place}, count(*) FROM newest WHERE {quoted(name)} IS NOT NULL GROUP BY 1"
    counts = dict(connection.execute(asked, {"low": low, "width": width}).fetchall())
    return [([low + width * i, low + width * (i + 1)], counts.get(i, 0)) for i in range(BINS)]
