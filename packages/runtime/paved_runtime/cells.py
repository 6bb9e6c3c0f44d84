"""A table's cells as they were before they became numbers, and its rows as wholes: of a text the number is not all that it says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from paved_runtime.digests import Digests, digests
from paved_runtime.rules import Rule, Value, is_text
from paved_runtime.table import Examples, Table


def written(table: Table, column: str, rule: Rule, write: Callable[[float], Value]) -> list[Value]:
    """A column's cells as `write`, which is the rule's own for JSON or for CSV, writes them; of a text, the text."""
    numbers = table[column].tolist()
    if is_text(rule):
        return [None if math.isnan(number) else text for number, text in zip(numbers, table.texts[column].tolist(), strict=True)]
    return each(numbers, write)


def each(numbers: Sequence[float], write: Callable[[float], Value]) -> list[Value]:
    """What `write` makes of each number; of equal ones it is asked once."""
    cells = {number: write(number) for number in set(numbers)}
    return [cells[number] for number in numbers]


def identity(examples: Examples) -> Iterator[Digests]:
    """What makes rows equal, as bits, one column after the other, each uint64 [rows]: all that the model is given, and the outcome.

    A text counts by its digest, a refused cell as infinite.
    """
    yield from (column.view(np.uint64) for column in examples.table.values.T)
    yield examples.labels.view(np.uint64)
    yield from (digests([(name, cells.tolist())]) for name, cells in examples.table.texts.items())
