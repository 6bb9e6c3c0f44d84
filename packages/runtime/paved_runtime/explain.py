"""Why a row scores as it does: the score is shared out over the columns of `model.toml`, exactly or by sampling: a probability in log-odds,
a number in its own unit; of several classes, the most probable one's against all others.

A framework that is `Explaining` computes it from its own files. A server loads them before it says that it is ready, not at the first
request for reasons. XGBoost's cost it 1.0 s instead of 0.4 s to start, and 176 MiB instead of 93; but so the golden requests prove the
reasons of every copy, and an image whose library reads the model differently never serves. Reasons of other frameworks are sampled: they
are made of scores alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, Self

import numpy as np

from paved_runtime import artifact, background, frameworks, links, plugin
from paved_runtime.frameworks import Explaining, Framework
from paved_runtime.links import LOG_ODDS, Link
from paved_runtime.reasons import Reasons
from paved_runtime.sampling import BACKGROUND, Chosen, Sampler
from paved_runtime.scoring import Score
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Matrix, Values

EXPLAINED = 1000  # rows a request: a third of a second for the first model, and an answer that SageMaker still passes on
SCORINGS = 100_000  # of one outcome a request, where reasons are sampled: under a second for the first model, whose trees are slow to score
LEAST = 3  # rows that any request may ask about, as golden requests do


class Contributions(NamedTuple):
    """The base of each score that a row has, float64 [1] or [classes], and what each column adds to it, float32 [rows, columns]: together
    they are each row's score by its link, of classes the most probable one's. `errors`, of the same shape, are the standard errors of
    sampled ones; None where they are exact.
    """

    base: Values
    columns: Matrix
    errors: Matrix | None = None


class Share(Protocol):
    """Shares scores out over columns."""

    def __call__(self, matrix: Matrix, chosen: Chosen | None = None, /) -> Contributions:
        """Of the matrix that is scored, float32 [rows, features], with at least one row; `chosen` as `most_probable` has it."""


class Explainer:
    """What gives reasons for a loaded model's scores, by `method`, of at most `most` rows a request. Safe to call from several threads."""

    def __init__(self, contributions: Share, method: Literal["exact", "sampled"], most: int, *, link: Link = LOG_ODDS) -> None:
        self.contributions, self.method, self.most, self.link = contributions, method, most, link

    def reasons(self, columns: Sequence[str], matrix: Matrix, scores: Values) -> Reasons:
        """Those of rows and their scores, by the contract's columns."""
        chosen = most_probable(scores)
        base, contributions, errors = self.contributions(matrix, chosen)
        if chosen is not None:
            base, scores = base[chosen], scores[np.arange(len(scores)), chosen]
        return Reasons(columns=columns, scores=scores, base=base, contributions=contributions, errors=errors, link=self.link)

    @classmethod
    def exact(cls, model: Path, framework: Explaining, features: plugin.Features, columns: Sequence[str], *, link: Link = LOG_ODDS) -> Self:
        """Load what explains a model folder by `columns`, the contract's.

        Raises:
            ArtifactError: the framework refuses a file, its model has other features, or a feature belongs to no column.
        """
        positions = _positions(features, columns)
        columns_of = np.zeros((len(positions), len(columns)), dtype=np.float32)
        columns_of[np.arange(len(positions)), positions] = 1
        shares = partial(framework.contributions, framework.load(model))
        shares(np.zeros((1, len(positions)), dtype=np.float32))  # or a model of other features would be found out by a caller

        def contributions(matrix: Matrix, _: Chosen | None = None, /) -> Contributions:
            base, each = shares(matrix)
            return Contributions(np.array([base]), each @ columns_of)

        return cls(contributions, "exact", EXPLAINED, link=link)

    @classmethod
    def sampled(cls, model: Path, spec: ModelSpec, features: plugin.Features, score: Score) -> Self:
        """Reasons of a model folder that `score` answers for, against a background that is drawn from its data.json.

        Raises:
            ArtifactError: data.json is missing, a feature belongs to no column, or a row of the background gets no score.
        """
        positions = _positions(features, spec.column_names)
        rows = background.draw(artifact.read_json(model / artifact.DATA), spec.data, BACKGROUND, spec.name)
        link = links.of(spec.task)
        sampler = Sampler(score, features.features(rows), positions, len(spec.column_names), spec.name, link=link)

        def contributions(matrix: Matrix, chosen: Chosen | None = None, /) -> Contributions:
            return Contributions(*sampler(matrix, chosen))

        return cls(contributions, "sampled", max(LEAST, SCORINGS // (sampler.scorings * sampler.outcomes)), link=link)


def load(spec: ModelSpec, model: Path, framework: Framework, features: plugin.Features, score: Score) -> Explainer | None:
    """What explains a model folder that `score` answers for; None where its `model.toml` wants no reasons.

    Raises:
        ArtifactError: as both kinds of Explainer do.
        ValueError: `model.toml` wants exact reasons of a framework that has none.
    """
    match frameworks.method(spec, framework):
        case "exact":
            assert isinstance(framework, Explaining)
            return Explainer.exact(model, framework, features, spec.column_names, link=links.of(spec.task))
        case "sampled":
            return Explainer.sampled(model, spec, features, score)
    return None


def most_probable(scores: Matrix | Values) -> Chosen | None:
    """The place of each row's most probable class, of scores [rows, classes]; None where a row has one score."""
    return None if scores.ndim == 1 else scores.argmax(axis=1)


def _positions(features: plugin.Features, columns: Sequence[str]) -> list[int]:
    """Where each feature's column stands: by the feature code's `SOURCES`, else by the feature's own name."""
    sources: Mapping[str, str] = getattr(features, "SOURCES", {})
    if unknown := [name for name in sources if name not in features.NAMES]:
        raise artifact.ArtifactError(f"SOURCES names {unknown[0]!r}, which is no feature: features are {', '.join(features.NAMES)}")
    origins = [sources.get(name, name) for name in features.NAMES]
    for name, column in zip(features.NAMES, origins, strict=True):
        if column not in columns:
            raise artifact.ArtifactError(f"feature {name!r} comes from {column!r}, which is no column: name one in SOURCES of features.py")
    return [columns.index(column) for column in origins]
