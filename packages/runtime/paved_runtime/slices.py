"""Slices: a model that is good on the whole may be of no use for some of the people it scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from paved_runtime import comparison
from paved_runtime.differences import Difference
from paved_runtime.groups import Group, groups
from paved_runtime.holdout import Holdout
from paved_runtime.spec import Data, Gates, Slices
from paved_runtime.table import Mask
from paved_runtime.verdict import Verdict, at_least, reported

GATE = "slices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice's figures: the headline of the model's task, `metric`, of challenger and champion; None where it cannot be had.

    `fewest` is what the task counts of its rows; `compared` says whether there are enough rows that the champion was not trained on.
    """

    group: Group
    metric: str
    fewest: int
    figure: float | None
    champion: float | None
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
            "fewest": self.fewest,
            "metric": self.metric,
            "figure": self.figure,
            "champion_figure": self.champion,
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
    least = gates.slices.minimum_outcomes
    return [_slice(holdout, *each, confidence=confidence, least=least) for each in zip(parts, judged, compared, strict=True)]


def judge(slices: Sequence[Slice], holdout: Holdout, gates: Gates) -> Iterator[Verdict]:
    """A floor for every slice, and, where there is a champion, the question whether the slice is shown to be worse."""
    if gates.slices is None:
        return
    title, few = holdout.task.title, holdout.task.few
    for part in slices:
        if not part.judged:
            why = f"{few} there are {part.fewest} of {len(part.group)} rows: judged from {gates.slices.minimum_outcomes}"
            yield reported(GATE, f"{part.group}: {title}", part.figure, why=why)
            continue
        assert part.figure is not None
        advice = "the model is too bad on these rows to be used for them: give it what tells them apart, or train it on more of them"
        yield at_least(GATE, f"{part.group}: {title}", part.figure, getattr(gates.slices, part.metric), advice=advice)
        if comparison.judged(holdout.champion, gates.champion):
            yield _against_champion(part, comparison.subject(holdout), gates.champion.slice_margin)


def _against_champion(part: Slice, compared: str, margin: float) -> Verdict:
    difference, subject = part.difference, f"{part.group}: {compared}, upper bound"
    if difference is None or not part.compared:
        why = "the champion cannot score these rows" if part.compared else "it was trained on these rows, or on most of them"
        return reported(comparison.GATE, subject, None if difference is None else difference.high, why=why)
    advice = f"the challenger is worse here, by {-difference.value:.4f}, and not by chance: find out what it has lost for these rows"
    return at_least(comparison.GATE, subject, difference.high, -margin, advice=advice)


def _slice(holdout: Holdout, group: Group, judged: bool, compared: bool, *, confidence: float, least: int) -> Slice:
    champion, task = holdout.champion, holdout.task
    shown = least if judged else 1
    common = group.rows & champion.comparable if champion else group.rows
    return Slice(
        group=group,
        metric=task.headline,
        fewest=task.fewest(holdout.labels[group.rows]),
        figure=task.figure(holdout.labels[group.rows], holdout.challenger[group.rows], shown),
        champion=task.figure(holdout.labels[common], champion.scores[common], shown) if champion else None,
        difference=comparison.between(holdout, group.rows, confidence, least),
        judged=judged,
        compared=compared,
    )


def _enough(holdout: Holdout, rows: Mask, rule: Slices) -> bool:
    return holdout.task.fewest(holdout.labels[rows]) >= rule.minimum_outcomes
