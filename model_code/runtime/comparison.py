"""Champion and challenger: which of two models ranks the same rows better, and how sure one may be of it.

The ROC AUC is the share of pairs of one positive and one negative row that a model puts in the right order, ties counting half (Hanley and
McNeil, Radiology 143, 1982). Its uncertainty comes from a paired bootstrap, stratified by outcome, as in Robin et al., BMC Bioinformatics
12:77, 2011: P of P positive and N of N negative rows are drawn with replacement, the same ones for both models, and

    D* = AUC*(challenger) - AUC*(champion)

is computed each time. Bounds are quantiles of D* (the percentile method: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
ch. 13), rounded outwards to a D* that occurred. Two questions are asked of them, each one-sided:

- overall, is the challenger no worse than a margin (non-inferiority)? Only if the lower bound is at or above -margin: few rows fail.
- in a slice, is the challenger shown to be worse? Only if the upper bound, at a confidence corrected for the number of slices that are
  judged (Bonferroni: 1 - (1 - confidence) / slices), is below -slice_margin: few rows pass, or chance alone would refuse good models.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model_code.runtime.scored import Champion, Mask, Scored
from model_code.runtime.table import Values
from model_code.runtime.verdict import Verdict, at_least, reported
from model_code.spec import Champion as Rule

GATE, SUBJECT = "champion", "ROC AUC, challenger minus champion"
RESAMPLES = 2000
SEED = 0
CELLS = 100_000  # weights held at a time: what the bootstrap needs of memory is this, or one resample
COMPARABLE = 0.99  # share of the rows that the champion must have scored
Weights = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """ROC AUC of the challenger less the champion's. `low` and `high` are one-sided bounds, each at `confidence`."""

    value: float
    low: float
    high: float
    confidence: float


class Ranking:
    """One model's order of the rows, from which the ROC AUC follows in linear time however often each row is counted."""

    def __init__(self, positive: Values, negative: Values) -> None:
        """Scores of the rows of either outcome: float64 [P] and [N]."""
        self._order = np.argsort(negative)
        ranked = negative[self._order]
        self._below = np.searchsorted(ranked, positive, side="left")
        self._not_above = np.searchsorted(ranked, positive, side="right")

    def auc(self, positive: Weights, negative: Weights) -> Values:
        """float64 [k]: the ROC AUC when rows count as often as the weights [k, P] and [k, N] say. Exact: whole numbers until the end."""
        counts = np.zeros((len(negative), negative.shape[1] + 1), dtype=np.int64)
        np.cumsum(negative[:, self._order], axis=1, out=counts[:, 1:])
        wins = np.einsum("kp,kp->k", positive, counts[:, self._below] + counts[:, self._not_above])
        return np.asarray(wins / (2.0 * positive.sum(axis=1) * negative.sum(axis=1)), dtype=np.float64)


def difference(labels: Mask, challenger: Values, champion: Values, *, confidence: float, resamples: int = RESAMPLES) -> Difference:
    """The difference and its bounds. Both outcomes must occur; the same rows give the same answer."""
    rankings = [Ranking(scores[labels], scores[~labels]) for scores in (challenger, champion)]
    positives, negatives = int(labels.sum()), int((~labels).sum())
    once = np.ones((1, positives), dtype=np.int64), np.ones((1, negatives), dtype=np.int64)
    ours, theirs = (ranking.auc(*once)[0] for ranking in rankings)
    draw = np.random.default_rng(SEED)
    size = max(1, CELLS // len(labels))
    parts = []
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        weights = _weights(draw, count, positives), _weights(draw, count, negatives)
        parts.append(rankings[0].auc(*weights) - rankings[1].auc(*weights))
    drawn = np.concatenate(parts)
    low = float(np.quantile(drawn, 1 - confidence, method="lower"))
    high = float(np.quantile(drawn, confidence, method="higher"))
    return Difference(float(ours - theirs), low, high, confidence)


def between(scored: Scored, rows: Mask, confidence: float) -> Difference | None:
    """The difference in some of the rows, as far as the champion has scored them. None where an outcome, or the champion, is missing."""
    if scored.champion is None:
        return None
    common = rows & scored.champion.scored
    labels = scored.labels[common]
    if labels.all() or not labels.any():
        return None
    return difference(labels, scored.challenger[common], scored.champion.scores[common], confidence=confidence)


def judged(champion: Champion | None, rule: Rule) -> bool:
    """Whether the champion takes part in the verdicts."""
    return champion is not None and rule.compare


def judge(scored: Scored, found: Difference | None, rule: Rule) -> Verdict:
    """The verdict over all rows; `found` is the difference in them."""
    champion = scored.champion
    if champion is None:
        return reported(GATE, SUBJECT, None, why="there is no champion yet: the absolute floors alone decide")
    if not rule.compare:
        value = found.value if found else None
        return reported(GATE, SUBJECT, value, why="gates.champion.compare is false in model.toml: the absolute floors alone decide")
    share = float(champion.scored.mean())
    if share < COMPARABLE or found is None:
        return at_least(GATE, "held-out rows that the champion can score", share, COMPARABLE, advice=_incomparable(champion))
    return at_least(GATE, f"{SUBJECT}, lower bound", found.low, -rule.margin, advice=_worse(found, rule))


def _weights(draw: np.random.Generator, resamples: int, rows: int) -> Weights:
    """How often each of `rows` rows is drawn in as many draws: int64 [resamples, rows]."""
    drawn = draw.integers(0, rows, (resamples, rows)) + np.arange(resamples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.int64, copy=False)


def _incomparable(champion: Champion) -> str:
    why = (
        f"the champion cannot be compared ({champion.reason})" if champion.reason else "the champion's own contract refuses the other rows"
    )
    return f"{why}: set gates.champion.compare = false in model.toml for this push; the evidence will show it"


def _worse(found: Difference, rule: Rule) -> str:
    sure = f"{rule.confidence:.4g}"
    if found.value < -rule.margin:
        seen = "if data.seed or data.holdout changed, the champion has seen these rows: leave it out with gates.champion.compare = false"
        return f"the challenger ranks worse by {-found.value:.4f}: train a better one; {seen}"
    unsure = f"the difference is {found.value:+.4f}, but a loss beyond the margin cannot be excluded with confidence {sure}"
    return f"{unsure}: train a better challenger, or hold out more rows (data.holdout)"
