"""Requests that wait: where they are put, what comes of them, and what an object in the failure path tells."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deployment import live_gates
from pipelines.deployment.endpoint import QueuedEndpoint, Unanswered
from pipelines.deployment.queue import UNTOLD, Queue, Refused, Unfinished
from tests.support.fakes import Clock
from tests.support.queues import BUCKET, NAME, Failure, QueueService
from tests.support.served_model import GOLDEN, HELD_OUT, JSON, Served


def serve(body: bytes) -> bytes:
    """What the model of `served_model` answers to JSON; anything else is refused as the runtime does."""
    try:
        asked = json.loads(body)
        return Served().invoke_endpoint(EndpointName=NAME, ContentType=JSON, Body=json.dumps(asked), InferenceId="i")["Body"].read()  # type: ignore[no-any-return]
    except ValueError as error:
        raise Failure(b'{"error": "the body is no JSON"}') from error


def refusing(content: bytes) -> QueueService:
    def refuse(_: bytes) -> bytes:
        raise Failure(content)

    return QueueService(refuse)


def test_a_request_is_an_object_and_its_answer_is_waited_for() -> None:
    service = QueueService(serve, looks=9)
    clock = Clock()
    queue = Queue(runtime=service, s3=service, name=NAME, bucket=BUCKET, clock=clock)

    answer = queue.answer(b'{"age": 30}', "row-7", ContentType=JSON, Accept=JSON)

    assert json.loads(answer)["model_version"] == "0123"
    (asked,) = service.asked
    assert asked["InputLocation"].startswith(f"s3://{BUCKET}/requests/")
    assert {**asked, "InputLocation": ""} == {
        "EndpointName": NAME,
        "InputLocation": "",
        "InferenceId": "row-7",
        "ContentType": JSON,
        "Accept": JSON,
    }
    assert 4 < clock.monotonic() < 9  # eight pauses, each longer than the one before


def test_an_answer_that_never_comes_is_not_waited_for_for_ever() -> None:
    service = QueueService(serve, looks=10**9)

    with pytest.raises(Unfinished, match=r"no answer in 1800 s: look at s3://queue-bucket/answers/0\.out later"):
        service.queue().answer(b'{"age": 30}', "i", ContentType=JSON)
    with pytest.raises(Unanswered, match="no answer in 1800 s"):
        QueuedEndpoint(service.queue()).ask('{"age": 30}')


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b'{"error": "column age"}', UNTOLD, '{"error": "column age"}'),
        (b'Received client error (422) from primary with message "{"error": "column age"}"', 422, '{"error": "column age"}'),
        (b'Received server error (500) from primary with message "broken"', 500, "broken"),
        (b"Internal Server Error", 500, "Internal Server Error"),
        (b'["error"]', 500, '["error"]'),
    ],
)
def test_what_the_object_of_a_failure_tells(content: bytes, status: int, words: str) -> None:
    with pytest.raises(Refused) as refused:
        refusing(content).queue().answer(b"{}", "i", ContentType=JSON)

    assert (refused.value.status, refused.value.words) == (status, words)


@given(st.binary())
def test_whatever_it_holds_it_is_a_refusal(content: bytes) -> None:
    with pytest.raises(Refused):
        refusing(content).queue().answer(b"{}", "i", ContentType=JSON)


def test_the_gates_ask_a_queue_as_they_ask_an_endpoint() -> None:
    endpoint = QueuedEndpoint(QueueService(serve).queue())
    bad = [{"body": "{", "content_type": JSON, "expect": 400}]

    assert live_gates.golden(endpoint, GOLDEN).passed
    assert live_gates.parity(endpoint, HELD_OUT, 1e-6).passed
    assert live_gates.refusals(endpoint, bad).passed, "refused, and with which status is told nowhere"
    assert not live_gates.refusals(QueuedEndpoint(refusing(b"Internal Server Error").queue()), bad).passed
    assert not live_gates.refusals(QueuedEndpoint(QueueService(lambda _: b"{}").queue()), bad).passed
