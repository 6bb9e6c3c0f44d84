"""The data set of a job with the columns that its model looks up, as if they had been stored with it.

They are joined before the contract is looked at, which judges them like any others. What says which bytes were stored, and which rows these
are, goes by the data set's own cells alone: what a backfill adds to a group makes no new rows, and parts them no other way.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from paved_runtime import as_of, contract, offline_store
from paved_runtime.contract import Reading, data_files
from paved_runtime.feature_groups import VARIABLE, told
from paved_runtime.job import Job
from paved_runtime.online_store import Group, groups
from paved_runtime.spec import Data

Join = Callable[[Path, str, Sequence[as_of.Lookup], Path], Sequence[int]]
Known = Callable[[as_of.Lookup], as_of.Known]
Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Files that the contract `data` can be held against.

    Of a model that looks features up: `own` are the columns that were stored, `sha256` is of the bytes that were stored, and `features` has
    of each group where it came from, until when, and how many rows got a record.
    """

    folder: Path
    data: Data
    own: tuple[str, ...] | None = None
    sha256: str = ""
    features: Mapping[str, Json] | None = None

    def inspect(self) -> Reading:
        """As `contract.inspect` has it, with digests of what was stored."""
        reading = contract.inspect(self.folder, self.data, self.own)
        return replace(reading, sha256=self.sha256 or reading.sha256)


Stored = Callable[[Job], AbstractContextManager[DataSet]]


@contextmanager
def of(job: Job, join: Join = as_of.join, known: Known = as_of.known) -> Iterator[DataSet]:
    """The job's data set; where its model looks features up, a copy that has them.

    The records are those of the channels features_<group> that were written until FEATURES_UNTIL; FEATURES says what groups are called.
    A job that is told of none takes rows that have all columns themselves, as made-up rows do on a laptop and in a model's tests.

    Raises:
        ContractError: a file is no table.
        FeatureError: its rows cannot be joined with a group's records.
        FileNotFoundError: there is no file.
        ValueError: the job was not given a group, or one of the variables cannot be read.
    """
    if not job.spec.features or _whole(job):
        yield DataSet(folder=job.data, data=job.spec.whole.data)
        return
    with TemporaryDirectory() as scratch:
        yield _joined(job, Path(scratch), join, known)


@dataclass(frozen=True, kw_only=True)
class _Copy:
    """A file of the data set as CSV of the contract's own dialect."""

    file: Path
    header: list[str]
    rows: int


def _joined(job: Job, scratch: Path, join: Join, known: Known) -> DataSet:
    data, lookups, measured = job.spec.whole.data, _lookups(job), hashlib.sha256()
    own: dict[str, None] = {}
    rows, matched = 0, dict.fromkeys(lookups, 0)
    target = scratch / "joined"
    target.mkdir()
    for number, file in enumerate(contract.files(job.data)):
        copy = _copy(file, scratch / f"{file.stem}.csv", data, measured)
        counts = join(copy.file, str(data.time), list(lookups.values()), target / f"{number:05}-{copy.file.name}")
        copy.file.unlink()
        own |= dict.fromkeys(copy.header)
        rows += copy.rows
        matched = {name: matched[name] + count for name, count in zip(lookups, counts, strict=True)}
    stores = groups(job.environ, list(lookups))
    features = {name: _origin(stores[name], each, known(each), rows, matched[name]) for name, each in lookups.items()}
    return DataSet(folder=target, data=data, own=tuple(own), sha256=measured.hexdigest(), features=features)


def _whole(job: Job) -> bool:
    """Whether a job that is told of no group has rows with all columns."""
    if told(job.environ) or not (listed := data_files(job.data)):
        return False
    with contract.opened(listed[0], job.spec.data, hashlib.sha256()) as (header, _):
        return set(job.spec.data.columns) <= set(header)


def _lookups(job: Job) -> dict[str, as_of.Lookup]:
    """What is looked up, by group. Raises ValueError where the job was not given one, or a variable cannot be read."""
    declared, until = job.spec.features, offline_store.until(job.environ)
    stores = groups(job.environ, list(declared))
    for name in declared:
        if name not in stores or not job.channel(f"features_{name}").is_dir():
            raise ValueError(
                f"model.toml looks columns up in feature group {name}: this job has no input features_{name}, or no {VARIABLE}"
            )
    return {
        name: offline_store.lookup(name, each, stores[name], job.channel(f"features_{name}"), until=until, key=each.key)
        for name, each in declared.items()
    }


def _copy(file: Path, target: Path, data: Data, measured: hashlib._Hash) -> _Copy:
    """Copy a file, whose bytes are `measured` as they are read. Raises ContractError as `contract.opened` does."""
    with contract.opened(file, data, measured) as (header, lines), target.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        rows = 0
        for line in lines:
            writer.writerow(line)
            rows += 1
    return _Copy(file=target, header=header, rows=rows)


def _origin(group: Group, lookup: as_of.Lookup, known: as_of.Known, rows: int, matched: int) -> Json:
    """What data.json says of a group."""
    assert lookup.until
    return {
        "feature_group": group.feature_group_name,
        "offline_store": group.offline_store,
        "key": lookup.key,
        "columns": list(lookup.columns),
        "until": offline_store.spelt(lookup.until),
        "records": known.records,
        "newest_event": known.newest_event,
        "ingestions": known.ingestions,
        "rows": {"with_record": matched, "without_record": rows - matched},
    }
