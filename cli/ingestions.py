"""Ingestions: records made of source files and put into feature groups, each with a manifest that says of what, by what and how many.

Records name their ingestion, so that each can be traced to its source, and made again. An old event that is put now is known from its event
time on, as if it had been put then: to put it is all that a backfill is.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import naming
from cli.feature_places import WRITERS, Place
from cli.feature_sql import Features, Record, columns
from cli.problem import Problem
from cli.repository import Clone
from config import CONFIG
from paved_runtime.feature_groups import DECLARATION, INGESTION, QUERY, FeatureGroup
from pipelines.evidence import pack

FORMAT = 1
Json = dict[str, Any]
Advance = Callable[[int], None]


@dataclass(frozen=True, kw_only=True)
class Ingestion:
    """What a manifest says. `ended` is None of one that is under way, or has failed: its records are there as far as it came.

    `source` has the files' names, bytes and digests; `commit` ends with `+` where the tree had changes that no commit has; times are
    ISO-8601 texts in UTC.
    """

    format: int
    group: str
    ingestion: str
    source: list[Json]
    sql_sha256: str
    group_sha256: str
    commit: str | None
    rows: int
    first: str | None
    last: str | None
    began: str
    ended: str | None
    places: list[str]


def begin(features: Features, files: Sequence[Path], places: Sequence[Place], clone: Clone) -> Ingestion:
    """A new ingestion of what was made of these files."""
    began = datetime.now(UTC)
    head = clone.head()
    return Ingestion(
        format=FORMAT,
        group=features.group.name,
        ingestion=f"{began:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}",
        source=[{"name": file.name, "bytes": file.stat().st_size, "sha256": digest(file)} for file in files],
        sql_sha256=digest(features.home / QUERY),
        group_sha256=digest(features.home / DECLARATION),
        commit=f"{head}+" if head and clone.dirty() else head,
        rows=features.rows,
        first=features.first,
        last=features.last,
        began=_text(began),
        ended=None,
        places=[place.name for place in places],
    )


def put(ingestion: Ingestion, features: Features, places: Sequence[Place], advance: Advance) -> Ingestion:
    """Put every record into the group of each place, oldest first, and tell `advance` how many more are there.

    `places` begins with the toolchain's, which keeps the manifest: it is written before the first record, and again after the last.
    """
    write(places[0], ingestion)
    with ThreadPoolExecutor(WRITERS * len(places)) as pool:
        for batch in features.batches():
            parts = list(_parts(batch))
            writing = [pool.submit(_put, place, features.group, part, ingestion.ingestion) for place in places for part in parts]
            for each in writing:
                each.result()
            advance(len(batch))
    ended = Ingestion(**{**asdict(ingestion), "ended": _text(datetime.now(UTC))})
    write(places[0], ended)
    return ended


def every(place: Place, group: str) -> list[Ingestion]:
    """The ingestions of a group, newest first."""
    bucket, prefix = naming.features_bucket(CONFIG, place.account), f"{naming.INGESTIONS}/{group}/"
    pages = place.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = sorted((entry["Key"] for page in pages for entry in page.get("Contents", [])), reverse=True)
    return [_read(place, bucket, key) for key in keys]


def read(place: Place, group: str, ingestion: str) -> Ingestion:
    """The one of that name. Raises Problem where there is none."""
    known = {each.ingestion: each for each in every(place, group)}
    if ingestion not in known:
        raise Problem(f"ingestion {ingestion}", f"{group} has {', '.join(known) or 'none'}", "name one of them", code=2)
    return known[ingestion]


def write(place: Place, ingestion: Ingestion) -> None:
    """Keep what an ingestion's manifest says by now."""
    uri = naming.ingestion_manifest(CONFIG, place.account, ingestion.group, ingestion.ingestion)
    pack.write(place.s3, uri, json.dumps(asdict(ingestion), indent=1).encode())


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(place: Place, bucket: str, key: str) -> Ingestion:
    try:
        content = json.loads(place.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        if content["format"] != FORMAT:
            raise Problem(f"s3://{bucket}/{key}", f"it is of format {content['format']}, this road reads {FORMAT}", "./road upgrade")
        return Ingestion(**content)
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"s3://{bucket}/{key}", f"it is no manifest of an ingestion: {error}", "find out who writes there") from error


def _parts(batch: Sequence[Record]) -> Iterator[list[Record]]:
    """A batch, shared out so that an identifier's records stay together, in their order."""
    parts: dict[int, list[Record]] = {}
    for record in batch:
        parts.setdefault(zlib.crc32(str(record[0]).encode()) % WRITERS, []).append(record)
    yield from parts.values()


def _put(place: Place, group: FeatureGroup, records: Sequence[Record], ingestion: str) -> None:
    names, feature_group = [*columns(group), INGESTION], naming.feature_group(CONFIG, group.name)
    for record in records:
        values = [
            {"FeatureName": name, "ValueAsString": str(value)}
            for name, value in zip(names, (*record, ingestion), strict=True)
            if value is not None
        ]
        place.runtime.put_record(FeatureGroupName=feature_group, Record=values)


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
