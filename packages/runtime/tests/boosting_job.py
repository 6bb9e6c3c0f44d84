"""A training by itself, for tests that end it: `python boosting_job.py PORT OWN FOLDER HOST...` prints its checkpoints, then its trees."""

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
PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "eval_metric": "logloss",
    "nthread": 1,
    "eta": 0.03,
    "max_depth": 3,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "seed": 1,
}


def rows(count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Columns of which the first tells the outcome in part."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 6)).astype(np.float32)
    labels = (draw.random(count) < 1 / (1 + np.exp(1 - 2 * matrix[:, 0]))).astype(np.float32)
    return matrix, labels


def main(port: str, own: str, folder: str, *names: str) -> None:
    hosts = Hosts(names=names, own=own, port=int(port))
    matrix, labels = rows(2000)
    booster = interruptible_boosting.train(
        PARAMETERS,
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
