"""What captured rows were answered with that had a key in place of a feature group's columns: it stands in the answer, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from paved_runtime import keyed_csv
from paved_runtime.media_types import CSV, LINES
from paved_runtime.monitoring.answers import UNREADABLE
from paved_runtime.monitoring.bodies import Body
from paved_runtime.rules import Rule, RuleError, Value
from paved_runtime.spec import Lookup
from paved_runtime.table import Mask, Values

MARK = '"features"'


class Features(msgspec.Struct, gc=False):
    """A group's values, by column."""

    values: dict[str, Any]


class Prediction(msgspec.Struct, gc=False):
    """One row's answer, of which nothing matters but what was looked up, by group."""

    features: Mapping[str, Features] = {}


class Answer(msgspec.Struct, gc=False):
    """A request's answer in JSON."""

    predictions: list[Prediction]


class LookedUp:
    """Reads of one model's answers what was looked up."""

    def __init__(self, lookups: Mapping[str, Lookup], rules: Mapping[str, Rule]) -> None:
        self._lookups, self._rules = lookups, rules
        self._positions = {name: position for position, name in enumerate(rules)}
        self._keys = [lookup.key for lookup in lookups.values()]
        self._columns = [column for lookup in lookups.values() for column in lookup.columns]
        self._answer, self._row = msgspec.json.Decoder(Answer), msgspec.json.Decoder(Prediction)

    def rows(self, text: str, header: bool | None) -> list[dict[str, Value]] | None:
        """The rows of a CSV request whose header has keys, as JSON has them; None of any other. Raises RequestError."""
        return keyed_csv.rows(text, header, self._rules, self._columns, self._keys) if self._lookups else None

    def fill(self, rows: Sequence[Mapping[str, Any]], values: Values, answer: Body | None) -> Mask:
        """Put what was looked up into `values`, float64 [rows, columns], of `rows` by column; which rows are known: bool [rows].

        What a row without an answer would have got is not known, and neither is the row, unless something else is wrong with it: then
        what was looked up counts as missing.
        """
        known = np.ones(len(rows), dtype=np.bool_)
        answers = self._answers(answer) if any(map(self._lacking, rows)) else []
        for at, row in enumerate(rows):
            for group in self._lacking(row):
                features = answers[at].features.get(group) if at < len(answers) else None
                for column in self._lookups[group].columns:
                    values[at, self._positions[column]] = self._number(column, features.values) if features else np.nan
                known[at] &= features is not None or np.isinf(values[at]).any()
        return known

    def _lacking(self, row: Mapping[str, Any]) -> list[str]:
        """The groups of which a row has the key and no column."""
        return [name for name, group in self._lookups.items() if group.key in row and not any(column in row for column in group.columns)]

    def _answers(self, answer: Body | None) -> Sequence[Prediction]:
        if answer is None or answer.format == CSV:
            return []
        try:
            return self._row.decode_lines(answer.text) if answer.format == LINES else self._answer.decode(answer.text).predictions
        except UNREADABLE:
            return []

    def _number(self, column: str, values: Mapping[str, Any]) -> float:
        try:
            return self._rules[column].read(values.get(column))
        except RuleError:
            return np.inf
