"""An endpoint is asked as any client asks it, and its refusal is told in its own words."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.endpoint import CSV, JSON, ask
from cli.problem import Problem
from tests.support.fakes import Fake, refusal


def endpoint(failure: ClientError | None = None) -> Fake:
    """A SageMaker runtime whose container answers, or refuses."""

    def answer(**_: Any) -> dict[str, Any]:
        if failure:
            raise failure
        return {"Body": io.BytesIO(b'{"predictions": [{"score": 0.5}]}')}

    return Fake(invoke_endpoint=answer)


def test_an_endpoint_is_asked_as_any_client_asks() -> None:
    runtime = endpoint()
    assert ask(runtime, {"EndpointName": "m-staging"}, b"1,2", CSV) == '{"predictions": [{"score": 0.5}]}'
    assert runtime.asked("invoke_endpoint") == [
        {"EndpointName": "m-staging", "Body": b"1,2", "ContentType": "text/csv", "Accept": "text/csv"}
    ]


def test_a_containers_refusal_is_told_in_its_own_words() -> None:
    why = "row 1, column 'age': expected an integer between 18 and 120, found 'x'"
    refused = refusal("ModelError", "Received client error", OriginalStatusCode=422, OriginalMessage=json.dumps({"error": why}))
    with pytest.raises(Problem) as raised:
        ask(endpoint(refused), {"EndpointName": "e"}, b"{}", JSON)
    assert str(raised.value) == f"endpoint e answered 422: {why}: correct the request"
    with pytest.raises(ClientError):
        ask(endpoint(refusal("ValidationError", "no such endpoint")), {"EndpointName": "e"}, b"{}", JSON)
