"""Keeps what this package runs in moto's own records, so that every describe and list call that moto answers is true."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from moto.core.exceptions import ServiceException
from moto.iam.models import iam_backends
from moto.sagemaker.models import sagemaker_backends
from moto.sagemaker.responses import SageMakerResponse

from localcloud import iam
from localcloud.cloud import PARTITION, cloud
from localcloud.errors import invalid

SERVICE = "sagemaker.amazonaws.com"
Request = dict[str, Any]


def backend(account: str, region: str) -> Any:
    """moto's SageMaker of one account and region."""
    return sagemaker_backends[account][region]


def answer(operations: Iterable[Callable[[Any], Any]], *, by: type = SageMakerResponse) -> None:
    """Let each function answer the API request of its name."""
    for operation in operations:
        setattr(by, operation.__name__, operation)


def keep(create: Callable[..., Any], request: Request) -> Any:
    """Have moto make its record of a request, and add the members of the request that moto forgets."""
    known = {name: request.get("".join(w.title() for w in name.split("_"))) for name in inspect.signature(create).parameters}
    record = create(**copy.deepcopy(known))
    vars(record).update(copy.deepcopy(request))
    return record


def refuse(request: Request, members: Iterable[str], where: str) -> None:
    """Raise an AWS error when the request has a member that localcloud cannot honour."""
    if found := [name for name in members if request.get(name)]:
        raise invalid(f"localcloud cannot honour {', '.join(found)} of {where}")


def assumable(role_arn: str | None) -> str:
    """The role, if SageMaker may assume it. Raises an AWS error otherwise."""
    if not role_arn:
        raise invalid("an execution role is needed")
    try:
        role = iam_backends[role_arn.split(":")[4]][PARTITION].get_role_by_arn(role_arn)
    except ServiceException as problem:
        raise invalid(f"Could not assume role {role_arn}: {problem.message}") from problem
    if not iam.trusts(role.assume_role_policy_document, caller=SERVICE):
        raise invalid(
            f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal '{SERVICE}' to assume the role."
        )
    return role_arn


def reason(problem: BaseException) -> str:
    """An exception as the sentence of a FailureReason."""
    return str(getattr(problem, "message", None) or problem or type(problem).__name__)


def credentials(role_arn: str, region: str, *, isolated: bool) -> dict[str, str]:
    """The AWS variables of a container that runs as the role; an isolated one has no credentials."""
    env = cloud().role_env(role_arn, "SageMaker", region)
    return {k: v for k, v in env.items() if k in ("AWS_REGION", "AWS_DEFAULT_REGION")} if isolated else env


def download(s3: Any, uri: str, folder: Path, part: tuple[int, int] = (0, 1)) -> int:
    """Copy the objects under an S3 prefix, or the one object, into `folder`; returns how many there were.

    `part` (place, of how many) takes every so many-th object only.
    """
    bucket, prefix = split(uri)
    base = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    count = 0
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            key = found["Key"]
            if key.endswith("/"):
                continue
            target = folder / (key.removeprefix(base) if key.startswith(base) else key[len(prefix.rpartition("/")[0]) :].lstrip("/"))
            if not target.resolve().is_relative_to(folder.resolve()):
                raise invalid(f"s3://{bucket}/{key} would be written outside its folder")
            target.parent.mkdir(parents=True, exist_ok=True)
            if count % part[1] == part[0]:
                s3.download_file(bucket, key, str(target))
            count += 1
    return count


def upload(s3: Any, file: Path, uri: str, kms_key: str | None) -> None:
    """Copy a file to an S3 URI, encrypted with the key when one is given."""
    bucket, key = split(uri)
    extra = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else None
    s3.upload_file(str(file), bucket, key, ExtraArgs=extra)


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as bucket and key."""
    parts = urlparse(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise invalid(f"{uri} is not an S3 URI")
    return parts.netloc, parts.path.lstrip("/")
