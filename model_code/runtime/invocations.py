"""What POST /invocations means: bytes in, status and bytes out. Evaluation records its golden answers through this very code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import msgspec

from model_code.runtime import artifact, plugin
from model_code.runtime.requests import RequestError, Requests
from model_code.runtime.scoring import Scorer
from model_code.runtime.table import Matrix, Table
from model_code.spec import ModelSpec

JSON, CSV = "application/json", "text/csv"
LIMIT = 6 * 1024 * 1024  # what SageMaker passes on


class Reply(NamedTuple):
    """An HTTP answer."""

    status: int
    content_type: str
    body: bytes


class Prediction(msgspec.Struct, gc=False):
    """One row's answer."""

    score: float


class Answer(msgspec.Struct, gc=False):
    """A JSON request's answer. `model_version` begins the SHA-256 of the model's ONNX file."""

    predictions: list[Prediction]
    model_version: str


def refusal(status: int, message: str) -> Reply:
    """The answer to a request that is not answered."""
    return Reply(status, JSON, msgspec.json.encode({"error": message}))


class Invocations:
    """A model that answers requests."""

    def __init__(self, spec: ModelSpec, scorer: Scorer, features: plugin.Features, version: str) -> None:
        self.version = version
        self._requests = Requests(spec.data)
        self._scorer = scorer
        self._features = features.features
        self._encode = msgspec.json.Encoder().encode

    @classmethod
    def load(cls, spec: ModelSpec, model: Path) -> Invocations:
        """Load a model folder. Raises ArtifactError."""
        version = hashlib.sha256((model / artifact.ONNX).read_bytes()).hexdigest()[:12]
        return cls(spec, Scorer.load(model), plugin.features(spec.name), version)

    def reply(self, content_type: str, body: bytes) -> Reply:
        """Answer one request, whatever it holds."""
        kind, _, parameters = content_type.lower().partition(";")
        kind = kind.strip()
        if kind not in (JSON, CSV) or ("charset" in parameters and "utf-8" not in parameters):
            return refusal(415, f"expected content type {JSON} or {CSV} in UTF-8, found {content_type[:60]!r}")
        if len(body) > LIMIT:
            return refusal(413, f"expected at most {LIMIT} bytes, found more")
        try:
            if kind == JSON:
                scores = self.scores(self._requests.json(body)).tolist()
                return Reply(200, JSON, self._encode(Answer([Prediction(score) for score in scores], self.version)))
            scores = self.scores(self._requests.csv(body)).tolist()
            return Reply(200, CSV, "".join(f"{score!r}\n" for score in scores).encode())
        except RequestError as error:
            return refusal(error.status, str(error))

    def scores(self, table: Table) -> Matrix:
        """Probabilities of the positive outcome, float32 [rows]."""
        return self._scorer.matrix(self._features(table))
