"""Rows of a data set, as requests have them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli import data_files
from paved_runtime import dates
from paved_runtime.spec import Boolean, Category, Column, Data, Date, ModelSpec, Text

Row = dict[str, str]


def read(file: Path, data: Data) -> list[Row]:
    """Every row of a data file that was checked before."""
    with data_files.rows(file, data) as (header, lines):
        return [dict(zip(header, line, strict=True)) for line in lines]


def write(file: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Rows as a CSV file."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return file


def request(row: Mapping[str, str], model: ModelSpec) -> dict[str, str | float | None]:
    """A row as one of a request's instances: features only, numbers as numbers, booleans as such, empty cells as null; in place of what is
    looked up, its keys.
    """
    keys = {name: row[name] or None for name in model.lookup_keys}
    return {name: _cell(row[name], column) for name, column in model.stored_columns.items()} | keys


def number(cell: str, column: Column) -> float:
    """What a filled cell of a number or a date is counted as: a date in days."""
    return dates.days(cell) if isinstance(column, Date) else float(cell)


def _cell(cell: str, column: Column) -> str | float | None:
    if isinstance(column, Category):
        return cell if cell or "" in column.values else None
    if not cell:
        return None
    if isinstance(column, Boolean):
        return cell == column.true
    if isinstance(column, Date | Text):
        return cell
    number = float(cell)
    return int(number) if number.is_integer() else number
