"""LightGBM: gradient-boosted trees as its own text, which explains them exactly, and as ONNX, which answers callers.

Trees are as many as a part of the training rows asks for: one part of them finds the number of trees, then all of them train that many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paved_runtime import directions, lightgbm_text, tree_graph, validation
from paved_runtime.artifact import ONNX, ArtifactError
from paved_runtime.plugin import Hyperparameters, TrainingRun
from paved_runtime.spec import TaskName
from paved_runtime.table import Matrix
from paved_runtime.tree_graph import Split, Tree

if TYPE_CHECKING:
    from lightgbm import Booster

NAME = PACKAGE = "lightgbm"
BOOSTER = "model.txt"
FILES = (ONNX, BOOSTER)
TASKS: tuple[TaskName, ...] = ("binary", "multiclass", "regression")
OBJECTIVES: Mapping[TaskName, tuple[str, str]] = {  # and what validation looks at; of outcomes it makes scores probabilities
    "binary": ("binary", "binary_logloss"),
    "multiclass": ("multiclass", "multi_logloss"),
    "regression": ("regression", "rmse"),
}
SETTINGS: Hyperparameters = {
    "rounds": 500,
    "patience": 30,
    "learning_rate": 0.1,
    "num_leaves": 31,
    "min_data_in_leaf": 20,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.6,
    "seed": 0,
}
ZERO = float(np.float32(1e-35))  # LightGBM takes what is no further from 0 for 0
THREADS = 1  # sums over more threads may round differently, and two threads on a busy machine wait for each other
REPEATABLE = {"deterministic": True, "force_row_wise": True, "num_threads": THREADS, "verbosity": -1}


def hyperparameters(task: TaskName) -> Hyperparameters:
    """Those of a new model."""
    return {"metric": OBJECTIVES[task][1], **SETTINGS}


def train(run: TrainingRun) -> Booster:
    """A booster for the run's task.

    Of the hyperparameters, `rounds` is the most trees that there may be, of each class, and `patience` how many may be added without
    validation getting better; the others are LightGBM's own.

    Raises:
        ValueError: LightGBM has no such hyperparameter, or a direction is declared of a model of classes.
    """
    import lightgbm

    directions.refuse_of_classes(NAME, run)
    settings = dict(run.hyperparameters)
    rounds, patience = int(settings.pop("rounds")), int(settings.pop("patience"))
    _refuse_unknown(settings)
    objective, metric = OBJECTIVES[run.task]
    parameters: dict[str, Any] = {"objective": objective, "metric": metric, **settings, **REPEATABLE}
    if run.classes:
        parameters["num_class"] = run.classes
    if any(run.monotone.values()):  # some objectives refuse even directions that are none
        parameters["monotone_constraints"] = list(run.monotone.values())
    matrix, labels, held = run.matrix, run.labels, validation.rows(run.labels)
    searched = lightgbm.train(
        parameters,
        lightgbm.Dataset(matrix[~held], labels[~held]),
        num_boost_round=rounds,
        valid_sets=[lightgbm.Dataset(matrix[held], labels[held])],
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=searched.best_iteration or rounds)


def save(model: Booster, folder: Path) -> None:
    """Write the booster as LightGBM's text and as ONNX.

    Raises:
        ValueError: its leaves add up to no score.
    """
    described = model.dump_model()
    averaged = ", averaged" if described["average_output"] else ""
    try:
        link, sums = lightgbm_text.link(f"{described['objective']}{averaged}")
        trees = [_tree(tree["tree_structure"]) for tree in described["tree_info"]]
    except ValueError as error:
        raise ValueError(f"LightGBM learnt what its graph cannot say: {error}") from error
    (folder / ONNX).write_bytes(tree_graph.graph(trees, model.num_feature(), link=link, targets=sums, name=NAME))
    model.save_model(folder / BOOSTER)


def load(folder: Path) -> Booster:
    """The booster of `model.txt`. Raises ArtifactError if LightGBM refuses it."""
    import lightgbm

    try:
        return lightgbm.Booster(model_str=lightgbm_text.trees((folder / BOOSTER).read_text(encoding="utf-8")))
    except (lightgbm.basic.LightGBMError, KeyError, ValueError) as error:
        raise ArtifactError(f"{BOOSTER} cannot be loaded: {str(error).splitlines()[0]}") from error


def predict(model: Booster, matrix: Matrix) -> Matrix:
    """Scores, float32 [rows], of classes [rows, classes]."""
    return np.asarray(model.predict(matrix, num_threads=THREADS), dtype=np.float32)


def contributions(model: Booster, matrix: Matrix) -> tuple[float, Matrix]:
    """TreeSHAP: the base and what each feature adds to it, float32 [rows, features]: in log-odds, of a regression in the target's unit.

    Raises:
        ArtifactError: the model has other features, or scores that are no sums of such shares.
    """
    if model.num_feature() != matrix.shape[1]:
        raise ArtifactError(f"{BOOSTER} has {model.num_feature()} features, the model's code {matrix.shape[1]}")
    objective = model.dump_model(num_iteration=1)["objective"]
    if lightgbm_text.link(objective)[0] == "exponential":
        raise ArtifactError(f'{BOOSTER} learnt {objective}, whose trees share out a logarithm: set reasons = "sampled" in model.toml')
    shares = np.asarray(model.predict(matrix, pred_contrib=True, num_threads=THREADS))
    return float(shares[0, -1]), shares[:, :-1].astype(np.float32)


def _refuse_unknown(settings: Hyperparameters) -> None:
    """Raise ValueError for a name that LightGBM would pass over."""
    from lightgbm.basic import _ConfigAliases

    aliases = _ConfigAliases._get_all_param_aliases()
    known = {*aliases, *(alias for names in aliases.values() for alias in names)}
    if unknown := [name for name in settings if name not in known]:
        raise ValueError(f"hyperparameter {unknown[0]!r}: LightGBM has none of this name; its documentation lists them under Parameters")


def _tree(node: Mapping[str, Any]) -> Tree:
    """A node of `dump_model`, and all below it. LightGBM takes a cell that is missing for 0 where training has seen none."""
    if "leaf_coeff" in node:
        raise ValueError("its leaves are linear models: accepted are constant ones")
    if "leaf_value" in node:
        return float(node["leaf_value"])
    yes, no = (_tree(node[side]) for side in ("left_child", "right_child"))
    if node["decision_type"] == "==":
        members = tuple(map(int, node["threshold"].split("||")))
        return Split(feature=node["split_feature"], members=members, missing=False, yes=yes, no=no)
    threshold = float(node["threshold"])
    if abs(threshold) <= ZERO:
        threshold = ZERO if threshold >= 0 else np.nextafter(-ZERO, -np.inf)
    missing = bool(node["default_left"]) if node["missing_type"] == "NaN" else threshold >= 0
    return Split(feature=node["split_feature"], threshold=threshold, missing=missing, yes=yes, no=no)
