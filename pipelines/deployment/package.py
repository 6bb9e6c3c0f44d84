"""What a registered version is made of."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from paved_runtime import protocol
from paved_runtime.protocol import EVALUATION, METADATA, ONNX
from pipelines.deployment.errors import DeploymentError
from pipelines.evidence import pack
from pipelines.serving_stack import PERCENTILES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Package:
    """One model package.

    `image` ends in its digest; `data` is the `s3://…/model.tar.gz` it serves; `status` is its approval's, `approval` the sentence that
    came with it; `metadata` is what training registered: commit, data_uri, data_sha256, image_uri.
    """

    arn: str
    image: str
    data: str
    status: str
    approval: str
    metadata: Mapping[str, str] = field(default_factory=dict)


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
    """
    place = urlparse(package.data)
    archive = s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
        for file in files:
            if file.name.removeprefix("./") == name and (content := files.extractfile(file)):
                return json.load(content)
    raise KeyError(name)


def model_version(s3: S3Client, data: str) -> str:
    """How a container names the model of a `model.tar.gz` (its URI).

    Raises:
        DeploymentError: there is no such model.
    """
    archive = pack.read(s3, data)
    content = pack.members(archive, ONNX, METADATA) if archive else {}
    if missing := [name for name in (ONNX, METADATA) if name not in content]:
        raise DeploymentError(f"{data} holds no {missing[0]}: there is nothing to deploy: train again")
    version: str = protocol.model_version(content[ONNX], content[METADATA])
    return version


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
