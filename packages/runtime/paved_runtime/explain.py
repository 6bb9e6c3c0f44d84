"""Why a row scores as it does: TreeSHAP shares the score out over the columns of `model.toml`, exactly, in log-odds.

XGBoost computes it from `model.json`. A server loads it before it says that it is ready, not at the first request for reasons. That costs
it 1.0 s instead of 0.4 s to start, and 176 MiB instead of 93; but so the golden requests prove the reasons of every copy, and an image
whose XGBoost reads the model differently never serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xgboost

from paved_runtime import artifact, plugin
from paved_runtime.table import Matrix


class Explainer:
    """A loaded booster that gives reasons. Safe to call from several threads."""

    def __init__(self, booster: xgboost.Booster, positions: Sequence[int], columns: int) -> None:
        """`positions` holds, for each feature in order, the position of its column among `columns` ones."""
        self._booster = booster
        self._columns_of = np.zeros((len(positions), columns), dtype=np.float32)
        self._columns_of[np.arange(len(positions)), positions] = 1

    @classmethod
    def load(cls, model: Path, features: plugin.Features, columns: Sequence[str]) -> Explainer:
        """Load a model folder's `model.json`, to explain by `columns`, the contract's.

        Raises:
            ArtifactError: XGBoost refuses the file, it has other features, or a feature belongs to no column.
        """
        positions = _positions(features, columns)
        try:
            booster = xgboost.Booster({"nthread": 1}, model_file=model / artifact.BOOSTER)
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise artifact.ArtifactError(f"{artifact.BOOSTER} cannot be loaded: {str(error).splitlines()[0]}") from error
        if booster.num_features() != len(positions):
            raise artifact.ArtifactError(f"{artifact.BOOSTER} has {booster.num_features()} features, the model's code {len(positions)}")
        return cls(booster, positions, len(columns))

    def contributions(self, features: Matrix) -> tuple[float, Matrix]:
        """The base and what each column adds to it, float32 [rows, columns]: together they are the logit of each row's score.

        Takes the matrix that is scored, with at least one row. The base is the same for every row.
        """
        shares = self._booster.predict(xgboost.DMatrix(features, nthread=1), pred_contribs=True, validate_features=False)
        summed: Matrix = shares[:, :-1] @ self._columns_of
        return float(shares[0, -1]), summed


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
