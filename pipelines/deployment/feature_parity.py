"""What endpoints are answered with, held against what models are trained on: of some identifiers, the newest record online and offline.

Those with an event in the offline store's newest hour are asked for: their newest record offline is in that hour, so a few files tell. What
is newer online has not come to the offline store yet, and is no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from paved_runtime.as_of import QUIET
from paved_runtime.spec import Lookup
from pipelines.deployment import feature_store
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.feature_store import PARITY
from pipelines.deployment.live_gates import at_most
from pipelines.evidence.document import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

COMPARED = 200  # identifiers of a group
FILES = 20  # that are read; what a newer one says of an identifier is newer online, too
AT_ONCE = 100  # identifiers in a call (API BatchGetRecord)
TRIES = 5  # of what is put off
OTHERWISE = (
    "where it was put or deleted just now, retry the stage in fifteen minutes; "
    "else put the group's newest source again, and look at who else writes it"
)
Store = Mapping[str, Any]  # as `feature_store.stores` tells of a group
Value = str | int | float | None


@dataclass(frozen=True)
class Record:
    """The newest one of an identifier: the moment of its event, and its features; `values` is None where it was deleted."""

    happened: datetime
    values: Mapping[str, Value] | None


def parity(runtime: Any, s3: S3Client, stores: Mapping[str, Store], lookups: Mapping[str, Lookup]) -> list[Verdict]:
    """A verdict a group: how many of the records that are compared the online store answers otherwise; accepted is none.

    Raises:
        DeploymentError: the online store does not answer.
    """
    return [_judged(group, runtime, s3, stores[group], lookup.columns) for group, lookup in lookups.items()]


def _judged(group: str, runtime: Any, s3: S3Client, store: Store, columns: Sequence[str]) -> Verdict:
    offline = _offline(s3, store, columns)
    if not offline:
        return at_most(PARITY, f"records of {group}", "no record", 0, feature_store.STALE)
    online = _online(runtime, store, list(offline), columns)
    newer = [key for key, record in online.items() if record.happened > offline[key].happened]
    compared = [key for key in offline if key not in newer]
    wrong = [why for key in compared if (why := _difference(key, offline[key], online.get(key)))]
    subject = f"of {len(compared)} records of {group}, those that the online store answers otherwise"
    return at_most(PARITY, subject, len(wrong), 0, f"{wrong[0]}: {OTHERWISE}" if wrong else "")


def _difference(key: str, offline: Record, online: Record | None) -> str:
    """What is not the same; nothing where all is."""
    if online is None or online.values is None:
        return "" if offline.values is None else f"{key!r} is there offline alone"
    if offline.values is None:
        return f"{key!r} is there online alone"
    if online.happened != offline.happened:
        return f"{key!r} has its newest event at {online.happened.isoformat()} online, at {offline.happened.isoformat()} offline"
    for name, value in offline.values.items():
        if not _same(value, online.values[name]):
            return f"{name} of {key!r} is {online.values[name]!r} online, {value!r} offline"
    return ""


def _same(offline: Value, online: Value) -> bool:
    """Numbers as a model gets them, in single precision; `online` is a text."""
    if online is None or offline is None or isinstance(offline, str):
        return offline == online
    return bool(np.float32(offline) == np.float32(online))


def _offline(s3: S3Client, store: Store, columns: Sequence[str]) -> dict[str, Record]:
    """The newest records of up to COMPARED identifiers, the newest first."""
    bucket, _ = feature_store.place(store["offline_store"])
    keys = sorted(feature_store.newest_files(s3, store["offline_store"]))[-FILES:]  # named after their newest events
    with TemporaryDirectory() as folder, duckdb.connect(config=QUIET) as connection:
        for number, key in enumerate(keys):
            s3.download_file(bucket, key, str(Path(folder) / f"{number}.parquet"))
        return dict(_newest(connection, folder, store, columns)) if keys else {}


def _newest(connection: duckdb.DuckDBPyConnection, folder: str, store: Store, columns: Sequence[str]) -> Iterator[tuple[str, Record]]:
    """What the online store has of each: of records with the same event time the first that came (API PutRecord)."""
    identifier, event_time, *features = (f'"{name}"' for name in (store["identifier"], store["event_time"], *columns))
    newest = f"""
        SELECT {identifier}, {event_time}, is_deleted, {", ".join(features)}
        FROM read_parquet($files, union_by_name = true, hive_partitioning = false)
        QUALIFY row_number() OVER (PARTITION BY {identifier} ORDER BY {event_time}::TIMESTAMPTZ DESC, api_invocation_time) = 1
        ORDER BY {event_time}::TIMESTAMPTZ DESC, {identifier}
        LIMIT {COMPARED}
    """
    for key, happened, deleted, *values in connection.execute(newest, {"files": f"{folder}/*.parquet"}).fetchall():
        yield key, Record(datetime.fromisoformat(happened), None if deleted else dict(zip(columns, values, strict=True)))


def _online(runtime: Any, store: Store, keys: Sequence[str], columns: Sequence[str]) -> dict[str, Record]:
    """What the online store answers with; an identifier without a record is not there."""
    records: dict[str, Record] = {}
    for start in range(0, len(keys), AT_ONCE):
        for each in _answers(runtime, store, keys[start : start + AT_ONCE], columns):
            texts = {value["FeatureName"]: value.get("ValueAsString") for value in each["Record"]}
            values = {name: texts.get(name) for name in columns}
            records[each["RecordIdentifierValueAsString"]] = Record(datetime.fromisoformat(texts[store["event_time"]]), values)
    return records


def _answers(runtime: Any, store: Store, keys: Sequence[str], columns: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    name = store["feature_group_name"]
    wanted = [
        {"FeatureGroupName": name, "RecordIdentifiersValueAsString": list(keys), "FeatureNames": [store["event_time"], *columns]},
    ]
    for _ in range(TRIES):
        answer = runtime.batch_get_record(Identifiers=wanted)
        for error in answer["Errors"]:
            raise DeploymentError(f"feature group {name}: {error['ErrorCode']}: {error['ErrorMessage']}: retry the stage")
        yield from answer["Records"]
        if not (wanted := answer["UnprocessedIdentifiers"]):
            return
    raise DeploymentError(f"feature group {name}: the store puts the question off: retry the stage")
