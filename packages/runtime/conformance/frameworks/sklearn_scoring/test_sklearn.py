"""scikit-learn's pipelines become graphs that say the same, or are refused in words that say what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier, RandomForestClassifier  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from paved_runtime.frameworks import sklearn as framework
from paved_runtime.plugin import TrainingRun
from paved_runtime.table import Matrix
from paved_runtime.train import TOLERANCE


def rows(count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """Two columns of which one tells the outcome in part, and one whose values are neighbours; some cells are missing."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 3)).astype(np.float32)
    matrix[:, 2] = np.float32(1) + draw.integers(0, 40, count) * np.finfo(np.float32).eps
    labels = (draw.random(count) < 1 / (1 + np.exp(1 - 2 * matrix[:, 0] - (matrix[:, 2] > 1.0000025)))).astype(np.float32)
    matrix[draw.random(count) < 0.1, 1] = np.nan
    return matrix, labels


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
    estimator.fit(matrix, labels.astype(int))
    framework.save(estimator, tmp_path)
    values = np.unique(matrix[:, 2])
    asked = np.repeat(matrix[:400], len(values), axis=0)
    asked[:, 2] = np.tile(values, 400)  # and every value between which a tree may split

    np.testing.assert_allclose(framework.load(tmp_path)(asked), framework.predict(estimator, asked), rtol=0, atol=TOLERANCE)


def test_an_estimator_without_a_graph_is_refused_in_one_line(tmp_path: Path) -> None:
    matrix, labels = rows(300)
    estimator = HistGradientBoostingClassifier(max_iter=5).fit(matrix, labels.astype(int))

    with pytest.raises(ValueError, match=r"^HistGradientBoostingClassifier cannot be written as ONNX: .+ skl2onnx converts$") as caught:
        framework.save(estimator, tmp_path)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("direction", "declared"), [(1, ""), (-1, "decreasing")])
def test_a_direction_that_the_rows_contradict_is_refused(direction: int, declared: str) -> None:
    matrix, labels = rows(1500)
    monotone = {"signal": direction, "noise": 0, "close": 0}
    run = TrainingRun(matrix=matrix, labels=labels, hyperparameters=framework.hyperparameters("binary"), monotone=monotone)
    if declared:
        with pytest.raises(ValueError, match=rf"moves with 'signal' by \+\d\.\d+, gates\.behaviour\.monotone declares {declared}"):
            framework.train(run)
    else:
        assert framework.train(run)[-1].coef_[0][0] > 0
