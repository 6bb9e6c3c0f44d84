"""A model that answers invoke_endpoint as the runtime does, and fails where a test says so."""

from __future__ import annotations

import io
import itertools
import json
import math
import threading
from typing import Any

from tests.support.fakes import Anything, refusal

Json = dict[str, Any]
JSON = "application/json"


def score(row: Json) -> float:
    """The score of a row `{"age": …}`."""
    return 1 / (1 + math.exp(5 - row["age"] / 10))


def rows(*ages: int) -> list[Json]:
    return [{"age": age} for age in ages]


SCHEMA: Json = {"columns": {"age": {"type": "integer", "minimum": 18, "maximum": 120, "missing": 0}}, "target": "y", "features": ["age"]}
HELD_OUT: Json = {"content_type": JSON, "instances": rows(*range(20, 43)) * 10, "scores": [score(row) for row in rows(*range(20, 43))] * 10}
GOLDEN: Json = {
    "content_type": JSON,
    "tolerance": 1e-6,
    "requests": [
        {"body": {"age": 30}, "scores": [score({"age": 30})]},
        {"body": {"instances": rows(18, 120)}, "scores": [score(row) for row in rows(18, 120)]},
    ],
    "explained": {
        "body": {"instances": rows(18, 120), "explain": True},
        "tolerance": 1e-4,
        "base": -5.0,
        "contributions": [{"age": 1.8}, {"age": 12.0}],
    },
    "bad_requests": [
        {"body": "{", "content_type": JSON, "expect": 400},
        {"body": "x", "content_type": "text/csv", "expect": 422},
        {"body": "{}", "content_type": "application/xml", "expect": 415},
    ],
}


class Served(Anything):  # type: ignore[misc]
    """A client of `sagemaker-runtime`.

    `shift` is added to each score. The load's request `stall_at`, counted from 0, holds up all that come after it for `stall` seconds,
    and its request `break_at` is answered with 500.
    """

    def __init__(
        self,
        *,
        shift: float = 0,
        memory_mb: float = 180,
        schema: Json = SCHEMA,
        stall_at: int | None = None,
        stall: float = 0,
        break_at: int | None = None,
    ) -> None:
        self._shift, self._memory_mb, self._schema = shift, memory_mb, schema
        self._stall_at, self._stall, self._break_at = stall_at, stall, break_at
        self._turn, self._never = threading.Lock(), threading.Event()
        self._singles = itertools.count(-1)  # the first single row is a golden request

    def invoke_endpoint(self, *, EndpointName: str, ContentType: str, Body: str, InferenceId: str, Accept: str = "") -> Json:  # noqa: N803, ARG002  # boto3's names
        refused = {("application/json", "{"): 400, ("text/csv", "x"): 422, ("application/xml", "{}"): 415}.get((ContentType, Body))
        if refused:
            raise refusal("ModelError", "refused", OriginalStatusCode=refused)
        return {"Body": io.BytesIO(json.dumps(self._answer(json.loads(Body))).encode())}

    def _answer(self, body: Json) -> Json:
        if "describe" in body:
            return {"model": "lead_scoring", "model_version": "0123", "schema": self._schema, "memory_mb": self._memory_mb}
        if "instances" not in body:
            self._single(next(self._singles))
        predictions = [{"score": score(row) + self._shift} for row in body.get("instances", [body])]
        if not body.get("explain"):
            return {"predictions": predictions, "model_version": "0123"}
        reasons = [[{"column": "age", "value": row["age"], "contribution": row["age"] / 10}] for row in body["instances"]]
        explained = [prediction | {"reasons": why} for prediction, why in zip(predictions, reasons, strict=True)]
        return {"predictions": explained, "base": -5.0, "model_version": "0123"}

    def _single(self, number: int) -> None:
        with self._turn:
            if number == self._stall_at:
                self._never.wait(self._stall)
        if number == self._break_at:
            raise refusal("ModelError", "broken", OriginalStatusCode=500)
