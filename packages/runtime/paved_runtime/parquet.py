"""Parquet files as rows of CSV cells, so that one set of rules judges either: each value is spelt as a CSV file would have it.

What is null is an empty cell; a boolean has its column's own spelling; a timestamp at midnight, in no time zone, is its day. pyarrow reads
them, and is no part of an image that does not ask for it: it takes 150 MB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from paved_runtime.spec import Boolean, Data

SUFFIX = ".parquet"
ROWS = 10_000  # that are decoded at a time
TYPES = "columns of integers, floats, decimals, booleans, dates, timestamps or strings"
ADVICE = "store it as Parquet anew, or as CSV"
ABSENT = "add paved-runtime's extra `parquet` to the model's requirements.in and run ./road lock, or store the data set as CSV"
Rows = Iterator[Sequence[str]]


class ParquetError(ValueError):
    """A file that cannot be read. `column` is empty where it is about the file as a whole."""

    def __init__(self, *, found: str, expected: str = "a Parquet file", column: str = "", advice: str = ADVICE) -> None:
        super().__init__(f"expected {expected}, found {found}")
        self.found, self.expected, self.column, self.advice = found, expected, column, advice


def rows(source: Path | bytes, data: Data) -> tuple[list[str], Rows]:
    """The names of a file's columns, and its rows. Raises ParquetError, also while rows are read.

    `source` is a file, or what is in it.
    """
    file = _opened(source)
    types = import_module("pyarrow.types")
    spell = [_spelling(field.name, field.type, types, data) for field in file.schema_arrow]

    def read() -> Rows:
        with _readable():
            for batch in file.iter_batches(ROWS, use_threads=False):
                yield from zip(*(cells(column) for cells, column in zip(spell, batch.columns, strict=True)), strict=True)

    return list(file.schema_arrow.names), read()


def count(source: Path) -> int:
    """How many rows a file has. Raises ParquetError."""
    return int(_opened(source).metadata.num_rows)


def _opened(source: Path | bytes) -> Any:
    with _readable():
        content = import_module("pyarrow").BufferReader(source) if isinstance(source, bytes) else str(source)
        return import_module("pyarrow.parquet").ParquetFile(content)


@contextmanager
def _readable() -> Iterator[None]:
    """Raise ParquetError where pyarrow is missing, or refuses a file."""
    try:
        arrow = import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise ParquetError(found="Parquet, and no pyarrow to read it", expected="files that can be read here", advice=ABSENT) from error
    try:
        yield
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ParquetError(found=" ".join(str(error).split())) from error


def _spelling(name: str, kind: Any, types: Any, data: Data) -> Callable[[Any], list[str]]:
    """What makes CSV cells of a column of this type. Raises ParquetError where no cell says such a value."""
    value = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_boolean(value):
        column = data.columns.get(name)
        spelt = {True: column.true, False: column.false} if isinstance(column, Boolean) else {True: "true", False: "false"}
        return lambda array: [spelt.get(each, "") for each in array.cast(value).to_pylist()]
    if types.is_timestamp(value):
        return lambda array: list(map(_day, _texts(array, value)))
    plain = (types.is_integer, types.is_floating, types.is_decimal, types.is_date, types.is_string, types.is_large_string, types.is_null)
    if not any(belongs(value) for belongs in (*plain, types.is_string_view)):
        raise ParquetError(column=name, found=str(kind), expected=TYPES)
    return lambda array: _texts(array, value)


def _texts(array: Any, value: Any) -> list[str]:
    """Values as Arrow writes them: numbers with no more digits than tell them apart."""
    texts: list[str] = array.cast(value).cast("string").fill_null("").to_pylist()
    return texts


def _day(moment: str) -> str:
    """The day of a timestamp that is at midnight; any other one as it is.

    >>> _day("2026-11-30 00:00:00.000"), _day("2026-11-30 07:30:00"), _day("2026-11-30 00:00:00Z"), _day("")
    ('2026-11-30', '2026-11-30 07:30:00', '2026-11-30 00:00:00Z', '')
    """
    day, _, clock = moment.partition(" ")
    return moment if clock.strip("0:.") else day
