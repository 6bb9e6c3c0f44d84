"""One data set in several files, such as a file a month: joined into one, so that one digest and one version of an object name it."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from cli import csv_files, data_files
from cli.problem import Problem
from paved_runtime import parquet


@contextmanager
def joined(parts: Sequence[Path]) -> Iterator[Path]:
    """A file with the rows of all parts, one part after the other as they are named, until the block ends. A part alone is itself.

    The first says the order of columns, and of Parquet their types.

    Raises:
        Problem: a part cannot be read, is of another format than the first, or has other columns.
    """
    if len(parts) == 1:
        yield parts[0]
        return
    suffix = data_files.suffix(parts[0])
    for part in parts:
        if data_files.suffix(part) != suffix:
            raise _other(part, parts[0], f"expected {suffix}, as the first is, found {data_files.suffix(part)}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"data{suffix}"
        (_parquet if suffix == parquet.SUFFIX else _csv)(parts, file)
        yield file


def _csv(parts: Sequence[Path], file: Path) -> None:
    """Rows with too few or too many cells are left as they are: who reads the parts refuses them, with their places."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer, columns = csv.writer(stream, lineterminator="\n"), list[str]()
        for part in parts:
            with csv_files.rows(part) as (header, rows):
                if not columns:
                    columns = header
                    writer.writerow(columns)
                _same(part, parts[0], header, columns)
                places = [header.index(name) for name in columns]
                writer.writerows([row[place] for place in places] if len(row) == len(header) else row for row in rows)


def _parquet(parts: Sequence[Path], file: Path) -> None:
    tables = import_module("pyarrow.parquet")
    with _readable(parts[0]):
        schema = tables.read_schema(parts[0]).remove_metadata()
    with tables.ParquetWriter(file, schema) as writer:
        for part in parts:
            with _readable(part):
                own = tables.ParquetFile(part)
                _same(part, parts[0], own.schema_arrow.names, schema.names)
                _same_types(part, parts[0], own.schema_arrow, schema)
                for batch in own.iter_batches(parquet.ROWS):
                    writer.write_batch(batch.select(schema.names).cast(schema))


@contextmanager
def _readable(part: Path) -> Iterator[None]:
    """Raise Problem where a part is not there, or is no Parquet file."""
    arrow = import_module("pyarrow")
    try:
        yield
    except FileNotFoundError as error:
        raise Problem(f"data file {part}", "there is no such file", "name a CSV or Parquet file") from error
    except (arrow.ArrowException, OSError) as error:
        raise Problem(f"data file {part}", " ".join(str(error).split()), parquet.ADVICE) from error


def _same_types(part: Path, first: Path, own: Any, schema: Any) -> None:
    for name in schema.names:
        if own.field(name).type != schema.field(name).type:
            why = f"column {name!r}: expected {schema.field(name).type}, as the first has, found {own.field(name).type}"
            raise _other(part, first, why)


def _same(part: Path, first: Path, header: Sequence[str], columns: Sequence[str]) -> None:
    """Raise Problem where a part has other columns than the first; in which order is its own affair."""
    for name in (*columns, *header):
        if (name in header) != (name in columns):
            found = "it is not there" if name in columns else "found this one"
            raise _other(part, first, f"column {name!r}: expected the columns of the first, {found}")


def _other(part: Path, first: Path, why: str) -> Problem:
    return Problem(f"data file {part}", why, f"give every part the format and the columns of {first}")
