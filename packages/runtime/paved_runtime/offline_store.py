"""The offline store of a feature group, as a job has it that joins rows with it: a folder of Parquet files, and until when they count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from paved_runtime import as_of
from paved_runtime.online_store import Group
from paved_runtime.spec import Lookup

UNTIL = "FEATURES_UNTIL"


def until(environ: Mapping[str, str]) -> datetime:
    """The moment FEATURES_UNTIL, in UTC where it says no offset; now, where it is not set. Raises ValueError: it is none."""
    text = environ.get(UNTIL) or datetime.now(UTC).isoformat()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{UNTIL}: expected a time like 2026-11-30T10:00:00Z, found {text!r}") from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def spelt(moment: datetime) -> str:
    """A moment as it is told: to the second, in UTC."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def lookup(name: str, declared: Lookup, group: Group, store: Path, *, until: datetime, key: str) -> as_of.Lookup:
    """What `model.toml` declares of a group whose records are in the folder `store`; `key` is the column of the rows that are joined."""
    return as_of.Lookup(
        group=name,
        store=store,
        identifier=group.identifier,
        event_time=group.event_time,
        key=key,
        columns=declared.columns,
        maximum_age=None if declared.maximum_age_hours is None else timedelta(hours=declared.maximum_age_hours),
        until=until,
    )
