"""A training by itself, for tests that end it: `boosting_job.py TASK PORT OWN FOLDER HOST...` prints its checkpoints, then its trees."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np

from paved_runtime import interruptible_boosting
from paved_runtime.checkpoints import Checkpoints
from paved_runtime.hosts import Hosts
from paved_runtime.table import Matrix

ROUNDS, PATIENCE = 150, 40
OBJECTIVES: dict[str, dict[str, float | str]] = {
    "binary": {"objective": "binary:logistic", "eval_metric": "logloss"},
    "multiclass": {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": 3},
    "regression": {"objective": "reg:squarederror", "eval_metric": "rmse"},
}
SETTINGS: dict[str, float | str] = {
    "tree_method": "hist",
    "nthread": 1,
    "eta": 0.03,
    "max_depth": 3,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "seed": 1,
}


def parameters(task: str) -> dict[str, float | str]:
    """XGBoost's, of a task."""
    return {**OBJECTIVES[task], **SETTINGS}


def rows(task: str, count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Columns of which the first tells the outcome in part; amounts are large ones."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 6)).astype(np.float32)
    strength = 2 * matrix[:, 0] - 1 + draw.logistic(size=count)
    labels = {"binary": strength > 0, "multiclass": np.digitize(strength, [-2, 0]), "regression": 50_000 + 10_000 * strength}
    return matrix, labels[task].astype(np.float32)


def main(task: str, port: str, own: str, folder: str, *names: str) -> None:
    hosts = Hosts(names=names, own=own, port=int(port))
    matrix, labels = rows(task, 2000)
    booster = interruptible_boosting.train(
        parameters(task),
        matrix,
        labels,
        np.arange(len(labels)) % 8 == 0,
        rounds=ROUNDS,
        patience=PATIENCE,
        hosts=hosts,
        checkpoints=Checkpoints(folder=Path(folder), writes=hosts.first),
    )
    print("trees", booster.num_boosted_rounds(), hashlib.sha256(bytes(booster.save_raw("ubj"))).hexdigest(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
