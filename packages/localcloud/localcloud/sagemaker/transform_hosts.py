"""The hosts of a transform job: each is asked as often at once as it may be, and its answers come in the order of the file.

By the API reference (CreateTransformJob, ModelClientConfig). Not documented, and so localcloud's: that an answer of 5xx, and none at all,
is asked for again, and one of 4xx is not. The words for the data log are those that users report.
"""

from __future__ import annotations

import http.client
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from localcloud.sagemaker.instances import Answer, Instance
from localcloud.sagemaker.mini_batches import Batch

TIMEOUT, RETRIES = 600, 3  # of an invocation, where ModelClientConfig says nothing
MEGABYTES = 6
SETTINGS_WITHIN = 5.0  # seconds for the container's own settings
SINGLE, SEVERAL = "SINGLE_RECORD", "MULTI_RECORD"
STRATEGIES = {"MultiRecord": SEVERAL, "SingleRecord": SINGLE}
OURS, THEIRS = "ClientError", "AlgorithmError"  # whose fault it is: the request's, or the model's


class FileFailed(Exception):
    """Why a file has no output: whose error that is, and what the data log says of it."""

    def __init__(self, whose: str, *lines: str) -> None:
        super().__init__(whose, *lines)
        self.whose, self.lines = whose, lines


@dataclass(frozen=True)
class Settings:
    """How many requests at once, of how many MB, by which strategy."""

    concurrency: int
    megabytes: int
    strategy: str

    def __str__(self) -> str:
        return f"MaxConcurrentTransforms={self.concurrency}, MaxPayloadInMB={self.megabytes}, BatchStrategy={self.strategy}"


def asked(request: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a request has, by their names in /execution-parameters."""
    strategy = STRATEGIES.get(request.get("BatchStrategy", ""))
    said = {name: request.get(name) for name in ("MaxConcurrentTransforms", "MaxPayloadInMB")} | {"BatchStrategy": strategy}
    return {name: value for name, value in said.items() if value}


def settled(request: Mapping[str, Any], instance: Instance) -> Settings:
    """What the request says, else the container (guide, "How Containers Serve Requests"), else SageMaker's defaults."""
    said = asked(request)
    said = said if len(said) == 3 else {**_own(instance), **said}
    return Settings(
        concurrency=int(said.get("MaxConcurrentTransforms", 1)),
        megabytes=int(said.get("MaxPayloadInMB", MEGABYTES)),
        strategy=str(said.get("BatchStrategy", SEVERAL)),
    )


def _own(instance: Instance) -> dict[str, Any]:
    """The container's settings; none where it does not offer any."""
    try:
        said = instance.get("/execution-parameters", SETTINGS_WITHIN)
        value = json.loads(said.body) if said.status == 200 else {}
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


class Host:
    """One host, which is asked `most` times at once, and no more once the job is `over`."""

    def __init__(self, name: str, instance: Instance, request: Mapping[str, Any], most: int, over: Callable[[], bool]) -> None:
        self.name, self._instance, self._most, self._over = name, instance, most, over
        client, kinds = request.get("ModelClientConfig", {}), (request["TransformInput"], request["TransformOutput"])
        self._seconds = float(client.get("InvocationsTimeoutInSeconds", TIMEOUT))
        self._attempts = 1 + client.get("InvocationsMaxRetries", RETRIES)
        headers = {"Content-Type": kinds[0].get("ContentType"), "Accept": kinds[1].get("Accept")}
        self._headers = {name: value for name, value in headers.items() if value}
        self._requests = ThreadPoolExecutor(most)

    def close(self) -> None:
        """Ask nothing more."""
        self._requests.shutdown()

    def answers(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, bytes]]:
        """Each batch with its answer, in order, with few more at hand than are asked for at once. Raises FileFailed."""
        waiting = deque[tuple[Batch, Future[bytes]]]()
        try:
            for batch in batches:
                waiting.append((batch, self._requests.submit(self._ask, batch.payload)))
                if len(waiting) > self._most:
                    first, answer = waiting.popleft()
                    yield first, answer.result()
            while waiting:
                first, answer = waiting.popleft()
                yield first, answer.result()
        finally:
            for _, answer in waiting:
                answer.cancel()

    def _ask(self, payload: bytes) -> bytes:
        said: Answer | None = None
        for _ in range(self._attempts):
            if self._over():
                break
            try:
                said = self._instance.invoke(payload, self._headers, self._seconds)
            except (OSError, http.client.HTTPException):
                said = None
            if said and said.status < 500:
                break
        if said is None:
            raise FileFailed(THEIRS, "Unable to get response from algorithm")
        if 200 <= said.status < 300:
            return said.body
        whose = OURS if said.status < 500 else THEIRS
        raise FileFailed(whose, f"{whose}: {said.status}", "", "Message:", *said.body.decode("utf-8", "replace").splitlines())
