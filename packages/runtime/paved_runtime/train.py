"""Training: the model's own code learns; the frame exports the result as data and checks that the export says the same."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxmltools  # type: ignore[import-untyped]
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType  # type: ignore[import-untyped]

from paved_runtime import __version__, artifact, contract, plugin
from paved_runtime.job import Job
from paved_runtime.scoring import Scorer
from paved_runtime.spec import Behaviour
from paved_runtime.table import Matrix

TOLERANCE = 1e-5
DIRECTIONS = {"increasing": 1, "decreasing": -1}


def train(job: Job) -> None:
    """Write model.onnx, model.json, schema.json and metadata.json beside data.json and rows.bin, which preparation wrote.

    Raises:
        ContractError: the training rows are not what `model.toml` says.
        ArithmeticError: ONNX Runtime and XGBoost disagree about the same rows.
    """
    examples = contract.read(job.channel("train"), job.spec.data, digested={job.spec.data.target})  # nobody compares its rows
    features = plugin.features(job.spec.name)
    matrix = features.features(examples.table)
    monotone = constraints(features.NAMES, job.spec.gates.behaviour)
    booster = plugin.training(job.spec.name).train(matrix, examples.labels, job.hyperparameters, monotone)
    job.model.mkdir(parents=True, exist_ok=True)
    booster.save_model(job.model / artifact.BOOSTER)
    (job.model / artifact.ONNX).write_bytes(export(booster, job.spec.name))
    artifact.write_json(job.model / artifact.SCHEMA, artifact.schema(job.spec, features.NAMES))
    for name in (artifact.DATA, artifact.ROWS):
        shutil.copyfile(job.channel("train") / name, job.model / name)
    measured = {"data_sha256": artifact.read_json(job.model / artifact.DATA)["sha256"]}
    used = {"hyperparameters": job.hyperparameters, "rows": {"train": len(examples)}}
    metadata = {"model": job.spec.name, "runtime": __version__, **job.origin, **measured, **used}
    artifact.write_metadata(job.model, metadata)
    difference = disagreement(job.model, booster, matrix)
    if difference > TOLERANCE:
        raise ArithmeticError(f"ONNX Runtime and XGBoost differ by {difference:.2g} on the training rows; accepted is {TOLERANCE:.0e}")
    print(f"trained {booster.num_boosted_rounds()} trees on {len(examples)} rows; ONNX differs by {difference:.1e}", flush=True)


def constraints(features: Sequence[str], behaviour: Behaviour) -> dict[str, int]:
    """What training is told of the declared directions: each feature's that has the name of its column; nothing of derived ones."""
    return {name: DIRECTIONS[behaviour.monotone[name]] if name in behaviour.monotone else 0 for name in features}


def export(booster: xgboost.Booster, name: str) -> bytes:
    """The booster as ONNX: input `features` float32 [rows, f], output `probabilities` float32 [rows, 2]."""
    columns = FloatTensorType([None, booster.num_features()])
    exported: bytes = onnxmltools.convert_xgboost(booster, name=name, initial_types=[("features", columns)]).SerializeToString()
    return exported


def disagreement(model: Path, booster: xgboost.Booster, matrix: Matrix) -> float:
    """The largest difference between the two formats' scores over the rows of `matrix`."""
    return float(np.abs(Scorer.load(model).matrix(matrix) - booster.inplace_predict(matrix)).max())
