"""What a container and the road around it must agree on: names of files, of log events and of requests, and how a version is called.

Standard library only: neither side has the other's packages.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

OWN = "road:"  # so begin the inference ids of the road's own requests, which monitoring leaves out
BATCH_CAPTURE = "batch-"  # so begin the names of objects with rows that a batch scored, and no caller asked the endpoint about

ENTRYPOINT = ("python", "-m", "paved_runtime")  # of every model's image: a job that says what is to be run says this, too

# In model.tar.gz
ONNX, SCHEMA, METADATA = "model.onnx", "schema.json", "metadata.json"
EVALUATION, GOLDEN = "evaluation.json", "golden.json"
# In output.tar.gz, beside it
REPORT, PARITY = "report.json", "parity.json"

# The score log: events in a container's log, and the metrics that CloudWatch makes of them, each by version.
SCORES, REFUSED = "scores", "refused"
SCORED_ROWS, VERSION_DIMENSION = "ScoredRows", "ModelVersion"

Score = float | list[float]  # of a row: a number or, of several classes, the probability of each, in order


def scores(answer: Any) -> list[Score]:
    """Each row's score out of an answer of /invocations in JSON. Raises KeyError, TypeError or ValueError where it has none."""
    return [_score(prediction) for prediction in answer["predictions"]]


def apart(scores: Sequence[Score], others: Sequence[Score]) -> list[float]:
    """How far scores lie apart, number by number. Raises ValueError where they are not of as many rows, or classes."""
    pairs = zip(scores, others, strict=True)
    return [abs(one - other) for row, as_before in pairs for one, other in zip(_listed(row), _listed(as_before), strict=True)]


def reasons(answer: Any) -> dict[str, Any]:
    """The base out of an answer with reasons, of several classes one each by name, and each row's `contributions` by column.

    Raises KeyError or TypeError where there are none.
    """
    rows = [{reason["column"]: reason["contribution"] for reason in prediction["reasons"]} for prediction in answer["predictions"]]
    return {"base": answer["base"], "contributions": rows}


def reasons_apart(reasons: dict[str, Any], others: dict[str, Any]) -> list[float]:
    """How far reasons lie apart, number by number. Raises KeyError, TypeError or ValueError where they are not of the same rows, columns
    or classes.
    """
    pairs = [(_by_class(reasons["base"]), _by_class(others["base"])), *zip(reasons["contributions"], others["contributions"], strict=True)]
    return [abs(each[name] - value) for each, as_before in pairs for name, value in as_before.items()]


def _score(prediction: Any) -> Score:
    return [float(score) for score in {**prediction["scores"]}.values()] if "scores" in prediction else float(prediction["score"])


def _listed(score: Score) -> list[float]:
    return score if isinstance(score, list) else [score]


def _by_class(base: Any) -> dict[str, Any]:
    return base if isinstance(base, dict) else {"": base}


def score_percentile(percent: int) -> str:
    """The metric of a percentile of the scores."""
    return f"ScoreP{percent}"


def model_sha256(onnx: bytes, metadata: bytes) -> str:
    """The digest of a whole model: of these two files, of which the second has the digests of all others. `onnx` may be empty."""
    return hashlib.sha256(onnx + metadata).hexdigest()


def model_version(sha256: str) -> str:
    """How a container names the model that it serves: the first 12 hex digits of its digest."""
    return sha256[:12]
