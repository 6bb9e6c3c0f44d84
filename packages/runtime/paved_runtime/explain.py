"""Why a row scores as it does: the score is shared out over the columns of `model.toml`, in log-odds.

The framework computes it from its own files. A server loads them before it says that it is ready, not at the first request for reasons.
XGBoost's cost it 1.0 s instead of 0.4 s to start, and 176 MiB instead of 93; but so the golden requests prove the reasons of every copy,
and an image whose library reads the model differently never serves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from paved_runtime import artifact, plugin
from paved_runtime.frameworks import Explaining, Framework
from paved_runtime.table import Matrix

Shares = Callable[[Matrix], tuple[float, Matrix]]  # float32 [rows, features] → the base, and what each adds, float32 [rows, features]


class Explainer:
    """What gives reasons for a loaded model's scores. Safe to call from several threads."""

    def __init__(self, shares: Shares, positions: Sequence[int], columns: int) -> None:
        """`positions` holds, for each feature in order, the position of its column among `columns` ones."""
        self._shares = shares
        self._columns_of = np.zeros((len(positions), columns), dtype=np.float32)
        self._columns_of[np.arange(len(positions)), positions] = 1

    @classmethod
    def load(cls, model: Path, framework: Framework, features: plugin.Features, columns: Sequence[str]) -> Explainer:
        """Load what explains a model folder by `columns`, the contract's.

        Raises:
            ArtifactError: the framework refuses a file, its model has other features, or a feature belongs to no column.
        """
        positions = _positions(features, columns)
        assert isinstance(framework, Explaining)
        shares = partial(framework.contributions, framework.load(model))
        shares(np.zeros((1, len(positions)), dtype=np.float32))  # or a model of other features would be found out by a caller
        return cls(shares, positions, len(columns))

    def contributions(self, features: Matrix) -> tuple[float, Matrix]:
        """The base and what each column adds to it, float32 [rows, columns]: together they are the logit of each row's score.

        Takes the matrix that is scored, with at least one row. The base is the same for every row.
        """
        base, shares = self._shares(features)
        summed: Matrix = shares @ self._columns_of
        return base, summed


def _positions(features: plugin.Features, columns: Sequence[str]) -> list[int]:
    """Where each feature's column stands: by the feature code's `SOURCES`, else by the feature's own name."""
    sources: Mapping[str, str] = getattr(features, "SOURCES", {})
    if unknown := [name for name in sources if name not in features.NAMES]:
        raise artifact.ArtifactError(f"SOURCES names {unknown[0]!r}, which is no feature: features are {', '.join(features.NAMES)}")
    origins = [sources.get(name, name) for name in features.NAMES]
    for name, column in zip(features.NAMES, origins, strict=True):
        if column not in columns:
            raise artifact.ArtifactError(f"feature {name!r} comes from {column!r}, which is no column: name one in SOURCES of features.py")
    return [columns.index(column) for column in origins]
