"""Files that have the key of a feature group in place of its columns: their rows get what the group had at one moment, as its offline
store has it, and not what is online while the job happens to run. So a batch can be repeated.

A file is read twice: first its keys, which DuckDB joins, then its rows, beside what was joined. Neither is held as a whole.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from paved_runtime import as_of, offline_store
from paved_runtime.batch.errors import FileError
from paved_runtime.feature_groups import VARIABLE
from paved_runtime.job import Job
from paved_runtime.lookups import IDENTIFIER, identifier
from paved_runtime.online_store import Group, groups
from paved_runtime.rules import is_optional, rules, shown
from paved_runtime.spec import Data, Lookup

INPUT = "processing/input"
Join = Callable[[Path, str, Sequence[as_of.Lookup], Path], object]
Keys = Iterator[Sequence[str]]  # of each row, its identifier in each group, "" where it needs nothing of it


def of_header(header: Sequence[str], lookups: Mapping[str, Lookup], where: str) -> list[str]:
    """The groups that a table lacks the columns of, and has the key. Raises FileError where it has some of a group's columns only."""
    return [group for group, lookup in lookups.items() if _lacks(header, group, lookup, where)]


def _lacks(header: Sequence[str], group: str, lookup: Lookup, where: str) -> bool:
    there = [column for column in lookup.columns if column in header]
    if there and len(there) < len(lookup.columns):
        every = f"all columns of feature group {group} ({', '.join(lookup.columns)})"
        raise FileError(f"{where}expected {every} or none of them and {lookup.key!r}, found only {', '.join(there)}")
    return not there and lookup.key in header


@dataclass(frozen=True, kw_only=True)
class OfflineStore:
    """The groups' records, in folders of their own below `root`, at one moment.

    `groups` is empty where the job was given none: then no file may lack a column.
    """

    root: Path
    lookups: Mapping[str, Lookup]
    data: Data
    groups: Mapping[str, Group]
    until: datetime
    join: Join = as_of.join

    @classmethod
    def of(cls, job: Job, join: Join = as_of.join) -> Self:
        """The job's: its inputs features_<group>, what FEATURES says of them, and the moment FEATURES_UNTIL, which is now if it is not set.

        Raises:
            ValueError: one of the variables cannot be read.
        """
        lookups = job.spec.features
        return cls(
            root=job.root / INPUT,
            lookups=lookups,
            data=job.spec.data,
            groups=groups(job.environ, list(lookups)) if lookups else {},
            until=offline_store.until(job.environ),
            join=join,
        )

    @property
    def moment(self) -> str:
        """As of when records count."""
        return offline_store.spelt(self.until)

    @contextmanager
    def joined(self, names: Sequence[str], keys: Keys) -> Iterator[Joined]:
        """Of some groups, in this order, what there is for each row by its `keys`.

        Raises:
            FileError: the job has not what it takes to look anything up.
            as_of.FeatureError: the records cannot be joined.
        """
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder) / "keys.csv", Path(folder) / "joined.csv"
            own = self._names(len(names))
            with asked.open("w", newline="", encoding="utf-8") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(own)
                writer.writerows((self.until.isoformat(), *row) for row in keys)
            self.join(asked, own[0], [self._lookup(name, key) for name, key in zip(names, own[1:], strict=True)], answered)
            with answered.open(newline="", encoding="utf-8") as stream:
                lines = csv.reader(stream)
                next(lines)
                yield Joined({name: self.lookups[name] for name in names}, self.data, self.moment, (line[len(own) :] for line in lines))

    def _names(self, keys: int) -> list[str]:
        """Names for columns of a moment and of keys, which no column of the contract has."""
        longer = "_" * (1 + max(map(len, self.data.columns)))
        return [f"{longer}{number}" for number in range(keys + 1)]

    def _lookup(self, name: str, key: str) -> as_of.Lookup:
        store, lookup = self.root / f"features_{name}", self.lookups[name]
        if name not in self.groups or not store.is_dir():
            raise FileError(
                f"expected columns {', '.join(lookup.columns)}, or feature group {name} to look them up in: "
                f"the job has no input features_{name}, or no {VARIABLE}"
            )
        return offline_store.lookup(name, lookup, self.groups[name], store, until=self.until, key=key)


class Joined:
    """What the rows of one file got. `columns` are those of its groups, and `rows` the cells of each row, in the same order."""

    def __init__(self, lookups: Mapping[str, Lookup], data: Data, moment: str, rows: Iterator[Sequence[str]]) -> None:
        self.lookups, self.rows = lookups, rows
        self.columns = [column for lookup in lookups.values() for column in lookup.columns]
        self._moment = moment
        accepted = rules(data)
        self._due = {name: [column for column in each.columns if not is_optional(accepted[column])] for name, each in lookups.items()}

    def wrong(self, group: str, cells: Mapping[str, str], key: object) -> str:
        """Why a row cannot be scored that has this `key` and got these `cells`, by column; nothing where it can."""
        name = self.lookups[group].key
        if identifier(key) is None:
            return f"column {name!r}: expected {IDENTIFIER}, found {shown(key)}"
        empty = [column for column in self._due[group] if not cells[column]]
        if not empty:
            return ""
        wanted = f"expected a value of {', '.join(empty)} in feature group {group} for {shown(key)}, as of {self._moment}"
        return f"column {name!r}: {wanted}, found none"
