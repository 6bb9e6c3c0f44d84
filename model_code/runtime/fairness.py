"""Fairness: is each group of people selected, and found where it is right to be selected, about as often as the group that fares best?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from model_code.runtime.groups import Group, groups
from model_code.runtime.scored import Mask, Scored
from model_code.runtime.verdict import Verdict, at_least, at_most, reported
from model_code.spec import Data, Fairness

GATE = "fairness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How one group fares. Shares are NaN where there is nobody to count.

    `best_rate` and `best_found` are the highest selection rate and true-positive rate among the groups of the column that are large enough;
    None where fewer than two are, or this one is not: nothing can be compared then.
    """

    group: Group
    positives: int
    selected: int
    found: float
    best_rate: float | None
    best_found: float | None

    @property
    def rate(self) -> float:
        """The selection rate."""
        return self.selected / len(self.group) if len(self.group) else np.nan

    @property
    def ratio(self) -> float:
        """The selection rate over the best one; NaN where nothing is compared, or nobody is selected anywhere."""
        return self.rate / self.best_rate if self.best_rate else np.nan

    @property
    def shortfall(self) -> float:
        """How far the true-positive rate is below the best one (equal opportunity: Hardt et al., NIPS 2016); NaN if not compared."""
        return np.nan if self.best_found is None else self.best_found - self.found

    def as_json(self) -> dict[str, Any]:
        """The group as it stands in report.json."""
        return {
            "column": self.group.column,
            "group": self.group.name,
            "rows": len(self.group),
            "positives": self.positives,
            "selected": self.selected,
            "selection_rate": _number(self.rate),
            "selection_rate_ratio": _number(self.ratio),
            "true_positive_rate": _number(self.found),
            "opportunity_difference": _number(self.shortfall),
            "judged": self.best_rate is not None,
        }


def measure(scored: Scored, data: Data, rule: Fairness) -> list[Treatment]:
    """Every group that `model.toml` names, column by column."""
    selected = scored.challenger >= rule.threshold
    parts = groups(scored.table, data, rule.groups)
    columns = [list(column) for _, column in groupby(parts, key=lambda part: part.column)]
    return [treatment for column in columns for treatment in _column(column, selected, scored.labels, rule)]


def judge(treatments: Sequence[Treatment], rule: Fairness) -> Iterator[Verdict]:
    """Two verdicts a group: the ratio of its selection rate, and the shortfall of its true-positive rate."""
    for one in treatments:
        counts = f"{one.selected} of {len(one.group)} rows selected, {one.positives} positive"
        yield _ratio(one, counts, rule)
        yield _opportunity(one, counts, rule)


def _ratio(one: Treatment, counts: str, rule: Fairness) -> Verdict:
    subject = f"{one.group}: selection-rate ratio"
    if one.best_rate is None:
        return reported(GATE, subject, None, why=f"{counts}: compared are groups of {rule.minimum_rows} rows or more, if there are two")
    advice = f"{counts}, the best group's rate is {one.best_rate:.4f}: find the columns that stand for the group, and whether they may"
    return at_least(GATE, subject, one.ratio, rule.selection_rate_ratio, advice=advice)


def _opportunity(one: Treatment, counts: str, rule: Fairness) -> Verdict:
    subject = f"{one.group}: equal-opportunity difference"
    if one.best_found is None:
        why = f"{counts}: compared are groups of {rule.minimum_positives} positive rows or more, if there are two"
        return reported(GATE, subject, None, why=why)
    found = f"{one.found:.4f} of its positive rows are selected, of the best group's {one.best_found:.4f}"
    advice = f"{found}: give the model what tells this group's positive rows, or more of its rows"
    return at_most(GATE, subject, one.shortfall, rule.equal_opportunity_difference, advice=advice)


def _column(parts: list[Group], selected: Mask, labels: Mask, rule: Fairness) -> Iterator[Treatment]:
    rates = [_share(selected[part.rows]) for part in parts]
    founds = [_share(selected[part.rows & labels]) for part in parts]
    positives = [int(labels[part.rows].sum()) for part in parts]
    large = [len(part) >= rule.minimum_rows for part in parts]
    telling = [enough and count >= rule.minimum_positives for enough, count in zip(large, positives, strict=True)]
    best_rate, best_found = _best(rates, large), _best(founds, telling)
    for i, part in enumerate(parts):
        yield Treatment(
            group=part,
            positives=positives[i],
            selected=int(selected[part.rows].sum()),
            found=founds[i],
            best_rate=best_rate if large[i] else None,
            best_found=best_found if telling[i] else None,
        )


def _best(shares: list[float], judged: list[bool]) -> float | None:
    """The highest share of the groups that are judged; None where there is no second one to compare with."""
    compared = [share for share, enough in zip(shares, judged, strict=True) if enough]
    return max(compared) if len(compared) > 1 else None


def _share(rows: Mask) -> float:
    return float(rows.mean()) if len(rows) else np.nan


def _number(share: float) -> float | None:
    return None if np.isnan(share) else share
