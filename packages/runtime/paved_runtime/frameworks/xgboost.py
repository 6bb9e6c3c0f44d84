"""XGBoost: gradient-boosted trees as its own JSON, which explains them exactly, and as ONNX, which answers callers.

Trees are as many as a part of the training rows asks for: one part of them finds the number of trees, then all of them train that many.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paved_runtime import directions, validation
from paved_runtime.artifact import ONNX, ArtifactError
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.scoring import VALUES
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix

if TYPE_CHECKING:
    from xgboost import Booster

NAME, PACKAGE = "xgboost", "xgboost-cpu"
BOOSTER = "model.json"
FILES = (ONNX, BOOSTER)
TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression")
OBJECTIVES: Mapping[TaskName, tuple[str, str]] = {  # and what validation looks at; of outcomes it makes scores probabilities
    "binary": ("binary:logistic", "logloss"),
    "multiclass": ("multi:softprob", "mlogloss"),
    "regression": ("reg:squarederror", "rmse"),
}
SETTINGS: Hyperparameters = {
    "rounds": 500,
    "patience": 30,
    "eta": 0.1,
    "max_depth": 5,
    "min_child_weight": 3.0,
    "subsample": 0.8,
    "colsample_bytree": 0.6,
    "seed": 0,
}
SUMS = ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror", "reg:squaredlogerror")  # scores that are sums
LOGARITHMS = ("count:poisson", "reg:gamma", "reg:tweedie")  # scores whose logarithms are
OUTPUT = "variable"  # of a regression's graph, as the converter calls it
THREADS = 1  # sums over more threads may round differently, and two threads on a busy machine wait for each other


def hyperparameters(task: TaskName) -> Hyperparameters:
    """Those of a new model."""
    return {"eval_metric": OBJECTIVES[task][1], **SETTINGS}


def train(run: TrainingRun) -> Booster:
    """A booster for the run's task. Over several hosts, or with checkpoints, trees are grown some at a time, and so are others than these.

    Of the hyperparameters, `rounds` is the most trees that there may be, and `patience` how many may be added without validation getting
    better; the others are XGBoost's own.

    Raises:
        ValueError: a direction is declared of a model of classes.
    """
    import xgboost

    directions.refuse_of_classes(NAME, run)
    settings = dict(run.hyperparameters)
    rounds, patience = int(settings.pop("rounds")), int(settings.pop("patience"))
    objective, metric = OBJECTIVES[run.task]
    parameters = {"objective": objective, "tree_method": "hist", "eval_metric": metric, "nthread": THREADS, **settings}
    if run.classes:
        parameters["num_class"] = run.classes
    parameters["monotone_constraints"] = f"({','.join(map(str, run.monotone.values()))})"
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
    for output in exported.graph.output:
        if output.name == OUTPUT:
            output.name = exported.graph.node[-1].output[0] = VALUES
    (folder / ONNX).write_bytes(exported.SerializeToString())


def load(folder: Path) -> Booster:
    """The booster of `model.json`. Raises ArtifactError if XGBoost refuses it."""
    import xgboost

    try:
        return xgboost.Booster({"nthread": THREADS}, model_file=folder / BOOSTER)
    except (xgboost.core.XGBoostError, ValueError) as error:
        raise ArtifactError(f"{BOOSTER} cannot be loaded: {str(error).splitlines()[0]}") from error


def predict(model: Booster, matrix: Matrix) -> Matrix:
    """Scores, float32 [rows], of classes [rows, classes].

    Where they are sums, the trees' shares are added up before the mean from which they begin, as ONNX Runtime adds them: XGBoost rounds
    the sum after each tree, and what the roundings of a thousand trees lose beside a large mean is no longer small.
    """
    objective, base = _learnt(model)
    if objective not in SUMS:
        scores: Matrix = model.inplace_predict(matrix)
        return scores
    shares = model.inplace_predict(matrix, base_margin=np.zeros(len(matrix), dtype=np.float32))
    return np.asarray(base + shares.astype(np.float64), dtype=np.float32)


def contributions(model: Booster, matrix: Matrix) -> tuple[float, Matrix]:
    """TreeSHAP: the base and what each feature adds to it, float32 [rows, features]: in log-odds, of a regression in the target's unit.

    Raises:
        ArtifactError: the model has other features, or scores that are no sums of such shares.
    """
    import xgboost

    if model.num_features() != matrix.shape[1]:
        raise ArtifactError(f"{BOOSTER} has {model.num_features()} features, the model's code {matrix.shape[1]}")
    objective, _ = _learnt(model)
    if objective in LOGARITHMS:
        raise ArtifactError(f'{BOOSTER} learnt {objective}, whose trees share out a logarithm: set reasons = "sampled" in model.toml')
    shares = model.predict(xgboost.DMatrix(matrix, nthread=THREADS), pred_contribs=True, validate_features=False)
    return float(shares[0, -1]), shares[:, :-1]


def _learnt(model: Booster) -> tuple[str, float]:
    """A booster's objective, and where its sums begin, in the unit of its scores."""
    learner: dict[str, Any] = json.loads(model.save_config())["learner"]
    base = json.loads(learner["learner_model_param"]["base_score"])
    return str(learner["objective"]["name"]), float(base[0] if isinstance(base, list) else base)
