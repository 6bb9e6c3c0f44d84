"""scikit-learn: a classifier or a regressor, or a whole pipeline that ends with one, as ONNX alone: it answers callers, and it is what is
loaded again.

scikit-learn has no format of its own but pickle, which is code to whoever opens it, and none reaches an artifact. What it learnt is in the
graph, step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paved_runtime import directions, scoring
from paved_runtime.artifact import ONNX
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.scoring import VALUES, Graph
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator  # type: ignore[import-untyped]
    from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]

NAME, PACKAGE = "sklearn", "scikit-learn"
FILES = (ONNX,)
TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression")
SETTINGS: Mapping[TaskName, Hyperparameters] = {
    "binary": {"C": 1.0, "max_iter": 1000},
    "multiclass": {"C": 1.0, "max_iter": 1000},
    "regression": {"alpha": 1.0},
}
OPSETS = {"": 21, "ai.onnx.ml": 3}


def hyperparameters(task: TaskName) -> Hyperparameters:
    """Those of a new model."""
    return SETTINGS[task]


def train(run: TrainingRun) -> Pipeline:
    """A logistic regression, of several classes a multinomial one, or a ridge regression for a number: each feature's median where a cell
    is missing, then standardised. The hyperparameters are those of LogisticRegression or Ridge.

    Raises:
        ValueError: the score moves with a feature against its declared direction, a direction is declared of a model of classes, or a class
            has no row.
    """
    from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression, Ridge  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    directions.refuse_of_classes(NAME, run)
    number = run.task == "regression"
    labels = run.labels.astype(np.float64 if number else np.int64)
    if run.classes and (absent := set(range(run.classes)) - set(np.unique(labels).tolist())):
        raise ValueError(
            f"class {min(absent) + 1} of data.classes has no training row, and scikit-learn scores those alone that have: see the data"
        )
    estimator = (Ridge if number else LogisticRegression)(**run.hyperparameters)
    pipeline = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(), estimator)
    with threadpool_limits(1):  # sums over more threads may round differently
        pipeline.fit(run.matrix.astype(labels.dtype) if number else run.matrix, labels)
    _refuse_contradictions(run, pipeline[-1].coef_.reshape(-1, len(run.monotone))[0].tolist())
    return pipeline


def save(model: BaseEstimator, folder: Path) -> None:
    """Write the classifier or the regressor as ONNX.

    Raises:
        ValueError: a step of it has no ONNX form.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.base import is_regressor

    columns = FloatTensorType([None, model.n_features_in_])
    number = is_regressor(model)
    shape = {"final_types": [(VALUES, FloatTensorType([None, 1]))]} if number else {"options": {"zipmap": False}}
    try:
        exported = convert_sklearn(model, NAME, [("features", columns)], target_opset=OPSETS, **shape)
    except Exception as error:  # the converters' exceptions have no base class of their own
        why = str(error).strip().splitlines()[0]
        raise ValueError(f"{type(model).__name__} cannot be written as ONNX: {why}: train an estimator that skl2onnx converts") from error
    (folder / ONNX).write_bytes(exported.SerializeToString())


def load(folder: Path) -> Graph:
    """The graph of `model.onnx`. Raises ArtifactError if ONNX Runtime refuses it."""
    return scoring.graph(folder)


def predict(model: BaseEstimator | Graph, matrix: Matrix) -> Matrix:
    """Scores, float32 [rows], of classes [rows, classes]; of an estimator that was trained, or of one that was loaded."""
    if isinstance(model, Graph):
        return model(matrix)
    from sklearn.base import is_regressor

    scores = model.predict(matrix) if is_regressor(model) else model.predict_proba(matrix)
    return np.asarray(scores[:, 1] if scores.shape[1:] == (2,) else scores, dtype=np.float32)


def _refuse_contradictions(run: TrainingRun, weights: list[float]) -> None:
    """Raise ValueError where a linear model's score moves with a feature against its declared direction."""
    kind = "a ridge regression" if run.task == "regression" else "a logistic regression"
    for (name, direction), weight in zip(run.monotone.items(), weights, strict=True):
        if weight * direction < 0:
            declared = f"gates.behaviour.monotone declares {'increasing' if direction > 0 else 'decreasing'}"
            advice = "take the direction out, or the feature, or train with an estimator that keeps it"
            raise ValueError(f"{kind} moves with {name!r} by {weight:+.3g}, {declared}: {advice}")
