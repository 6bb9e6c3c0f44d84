"""Files with the rows of a data set, as people have them: Parquet by its name, and CSV whatever else it is called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cli import csv_files
from cli.problem import Problem
from paved_runtime import parquet
from paved_runtime.parquet import ParquetError
from paved_runtime.spec import Data


@contextmanager
def rows(file: Path, data: Data) -> Iterator[tuple[list[str], Iterator[Sequence[str]]]]:
    """The header of a file, and its rows as cells of CSV.

    Raises:
        Problem: there is no such file, or it is neither; also while rows are read.
    """
    if suffix(file) != parquet.SUFFIX:
        with csv_files.rows(file) as found:
            yield found
        return
    if not file.is_file():
        raise Problem(f"data file {file}", "there is no such file", "name a CSV or Parquet file")
    try:
        yield parquet.rows(file, data)
    except ParquetError as error:
        column = f"column {error.column!r}: " if error.column else ""
        raise Problem(f"data file {file}", f"{column}{error}", error.advice) from error


def suffix(file: Path) -> str:
    """What a copy of the file is called behind its name, so that the runtime reads it as what it is."""
    return parquet.SUFFIX if file.suffix.lower() == parquet.SUFFIX else ".csv"
