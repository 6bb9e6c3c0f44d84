"""Rows to hold a row against when its score is explained: like the training rows column by column, and nobody's record.

They are drawn from the profile of data.json, each column by itself: of a category or boolean a value as often as it occurred, of a number
or date the upper edge of a bin, a value that occurred, as often as the bin was filled, and an empty cell as often as there was one. A text
is made up, of a length that is drawn as a number is.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from paved_runtime import made_up
from paved_runtime.drift import Profile
from paved_runtime.spec import Boolean, Category, Column, Data, Date, Integer, Number, Text
from paved_runtime.table import Table, Texts, Values, column

STEP = 1.0  # how far the last bin's value lies above the only edge, where no two edges say how wide a bin is


def draw(profile: Profile, data: Data, rows: int, seed: str) -> Table:
    """`rows` rows of the contract's columns. Each column has its values in their shares, as near as so few rows can, in its own order."""
    by = random.Random(seed)  # noqa: S311 - the same rows every time is the point
    columns = [_spread(*_distribution(profile["columns"][name], kind), rows, by) for name, kind in data.columns.items()]
    texts = {name: _texts(values, by) for (name, kind), values in zip(data.columns.items(), columns, strict=True) if isinstance(kind, Text)}
    return Table({name: position for position, name in enumerate(data.columns)}, np.column_stack(columns), texts)


def _texts(lengths: Values, by: random.Random) -> Texts:
    """A made-up text of each length; of none, none."""
    return column([None if np.isnan(length) else made_up.text_of_length(int(length), by) for length in lengths.tolist()])


def _spread(values: Values, counts: Values, rows: int, by: random.Random) -> Values:
    """The values at `rows` evenly spaced quantiles of the counts, shuffled: float64 [rows]."""
    quantiles = (np.arange(rows) + 0.5) / rows
    at = np.searchsorted(np.cumsum(counts) / np.sum(counts), quantiles)
    spread: Values = values[at][by.sample(range(rows), rows)]
    return spread


def _distribution(counted: Mapping[str, Any], kind: Column) -> tuple[Values, Values]:
    """What a column's cells are, as feature code sees them, and how often each is: float64 [values], the empty cell last."""
    if isinstance(kind, Category | Boolean):
        values, counts = [float(kind.values.index(value)) for value in counted["counts"]], [*counted["counts"].values()]
    else:
        values, counts = [*counted["edges"], _last(counted["edges"], *_range(kind))], counted["counts"]
    return np.array([*values, np.nan]), np.array([*counts, counted["missing"]], dtype=np.float64)


def _range(kind: Integer | Number | Date | Text) -> tuple[float, float]:
    """From which number to which a column goes, as feature code sees it."""
    if isinstance(kind, Date):
        return kind.days
    return (1, kind.maximum_length) if isinstance(kind, Text) else (kind.minimum, kind.maximum)


def _last(edges: Sequence[float], minimum: float, maximum: float) -> float:
    """A value of the last bin, which has no upper edge: as far above the last edge as that lies above the one before it."""
    if not edges:
        return (minimum + maximum) / 2  # one value that nobody has written down
    return min(edges[-1] + (edges[-1] - edges[-2] if len(edges) > 1 else STEP), maximum)
