"""A batch pipeline on fakes: it scores what is handed in, or fails where a test says so, and its bucket holds what runs have written."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pipelines.deployment.batches import Batches
from pipelines.serving_stack import BatchOutputs
from tests.support.fakes import Anything, Fake
from tests.support.sample import ARN

BUCKET, PIPELINE = "batches", "acme-risk-lead-scoring-staging-batch"
RUN = f"arn:aws:sagemaker:eu-central-1:100000000002:pipeline/{PIPELINE}/execution/run1"
MODEL_SHA256 = "0123456789ab" + 52 * "0"
Json = dict[str, Any]


class Objects(Anything):  # type: ignore[misc]
    """S3, whose objects are kept by their keys."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}

    def upload_file(self, file: str, _: str, key: str) -> None:
        self.held[key] = Path(file).read_bytes()

    def download_file(self, _: str, key: str, file: str) -> None:
        Path(file).write_bytes(self.held[key])

    def get_object(self, *, Key: str, **_: Any) -> Json:  # noqa: N803 - botocore's own words
        if Key not in self.held:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return {"Body": io.BytesIO(self.held[Key])}

    def get_paginator(self, _: str) -> Objects:
        return self

    def paginate(self, *, Prefix: str, Delimiter: str = "", **_: Any) -> list[Json]:  # noqa: N803
        keys = [key for key in self.held if key.startswith(Prefix)]
        folders = sorted({Prefix + key.removeprefix(Prefix).partition("/")[0] + "/" for key in keys}) if Delimiter else []
        return [{"Contents": [{"Key": key} for key in keys], "CommonPrefixes": [{"Prefix": folder} for folder in folders]}]


def manifest(**changed: Any) -> Json:
    """What a run says of itself."""
    known = {
        "model": "lead_scoring",
        "model_version": MODEL_SHA256[:12],
        "model_sha256": MODEL_SHA256,
        "model_package_arn": f"{ARN}/3",
        "execution": RUN,
        "input": {
            "uri": "s3://batches/input/1/",
            "sha256": "1" * 64,
            "files": [{"name": "a.csv", "rows": 2, "bytes": 9, "sha256": "2" * 64}],
        },
        "output": {"uri": "s3://batches/runs/run1/results", "files": [{"name": "a.csv", "rows": 2, "bytes": 9, "sha256": "3" * 64}]},
        "rows": 2,
        "scored": 2,
        "failed": 0,
        "began": "2026-11-30T02:00:00Z",
        "ended": "2026-11-30T02:09:00Z",
    }
    return {**known, **changed}


def scoring(
    result: Callable[[Json], Json], *, statuses: tuple[str, ...] = ("Executing", "Succeeded"), why: str = "", **said: Any
) -> tuple[Batches, Fake]:
    """Batches that answer each row of JSON Lines with `result` of it, and have these states when they are looked at; `said` is what the
    manifest says otherwise.
    """
    objects, left = Objects(), list(statuses)

    def start(PipelineParameters: list[Json], **_: Any) -> Json:  # noqa: N803
        values = {each["Name"]: each["Value"] for each in PipelineParameters}
        folder = values["InputUri"].removeprefix(f"s3://{BUCKET}/")
        for key, content in [(key, content) for key, content in objects.held.items() if key.startswith(folder)]:
            rows = [json.loads(line) for line in content.decode().splitlines()]
            lines = "".join(f"{json.dumps(result(row))}\n" for row in rows)
            objects.held[f"runs/run1/results/{key.rpartition('/')[2]}"] = lines.encode()
        objects.held["runs/run1/results/manifest.json"] = json.dumps(manifest(**said)).encode()
        return {"PipelineExecutionArn": RUN}

    def describe(**_: Any) -> Json:
        return {"PipelineExecutionStatus": left.pop(0) if len(left) > 1 else left[0]}

    def steps(**_: Any) -> Json:
        failed = [{"StepName": "Prepare", "StepStatus": "Failed", "FailureReason": why}] if why else []
        return {"PipelineExecutionSteps": failed}

    sagemaker = Fake(
        start_pipeline_execution=start,
        describe_pipeline_execution=describe,
        list_pipeline_execution_steps=steps,
        retry_pipeline_execution=lambda **_: {},
        list_pipeline_executions=lambda **_: {
            "PipelineExecutionSummaries": [
                {"PipelineExecutionArn": RUN, "PipelineExecutionStatus": left[0], "StartTime": datetime(2026, 11, 30, 2, tzinfo=UTC)}
            ]
        },
    )
    outputs = BatchOutputs(batch_bucket=BUCKET, batch_pipeline=PIPELINE, model_name="model-1")
    return Batches(outputs=outputs, s3=objects, sagemaker=sagemaker), sagemaker
