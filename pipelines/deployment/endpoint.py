"""A live endpoint as a caller sees it: JSON in, JSON out, or the reason why not."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from botocore.exceptions import ClientError

from paved_runtime.protocol import OWN, Score, apart, scores
from pipelines.deployment.errors import code
from pipelines.deployment.queue import Queue, Refused, Unfinished

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

JSON = "application/json"


class Unanswered(Exception):
    """A request that did not get the answer it should; the message says in a few words what came instead."""


class Endpoint:
    """The endpoint `name` behind a client, or `component` on one that models share. Safe for threads."""

    def __init__(self, runtime: SageMakerRuntimeClient, name: str, component: str = "") -> None:
        self._runtime = runtime
        self._name, self._component = name, component

    def ask(self, body: str) -> Any:
        """The answer to a JSON request. Raises Unanswered when the container refused it, failed or answered with something else."""
        try:
            answer = self._answer(body, ContentType=JSON, Accept=JSON)
        except Refused as error:
            raise Unanswered(f"status {error.status}" if error.status else f"refused: {error.words}") from error
        except Unfinished as error:
            raise Unanswered(str(error)) from error
        try:
            return json.loads(answer)
        except ValueError as error:
            raise Unanswered("an answer that is not JSON") from error

    def status(self, content_type: str, body: str) -> int:
        """The HTTP status of the container's answer; of an empty body, that of InvokeEndpoint itself, where the API refuses it.

        UNTOLD where it was refused and the status is told nowhere.

        The API's reference (API_runtime_InvokeEndpoint) gives Body a greatest length and no least, and names ValidationError, 400.
        """
        try:
            self._answer(body, ContentType=content_type)
        except Refused as error:
            return error.status
        return 200

    def difference(self, body: str, expected: list[Score]) -> float:
        """The largest difference between the scores it answers and `expected` ones. Raises Unanswered."""
        answer = self.ask(body)
        try:
            answered = scores(answer)
        except (KeyError, TypeError, ValueError) as error:
            raise Unanswered("an answer without scores") from error
        if len(answered) != len(expected):
            raise Unanswered(f"{len(answered)} scores for {len(expected)} rows")
        try:
            return largest(apart(answered, expected))
        except ValueError as error:
            raise Unanswered("scores of other classes") from error

    def _answer(self, body: str, **headers: str) -> bytes:
        """The container's answer. Raises Refused."""
        asked: dict[str, Any] = {"EndpointName": self._name, "InferenceId": _own(), "Body": body}
        asked |= {"InferenceComponentName": self._component} if self._component else {}
        try:
            return self._runtime.invoke_endpoint(**asked, **headers)["Body"].read()
        except ClientError as error:
            if not body and code(error) == "ValidationError":
                raise Refused(int(error.response["ResponseMetadata"]["HTTPStatusCode"]), str(error)) from error
            if code(error) != "ModelError":
                raise
            raise Refused(_status(error), str(error)) from error


class QueuedEndpoint(Endpoint):
    """An endpoint whose requests wait: who asks it waits, too."""

    def __init__(self, queue: Queue) -> None:
        super().__init__(queue.runtime, queue.name)
        self._queue = queue

    def _answer(self, body: str, **headers: str) -> bytes:
        return self._queue.answer(body.encode(), _own(), **headers)


def largest(differences: Iterable[float]) -> float:
    """The largest of some differences. Raises Unanswered if one is not a number."""
    values = list(differences)
    if not all(map(math.isfinite, values)):
        raise Unanswered("not a number")
    return max(values, default=0.0)


def _own() -> str:
    return f"{OWN}{uuid4()}"


def _status(error: ClientError) -> int:
    return int(error.response["OriginalStatusCode"])  # type: ignore[typeddict-item]  # ModelError's own member
