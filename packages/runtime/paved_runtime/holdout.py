"""The held-out rows with the challenger's scores, and perhaps the champion's: what the gates look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from paved_runtime.artifact import ArtifactError, read_json
from paved_runtime.table import Mask, Table, Values
from paved_runtime.tasks.task import Task

CHAMPION = "champion.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Champion:
    """The version in production, by what it said about these rows.

    `scores` are as its task has them, NaN where it cannot score a row; `trained`, bool [rows], says which of them it was trained on: of
    what it learnt by heart it knows the outcome, and no challenger can be compared with it there. None where it does not know.
    """

    model_package_arn: str
    reason: str
    scores: Values
    trained: Mask | None = None

    @property
    def scored(self) -> Mask:
        """bool [rows]: the rows it has scored."""
        return np.asarray(~np.isnan(self.scores.reshape(len(self.scores), -1)).any(axis=1))

    @property
    def unseen(self) -> Mask:
        """bool [rows]: the rows that it was not trained on, as far as it knows."""
        return np.ones(len(self.scores), dtype=np.bool_) if self.trained is None else ~self.trained

    @property
    def comparable(self) -> Mask:
        """bool [rows]: the rows on which a challenger may be compared with it."""
        return self.scored & self.unseen

    @classmethod
    def load(cls, file: Path, rows: int, task: Task) -> Champion:
        """What `score` wrote, one answer a held-out row. One of another task, or of other classes, has none that could be compared.

        Raises:
            ArtifactError: the file is something else.
        """
        content: Mapping[str, Any] = read_json(file)
        nothing = np.nan if task.width is None else [np.nan] * task.width
        try:
            arn, reason = content["model_package_arn"], content["reason"]
            if other := _another(content, task):
                reason, content = other, {**content, "scores": [None] * len(content["scores"])}
            scores = np.array([nothing if score is None else score for score in content["scores"]], dtype=np.float64)
            scores = scores.reshape(len(content["scores"]), *np.shape(nothing))
            trained = np.array(content["trained"]) if "trained" in content else None
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"{file.name} is not what `score` writes: {error!r}") from error
        if len(scores) != rows:
            raise ArtifactError(f"{file.name} has {len(scores)} scores for {rows} held-out rows")
        scored = ~np.isnan(scores.reshape(rows, -1)).all(axis=1)
        if task.refused(scores[scored]).any():
            raise ArtifactError(f"{file.name} has a score that is no {task.answer}")
        if trained is not None and (trained.shape != (rows,) or trained.dtype != np.bool_):
            raise ArtifactError(f"{file.name} does not say of each held-out row whether the champion was trained on it")
        return cls(model_package_arn=arn, reason=reason, scores=scores, trained=trained)


def _another(content: Mapping[str, Any], task: Task) -> str:
    """Why the scores cannot be compared with those of a model of this task; older champions are binary."""
    theirs, classes = content.get("task", "binary"), tuple(content.get("classes", ()))
    if theirs != task.name:
        return f"the champion is a model for {theirs}, the challenger one for {task.name}"
    return f"the champion has the classes {', '.join(classes)}" if classes != task.data.classes else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """`labels` and `challenger`, the scores, are as `task` has them; `champion` is None where there is none to compare with."""

    task: Task
    table: Table
    labels: Values
    challenger: Values
    champion: Champion | None

    def __len__(self) -> int:
        return len(self.labels)
