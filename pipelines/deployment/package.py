"""What a registered version is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from paved_runtime import protocol
from paved_runtime.protocol import EVALUATION, METADATA, ONNX
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import document, pack
from pipelines.serving_stack import PERCENTILES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

ARTIFACT_SHA256, REPORT_SHA256 = "artifact_sha256", "report_sha256"
TRAINED_AS, TRAINED_COMMIT = "trained_as", "trained_commit"  # of a version that goes on with what another one was trained as


@dataclass(frozen=True, kw_only=True)
class Package:
    """One model package.

    `image` ends in its digest; `data` is the `s3://…/model.tar.gz` it serves; `status` is its approval's, `approval` the sentence that
    came with it; `metadata` is what training registered: commit, data_uri, data_version, data_sha256, image_uri and, where it is known,
    training_sha256; of a version for which nothing was trained also trained_as, the ARN of the one that was, and trained_commit.
    """

    arn: str
    image: str
    data: str
    status: str
    approval: str
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def artifact_sha256(self) -> str:
        """The digest of `data` as Train measured it; empty where an older package does not have it."""
        return self.metadata.get(ARTIFACT_SHA256, "")

    @property
    def report_sha256(self) -> str:
        """The digest of the report beside `data`, likewise."""
        return self.metadata.get(REPORT_SHA256, "")


def read(sagemaker: SageMakerClient, arn: str) -> Package:
    """Look a package up by its ARN."""
    description = sagemaker.describe_model_package(ModelPackageName=arn)
    container = description["InferenceSpecification"]["Containers"][0]
    return Package(
        arn=arn,
        image=container["Image"],
        data=container["ModelDataUrl"],
        status=description["ModelApprovalStatus"],
        approval=description.get("ApprovalDescription", ""),
        metadata=description.get("CustomerMetadataProperties", {}),
    )


def member(s3: S3Client, package: Package, name: str) -> Any:
    """One JSON file out of the package's `model.tar.gz`.

    Raises:
        KeyError: there is no such file in it.
        DeploymentError: the archive is not the one that was registered, or is not there.
    """
    return json.loads(pack.members(_archive(s3, package.data, package.artifact_sha256), name)[name])


def model_sha256(s3: S3Client, data: str, artifact_sha256: str = "") -> str:
    """The digest of the model in a `model.tar.gz` (its URI), as a container that has loaded it tells it.

    Raises:
        DeploymentError: there is no such model, or `artifact_sha256` is given and not the archive's.
    """
    digest = digest_of(_archive(s3, data, artifact_sha256))
    if digest is None:
        raise DeploymentError(f"{data} holds no {METADATA}: there is nothing to deploy: train again")
    return digest


def digest_of(archive: bytes) -> str | None:
    """The digest of the model in the bytes of a `model.tar.gz`; None where there is none in it. Not every framework writes a graph."""
    content = pack.members(archive, ONNX, METADATA)
    return str(protocol.model_sha256(content.get(ONNX, b""), content[METADATA])) if METADATA in content else None


def _archive(s3: S3Client, data: str, sha256: str) -> bytes:
    """A `model.tar.gz`. Raises DeploymentError where it is not there, or has another digest than `sha256`, unless that is empty."""
    archive = pack.read(s3, data)
    if archive is None:
        raise DeploymentError(f"{data} is not there: there is nothing to deploy: train again")
    if sha256 and (changed := document.sha256(archive)) != sha256:
        raise DeploymentError(f"{data} has sha256 {changed}, registered was {sha256}: it was changed: find out by whom, and push again")
    return archive


def expected_shift(s3: S3Client, package: Package, other: str) -> dict[int, float]:
    """How far each percentile of a version's scores lies from that of the package `other` (its ARN), where evaluation compared the two on
    the same rows: what was approved is no alarm. Of any other pair nothing is expected.

    Raises:
        DeploymentError: the version has no evaluation.
    """
    try:
        champion = member(s3, package, EVALUATION)["champion"]
    except KeyError as error:
        raise DeploymentError(f"{package.data} holds no {EVALUATION}: there is nothing to deploy: train again") from error
    shift = champion["score_shift"] if champion and champion["model_package_arn"] == other else None
    return {percent: shift[f"p{percent}"] if shift else 0.0 for percent in PERCENTILES}
