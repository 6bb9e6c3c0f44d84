"""What a registered version is made of."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

from pipelines.evidence import pack
from pipelines.steps.step import StepError

MODEL, METADATA, EVALUATION = "model.onnx", "metadata.json", "evaluation.json"
PERCENTILES = ("p10", "p50", "p90")


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


def read(sagemaker: Any, arn: str) -> Package:
    """Look a package up by its ARN."""
    found = sagemaker.describe_model_package(ModelPackageName=arn)
    container = found["InferenceSpecification"]["Containers"][0]
    return Package(
        arn=arn,
        image=container["Image"],
        data=container["ModelDataUrl"],
        status=found["ModelApprovalStatus"],
        approval=found.get("ApprovalDescription", ""),
        metadata=found.get("CustomerMetadataProperties", {}),
    )


def member(s3: Any, package: Package, name: str) -> Any:
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


def model_version(s3: Any, data: str) -> str:
    """How a container names the model of a `model.tar.gz` (its URI): the first 12 hex digits of the SHA-256 of its model file and metadata.

    Raises:
        StepError: there is no such model.
    """
    archive = pack.read(s3, data)
    content = pack.members(archive, MODEL, METADATA) if archive else {}
    if missing := [name for name in (MODEL, METADATA) if name not in content]:
        raise StepError(f"{data} holds no {missing[0]}: there is nothing to deploy: train again")
    return hashlib.sha256(content[MODEL] + content[METADATA]).hexdigest()[:12]


def expected_shift(s3: Any, package: Package, other: str) -> dict[str, str]:
    """The serving stack's parameters for how far a version's scores lie from those of the package `other` (its ARN), where evaluation
    compared the two on the same rows: what was approved is no alarm. Of any other pair nothing is expected.

    Raises:
        StepError: the version has no evaluation.
    """
    try:
        champion = member(s3, package, EVALUATION)["champion"]
    except KeyError as error:
        raise StepError(f"{package.data} holds no {EVALUATION}: there is nothing to deploy: train again") from error
    known = champion["score_shift"] if champion and champion["model_package_arn"] == other else None
    return {f"ExpectedShift{name.upper()}": f"{known[name] if known else 0:+.6f}" for name in PERCENTILES}
