"""Takes what training left to where no training role writes: from here on everybody measures, serves and signs that copy.

The registry is told what evaluation found, for who looks there: the metric, the package's model card, and the model quality where its
ModelMetrics name it.

A model package names its archive by address, and an address is no promise: whoever may write there decides what is served. So the archive
and the report beside it are copied under the archive's own digest, and the package is brought to name the copy.
"""

from __future__ import annotations

from typing import Any

import naming
from paved_runtime.protocol import EVALUATION
from paved_runtime.spec import HEADLINES
from pipelines.deployment import package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import ARTIFACT_SHA256, REPORT_SHA256, Package
from pipelines.deployment.registry import Registry
from pipelines.evidence import card, document, pack, quality
from pipelines.evidence.document import DocumentError, Evaluation
from pipelines.evidence.pack import Measured


def pin(registry: Registry, arn: str) -> Package:
    """Copy a package's archive and report, and have the package name the copy and both digests. Doing it twice changes nothing.

    Raises:
        DeploymentError: one of them is not there, or is something else once it was copied.
    """
    version = package.read(registry.sagemaker, arn)
    archive, report = (_measured(registry, uri) for uri in (version.data, pack.report_of(version.data)))
    pinned = f"{registry.artifacts}/{naming.MODELS}/{archive.sha256}/{naming.MODEL_ARCHIVE}"
    if (version.data, version.artifact_sha256, version.report_sha256) == (pinned, archive.sha256, report.sha256):
        return version
    _copy(registry, version.data, pinned, archive)
    _copy(registry, pack.report_of(version.data), pack.report_of(pinned), report)
    description = registry.sagemaker.describe_model_package(ModelPackageName=arn)
    evaluation = _evaluation(registry, pinned)
    statistics = description.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {}).get("S3Uri", "")
    if statistics.startswith(f"{registry.artifacts}/{naming.MODELS}/"):
        pack.write(registry.s3, statistics, quality.statistics(evaluation, _report(registry, pack.report_of(pinned))))
    # the registry shows Python's text of the double, whatever form the training took
    headline = {HEADLINES[evaluation.judged_as]: repr(evaluation.headline.value)} if evaluation.headline else {}
    text = card.registered(registry.model, evaluation, artifact=pinned, data=version.metadata.get("data_uri", ""))
    registry.sagemaker.update_model_package(
        ModelPackageArn=arn,
        InferenceSpecification={
            **description["InferenceSpecification"],
            "Containers": [{"Image": version.image, "ModelDataUrl": pinned}],
        },
        CustomerMetadataProperties={ARTIFACT_SHA256: archive.sha256, REPORT_SHA256: report.sha256, **headline},
        ModelCard={"ModelCardContent": text, "ModelCardStatus": "PendingReview"},
    )
    return package.read(registry.sagemaker, arn)


def _evaluation(registry: Registry, uri: str) -> Evaluation:
    """What evaluation found, out of the archive."""
    try:
        return document.parse(Evaluation, pack.json_member(pack.read(registry.s3, uri) or b"", EVALUATION, uri), EVALUATION)
    except DocumentError as error:
        raise DeploymentError(f"{error}: training has left no evaluation that can be shown: push again") from error


def _report(registry: Registry, uri: str) -> dict[str, Any]:
    """What evaluation drew, out of the archive beside the model's."""
    try:
        return pack.json_member(pack.read(registry.s3, uri) or b"", pack.REPORT, uri)
    except DocumentError as error:
        raise DeploymentError(f"{error}: training has left no report that can be shown: push again") from error


def _copy(registry: Registry, source: str, target: str, measured: Measured) -> None:
    """Copy the version that was measured, and measure the copy."""
    present = pack.measure(registry.s3, target)
    if present is None or present.sha256 != measured.sha256:
        pack.copy(registry.s3, source, target, measured.version)
        present = pack.measure(registry.s3, target)
    if present is None or present.sha256 != measured.sha256:
        raise DeploymentError(f"{target} is not the copy of {source} that was made just now: find out who writes there, and push again")


def _measured(registry: Registry, uri: str) -> Measured:
    measured = pack.measure(registry.s3, uri)
    if measured is None:
        raise DeploymentError(f"{uri} is not there: training has left it somewhere else: push again")
    return measured
