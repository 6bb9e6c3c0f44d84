"""The files of a batch as rows: CSV, JSON Lines and Parquet, each read as it comes.

A file that is no table of this model is refused, by the line where that shows; a row that breaks the contract, or is none, is a row all the
same, and its error is its own.
"""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from json.encoder import encode_basestring_ascii as text
from pathlib import Path
from typing import BinaryIO

import msgspec

from paved_runtime import csv_text, parquet
from paved_runtime.batch import results
from paved_runtime.batch.errors import FileError
from paved_runtime.batch.spelling import Spelling
from paved_runtime.parquet import ParquetError
from paved_runtime.rules import rules, shown
from paved_runtime.spec import Data

CHUNK = 2_000  # rows of CSV that are turned at a time
ID = "id"  # the column by which labels name rows
HIDDEN = (".", "_")  # so begin the names of what Spark and Hadoop leave beside their files


@dataclass(frozen=True)
class Rows:
    """A file's rows, each as `lines.Writer.add` takes it. `keep` are the columns that are no features, in the file's order: of JSON Lines
    there is no telling before the end. `schema` is a Parquet file's, for results of the same types.
    """

    texts: Iterator[str]
    keep: Sequence[str] = ()
    schema: str = ""


def listed(folder: Path) -> list[Path]:
    """The files below a folder, by their names; hidden ones are none."""
    files = (file for file in folder.rglob("*") if file.is_file())
    shown = (file for file in files if not any(part.startswith(HIDDEN) for part in file.relative_to(folder).parts))
    return sorted(shown, key=lambda file: file.relative_to(folder).as_posix())


def read(stream: BinaryIO, file: Path, data: Data) -> Rows:
    """The rows of an open file. Raises FileError, also while rows are read."""
    if not (reader := READERS.get(file.suffix)):
        raise FileError(f"expected a file called *{', *'.join(READERS)}")
    return reader(stream, file, data)


def _csv(stream: BinaryIO, _: Path, data: Data) -> Rows:
    lines = _cells(_Lines(stream))
    columns = _Columns(next(lines, []), data)
    return Rows(columns.texts(lines), columns.keep)


def _parquet(_: BinaryIO, file: Path, data: Data) -> Rows:
    try:
        names, lines = parquet.rows(file, data)
        schema = base64.b64encode(import_module("pyarrow.parquet").read_schema(file).serialize()).decode()
    except ParquetError as error:
        raise FileError(f"{_of(error)}: {error.advice}") from error
    columns = _Columns(names, data)
    return Rows(columns.texts(_readable(lines)), columns.keep, schema)


def _json_lines(stream: BinaryIO, _: Path, data: Data) -> Rows:
    return Rows(_Objects(data).texts(_Lines(stream)))


READERS: dict[str, Callable[[BinaryIO, Path, Data], Rows]] = {".csv": _csv, ".jsonl": _json_lines, parquet.SUFFIX: _parquet}


class _Lines:
    """A stream's lines as text, and the number of the last one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.number = stream, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._stream)
        self.number += 1
        try:
            return line.decode() if self.number > 1 else line.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FileError(f"line {self.number}: expected text in UTF-8, found the byte 0x{line[error.start]:02x}") from error


class _Columns:
    """Makes rows of a table's cells, many at a time."""

    def __init__(self, header: Sequence[str], data: Data) -> None:
        """Raises FileError where the header is none of the model's."""
        _demand(header, data)
        self.keep = [name for name in header if name not in data.columns]
        self._header, self._kept = header, [header.index(name) for name in self.keep]
        self._spellings = {header.index(name): Spelling(rule) for name, rule in rules(data).items()}
        self._named = [header.index(ID)] if ID in self.keep else []
        keep, row = (",".join(f"{text(name)}:".replace("%", "%%") + "%s" for name in names) for names in (self.keep, data.columns))
        self._form = ('"id":%s,' if self._named else "") + f'"keep":{{{keep}}},"row":{{{row}}}}}'

    def texts(self, lines: Iterator[Sequence[str]]) -> Iterator[str]:
        """One row of each line."""
        while chunk := list(islice(lines, CHUNK)):
            whole = iter(self._whole([cells for cells in chunk if len(cells) == len(self._header)]))
            yield from (next(whole) if len(cells) == len(self._header) else self._broken(cells) for cells in chunk)

    def _whole(self, lines: Sequence[Sequence[str]]) -> list[str]:
        columns = list(zip(*lines, strict=True)) or [()] * len(self._header)
        written = [map(text, columns[place]) for place in (*self._named, *self._kept)]
        written += [map(spelling.__getitem__, columns[place]) for place, spelling in self._spellings.items()]
        return [self._form % cells for cells in zip(*written, strict=True)]

    def _broken(self, cells: Sequence[str]) -> str:
        there = {name: cells[place] for name, place in zip(self.keep, self._kept, strict=True) if place < len(cells)}
        reason = f"expected {len(self._header)} cells ({csv_text.shortened(','.join(self._header))}), found {len(cells)}"
        return _broken({name: there.get(name, "") for name in self.keep}, reason)


class _Objects:
    """Makes rows of lines of JSON, one by one: what is a feature goes on as it is written."""

    def __init__(self, data: Data) -> None:
        self._features, self._added = data.columns, results.columns(data)
        self._any, self._cells = msgspec.json.Decoder(), msgspec.json.Decoder(dict[str, msgspec.Raw])

    def texts(self, lines: _Lines) -> Iterator[str]:
        """One row of each line that is not blank. Raises FileError where a key is one of the results' own."""
        for line in lines:
            if line.strip():
                yield self._text(line.strip(), lines.number)

    def _text(self, line: str, number: int) -> str:
        try:
            content = self._any.decode(line)
        except (msgspec.MsgspecError, RecursionError) as error:
            return _broken({}, f"not JSON: {error}")
        if isinstance(content, list):
            return f'"keep":{{}},"row":{line}}}'
        if not isinstance(content, dict):
            return _broken({}, f"expected an object or a list with a value for each column, found {shown(content)}")
        cells = {name: bytes(raw).decode() for name, raw in self._cells.decode(line).items()}
        if clash := next((name for name in self._added if name in cells), None):
            raise FileError(f"line {number}: {_clash(clash)}")
        keep = {name: cell for name, cell in cells.items() if name not in self._features}
        if line.count(":") != len(cells) and (repeated := _repeated(line)) is not None:
            return _broken(keep, f"column {shown(repeated)}: expected one value, found several")
        own, row = content.get(ID), ",".join(f"{text(name)}:{cell}" for name, cell in cells.items() if name in self._features)
        named = f'"id":{text(str(own))},' if ID in keep and isinstance(own, str | int) and not isinstance(own, bool) else ""
        return f'{named}"keep":{_object(keep)},"row":{{{row}}}}}'


def _demand(header: Sequence[str], data: Data) -> None:
    """Raise FileError where a header is none of the model's."""
    if not header:
        raise FileError("expected a header in the first line, found none")
    if len(header) == 1 and (separator := csv_text.other_separator(header[0])):
        raise FileError(f"line 1: expected CSV with commas, found {separator} in the header {csv_text.shortened(header[0])}")
    if absent := [name for name in data.columns if name not in header]:
        more = f" and {len(absent) - 1} more that lack" if len(absent) > 1 else ""
        raise FileError(f"line 1: expected columns {', '.join(data.columns)}, found no column {absent[0]!r}{more}")
    if repeated := next((name for name in header if header.count(name) > 1), None):
        raise FileError(f"line 1: expected column {repeated!r} once, found it {header.count(repeated)} times")
    if clash := next((name for name in results.columns(data) if name in header), None):
        raise FileError(f"line 1: {_clash(clash)}")


def _clash(name: str) -> str:
    return f"expected no column {name!r}, which the results have a column of their own for: rename it"


def _cells(lines: _Lines) -> Iterator[list[str]]:
    try:
        yield from csv_text.rows(lines)
    except csv.Error as error:
        raise FileError(f"line {lines.number}: expected CSV, found {error}") from error


def _readable(rows: parquet.Rows) -> Iterator[Sequence[str]]:
    try:
        yield from rows
    except ParquetError as error:
        raise FileError(f"{_of(error)}: {error.advice}") from error


def _of(error: ParquetError) -> str:
    return f"column {error.column!r}: {error}" if error.column else str(error)


def _broken(keep: Mapping[str, str], reason: str) -> str:
    """A row that nothing can be asked about but why."""
    return f'"broken":{text(reason)},"keep":{_object(keep)},"row":{{}}}}'


def _object(cells: Mapping[str, str]) -> str:
    return f"{{{','.join(f'{text(name)}:{text(cell)}' for name, cell in cells.items())}}}"


def _repeated(line: str) -> str | None:
    """A key that an object of a line has more than once."""
    keys: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        keys.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)

    json.loads(line, object_pairs_hook=note)
    return keys[0] if keys else None
