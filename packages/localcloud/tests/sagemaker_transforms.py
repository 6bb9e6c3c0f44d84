"""What tests of transform jobs do: a model whose answers say how long each line is, files for it, and what becomes of them."""

from __future__ import annotations

from typing import Any

from sagemaker_jobs import ended

from localcloud.testing import LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import packed

Json = dict[str, Any]
BY_LINE: Json = {"ContentType": "text/csv", "SplitType": "Line"}


def modelled(aws: Accounts, image: str, name: str, *, role: str | None = None, **environment: str) -> str:
    """A model of the image of `localcloud.testing`, whose answer is a line for each line: how long it is."""
    container = {"Image": image, "ModelDataUrl": packed(aws, "one"), "Environment": {"BEHAVIOUR": "lines", **environment}}
    role = role or aws.worker()
    aws.client("sagemaker").create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container, EnableNetworkIsolation=True)
    return name


def stored(aws: Accounts, name: str, **files: bytes | str) -> str:
    """The prefix of the files of a test; two underscores in a file's name stand for a dot."""
    for file, content in files.items():
        body = content.encode() if isinstance(content, str) else content
        aws.client("s3").put_object(Bucket=LAB, Key=f"batches/{name}/in/{file.replace('__', '.')}", Body=body)
    return f"s3://{LAB}/batches/{name}/in/"


def request(name: str, model: str, *, source: Json | None = None, target: Json | None = None, **changes: Any) -> Json:
    """CreateTransformJob's, for the files of `stored`; `source` and `target` are more of TransformInput and TransformOutput."""
    found = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{LAB}/batches/{name}/in/"}}}
    return {
        "TransformJobName": name,
        "ModelName": model,
        "TransformInput": {**found, **BY_LINE, **(source or {})},
        "TransformOutput": {"S3OutputPath": f"s3://{LAB}/batches/{name}/out", "AssembleWith": "Line", **(target or {})},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        **changes,
    }


def transformed(aws: Accounts, name: str, model: str, **changes: Any) -> Json:
    """The description of such a job, once it has ended."""
    aws.client("sagemaker").create_transform_job(**request(name, model, **changes))
    return ended(aws, "transform", name)


def outputs(aws: Accounts, name: str) -> dict[str, str]:
    """What the job left, by the names of the files."""
    s3, prefix = aws.client("s3"), f"batches/{name}/out/"
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=LAB, Prefix=prefix).get("Contents", [])]
    return {key.removeprefix(prefix): s3.get_object(Bucket=LAB, Key=key)["Body"].read().decode() for key in keys}


def logged(aws: Accounts, name: str) -> str:
    """What its containers and its data logs say."""
    return "\n".join(aws.lines("/aws/sagemaker/TransformJobs", f"{name}/"))
