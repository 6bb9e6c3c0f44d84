"""CSV requests whose header has the keys of feature groups in place of their columns: each row as the same row is in JSON.

Without a header there is no telling a key from a column: such rows have every column themselves.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator, Mapping, Sequence

from paved_runtime.media_types import RequestError
from paved_runtime.rules import Rule, RuleError, Value, valued


def rows(
    text: str, header: bool | None, rules: Mapping[str, Rule], columns: Collection[str], keys: Collection[str]
) -> list[dict[str, Value]] | None:
    """The rows of a body; None where its first line is no header with a key, or lacks no column. Keys stand for `columns`.

    `header` says whether there is one; None: it is one if it has a key's name and half of the names of the other columns. A cell that
    breaks its rule stays text, which no rule accepts in JSON that refuses it in CSV.

    Raises:
        RequestError: 400 where the rest is no CSV, 422 where there are no rows, or a line has not as many cells as the header.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff").rstrip("\r\n"), newline=""), strict=True)
    try:
        names = next(lines, [])
    except csv.Error:
        return None
    own = [name for name in rules if name not in columns]
    known = sum(name in names for name in own)
    if header is False or not set(keys) & set(names) or set(rules) <= set(names) or not (header or 2 * known >= len(own)):
        return None
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RequestError(422, f"header: expected column {twice!r} once, found it {names.count(twice)} times")
    return list(_rows(lines, names, rules))


def _rows(lines: Iterator[list[str]], names: Sequence[str], rules: Mapping[str, Rule]) -> Iterator[dict[str, Value]]:
    number = 0
    try:
        for number, cells in enumerate(lines, start=1):
            if len(cells) != len(names):
                raise RequestError(422, f"row {number}: expected {len(names)} cells ({', '.join(names)}), found {len(cells)}")
            yield {name: _value(rules[name], cell) if name in rules else cell for name, cell in zip(names, cells, strict=True)}
    except csv.Error as error:
        raise RequestError(400, f"the body is not CSV: {error}") from error
    if not number:
        raise RequestError(422, "expected at least one row after the header, found none")


def _value(rule: Rule, cell: str) -> Value:
    try:
        return valued(rule, cell)
    except RuleError:
        return cell
