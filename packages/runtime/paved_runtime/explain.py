"""Why a row scores as it does: the score is shared out over the columns of `model.toml`, in log-odds, exactly or by sampling.

A framework that is `Explaining` computes it from its own files. A server loads them before it says that it is ready, not at the first
request for reasons. XGBoost's cost it 1.0 s instead of 0.4 s to start, and 176 MiB instead of 93; but so the golden requests prove the
reasons of every copy, and an image whose library reads the model differently never serves. Reasons of other frameworks are sampled: they
are made of scores alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, Self

import numpy as np

from paved_runtime import artifact, background, frameworks, plugin
from paved_runtime.frameworks import Explaining, Framework
from paved_runtime.sampling import BACKGROUND, Sampler
from paved_runtime.scoring import Score
from paved_runtime.spec import ModelSpec
from paved_runtime.table import Matrix

EXPLAINED = 1000  # rows a request: a third of a second for the first model, and an answer that SageMaker still passes on
SCORINGS = 100_000  # a request, where reasons are sampled: under a second for the first model, whose trees are slow to score
LEAST = 3  # rows that any request may ask about, as golden requests do


class Contributions(NamedTuple):
    """The base, the same for every row, and what each column adds to it, float32 [rows, columns]: together they are the logit of each row's
    score. `errors`, of the same shape, are the standard errors of sampled ones; None where they are exact.
    """

    base: float
    columns: Matrix
    errors: Matrix | None = None


class Explainer:
    """What gives reasons for a loaded model's scores, by `method`, of at most `most` rows a request. Safe to call from several threads."""

    def __init__(self, contributions: Callable[[Matrix], Contributions], method: Literal["exact", "sampled"], most: int) -> None:
        self.contributions = contributions  # of the matrix that is scored, float32 [rows, features], with at least one row
        self.method, self.most = method, most

    @classmethod
    def exact(cls, model: Path, framework: Explaining, features: plugin.Features, columns: Sequence[str]) -> Self:
        """Load what explains a model folder by `columns`, the contract's.

        Raises:
            ArtifactError: the framework refuses a file, its model has other features, or a feature belongs to no column.
        """
        positions = _positions(features, columns)
        columns_of = np.zeros((len(positions), len(columns)), dtype=np.float32)
        columns_of[np.arange(len(positions)), positions] = 1
        shares = partial(framework.contributions, framework.load(model))
        shares(np.zeros((1, len(positions)), dtype=np.float32))  # or a model of other features would be found out by a caller

        def contributions(matrix: Matrix) -> Contributions:
            base, each = shares(matrix)
            return Contributions(base, each @ columns_of)

        return cls(contributions, "exact", EXPLAINED)

    @classmethod
    def sampled(cls, model: Path, spec: ModelSpec, features: plugin.Features, score: Score) -> Self:
        """Reasons of a model folder that `score` answers for, against a background that is drawn from its data.json.

        Raises:
            ArtifactError: data.json is missing, a feature belongs to no column, or a row of the background gets no probability.
        """
        positions = _positions(features, spec.features)
        rows = background.draw(artifact.read_json(model / artifact.DATA), spec.data, BACKGROUND, spec.name)
        sampler = Sampler(score, features.features(rows), positions, len(spec.features), spec.name)
        return cls(lambda matrix: Contributions(*sampler(matrix)), "sampled", max(LEAST, SCORINGS // sampler.scorings))


def load(spec: ModelSpec, model: Path, framework: Framework, features: plugin.Features, score: Score) -> Explainer | None:
    """What explains a model folder that `score` answers for; None where its `model.toml` wants no reasons.

    Raises:
        ArtifactError: as both kinds of Explainer do.
        ValueError: `model.toml` wants exact reasons of a framework that has none.
    """
    match frameworks.method(spec, framework):
        case "exact":
            assert isinstance(framework, Explaining)
            return Explainer.exact(model, framework, features, spec.features)
        case "sampled":
            return Explainer.sampled(model, spec, features, score)
    return None


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
