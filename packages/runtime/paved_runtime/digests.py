"""What a row of a file says, in 64 bits: the same however the file is written, and whatever `model.toml` makes of it.

A digest is of a row's own cells, column by column in the order of their names. A number is the same number however it is spelt: `1`, `1.0`
and `1e0` are one. Any other text is itself. Rows that differ have equal digests by chance alone: in one of 370,000 files with ten million.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from functools import lru_cache, reduce
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from paved_runtime.rules import NUMERAL

Digests = NDArray[np.uint64]

REMEMBERED, SHORT = 2**16, 64  # cells whose digests are kept, of at most so many characters: most are seen again, and memory is bounded
EXACT = Context(prec=2**17, Emin=MIN_EMIN, Emax=MAX_EMAX)  # digits; the csv module reads no longer cells


def digests(columns: Iterable[tuple[str, Sequence[str]]]) -> Digests:
    """The digest of each row, uint64 [rows]: of columns by name, all of one length and at least one, in whatever order."""
    return of_rows((name, _column(cells)) for name, cells in columns)


def of_rows(columns: Iterable[tuple[str, Digests]]) -> Digests:
    """The same, where the cells are digested already."""
    named = sorted(columns, key=lambda column: column[0])
    return combined(cells ^ _text(name) for name, cells in named)


def of_cell(cell: str) -> int:
    """The digest of one cell, whatever column it is in."""
    return int(_text(canonical(cell)))


def combined(columns: Iterable[Digests]) -> Digests:
    """One number for each row of some columns of numbers, at least one: other for other rows, and for columns in another order."""
    nothing: Digests = np.zeros(1, dtype=np.uint64)
    return reduce(lambda total, column: _mixed(total + column), map(_mixed, columns), nothing)


def seeded(digests: Digests, seed: int) -> Digests:
    """Digests of the same rows that are in no relation to the first: equal ones stay equal."""
    return _mixed(digests ^ _text(str(seed)))


def canonical(cell: str) -> str:
    """A cell as it counts: a numeral in the one form of its number, any other text as it is.

    >>> [canonical(cell) for cell in ("1.0", "1e0", "+01", "-0.0", "0.50", "one", "")]
    ['1', '1', '1', '0', '0.5', 'one', '']
    """
    if not NUMERAL.fullmatch(cell):
        return cell
    try:
        number = Decimal(cell).normalize(EXACT)
    except InvalidOperation:  # an exponent that no number of this world has
        return cell
    return str(number) if number else "0"


def _column(cells: Sequence[str]) -> Digests:
    digest = _remembered if max(map(len, cells)) <= SHORT else of_cell
    return np.fromiter(map(digest, cells), dtype=np.uint64, count=len(cells))


_remembered = lru_cache(REMEMBERED)(of_cell)


def _text(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big"))


def _mixed(values: Digests) -> Digests:
    """A permutation of the 64-bit numbers in which neighbours are far apart (Steele, Lea and Flood, OOPSLA 2014: SplitMix)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)), dtype=np.uint64)
