"""Answers as files again: of each file one of its name and format, with the columns that are no features, and what was answered."""

from __future__ import annotations

import base64
import csv
from collections.abc import Callable, Sequence
from importlib import import_module
from json.encoder import encode_basestring_ascii as text
from pathlib import Path
from typing import Any, Protocol

import msgspec

from paved_runtime import parquet
from paved_runtime.batch.errors import BatchError
from paved_runtime.batch.lines import Answer, Part
from paved_runtime.spec import Data

SCORE, CLASS, ERROR, VERSION = "score", "class", "error", "model_version"
Outcome = tuple[Part, Answer, str]  # a row, its answer, and why it has none


class Results(Protocol):
    """A file of results, written some rows at a time."""

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Write rows."""

    def close(self) -> None:
        """There are no more."""


def columns(data: Data) -> list[str]:
    """What results have beside the columns that they keep. Raises BatchError where a class has the name of one of the others."""
    answers = [CLASS, *data.classes] if data.classes else [SCORE]
    if clash := {CLASS, ERROR, VERSION} & set(data.classes):
        raise BatchError([f"class {min(clash)!r} of model.toml is called as another column of the results: no batch can be scored"])
    return [*answers, ERROR, VERSION]


def why(part: Part, answer: Answer, data: Data) -> str:
    """Why a row has no score, nothing where it has one. Raises BatchError where the answer is none of this model's."""
    scores = answer.score is not None if not data.classes else answer.name is not None and set(answer.scores or ()) == set(data.classes)
    if not scores and not answer.error:
        raise BatchError([f"row {part.number}: expected an answer of this model, found another: was the server told that it is a batch?"])
    return part.broken or answer.error or ""


class _Answers:
    """The values of an answer's columns."""

    def __init__(self, data: Data, version: str) -> None:
        self._classes, self._version = data.classes, version
        self.names = columns(data)

    def of(self, outcome: Outcome) -> list[Any]:
        """In the order of `names`; None where there is no score."""
        _, answer, error = outcome
        if not self._classes:
            return [None if error else answer.score, error, self._version]
        scores = answer.scores or {}
        values = [None] * (len(self._classes) + 1) if error else [answer.name, *(scores[name] for name in self._classes)]
        return [*values, error, self._version]


class _Csv:
    def __init__(self, file: Path, keep: Sequence[str], answers: _Answers, _: str) -> None:
        self._keep, self._answers = keep, answers
        self._stream = file.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream, lineterminator="\n")
        self._writer.writerow([*keep, *answers.names])

    def add(self, outcomes: Sequence[Outcome]) -> None:
        keep, of = self._keep, self._answers.of
        self._writer.writerows([*(outcome[0].keep[name] for name in keep), *of(outcome)] for outcome in outcomes)

    def close(self) -> None:
        self._stream.close()


class _JsonLines:
    def __init__(self, file: Path, _: Sequence[str], answers: _Answers, __: str) -> None:
        self._answers, self._encode = answers, msgspec.json.Encoder().encode
        self._stream = file.open("wb")

    def add(self, outcomes: Sequence[Outcome]) -> None:
        names = self._answers.names
        for outcome in outcomes:
            keep = "".join(f"{text(name)}:{value}," for name, value in outcome[0].keep.items())
            answer = self._encode(dict(zip(names, self._answers.of(outcome), strict=True)))
            self._stream.write(b"{" + keep.encode() + answer[1:] + b"\n")

    def close(self) -> None:
        self._stream.close()


class _Parquet:
    """Columns that are kept have the types that they came with; an empty cell is null, but for strings."""

    def __init__(self, file: Path, keep: Sequence[str], answers: _Answers, schema: str) -> None:
        self._keep, self._answers = keep, answers
        self._arrow, came = import_module("pyarrow"), base64.b64decode(schema)
        known = self._arrow.ipc.read_schema(self._arrow.py_buffer(came))
        strings = self._arrow.string()
        numbers = {name: self._arrow.float64() for name in answers.names if name not in (CLASS, ERROR, VERSION)}
        kept = [self._arrow.field(name, _plain(known.field(name).type, self._arrow)) for name in keep]
        self._schema = self._arrow.schema([*kept, *((name, numbers.get(name, strings)) for name in answers.names)])
        self._writer = import_module("pyarrow.parquet").ParquetWriter(file, self._schema)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        kept = [self._cast([outcome[0].keep[name] for outcome in outcomes], self._schema.field(name).type) for name in self._keep]
        values = list(zip(*map(self._answers.of, outcomes), strict=True)) or [()] * len(self._answers.names)
        added = [self._arrow.array(column, self._schema.field(name).type) for name, column in zip(self._answers.names, values, strict=True)]
        self._writer.write_table(self._arrow.table([*kept, *added], schema=self._schema))

    def close(self) -> None:
        self._writer.close()

    def _cast(self, cells: Sequence[str], kind: Any) -> Any:
        if kind == self._arrow.string():
            return self._arrow.array(cells, kind)
        return self._arrow.array([cell or None for cell in cells], self._arrow.string()).cast(kind)


FORMATS: dict[str, Callable[[Path, Sequence[str], _Answers, str], Results]] = {
    ".csv": _Csv,
    ".jsonl": _JsonLines,
    parquet.SUFFIX: _Parquet,
}


def opened(file: Path, keep: Sequence[str], schema: str, data: Data, version: str) -> Results:
    """A new file of results, of the format that its name says, with the columns to `keep` first."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return FORMATS[file.suffix](file, keep, _Answers(data, version), schema)


def _plain(kind: Any, arrow: Any) -> Any:
    """A type that cells can be turned back into: of a dictionary its values', of any kind of string the plain one."""
    value = kind.value_type if arrow.types.is_dictionary(kind) else kind
    strings = (arrow.types.is_large_string, arrow.types.is_string_view, arrow.types.is_null)
    return arrow.string() if any(belongs(value) for belongs in strings) else value
