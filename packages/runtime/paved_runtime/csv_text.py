"""What is told of a text that was meant to be CSV, in the container and by whoever reads the same file before it gets there.

Standard library only: neither side has the other's packages.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
SHOWN = 80  # characters of a header


def other_separator(header: str) -> str | None:
    """The name of what separates the columns of a header line, where it is no comma."""
    return next((name for separator, name in SEPARATORS.items() if separator in header and "," not in header), None)


def shortened(text: str, length: int = SHOWN) -> str:
    """A text of a file as one line, in quotes."""
    return repr(text if len(text) <= length else f"{text[: length - 1]}…")


def rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """The cells of each row, but for blank lines at the end, which editors and exports leave there. Raises csv.Error."""
    blank = 0
    for cells in csv.reader(lines, strict=True):
        if cells:
            yield from ([] for _ in range(blank))
            yield cells
        blank = 0 if cells else blank + 1
