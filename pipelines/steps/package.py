"""What a registered version is made of."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlparse


@dataclass(frozen=True, kw_only=True)
class Package:
    """One model package. `image` ends in its digest; `data` is the `s3://…/model.tar.gz` it serves; `status` is its approval's."""

    arn: str
    image: str
    data: str
    status: str
    approval: str


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
