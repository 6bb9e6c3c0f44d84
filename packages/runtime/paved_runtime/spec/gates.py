"""`[gates]`: what a candidate must reach."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from paved_runtime.spec.values import Cell, Cut, Section, Tuple

Groups = dict[str, Tuple[Cut]]


class Champion(Section):
    """How far a challenger may fall behind the version in production, on the same held-out rows.

    All figures are of the task's headline: ROC AUC, of classes the mean over them, each against the others; of a regression R².
    `margin` bounds the loss of it that the one-sided `confidence` bound of a paired bootstrap must exclude; `slice_margin` the loss
    that no slice may be shown to have. Where the challenger ranks better by more than `suspicious_gain`, a person is asked whether that can
    be. `compare = false` leaves the comparison out, and the evidence says so.
    """

    compare: bool = True
    margin: float = Field(default=0.01, gt=0, lt=0.5)
    slice_margin: float = Field(default=0.03, gt=0, lt=0.5)
    suspicious_gain: float = Field(default=0.05, gt=0, lt=0.5)
    confidence: float = Field(default=0.95, ge=0.8, lt=1)


class Slices(Section):
    """Parts of the held-out rows that are judged by themselves.

    `by` has a column each: cut points for a number, nothing for a category, whose values are the slices. A slice with fewer than
    `minimum_outcomes` rows of either outcome, of two classes or, in a regression, in all, is reported, not judged. Of classes, those
    with fewer rows in a slice are left out there. R² is that of the slice's own rows.
    """

    by: Groups = Field(min_length=1)
    roc_auc: float = Field(default=0.5, ge=0.5, le=1)
    r2: float = Field(default=0.0, lt=1)
    minimum_outcomes: int = Field(default=50, gt=0)


class Fairness(Section):
    """What must hold between the groups of people that a score treats.

    A row is selected when its score is at least `threshold`, of classes when the most probable one is among `selected`; it is a positive
    one when its label is. `error_difference`, of a regression, bounds how far a group's mean error may lie from that of all rows, in
    standard deviations of the target. `groups` is written as `Slices.by` is. Judged are the ratio of each group's
    selection rate to the highest one, and the difference of its true-positive rate to the highest one; groups with fewer than
    `minimum_rows` rows, for the latter with fewer than `minimum_positives` positive ones, are reported, not judged.
    """

    groups: Groups = Field(min_length=1)
    threshold: float | None = Field(default=None, allow_inf_nan=False)
    selected: Tuple[str] = ()
    error_difference: float = Field(default=0.1, gt=0)
    selection_rate_ratio: float = Field(default=0.8, gt=0, le=1)
    equal_opportunity_difference: float = Field(default=0.1, ge=0, lt=1)
    minimum_rows: int = Field(default=200, gt=0)
    minimum_positives: int = Field(default=50, gt=0)


class Invariance(Section):
    """A column that must not matter: over all its values, a row's score may change by at most `maximum_change`, in `share` of the rows."""

    name: str = Field(min_length=3)
    column: str
    maximum_change: float = Field(gt=0)
    share: float = Field(default=1, gt=0, le=1)


class MinimumFunction(Section):
    """Something the model must have understood: with the cells `higher` a row scores above itself with `lower`, in `share` of the rows."""

    name: str = Field(min_length=3)
    higher: dict[str, Cell] = Field(min_length=1)
    lower: dict[str, Cell] = Field(min_length=1)
    share: float = Field(default=0.95, gt=0, le=1)


class Behaviour(Section):
    """How the score must answer to its columns. `monotone` holds for every row: more of the column never moves the score the other way.

    Of a multi-class model the score is the probability of the class `outcome`.
    """

    outcome: str | None = None
    monotone: dict[str, Literal["increasing", "decreasing"]] = Field(default={})
    invariance: Tuple[Invariance] = ()
    minimum_function: Tuple[MinimumFunction] = ()


class Load(Section):
    """What the live endpoint must stand before a person is asked: single-row requests at a fixed rate, latencies seen by the caller.

    `parity` is the largest difference accepted between its scores of held-out rows and those of evaluation.
    """

    requests_per_second: float = Field(default=10, gt=0, le=500)
    seconds: int = Field(default=10, ge=1, le=600)
    p50_ms: float = Field(default=500, gt=0)
    p95_ms: float = Field(default=1000, gt=0)
    p99_ms: float = Field(default=2000, gt=0)
    error_rate: float = Field(default=0, ge=0, lt=1)
    memory_mb: float = Field(default=2048, gt=0)
    parity: float = Field(default=1e-5, gt=0, lt=1)


class Gates(Section):
    """What a candidate must reach: on the held-out rows, against the champion, and live in staging.

    `roc_auc` is the floor of a binary model, and of a multi-class one for the mean over its classes, `r2` that of a regression. Above
    `suspicious_roc_auc`, or `suspicious_r2`, a person is asked whether that can be. `calibration_error` is the expected calibration error
    over ten bins of equal size: that of the worst class, and of a regression in standard deviations of the target, in which `bias`, too,
    bounds its mean error. `reasons_error` is the mean standard error of sampled reasons, in log-odds, or in standard deviations.
    """

    roc_auc: float | None = Field(default=None, ge=0.5, le=1)
    r2: float | None = Field(default=None, lt=1)
    suspicious_roc_auc: float = Field(default=0.95, gt=0.5, le=1)
    suspicious_r2: float = Field(default=0.95, gt=0, le=1)
    calibration_error: float = Field(default=0.1, gt=0, le=1)
    bias: float = Field(default=0.1, gt=0, le=1)
    reasons_error: float = Field(default=0.05, gt=0)
    champion: Champion = Champion()
    slices: Slices | None = None
    fairness: Fairness | None = None
    behaviour: Behaviour = Behaviour()
    load: Load = Load()

    @property
    def floor(self) -> float:
        """The least headline: `roc_auc`, of a regression `r2`."""
        floor = self.roc_auc if self.r2 is None else self.r2
        assert floor is not None  # the whole of a `model.toml` has the one of its task
        return floor

    @model_validator(mode="after")
    def _what_is_wanted_is_not_suspicious(self) -> Gates:
        for key, title in (("roc_auc", "ROC AUC"), ("r2", "R²")):
            floor, suspicious = getattr(self, key), getattr(self, f"suspicious_{key}")
            if floor is not None and suspicious <= floor < 1:
                above = f"{key} {floor:g}: it is the {title} from which a result is too good to be true"
                raise ValueError(f"suspicious_{key} {suspicious:g} is not above {above}")
        return self
