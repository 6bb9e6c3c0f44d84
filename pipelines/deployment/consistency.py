"""Whether all that is known of a candidate fits together: what several places say of the same fact, and what the gates say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import naming
from paved_runtime.protocol import EVALUATION, METADATA
from paved_runtime.spec import Behaviour, ModelSpec
from pipelines.deployment import package
from pipelines.deployment.batch_gate import BATCH_PARITY
from pipelines.deployment.feature_store import FRESHNESS, PARITY
from pipelines.deployment.package import TRAINED_COMMIT, Package
from pipelines.evidence import document
from pipelines.evidence.document import Evaluation, Staging
from pipelines.evidence.pack import Measured
from pipelines.evidence.publish import inputs_sha256

# Gates that every candidate must have passed; others may report only, or are not declared in model.toml.
JUDGED = {"data contract", "floor", "calibration", "reason codes"}
JUDGED |= {"golden requests", "schema", "parity", "latency", "error rate", "memory"}
Statements = Mapping[str, Mapping[str, Any]]  # fact → who says something of it → what


def contradictions(statements: Statements) -> list[str]:
    """Facts about which those who tell them differ; a sentence each, with everyone's value.

    >>> contradictions({"commit": {"registry": "a1", "evaluation.json": "b2"}, "image": {"registry": "i", "evaluation.json": "i"}})
    ['commit: registry says a1, evaluation.json says b2']
    """
    return [
        f"{fact}: " + ", ".join(f"{who} says {what or 'nothing'}" for who, what in said.items())
        for fact, said in statements.items()
        if len(set(map(str, said.values()))) > 1
    ]


def missing_in(definition: str, **facts: str) -> list[str]:
    """Facts of evaluation that the training pipeline's definition does not have."""
    return [
        f"{fact}: {EVALUATION} says {value}, the pipeline definition does not" for fact, value in facts.items() if value not in definition
    ]


def unproven(model: ModelSpec, evaluation: Evaluation, staging: Staging, *, batched: bool = False) -> list[str]:
    """What the gates do not say for the candidate: those that failed, and those that are due and have said nothing. `batched`: whether a
    batch had to be scored.
    """
    verdicts = (*evaluation.gates, *staging.gates)
    failed = [verdict.line() for verdict in verdicts if verdict.passed is False]
    if evaluation.gates_failed:
        failed.append(f"gates_failed: {EVALUATION} says {evaluation.gates_failed}, accepted is 0")
    passed, spoken = ({verdict.gate for verdict in verdicts if verdict.passed}, {verdict.gate for verdict in verdicts})
    gates = model.gates
    failed += [
        f"features: {EVALUATION} does not say where {group} came from: train it again by the road"
        for group in sorted(model.features.keys() - (evaluation.features or {}).keys())
    ]
    declared = {"slices": gates.slices, "fairness": gates.fairness, "behaviour": gates.behaviour != Behaviour()}
    declared |= {BATCH_PARITY: batched, **dict.fromkeys((FRESHNESS, PARITY), bool(model.features))}
    due = {"champion", "plausibility", *(name for name, there in declared.items() if there)}
    silent = sorted((JUDGED - passed) | (due - spoken))
    return failed + [f"{gate}: no verdict: the image runs another version of the runtime" for gate in silent]


def statements(
    model: str,
    version: Package,
    commit: str,
    evaluation: Evaluation,
    metadata: Mapping[str, Any],
    archive: bytes,
    report: bytes,
    staging: Staging,
    stored: Measured | None,
    definition: str,
    trained: Package | None,
) -> Statements:
    """What each place says of model, package, commit, image and data. `commit` is the source's, `archive` and `report` the bytes of
    the version's `model.tar.gz` and of what lies beside it, `stored` the data set as it lies there, `definition` the training pipeline's.
    `trained` is the version that was trained, where this one only goes on with it.

    What metadata.json and evaluation.json say of the data is what training measured as it read; what the staging report says of the model
    is what its container told.
    """
    registry, registered, pinned = "the registry", version.metadata, version.metadata.get("data_version")
    file = f"the file at {registered.get('data_uri')}"
    versions = {registry: pinned, file: stored.version if stored else None} if pinned else {}  # an older pointer has none
    commits = {registry: registered.get("commit"), METADATA: metadata.get("commit"), EVALUATION: evaluation.commit}
    again: Statements = {}
    if trained:
        was = f"version {trained.arn.rpartition('/')[2]}"
        again = {
            "commit of training": {**commits, registry: registered.get(TRAINED_COMMIT), was: trained.metadata.get("commit")},
            "what was trained": {registry: version.artifact_sha256, was: trained.artifact_sha256},
            "image of training": {registry: version.image, was: trained.image},
        }
        commits = {registry: registered.get("commit")}
    return {
        "model": {"the command": model, METADATA: metadata.get("model"), EVALUATION: evaluation.model},
        "model package": {"the command": version.arn, "the staging report": staging.model_package_arn},
        "model artifact": {registry: version.artifact_sha256, naming.MODEL_ARCHIVE: document.sha256(archive)},
        "report": {registry: version.report_sha256, "the report": document.sha256(report)},
        "model digest": {naming.MODEL_ARCHIVE: package.digest_of(archive), "the endpoint": staging.model_sha256},
        "commit": {"the source revision": commit, **commits},
        **again,
        "training inputs": {registry: registered.get(naming.TRAINING_SHA256, ""), "the pipeline definition": inputs_sha256(definition)},
        "image": {
            "the model package": version.image,
            registry: registered.get("image_uri"),
            METADATA: metadata.get("image_uri"),
            EVALUATION: evaluation.image_uri,
        },
        "data": {
            registry: registered.get("data_sha256"),
            METADATA: metadata.get("data_sha256"),
            EVALUATION: evaluation.data_sha256,
            file: stored.sha256 if stored else None,
        },
        "data version": versions,
    }
