"""Replays: what an ingestion has put, compared with what the same source and the same SQL make again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cli import offline_store
from cli.feature_sql import Features, columns, quoted
from cli.ingestions import Ingestion, digest
from cli.offline_store import OfflineStore
from cli.problem import Problem
from paved_runtime.feature_groups import INGESTION, QUERY

SHOWN = 5  # records that differ, of each kind


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What the offline store has otherwise than what source and SQL make: records, by identifier and event time.

    `missing` are not in the store, `unexpected` only there; `different` counts, of those on both sides, by feature. `examples` names a few.
    """

    missing: int
    unexpected: int
    different: dict[str, int]
    examples: list[str]

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.missing or self.unexpected or self.different)


def compare(ingestion: Ingestion, features: Features, files: Sequence[Path], store: OfflineStore) -> Difference:
    """What an ingestion has put otherwise than what is made of the same source by the same SQL.

    Raises:
        Problem: it is another source, or another SQL.
    """
    what = f"replay of {ingestion.ingestion}"
    if sorted(digest(file) for file in files) != sorted(file["sha256"] for file in ingestion.source):
        raise Problem(
            what, "these are not its source files", f"hand in {', '.join(file['name'] for file in ingestion.source)} as it was then"
        )
    if digest(features.home / QUERY) != ingestion.sql_sha256:
        raise Problem(what, "features.sql is not what it was then", f"git checkout {(ingestion.commit or '').rstrip('+')}, and try again")
    brought = store.bring(features.stored, *(datetime.fromisoformat(time) for time in (ingestion.first, ingestion.last) if time))
    if not brought:
        return Difference(missing=features.rows, unexpected=0, different={}, examples=[])
    return _compare(ingestion, features)


def _compare(ingestion: Ingestion, features: Features) -> Difference:
    group, connection = features.group, features.connection
    key = [quoted(group.record_identifier), quoted(group.event_time)]
    names = ", ".join(map(quoted, columns(group)))
    connection.execute(
        f"CREATE TABLE put AS SELECT DISTINCT {names} FROM {offline_store.files(features.stored)} WHERE {INGESTION} = $ingestion",
        {"ingestion": ingestion.ingestion},
    )
    connection.execute(f"CREATE TABLE made_again AS SELECT {names} FROM records")
    both = f"FROM made_again JOIN put USING ({', '.join(key)})"
    lacking = f"FROM made_again ANTI JOIN put USING ({', '.join(key)})"
    more = f"FROM put ANTI JOIN made_again USING ({', '.join(key)})"

    def count(query: str) -> int:
        return int(connection.execute(f"SELECT count(*) {query}").fetchone()[0])

    differ = {name: f"made_again.{quoted(name)} IS DISTINCT FROM put.{quoted(name)}" for name in group.features}
    counts = {name: count(f"{both} WHERE {condition}") for name, condition in differ.items()}
    shown = {"missing": lacking, "unexpected": more, "different": f"{both} WHERE {' OR '.join(differ.values())}"}
    examples = [
        f"{word}: {identifier} at {at}"
        for word, query in shown.items()
        for identifier, at in connection.execute(f"SELECT {', '.join(key)} {query} ORDER BY ALL LIMIT {SHOWN}").fetchall()
    ]
    different = {name: number for name, number in counts.items() if number}
    return Difference(missing=count(lacking), unexpected=count(more), different=different, examples=examples)
