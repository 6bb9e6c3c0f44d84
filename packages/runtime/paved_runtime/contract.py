"""The data contract: a data set is what `model.toml` says, or training never starts.

Everything that is wrong with a data set is collected before it is refused, so that whoever repairs it sees the whole list.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paved_runtime import csv_text, dates
from paved_runtime.cells import written
from paved_runtime.digests import Digests, digests
from paved_runtime.moments import Moment
from paved_runtime.rules import ANY_DAY, Rule, RuleError, TargetRule, is_text, rules, shown, target
from paved_runtime.spec import Data
from paved_runtime.table import Examples, Table, Values, column

if TYPE_CHECKING:
    from typing_extensions import Buffer

FIRST = 5
CORRECT = "correct the data, or model.toml"
CHUNK = 10_000  # rows that are held as lines at a time
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
    """Every `*.csv` of a folder, each cell checked. Columns may come in any order; excluded ones are digested and dropped.

    The columns that only say which rows are held out are not asked for: the files may be those that `write` wrote. `digested` is that of
    `inspect`: digests of every column take as long as all else.

    Raises:
        ContractError: a column or a cell breaks the contract.
        FileNotFoundError: the folder has no CSV file.
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
    """Every `*.csv` of a folder, read as far as it goes, and what is to be said about its columns and cells.

    Rows are digested whole, or, where `digested` names columns, by those of them that their file has.

    Raises:
        ContractError: a file is no table at all, or lacks the target.
        FileNotFoundError: the folder has no CSV file.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no *.csv in {folder}: the channel is empty or has another name")
    measured = hashlib.sha256()
    parts = [_file(file, data, digested, measured, place=f" in {file.name}" if len(files) > 1 else "") for file in files]
    checks = list(dict.fromkeys(check for part in parts for check in part.checks))
    cells = _joined([part.cells for part in parts])
    accepted = {name: rule for name, rule in rules(data).items() if name in cells}
    table, violations = encode(cells, accepted)
    checks += [*_passed(accepted, violations), *violations, *_target(cells[data.target], data.target, target(data))]
    groups, times, judged = _keys(cells, table, data)
    checks += judged
    examples = Examples(table, _labels(cells[data.target], target(data)), np.concatenate([part.digests for part in parts]), groups, times)
    return Reading(", ".join(file.name for file in files), examples, checks, [part.digested for part in parts], measured.hexdigest())


def sha256(folder: Path) -> str:
    """The digest that `inspect` gives of a folder's files, of files that need not be a table."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.csv")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def write(file: Path, examples: Examples, data: Data) -> None:
    """Write rows as CSV that `read` accepts: features in the order of `model.toml`, then the target."""
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = [written(examples.table, name, rule, rule.spell) for name, rule in rules(data).items()]
    outcomes = map(target(data).spell, examples.labels.tolist())
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*data.columns, data.target])
        writer.writerows(zip(*columns, outcomes, strict=True))


def encode(columns: Cells, accepted: Mapping[str, Rule]) -> tuple[Table, list[Check]]:
    """Turn columns of CSV cells into a Table. A refused cell becomes infinite there, which no accepted one is; the violations say why."""
    rows = len(next(iter(columns.values())))
    values = np.empty((rows, len(accepted)))
    violations: list[Check] = []
    for position, (name, rule) in enumerate(accepted.items()):
        codes: dict[str, float] = {}
        refused: dict[str, str] = {}
        for cell in set(columns[name]):
            try:
                codes[cell] = rule.parse(cell)
            except RuleError as error:
                codes[cell], refused[cell] = np.inf, error.broken
        values[:, position] = [codes[cell] for cell in columns[name]]
        violations += _violations(name, columns[name], refused, rule.expected) if refused else []
    texts = {name: column(columns[name]) for name, rule in accepted.items() if is_text(rule)}
    return Table({name: i for i, name in enumerate(accepted)}, values, texts), violations


@dataclass(frozen=True)
class _Part:
    """One file: the cells of the columns that its header has once, its rows' digests and the columns in them, its header's checks."""

    cells: Cells
    digests: Digests
    digested: list[str]
    checks: list[Check]


class _Measured(io.FileIO):
    """A file whose bytes are digested as they are read: what is measured is what is used, even if the file changes meanwhile."""

    def __init__(self, file: Path, digest: hashlib._Hash) -> None:
        super().__init__(file)
        self._digest = digest

    def readinto(self, buffer: Buffer, /) -> int | None:
        size = super().readinto(buffer)
        self._digest.update(memoryview(buffer)[:size])
        return size


def _file(file: Path, data: Data, digested: Collection[str] | None, measured: hashlib._Hash, *, place: str) -> _Part:
    """Read one file into `measured` and a part; `place` says in checks which of several it is."""
    try:
        with io.TextIOWrapper(io.BufferedReader(_Measured(file, measured)), newline="", encoding="utf-8-sig") as stream:
            first = stream.readline()
            _separated_by_commas(file.name, first)
            lines = csv_text.rows(chain([first], stream))
            header = next(lines, [])
            checks = _header(header, data, place)
            if header.count(data.target) != 1:
                demand(file.name, checks)
            names = sorted(header if digested is None else {name for name in header if name in digested})
            cells, rows = _columns(file.name, header, lines, data, names)
            return _Part(cells, rows, names, checks)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ContractError(file.name, [Check(column="", rule="format", found=str(error), allowed="CSV in UTF-8")]) from error


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


def _columns(file: str, header: Sequence[str], lines: Iterator[list[str]], data: Data, digested: Collection[str]) -> tuple[Cells, Digests]:
    """The cells of the columns that the contract names, and each row's digest; what else a row has is not kept."""
    kept: dict[str, list[str]] = {name: [] for name in (*data.columns, *data.keys, data.target) if header.count(name) == 1}
    made: list[Digests] = []
    ragged: list[tuple[int, int]] = []
    rows = 0
    while chunk := list(islice(lines, CHUNK)):
        ragged += [(number, len(row)) for number, row in enumerate(chunk, start=rows + 1) if len(row) != len(header)]
        rows += len(chunk)
        if ragged:
            continue
        columns = list(zip(header, zip(*chunk, strict=True), strict=True))
        made.append(digests((name, cells) for name, cells in columns if name in digested))
        for name, cells in columns:
            if name in kept:
                kept[name] += cells
    if ragged:
        raise ContractError(file, [_ragged(header, ragged)])
    if not rows:
        raise ContractError(file, [Check(column="", rule="rows", found="a header and no rows", allowed="rows")])
    return kept, np.concatenate(made)


def _ragged(header: Sequence[str], ragged: Sequence[tuple[int, int]]) -> Check:
    """Rows of another length than the header, each by its number and length. The column named is the first that lacks its cell, or the
    last, where there are too many.
    """
    lengths = [length for _, length in ragged]
    differing = ", ".join(map(str, list(dict.fromkeys(lengths))[:3]))
    column, first = header[min(lengths[0], len(header) - 1)], tuple(number for number, _ in ragged[:FIRST])
    return Check(column=column, rule="cells", found=differing, allowed=f"{len(header)} cells a row", count=len(ragged), rows=first)


def _joined(parts: Sequence[Cells]) -> Cells:
    """The columns that every file has, one file's rows behind the other's."""
    if len(parts) == 1:
        return parts[0]
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return {name: list(chain.from_iterable(part[name] for part in parts)) for name in shared}


def _keys(cells: Cells, table: Table, data: Data) -> tuple[Digests | None, Values | None, list[Check]]:
    """What says which rows belong together, and when each was decided on; each as far as there is such a column."""
    groups, checks = None, []
    if data.group is not None and data.group in cells:
        groups = digests([(data.group, cells[data.group])])
        checks = _complete(data.group, cells[data.group])
    times, judged = _times(cells, table, data)
    if times is not None and (moment := Moment.of(data)):
        judged += _future(moment, table, times)
    return groups, times, checks + judged


def _times(cells: Cells, table: Table, data: Data) -> tuple[Values | None, list[Check]]:
    """The days of `data.time`, and, where it is no feature, the checks of its cells."""
    if data.time is None or data.time not in cells:
        return None, []
    if data.time in table.positions:
        return table[data.time], []
    accepted = {data.time: ANY_DAY}
    moments, violations = encode({data.time: cells[data.time]}, accepted)
    return moments[data.time], [*_passed(accepted, violations), *violations]


def _complete(name: str, cells: Sequence[str]) -> list[Check]:
    allowed = "a text in every row, the same in those that belong together"
    passed = Check(column=name, rule="missing", found="every cell", allowed=allowed, passed=True)
    return _violations(name, cells, {"": "missing"}, allowed) if "" in cells else [passed]


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


def _violations(name: str, cells: Sequence[str], refused: Mapping[str, str], allowed: str) -> list[Check]:
    violations = []
    for broken in sorted(set(refused.values())):
        rows = [row for row, cell in enumerate(cells, start=1) if refused.get(cell) == broken]
        examples = list(dict.fromkeys(shown(cells[row - 1]) for row in rows))[:3]
        violations.append(
            Check(column=name, rule=broken, found=", ".join(examples), allowed=allowed, count=len(rows), rows=tuple(rows[:FIRST]))
        )
    return violations


def _target(cells: Sequence[str], name: str, rule: TargetRule) -> list[Check]:
    """A target says an outcome in every row, and of a few, each of them somewhere. Cells that ask for the same correction are one check."""
    occurring = Counter(cells)
    check = partial(Check, column=name, rule="target", allowed=rule.expected)
    refused = {cell: rule.advice(cell) for cell in occurring if not rule.accepts(cell)}
    wrong = [replace(violation, rule="target", advice=violation.rule) for violation in _violations(name, cells, refused, rule.expected)]
    absent = [outcome for outcome in rule.everywhere if outcome not in occurring]
    if absent and not wrong:
        found = f"no row with {' or '.join(map(repr, absent))}"
        wanted = f"{'both ' if len(rule.everywhere) == 2 else ''}{' and '.join(map(repr, rule.everywhere))}"
        return [check(found=found, allowed=wanted, advice=f"deliver rows of {'both' if len(rule.everywhere) == 2 else 'all'} outcomes")]
    return wrong or [check(found="each of them", passed=True)]


def _labels(cells: Sequence[str], rule: TargetRule) -> Values:
    """float64 [rows]: what each cell stands for."""
    labels = {cell: rule.label(cell) for cell in set(cells)}
    return np.array([labels[cell] for cell in cells], dtype=np.float64)
