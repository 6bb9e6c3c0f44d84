"""scikit-learn: a classifier, or a whole pipeline that ends with one, as ONNX alone: it answers callers, and it is what is loaded again.

scikit-learn has no format of its own but pickle, which is code to whoever opens it, and none reaches an artifact. What it learnt is in the
graph, step by step.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paved_runtime import scoring
from paved_runtime.artifact import ONNX
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.scoring import Graph
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin  # type: ignore[import-untyped]
    from sklearn.pipeline import Pipeline  # type: ignore[import-untyped]

NAME, PACKAGE = "sklearn", "scikit-learn"
FILES = (ONNX,)
TASKS: tuple[TaskName, ...] = ("binary",)
SETTINGS: Hyperparameters = {"C": 1.0, "max_iter": 1000}
OPSETS = {"": 21, "ai.onnx.ml": 3}


def hyperparameters(task: TaskName) -> Hyperparameters:
    """Those of a new model."""
    del task
    return SETTINGS


def train(run: TrainingRun) -> Pipeline:
    """A logistic regression for P(label = 1): each feature's median where a cell is missing, then standardised. The hyperparameters are
    those of LogisticRegression.

    Raises:
        ValueError: the score moves with a feature against its declared direction.
    """
    from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    pipeline = make_pipeline(imputer, StandardScaler(), LogisticRegression(**run.hyperparameters))
    with threadpool_limits(1):  # sums over more threads may round differently
        pipeline.fit(run.matrix, run.labels.astype(np.int64))
    for (name, direction), weight in zip(run.monotone.items(), pipeline[-1].coef_[0].tolist(), strict=True):
        if weight * direction < 0:
            declared = f"gates.behaviour.monotone declares {'increasing' if direction > 0 else 'decreasing'}"
            advice = "take the direction out, or the feature, or train with an estimator that keeps it"
            raise ValueError(f"a logistic regression moves with {name!r} by {weight:+.3g}, {declared}: {advice}")
    return pipeline


def save(model: ClassifierMixin, folder: Path) -> None:
    """Write the classifier as ONNX.

    Raises:
        ValueError: a step of it has no ONNX form.
    """
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType

    columns, options = FloatTensorType([None, model.n_features_in_]), {"zipmap": False}
    try:
        exported = convert_sklearn(model, NAME, [("features", columns)], options=options, target_opset=OPSETS)
    except Exception as error:  # the converters' exceptions have no base class of their own
        why = str(error).strip().splitlines()[0]
        raise ValueError(f"{type(model).__name__} cannot be written as ONNX: {why}: train an estimator that skl2onnx converts") from error
    (folder / ONNX).write_bytes(exported.SerializeToString())


def load(folder: Path) -> Graph:
    """The graph of `model.onnx`. Raises ArtifactError if ONNX Runtime refuses it."""
    return scoring.graph(folder)


def predict(model: ClassifierMixin | Graph, matrix: Matrix) -> Matrix:
    """Probabilities of the positive outcome, float32 [rows]; of a classifier that was trained, or of one that was loaded."""
    return model(matrix) if isinstance(model, Graph) else np.asarray(model.predict_proba(matrix)[:, 1], dtype=np.float32)
