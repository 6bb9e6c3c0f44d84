"""The held-out rows with what the challenger, and perhaps the champion, says about them: what the gates look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_code.runtime.artifact import ArtifactError, read_json
from model_code.runtime.table import Table, Values

CHAMPION = "champion.json"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version in production, by what it said about these rows: float64 [rows], NaN where it cannot score one."""

    model_package_arn: str
    reason: str
    scores: Values

    @property
    def scored(self) -> Mask:
        """bool [rows]: the rows it has scored."""
        return ~np.isnan(self.scores)

    @classmethod
    def load(cls, file: Path, rows: int) -> Champion:
        """What `score` wrote, one score a held-out row. Raises ArtifactError where it is something else."""
        content: Mapping[str, Any] = read_json(file)
        try:
            arn, reason = content["model_package_arn"], content["reason"]
            scores = np.array([np.nan if score is None else score for score in content["scores"]], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{file.name} is not what `score` writes: {error!r}") from error
        if len(scores) != rows:
            raise ArtifactError(f"{file.name} has {len(scores)} scores for {rows} held-out rows")
        if not ((scores >= 0) & (scores <= 1) | np.isnan(scores)).all():
            raise ArtifactError(f"{file.name} has a score that is no probability")
        return cls(model_package_arn=arn, reason=reason, scores=scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """`labels` is bool [rows], `challenger` float64 [rows]; `champion` is None where there is none to compare with."""

    table: Table
    labels: Mask
    challenger: Values
    champion: Champion | None

    def __len__(self) -> int:
        return len(self.labels)
