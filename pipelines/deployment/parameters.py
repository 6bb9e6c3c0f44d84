"""A version as the stacks take it: the values of their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from paved_runtime.protocol import model_version
from pipelines.deployment import package
from pipelines.deployment.package import Package
from pipelines.serving_stack import NO, NO_VERSION, YES, BatchParameters, MonitoringParameters, ServingParameters

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, kw_only=True)
class Previous:
    """The version before: its package's ARN, where it is known, and its `model.tar.gz`."""

    arn: str
    data: str

    @classmethod
    def of(cls, version: Package) -> Self:
        """A registered version."""
        return cls(arn=version.arn, data=version.data)


def serving(s3: S3Client, version: Package, previous: Previous | None, *, urgent: bool = False) -> ServingParameters:
    """Those of a serving stack: how the containers of both versions name themselves, and how far their scores may lie apart.

    Raises:
        DeploymentError: a version lacks what it is made of.
    """
    digest = package.model_sha256(s3, version.data, version.artifact_sha256)
    shift = package.expected_shift(s3, version, previous.arn if previous else NO_VERSION)
    return ServingParameters(
        model_package_arn=version.arn,
        image_uri=version.image,
        model_data_url=version.data,
        model_version=model_version(digest),
        model_sha256=digest,
        previous_model_version=model_version(package.model_sha256(s3, previous.data)) if previous else NO_VERSION,
        **{f"expected_shift_p{percent}": f"{apart:+.6f}" for percent, apart in shift.items()},
        urgent=YES if urgent else NO,
    )


def monitoring(s3: S3Client, image: str, data: str) -> MonitoringParameters:
    """Those of a monitoring stack, for a version that is made of this image and this `model.tar.gz`."""
    return MonitoringParameters(image_uri=image, model_data_url=data, model_version=model_version(package.model_sha256(s3, data)))


def batch(s3: S3Client, arn: str, image: str, data: str) -> BatchParameters:
    """Those of a stack of batches, for a version made of this image and this `model.tar.gz`; `arn` is NO_VERSION where it is not known."""
    digest = package.model_sha256(s3, data)
    return BatchParameters(
        model_package_arn=arn, image_uri=image, model_data_url=data, model_version=model_version(digest), model_sha256=digest
    )
