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

Rows that the champion was trained on are left out of both: it knows their outcomes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paved_runtime import bootstrap
from paved_runtime.bootstrap import CELLS, Weights
from paved_runtime.holdout import Champion, Holdout, Mask
from paved_runtime.spec import Champion as Rule
from paved_runtime.table import Values
from paved_runtime.verdict import Verdict, at_least, reported

GATE, SUBJECT = "champion", "ROC AUC, challenger minus champion"
RESAMPLES = 2000
COMPARABLE = 0.99  # share of the rows it was not trained on that the champion must have scored
OUTCOMES = 25  # rows of either outcome, once those that it was trained on are left out; with fewer, nothing can be said
UNKNOWN = "the champion does not know which rows it was trained on: held-out ones may be among them"


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


def difference(
    labels: Mask, challenger: Values, champion: Values, *, confidence: float, resamples: int = RESAMPLES, cells: int = CELLS
) -> Difference:
    """The difference and its bounds. Both outcomes must occur; the same rows give the same answer. `cells` bounds the memory."""
    rankings = [Ranking(scores[labels], scores[~labels]) for scores in (challenger, champion)]
    positives, negatives = int(labels.sum()), int((~labels).sum())
    once = np.ones((1, positives), dtype=np.int64), np.ones((1, negatives), dtype=np.int64)
    ours, theirs = (ranking.auc(*once)[0] for ranking in rankings)
    draws = bootstrap.resamples(positives, negatives, count=resamples, cells=cells)
    drawn = np.concatenate([rankings[0].auc(*weights) - rankings[1].auc(*weights) for weights in draws])
    low = float(np.quantile(drawn, 1 - confidence, method="lower"))
    high = float(np.quantile(drawn, confidence, method="higher"))
    return Difference(float(ours - theirs), low, high, confidence)


def between(holdout: Holdout, rows: Mask, confidence: float) -> Difference | None:
    """The difference in some of the rows, as far as the champion has scored them and was not trained on them.

    None where an outcome, or the champion, is missing.
    """
    if holdout.champion is None:
        return None
    common = rows & holdout.champion.comparable
    labels = holdout.labels[common]
    if labels.all() or not labels.any():
        return None
    return difference(labels, holdout.challenger[common], holdout.champion.scores[common], confidence=confidence)


def judged(champion: Champion | None, rule: Rule) -> bool:
    """Whether the champion takes part in the verdicts."""
    return champion is not None and rule.compare


def judge(holdout: Holdout, overall: Difference | None, rule: Rule) -> Verdict:
    """The verdict over all rows; `overall` is the difference in them."""
    champion = holdout.champion
    if champion is None:
        return reported(GATE, SUBJECT, None, why="there is no champion yet: the absolute floors alone decide")
    if not rule.compare:
        value = overall.value if overall else None
        return reported(GATE, SUBJECT, value, why="gates.champion.compare is false in model.toml: the absolute floors alone decide")
    if overall is None or not comparable(holdout, champion):
        return _incomparable(holdout, champion)
    return at_least(GATE, f"{SUBJECT}, lower bound", overall.low, -rule.margin, advice=_worse(overall, champion, rule))


def comparable(holdout: Holdout, champion: Champion) -> bool:
    """Whether the champion has scored enough of the rows that it was not trained on, and enough of these are there."""
    left_out = not champion.unseen.all()
    return _share(champion) >= COMPARABLE and (not left_out or _rarer(holdout, champion) >= OUTCOMES)


def _share(champion: Champion) -> float:
    """Of the rows that the champion was not trained on, the share that it has scored."""
    return float(champion.scored[champion.unseen].mean()) if champion.unseen.any() else 1.0


def _rarer(holdout: Holdout, champion: Champion) -> int:
    """How many rows of the rarer outcome there are to compare on."""
    labels = holdout.labels[champion.comparable]
    return min(int(labels.sum()), int((~labels).sum()))


def _incomparable(holdout: Holdout, champion: Champion) -> Verdict:
    leave = "set gates.champion.compare = false in model.toml for this push; the evidence will show it"
    share, seen = _share(champion), int((~champion.unseen).sum())
    if share < COMPARABLE or not seen:
        why = "the champion's own contract refuses the other rows"
        why = f"the champion cannot be compared ({champion.reason})" if champion.reason else why
        return at_least(GATE, "held-out rows that the champion can score", share, COMPARABLE, advice=f"{why}: {leave}")
    why = f"the champion was trained on {seen} of the {len(holdout)} held-out rows, and too few others remain"
    subject = "held-out rows of the rarer outcome that the champion was not trained on"
    return at_least(GATE, subject, _rarer(holdout, champion), OUTCOMES, advice=f"{why}: {leave}")


def _worse(overall: Difference, champion: Champion, rule: Rule) -> str:
    sure = f"{rule.confidence:.4g}"
    if overall.value < -rule.margin:
        seen = f"; {UNKNOWN}, and then leave it out with gates.champion.compare = false" if champion.trained is None else ""
        return f"the challenger ranks worse by {-overall.value:.4f}: train a better one{seen}"
    unsure = f"the difference is {overall.value:+.4f}, but a loss beyond the margin cannot be excluded with confidence {sure}"
    return f"{unsure}: train a better challenger, or hold out more rows (data.holdout)"
