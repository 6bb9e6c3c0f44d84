"""Slices: a model that is good on the whole may be of no use for some of the people it scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from model_code.runtime import comparison
from model_code.runtime.comparison import Difference
from model_code.runtime.curves import roc_auc
from model_code.runtime.groups import Group, groups
from model_code.runtime.scored import Scored
from model_code.runtime.verdict import Verdict, at_least, reported
from model_code.spec import Data, Gates, Slices

GATE = "slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice's figures; an area under the curve is None where an outcome is missing."""

    group: Group
    positives: int
    roc_auc: float | None
    champion_roc_auc: float | None
    difference: Difference | None
    judged: bool

    def as_json(self) -> dict[str, Any]:
        """The slice as it stands in report.json."""
        found = asdict(self.difference) if self.difference else {"value": None, "low": None, "high": None}
        return {
            "column": self.group.column,
            "group": self.group.name,
            "rows": len(self.group),
            "positives": self.positives,
            "roc_auc": self.roc_auc,
            "champion_roc_auc": self.champion_roc_auc,
            "difference": found["value"],
            "low": found["low"],
            "high": found["high"],
            "judged": self.judged,
        }


def measure(scored: Scored, data: Data, gates: Gates) -> list[Slice]:
    """Every slice that `model.toml` names. Bounds are corrected for the number of slices that are judged."""
    if gates.slices is None:
        return []
    parts = list(groups(scored.table, data, gates.slices.by))
    judged = [_enough(scored, part, gates.slices) for part in parts]
    confidence = 1 - (1 - gates.champion.confidence) / max(1, sum(judged))
    return [_slice(scored, part, confidence, judged=enough) for part, enough in zip(parts, judged, strict=True)]


def judge(slices: Sequence[Slice], scored: Scored, gates: Gates) -> Iterator[Verdict]:
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
        if comparison.judged(scored.champion, gates.champion):
            yield _against_champion(part, gates.champion.slice_margin)


def _against_champion(part: Slice, margin: float) -> Verdict:
    found, subject = part.difference, f"{part.group}: {comparison.SUBJECT}, upper bound"
    if found is None:
        return reported(comparison.GATE, subject, None, why="the champion cannot score these rows")
    advice = f"the challenger is worse here, by {-found.value:.4f}, and not by chance: find out what it has lost for these rows"
    return at_least(comparison.GATE, subject, found.high, -margin, advice=advice)


def _slice(scored: Scored, group: Group, confidence: float, *, judged: bool) -> Slice:
    champion = scored.champion
    common = group.rows & champion.scored if champion else group.rows
    return Slice(
        group=group,
        positives=int(scored.labels[group.rows].sum()),
        roc_auc=roc_auc(scored.labels[group.rows], scored.challenger[group.rows]),
        champion_roc_auc=roc_auc(scored.labels[common], champion.scores[common]) if champion else None,
        difference=comparison.between(scored, group.rows, confidence),
        judged=judged,
    )


def _enough(scored: Scored, group: Group, rule: Slices) -> bool:
    labels = scored.labels[group.rows]
    return bool(min(labels.sum(), (~labels).sum()) >= rule.minimum_outcomes)
