"""CSV cells as JSON, so that the server says of a batch's rows what it says of the same rows in CSV.

A cell that its rule accepts becomes the value that it stands for; one that it refuses stays text, which no rule accepts that refuses it in
CSV: numbers and booleans have no text in JSON, and what are texts there are judged alike.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as text

import msgspec

from paved_runtime.rules import OptionalRule, Rule, RuleError, is_text

REMEMBERED = 65_536  # cells of a column
SHORT = 40  # characters of a cell that is remembered


class Spelling(dict[str, str]):
    """A column's cells → their JSON. What was asked before is remembered, as far as it is short."""

    def __init__(self, rule: Rule) -> None:
        super().__init__()
        self._rule, self._is_text = rule, is_text(rule)
        self._empty = isinstance(rule, OptionalRule)

    def __missing__(self, cell: str) -> str:
        spelt = self._spelt(cell)
        if len(cell) <= SHORT:
            if len(self) >= REMEMBERED:
                self.clear()
            self[cell] = spelt
        return spelt

    def _spelt(self, cell: str) -> str:
        if self._is_text:
            return "null" if self._empty and not cell else text(cell)
        try:
            return msgspec.json.encode(self._rule.write(self._rule.parse(cell))).decode()
        except RuleError:
            return text(cell)
