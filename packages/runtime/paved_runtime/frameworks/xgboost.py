"""XGBoost: gradient-boosted trees as its own JSON, which explains them exactly, and as ONNX, which answers callers.

Trees are as many as a part of the training rows asks for: one part of them finds the number of trees, then all of them train that many.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from paved_runtime import validation
from paved_runtime.artifact import ONNX, ArtifactError
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.table import Matrix

if TYPE_CHECKING:
    from xgboost import Booster

NAME, PACKAGE = "xgboost", "xgboost-cpu"
BOOSTER = "model.json"
FILES = (ONNX, BOOSTER)
HYPERPARAMETERS: Hyperparameters = {
    "eval_metric": "logloss",  # what validation looks at; it makes scores probabilities
    "rounds": 500,
    "patience": 30,
    "eta": 0.1,
    "max_depth": 5,
    "min_child_weight": 3.0,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "seed": 0,
}
THREADS = 1  # sums over more threads may round differently, and two threads on a busy machine wait for each other


def train(run: TrainingRun) -> Booster:
    """A booster for P(label = 1). Over several hosts, or with checkpoints, trees are grown some at a time, and so are others than these.

    Of the hyperparameters, `rounds` is the most trees that there may be, and `patience` how many may be added without validation getting
    better; the others are XGBoost's own.
    """
    import xgboost

    settings = dict(run.hyperparameters)
    rounds, patience = int(settings.pop("rounds")), int(settings.pop("patience"))
    directions = ",".join(str(direction) for direction in run.monotone.values())
    parameters = {"objective": "binary:logistic", "tree_method": "hist", "eval_metric": "auc", "nthread": THREADS, **settings}
    parameters["monotone_constraints"] = f"({directions})"
    matrix, labels, held = run.matrix, run.labels, validation.rows(run.labels)
    if len(run.hosts) > 1 or run.checkpoints.folder:
        from paved_runtime import interruptible_boosting

        return interruptible_boosting.train(
            parameters, matrix, labels, held, rounds=rounds, patience=patience, hosts=run.hosts, checkpoints=run.checkpoints
        )
    searched = xgboost.train(
        parameters,
        xgboost.DMatrix(matrix[~held], labels[~held]),
        num_boost_round=rounds,
        evals=[(xgboost.DMatrix(matrix[held], labels[held]), "validation")],
        early_stopping_rounds=patience,
        verbose_eval=False,
    )
    return xgboost.train(parameters, xgboost.DMatrix(matrix, labels), num_boost_round=searched.best_iteration + 1)


def save(model: Booster, folder: Path) -> None:
    """Write the booster as JSON and as ONNX."""
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    model.save_model(folder / BOOSTER)
    columns = FloatTensorType([None, model.num_features()])
    exported = onnxmltools.convert_xgboost(model, name=NAME, initial_types=[("features", columns)])
    (folder / ONNX).write_bytes(exported.SerializeToString())


def load(folder: Path) -> Booster:
    """The booster of `model.json`. Raises ArtifactError if XGBoost refuses it."""
    import xgboost

    try:
        return xgboost.Booster({"nthread": THREADS}, model_file=folder / BOOSTER)
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise ArtifactError(f"{BOOSTER} cannot be loaded: {str(error).splitlines()[0]}") from error


def predict(model: Booster, matrix: Matrix) -> Matrix:
    """Probabilities of the positive outcome, float32 [rows]."""
    scores: Matrix = model.inplace_predict(matrix)
    return scores


def contributions(model: Booster, matrix: Matrix) -> tuple[float, Matrix]:
    """TreeSHAP: the base and what each feature adds to it, float32 [rows, features], in log-odds."""
    import xgboost

    if model.num_features() != matrix.shape[1]:
        raise ArtifactError(f"{BOOSTER} has {model.num_features()} features, the model's code {matrix.shape[1]}")
    shares = model.predict(xgboost.DMatrix(matrix, nthread=THREADS), pred_contribs=True, validate_features=False)
    return float(shares[0, -1]), shares[:, :-1]
