"""Slices: a model that is good on the whole may be of no use for some of the people it scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from paved_runtime import comparison
from paved_runtime.comparison import Difference
from paved_runtime.curves import roc_auc
from paved_runtime.groups import Group, groups
from paved_runtime.holdout import Holdout, Mask
from paved_runtime.spec import Data, Gates, Slices
from paved_runtime.verdict import Verdict, at_least, reported

GATE = "slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice's figures; an area under the curve is None where an outcome is missing.

    `compared` says whether there are enough rows that the champion was not trained on.
    """

    group: Group
    positives: int
    roc_auc: float | None
    champion_roc_auc: float | None
    difference: Difference | None
    judged: bool
    compared: bool

    def as_json(self) -> dict[str, Any]:
        """The slice as it stands in report.json."""
        difference = asdict(self.difference) if self.difference else dict.fromkeys(("value", "low", "high"))
        return {
            "column": self.group.column,
            "group": self.group.name,
            "rows": len(self.group),
            "positives": self.positives,
            "roc_auc": self.roc_auc,
            "champion_roc_auc": self.champion_roc_auc,
            "difference": difference["value"],
            "low": difference["low"],
            "high": difference["high"],
            "judged": self.judged,
        }


def measure(holdout: Holdout, data: Data, gates: Gates) -> list[Slice]:
    """Every slice that `model.toml` names. Bounds are corrected for the number of slices that are compared."""
    if gates.slices is None:
        return []
    parts = list(groups(holdout.table, data, gates.slices.by))
    everywhere = np.ones(len(holdout), dtype=np.bool_)
    unseen = holdout.champion.unseen if holdout.champion else everywhere
    judged, compared = ([_enough(holdout, part.rows & rows, gates.slices) for part in parts] for rows in (everywhere, unseen))
    confidence = 1 - (1 - gates.champion.confidence) / max(1, sum(compared))
    return [_slice(holdout, *each, confidence=confidence) for each in zip(parts, judged, compared, strict=True)]


def judge(slices: Sequence[Slice], holdout: Holdout, gates: Gates) -> Iterator[Verdict]:
    """A floor for every slice, and, where there is a champion, the question whether the slice is shown to be worse."""
    if gates.slices is None:
        return
    for part in slices:
        if not part.judged:
            why = f"{part.positives} of {len(part.group)} rows are positive: judged from {gates.slices.minimum_outcomes} of either outcome"
            yield reported(GATE, f"{part.group}: ROC AUC", part.roc_auc, why=why)
            continue
        assert part.roc_auc is not None
        advice = "the model ranks these rows too badly to be used for them: give it what tells them apart, or train it on more of them"
        yield at_least(GATE, f"{part.group}: ROC AUC", part.roc_auc, gates.slices.roc_auc, advice=advice)
        if comparison.judged(holdout.champion, gates.champion):
            yield _against_champion(part, gates.champion.slice_margin)


def _against_champion(part: Slice, margin: float) -> Verdict:
    difference, subject = part.difference, f"{part.group}: {comparison.SUBJECT}, upper bound"
    if difference is None or not part.compared:
        why = "the champion cannot score these rows" if part.compared else "it was trained on these rows, or on most of them"
        return reported(comparison.GATE, subject, None if difference is None else difference.high, why=why)
    advice = f"the challenger is worse here, by {-difference.value:.4f}, and not by chance: find out what it has lost for these rows"
    return at_least(comparison.GATE, subject, difference.high, -margin, advice=advice)


def _slice(holdout: Holdout, group: Group, judged: bool, compared: bool, *, confidence: float) -> Slice:
    champion = holdout.champion
    common = group.rows & champion.comparable if champion else group.rows
    return Slice(
        group=group,
        positives=int(holdout.labels[group.rows].sum()),
        roc_auc=roc_auc(holdout.labels[group.rows], holdout.challenger[group.rows]),
        champion_roc_auc=roc_auc(holdout.labels[common], champion.scores[common]) if champion else None,
        difference=comparison.between(holdout, group.rows, confidence),
        judged=judged,
        compared=compared,
    )


def _enough(holdout: Holdout, rows: Mask, rule: Slices) -> bool:
    labels = holdout.labels[rows]
    return bool(min(labels.sum(), (~labels).sum()) >= rule.minimum_outcomes)
