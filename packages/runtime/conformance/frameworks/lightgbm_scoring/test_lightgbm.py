"""LightGBM's trees learn as many as a part of the rows asks for; their graph decides as they do; a text that is not whole is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

from paved_runtime import lightgbm_text, scoring
from paved_runtime.artifact import ArtifactError
from paved_runtime.frameworks import lightgbm as framework
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.table import Matrix

SETTINGS: Hyperparameters = {"rounds": 200, "patience": 10, "learning_rate": 0.2, "num_leaves": 7}
QUIET = {"verbosity": -1, "num_threads": 1, "deterministic": True, "force_row_wise": True}


def rows(count: int, seed: int = 0) -> tuple[Matrix, Matrix]:
    """A column that tells the outcome in part, one that has twelve values, and one whose values are neighbours; no cell is missing."""
    draw = np.random.default_rng(seed)
    matrix = draw.normal(size=(count, 3)).astype(np.float32)
    matrix[:, 1] = draw.integers(0, 12, count)
    matrix[:, 2] = np.float32(1) + draw.integers(0, 40, count) * np.finfo(np.float32).eps
    odds = 2 * matrix[:, 0] + (matrix[:, 1] % 3) - 1 + (matrix[:, 2] > 1.0000025)
    return matrix, (draw.random(count) < 1 / (1 + np.exp(-odds))).astype(np.float32)


def train(rows: tuple[Matrix, Matrix], settings: Hyperparameters) -> lightgbm.Booster:
    matrix, labels = rows
    free = {"signal": 0, "code": 0, "close": 0}
    return framework.train(TrainingRun(matrix=matrix, labels=labels, hyperparameters=settings, monotone=free))


def boosted(
    matrix: Matrix, labels: Matrix, *, categories: list[int] | str = "auto", rounds: int = 60, **parameters: Any
) -> lightgbm.Booster:
    """A booster that a team has trained by itself."""
    data = lightgbm.Dataset(matrix, labels, categorical_feature=categories)
    return lightgbm.train({"objective": "binary", **QUIET, **parameters}, data, rounds)


def grades(matrix: Matrix) -> Matrix:
    """Which of three classes a row is of."""
    return np.digitize(matrix[:, 0] + matrix[:, 1] / 6, [0.3, 1.5]).astype(np.float32)


def amounts(matrix: Matrix) -> Matrix:
    """Amounts above 0, of which a row's are of the size of 1000."""
    return (1000 * np.exp(matrix[:, 0] / 2 + matrix[:, 1] / 12)).astype(np.float32)


def differences(booster: lightgbm.Booster, folder: Path, matrix: Matrix) -> float:
    """How far the graph is from the booster, at most."""
    framework.save(booster, folder)
    return float(np.abs(scoring.graph(folder)(matrix) - booster.predict(matrix)).max())


def thresholds(booster: lightgbm.Booster) -> list[tuple[int, float]]:
    """Where its trees split, and by which feature."""

    def below(node: dict[str, Any]) -> list[tuple[int, float]]:
        if "split_feature" not in node:
            return []
        here = [(node["split_feature"], node["threshold"])] if node["decision_type"] == "<=" else []
        return here + below(node["left_child"]) + below(node["right_child"])

    return [split for tree in booster.dump_model()["tree_info"] for split in below(tree["tree_structure"])]


def test_it_stops_when_more_trees_do_not_help_and_never_goes_beyond_rounds() -> None:
    matrix, labels = rows(3000)
    noise = np.random.default_rng(3).permutation(labels)

    assert 3 < train((matrix, labels), SETTINGS).num_trees() < 200
    assert train((matrix, noise), SETTINGS).num_trees() < 50
    assert train((matrix, labels), {**SETTINGS, "rounds": 2}).num_trees() <= 2


def test_rows_that_tell_nothing_leave_one_score(tmp_path: Path) -> None:
    """Its trees have no split."""
    matrix, labels = np.ones((200, 3), dtype=np.float32), np.arange(200).astype(np.float32) % 2
    booster = train((matrix, labels), SETTINGS)

    assert differences(booster, tmp_path, rows(20)[0]) < 1e-7
    assert framework.predict(framework.load(tmp_path), matrix[:3]).tolist() == pytest.approx([0.5] * 3)


@pytest.mark.parametrize("categories", ["auto", [1]], ids=["numbers", "categories"])
@pytest.mark.parametrize("bins", [255, 65_000])
def test_the_graph_decides_as_the_trees_do_at_their_very_thresholds(tmp_path: Path, categories: list[int] | str, bins: int) -> None:
    matrix, labels = rows(3000)
    booster = boosted(matrix, labels, categories=categories, max_bin=bins, min_data_per_group=5)
    asked, draw = np.repeat(matrix[:1500], 3, axis=0), np.random.default_rng(1)
    splits = thresholds(booster)
    for row, way in zip(asked, np.tile([-np.inf, 0, np.inf], 1500), strict=True):
        feature, threshold = splits[draw.integers(len(splits))]
        row[feature] = np.nextafter(np.float32(threshold), np.float32(way)) if way else np.float32(threshold)

    assert {feature for feature, _ in splits} == ({0, 1, 2} if categories == "auto" else {0, 2})
    assert differences(booster, tmp_path, asked) < 1e-6


@pytest.mark.parametrize("categories", ["auto", [1]], ids=["numbers", "categories"])
@pytest.mark.parametrize(
    ("objective", "of", "unit"),
    [
        ("multiclass", grades, 1),
        *((objective, amounts, 10_000) for objective in ("regression", "regression_l1", "huber", "fair", "quantile", "mape")),
        *((objective, amounts, 10_000) for objective in ("poisson", "gamma", "tweedie")),
    ],
)
def test_the_graph_says_what_leaves_of_every_objective_add_up_to(
    tmp_path: Path, objective: str, of: Callable[[Matrix], Matrix], unit: float, categories: list[int] | str
) -> None:
    matrix, _ = rows(2000)
    classes = {"num_class": 3} if objective == "multiclass" else {}
    booster = boosted(matrix, of(matrix), categories=categories, objective=objective, rounds=20, min_data_per_group=5, **classes)

    assert differences(booster, tmp_path, matrix) < 1e-6 * unit
    loaded = framework.load(tmp_path)
    np.testing.assert_array_equal(framework.predict(loaded, matrix), framework.predict(booster, matrix))
    if objective in ("poisson", "gamma", "tweedie"):
        with pytest.raises(
            ArtifactError, match=rf'^model\.txt learnt {objective}, whose trees share out a logarithm: set reasons = "sampled"'
        ):
            framework.contributions(loaded, matrix)


@pytest.mark.parametrize("labels", [[0, 2], [0, 1]], ids=["the second", "the last"])
def test_a_class_without_rows_is_next_to_impossible(tmp_path: Path, labels: list[int]) -> None:
    matrix, outcomes = rows(400)
    classes = np.where(outcomes, *labels).astype(np.float32)
    settings: Hyperparameters = {**framework.hyperparameters("multiclass"), "rounds": 20}
    free = {"signal": 0, "code": 0, "close": 0}
    run = TrainingRun(matrix=matrix, labels=classes, task="multiclass", classes=3, hyperparameters=settings, monotone=free)
    framework.save(framework.train(run), tmp_path)
    scores = scoring.graph(tmp_path)(matrix)

    assert scores.shape == (400, 3)
    assert scores[:, ({0, 1, 2} - {*labels}).pop()].max() < 1e-6


def test_boosting_that_never_stops_early_grows_every_round() -> None:
    assert train(rows(500), {**SETTINGS, "boosting": "dart", "rounds": 12}).num_trees() == 12


@pytest.mark.parametrize("unknown", ["max_deep", "n_iterations_of_search"])
def test_a_hyperparameter_that_lightgbm_would_pass_over_is_refused(unknown: str) -> None:
    with pytest.raises(ValueError, match=rf"^hyperparameter '{unknown}': LightGBM has none of this name; .+") as caught:
        train(rows(300), {**SETTINGS, unknown: 3})
    assert "\n" not in str(caught.value)
    train(rows(300), {**SETTINGS, "eta": 0.3, "lambda": 1.0, "rounds": 2})  # names that LightGBM gives to others of its own


@pytest.mark.parametrize("categories", ["auto", [1]], ids=["numbers", "categories"])
def test_cells_that_training_never_saw_missing_or_so_near_to_zero(tmp_path: Path, categories: list[int] | str) -> None:
    matrix, labels = rows(3000)
    matrix[:, 0] *= matrix[:, 0] > -1  # a split at zero
    booster = boosted(matrix, labels, categories=categories)
    asked = np.repeat(matrix[:400], 8, axis=0)
    cells = [np.nan, 0, -0.0, 1e-35, -1e-35, 2e-35, -2e-35, 2.75]
    for feature in (0, 1, 2):
        asked[feature * 1000 : (feature + 1) * 1000, feature] = np.tile(np.array(cells, dtype=np.float32), 125)

    assert any(abs(threshold) <= framework.ZERO for _, threshold in thresholds(booster))
    assert differences(booster, tmp_path, asked) < 1e-6


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"objective": "cross_entropy"}, "objective is 'cross_entropy': accepted are multiclass, binary sigmoid:1, regression,"),
        ({"sigmoid": 2.0}, "objective is 'binary sigmoid:2'"),
        ({"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5}, "objective is 'binary sigmoid:1, averaged'"),
        ({"objective": "multiclassova", "num_class": 2}, "objective is 'multiclassova num_class:2 sigmoid:1'"),
        ({"objective": "regression", "reg_sqrt": True}, "objective is 'regression sqrt'"),
        ({"objective": "regression", "linear_tree": True}, "its leaves are linear models"),
    ],
)
def test_a_booster_whose_leaves_add_up_to_no_score_is_not_written(tmp_path: Path, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^LightGBM learnt what its graph cannot say: {message}"):
        framework.save(boosted(*rows(300), **parameters), tmp_path)
    assert not list(tmp_path.iterdir())


def test_features_that_the_code_does_not_have(tmp_path: Path) -> None:
    framework.save(train(rows(500), SETTINGS), tmp_path)

    with pytest.raises(ArtifactError, match=r"model\.txt has 3 features, the model's code 2"):
        framework.contributions(framework.load(tmp_path), np.zeros((1, 2), dtype=np.float32))


@pytest.fixture(scope="module")
def text() -> str:
    """A booster's text: 5 trees, with splits by category."""
    matrix, labels = rows(600)
    booster = lightgbm.train(
        {"objective": "binary", **QUIET, "num_leaves": 5}, lightgbm.Dataset(matrix, labels, categorical_feature=[1]), 5
    )
    written: str = booster.model_to_string()
    assert "num_cat=1" in written
    return written


def once(old: str, new: str) -> Callable[[str], str]:
    """A change of the first place where something stands; it must be there, and sizes stay."""

    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


def several(text: str, classes: int) -> str:
    """The text of a booster that says of itself that it is of so many classes."""
    return once("binary sigmoid:1", f"multiclass num_class:{classes}")(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (once("version=v4", "version=v5"), "version is 'v5': expected 'v4'"),
        (once("num_class=1", "num_class=3"), "num_class is '3': expected '1'"),
        (once("num_class=1\n", ""), "num_class is missing"),
        (once("binary sigmoid:1", "multiclass num_class:3"), "num_class is '1': expected '3'"),
        (once("binary sigmoid:1", "multiclass num_class:0"), "objective is 'multiclass num_class:0'"),
        (
            lambda text: once("per_iteration=1", "per_iteration=2")(once("num_class=1", "num_class=2")(several(text, 2))),
            "tree_sizes has 5 values: expected 2 a round",
        ),
        (once("sigmoid:1", "sigmoid:2"), "objective is 'binary sigmoid:2'"),
        (once("max_feature_idx=2", "max_feature_idx=9"), "feature_names has 3 values: expected 10"),
        (once("feature_names=", "average_output\nfeature_names="), "'average_output' is no field"),
        (once("feature_names=", "extra=1\nfeature_names="), "'extra' is unknown"),
        (once("tree_sizes=", "tree_sizes=9"), "tree 0 has another size"),
        (once("num_leaves=5", "num_leaves=4"), "tree 0: split_feature has 4 values: expected 3"),
        (once("num_leaves=5", "num_leaves=0"), "tree 0: it has other fields"),
        (once("num_cat=1", "num_cat=0"), "tree 0: it has other fields"),
        (once("num_cat=1", "num_cat=9"), "tree 0: cat_boundaries do not fit"),
        (once("is_linear=0", "is_linear=1"), "tree 0: it has other fields"),
        (once("left_child=1", "left_child=4"), "tree 0: left_child and right_child are no tree"),
        (once("left_child=1", "left_child=0"), "tree 0: left_child and right_child are no tree"),
        (once("split_feature=0", "split_feature=3"), "tree 0: split_feature is 3: expected at least 0 and at most 2"),
        (once("\nend of trees\n", "\nend of tree\n"), "it is not the whole text of a booster"),
        (once("pandas_categorical:null", "pandas_categorical:[[1]]"), "it is not the whole text of a booster"),
    ],
)
def test_a_text_that_lightgbm_would_not_survive_is_refused_before_it(text: str, change: Callable[[str], str], message: str) -> None:
    assert lightgbm_text.trees(text).startswith("tree\nversion=v4\n")
    with pytest.raises(ValueError, match=message):
        lightgbm_text.trees(change(text))


def test_wherever_a_text_is_cut_it_is_refused(text: str, tmp_path: Path) -> None:
    for end in range(0, len(text), max(1, len(text) // 120)):
        (tmp_path / framework.BOOSTER).write_text(text[:end])
        with pytest.raises(ArtifactError, match=r"^model\.txt cannot be loaded: "):
            framework.load(tmp_path)


def test_what_is_changed_within_the_trees_is_refused_or_loads(text: str, tmp_path: Path) -> None:
    """A digit may become another one; nothing ends the process."""
    draw, ends = np.random.default_rng(2), text.index(lightgbm_text.END)
    loaded = 0
    for _ in range(200):
        at, new = int(draw.integers(ends)), "x9 -\n=,."[draw.integers(8)]
        (tmp_path / framework.BOOSTER).write_text(text[:at] + new + text[at + 1 :])
        try:
            booster = framework.load(tmp_path)
        except ArtifactError:
            continue
        loaded += 1
        framework.predict(booster, np.full((2, 3), np.nan, dtype=np.float32))
    assert 0 < loaded < 150
