"""Rows of a request that lack the columns of a feature group: they get them from the online store, by their key.

A row that has all columns of a group is taken as it is: what would the model say if they were these? One that has some of them is refused,
for nobody could say which of its values belong together. What is looked up is judged like any value of a request, by the columns' rules,
and is given back with the answer: a request that has a key alone does not say what was answered with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from paved_runtime.media_types import RequestError
from paved_runtime.online_store import OnlineStore, Record, Records
from paved_runtime.rules import Rule, RuleError, Value, is_optional, rules, shown, valued
from paved_runtime.spec import Data, Lookup

MOST = 500  # different identifiers of a group in a request: five calls
LONGEST = 1_000  # characters of an identifier
IDENTIFIER = f"a text of 1 to {LONGEST} printable characters, or a whole number"
NO_STORE = "this server was given no feature store (FEATURES is not set)"
Wanted = Mapping[str, str]  # group → the identifier that a row's key has for it, "" where the key is empty


class LookedUp(msgspec.Struct, frozen=True, gc=False):
    """What a row got of a feature group: the event time of the record, and its values by column; without a record no time, and nulls."""

    event_time: str | None
    values: dict[str, Value]


def now() -> datetime:
    """The time against which records are old."""
    return datetime.now(UTC)


def identifier(value: object) -> str | None:
    """The text of a record identifier that JSON has; "" where it has null; None where it can be none."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else "" if value is None else value
    return text if isinstance(text, str) and len(text) <= LONGEST and text.isprintable() else None


class Lookups:
    """What a model looks up, and the store that answers; without one every question is refused."""

    def __init__(self, lookups: Mapping[str, Lookup], data: Data, store: OnlineStore | None, clock: Callable[[], datetime] = now) -> None:
        self.keys = tuple(dict.fromkeys(lookup.key for lookup in lookups.values()))
        self.columns = tuple(column for lookup in lookups.values() for column in lookup.columns)
        self._lookups, self._store, self._clock = lookups, store, clock
        known = rules(data)
        self._rules = {column: known[column] for column in self.columns}

    def complete(self, rows: Sequence[object]) -> list[dict[str, LookedUp]]:
        """Put into each row that lacks a group's columns those that its key stands for; of each row what it got, by group.

        Nothing where no row lacks any.

        Raises:
            RequestError: 413 for too many identifiers, 422 for a row that lacks the key, or has it and only some of the columns, or whose
                record does not keep the contract, 503 where the store does not answer.
        """
        wanted = [self._wanted(number, row) if isinstance(row, dict) else {} for number, row in enumerate(rows, start=1)]
        if not any(wanted):
            return []
        records, moment = self._records(wanted), self._clock()
        looked_up = []
        for number, (row, groups) in enumerate(zip(rows, wanted, strict=True), start=1):
            each = {group: self._read(number, group, key, records[group].get(key), moment) for group, key in groups.items()}
            for group in each:
                assert isinstance(row, dict)
                row.update(each[group].values)
            looked_up.append(each)
        return looked_up

    def _wanted(self, number: int, row: Mapping[str, Any]) -> Wanted:
        """The groups whose columns a row lacks, each with its identifier."""
        return {
            group: self._identifier(number, row, lookup.key) for group, lookup in self._lookups.items() if self._lacks(number, row, group)
        }

    def _lacks(self, number: int, row: Mapping[str, Any], group: str) -> bool:
        lookup = self._lookups[group]
        there = [column for column in lookup.columns if column in row]
        if len(there) == len(lookup.columns):
            return False
        every = f"all columns of feature group {group} ({', '.join(lookup.columns)})"
        if there:
            raise RequestError(422, f"row {number}: expected {every} or none of them and {lookup.key!r}, found only {', '.join(there)}")
        if lookup.key not in row:
            raise RequestError(422, f"row {number}, column {lookup.key!r}: expected {IDENTIFIER}, or {every}, found neither")
        return True

    def _identifier(self, number: int, row: Mapping[str, Any], key: str) -> str:
        """What the store knows a row by; "" where the key is empty, of which it has no record."""
        text = identifier(row[key])
        if text is None:
            raise RequestError(422, f"row {number}, column {key!r}: expected {IDENTIFIER}, found {shown(row[key])}")
        return text

    def _records(self, wanted: Sequence[Wanted]) -> Records:
        identifiers = {group: list(dict.fromkeys(each[group] for each in wanted if each.get(group))) for group in self._lookups}
        for group, keys in identifiers.items():
            if len(keys) > MOST:
                raise RequestError(413, f"expected at most {MOST} records to look up in feature group {group}, found {len(keys)}")
        if self._store is None:
            raise RequestError(503, f"{NO_STORE}: send {', '.join(self.columns)} in the request")
        return self._store.records(identifiers, {group: lookup.columns for group, lookup in self._lookups.items()})

    def _read(self, number: int, group: str, key: str, record: Record | None, moment: datetime) -> LookedUp:
        lookup = self._lookups[group]
        if record is None:
            return self._without(number, group, key, "none")
        happened = record[self._event_time(group)]
        age = moment - datetime.fromisoformat(happened)
        if lookup.maximum_age_hours is not None and age.total_seconds() > lookup.maximum_age_hours * 3600:
            return self._without(number, group, key, f"one of {happened}, older than {lookup.maximum_age_hours} hours")
        values = {column: self._value(number, group, key, column, record.get(column)) for column in lookup.columns}
        return LookedUp(happened, values)

    def _without(self, number: int, group: str, key: str, instead: str) -> LookedUp:
        """What a row gets that has no record. Raises RequestError where the contract has no null for it."""
        lookup = self._lookups[group]
        if needed := [column for column in lookup.columns if not is_optional(self._rules[column])]:
            expected = f"expected a record of feature group {group} for {shown(key)}, as {', '.join(needed)} may not be missing"
            raise RequestError(422, f"row {number}, column {lookup.key!r}: {expected}, found {instead}")
        return LookedUp(None, dict.fromkeys(lookup.columns))

    def _value(self, number: int, group: str, key: str, column: str, text: str | None) -> Value:
        rule: Rule = self._rules[column]
        try:
            return valued(rule, text or "")
        except RuleError as error:
            stored = f"{'nothing' if text is None else shown(text)} in the record of feature group {group} for {shown(key)}"
            raise RequestError(422, f"row {number}, column {column!r}: expected {rule.expected}, found {stored}") from error

    def _event_time(self, group: str) -> str:
        assert self._store is not None
        return self._store.groups[group].event_time
