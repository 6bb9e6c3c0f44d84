"""Exact reasons add up to the score, and each goes to the column that its features are made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import pytest
import xgboost

from paved_runtime import artifact, background, explain, frameworks, plugin, scoring, spec
from paved_runtime.artifact import ArtifactError
from paved_runtime.explain import Explainer
from paved_runtime.frameworks import xgboost as FRAMEWORK  # noqa: N812 - it is what is passed
from paved_runtime.reasons import TOLERANCE, Reasons
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Matrix, Table

COLUMNS = ("age", "balance", "month")


@dataclass
class Code(plugin.Features):
    """Feature code of three columns: `balance` gives two features, one of another name."""

    NAMES: tuple[str, ...] = ("balance", "month", "debt", "age")
    SOURCES: Any = None

    def __post_init__(self) -> None:
        self.SOURCES = {"debt": "balance"} if self.SOURCES is None else self.SOURCES

    def features(self, table: Table) -> Matrix:
        return table.values.astype(np.float32)


def train(folder: Path, matrix: Matrix, labels: Any, rounds: int = 5, **parameters: Any) -> xgboost.Booster:
    """A booster, also in `folder`."""
    parameters |= {"objective": "binary:logistic", "nthread": 1}
    trained = xgboost.train(parameters, xgboost.DMatrix(matrix, labels), num_boost_round=rounds)
    trained.save_model(folder / FRAMEWORK.BOOSTER)
    return trained


@pytest.fixture
def matrix() -> Matrix:
    return np.random.default_rng(5).normal(size=(400, 4)).astype(np.float32)


@pytest.fixture
def booster(tmp_path: Path, matrix: Matrix) -> xgboost.Booster:
    noise = np.random.default_rng(6).normal(size=len(matrix))
    return train(tmp_path, matrix, matrix[:, 0] - matrix[:, 2] + matrix[:, 1] * matrix[:, 3] + noise > 0)


def test_reasons_add_up_to_the_margin(tmp_path: Path, booster: xgboost.Booster, matrix: Matrix) -> None:
    base, contributions, _ = Explainer.exact(tmp_path, FRAMEWORK, Code(), COLUMNS).contributions(matrix)
    margins = booster.predict(xgboost.DMatrix(matrix), output_margin=True)

    assert contributions.shape == (400, 3)
    assert contributions.dtype == np.float32
    np.testing.assert_allclose(base + contributions.sum(axis=1, dtype=np.float64), margins, atol=1e-5)


def test_a_column_gets_what_its_features_give(tmp_path: Path, booster: xgboost.Booster, matrix: Matrix) -> None:
    contributions = Explainer.exact(tmp_path, FRAMEWORK, Code(), COLUMNS).contributions(matrix).columns
    shares = booster.predict(xgboost.DMatrix(matrix), pred_contribs=True)

    assert np.abs(shares[:, :4]).mean(axis=0).min() > 0.1  # so that each feature would be missed
    np.testing.assert_allclose(contributions, np.stack([shares[:, 3], shares[:, 0] + shares[:, 2], shares[:, 1]], axis=1), atol=1e-6)


def test_one_split_is_explained_as_by_hand(tmp_path: Path) -> None:
    """A column's contribution is what the score becomes by knowing it: the leaf, less the mean over the training rows."""
    matrix: Matrix = np.zeros((10, 4), dtype=np.float32)
    matrix[:4, 1] = 1
    stump = train(tmp_path, matrix, matrix[:, 1], rounds=1, max_depth=1, base_score=0.5)
    margins = stump.predict(xgboost.DMatrix(matrix), output_margin=True)
    base, contributions, _ = Explainer.exact(tmp_path, FRAMEWORK, Code(), COLUMNS).contributions(matrix)

    np.testing.assert_array_equal(contributions[:, :2], 0)
    np.testing.assert_allclose(contributions[:, 2], margins - margins.mean(), atol=1e-6)
    assert base == pytest.approx(margins.mean(), abs=1e-6)
    assert contributions[9, 2] < -0.1 < 0.1 < contributions[0, 2]


@pytest.mark.usefixtures("booster")
def test_threads_do_not_disturb_each_other(tmp_path: Path, matrix: Matrix) -> None:
    explainer = Explainer.exact(tmp_path, FRAMEWORK, Code(), COLUMNS)
    alone = [explainer.contributions(matrix[row : row + 50]).columns for row in range(350)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda row: explainer.contributions(matrix[row : row + 50]).columns, range(350)))

    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (Code(SOURCES={}), r"feature 'debt' comes from 'debt', which is no column: name one in SOURCES of features\.py"),
        (Code(SOURCES={"debt": "wealth"}), r"feature 'debt' comes from 'wealth', which is no column"),
        (
            Code(SOURCES={"debt": "balance", "dept": "age"}),
            r"SOURCES names 'dept', which is no feature: features are balance, month, debt, age",
        ),
        (Code(NAMES=("balance", "debt")), r"model\.json has 4 features, the model's code 2"),
    ],
)
@pytest.mark.usefixtures("booster")
def test_features_without_a_column(tmp_path: Path, features: Code, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        Explainer.exact(tmp_path, FRAMEWORK, features, COLUMNS)


@pytest.mark.parametrize("content", [b"", b"{}", b"no booster", b'{"learner": {}, "version": [3, 2, 0]}'])
def test_a_broken_booster(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FRAMEWORK.BOOSTER).write_bytes(content)

    with pytest.raises(ArtifactError, match=r"^model\.json cannot be loaded: .+") as caught:
        Explainer.exact(tmp_path, FRAMEWORK, Code(), COLUMNS)
    assert "\n" not in str(caught.value)


def test_feature_code_may_do_without_sources(tmp_path: Path, matrix: Matrix) -> None:
    train(tmp_path, matrix[:, :3], matrix[:, 0] > 0)
    plain = ModuleType("features")
    plain.__dict__["NAMES"] = ("month", "age", "balance")
    contributions = Explainer.exact(tmp_path, FRAMEWORK, plain, COLUMNS).contributions(matrix[:, :3]).columns

    assert np.abs(contributions).sum(axis=0).argmax() == COLUMNS.index("month")


def test_exact_reasons_of_classes_are_refused() -> None:
    grades = spec.load("risk_grade").model_copy(update={"reasons": "exact"})

    with pytest.raises(ValueError, match=r'^reasons: found "exact", a model of several classes has none that are; accepted are "sampled"'):
        frameworks.method(grades, FRAMEWORK)


@pytest.mark.parametrize(("wanted", "method"), [(None, "exact"), ("exact", "exact"), ("sampled", "sampled"), ("none", None)])
def test_reasons_are_had_as_is_wanted(
    trained: Path, model_spec: ModelSpec, wanted: Literal["exact", "sampled", "none"] | None, method: str | None
) -> None:
    known, model, features = model_spec.model_copy(update={"reasons": wanted}), trained / "model", plugin.features(model_spec.name)
    score = scoring.load(FRAMEWORK, model)
    explainer = explain.load(known, model, FRAMEWORK, features, score)
    matrix = features.features(background.draw(artifact.read_json(model / artifact.DATA), known.data, 20, "rows"))

    assert (explainer and explainer.method) == method
    if explainer:
        base, contributions, errors = explainer.contributions(matrix)
        scores = score(matrix).astype(np.float64)
        assert (errors is None) == (method == "exact")
        assert Reasons(columns=known.column_names, scores=scores, base=base, contributions=contributions).difference < TOLERANCE
