"""LightGBM: gradient-boosted trees as its own text, which explains them exactly, and as ONNX, which answers callers.

Trees are as many as a part of the training rows asks for: one part of them finds the number of trees, then all of them train that many.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paved_runtime import lightgbm_text, tree_graph, validation
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
TASKS: tuple[TaskName, ...] = ("binary",)
SETTINGS: Hyperparameters = {
    "metric": "binary_logloss",  # what validation looks at; it makes scores probabilities
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
    del task
    return SETTINGS


def train(run: TrainingRun) -> Booster:
    """A booster for P(label = 1).

    Of the hyperparameters, `rounds` is the most trees that there may be, and `patience` how many may be added without validation getting
    better; the others are LightGBM's own.
    """
    import lightgbm

    settings = dict(run.hyperparameters)
    rounds, patience = int(settings.pop("rounds")), int(settings.pop("patience"))
    parameters: dict[str, Any] = {"objective": "binary", "metric": "auc", **settings, **REPEATABLE}
    parameters["monotone_constraints"] = list(run.monotone.values())
    matrix, labels, held = run.matrix, run.labels, validation.rows(run.labels)
    searched = lightgbm.train(
        parameters,
        lightgbm.Dataset(matrix[~held], labels[~held]),
        num_boost_round=rounds,
        valid_sets=[lightgbm.Dataset(matrix[held], labels[held])],
        callbacks=[lightgbm.early_stopping(patience, verbose=False)],
    )
    return lightgbm.train(parameters, lightgbm.Dataset(matrix, labels), num_boost_round=searched.best_iteration)


def save(model: Booster, folder: Path) -> None:
    """Write the booster as LightGBM's text and as ONNX.

    Raises:
        ValueError: it is none whose leaves add up to log-odds.
    """
    described = model.dump_model()
    if described["objective"] != lightgbm_text.LOG_ODDS or described["average_output"]:
        learnt = f"{described['objective']!r}{', averaged' if described['average_output'] else ''}"
        raise ValueError(f"LightGBM learnt {learnt}: the leaves of a model here add up to log-odds: boost with objective = 'binary'")
    trees = [_tree(tree["tree_structure"]) for tree in described["tree_info"]]
    (folder / ONNX).write_bytes(tree_graph.binary(trees, model.num_feature(), name=NAME))
    model.save_model(folder / BOOSTER)


def load(folder: Path) -> Booster:
    """The booster of `model.txt`. Raises ArtifactError if LightGBM refuses it."""
    import lightgbm

    try:
        return lightgbm.Booster(model_str=lightgbm_text.trees((folder / BOOSTER).read_text(encoding="utf-8")))
    except (lightgbm.basic.LightGBMError, KeyError, ValueError) as error:
        raise ArtifactError(f"{BOOSTER} cannot be loaded: {str(error).splitlines()[0]}") from error


def predict(model: Booster, matrix: Matrix) -> Matrix:
    """Probabilities of the positive outcome, float32 [rows]."""
    return np.asarray(model.predict(matrix, num_threads=THREADS), dtype=np.float32)


def contributions(model: Booster, matrix: Matrix) -> tuple[float, Matrix]:
    """TreeSHAP: the base and what each feature adds to it, float32 [rows, features], in log-odds."""
    if model.num_feature() != matrix.shape[1]:
        raise ArtifactError(f"{BOOSTER} has {model.num_feature()} features, the model's code {matrix.shape[1]}")
    shares = np.asarray(model.predict(matrix, pred_contrib=True, num_threads=THREADS))
    return float(shares[0, -1]), shares[:, :-1].astype(np.float32)


def _tree(node: Mapping[str, Any]) -> Tree:
    """A node of `dump_model`, and all below it. LightGBM takes a cell that is missing for 0 where training has seen none."""
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
