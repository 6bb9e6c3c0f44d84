"""Which rows a model was trained on: what it must not be judged by later, when it is the champion and the data set another.

A model's `rows.bin` has the digest of each training row, eight bytes each, the most significant first, rising; `data.json` says under
`digested` which columns these are made of. They say of a row that somebody has whether it was there, and nothing of the others.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from paved_runtime import artifact
from paved_runtime.artifact import ArtifactError
from paved_runtime.contract import Reading
from paved_runtime.digests import Digests

BYTES = np.dtype(">u8")


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Their digests, and the columns of each file that they came from."""

    digests: Digests
    digested: Collection[list[str]]

    @classmethod
    def load(cls, model: Path) -> Self | None:
        """Those of a model folder; None where a model of an older runtime does not know them. Raises ArtifactError if they are broken."""
        file = model / artifact.ROWS
        if not file.is_file():
            return None
        content = file.read_bytes()
        if len(content) % BYTES.itemsize:
            raise ArtifactError(f"{file.name} has {len(content)} bytes: expected {BYTES.itemsize} a row")
        return cls(np.frombuffer(content, BYTES).astype(np.uint64), artifact.read_json(model / artifact.DATA)["digested"])

    @property
    def columns(self) -> set[str]:
        """Every column that a digest is made of: with these, and no others, rows of a newer data set can be digested likewise."""
        return {name for names in self.digested for name in names}

    def among(self, reading: Reading) -> list[bool] | None:
        """Which rows are among them; None where the files lack a column, so that nobody can tell. Read with `columns` as `digested`."""
        if not all(names in self.digested for names in reading.digested):
            return None
        known: list[bool] = np.isin(reading.examples.digests, self.digests).tolist()
        return known


def write(file: Path, digests: Digests) -> None:
    """Write the digests of training rows."""
    file.write_bytes(np.sort(digests).astype(BYTES).tobytes())
