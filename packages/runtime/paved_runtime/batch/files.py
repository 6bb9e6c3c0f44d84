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
from typing import Any, BinaryIO

import msgspec

from paved_runtime import csv_text, parquet
from paved_runtime.batch import results
from paved_runtime.batch.errors import FileError
from paved_runtime.batch.lookups import Joined, OfflineStore, of_header
from paved_runtime.batch.spelling import Spelling
from paved_runtime.lookups import identifier
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


def read(stream: BinaryIO, file: Path, store: OfflineStore) -> Rows:
    """The rows of an open file, with what is looked up in `store`. Raises FileError, also while rows are read."""
    if not (reader := READERS.get(file.suffix)):
        raise FileError(f"expected a file called *{', *'.join(READERS)}")
    return reader(stream, file, store)


def _csv(stream: BinaryIO, _: Path, store: OfflineStore) -> Rows:
    def lines() -> Iterator[Sequence[str]]:
        stream.seek(0)
        return islice(_cells(_Lines(stream)), 1, None)

    columns = _Columns(next(_cells(_Lines(stream)), []), store, "line 1: ")
    return Rows(columns.rows(lines), columns.keep)


def _parquet(__: BinaryIO, file: Path, store: OfflineStore) -> Rows:
    def lines() -> Iterator[Sequence[str]]:
        return _readable(parquet.rows(file, store.data)[1])

    try:
        names, _ = parquet.rows(file, store.data)
        schema = base64.b64encode(import_module("pyarrow.parquet").read_schema(file).serialize()).decode()
    except ParquetError as error:
        raise FileError(f"{_of(error)}: {error.advice}") from error
    columns = _Columns(names, store, "")
    return Rows(columns.rows(lines), columns.keep, schema)


def _json_lines(stream: BinaryIO, _: Path, store: OfflineStore) -> Rows:
    def lines() -> _Lines:
        stream.seek(0)
        return _Lines(stream)

    return Rows(_Objects(store).rows(lines))


READERS: dict[str, Callable[[BinaryIO, Path, OfflineStore], Rows]] = {".csv": _csv, ".jsonl": _json_lines, parquet.SUFFIX: _parquet}


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
    """Makes rows of a table's cells, many at a time. What is looked up stands behind a line's own cells."""

    def __init__(self, header: Sequence[str], store: OfflineStore, where: str) -> None:
        """Raises FileError where the header, which is `where` it says, is none of the model's."""
        data = store.data
        self._store, self._groups = store, of_header(header, store.lookups, where)
        self._keys = [header.index(store.lookups[group].key) for group in self._groups]
        whole = [*header, *(column for group in self._groups for column in store.lookups[group].columns)]
        _demand(whole if header else header, data, where)
        self.keep = [name for name in header if name not in data.columns]
        self._header, self._kept = header, [header.index(name) for name in self.keep]
        self._spellings = {whole.index(name): Spelling(rule) for name, rule in rules(data).items()}
        self._named = [header.index(ID)] if ID in self.keep else []
        keep, row = (",".join(f"{text(name)}:".replace("%", "%%") + "%s" for name in names) for names in (self.keep, data.columns))
        self._form = ('"id":%s,' if self._named else "") + f'"keep":{{{keep}}},"row":{{{row}}}}}'

    def rows(self, lines: Callable[[], Iterator[Sequence[str]]]) -> Iterator[str]:
        """One row of each line; they are read once or, where there is something to look up, twice."""
        if not self._groups:
            yield from self._texts(lines())
            return
        with self._store.joined(self._groups, map(self._key, lines())) as joined:
            yield from self._texts(lines(), joined)

    def _texts(self, lines: Iterator[Sequence[str]], joined: Joined | None = None) -> Iterator[str]:
        while chunk := list(islice(lines, CHUNK)):
            wrong = {at: self._ragged(cells) for at, cells in enumerate(chunk) if len(cells) != len(self._header)}
            longer = chunk
            if joined:
                beside = list(islice(joined.rows, len(chunk)))
                wrong = self._lacking(chunk, beside, joined) | wrong
                longer = [[*cells, *more] for cells, more in zip(chunk, beside, strict=True)]
            whole = iter(self._whole([cells for at, cells in enumerate(longer) if at not in wrong]))
            yield from (self._broken(cells, wrong[at]) if at in wrong else next(whole) for at, cells in enumerate(chunk))

    def _ragged(self, cells: Sequence[str]) -> str:
        return f"expected {len(self._header)} cells ({csv_text.shortened(','.join(self._header))}), found {len(cells)}"

    def _lacking(self, chunk: Sequence[Sequence[str]], beside: Sequence[Sequence[str]], joined: Joined) -> dict[int, str]:
        """Which rows, that got what stands `beside` them, cannot be scored, and why."""
        wrong = {}
        for at, (cells, more) in enumerate(zip(chunk, beside, strict=True)):
            looked_up, keys = dict(zip(joined.columns, more, strict=True)), self._key(cells)
            reasons = (joined.wrong(group, looked_up, key) for group, key in zip(self._groups, keys, strict=True))
            if reason := next(filter(None, reasons), ""):
                wrong[at] = reason
        return wrong

    def _key(self, cells: Sequence[str]) -> list[str]:
        """A row's identifier in each group; "" where the line ends before."""
        return [cells[place] if place < len(cells) else "" for place in self._keys]

    def _whole(self, lines: Sequence[Sequence[str]]) -> list[str]:
        columns = list(zip(*lines, strict=True)) or [()] * (1 + max((*self._kept, *self._spellings)))
        written = [map(text, columns[place]) for place in (*self._named, *self._kept)]
        written += [map(spelling.__getitem__, columns[place]) for place, spelling in self._spellings.items()]
        return [self._form % cells for cells in zip(*written, strict=True)]

    def _broken(self, cells: Sequence[str], reason: str) -> str:
        there = {name: cells[place] for name, place in zip(self.keep, self._kept, strict=True) if place < len(cells)}
        return _broken({name: there.get(name, "") for name in self.keep}, reason)


class _Objects:
    """Makes rows of lines of JSON, one by one: what is a feature goes on as it is written."""

    def __init__(self, store: OfflineStore) -> None:
        data, accepted = store.data, rules(store.data)
        self._features, self._added, self._store = data.columns, results.columns(data), store
        self._spellings = {column: Spelling(accepted[column]) for group in store.lookups.values() for column in group.columns}
        self._any, self._cells = msgspec.json.Decoder(), msgspec.json.Decoder(dict[str, msgspec.Raw])

    def rows(self, lines: Callable[[], _Lines]) -> Iterator[str]:
        """One row of each line that is not blank. Raises FileError where a key is one of the results' own.

        Where the model looks something up, lines are read two more times before: for what any row lacks, and for the keys.
        """
        groups = self._groups(lines()) if self._store.lookups else []
        if not groups:
            yield from (self._text(line, number, {}, "") for number, line in _filled(lines()))
            return
        keys = (self._keys(line, groups) for _, line in _filled(lines()))
        with self._store.joined(groups, keys) as joined:
            for (number, line), cells in zip(_filled(lines()), joined.rows, strict=True):
                yield self._text(line, number, *self._looked_up(line, joined, cells))

    def _groups(self, lines: _Lines) -> list[str]:
        """The groups of which any row has the key and no column."""
        lacking = {group for _, line in _filled(lines) for group in self._lacking(line)}
        return [group for group in self._store.lookups if group in lacking]

    def _lacking(self, line: str) -> dict[str, Any]:
        """The groups of which a row has the key and no column, each with what the key is."""
        try:
            content = self._any.decode(line)
        except (msgspec.MsgspecError, RecursionError):
            content = None
        if not isinstance(content, dict):
            return {}
        lookups = self._store.lookups.items()
        return {name: content[of.key] for name, of in lookups if of.key in content and not any(column in content for column in of.columns)}

    def _keys(self, line: str, groups: Sequence[str]) -> list[str]:
        lacking = self._lacking(line)
        return [identifier(lacking.get(group)) or "" for group in groups]

    def _looked_up(self, line: str, joined: Joined, cells: Sequence[str]) -> tuple[dict[str, str], str]:
        """Of what was joined to a row, what it lacks, by column; and why it cannot be scored, or nothing."""
        lacking, looked_up = self._lacking(line), dict(zip(joined.columns, cells, strict=True))
        reasons = (joined.wrong(group, looked_up, key) for group, key in lacking.items())
        own = {column: looked_up[column] for group in lacking for column in joined.lookups[group].columns}
        return own, next(filter(None, reasons), "")

    def _text(self, line: str, number: int, looked_up: Mapping[str, str], wrong: str) -> str:
        """A row with what was looked up for it, or with what is `wrong` with that."""
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
        if wrong:
            return _broken(keep, wrong)
        cells |= {column: self._spellings[column][cell] for column, cell in looked_up.items()}
        own, row = content.get(ID), ",".join(f"{text(name)}:{cell}" for name, cell in cells.items() if name in self._features)
        named = f'"id":{text(str(own))},' if ID in keep and isinstance(own, str | int) and not isinstance(own, bool) else ""
        return f'{named}"keep":{_object(keep)},"row":{{{row}}}}}'


def _filled(lines: _Lines) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, by their numbers, without what is blank around them."""
    return ((lines.number, line.strip()) for line in lines if line.strip())


def _demand(header: Sequence[str], data: Data, where: str) -> None:
    """Raise FileError where a header is none of the model's."""
    if not header:
        raise FileError("expected a header in the first line, found none")
    if len(header) == 1 and (separator := csv_text.other_separator(header[0])):
        raise FileError(f"{where}expected CSV with commas, found {separator} in the header {csv_text.shortened(header[0])}")
    if absent := [name for name in data.columns if name not in header]:
        more = f" and {len(absent) - 1} more that lack" if len(absent) > 1 else ""
        raise FileError(f"{where}expected columns {', '.join(data.columns)}, found no column {absent[0]!r}{more}")
    if repeated := next((name for name in header if header.count(name) > 1), None):
        raise FileError(f"{where}expected column {repeated!r} once, found it {header.count(repeated)} times")
    if clash := next((name for name in results.columns(data) if name in header), None):
        raise FileError(f"{where}{_clash(clash)}")


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
