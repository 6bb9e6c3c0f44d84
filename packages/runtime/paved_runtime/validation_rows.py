"""Which training rows a search judges its trials on, where rows are held out by group or by time: as those are, so are these.

Preparation alone knows a row's group and moment. It leaves one byte a training row, in their order: learnt from, judged on, or neither.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paved_runtime import split
from paved_runtime.artifact import ArtifactError
from paved_runtime.spec import Data
from paved_runtime.split import Parts, Rows
from paved_runtime.table import Examples

NAME = "validation.bin"
LEARNT, JUDGED, LEFT_OUT = range(3)


def write(file: Path, examples: Examples, data: Data, train: Rows, share: float) -> None:
    """Part the training rows once more, so that a `share` of them is judged on.

    Groups are drawn with another seed than the held-out ones: with the same one, all of theirs are gone already.
    """
    again = data.model_copy(update={"holdout": share, "seed": data.seed + 1})
    parts = split.divide(examples, again, train)
    codes = np.full(len(examples), LEARNT, dtype=np.uint8)
    codes[parts.holdout], codes[parts.left_out] = JUDGED, LEFT_OUT
    file.write_bytes(codes[train].tobytes())


def read(file: Path, rows: int) -> Parts:
    """What `write` wrote of so many training rows. Raises ArtifactError where it is of others."""
    codes = np.frombuffer(file.read_bytes(), dtype=np.uint8)
    if len(codes) != rows:
        raise ArtifactError(f"{file.name} is of {len(codes)} rows, there are {rows}: prepare them again")
    return Parts(*(np.flatnonzero(codes == code) for code in (LEARNT, JUDGED, LEFT_OUT)))
