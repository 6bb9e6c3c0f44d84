"""What /invocations answers. Plain scores have a type of their own: they are what is asked for all day.

Where a row was looked up, its answer has `features`: by feature group the record's event time, and its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np

from paved_runtime.lookups import LookedUp
from paved_runtime.places import mean_place
from paved_runtime.rules import Value
from paved_runtime.spec import Data
from paved_runtime.table import Values


class Prediction(msgspec.Struct, gc=False):
    """One row's answer."""

    score: float
    features: Mapping[str, LookedUp] | msgspec.UnsetType = msgspec.UNSET


class Classified(msgspec.Struct, gc=False, rename={"name": "class"}):
    """One row's answer of a model of several classes: the most probable one, and the probabilities of all by their names, in order."""

    name: str
    scores: dict[str, float]
    features: Mapping[str, LookedUp] | msgspec.UnsetType = msgspec.UNSET


class Answer(msgspec.Struct, gc=False):
    """A JSON request's answer. `model_version` begins the model's digest."""

    predictions: list[Any]
    model_version: str


class Reason(msgspec.Struct, gc=False):
    """What one column adds to a row's score, and the row's own value there. `error` is the standard error of a sampled one.

    It is in log-odds, of a regression in the target's own unit.
    """

    column: str
    value: Value
    contribution: float
    error: float | msgspec.UnsetType = msgspec.UNSET


class Explained(msgspec.Struct, gc=False):
    """One row's answer with its reasons, the weightiest first."""

    score: float
    reasons: list[Reason]
    features: Mapping[str, LookedUp] | msgspec.UnsetType = msgspec.UNSET


class ExplainedClass(msgspec.Struct, gc=False, rename={"name": "class"}):
    """The same of several classes: the reasons are those of the most probable one, against all others."""

    name: str
    scores: dict[str, float]
    reasons: list[Reason]
    features: Mapping[str, LookedUp] | msgspec.UnsetType = msgspec.UNSET


class ExplainedAnswer(msgspec.Struct, gc=False):
    """A JSON request's answer with reasons, by `method` exact or sampled: `base`, of several classes that of the row's, plus a row's
    contributions is its score, of a probability the logit.
    """

    predictions: list[Any]
    base: float | dict[str, float]
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


class Form(Protocol):
    """How scores become answers. They come as Python has them, a row a number or a list of numbers."""

    def scalars(self, scores: list[Any]) -> list[float]:
        """One number a row, as the score log counts them."""

    def lines(self, scores: list[Any]) -> str:
        """CSV, a row a line."""

    def predictions(self, scores: list[Any]) -> list[Any]:
        """The answer to each row."""

    def explained(self, scores: list[Any], reasons: Sequence[list[Reason]]) -> list[Any]:
        """The same with each row's reasons."""

    def base(self, base: Values) -> float | dict[str, float]:
        """The base of each score that a row has."""


class Numbers:
    """One number a row: the probability of the positive outcome, or what is predicted."""

    def scalars(self, scores: list[float]) -> list[float]:
        return scores

    def lines(self, scores: list[float]) -> str:
        return "".join(f"{score!r}\n" for score in scores)

    def predictions(self, scores: list[float]) -> list[Prediction]:
        return [Prediction(score) for score in scores]

    def explained(self, scores: list[float], reasons: Sequence[list[Reason]]) -> list[Explained]:
        return [Explained(score, why) for score, why in zip(scores, reasons, strict=True)]

    def base(self, base: Values) -> float:
        return float(base[0])


class Classes:
    """The probabilities of several classes a row."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._classes = classes

    def scalars(self, scores: list[list[float]]) -> list[float]:
        places: list[float] = mean_place(np.array(scores)).tolist()
        return places

    def lines(self, scores: list[list[float]]) -> str:
        return "".join(f"{','.join(map(repr, row))}\n" for row in scores)

    def predictions(self, scores: list[list[float]]) -> list[Classified]:
        return [Classified(self._most_probable(row), self._named(row)) for row in scores]

    def explained(self, scores: list[list[float]], reasons: Sequence[list[Reason]]) -> list[ExplainedClass]:
        return [ExplainedClass(self._most_probable(row), self._named(row), why) for row, why in zip(scores, reasons, strict=True)]

    def base(self, base: Values) -> dict[str, float]:
        return self._named(base.tolist())

    def _most_probable(self, row: list[float]) -> str:
        return self._classes[row.index(max(row))]

    def _named(self, row: list[float]) -> dict[str, float]:
        return dict(zip(self._classes, row, strict=True))


def with_features(predictions: list[Any], looked_up: Sequence[Mapping[str, LookedUp]]) -> list[Any]:
    """The answers to rows, each with what was looked up for it."""
    for prediction, features in zip(predictions, looked_up, strict=bool(looked_up)):
        if features:
            prediction.features = features
    return predictions


def form(data: Data) -> Form:
    """That of a model with such a target."""
    return Classes(data.classes) if data.classes else Numbers()
