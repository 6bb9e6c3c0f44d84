"""Requests that wait: put where an asynchronous endpoint reads them, and looked for where it writes their answers.

A caller learns from S3 that a request was answered (SageMaker's guide, "Check prediction results"): there is an object in the one place, or
in the other where it failed. What the object of a failure holds is not written there: the container's answer, or SageMaker's words with
the container's status.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

import naming
from pipelines.deployment.errors import code
from pipelines.deployment.pace import Clock

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

PATIENCE = 30 * 60.0  # seconds: an alarm, machines that start, and a model that is loaded come before the answer where there was none
SOONEST, LATEST, SLOWER = 0.1, 5.0, 1.5  # seconds between two looks, the first and the longest, and how much longer each is
UNTOLD = 0  # the status of a refusal whose object tells none
WORDS = re.compile(r"Received (?:client|server) error \((\d+)\)")


class Refused(Exception):
    """A request that failed: with which status of the container, where that is told, and what was said."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Unfinished(Exception):
    """A request that has no answer yet."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """The endpoint `name`, whose requests and answers lie in `bucket`. Safe for threads. An answer is waited for `patience` seconds."""

    runtime: SageMakerRuntimeClient
    s3: S3Client
    name: str
    bucket: str
    patience: float = PATIENCE
    clock: Clock = time

    def answer(self, body: bytes, inference_id: str, **headers: str) -> bytes:
        """What the container answers; `headers` are ContentType and Accept.

        Raises:
            Refused: it was refused, or failed.
            Unfinished: nothing was heard of it.
        """
        key = f"{naming.REQUESTS}/{uuid4()}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        asked: dict[str, Any] = {"EndpointName": self.name, "InputLocation": f"s3://{self.bucket}/{key}", "InferenceId": inference_id}
        sent = self.runtime.invoke_endpoint_async(**asked | headers)
        end, pause = self.clock.monotonic() + self.patience, SOONEST
        while True:
            if (answer := self._read(sent["OutputLocation"])) is not None:
                return answer
            if (failure := self._read(sent["FailureLocation"])) is not None:
                raise _refused(failure)
            if self.clock.monotonic() >= end:
                raise Unfinished(f"no answer in {self.patience:g} s: look at {sent['OutputLocation']} later")
            self.clock.sleep(pause)
            pause = min(SLOWER * pause, LATEST)

    def _read(self, uri: str) -> bytes | None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if code(error) != "NoSuchKey":
                raise
            return None


def _refused(content: bytes) -> Refused:
    words = content.decode("utf-8", "replace")
    if told := WORDS.search(words):
        return Refused(int(told[1]), words.partition(' with message "')[2].removesuffix('"') or words)
    try:
        own = isinstance(json.loads(words)["error"], str)
    except (ValueError, KeyError, TypeError):
        own = False
    return Refused(UNTOLD if own else 500, words)  # the runtime gives its reasons as JSON: what has none was no refusal of its own
