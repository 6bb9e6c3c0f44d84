"""What an endpoint was asked and what it answered, as it was captured."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING

import naming
from cli.problem import Problem
from cli.target import Target
from config import CONFIG, Environment
from paved_runtime.protocol import BATCH_CAPTURE

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def bucket(aws: Target, model: str, place: Environment) -> str:
    """The bucket of what an environment's endpoint captured. Raises Problem when nothing serves there."""
    ssm, name = aws.session(place.account).client("ssm"), naming.environment_parameter(CONFIG, model, place, "capture-bucket")
    try:
        return ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except ssm.exceptions.ParameterNotFound as error:
        raise Problem(f"{model} in {place.name}", "it is not deployed there yet", "./road push, ./road status") from error


def answered(s3: S3Client, bucket: str) -> dict[str, Counter[datetime]]:
    """Rows of requests that each version answered, second by second."""
    rows: dict[str, Counter[datetime]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{naming.CAPTURE}/"):
        for key in (entry["Key"] for entry in page.get("Contents", [])):
            if key.rpartition("/")[2].startswith(BATCH_CAPTURE):
                continue
            seconds = rows.setdefault(key.split("/")[1], Counter())
            for line in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_lines():
                captured = json.loads(line)
                answer = json.loads(captured["captureData"]["endpointOutput"]["data"])
                seconds[datetime.fromisoformat(captured["eventMetadata"]["inferenceTime"])] += len(answer.get("predictions", ()))
    return rows
