"""A table's cells as they were before they became numbers, and its rows as wholes: of a text the number is not all that it says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from paved_runtime.digests import digests
from paved_runtime.rules import Rule, Value, is_text
from paved_runtime.table import Examples, Table, Values


def written(table: Table, column: str, rule: Rule, write: Callable[[float], Value]) -> list[Value]:
    """A column's cells as `write`, which is the rule's own for JSON or for CSV, writes them; of a text, the text."""
    numbers = table[column].tolist()
    if is_text(rule):
        return [None if math.isnan(number) else text for number, text in zip(numbers, table.texts[column].tolist(), strict=True)]
    return list(map(write, numbers))


def identity(examples: Examples) -> Values:
    """What makes rows equal, float64 [rows, numbers]: all that the model is given, and the outcome. Compare it as bits.

    A text counts by its digest, a refused cell as infinite.
    """
    texts = [digests([(name, cells.tolist())]).view(np.float64) for name, cells in examples.table.texts.items()]
    return np.column_stack([examples.table.values, examples.labels, *texts])
