"""Fairness: is each group of people selected, and found where it is right to be selected, about as often as the group that fares best?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from paved_runtime.groups import Group, groups
from paved_runtime.holdout import Holdout
from paved_runtime.spec import Data, Fairness
from paved_runtime.table import Mask, Values
from paved_runtime.verdict import Verdict, at_least, at_most, reported

GATE = "fairness"


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How one group fares. Shares are NaN where there is nobody to count.

    `best_selection_rate` and `best_true_positive_rate` are the highest among the groups of the column that are large enough;
    None where fewer than two are, or this one is not: nothing can be compared then. `error` is how far the mean error lies from that of all
    rows, in standard deviations of the target; None where outcomes are no numbers.
    """

    group: Group
    positives: int
    selected: int
    true_positive_rate: float
    best_selection_rate: float | None
    best_true_positive_rate: float | None
    error: float | None = None

    @property
    def selection_rate(self) -> float:
        """The selection rate."""
        return self.selected / len(self.group) if len(self.group) else np.nan

    @property
    def ratio(self) -> float:
        """The selection rate over the best one; NaN where nothing is compared, or nobody is selected anywhere."""
        return self.selection_rate / self.best_selection_rate if self.best_selection_rate else np.nan

    @property
    def shortfall(self) -> float:
        """How far the true-positive rate is below the best one (equal opportunity: Hardt et al., NIPS 2016); NaN if not compared."""
        return np.nan if self.best_true_positive_rate is None else self.best_true_positive_rate - self.true_positive_rate

    def as_json(self) -> dict[str, Any]:
        """The group as it stands in report.json."""
        return {
            "column": self.group.column,
            "group": self.group.name,
            "rows": len(self.group),
            "positives": self.positives,
            "selected": self.selected,
            "selection_rate": _number(self.selection_rate),
            "selection_rate_ratio": _number(self.ratio),
            "true_positive_rate": _number(self.true_positive_rate),
            "opportunity_difference": _number(self.shortfall),
            "judged": self.best_selection_rate is not None,
            **({} if self.error is None else {"error_difference": _number(self.error)}),
        }


def measure(holdout: Holdout, data: Data, rule: Fairness) -> list[Treatment]:
    """Every group that `model.toml` names, column by column."""
    selected, positive = holdout.task.selection(holdout.labels, holdout.challenger, rule)
    errors = holdout.task.errors(holdout.labels, holdout.challenger)
    parts = groups(holdout.table, data, rule.groups)
    columns = [list(column) for _, column in groupby(parts, key=lambda part: part.column)]
    return [treatment for column in columns for treatment in _column(column, selected, positive, errors, rule)]


def judge(treatments: Sequence[Treatment], rule: Fairness) -> Iterator[Verdict]:
    """A group's verdicts: the ratio of its selection rate, the shortfall of its true-positive rate, and, of numbers, its mean error."""
    for treatment in treatments:
        counts = f"{treatment.selected} of {len(treatment.group)} rows selected, {treatment.positives} positive"
        yield _ratio(treatment, counts, rule)
        yield _opportunity(treatment, counts, rule)
        if treatment.error is not None:
            yield _error(treatment, treatment.error, rule)


def _ratio(treatment: Treatment, counts: str, rule: Fairness) -> Verdict:
    subject = f"{treatment.group}: selection-rate ratio"
    if treatment.best_selection_rate is None:
        return reported(GATE, subject, None, why=f"{counts}: compared are groups of {rule.minimum_rows} rows or more, if there are two")
    best = f"the best group's rate is {treatment.best_selection_rate:.4f}"
    advice = f"{counts}, {best}: find the columns that stand for the group, and whether they may"
    return at_least(GATE, subject, treatment.ratio, rule.selection_rate_ratio, advice=advice)


def _opportunity(treatment: Treatment, counts: str, rule: Fairness) -> Verdict:
    subject = f"{treatment.group}: equal-opportunity difference"
    if treatment.best_true_positive_rate is None:
        why = f"{counts}: compared are groups of {rule.minimum_positives} positive rows or more, if there are two"
        return reported(GATE, subject, None, why=why)
    rates = (
        f"{treatment.true_positive_rate:.4f} of its positive rows are selected, of the best group's {treatment.best_true_positive_rate:.4f}"
    )
    advice = f"{rates}: give the model what tells this group's positive rows, or more of its rows"
    return at_most(GATE, subject, treatment.shortfall, rule.equal_opportunity_difference, advice=advice)


def _error(treatment: Treatment, error: float, rule: Fairness) -> Verdict:
    subject = f"{treatment.group}: mean error against all rows', in standard deviations of the target"
    if len(treatment.group) < rule.minimum_rows:
        return reported(GATE, subject, error, why=f"{len(treatment.group)} rows: judged are groups of {rule.minimum_rows} rows or more")
    advice = f"scores of this group are too {'high' if error > 0 else 'low'}, by {abs(error):.4f}: give the model what tells its rows apart"
    return at_most(GATE, subject, abs(error), rule.error_difference, advice=advice)


def _column(parts: list[Group], selected: Mask, labels: Mask, errors: Values | None, rule: Fairness) -> Iterator[Treatment]:
    selection_rates = [_share(selected[part.rows]) for part in parts]
    true_positive_rates = [_share(selected[part.rows & labels]) for part in parts]
    positives = [int(labels[part.rows].sum()) for part in parts]
    large = [len(part) >= rule.minimum_rows for part in parts]
    telling = [enough and count >= rule.minimum_positives for enough, count in zip(large, positives, strict=True)]
    best_selection_rate, best_true_positive_rate = _best(selection_rates, large), _best(true_positive_rates, telling)
    for i, part in enumerate(parts):
        yield Treatment(
            group=part,
            positives=positives[i],
            selected=int(selected[part.rows].sum()),
            true_positive_rate=true_positive_rates[i],
            best_selection_rate=best_selection_rate if large[i] else None,
            best_true_positive_rate=best_true_positive_rate if telling[i] else None,
            error=None if errors is None else _mean(errors[part.rows]) - _mean(errors),
        )


def _best(shares: list[float], judged: list[bool]) -> float | None:
    """The highest share of the groups that are judged; None where there is no second one to compare with."""
    compared = [share for share, enough in zip(shares, judged, strict=True) if enough]
    return max(compared) if len(compared) > 1 else None


def _share(rows: Mask) -> float:
    return float(rows.mean()) if len(rows) else np.nan


def _mean(values: Values) -> float:
    return float(values.mean()) if len(values) else np.nan


def _number(share: float) -> float | None:
    return None if np.isnan(share) else share
