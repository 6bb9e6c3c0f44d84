"""From a request's bytes to a Table, or to a sentence that says which row and column are wrong and what was expected.

JSON is read twice over: a decoder generated from the contract is fast but terse, so it only ever answers for what it accepts;
whatever it does not accept goes to the plain reading below it, which decides and explains.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

import msgspec
import numpy as np

from paved_runtime import keyed_csv
from paved_runtime.csv_requests import CsvRequests, decoded
from paved_runtime.lookups import LookedUp, Lookups
from paved_runtime.media_types import CSV, JSON, MediaType, RequestError
from paved_runtime.moments import Moment
from paved_runtime.rules import CategoryRule, DateRule, OptionalRule, Rule, RuleError, TextRule, Value, is_text, rules, shown
from paved_runtime.spec import RESERVED, Boolean, Category, Column, Data, Date, Integer, Text
from paved_runtime.table import NONE, Table, column

Cells = Sequence[Any]
FAST_REFUSALS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, RuleError)


class Question(NamedTuple):
    """What a request asks: the scores of the rows of `table`, with reasons if `explain` says so. Without a table: what the model is.

    `looked_up` has for each row what it got of which feature group; it is empty where no row lacked anything.
    """

    table: Table | None
    explain: bool
    looked_up: Sequence[Mapping[str, LookedUp]] = ()


class Requests:
    """Reads the requests of one data contract. By `lookups`, a row may have a key in place of the columns of a feature group."""

    def __init__(self, data: Data, lookups: Lookups | None = None) -> None:
        self._lookups = lookups
        keys = lookups.keys if lookups else ()
        self._ignored = {*data.ignored, *keys}
        self._rules = rules(data)
        self._positions = {name: position for position, name in enumerate(self._rules)}
        self._codes = codes(data)
        self._texts = {name: position for position, (name, rule) in enumerate(self._rules.items()) if is_text(rule)}
        kind = row(data, strict=True)
        batch = msgspec.defstruct("Batch", [("instances", list[kind]), ("explain", bool, False)], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._row, self._rows, self._batch = (msgspec.json.Decoder(of) for of in (kind, list[kind], batch))  # type: ignore[valid-type]
        self._csv = CsvRequests(data, keys)
        self._moment = Moment.among_features(data)

    def read(self, kind: MediaType, body: bytes) -> Question:
        """A body of a format. Raises RequestError."""
        if kind.format == JSON:
            return self.json(body)
        if kind.format == CSV:
            rows = self._keyed(body, kind.header)
            return Question(self._csv.table(body, kind.header), explain=False) if rows is None else self._completed(rows)
        table = self._fast_lines(body)
        return self._completed(_lines(body)) if table is None else Question(table, explain=False)

    def json(self, body: bytes) -> Question:
        """`{"instances": [row, …], "explain": false}`, a list of rows, one bare `{column: value, …}`, or `{"describe": true}`.

        A row is `{column: value, …}` or `[value, …]` in the order of `model.toml`. "explain" may be left out. Raises RequestError.
        """
        batch = b'"instances"' in body
        try:
            rows, explain = self._decoded(body, batch=batch)
            if rows and body.count(b":") == self._keys(rows) + batch + explain:
                return Question(self._table(self._encoded(rows), self._written(rows)), explain)
        except FAST_REFUSALS:
            pass
        return self.plain(body)

    def lines(self, body: bytes) -> Table:
        """A row a line, as in `json`, each with every column itself; blank lines are passed over. Raises RequestError."""
        table = self._fast_lines(body)
        return self.plain_lines(body) if table is None else table

    def _fast_lines(self, body: bytes) -> Table | None:
        try:
            rows = [self._row.decode(line) for line in body.split(b"\n") if line.strip()]
            if rows and body.count(b":") == self._keys(rows):
                return self._table(self._encoded(rows), self._written(rows))
        except FAST_REFUSALS:
            pass
        return None

    def _decoded(self, body: bytes, *, batch: bool) -> tuple[list[Any], bool]:
        if batch:
            return msgspec.structs.astuple(self._batch.decode(body))
        return (self._rows.decode(body), False) if body[:32].lstrip().startswith(b"[") else ([self._row.decode(body)], False)

    def _keys(self, rows: Sequence[Any]) -> int:
        """How many colons there are in rows where no key is given twice, which the decoder lets pass, and no value has one."""
        return sum(type(row) is not tuple for row in rows) * len(self._rules)

    def _encoded(self, rows: Sequence[Any]) -> list[float]:
        return [
            value if codes is None else codes[value]
            for row in rows
            for value, codes in zip(row if type(row) is tuple else msgspec.structs.astuple(row), self._codes, strict=True)
        ]

    def _written(self, rows: Sequence[Any]) -> Sequence[Cells]:
        """The rows' texts by their position, where there are columns of texts."""
        return [row if type(row) is tuple else msgspec.structs.astuple(row) for row in rows] if self._texts else ()

    def plain(self, body: bytes) -> Question:
        """The same as `json`, read plainly: this is what decides, and what words the refusals. Raises RequestError."""
        content = _parsed(decoded(body))
        if isinstance(content, list):
            if not content:
                raise RequestError(400, "expected at least one row, found an empty list")
            return self._completed(content)
        if not isinstance(content, _Object):
            raise RequestError(400, f'expected {{"instances": [...]}}, a list of rows or one object of columns, found {shown(content)}')
        if "describe" in content:
            return _description(content)
        rows, explain = _batch(content) if any(word in content for word in RESERVED) else ([content], False)
        return self._completed(rows, explain=explain)

    def plain_lines(self, body: bytes) -> Table:
        """The same as `lines`, read plainly. Raises RequestError."""
        return self._plain_table(_lines(body))

    def _keyed(self, body: bytes, header: bool | None) -> list[dict[str, Value]] | None:
        """The rows of a CSV body whose header has keys in place of columns that are looked up; None of any other."""
        lookups = self._lookups
        return keyed_csv.rows(decoded(body), header, self._rules, lookups.columns, lookups.keys) if lookups else None

    def _completed(self, rows: Iterable[object], *, explain: bool = False) -> Question:
        """A question about rows, which get what they lack and have a key for."""
        if self._lookups is None:
            return Question(self._plain_table(rows), explain)
        listed = list(rows)
        for number, row in enumerate(listed, start=1):
            _demand_one_value_each(number, row)
        looked_up = self._lookups.complete(listed)
        return Question(self._plain_table(listed), explain, looked_up)

    def _plain_table(self, rows: Iterable[object]) -> Table:
        numbers: list[float] = []
        written: list[Cells] = []
        for at, row in enumerate(rows, start=1):
            numbers += self._cells(at, row)
            if self._texts:
                written.append(self._in_order(row))
        return self._table(numbers, written)

    def _in_order(self, row: Any) -> Cells:
        """The cells of a row that was accepted."""
        return row if isinstance(row, list) else [row[name] for name in self._rules]

    def _cells(self, number: int, row: object) -> list[float]:
        if isinstance(row, list):
            if len(row) != len(self._rules):
                raise RequestError(422, f"row {number}: expected {len(self._rules)} values ({', '.join(self._rules)}), found {len(row)}")
            row = _Object(zip(self._rules, row, strict=True))
        if not isinstance(row, dict):
            raise RequestError(422, f"row {number}: expected an object or a list with a value for each column, found {shown(row)}")
        _demand_one_value_each(number, row)
        for name in row:
            if name not in self._rules and name not in self._ignored:
                raise RequestError(422, f"row {number}, column {shown(name)}: expected no such column, only {', '.join(self._rules)}")
        return [self._cell(number, row, name) for name in self._rules]

    def _cell(self, number: int, row: dict[str, object], name: str) -> float:
        rule = self._rules[name]
        where = f"row {number}, column {name!r}: expected {rule.expected}, found"
        if name not in row:
            raise RequestError(422, f"{where} nothing")
        try:
            return rule.read(row[name])
        except RuleError as error:
            raise RequestError(422, f"{where} {shown(row[name])}") from error

    def _table(self, numbers: Sequence[float], written: Sequence[Cells] = ()) -> Table:
        """The rows of these numbers, one row behind the other; `written` has their cells, where some are texts."""
        values = np.array(numbers, dtype=np.float64).reshape(-1, len(self._rules))
        texts = {name: column([row[at] for row in written]) for name, at in self._texts.items()} if self._texts else NONE
        table = Table(self._positions, values, texts)
        if self._moment:
            self._moment.demand(table)
        return table


def row(data: Data, *, strict: bool) -> Any:
    """The type of a row: a Struct of what the contract accepts, and, unless `strict`, whatever other columns there are beside it, unread;
    or a tuple of the same in their order.

    Fields are c0, c1, …, renamed: a column may have any name.
    """
    fields = [(f"c{position}", _type(column)) for position, column in enumerate(data.columns.values())]
    names = {f"c{position}": name for position, name in enumerate(data.columns)}
    struct = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=strict, gc=False)
    return struct | tuple[tuple(kind for _, kind in fields)]  # type: ignore[misc]


def codes(data: Data) -> list[dict[Any, float] | None]:
    """Of each column, the float of each decoded value of a category, a date or a text; a wrong one raises RuleError.

    A number and a boolean are their own, and numpy turns None into NaN.
    """
    return [_codes(rule) for rule in rules(data).values()]


class _Object(dict[str, object]):
    """A JSON object that remembers a key given twice."""

    repeated: str | None = None


def _object(pairs: list[tuple[str, object]]) -> _Object:
    content = _Object(pairs)
    if len(content) < len(pairs):
        content.repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return content


def _demand_one_value_each(number: int, row: object) -> None:
    """Raise RequestError for a row that has a key twice."""
    if isinstance(row, _Object) and row.repeated is not None:
        raise RequestError(400, f"row {number}, column {shown(row.repeated)}: expected one value, found several")


def _parsed(text: str, what: str = "the body") -> object:
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise RequestError(400, f"{what} is not JSON: {error}") from error
    except RecursionError as error:
        raise RequestError(400, f"{what} is nested too deeply") from error


def _lines(body: bytes) -> Iterator[object]:
    """What the lines of a body hold. Raises RequestError."""
    lines = [line for line in decoded(body).split("\n") if line.strip()]
    if not lines:
        raise RequestError(400, "the body is empty: expected one row a line")
    yield from (_parsed(line, f"row {number}") for number, line in enumerate(lines, start=1))


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= 300 else math.copysign(math.inf, -1 if text.startswith("-") else 1)


def _constant(text: str) -> NoReturn:
    raise RequestError(400, f"the body is not JSON: {text} is no JSON number")


def _description(content: _Object) -> Question:
    if len(content) > 1 or content.repeated is not None:
        raise RequestError(400, 'expected the one key "describe" beside no other')
    if content["describe"] is not True:
        raise RequestError(422, f'expected "describe" to be true, found {shown(content["describe"])}')
    return Question(None, explain=False)


def _batch(content: _Object) -> tuple[list[Any], bool]:
    if content.repeated is not None or not {"instances"} <= content.keys() <= {"instances", "explain"}:
        raise RequestError(400, 'expected the one key "instances" beside no other than "explain"')
    instances, explain = content["instances"], content.get("explain", False)
    if not isinstance(explain, bool):
        raise RequestError(422, f'expected "explain" to be true or false, found {shown(explain)}')
    if not isinstance(instances, list):
        raise RequestError(400, f'expected "instances" to be a list of objects, found {shown(instances)}')
    if not instances:
        raise RequestError(422, 'expected at least one row in "instances", found none')
    return instances, explain


def _type(column: Column) -> Any:
    accepted: Any
    if isinstance(column, Category):
        accepted = Literal[column.values]
    elif isinstance(column, Boolean):
        accepted = bool
    elif isinstance(column, Date | Text):
        accepted = str
    else:
        accepted = Annotated[int if isinstance(column, Integer) else float, msgspec.Meta(ge=column.minimum, le=column.maximum)]
    return accepted | None if column.missing else accepted


def _codes(rule: Rule) -> dict[Any, float] | None:
    inner, empty = (rule.rule, {None: math.nan}) if isinstance(rule, OptionalRule) else (rule, {})
    if isinstance(inner, DateRule | TextRule):
        return _Parsed(inner, empty)
    return {**inner.codes, **empty} if isinstance(inner, CategoryRule) else None


class _Parsed(dict[Any, float]):
    """The float of each text that a rule accepts, worked out when it is asked for."""

    def __init__(self, rule: DateRule | TextRule, known: dict[Any, float]) -> None:
        super().__init__(known)
        self._rule = rule

    def __missing__(self, cell: str) -> float:
        return self._rule.parse(cell)
