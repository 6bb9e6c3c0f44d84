"""A queue of SageMaker's in memory: what is put into it is answered by a function, or fails, after some looks for it."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

from pipelines.deployment.queue import Queue
from tests.support.fakes import Anything, Clock, refusal

BUCKET, NAME = "queue-bucket", "lead-staging"
Answer = Callable[[bytes], bytes]


class Failure(Exception):
    """What the object of a failure holds."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.content = content


class QueueService(Anything):  # type: ignore[misc]
    """Both clients, S3's and the runtime's. An answer is there at the `looks`-th look for it."""

    def __init__(self, answer: Answer, looks: int = 1) -> None:
        self._answer, self._looks = answer, looks
        self.objects: dict[str, bytes] = {}
        self.asked: list[dict[str, Any]] = []
        self._seen = itertools.count(1)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803  boto3's names
        self.objects[f"s3://{Bucket}/{Key}"] = Body

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803  boto3's names
        uri = f"s3://{Bucket}/{Key}"
        if uri not in self.objects or (Key.startswith("answers/") and next(self._seen) < self._looks):
            raise refusal("NoSuchKey", "not there")
        return {"Body": io.BytesIO(self.objects[uri])}

    def invoke_endpoint_async(self, **request: Any) -> dict[str, str]:
        number = len(self.asked)
        self.asked.append(request)
        places = {"OutputLocation": f"s3://{BUCKET}/answers/{number}.out", "FailureLocation": f"s3://{BUCKET}/failures/{number}-error.out"}
        try:
            self.objects[places["OutputLocation"]] = self._answer(self.objects[request["InputLocation"]])
        except Failure as failure:
            self.objects[places["FailureLocation"]] = failure.content
        return places

    def queue(self) -> Queue:
        """Whoever asks does not wait in earnest."""
        return Queue(runtime=self, s3=self, name=NAME, bucket=BUCKET, clock=Clock())
