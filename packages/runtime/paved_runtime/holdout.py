"""The held-out rows with the challenger's scores, and perhaps the champion's: what the gates look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paved_runtime.artifact import ArtifactError, read_json
from paved_runtime.table import Table, Values

CHAMPION = "champion.json"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version in production, by what it said about these rows.

    `scores` is float64 [rows], NaN where it cannot score one; `trained`, bool [rows], says which of them it was trained on: of what it
    learnt by heart it knows the outcome, and no challenger can be compared with it there. None where it does not know.
    """

    model_package_arn: str
    reason: str
    scores: Values
    trained: Mask | None = None

    @property
    def scored(self) -> Mask:
        """bool [rows]: the rows it has scored."""
        return ~np.isnan(self.scores)

    @property
    def unseen(self) -> Mask:
        """bool [rows]: the rows that it was not trained on, as far as it knows."""
        return np.ones(len(self.scores), dtype=np.bool_) if self.trained is None else ~self.trained

    @property
    def comparable(self) -> Mask:
        """bool [rows]: the rows on which a challenger may be compared with it."""
        return self.scored & self.unseen

    @classmethod
    def load(cls, file: Path, rows: int) -> Champion:
        """What `score` wrote, one score a held-out row. Raises ArtifactError where it is something else."""
        content: Mapping[str, Any] = read_json(file)
        try:
            arn, reason = content["model_package_arn"], content["reason"]
            scores = np.array([np.nan if score is None else score for score in content["scores"]], dtype=np.float64)
            trained = np.array(content["trained"]) if "trained" in content else None
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{file.name} is not what `score` writes: {error!r}") from error
        if len(scores) != rows:
            raise ArtifactError(f"{file.name} has {len(scores)} scores for {rows} held-out rows")
        if not ((scores >= 0) & (scores <= 1) | np.isnan(scores)).all():
            raise ArtifactError(f"{file.name} has a score that is no probability")
        if trained is not None and (trained.shape != scores.shape or trained.dtype != np.bool_):
            raise ArtifactError(f"{file.name} does not say of each held-out row whether the champion was trained on it")
        return cls(model_package_arn=arn, reason=reason, scores=scores, trained=trained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """`labels` is bool [rows], `challenger` float64 [rows]; `champion` is None where there is none to compare with."""

    table: Table
    labels: Mask
    challenger: Values
    champion: Champion | None

    def __len__(self) -> int:
        return len(self.labels)
