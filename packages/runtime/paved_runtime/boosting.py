"""How a model learns when its team says nothing else: gradient-boosted trees, as many as a part of the training rows asks for.

One part of them finds the number of trees, then all of them train that many. A model's `training.py` that imports `train` has it.
"""

from __future__ import annotations

import numpy as np
import xgboost
from numpy.typing import NDArray

from paved_runtime.plugin import Hyperparameters, Monotone
from paved_runtime.table import Matrix

VALIDATION = 8  # one row in so many; rows arrive in an order that says nothing about them
THREADS = 1  # sums over more threads may round differently, and two threads on a busy machine wait for each other


def train(matrix: Matrix, labels: Matrix, hyperparameters: Hyperparameters, monotone: Monotone) -> xgboost.Booster:
    """A booster for P(label = 1). matrix float32 [rows, features], labels float32 [rows].

    Of the hyperparameters, `rounds` is the most trees that there may be, and `patience` how many may be added without validation getting
    better; the others are XGBoost's own.
    """
    settings = dict(hyperparameters)
    rounds, patience = int(settings.pop("rounds")), int(settings.pop("patience"))
    directions = ",".join(str(direction) for direction in monotone.values())
    parameters = {"objective": "binary:logistic", "tree_method": "hist", "eval_metric": "auc", "nthread": THREADS, **settings}
    parameters["monotone_constraints"] = f"({directions})"
    validation = _validation(labels)
    searched = xgboost.train(
        parameters,
        xgboost.DMatrix(matrix[~validation], labels[~validation]),
        num_boost_round=rounds,
        evals=[(xgboost.DMatrix(matrix[validation], labels[validation]), "validation")],
        early_stopping_rounds=patience,
        verbose_eval=False,
    )
    return xgboost.train(parameters, xgboost.DMatrix(matrix, labels), num_boost_round=searched.best_iteration + 1)


def _validation(labels: Matrix) -> NDArray[np.bool_]:
    """Every eighth row of each outcome."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in (0, 1):
        chosen[np.flatnonzero(labels == label)[::VALIDATION]] = True
    return chosen
