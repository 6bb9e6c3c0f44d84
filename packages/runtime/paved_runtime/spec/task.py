"""What a model may answer with, and what `model.toml` says differently for each task."""

from __future__ import annotations

from typing import Literal

TaskName = Literal["binary", "multiclass", "regression"]
HEADLINES: dict[TaskName, str] = {"binary": "roc_auc", "multiclass": "roc_auc", "regression": "r2"}  # the metric that floors are of
OBJECTIVES: dict[TaskName, dict[str, bool]] = {  # what a search may look for, and whether more of it is better
    "binary": {"roc_auc": True, "average_precision": True, "brier": False, "log_loss": False},
    "multiclass": {"roc_auc": True, "accuracy": True, "f1": True, "brier": False, "log_loss": False},
    "regression": {"r2": True, "rmse": False, "mae": False},
}
TARGETS = {  # what `data` says of its target in a model of each task
    "binary": 'positive and negative, its two outcomes spelt as in the data set, such as positive = "yes" and negative = "no"',
    "multiclass": 'classes, three or more of them spelt as in the data set, such as classes = ["low", "medium", "high"]',
    "regression": "target_minimum and target_maximum, the ends of its accepted range",
}
