"""Evaluation: what the model is worth on rows it never saw, and the answers by which every later copy of it is known."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from sklearn import metrics  # type: ignore[import-untyped]

from model_code.runtime import artifact, contract, golden, plugin
from model_code.runtime.invocations import Invocations
from model_code.runtime.job import Job
from model_code.runtime.table import Matrix

ARCHIVE = "model/model.tar.gz"


def evaluate(job: Job) -> None:
    """Add evaluation.json and golden.json to the model, and print each metric as `metric name=value`.

    A processing job gets the model packed and hands it on packed; in a training job SageMaker packs it.

    Raises:
        ArtifactError: the model's files are not what training wrote.
        ContractError: the held-out rows are not what `model.toml` says.
    """
    if not job.processing:
        return _complete(job, job.model)
    processing = job.root / "processing"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder)
        artifact.unpack(processing / "input" / ARCHIVE, model)
        _complete(job, model)
        artifact.write_json(processing / "evaluation" / artifact.EVALUATION, artifact.read_json(model / artifact.EVALUATION))
        return artifact.pack(model, processing / ARCHIVE)


def measure(labels: Matrix, scores: Matrix) -> dict[str, float]:
    """Metrics of probabilities: labels and scores are float32 [rows]."""
    return {
        "roc_auc": float(metrics.roc_auc_score(labels, scores)),
        "average_precision": float(metrics.average_precision_score(labels, scores)),
        "brier": float(metrics.brier_score_loss(labels, scores)),
        "log_loss": float(metrics.log_loss(labels, scores)),
    }


def _complete(job: Job, model: Path) -> None:
    artifact.check(model, job.spec, plugin.features(job.spec.name).NAMES, files=artifact.TRAINED)
    holdout = contract.read(job.given("holdout"), job.spec.data)
    invocations = Invocations.load(job.spec, model)
    measured = measure(holdout.labels, invocations.scores(holdout.table))
    metadata = artifact.read_json(model / artifact.METADATA)
    artifact.write_json(model / artifact.EVALUATION, _evaluation(metadata, measured, len(holdout)))
    artifact.write_json(model / artifact.GOLDEN, golden.record(job.spec, invocations))
    for name, value in measured.items():
        print(f"metric {name}={value:.6f}", flush=True)


def _evaluation(metadata: dict[str, object], measured: Mapping[str, float], rows: int) -> dict[str, object]:
    trained = metadata["rows"]
    assert isinstance(trained, dict)
    return {**metadata, "metrics": {name: {"value": value} for name, value in measured.items()}, "rows": {**trained, "holdout": rows}}
