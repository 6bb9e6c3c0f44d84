"""The first job of a batch: the files that are to be scored become parts, of which each line is one row, and a list of what they are."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paved_runtime import artifact, as_of
from paved_runtime.batch import files, model, results
from paved_runtime.batch.errors import BatchError, FileError
from paved_runtime.batch.lines import Writer
from paved_runtime.batch.lookups import Join, OfflineStore
from paved_runtime.job import Job

ROWS, PARTS, PREPARED = "processing/input/rows", "processing/parts", "processing/prepared"
LIST = "prepared.json"
OWN = ("manifest.json", "failures.csv")  # what results have beside the files' own
FORMAT = 1
DEFAULT_PAYLOAD = "6"
Json = dict[str, Any]


def batch_prepare(job: Job, join: Join = as_of.join) -> None:
    """Write `parts/part-00000.jsonl` … and `prepared/prepared.json`, of all files below INPUT_URI, in the order of their names.

    Rows that have keys in place of columns get these from the offline stores that are the job's inputs, by `join`.

    Raises:
        BatchError: a file is none that can be scored, or there are no rows at all.
        ArtifactError: the model is not the one that was deployed.
        ValueError: PAYLOAD_MB is no number of megabytes, or FEATURES or FEATURES_UNTIL cannot be read.
    """
    began, payload = now(), job.environ.get("PAYLOAD_MB", DEFAULT_PAYLOAD)
    if not payload.isdecimal() or not int(payload):
        raise ValueError(f"PAYLOAD_MB: expected a number of megabytes above 0, found {payload!r}")
    digest, store = model.digest(job), OfflineStore.of(job, join)
    source = job.environ.get("INPUT_URI", "")
    with Writer(job.root / PARTS, payload_mb=int(payload)) as writer:
        listed = _files(job.root / ROWS, writer, store, source)
    content = {
        "format": FORMAT,
        "began": began,
        "model_sha256": digest,
        "input_uri": source,
        "input_sha256": _digest(listed),
        **({"features_until": store.moment} if store.groups else {}),
        "rows": writer.rows,
        "files": listed,
        "parts": writer.parts,
    }
    artifact.write_json(job.root / PREPARED / LIST, content)
    print(f"prepared {writer.rows} rows of {len(listed)} files in {len(writer.parts)} parts", flush=True)


def now() -> str:
    """The time, as manifests have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _files(folder: Path, writer: Writer, store: OfflineStore, source: str) -> list[Json]:
    """What is to be known of every file, its rows written."""
    results.columns(store.data)
    listed: list[Json] = []
    problems: list[str] = []
    for file in files.listed(folder):
        name = file.relative_to(folder).as_posix()
        try:
            listed.append(_file(file, name, writer, store))
        except FileError as error:
            problems.append(f"{name}: {error}")
    if problems:
        raise BatchError(problems)
    if not writer.rows:
        empty = f"{len(listed)} files without rows" if listed else "no file"
        raise BatchError([f"{source or folder} has {empty}: expected *{', *'.join(files.READERS)} with rows"])
    return listed


def _file(file: Path, name: str, writer: Writer, store: OfflineStore) -> Json:
    if name in OWN:
        raise FileError("the results have a file of that name: rename it")
    first = writer.rows
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        stream.seek(0)
        rows = files.read(stream, file, store)
        for text in rows.texts:
            if not writer.add(text):
                at = writer.rows - first + 1
                raise FileError(f"row {at}: longer than a request may be: raise payload_mb of the batch table in model.toml")
    schema = {"schema": rows.schema} if rows.schema else {}
    counted = {"name": name, "bytes": file.stat().st_size, "sha256": digest, "rows": writer.rows - first, "first": first}
    return {**counted, "keep": list(rows.keep), **schema}


def _digest(listed: list[Json]) -> str:
    """One digest of all files: of the list that `sha256sum` prints of them, in the order of their names."""
    return hashlib.sha256("".join(f"{file['sha256']}  {file['name']}\n" for file in listed).encode()).hexdigest()
