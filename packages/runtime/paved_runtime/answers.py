"""What /invocations answers in JSON. Plain scores have a type of their own: they are what is asked for all day."""

from __future__ import annotations

from typing import Any

import msgspec

from paved_runtime.rules import Value


class Prediction(msgspec.Struct, gc=False):
    """One row's answer."""

    score: float


class Answer(msgspec.Struct, gc=False):
    """A JSON request's answer. `model_version` begins the model's digest."""

    predictions: list[Prediction]
    model_version: str


class Reason(msgspec.Struct, gc=False):
    """What one column adds to a row's score, in log-odds, and the row's own value there. `error` is the standard error of a sampled one."""

    column: str
    value: Value
    contribution: float
    error: float | msgspec.UnsetType = msgspec.UNSET


class Explained(msgspec.Struct, gc=False):
    """One row's answer with its reasons, the weightiest first."""

    score: float
    reasons: list[Reason]


class ExplainedAnswer(msgspec.Struct, gc=False):
    """A JSON request's answer with reasons, by `method` exact or sampled: `base` plus a row's contributions is the logit of its score."""

    predictions: list[Explained]
    base: float
    model_version: str
    method: str


class Description(msgspec.Struct, gc=False):
    """What the model is: its digest, the contract it was trained under, the runtime that answers, and the resident memory of its
    process, in MiB.
    """

    model: str
    model_version: str
    model_sha256: str
    runtime: str
    schema: dict[str, Any]
    memory_mb: float
