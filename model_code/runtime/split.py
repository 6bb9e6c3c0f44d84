"""Which rows are held out is a property of the rows themselves, not of their order in a file or of a random state."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np

from model_code.runtime.table import Examples


def split(examples: Examples, *, share: float, seed: int) -> tuple[Examples, Examples]:
    """Training and held-out rows: `share` of each outcome is held out, each part in an order of its own.

    The same rows in any order give the same two parts, in the same order.
    """
    order = np.array(sorted(range(len(examples)), key=_digests(examples, seed).__getitem__), dtype=np.intp)
    outcome = examples.labels[order]
    held = np.zeros(len(order), dtype=bool)
    for label in (0, 1):
        rows = np.flatnonzero(outcome == label)
        held[rows[: round(len(rows) * share)]] = True
    return examples.take(order[~held]), examples.take(order[held])


def _digests(examples: Examples, seed: int) -> list[bytes]:
    key = str(seed).encode()
    rows = np.column_stack([examples.table.values, examples.labels])
    return [blake2b(row.tobytes(), key=key, digest_size=16).digest() for row in rows]
