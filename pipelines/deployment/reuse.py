"""Goes on with what was trained already, where a push has changed nothing that training depends on.

A delivery keeps a version of its own: its evidence, its approval and its traces in the ledger are of this commit, and nobody's are written
over. The version has image and archive of the one that was trained, byte for byte, and says so; its evidence is held against both.

What was trained is believed only with signed evidence, so that nothing is reused that has not been through Staging.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import naming
from pipelines.deployment import approval, compare_evidence, package, rollback
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import TRAINED_AS, TRAINED_COMMIT, Package
from pipelines.deployment.pin import pin
from pipelines.deployment.registry import Registry
from pipelines.evidence.document import DocumentError, Evidence
from pipelines.run import PUSH, Run

DELIVERY = "delivery"  # in the registry: the execution of the road for which a version was registered once more
KEPT = ("task", "data_sha256", "data_uri", "data_version", "image_uri", naming.TRAINING_SHA256)
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A version as training registered it, and its evidence."""

    version: Package
    evidence: Evidence


def reusable(registry: Registry, run: Run, training_sha256: str) -> Trained | None:
    """What a run would only make once more; None where it would make something else, or where that is not certain: the log says why.

    `training_sha256` is the digest of what the run's training depends on, empty where it is not known.
    """
    if not registry.model.training.reuse or run.cause != PUSH or not training_sha256:
        return None
    newest = _newest(registry)
    if not newest or newest[-1].metadata.get(naming.TRAINING_SHA256) != training_sha256:
        return None
    version = newest[-1]
    try:
        if bad := next((each for each in newest if each.status == "Rejected" or rollback.MARK in each.metadata), None):
            raise DeploymentError(f"{bad.arn} was rejected or rolled back")
        compare_evidence.bound(registry, version.arn)
        evidence = approval.evidence_of(registry, version.arn)
        _settled(registry, run, version, evidence)
    except (DeploymentError, DocumentError) as error:
        log.info("trained again, though %s was trained on the same: %s", version.arn, error)
        return None
    return Trained(version=version, evidence=evidence)


def register(registry: Registry, run: Run, trained: Trained, *, execution: str) -> Package:
    """The version of a delivery that trains nothing, pinned as every other. Doing it twice changes nothing.

    Raises:
        DeploymentError: the archive is not what the evidence says.
    """
    version = pin(registry, _registered(registry, execution) or _register(registry, run, trained, execution))
    if version.artifact_sha256 != trained.evidence.artifact.sha256:
        raise DeploymentError(
            f"{version.data} has sha256 {version.artifact_sha256}, the evidence of {trained.version.arn} says"
            f" {trained.evidence.artifact.sha256}: it was changed: find out by whom, set training.reuse = false and push"
        )
    return version


def _settled(registry: Registry, run: Run, version: Package, evidence: Evidence) -> None:
    """Raises DeploymentError where evaluation compared the version with another champion than the run would."""
    then = evidence.evaluation.champion.model_package_arn if evidence.evaluation.champion else ""
    if not registry.model.gates.champion.compare or run.champion_arn in (then, version.arn):
        return
    if run.champion_arn and package.read(registry.sagemaker, run.champion_arn).artifact_sha256 == version.artifact_sha256:
        return
    raise DeploymentError(f"it was compared with {then or 'no version'}, and {run.champion_arn or 'none'} serves")


def _registered(registry: Registry, execution: str) -> str | None:
    """The version that a run of this before has registered, by ARN."""
    return next((version.arn for version in _newest(registry) if version.metadata.get(DELIVERY) == execution), None)


def _register(registry: Registry, run: Run, trained: Trained, execution: str) -> str:
    version, commit = trained.version, trained.evidence.evaluation.commit
    described = registry.sagemaker.describe_model_package(ModelPackageName=version.arn)
    specification: Any = {
        **described["InferenceSpecification"],
        "Containers": [{"Image": version.image, "ModelDataUrl": version.data}],
        **({"SupportedRealtimeInferenceInstanceTypes": types} if (types := registry.model.serving_types) else {}),
    }
    made = registry.sagemaker.create_model_package(
        ModelPackageGroupName=naming.model_package_group(registry.config, registry.model.name),
        ModelPackageDescription=f"{registry.model.name} at commit {run.commit}, trained at commit {commit}",
        ModelApprovalStatus="PendingManualApproval",
        InferenceSpecification=specification,
        CustomerMetadataProperties={
            **{name: value for name, value in version.metadata.items() if name in KEPT},
            "commit": run.commit,
            "cause": naming.metadata_value(run.cause),
            TRAINED_AS: version.arn,
            TRAINED_COMMIT: commit,
            DELIVERY: execution,
        },
        ModelMetrics=described["ModelMetrics"],
    )
    return made["ModelPackageArn"]


def _newest(registry: Registry) -> list[Package]:
    """The version that was trained last, behind those that were delivered of it since, newest first; nothing where none was trained."""
    newest = []
    for version in _versions(registry):
        newest.append(version)
        if TRAINED_AS not in version.metadata:
            return newest
    return []


def _versions(registry: Registry) -> Iterator[Package]:
    """Every version, newest first."""
    group = naming.model_package_group(registry.config, registry.model.name)
    pages = registry.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"
    )
    for page in pages:
        for version in page["ModelPackageSummaryList"]:
            yield package.read(registry.sagemaker, version["ModelPackageArn"])
