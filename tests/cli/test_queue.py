"""Endpoints whose requests wait are asked, and sent traffic, with the same commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli import queue
from cli.commands import invoke
from cli.endpoint import CSV, JSON
from cli.problem import Problem
from cli.traffic import Traffic, send
from paved_runtime.spec import Asynchronous, ModelSpec
from tests import reference
from tests.reference import CONFIG
from tests.support.fakes import Anything
from tests.support.queues import BUCKET, Failure, QueueService
from tests.support.rows import ROWS
from tests.support.target import FakeTarget

PLACE = CONFIG.environments[-1]


def model() -> ModelSpec:
    """The reference's, whose requests wait in the last environment."""
    before = reference.model()
    table = before.serving[PLACE.name].model_copy(update={"asynchronous": Asynchronous()})
    return before.model_copy(update={"serving": {**before.serving, PLACE.name: table}})


class Parameters(Anything):  # type: ignore[misc]
    """SSM, with a value for the queue's bucket alone, if it is deployed."""

    class exceptions:  # noqa: N801  boto3's name
        class ParameterNotFound(Exception):
            """There is none."""

    def __init__(self, deployed: bool = True) -> None:
        self._deployed = deployed

    def get_parameter(self, *, Name: str) -> dict[str, Any]:  # noqa: N803  boto3's name
        if not self._deployed or not Name.endswith("/queue-bucket"):
            raise self.exceptions.ParameterNotFound
        return {"Parameter": {"Value": BUCKET}}


def target(service: QueueService, *, deployed: bool = True) -> FakeTarget:
    return FakeTarget(ssm=Parameters(deployed), s3=service, sagemaker_runtime=service)


def test_an_answer_out_of_the_queue_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    service = QueueService(lambda body: b'{"predictions": [], "asked": "%s"}' % body)
    invoke.score(target(service), model(), PLACE, b"1,2", CSV, tables=False)

    assert json.loads(capsys.readouterr().out) == {"predictions": [], "asked": "1,2"}
    (asked,) = service.asked
    assert (asked["ContentType"], asked["Accept"]) == (CSV, CSV)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"error": "column age"}', "refused it: column age"),
        (b'Received client error (422) from primary with message "{"error": "column age"}"', "answered 422: column age"),
    ],
)
def test_a_refusal_out_of_the_queue_is_one_line(content: bytes, said: str) -> None:
    def refuse(_: bytes) -> bytes:
        raise Failure(content)

    with pytest.raises(Problem, match=said):
        invoke.score(target(QueueService(refuse)), model(), PLACE, b"{}", JSON, tables=False)


def test_a_queue_that_is_not_deployed_is_named() -> None:
    with pytest.raises(Problem, match="lead_scoring in production: no queue is deployed there yet"):
        queue.of(target(QueueService(bytes), deployed=False), model(), PLACE)


def test_where_callers_wait_there_is_no_queue() -> None:
    assert queue.of(target(QueueService(bytes)), reference.model(), PLACE) is None


def test_traffic_waits_for_its_answers() -> None:
    service = QueueService(lambda body: json.dumps({"predictions": [{"score": 0.5} for _ in json.loads(body)["instances"]]}).encode())
    traffic = Traffic(model=model(), rows=ROWS[:6], batch=3)
    sent = send(target(service), PLACE, traffic, rate=1000)

    assert sent.scores == [0.5] * 6
    assert {each["InferenceId"] for each in service.asked} == {f"{traffic.id}-{number}" for number in range(2)}
