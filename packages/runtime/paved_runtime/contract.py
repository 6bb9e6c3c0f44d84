"""The data contract: a data set is what `model.toml` says, or training never starts.

Everything that is wrong with a data set is collected before it is refused, so that whoever repairs it sees the whole list. Files are read
some rows at a time, and only what these come to is kept: a number a cell, texts, and of what is refused the first rows.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime import csv_text, dates, encoding, parquet
from paved_runtime.cells import each, written
from paved_runtime.digests import of_rows
from paved_runtime.encoding import FIRST, Column, Encoded, Growing, Refused
from paved_runtime.moments import Moment
from paved_runtime.parquet import ParquetError
from paved_runtime.rules import ANY_DAY, Rule, TargetRule, is_text, rules, target
from paved_runtime.spec import Data
from paved_runtime.table import Examples, Table, Texts, Values, column

if TYPE_CHECKING:
    from typing_extensions import Buffer

CORRECT = "correct the data, or model.toml"
CHUNK = 10_000  # rows that are held as text at a time
Cells = Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One rule held against one column, or, where `column` is empty, against the whole data set.

    `rows` are the first of the `count` rows that break it. 1 is the first after the header; several files are counted through.
    """

    column: str
    rule: str
    found: str
    allowed: str
    passed: bool = False
    count: int = 0
    rows: tuple[int, ...] = ()
    advice: str = CORRECT

    def __str__(self) -> str:
        column = f"column {self.column!r}: " if self.column else ""
        where = f" ({self.count} row{'s' * (self.count > 1)}, first {self.rows[0]})" if self.rows else ""
        return f"{column}expected {self.allowed}, found {self.found}{where}"

    def as_json(self) -> dict[str, Any]:
        """The check as violations.json lists it."""
        return asdict(self) | {"rows": list(self.rows)}


class ContractError(ValueError):
    """A data set that breaks the contract. The message is one line; `table()` shows every violation."""

    def __init__(self, source: str, violations: Sequence[Check]) -> None:
        advised = groupby(violations, key=lambda violation: violation.advice)
        sentences = [f"{'; '.join(map(str, broken))}: {advice}" for advice, broken in advised]
        super().__init__(f"{source} breaks the data contract: {'; '.join(sentences)}")
        self.violations = tuple(violations)

    def table(self) -> str:
        """The violations as text, one a line under a heading."""
        lines = [("column", "rule", "found", "allowed", "rows", "first rows")]
        lines += [
            (v.column or "(data set)", v.rule, v.found, v.allowed, str(v.count), ", ".join(map(str, v.rows))) for v in self.violations
        ]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


@dataclass(frozen=True)
class Reading:
    """A data set as far as it could be read: a cell that is refused is infinite, and a column that is wrong in the header is not there.

    `digested` has, for each file, the columns that its rows' digests are made of, in the order of their names. `sha256` is of the very
    bytes that were read, of several files one after the other.
    """

    source: str
    examples: Examples
    checks: list[Check]
    digested: list[list[str]]
    sha256: str


def read(folder: Path, data: Data, digested: Collection[str] | None = None) -> Examples:
    """Every `*.csv` and `*.parquet` of a folder, each cell checked. Columns may come in any order; excluded ones are digested and dropped.

    The columns that only say which rows are held out are not asked for: the files may be those that `write` wrote. `digested` is that of
    `inspect`: digests of every column take as long as all else.

    Raises:
        ContractError: a column or a cell breaks the contract.
        FileNotFoundError: the folder has no such file.
    """
    held = {"split": "random", "group": None, "time": None, "exclude": (*data.exclude, *data.keys)}
    reading = inspect(folder, data.model_copy(update=held), digested)
    demand(reading.source, reading.checks)
    return reading.examples


def demand(source: str, checks: Iterable[Check]) -> None:
    """Raise ContractError if any check has not passed."""
    if violations := [check for check in checks if not check.passed]:
        raise ContractError(source, violations)


def inspect(folder: Path, data: Data, digested: Collection[str] | None = None) -> Reading:
    """Every `*.csv` and `*.parquet` of a folder, by name, read as far as it goes, and what is to be said about its columns and cells.

    Rows are digested whole, or, where `digested` names columns, by those of them that their file has.

    Raises:
        ContractError: a file is no table at all, or lacks the target.
        FileNotFoundError: the folder has no such file.
    """
    listed, measured, rows = files(folder), hashlib.sha256(), _Rows(data, digested)
    headers = [_file(file, rows, measured, place=f" in {file.name}" if len(listed) > 1 else "") for file in listed]
    checks = list(dict.fromkeys(check for header in headers for check in header.checks))
    rows.keep({name for name in headers[0].once if all(name in header.once for header in headers)})
    examples = rows.examples()
    checks += [*rows.judged(), *_target(rows.target, examples.labels, data.target, target(data)), *rows.judged_keys()]
    if examples.times is not None and (moment := Moment.of(data)):
        checks += _future(moment, examples.table, examples.times)
    return Reading(", ".join(file.name for file in listed), examples, checks, [header.digested for header in headers], measured.hexdigest())


def data_files(folder: Path) -> list[Path]:
    """A data set's files, in the order in which their rows are counted."""
    return sorted([*folder.glob("*.csv"), *folder.glob(f"*{parquet.SUFFIX}")])


def files(folder: Path) -> list[Path]:
    """The same, of which there must be one. Raises FileNotFoundError."""
    if not (listed := data_files(folder)):
        raise FileNotFoundError(f"no *.csv in {folder}, and no *.parquet: the channel is empty or has another name")
    return listed


def sha256(folder: Path) -> str:
    """The digest that `inspect` gives of a folder's files, of files that need not be a table."""
    digest = hashlib.sha256()
    for file in data_files(folder):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def write(file: Path, examples: Examples, data: Data, rows: NDArray[np.intp] | None = None) -> None:
    """Write rows, all or these in this order, as CSV that `read` accepts: features in the order of `model.toml`, then the target."""
    file.parent.mkdir(parents=True, exist_ok=True)
    written_rows = np.arange(len(examples)) if rows is None else rows
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*data.columns, data.target])
        for start in range(0, len(written_rows), CHUNK):
            part = examples.take(written_rows[start : start + CHUNK])
            columns = [written(part.table, name, rule, rule.spell) for name, rule in rules(data).items()]
            writer.writerows(zip(*columns, each(part.labels.tolist(), target(data).spell), strict=True))


def encode(columns: Cells, accepted: Mapping[str, Rule]) -> tuple[Table, list[Check]]:
    """Turn columns of CSV cells into a Table. A refused cell becomes infinite there, which no accepted one is; the violations say why."""
    values = np.empty((len(next(iter(columns.values()))), len(accepted)))
    violations: list[Check] = []
    for position, (name, rule) in enumerate(accepted.items()):
        read = Column.of(rule)
        values[:, position] = read.encode(columns[name]).numbers
        violations += _violations(name, read.refused, rule.expected)
    texts = {name: column(columns[name]) for name, rule in accepted.items() if is_text(rule)}
    return Table({name: i for i, name in enumerate(accepted)}, values, texts), violations


@dataclass(frozen=True)
class _Header:
    """One file's: the columns that it has once, those that its rows' digests are made of, and what is to be said about it."""

    once: list[str]
    digested: list[str]
    checks: list[Check]


class _Rows:
    """What is kept of the files' rows, one file read after the other. A column that a file lacks is NaN in its rows."""

    def __init__(self, data: Data, digested: Collection[str] | None) -> None:
        """`digested` is that of `inspect`."""
        self.data, self._digested = data, digested
        self._rules = rules(data)
        self._features = {name: Column.of(rule, digested=self.digests(name)) for name, rule in self._rules.items()}
        self.target = Column(encoding.by_target(target(data)), digested=self.digests(data.target))
        self._group = Column(encoding.filled, digested=True) if data.group else None
        self._time = Column.of(ANY_DAY) if data.time and data.time not in self._rules else None
        self._others: dict[str, Column] = {}
        self._kept = list(self._rules)
        self._texts: dict[str, list[Texts]] = {name: [] for name, rule in self._rules.items() if is_text(rule)}
        self._values, self._labels, self._times = (Growing(np.float64, *shape) for shape in ((len(self._rules),), (), ()))
        self._row_digests, self._groups = Growing(np.uint64), Growing(np.uint64)

    def digests(self, name: str) -> bool:
        """Whether a column of this name is a part of its rows' digests."""
        return self._digested is None or name in self._digested

    def add(self, header: Sequence[str], columns: Sequence[Sequence[str]]) -> None:
        """Some rows of a file, column by column."""
        once = {name: cells for name, cells in zip(header, columns, strict=True) if header.count(name) == 1}
        known = {**self._features, self.data.target: self.target}
        encoded = {name: known[name].encode(cells) for name, cells in once.items() if name in known}
        values = self._values.more(len(columns[0]))
        for position, name in enumerate(self._rules):
            values[:, position] = encoded[name].numbers if name in encoded else np.nan
        self._labels.add(encoded[self.data.target].numbers)
        digested = ((name, cells) for name, cells in zip(header, columns, strict=True) if self.digests(name))
        self._row_digests.add(of_rows((name, (encoded.get(name) or self._other(name, cells)).digests) for name, cells in digested))
        self._add_keys(once)
        for name, texts in self._texts.items():
            texts += [column(once[name])] if name in once else []

    def keep(self, names: Collection[str]) -> None:
        """Forget the features and keys that are not among these: a file lacks them."""
        self._kept = [name for name in self._rules if name in names]
        self._group = self._group if self.data.group in names else None
        self._time = self._time if self.data.time in names else None

    def examples(self) -> Examples:
        """All rows."""
        values, kept = self._values.whole(), [position for position, name in enumerate(self._rules) if name in self._kept]
        texts = {name: np.concatenate(self._texts[name]) for name in self._kept if name in self._texts}
        table = Table({name: i for i, name in enumerate(self._kept)}, values if len(kept) == len(self._rules) else values[:, kept], texts)
        times = table[self.data.time] if self.data.time in self._kept else self._times.whole() if self._time else None
        return Examples(table, self._labels.whole(), self._row_digests.whole(), self._groups.whole() if self._group else None, times)

    def judged(self) -> list[Check]:
        """The checks of the features' cells."""
        accepted = {name: self._rules[name] for name in self._kept}
        violations = [check for name, rule in accepted.items() for check in _violations(name, self._features[name].refused, rule.expected)]
        return [*_passed(accepted, violations), *violations]

    def judged_keys(self) -> list[Check]:
        """The checks of the columns that say which rows are held out."""
        checks = _complete(str(self.data.group), self._group.refused) if self._group else []
        if self._time:
            violations = _violations(str(self.data.time), self._time.refused, ANY_DAY.expected)
            checks += [*_passed({str(self.data.time): ANY_DAY}, violations), *violations]
        return checks

    def _add_keys(self, cells: Cells) -> None:
        group, time = str(self.data.group), str(self.data.time)
        if self._group and group in cells:
            self._groups.add(of_rows([(group, self._group.encode(cells[group]).digests)]))
        if self._time and time in cells:
            self._times.add(self._time.encode(cells[time]).numbers)

    def _other(self, name: str, cells: Sequence[str]) -> Encoded:
        """A column that is digested, and of which nothing else is kept."""
        return self._others.setdefault(name, Column(encoding.anything, digested=True)).encode(cells)


class _Measured(io.FileIO):
    """A file whose bytes are digested as they are read: what is measured is what is used, even if the file changes meanwhile."""

    def __init__(self, file: Path, digest: hashlib._Hash) -> None:
        super().__init__(file)
        self._digest = digest

    def readinto(self, buffer: Buffer, /) -> int | None:
        size = super().readinto(buffer)
        self._digest.update(memoryview(buffer)[:size])
        return size


def _file(file: Path, rows: _Rows, measured: hashlib._Hash, *, place: str) -> _Header:
    """Read one file into `rows` and `measured`; `place` says in checks which of several it is."""
    with opened(file, rows.data, measured) as (header, lines):
        checks = _header(header, rows.data, place)
        if header.count(rows.data.target) != 1:
            demand(file.name, checks)
        _add(rows, file.name, header, lines)
        once = [name for name in header if header.count(name) == 1]
        return _Header(once, sorted(filter(rows.digests, header)), checks)


@contextmanager
def opened(file: Path, data: Data, measured: hashlib._Hash) -> Iterator[tuple[list[str], Iterator[Sequence[str]]]]:
    """The header of a file, and its rows. Raises ContractError where it cannot be read, also while rows are.

    Parquet says where its rows are at its end, and so is held as it is stored.
    """
    try:
        if file.suffix == parquet.SUFFIX:
            content = file.read_bytes()
            measured.update(content)
            yield parquet.rows(content, data)
            return
        with io.TextIOWrapper(io.BufferedReader(_Measured(file, measured)), newline="", encoding="utf-8-sig") as stream:
            first = stream.readline()
            _separated_by_commas(file.name, first)
            lines = csv_text.rows(chain([first], stream))
            yield next(lines, []), lines
    except (csv.Error, UnicodeDecodeError) as error:
        raise ContractError(file.name, [Check(column="", rule="format", found=str(error), allowed="CSV in UTF-8")]) from error
    except ParquetError as error:
        check = Check(column=error.column, rule="format", found=error.found, allowed=error.expected, advice=error.advice)
        raise ContractError(file.name, [check]) from error


def _separated_by_commas(file: str, first: str) -> None:
    if name := csv_text.other_separator(first):
        found = f"{name} in the header {csv_text.shortened(first.strip())}"
        raise ContractError(file, [Check(column="", rule="format", found=found, allowed="CSV with commas")])


def _header(header: Sequence[str], data: Data, place: str) -> list[Check]:
    if not header:
        return [Check(column="", rule="format", found="an empty file", allowed="a header and rows")]
    wanted = [*data.columns, *data.keys, data.target]
    absent = [
        Check(column=name, rule="absent", found=f"no such column{place}", allowed=f"columns {', '.join(wanted)}")
        for name in wanted
        if name not in header
    ]
    extra = [
        Check(column=name, rule="unexpected", found=f"this column{place}", allowed=f"no columns but {', '.join([*wanted, *data.exclude])}")
        for name in dict.fromkeys(header)
        if name not in wanted and name not in data.exclude
    ]
    twice = [
        Check(column=name, rule="repeated", found=f"{count} columns{place}", allowed="one column of that name")
        for name, count in Counter(header).items()
        if count > 1
    ]
    columns = Check(column="", rule="columns", found="each of them once", allowed=", ".join(wanted), passed=True)
    return absent + extra + twice or [columns]


def _add(rows: _Rows, file: str, header: Sequence[str], lines: Iterator[Sequence[str]]) -> None:
    """Add a file's rows. Raises ContractError where it has none, or some of another length than the header."""
    ragged: list[tuple[int, int]] = []
    read = 0
    while chunk := list(islice(lines, CHUNK)):
        if set(map(len, chunk)) != {len(header)}:
            ragged += [(number, len(row)) for number, row in enumerate(chunk, start=read + 1) if len(row) != len(header)]
        read += len(chunk)
        if not ragged:
            rows.add(header, list(zip(*chunk, strict=True)))
    if ragged:
        raise ContractError(file, [_ragged(header, ragged)])
    if not read:
        raise ContractError(file, [Check(column="", rule="rows", found="a header and no rows", allowed="rows")])


def _ragged(header: Sequence[str], ragged: Sequence[tuple[int, int]]) -> Check:
    """Rows of another length than the header, each by its number and length. The column named is the first that lacks its cell, or the
    last, where there are too many.
    """
    lengths = [length for _, length in ragged]
    differing = ", ".join(map(str, list(dict.fromkeys(lengths))[:3]))
    column, first = header[min(lengths[0], len(header) - 1)], tuple(number for number, _ in ragged[:FIRST])
    return Check(column=column, rule="cells", found=differing, allowed=f"{len(header)} cells a row", count=len(ragged), rows=first)


def _complete(name: str, refused: Mapping[str, Refused]) -> list[Check]:
    allowed = "a text in every row, the same in those that belong together"
    passed = Check(column=name, rule="missing", found="every cell", allowed=allowed, passed=True)
    return _violations(name, refused, allowed) or [passed]


def _future(moment: Moment, table: Table, times: Values) -> list[Check]:
    """The checks that no date is later than the decision. One that is becomes infinite, as refused cells do."""
    checks = []
    for name, late in list(moment.late(table, times)):
        advice = (
            f"it is known only after the decision: move {name} to data.exclude in model.toml, or set planned where such dates are known "
        )
        advice += f"before they come; if {moment.column} is not when the decision was taken, name another column as data.time"
        check = partial(Check, column=name, rule="future", allowed=f"no date after {moment.column}", advice=advice)
        rows = np.flatnonzero(late)
        if not len(rows):
            checks.append(check(found="no later date", passed=True))
            continue
        found = [f"{dates.written(table[name][row])} where that is {dates.written(times[row])}" for row in rows[:3]]
        table[name][rows] = np.inf
        checks.append(check(found=", ".join(found), count=len(rows), rows=tuple((rows[:FIRST] + 1).tolist())))
    return checks


def _passed(accepted: Mapping[str, Rule], violations: Sequence[Check]) -> list[Check]:
    """The rules that every cell of a column keeps."""
    broken = {(violation.column, violation.rule) for violation in violations}
    return [
        Check(column=name, rule=kind, found="every cell", allowed=rule.expected, passed=True)
        for name, rule in accepted.items()
        for kind in rule.breaks
        if (name, kind) not in broken
    ]


def _violations(name: str, refused: Mapping[str, Refused], allowed: str) -> list[Check]:
    check = partial(Check, column=name, allowed=allowed)
    return [
        check(rule=broken, found=", ".join(rows.examples), count=rows.count, rows=tuple(rows.rows))
        for broken, rows in sorted(refused.items())
    ]


def _target(column: Column, labels: Values, name: str, rule: TargetRule) -> list[Check]:
    """A target says an outcome in every row, and of a few, each of them somewhere. Cells that ask for the same correction are one check."""
    check = partial(Check, column=name, rule="target", allowed=rule.expected)
    if wrong := [replace(broken, rule="target", advice=broken.rule) for broken in _violations(name, column.refused, rule.expected)]:
        return wrong
    if absent := [outcome for outcome in rule.everywhere if not (labels == rule.label(outcome)).any()]:
        found = f"no row with {' or '.join(map(repr, absent))}"
        wanted = f"{'both ' if len(rule.everywhere) == 2 else ''}{' and '.join(map(repr, rule.everywhere))}"
        return [check(found=found, allowed=wanted, advice=f"deliver rows of {'both' if len(rule.everywhere) == 2 else 'all'} outcomes")]
    return [check(found="each of them", passed=True)]
