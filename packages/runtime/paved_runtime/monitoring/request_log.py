"""The request log: what SageMaker's data capture wrote of an endpoint. Each line of JSON has a request, its answer if any, and its time.

Millions of lines are read many at a time by decoders made from the contract. What they do not accept is halved until the one line that
is to blame stands alone, and that is read plainly: as far as it goes, each cell by the contract's own rules.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np

from paved_runtime.contract import encode
from paved_runtime.csv_requests import CsvRequests
from paved_runtime.media_types import CSV, JSON, LINES
from paved_runtime.moments import Moment
from paved_runtime.monitoring.answers import UNREADABLE, Answers
from paved_runtime.monitoring.bodies import Body
from paved_runtime.monitoring.looked_up import MARK, LookedUp
from paved_runtime.protocol import OWN
from paved_runtime.requests import codes, row
from paved_runtime.rules import RuleError, rules
from paved_runtime.spec import Lookup
from paved_runtime.table import Table, Values
from paved_runtime.tasks.task import Task

Kind = TypeVar("Kind")


class Exchange(msgspec.Struct, gc=False):
    """Both sides of a request."""

    endpointInput: Body  # noqa: N815
    endpointOutput: Body | None = None  # noqa: N815


class Answer(msgspec.Struct, gc=False):
    """Its answer alone: the request is passed over, unread."""

    endpointOutput: Body | None = None  # noqa: N815


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


class Entry(msgspec.Struct, gc=False):
    """A captured request."""

    captureData: Exchange  # noqa: N815
    eventMetadata: Event  # noqa: N815


class AnswerEntry(msgspec.Struct, gc=False):
    """A captured request of which only the answer matters."""

    captureData: Answer  # noqa: N815
    eventMetadata: Event  # noqa: N815


@dataclass(frozen=True, slots=True)
class Reading:
    """Some captured requests, with scores as their task has them. A cell that breaks the contract is infinite; `failed` have no scores that
    the task may give, `unreadable` no rows either.
    """

    table: Table
    scores: Values
    requests: int = 0
    failed: int = 0
    unreadable: int = 0


class Reader:
    """Reads what was captured of one model: its task's answers, under its contract, with what it looks up."""

    def __init__(self, task: Task, lookups: Mapping[str, Lookup] | None = None) -> None:
        data = task.data
        self.answers = Answers(task)
        self._rules = rules(data)
        self._positions = {name: position for position, name in enumerate(self._rules)}
        self._codes = codes(data)
        self._looked_up = LookedUp(lookups or {}, self._rules)
        self._csv = CsvRequests(data, [lookup.key for lookup in (lookups or {}).values()])
        self._moment = Moment.among_features(data)
        kind = row(data, strict=False)
        batch: Any = msgspec.defstruct("Batch", [("instances", list[kind])], gc=False)  # type: ignore[valid-type]
        self._rows, self._batches = msgspec.json.Decoder(list[kind]), msgspec.json.Decoder(list[batch])  # type: ignore[valid-type]

    def read(self, exchanges: Sequence[Exchange]) -> Iterator[Reading]:
        """The rows and scores of some requests, in an order that says nothing."""
        parted: dict[str, list[Exchange]] = {CSV: [], JSON: [], "": []}
        for exchange in exchanges:
            parted[_common(exchange)].append(exchange)
        yield from self._all(parted[CSV], self._in_csv)
        yield from self._all(parted[JSON], self._in_json)
        yield from map(self._alone, parted[""])

    def _all(self, exchanges: Sequence[Exchange], at_once: Callable[[Sequence[Exchange]], Reading]) -> Iterator[Reading]:
        if not exchanges:
            return
        try:
            yield at_once(exchanges)
        except UNREADABLE:
            if len(exchanges) == 1:
                yield self._alone(exchanges[0])
            else:
                middle = len(exchanges) // 2
                yield from self._all(exchanges[:middle], at_once)
                yield from self._all(exchanges[middle:], at_once)

    def _in_json(self, exchanges: Sequence[Exchange]) -> Reading:
        """Raises UNREADABLE where a request does not keep the contract or an answer has no scores."""
        bodies = [exchange.endpointInput.data for exchange in exchanges]
        single = [body for body in bodies if '"instances"' not in body]
        if any(body[:32].lstrip().startswith("[") for body in single):
            raise ValueError("a request is a list")
        rows = self._rows.decode(_list(single))
        if len(rows) != len(single):
            raise ValueError("a request is no object")
        for batch in self._batches.decode(_list([body for body in bodies if '"instances"' in body])):
            rows += batch.instances
        scores = self.answers.together([_answer(exchange).data for exchange in exchanges])
        columns = zip(*(row if type(row) is tuple else msgspec.structs.astuple(row) for row in rows), strict=True)
        values = np.empty((len(rows), len(self._rules)))
        for position, (column, places) in enumerate(zip(columns, self._codes, strict=False)):
            values[:, position] = column if places is None else [places[cell] for cell in column]
        return self._reading(values, scores, len(exchanges))

    def _in_csv(self, exchanges: Sequence[Exchange]) -> Reading:
        """Raises UNREADABLE where a request does not keep the contract or an answer has no scores."""
        rows = [cells for exchange in exchanges for cells in _lines(exchange.endpointInput.text)]
        table, violations = encode(dict(zip(self._rules, zip(*rows, strict=True), strict=True)), self._rules)
        if violations:
            raise ValueError("a request breaks the contract")
        scores = np.concatenate([self.answers.read(_answer(exchange)) for exchange in exchanges])
        return self._reading(table.values, scores, len(exchanges))

    def _reading(self, values: Values, scores: Values, requests: int) -> Reading:
        if len(values) != len(scores):
            raise ValueError("an answer has not as many scores as its request has rows")
        return Reading(self._judged(values), scores, requests)

    def _judged(self, values: Values) -> Table:
        """Rows whose cells were judged one by one, with those refused that are wrong beside another of their row."""
        table = Table(self._positions, values)
        if self._moment:
            self._moment.refuse(table)
        return table

    def _alone(self, exchange: Exchange) -> Reading:
        """One request by itself, read as far as it goes."""
        none = self.answers.none
        try:
            rows, parse = self._cells(exchange.endpointInput)
        except UNREADABLE:
            return Reading(Table(self._positions, np.empty((0, len(self._rules)))), none, requests=1, failed=1, unreadable=1)
        values = np.array([self._row(cells, parse=parse) for cells in rows], dtype=np.float64).reshape(-1, len(self._rules))
        known = self._looked_up.fill(rows, values, exchange.endpointOutput)
        table = self._judged(values[known])
        try:
            scores = self.answers.read(_answer(exchange))
        except UNREADABLE:
            return Reading(table, none, requests=1, failed=int(len(rows) > 0))
        return Reading(table, scores[known], requests=1) if len(scores) == len(rows) else Reading(table, none, requests=1, failed=1)

    def _cells(self, body: Body) -> tuple[list[dict[str, Any]], bool]:
        """The cells of each row by column, and whether they are CSV's. Raises ValueError where there is no telling what the rows are."""
        text, form = body.text, body.format
        if form == CSV:
            keyed = self._looked_up.rows(text, body.header)
            return (list(self._csv_rows(text, body.header)), True) if keyed is None else (keyed, False)
        rows = [json.loads(line) for line in text.split("\n") if line.strip()] if form == LINES else _rows(json.loads(text))
        return [self._named(row) for row in rows], False

    def _csv_rows(self, text: str, header: bool | None) -> Iterator[dict[str, str]]:
        """The cells of each row by column, none of one with too many or too few."""
        for part in self._csv.parts(text, header):
            if part.error:
                raise part.error
            for line in part.rows:
                whole = len(line) == part.layout.width
                yield {name: line[at] for name, at in zip(self._rules, part.layout.places, strict=True)} if whole else {}

    def _named(self, row: object) -> dict[str, Any]:
        """The cells of a row by column, whether it is an object or a list in the order of the contract; none of what is no row."""
        if isinstance(row, list):
            return dict(zip(self._rules, row, strict=True)) if len(row) == len(self._rules) else {}
        return row if isinstance(row, dict) else {}

    def _row(self, cells: Mapping[str, Any], *, parse: bool = False) -> list[float]:
        values = []
        for name, rule in self._rules.items():
            try:
                values.append((rule.parse if parse else rule.read)(cells[name]))
            except (KeyError, RuleError):
                values.append(np.inf)
        return values


def _rows(body: Any) -> list[Any]:
    """The rows of a JSON request. Raises ValueError where it has none."""
    if isinstance(body, dict) and "describe" in body:
        return []
    if isinstance(body, dict):
        body = body.get("instances", [body])
    if not isinstance(body, list) or not body:
        raise ValueError("no rows")
    return body


def lines(block: bytes, decoder: msgspec.json.Decoder[Kind]) -> tuple[list[Kind], int]:
    """The captured requests of a block of lines, and how many lines are none."""
    try:
        return decoder.decode_lines(block), 0
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    entries: list[Kind] = []
    malformed = 0
    for line in block.splitlines():
        try:
            entries += [decoder.decode(line)] if line.strip() else []
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            malformed += 1
    return entries, malformed


def _answer(exchange: Exchange) -> Body:
    if exchange.endpointOutput is None:
        raise ValueError("no answer")
    return exchange.endpointOutput


def _common(exchange: Exchange) -> str:
    """CSV where both sides are CSV, or the request that has no answer; JSON where both are, as it stands; else nothing, and nothing where
    rows were looked up, of which the request has not all.
    """
    request, answer = exchange.endpointInput, exchange.endpointOutput
    if answer is not None and MARK in answer.data:
        return ""
    formats = {body.format for body in (request, answer) if body is not None}
    if formats == {CSV}:
        return CSV
    return JSON if formats == {JSON} and answer is not None and request.encoding == answer.encoding == "JSON" else ""


def _lines(text: str) -> list[list[str]]:
    """Raises csv.Error."""
    return list(csv.reader(text.splitlines(keepends=True), strict=True))


def _list(parts: Sequence[str]) -> str:
    return f"[{','.join(parts)}]"
