"""Takes what training left to where no training role writes: from here on everybody measures, serves and signs that copy.

A model package names its archive by address, and an address is no promise: whoever may write there decides what is served. So the archive
and the report beside it are copied under the archive's own digest, and the package is brought to name the copy.
"""

from __future__ import annotations

import naming
from pipelines.deployment import package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import ARTIFACT_SHA256, REPORT_SHA256, Package
from pipelines.deployment.registry import Registry
from pipelines.evidence import pack
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
    specification = registry.sagemaker.describe_model_package(ModelPackageName=arn)["InferenceSpecification"]
    registry.sagemaker.update_model_package(
        ModelPackageArn=arn,
        InferenceSpecification={**specification, "Containers": [{"Image": version.image, "ModelDataUrl": pinned}]},
        CustomerMetadataProperties={ARTIFACT_SHA256: archive.sha256, REPORT_SHA256: report.sha256},
    )
    return package.read(registry.sagemaker, arn)


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
