"""scikit-learn's pipelines become graphs that say the same, or are refused in words that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor  # type: ignore[import-untyped]
from sklearn.ensemble import (  # type: ignore[import-untyped]
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.linear_model import GammaRegressor, Ridge  # type: ignore[import-untyped]
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from paved_runtime.frameworks import sklearn as framework
from paved_runtime.plugin import TrainingRun
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix
from paved_runtime.train import TOLERANCE

FREE = {"signal": 0, "noise": 0, "close": 0}


def rows(count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Two columns of which one tells the outcome in part, and one whose values are neighbours; some cells are missing."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 3)).astype(np.float32)
    matrix[:, 2] = np.float32(1) + draw.integers(0, 40, count) * np.finfo(np.float32).eps
    labels = (draw.random(count) < 1 / (1 + np.exp(1 - 2 * matrix[:, 0] - (matrix[:, 2] > 1.0000025)))).astype(np.float32)
    matrix[draw.random(count) < 0.1, 1] = np.nan
    return matrix, labels


def between(matrix: Matrix) -> Matrix:
    """Rows with every value between which a tree may split."""
    values = np.unique(matrix[:, 2])
    asked = np.repeat(matrix[:400], len(values), axis=0)
    asked[:, 2] = np.tile(values, 400)
    return asked


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(SimpleImputer(), RandomForestClassifier(30, max_depth=6, random_state=0)),
        make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=30, random_state=0)),
        make_pipeline(SimpleImputer(), StandardScaler(), MLPClassifier((8,), max_iter=40, random_state=0)),
    ],
    ids=["forest", "boosting", "network"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_pipeline_of_ones_own_is_served_as_it_was_trained(tmp_path: Path, estimator: Any) -> None:
    matrix, labels = rows(1500)
    third = labels.astype(int) + (matrix[:, 2] > 1.000003)
    for number, outcomes in enumerate((labels.astype(int), third)):
        folder = tmp_path / str(number)
        folder.mkdir()
        framework.save(estimator.fit(matrix, outcomes), folder)
        asked = between(matrix)
        answers = framework.load(folder)(asked)

        np.testing.assert_allclose(answers, framework.predict(estimator, asked), rtol=0, atol=TOLERANCE)
        assert answers.shape == ((len(asked),) if number == 0 else (len(asked), 3))


@pytest.mark.parametrize(
    "estimator",
    [
        make_pipeline(SimpleImputer(), RandomForestRegressor(20, max_depth=6, random_state=0)),
        make_pipeline(SimpleImputer(), GradientBoostingRegressor(n_estimators=30, random_state=0)),
        make_pipeline(SimpleImputer(), StandardScaler(), GammaRegressor()),
    ],
    ids=["forest", "boosting", "gamma"],
)
def test_a_pipeline_for_a_number_is_served_as_it_was_trained(tmp_path: Path, estimator: Any) -> None:
    matrix, labels = rows(1500)
    amounts = 20_000 + 5_000 * labels + 1_000 * (matrix[:, 2] > 1.000003)
    framework.save(estimator.fit(matrix, amounts), tmp_path)
    asked = between(matrix)
    answers = framework.load(tmp_path)(asked)

    np.testing.assert_allclose(answers, framework.predict(estimator, asked), rtol=0, atol=TOLERANCE * 6_000)
    assert answers.shape == (len(asked),)


@pytest.mark.parametrize(
    "estimator",
    [HistGradientBoostingClassifier(max_iter=5), TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)],
    ids=["a classifier", "a regressor"],
)
def test_an_estimator_without_a_graph_is_refused_in_one_line(tmp_path: Path, estimator: Any) -> None:
    matrix, labels = rows(300)
    estimator.fit(np.nan_to_num(matrix), labels.astype(int))

    kind = type(estimator).__name__
    with pytest.raises(ValueError, match=rf"^{kind} cannot be written as ONNX: .+ skl2onnx converts$") as caught:
        framework.save(estimator, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_class_without_rows_is_refused_in_one_line() -> None:
    matrix, labels = rows(300)
    settings = framework.hyperparameters("multiclass")
    run = TrainingRun(matrix=matrix, labels=2 * labels, task="multiclass", classes=3, hyperparameters=settings, monotone=FREE)

    with pytest.raises(ValueError, match=r"^class 2 of data\.classes has no training row, .+"):
        framework.train(run)


@pytest.mark.parametrize("kind", ["binary", "regression"])
@pytest.mark.parametrize(("direction", "declared"), [(1, ""), (-1, "decreasing")])
def test_a_direction_that_the_rows_contradict_is_refused(kind: TaskName, direction: int, declared: str) -> None:
    matrix, labels = rows(1500)
    monotone, settings = {**FREE, "signal": direction}, framework.hyperparameters(kind)
    run = TrainingRun(matrix=matrix, labels=labels, task=kind, hyperparameters=settings, monotone=monotone)
    if declared:
        with pytest.raises(ValueError, match=rf"moves with 'signal' by \+\d\.\d+, gates\.behaviour\.monotone declares {declared}"):
            framework.train(run)
    else:
        assert framework.train(run)[-1].coef_.reshape(-1)[0] > 0
