"""From the bytes of a CSV request to a Table, some rows at a time: no call holds the interpreter for long, and memory stays small.

Columns are read whole; only where one refuses a cell are its rows read cell by cell, to say which is the first that is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, NoReturn

import numpy as np

from paved_runtime.media_types import RequestError
from paved_runtime.moments import Moment
from paved_runtime.rules import RuleError, is_text, rules, shown
from paved_runtime.spec import Data
from paved_runtime.table import Table, Values, column

CHUNK = 500  # rows: a millisecond
EMPTY = "the body is empty: expected one row a line"
Rows = list[list[str]]


class Layout(NamedTuple):
    """How many cells a line has, and which of them each column of the contract is."""

    width: int
    places: Sequence[int]


class Part(NamedTuple):
    """Some rows of a body and the number of the first. `error`: what ended the reading behind them."""

    number: int
    rows: Rows
    layout: Layout
    error: csv.Error | None


class CsvRequests:
    """Reads the CSV of one data contract. A header may have `keys`, too, which nothing is read of."""

    def __init__(self, data: Data, keys: Iterable[str] = ()) -> None:
        self._rules = rules(data)
        self._ignored = {*data.ignored, *keys}
        self._positions = {name: position for position, name in enumerate(self._rules)}
        self._texts = {name: position for position, (name, rule) in enumerate(self._rules.items()) if is_text(rule)}
        self._moment = Moment.among_features(data)
        self._declared = Layout(len(self._rules), range(len(self._rules)))

    def table(self, body: bytes, header: bool | None = None) -> Table:
        """One row a line, columns in the order of `model.toml`, or as a header in the first line has them.

        `header` says whether there is one; None: it is recognised by the names of the columns. A byte-order mark and blank lines at the end
        are passed over. Raises RequestError: of the first row that is wrong, its first cell; then of dates that are too late.
        """
        values, texts = [], {name: list[str]() for name in self._texts}
        for part in self.parts(decoded(body), header):
            values.append(self._values(part))
            for name, at in self._texts.items():
                texts[name] += [row[part.layout.places[at]] for row in part.rows]
        table = Table(self._positions, np.concatenate(values), {name: column(cells) for name, cells in texts.items()})
        if self._moment:
            self._moment.demand(table)
        return table

    def parts(self, text: str, header: bool | None) -> Iterator[Part]:
        """The rows of a body, CHUNK at a time, at least one. Raises RequestError for a wrong header, or where there are no rows."""
        lines = csv.reader(io.StringIO(text.removeprefix("\ufeff").rstrip("\r\n"), newline=""), strict=True)
        rows, error = _next(lines)
        layout = self._header(rows[0], header) if rows else None
        if layout:
            del rows[0]
        if not rows and error is None:
            raise RequestError(422, "expected at least one row after the header, found none") if layout else RequestError(400, EMPTY)
        number = 1
        while rows or error:
            yield Part(number, rows, layout or self._declared, error)
            number += len(rows)
            rows, error = ([], None) if error else _next(lines)

    def _header(self, line: list[str], header: bool | None) -> Layout | None:
        """The layout that a header line gives, or None where the line is a row: it has few of the columns' names, or keeps the contract."""
        known = [name for name in self._rules if name in line]
        if header is False or (header is None and (2 * len(known) < len(self._rules) or self._accepts(line))):
            return None
        for name in line:
            if name not in self._rules and name not in self._ignored:
                raise RequestError(422, f"header: expected columns {', '.join(self._rules)}, found {shown(name)}")
            if line.count(name) > 1:
                raise RequestError(422, f"header: expected column {name!r} once, found it {line.count(name)} times")
        if absent := [name for name in self._rules if name not in known]:
            raise RequestError(422, f"header: expected column {absent[0]!r}, found no such column")
        return Layout(len(line), [line.index(name) for name in self._rules])

    def _accepts(self, row: list[str]) -> bool:
        try:
            self._values(Part(1, [row], self._declared, None))
        except RequestError:
            return False
        return True

    def _values(self, part: Part) -> Values:
        """float64 [rows, columns]. Raises RequestError."""
        columns = list(zip(*part.rows, strict=False))
        values = np.empty((len(part.rows), len(self._rules)))
        try:
            if set(map(len, part.rows)) - {part.layout.width}:
                raise RuleError("cells")
            for position, (rule, place) in enumerate(zip(self._rules.values(), part.layout.places, strict=True)):
                values[:, position] = rule.parse_all(columns[place]) if columns else ()
        except RuleError:
            self._refuse(part)
        if part.error:
            raise RequestError(400, f"the body is not CSV: {part.error}")
        return values

    def _refuse(self, part: Part) -> NoReturn:
        """Raise RequestError for the first cell of the first row that is wrong."""
        for number, row in enumerate(part.rows, start=part.number):
            if len(row) != part.layout.width:
                names = ", ".join(self._rules)
                raise RequestError(422, f"row {number}: expected {part.layout.width} cells ({names}), found {len(row)}")
            for (name, rule), place in zip(self._rules.items(), part.layout.places, strict=True):
                try:
                    rule.parse(row[place])
                except RuleError as error:
                    message = f"row {number}, column {name!r}: expected {rule.expected}, found {shown(row[place])}"
                    raise RequestError(422, message) from error
        raise AssertionError("parse_all refuses what parse accepts")


def decoded(body: bytes) -> str:
    """The text of a body. Raises RequestError."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the body is not UTF-8: byte {error.start} is wrong") from error


def _next(lines: Iterator[list[str]]) -> tuple[Rows, csv.Error | None]:
    """The next rows, as far as they can be read, and what then was wrong."""
    rows: Rows = []
    try:
        rows.extend(islice(lines, CHUNK))
    except csv.Error as error:
        return rows, error
    return rows, None
