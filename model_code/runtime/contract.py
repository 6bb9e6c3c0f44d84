"""The data contract: a data set is what `model.toml` says, or training never starts.

All of a file's violations are collected before it is refused, so that whoever repairs the data sees the whole list.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model_code.runtime.rules import Rule, RuleError, rules, shown
from model_code.runtime.table import Examples, Matrix, Table
from model_code.spec import Data

FIRST = 5


class ContractError(ValueError):
    """A data set that breaks the contract. The message is one line; `table()` shows every violation."""

    def __init__(self, source: str, violations: Sequence[Violation]) -> None:
        super().__init__(f"{source} breaks the data contract: {'; '.join(map(str, violations))}: correct the data, or model.toml")
        self.violations = tuple(violations)

    def table(self) -> str:
        """The violations as text, one a line under a heading."""
        lines = [("column", "rule", "found", "allowed", "rows", "first rows")]
        lines += [(v.column, v.rule, v.found, v.allowed, str(v.count), ", ".join(map(str, v.rows))) for v in self.violations]
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One way in which one column is wrong. `rows` are the first of the `count` rows concerned; 1 is the first after the header."""

    column: str
    rule: str
    found: str
    allowed: str
    count: int = 0
    rows: tuple[int, ...] = ()

    def __str__(self) -> str:
        column = f"column {self.column!r}: " if self.column else ""
        where = f" ({self.count} row{'s' * (self.count > 1)}, first {self.rows[0]})" if self.rows else ""
        return f"{column}expected {self.allowed}, found {self.found}{where}"


def read(folder: Path, data: Data, *, minimum_rows: int = 1) -> Examples:
    """Every `*.csv` of a folder, checked. Columns may come in any order; excluded ones are dropped unread.

    Raises:
        ContractError: a file breaks the contract, or there are fewer than `minimum_rows` rows in all.
        FileNotFoundError: the folder has no CSV file.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"no *.csv in {folder}: the channel is empty or has another name")
    parts = [_file(file, data) for file in files]
    table = Table(parts[0].table.positions, np.concatenate([part.table.values for part in parts]))
    examples = Examples(table, np.concatenate([part.labels for part in parts]))
    if len(examples) < minimum_rows:
        few = Violation(column="", rule="rows", found=f"{len(examples)}", allowed=f"at least {minimum_rows} rows")
        raise ContractError(files[0].name, [few])
    return examples


def write(file: Path, examples: Examples, data: Data) -> None:
    """Write rows as CSV that `read` accepts: features in the order of `model.toml`, then the target."""
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = [[rule.write(number) for number in examples.table[name].tolist()] for name, rule in rules(data).items()]
    target = [data.positive if label else f"not {data.positive}" for label in examples.labels.tolist()]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*data.columns, data.target])
        writer.writerows(zip(*columns, target, strict=True))


def encode(columns: Mapping[str, Sequence[str]], accepted: Mapping[str, Rule]) -> tuple[Table, list[Violation]]:
    """Turn columns of CSV cells into a Table. Where cells are refused the table holds NaN, and the violations say why."""
    rows = len(next(iter(columns.values())))
    values = np.empty((rows, len(accepted)))
    violations: list[Violation] = []
    for position, (name, rule) in enumerate(accepted.items()):
        codes: dict[str, float] = {}
        refused: dict[str, str] = {}
        for cell in set(columns[name]):
            try:
                codes[cell] = rule.parse(cell)
            except RuleError as error:
                codes[cell], refused[cell] = np.nan, error.broken
        values[:, position] = [codes[cell] for cell in columns[name]]
        violations += _violations(name, columns[name], refused, rule.expected) if refused else []
    return Table({name: i for i, name in enumerate(accepted)}, values), violations


def _file(file: Path, data: Data) -> Examples:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            lines = csv.reader(stream, strict=True)
            header = next(lines, [])
            wrong = _header(header, data)
            cells = {} if wrong else _columns(header, lines, data)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ContractError(file.name, [Violation(column="", rule="format", found=str(error), allowed="CSV in UTF-8")]) from error
    except _RaggedError as error:
        raise ContractError(file.name, [error.violation]) from error
    if wrong:
        raise ContractError(file.name, wrong)
    if not cells[data.target]:
        raise ContractError(file.name, [Violation(column="", rule="rows", found="a header and no rows", allowed="rows")])
    table, violations = encode({name: cells[name] for name in data.columns}, rules(data))
    violations += _target(cells[data.target], data)
    if violations:
        raise ContractError(file.name, violations)
    return Examples(table, _labels(cells[data.target], data))


def _header(header: Sequence[str], data: Data) -> list[Violation]:
    if not header:
        return [Violation(column="", rule="header", found="an empty file", allowed="a header and rows")]
    wanted = [*data.columns, data.target]
    missing = [
        Violation(column=name, rule="missing", found="no such column", allowed=f"columns {', '.join(wanted)}")
        for name in wanted
        if name not in header
    ]
    extra = [
        Violation(column=name, rule="unexpected", found="this column", allowed=f"no columns but {', '.join([*wanted, *data.exclude])}")
        for name in dict.fromkeys(header)
        if name not in wanted and name not in data.exclude
    ]
    twice = [
        Violation(column=name, rule="repeated", found=f"{count} columns", allowed="one column of that name")
        for name, count in Counter(header).items()
        if count > 1
    ]
    return missing + extra + twice


def _columns(header: Sequence[str], lines: Iterator[list[str]], data: Data) -> dict[str, Sequence[str]]:
    rows = []
    for number, line in enumerate(lines, start=1):
        if len(line) != len(header):
            raise _RaggedError(number, len(line), len(header))
        rows.append(line)
    columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return {name: cells for name, cells in zip(header, columns, strict=True) if name not in data.exclude}


class _RaggedError(Exception):
    def __init__(self, row: int, found: int, allowed: int) -> None:
        cells = Violation(column="", rule="cells", found=f"{found}", allowed=f"{allowed} cells a row", count=1, rows=(row,))
        super().__init__(str(cells))
        self.violation = cells


def _violations(name: str, cells: Sequence[str], refused: Mapping[str, str], allowed: str) -> list[Violation]:
    found = []
    for broken in sorted(set(refused.values())):
        rows = [row for row, cell in enumerate(cells, start=1) if refused.get(cell) == broken]
        examples = list(dict.fromkeys(shown(cells[row - 1]) for row in rows))[:3]
        found.append(
            Violation(column=name, rule=broken, found=", ".join(examples), allowed=allowed, count=len(rows), rows=tuple(rows[:FIRST]))
        )
    return found


def _target(cells: Sequence[str], data: Data) -> list[Violation]:
    """A target has two values: `positive` and one other. The rarer others are taken for the mistakes."""
    others = [value for value, _ in Counter(cells).most_common() if value != data.positive]
    allowed = f"{data.positive!r} and one other value"
    if data.positive not in cells or not others:
        only = ", ".join(map(shown, others or [data.positive]))
        return [Violation(column=data.target, rule="target", found=f"only {only}", allowed=f"both {allowed}")]
    return _violations(data.target, cells, dict.fromkeys(others[1:], "target"), allowed)


def _labels(cells: Sequence[str], data: Data) -> Matrix:
    return np.array([cell == data.positive for cell in cells], dtype=np.float32)
