"""What `model.toml` might say of the data of a model of each task, and rows of such tasks with a model's scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paved_runtime import tasks
from paved_runtime.holdout import Champion, Holdout
from paved_runtime.spec import Data
from paved_runtime.table import Mask, Table, Values

Drawn = Callable[..., tuple[Values, ...]]  # labels, and the scores of several models
CLASSES = ("low", "medium", "high", "severe")
PARTS = ("north", "south", "east")
REQUIRED = {"target": "y", "minimum_rows": 1, "holdout": 0.5, "columns": {"part": {"type": "category", "values": PARTS}}}
BINARY = Data.model_validate({**REQUIRED, "positive": "1", "negative": "0"})
GRADES = Data.model_validate({**REQUIRED, "classes": CLASSES})
AMOUNTS = Data.model_validate({**REQUIRED, "target_minimum": -100, "target_maximum": 100})
SHARES = (0.4, 0.3, 0.2, 0.1)  # of the classes


def graded(rows: int, *noises: float, seed: int = 0, shares: tuple[float, ...] = SHARES, common: float = 0.9) -> tuple[Values, ...]:
    """Labels, and for each noise the scores of a model that sees them through so much of it: float64 [rows, classes].

    Of their noise, models have the share `common` in common, as two that learnt from the same rows have.
    """
    draw = np.random.default_rng(seed)
    labels = draw.choice(len(shares), rows, p=shares)
    shared, own = draw.normal(size=(rows, len(shares))), draw.normal(size=(len(noises), rows, len(shares)))
    mixed = (noise * (common * shared + np.sqrt(1 - common**2) * each) for noise, each in zip(noises, own, strict=True))
    return labels.astype(np.float64), *(_softmax(2 * np.eye(len(shares))[labels] + noise) for noise in mixed)


def measured(rows: int, *noises: float, seed: int = 0, common: float = 0.9) -> tuple[Values, ...]:
    """Amounts of standard deviation 10, and for each noise the scores of a model whose errors have that standard deviation."""
    draw = np.random.default_rng(seed)
    labels, shared, own = draw.normal(5, 10, rows), draw.normal(size=rows), draw.normal(size=(len(noises), rows))
    return labels, *(labels + noise * (common * shared + np.sqrt(1 - common**2) * each) for noise, each in zip(noises, own, strict=True))


def holdout(
    data: Data,
    labels: Values,
    challenger: Values,
    champion: Values | None = None,
    *,
    parts: Values | None = None,
    trained: Mask | None = None,
) -> Holdout:
    """Held-out rows, all of the first part unless `parts` says of which each is."""
    values = np.zeros(len(labels)) if parts is None else parts
    known = None if champion is None else Champion(model_package_arn="arn", reason="", scores=champion, trained=trained)
    table = Table({"part": 0}, values[:, None].astype(np.float64))
    return Holdout(task=tasks.of(data), table=table, labels=labels, challenger=challenger, champion=known)


def _softmax(odds: Values) -> Values:
    powers = np.exp(odds - odds.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
