"""What POST /invocations means: bytes in, status and bytes out. Evaluation records its golden answers through this very code."""

from __future__ import annotations

import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from paved_runtime import __version__, answers, artifact, explain, frameworks, plugin, scoring
from paved_runtime.answers import Answer, Description, ExplainedAnswer, Reason, with_features
from paved_runtime.cells import written
from paved_runtime.explain import Explainer, most_probable
from paved_runtime.lookups import Lookups
from paved_runtime.media_types import CSV, FORMATS, JSON, MediaType, RequestError, acceptable, content
from paved_runtime.online_store import OnlineStore
from paved_runtime.protocol import model_sha256, model_version
from paved_runtime.requests import Question, Requests
from paved_runtime.rules import rules
from paved_runtime.scoring import Score
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Matrix, Table

LIMIT = 6 * 1024 * 1024  # what SageMaker passes on


class Reply(NamedTuple):
    """An HTTP answer. `scores` are those in it, one number a row."""

    status: int
    content_type: str
    body: bytes
    scores: Sequence[float] = ()


def refusal(status: int, message: str) -> Reply:
    """The answer to a request that is not answered."""
    return Reply(status, JSON, msgspec.json.encode({"error": message}))


class Invocations:
    """A model that answers requests, of at most `limit` bytes."""

    limit = LIMIT

    def __init__(
        self,
        spec: ModelSpec,
        score: Score,
        explainer: Explainer | None,
        features: plugin.Features,
        schema: dict[str, Any],
        sha256: str,
        store: OnlineStore | None = None,
    ) -> None:
        """`explainer` is None where the model gives no reasons, `store` where it looks up nothing, or not here."""
        self.sha256, self.version = sha256, model_version(sha256)
        self._name, self._schema = spec.name, schema
        lookups = Lookups(spec.features, spec.data, store) if spec.features else None
        self.requests, self._rules, self.looks_up = Requests(spec.data, lookups), rules(spec.data), bool(lookups and store)
        self._score, self.explainer = score, explainer
        self._features, self.form = features.features, answers.form(spec.data)
        self._encoder = msgspec.json.Encoder()

    @classmethod
    def load(cls, spec: ModelSpec, model: Path, store: OnlineStore | None = None) -> Invocations:
        """Load a model folder; `store` is where its features are looked up. Raises ArtifactError."""
        features = plugin.features(spec.name)
        framework = frameworks.of(spec)
        score = scoring.load(framework, model)
        explainer = explain.load(spec, model, framework, features, score)
        return cls(spec, score, explainer, features, artifact.read_json(model / artifact.SCHEMA), sha256(model), store)

    def reply(self, content_type: str, body: bytes, accept: str = "") -> Reply:
        """Answer one request, whatever it holds, in a format that `accept` asks for; refusals are JSON."""
        try:
            kind = content(content_type)
            offers = acceptable(accept, kind)
            if len(body) > self.limit:
                raise RequestError(413, f"expected at most {self.limit} bytes, found more")
            question = self.requests.read(kind, body)
            if question.table is None or question.explain:
                return self._in_json(offers, accept, question)
            chosen = _with_names(offers, accept) if question.looked_up else offers[0]
            return self._scored(chosen, self.scores(question.table).tolist(), question)
        except RequestError as error:
            return refusal(error.status, str(error))

    def scores(self, table: Table) -> Matrix:
        """What the model answers, float32 [rows], or, of several classes, [rows, classes]."""
        return self._score(self._features(table))

    def _scored(self, kind: MediaType, scores: list[Any], question: Question) -> Reply:
        if kind.format == CSV:
            body = self.form.lines(scores).encode()
        elif kind.format == JSON:
            body = self._encoder.encode(Answer(with_features(self.form.predictions(scores), question.looked_up), self.version))
        else:
            body = self._encoder.encode_lines(with_features(self.form.predictions(scores), question.looked_up))
        return Reply(200, kind.name, body, self.form.scalars(scores))

    def _in_json(self, offers: Sequence[MediaType], accept: str, question: Question) -> Reply:
        """Reasons for a table's rows or, without one, what the model is: both have no other form than JSON."""
        if JSON not in (offer.format for offer in offers):
            raise RequestError(406, f"expected to accept {JSON}, which reasons and descriptions are given in, found {accept[:60]!r}")
        if question.table is None:
            description = Description(self._name, self.version, self.sha256, __version__, self._schema, round(resident(), 1))
            return Reply(200, JSON, self._encoder.encode(description))
        if self.explainer is None:
            raise RequestError(400, f"expected no question for reasons, found one: {self._name} gives none (reasons in its model.toml)")
        return self._explained(question.table, question, self.explainer)

    def _explained(self, table: Table, question: Question, explainer: Explainer) -> Reply:
        if len(table) > explainer.most:
            raise RequestError(413, f"expected at most {explainer.most} rows to explain, found {len(table)}")
        matrix = self._features(table)
        scores = self._score(matrix)
        base, contributions, errors = explainer.contributions(matrix, most_probable(scores))
        columns = [(name, written(table, name, rule, rule.write)) for name, rule in self._rules.items()]
        weightiest = np.argsort(-np.abs(contributions), axis=1, kind="stable").tolist()
        doubts = [[msgspec.UNSET] * len(columns)] * len(table) if errors is None else errors.tolist()
        rows = zip(contributions.tolist(), doubts, weightiest, strict=True)
        reasons = [
            [Reason(columns[at][0], columns[at][1][row], adds[at], doubt[at]) for at in order]
            for row, (adds, doubt, order) in enumerate(rows)
        ]
        listed = scores.tolist()
        answer = ExplainedAnswer(
            with_features(self.form.explained(listed, reasons), question.looked_up), self.form.base(base), self.version, explainer.method
        )
        return Reply(200, JSON, self._encoder.encode(answer), self.form.scalars(listed))


def _with_names(offers: Sequence[MediaType], accept: str) -> MediaType:
    """The first of some formats in which an answer can have what was looked up. Raises RequestError, 406."""
    if kind := next((offer for offer in offers if offer.format != CSV), None):
        return kind
    formats = " or ".join(known for known in FORMATS if known != CSV)
    raise RequestError(406, f"expected to accept {formats}, which what is looked up is said in, found {accept[:60]!r}")


def sha256(model: Path) -> str:
    """The digest of a model folder: of its ONNX file, where it has one, and its metadata, one behind the other.

    Other code around the same trees is another version: the metadata name commit, data and image.
    """
    graph = model / artifact.ONNX
    return model_sha256(graph.read_bytes() if graph.is_file() else b"", (model / artifact.METADATA).read_bytes())


def resident() -> float:
    """MiB of memory that this process holds; where the system does not tell, the most it ever held."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
