"""From a request's bytes to a Table, or to a sentence that says which row and column are wrong and what was expected.

JSON is read twice over: a decoder generated from the contract is fast but terse, so it only ever answers for what it accepts;
whatever it does not accept goes to the plain reading below it, which decides and explains.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

import msgspec
import numpy as np

from paved_runtime.contract import encode
from paved_runtime.rules import CategoryRule, OptionalRule, Rule, RuleError, rules, shown
from paved_runtime.spec import RESERVED, Category, Column, Data, Integer
from paved_runtime.table import Table


class RequestError(ValueError):
    """A request that cannot be answered. `status` is 400 where its form is wrong, 413 where it is too large, 422 where a value is wrong."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Question(NamedTuple):
    """What a request asks: the scores of the rows of `table`, with reasons if `explain` says so. Without a table: what the model is."""

    table: Table | None
    explain: bool


class Requests:
    """Reads the requests of one data contract."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._rules = rules(data)
        self._positions = {name: position for position, name in enumerate(self._rules)}
        self._codes = codes(data)
        struct = row(data, strict=True)
        batch = msgspec.defstruct("Batch", [("instances", list[struct]), ("explain", bool, False)], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._row, self._batch = msgspec.json.Decoder(struct), msgspec.json.Decoder(batch)

    def json(self, body: bytes) -> Question:
        """`{"instances": [{column: value, …}, …], "explain": false}`, one bare `{column: value, …}`, or `{"describe": true}`.

        "explain" may be left out. Raises RequestError.
        """
        batch = b'"instances"' in body
        try:
            rows, explain = msgspec.structs.astuple(self._batch.decode(body)) if batch else ([self._row.decode(body)], False)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self.plain(body)
        keys = len(rows) * len(self._rules) + batch + explain
        if not rows or body.count(b":") != keys:  # more colons than keys: one may be given twice, which the decoder lets pass
            return self.plain(body)
        cells = [
            value if codes is None else codes[value]
            for row in rows
            for value, codes in zip(msgspec.structs.astuple(row), self._codes, strict=True)
        ]
        return Question(self._table(cells), explain)

    def csv(self, body: bytes) -> Table:
        """One row a line, columns in the order of `model.toml`, no header. Raises RequestError."""
        try:
            rows = list(csv.reader(io.StringIO(body.decode("utf-8"), newline=""), strict=True))
        except UnicodeDecodeError as error:
            raise RequestError(400, f"the body is not UTF-8: byte {error.start} is wrong") from error
        except csv.Error as error:
            raise RequestError(400, f"the body is not CSV: {error}") from error
        if not rows:
            raise RequestError(400, "the body is empty: expected one row a line")
        for number, row in enumerate(rows, start=1):
            if len(row) != len(self._rules):
                names = ", ".join(self._rules)
                raise RequestError(422, f"row {number}: expected {len(self._rules)} cells ({names}), found {len(row)}")
        table, violations = encode(dict(zip(self._rules, zip(*rows, strict=True), strict=True)), self._rules)
        if violations:
            first = min(violations, key=lambda violation: violation.rows)
            number, name = first.rows[0], first.column
            cell = shown(rows[number - 1][self._positions[name]])
            raise RequestError(422, f"row {number}, column {name!r}: expected {first.allowed}, found {cell}")
        return table

    def plain(self, body: bytes) -> Question:
        """The same as `json`, read plainly: this is what decides, and what words the refusals. Raises RequestError."""
        content = _parsed(body)
        if not isinstance(content, _Object):
            raise RequestError(400, f'expected {{"instances": [...]}} or one object of columns, found {shown(content)}')
        if "describe" in content:
            return _description(content)
        rows, explain = _batch(content) if any(word in content for word in RESERVED) else ([content], False)
        cells = [cell for number, row in enumerate(rows, start=1) for cell in self._cells(number, row)]
        return Question(self._table(cells), explain)

    def _cells(self, number: int, row: object) -> list[float]:
        if not isinstance(row, _Object):
            raise RequestError(422, f"row {number}: expected an object with a value for each column, found {shown(row)}")
        if row.repeated is not None:
            raise RequestError(400, f"row {number}, column {shown(row.repeated)}: expected one value, found several")
        for name in row:
            if name not in self._rules and name not in self._data.exclude and name != self._data.target:
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

    def _table(self, cells: Sequence[float]) -> Table:
        return Table(self._positions, np.array(cells, dtype=np.float64).reshape(-1, len(self._rules)))


def row(data: Data, *, strict: bool) -> type[Any]:
    """The Struct of a row: what the contract accepts, and, unless `strict`, whatever other columns there are beside it, unread.

    Fields are c0, c1, …, renamed: a column may have any name.
    """
    fields = [(f"c{position}", _type(column)) for position, column in enumerate(data.columns.values())]
    names = {f"c{position}": name for position, name in enumerate(data.columns)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=strict, gc=False)


def codes(data: Data) -> list[dict[Any, float] | None]:
    """Of each column, the float of each decoded value of a category. A number is its own, and numpy turns None into NaN."""
    return [_codes(rule) for rule in rules(data).values()]


class _Object(dict[str, object]):
    """A JSON object that remembers a key given twice."""

    repeated: str | None = None


def _object(pairs: list[tuple[str, object]]) -> _Object:
    content = _Object(pairs)
    if len(content) < len(pairs):
        content.repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
    return content


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
    except UnicodeDecodeError as error:
        raise RequestError(400, f"the body is not UTF-8: byte {error.start} is wrong") from error
    except json.JSONDecodeError as error:
        raise RequestError(400, f"the body is not JSON: {error}") from error
    except RecursionError as error:
        raise RequestError(400, "the body is nested too deeply") from error


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
    else:
        accepted = Annotated[int if isinstance(column, Integer) else float, msgspec.Meta(ge=column.minimum, le=column.maximum)]
    return accepted | None if column.missing else accepted


def _codes(rule: Rule) -> dict[Any, float] | None:
    if isinstance(rule, OptionalRule):
        codes = _codes(rule.rule)
        return None if codes is None else codes | {None: math.nan}
    return dict(rule.codes) if isinstance(rule, CategoryRule) else None
