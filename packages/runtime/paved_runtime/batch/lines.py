"""The lines that the jobs of a batch hand on: parts, which a transform job reads, and what it makes of them.

A transform job asks about a line's `row` alone and puts the answer beside the rest of it ("Associate Prediction Results with Input
Records"). Its predictions come in the order of the records ("Batch transform for inference with Amazon SageMaker AI"), so two files, read
side by side, are all there is to know of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import msgspec

from paved_runtime.batch.errors import BatchError

SCORED = ".out"  # what SageMaker adds to a part's name
PIECE = 2 * 2**20  # bytes that are taken apart at a time
PAYLOADS = 4  # that a part is large: requests are asked at the same time, and several instances share the parts
MEGABYTE = 1_000_000
Kind = TypeVar("Kind")
Json = Mapping[str, Any]


class Part(msgspec.Struct, gc=False):
    """A row. `keep` has the columns that are no features, as text: CSV's cell, or the value's JSON; `id` is the one of that name, if any.

    `broken` says why no row could be made of the line; what is asked then is an empty one.
    """

    number: int
    keep: dict[str, str]
    row: msgspec.Raw
    id: str = ""
    broken: str = ""


class Answer(msgspec.Struct, gc=False, omit_defaults=True, rename={"name": "class"}):
    """What the server says of a row: a score, a class with the scores of all, or an error."""

    score: float | None = None
    name: str | None = None
    scores: dict[str, float] | None = None
    error: str | None = None


class Scored(msgspec.Struct, gc=False):
    """A row's answer, as the transform job joins it."""

    number: int
    SageMakerOutput: Answer


class Writer:
    """Writes rows to parts, numbered from 0. `parts` says which there are: their names, and of how many rows, from which on."""

    def __init__(self, folder: Path, *, payload_mb: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.parts: list[dict[str, Any]] = []
        self.rows = 0
        self._folder, self._payload, self._room = folder, payload_mb * MEGABYTE, 0
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()

    def add(self, text: str) -> bool:
        """Write a row, given as what stands behind its number; False where it is longer than a payload, and not written."""
        line = f'{{"number":{self.rows},{text}\n'.encode()
        if len(line) > self._payload:
            return False
        stream = self._stream if self._stream and len(line) <= self._room else self._next()
        stream.write(line)
        self._room -= len(line)
        self.rows += 1
        self.parts[-1]["rows"] += 1
        return True

    def _next(self) -> BinaryIO:
        self._close()
        self.parts.append({"name": f"part-{len(self.parts):05}.jsonl", "first": self.rows, "rows": 0})
        self._room, self._stream = PAYLOADS * self._payload, (self._folder / self.parts[-1]["name"]).open("wb")
        return self._stream

    def _close(self) -> None:
        if self._stream:
            self._stream.close()


def answered(parts: Path, scored: Path, listed: Sequence[Json]) -> Iterator[tuple[Part, Answer]]:
    """Every row with its answer, in order. `listed` are the parts that there should be.

    Raises:
        BatchError: a row has no answer, or more than one, or there are answers to other parts.
    """
    files = {file.name: file for file in scored.rglob(f"*{SCORED}")}
    _complete(files, listed)
    for part in listed:
        name = part["name"]
        yield from _beside(part, _read(parts / name, Part), _read(files[name + SCORED], Scored))


def _complete(files: Mapping[str, Path], listed: Sequence[Json]) -> None:
    due = {part["name"] + SCORED: part for part in listed}
    problems = [f"{name} is missing: rows {_rows(part)} have no answer" for name, part in due.items() if name not in files]
    problems += [f"{name} is of no part of this batch" for name in sorted(files) if name not in due]
    if problems:
        raise BatchError([*problems[:3], *([f"{len(problems) - 3} more"] if len(problems) > 3 else [])])


def _beside(part: Json, asked: Iterator[Part], answers: Iterator[Scored]) -> Iterator[tuple[Part, Answer]]:
    name, first, last = part["name"], part["first"], part["first"] + part["rows"] - 1
    number = first - 1
    for number, (row, scored) in enumerate(zip_longest(asked, answers), start=first):
        if row is None or row.number != number or number > last:
            raise BatchError([f"{name} is another than the one that was prepared: expected rows {_rows(part)} in it"])
        if scored is None or scored.number > number:
            raise BatchError([f"{name}{SCORED}: rows {number} to {(scored.number if scored else last + 1) - 1} have no answer"])
        if scored.number < number:
            raise BatchError([f"{name}{SCORED}: row {scored.number} is there twice, or in another place than row {number}"])
        yield row, scored.SageMakerOutput
    if number != last:
        raise BatchError([f"{name} is another than the one that was prepared: expected rows {_rows(part)} in it"])


def _rows(part: Json) -> str:
    return f"{part['first']} to {part['first'] + part['rows'] - 1}"


def _read(file: Path, kind: type[Kind]) -> Iterator[Kind]:
    decoder = msgspec.json.Decoder(kind)
    try:
        with file.open("rb") as stream:
            while lines := stream.readlines(PIECE):
                yield from decoder.decode_lines(b"".join(lines))
    except FileNotFoundError as error:
        raise BatchError([f"{file.name} is missing"]) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BatchError([f"{file.name} has a line that is none of this batch: {error}"]) from error
