"""`[data]`: what the data set must look like."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from paved_runtime.spec.columns import Column, Date
from paved_runtime.spec.task import TARGETS, TaskName
from paved_runtime.spec.values import Section, Tuple, alike

NARROW = 1 / 80  # of its numbers, the least width of a target's range: a score's last digit is then a hundred-thousandth of it, or less
RESERVED = ("instances", "explain", "describe")  # what a request to the model says beside its rows


class Share(Section):
    """A share and its accepted range, both ends included."""

    minimum: float = Field(default=0, ge=0, le=1)
    maximum: float = Field(default=1, ge=0, le=1)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Share:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Bounds(Section):
    """Numbers that are accepted, both ends included."""

    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Bounds:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Data(Section):
    """What the data set must look like.

    What `target` says in every row is the model's task. Of a binary one it is `positive` or `negative`, spelt exactly so, and the score is
    the probability of `positive`; of a multi-class one it is one of `classes`, and there is a probability of each, in their order, which is
    that of their rank where they have one; of a regression it is a number from `target_minimum` to `target_maximum`, and so is the score.
    `exclude` names columns that are dropped unread; `holdout` is a share of rows, and `seed` chooses which.
    `split` says how: rows at `random`; by `group`, a column whose equal cells are kept together, such as a customer's number; or by `time`,
    a column with the date of the decision, the newest rows. Both may be features or not; what is no feature is digested and dropped.
    `positive_share` is the label rate, `class_share` that of each class, `target_mean` where the mean of a number lies.
    What tells the outcome is, of classes, what tells one of them from the others, of numbers, what tells those above the median.
    `maximum_column_auc` is the ROC AUC from which a column that predicts the target alone is
    taken for a leak, `maximum_pair_auc` that of two columns together, or of all empty cells, `maximum_missing_auc` that of the empty
    cells of one column; `maximum_missing_ratio` is how many times as often cells may be empty, or filled, for one outcome as for the
    other. `maximum_change` is the population stability index of a column against the champion's training data.
    """

    target: str = Field(min_length=1)
    positive: str | None = None
    negative: str | None = None
    classes: Tuple[str] = Field(default=(), max_length=100)
    target_minimum: float | None = Field(default=None, allow_inf_nan=False)
    target_maximum: float | None = Field(default=None, allow_inf_nan=False)
    exclude: Tuple[str] = ()
    minimum_rows: int = Field(gt=0)
    holdout: float = Field(gt=0, lt=0.9)
    split: Literal["random", "group", "time"] = "random"
    group: str | None = Field(default=None, min_length=1)
    time: str | None = Field(default=None, min_length=1)
    seed: int = 0
    maximum_duplicates: float = Field(default=0.05, ge=0, le=1)
    positive_share: Share = Share(minimum=0.001, maximum=0.999)
    class_share: Share = Share(minimum=0.001, maximum=0.999)
    target_mean: Bounds | None = None
    maximum_column_auc: float = Field(default=0.95, gt=0.5, le=1)
    maximum_pair_auc: float = Field(default=0.95, gt=0.5, le=1)
    maximum_missing_auc: float = Field(default=0.65, gt=0.5, le=1)
    maximum_missing_ratio: float = Field(default=10, gt=1)
    maximum_change: float = Field(default=1.0, gt=0)
    columns: dict[str, Column] = Field(min_length=1)

    @model_validator(mode="after")
    def _target_is_that_of_one_task(self) -> Data:
        written = {"binary": self._outcomes, "multiclass": self.classes, "regression": self._ends}
        tasks = [task for task, keys in written.items() if keys]
        if len(tasks) != 1:
            every = "; ".join(f"{task}: {keys}" for task, keys in TARGETS.items())
            raise ValueError(
                f"the keys of {' and of '.join(tasks) or 'no task'} say what target {self.target!r} holds; accepted are {every}"
            )
        lacking = {
            "binary": len(self._outcomes) < 2,
            "multiclass": len(self.classes) < 3,
            "regression": len(self._ends) < 2,
        }
        if lacking[tasks[0]]:
            raise ValueError(f"target {self.target!r} needs {TARGETS[tasks[0]]}")
        return self

    @model_validator(mode="after")
    def _outcomes_can_be_told_apart(self) -> Data:
        outcomes = [*self._outcomes, *self.classes]
        for place, outcome in enumerate(outcomes):
            if not outcome.strip():
                raise ValueError(
                    f"outcome {outcome!r} is empty: a row whose outcome is not known has none, and does not belong in the data"
                )
            if twin := next((other for other in outcomes[:place] if alike(outcome, other)), None):
                names = f"positive {twin!r} and negative {outcome!r}" if self._outcomes else f"classes {twin!r} and {outcome!r}"
                raise ValueError(f"{names} are one outcome: {'both' if self._outcomes else 'each'} are needed, spelt apart")
        return self

    @model_validator(mode="after")
    def _target_range_holds_something(self) -> Data:
        if self._ends and self._ends[0] >= self._ends[-1]:
            raise ValueError(f"target_minimum {self._ends[0]:g} is not smaller than target_maximum {self._ends[-1]:g}")
        if self._ends and self.span < NARROW * max(map(abs, self._ends)):
            narrow = f"the range from target_minimum to target_maximum is {self.span:g} wide at numbers of {max(map(abs, self._ends)):g}"
            raise ValueError(f"{narrow}: scores are float32, which cannot tell such numbers apart: take an offset off the target")
        return self

    @model_validator(mode="after")
    def _two_columns_tell_what_one_does(self) -> Data:
        if self.maximum_pair_auc < self.maximum_column_auc:
            least = f"maximum_column_auc {self.maximum_column_auc:g}: two columns tell at least what one of them does"
            raise ValueError(f"maximum_pair_auc {self.maximum_pair_auc:g} is smaller than {least}")
        return self

    @model_validator(mode="after")
    def _target_is_no_feature(self) -> Data:
        for name in (self.target, *self.exclude):
            if name in self.columns:
                raise ValueError(f"column {name!r} is the target or excluded, so it cannot be a feature")
        return self

    @model_validator(mode="after")
    def _split_has_its_columns(self) -> Data:
        for key in ("group", "time"):
            if self.split == key and getattr(self, key) is None:
                raise ValueError(f"split = {key!r} goes by the column that {key} names: give it, too")
            if getattr(self, key) in (self.target, *self.exclude):
                raise ValueError(f"{key} names column {getattr(self, key)!r}, which is the target or excluded: name another one")
        if self.group is not None and self.split == "random":
            raise ValueError(f"group {self.group!r} keeps no rows together while split is 'random': choose 'group' or 'time'")
        if self.group is not None and self.group == self.time:
            raise ValueError(f"group and time both name column {self.group!r}: what keeps rows together is no date of a decision")
        return self

    @model_validator(mode="after")
    def _time_is_a_date(self) -> Data:
        column = self.columns.get(self.time or "")
        if column is not None and (not isinstance(column, Date) or column.missing):
            raise ValueError(f"time names column {self.time!r}, which is no date without missing cells: every row needs its moment")
        for name, other in self.columns.items():
            if isinstance(column, Date) and isinstance(other, Date) and not other.planned and other.minimum > column.maximum:
                raise ValueError(f"no date of column {name!r} can be before {self.time!r}, which ends on {column.maximum}")
        return self

    @model_validator(mode="after")
    def _requests_can_name_the_columns(self) -> Data:
        for name in (self.target, *self.exclude, *self.keys, *self.columns):
            if name in RESERVED:
                raise ValueError(f"column {name!r} has a name that requests use for themselves: rename it in the data set and here")
        return self

    @property
    def _outcomes(self) -> tuple[str, ...]:
        return tuple(outcome for outcome in (self.positive, self.negative) if outcome is not None)

    @property
    def _ends(self) -> tuple[float, ...]:
        return tuple(end for end in (self.target_minimum, self.target_maximum) if end is not None)

    @property
    def task(self) -> TaskName:
        """The task whose keys say what the target holds."""
        return "multiclass" if self.classes else "regression" if self._ends else "binary"

    @property
    def span(self) -> float:
        """The width of the range that scores may have: 1 where they are probabilities."""
        return self._ends[1] - self._ends[0] if self._ends else 1.0

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that say which rows are held out and are no features."""
        return tuple(name for name in (self.group, self.time) if name is not None and name not in self.columns)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns that a request may have and that nothing reads."""
        return (*self.exclude, *self.keys, self.target)
