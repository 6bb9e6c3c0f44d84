"""What SageMaker captured of an endpoint: lines of JSON, each with a request, its answer if there was one, and its time.

Millions of lines are read many at a time by decoders made from the contract. What they do not accept is halved until the one line that
is to blame stands alone, and that is read plainly: as far as it goes, each cell by the contract's own rules.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from model_code.runtime.contract import encode
from model_code.runtime.requests import codes, row
from model_code.runtime.rules import RuleError, rules
from model_code.runtime.table import Table, Values
from model_code.spec import Data

OWN = "paved-road:"  # the inference ids of requests with which the road itself tries an endpoint begin so
UNREADABLE = (ValueError, RecursionError, csv.Error, msgspec.MsgspecError)
SECONDS = len("2026-11-21T10:00:00")


class Part(msgspec.Struct, gc=False):
    """A request's or an answer's body."""

    data: str = ""
    encoding: str = ""
    observedContentType: str = ""  # noqa: N815 - SageMaker's name


class Input(msgspec.Struct, gc=False):
    """Both sides of a request."""

    endpointInput: Part  # noqa: N815
    endpointOutput: Part | None = None  # noqa: N815


class Output(msgspec.Struct, gc=False):
    """Its answer alone: the request is passed over, unread."""

    endpointOutput: Part | None = None  # noqa: N815


class Event(msgspec.Struct, gc=False):
    """When a request was answered, and what it is called."""

    inferenceTime: str  # noqa: N815
    eventId: str = ""  # noqa: N815
    inferenceId: str | None = None  # noqa: N815

    @property
    def name(self) -> str:
        """What labels call it: the id that the caller gave, else the one that SageMaker gave."""
        return self.inferenceId or self.eventId

    @property
    def own(self) -> bool:
        """Whether the road asked, not a caller."""
        return self.inferenceId is not None and self.inferenceId.startswith(OWN)


class Line(msgspec.Struct, gc=False):
    """A captured request."""

    captureData: Input  # noqa: N815
    eventMetadata: Event  # noqa: N815


class Answered(msgspec.Struct, gc=False):
    """A captured request of which only the answer matters."""

    captureData: Output  # noqa: N815
    eventMetadata: Event  # noqa: N815


class Score(msgspec.Struct, gc=False):
    """One row's answer, whatever else is said about it."""

    score: float


class Scores(msgspec.Struct, gc=False):
    """An answer in JSON."""

    predictions: list[Score]


@dataclass(frozen=True)
class Window:
    """From when on, and until when, in UTC; the end is not in it."""

    start: datetime
    end: datetime

    def holds(self, time: str) -> bool:
        """Whether a captured time is in it; SageMaker writes seconds."""
        return self._first <= time[:SECONDS] < self._last

    @property
    def hours(self) -> Iterator[datetime]:
        """The hours under which SageMaker may have filed what was captured; it writes some minutes late."""
        hour = self.start.replace(minute=0, second=0, microsecond=0)
        while hour <= self.end + timedelta(hours=1):
            yield hour
            hour += timedelta(hours=1)

    @cached_property
    def _first(self) -> str:
        return self.start.strftime("%Y-%m-%dT%H:%M:%S")

    @cached_property
    def _last(self) -> str:
        return self.end.strftime("%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Reading:
    """Some captured requests. A cell that breaks the contract is infinite; `failed` have no scores, `unreadable` no rows either."""

    table: Table
    scores: Values
    requests: int = 0
    failed: int = 0
    unreadable: int = 0


class Reader:
    """Reads what was captured under one contract."""

    def __init__(self, data: Data) -> None:
        self._rules = rules(data)
        self._positions = {name: position for position, name in enumerate(self._rules)}
        self._codes = codes(data)
        kind = row(data, strict=False)
        batch: Any = msgspec.defstruct("Batch", [("instances", list[kind])], gc=False)  # type: ignore[valid-type]
        self._rows, self._batches = msgspec.json.Decoder(list[kind]), msgspec.json.Decoder(list[batch])  # type: ignore[valid-type]

    def read(self, captured: Sequence[Input]) -> Iterator[Reading]:
        """The rows and scores of some requests, in an order that says nothing."""
        plain = [one for one in captured if not _both_json(one)]
        yield from self._all(plain, self._in_csv)
        yield from self._all([one for one in captured if _both_json(one)], self._in_json)

    def _all(self, captured: Sequence[Input], at_once: Callable[[Sequence[Input]], Reading]) -> Iterator[Reading]:
        if not captured:
            return
        try:
            yield at_once(captured)
        except UNREADABLE:
            if len(captured) == 1:
                yield self._alone(captured[0])
            else:
                middle = len(captured) // 2
                yield from self._all(captured[:middle], at_once)
                yield from self._all(captured[middle:], at_once)

    def _in_json(self, captured: Sequence[Input]) -> Reading:
        """Raises ValueError where a request does not keep the contract or an answer has no scores."""
        bodies = [one.endpointInput.data for one in captured]
        single = [body for body in bodies if '"instances"' not in body]
        rows = self._rows.decode(_list(single))
        if len(rows) != len(single):
            raise ValueError("a request is no object")
        for batch in self._batches.decode(_list([body for body in bodies if '"instances"' in body])):
            rows += batch.instances
        answers = ANSWERS.decode(_list([_answer(one).data for one in captured]))
        found = np.array([prediction.score for answer in answers for prediction in answer.predictions])
        columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
        values = np.empty((len(rows), len(self._rules)))
        for position, (column, known) in enumerate(zip(columns, self._codes, strict=False)):
            values[:, position] = column if known is None else [known[cell] for cell in column]
        return self._reading(values, found, len(captured))

    def _in_csv(self, captured: Sequence[Input]) -> Reading:
        """Raises ValueError, or csv.Error, where a request does not keep the contract or an answer has no scores."""
        rows = [cells for one in captured for cells in _cells(_text(one.endpointInput))]
        table, violations = encode(dict(zip(self._rules, zip(*rows, strict=True), strict=True)), self._rules)
        if violations:
            raise ValueError("a request breaks the contract")
        return self._reading(table.values, np.concatenate([scores(_answer(one)) for one in captured]), len(captured))

    def _reading(self, values: Values, scores: Values, requests: int) -> Reading:
        if len(values) != len(scores):
            raise ValueError("an answer has not as many scores as its request has rows")
        return Reading(Table(self._positions, values), scores, requests)

    def _alone(self, one: Input) -> Reading:
        """One request by itself, read as far as it goes."""
        try:
            values = self._values(one.endpointInput)
        except UNREADABLE:
            return Reading(Table(self._positions, np.empty((0, len(self._rules)))), np.empty(0), requests=1, failed=1, unreadable=1)
        table = Table(self._positions, values)
        try:
            found = scores(_answer(one))
        except UNREADABLE:
            return Reading(table, np.empty(0), requests=1, failed=int(len(table) > 0))
        return Reading(table, found, requests=1) if len(found) == len(table) else Reading(table, np.empty(0), requests=1, failed=1)

    def _values(self, part: Part) -> Values:
        """float64 [rows, columns]. Raises ValueError where there is no telling what the rows are."""
        text = _text(part)
        if _is_csv(part):
            whole = [cells if len(cells) == len(self._rules) else None for cells in _cells(text)]
            return np.array([self._row(dict(zip(self._rules, cells or (), strict=False)), parse=True) for cells in whole])
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("no object")  # noqa: TRY004 - what was captured is a value, and a wrong one
        if "describe" in content:
            return np.empty((0, len(self._rules)))
        rows = content.get("instances", [content])
        if not isinstance(rows, list):
            raise ValueError("no rows")  # noqa: TRY004
        return np.array([self._row(cells if isinstance(cells, dict) else {}) for cells in rows]).reshape(-1, len(self._rules))

    def _row(self, cells: dict[str, Any], *, parse: bool = False) -> list[float]:
        found = []
        for name, rule in self._rules.items():
            try:
                found.append((rule.parse if parse else rule.read)(cells[name]))
            except (KeyError, RuleError):
                found.append(np.inf)
        return found


ANSWERS = msgspec.json.Decoder(list[Scores])
ANSWER = msgspec.json.Decoder(Scores)


def scores(part: Part) -> Values:
    """The scores of an answer. Raises ValueError where it has none."""
    text = _text(part)
    if _is_csv(part):
        return np.array([float(line) for line in text.split()])
    return np.array([prediction.score for prediction in ANSWER.decode(text).predictions])


def lines(block: bytes, decoder: msgspec.json.Decoder[Any]) -> tuple[list[Any], int]:
    """The captured requests of a block of lines, and how many lines are none."""
    try:
        return decoder.decode_lines(block), 0
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    found, malformed = [], 0
    for line in block.splitlines():
        try:
            found += [decoder.decode(line)] if line.strip() else []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            malformed += 1
    return found, malformed


def _answer(one: Input) -> Part:
    if one.endpointOutput is None:
        raise ValueError("no answer")
    return one.endpointOutput


def _both_json(one: Input) -> bool:
    """Whether both sides are JSON as it stands."""
    return one.endpointInput.encoding == "JSON" and one.endpointOutput is not None and one.endpointOutput.encoding == "JSON"


def _is_csv(part: Part) -> bool:
    return part.encoding == "CSV" or (part.encoding != "JSON" and part.observedContentType.lower().startswith("text/csv"))


def _text(part: Part) -> str:
    """Raises ValueError."""
    if part.encoding != "BASE64":
        return part.data
    try:
        return base64.b64decode(part.data, validate=True).decode()
    except binascii.Error as error:
        raise ValueError("no base64") from error


def _cells(text: str) -> list[list[str]]:
    """Raises csv.Error."""
    return list(csv.reader(text.splitlines(keepends=True), strict=True))


def _list(parts: Sequence[str]) -> str:
    return f"[{','.join(parts)}]"
