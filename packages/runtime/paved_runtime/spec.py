"""The contract of `model.toml`: the one thing that stacks, pipelines, runtime and cli all read.

A data scientist states facts about a model once, here they are checked once, and every error names the file,
the key, what was found and what is accepted.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError, model_validator

from paved_runtime import dates

WORDS = {"missing": "this key is required", "extra_forbidden": "there is no such key; docs/model-toml.md lists them all"}
MODELS = Path(os.environ.get("MODEL_CODE", "model_code"))  # where the program runs: the clone, or an image's WORKDIR
Framework = Literal["keras", "lightgbm", "sklearn", "torch", "xgboost"]  # the runtime's own: paved_runtime.frameworks
FRAMEWORKS: tuple[str, ...] = get_args(Framework)
TaskName = Literal["binary", "multiclass", "regression"]
HEADLINES: dict[TaskName, str] = {"binary": "roc_auc", "multiclass": "roc_auc", "regression": "r2"}  # the metric that floors are of
OBJECTIVES: dict[TaskName, dict[str, bool]] = {  # what a search may look for, and whether more of it is better
    "binary": {"roc_auc": True, "average_precision": True, "brier": False, "log_loss": False},
    "multiclass": {"roc_auc": True, "accuracy": True, "f1": True, "brier": False, "log_loss": False},
    "regression": {"r2": True, "rmse": False, "mae": False},
}
TARGETS = {  # what `data` says of its target in a model of each task
    "binary": 'positive and negative, its two outcomes spelt as in the data set, such as positive = "yes" and negative = "no"',
    "multiclass": 'classes, three or more of them spelt as in the data set, such as classes = ["low", "medium", "high"]',
    "regression": "target_minimum and target_maximum, the ends of its accepted range",
}
NUMBERS = "a number: accepted are rising cut points such as [30, 60]"
RESERVED = ("instances", "explain", "describe")  # what a request to the model says beside its rows
Item = TypeVar("Item")
Tuple = Annotated[tuple[Item, ...], Strict(False)]  # TOML has lists; what is in them is as strict as all else
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.(medium|large|\d*xlarge)$")]
InferenceAmi = Annotated[str, Field(pattern=r"^al2(023)?-ami-sagemaker-inference-(gpu|neuron)-\d+(-\d+)?$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
LONGEST = 8 * 60  # minutes; SageMaker gives no deployment more
STARTING, SLACK = 10, 20  # minutes in which machines are ready when all goes well, and how much longer they may take
TERMINATION = 2  # minutes that an old fleet stays, to finish what it is answering
VALIDATION = "validation_"  # before the name of a metric that a trial of a search prints
ALARM_MINUTES = 3  # an alarm goes into ALARM when two of three are bad


class SpecError(ValueError):
    """A `model.toml` that cannot be used; one line a problem."""


def _plain(value: object) -> object:
    """Refused here, a value is one problem, and not one for each type that it might have had."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"found {value!r}; accepted are an integer, a number or a text")  # noqa: TRY004 - pydantic's way to refuse
    return value


Plain = Annotated[int | float | str, BeforeValidator(_plain)]


def _cell(value: object) -> object:
    """A cell as requests write it: a date of TOML is its text there."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, bool) else _plain(value)


Cell = Annotated[bool | int | float | str, BeforeValidator(_cell)]


def _day(value: object) -> object:
    """A time of day has no place in a date: pydantic would drop it."""
    if isinstance(value, datetime):
        raise ValueError(f"found {value.isoformat()}; accepted is a date without a time, such as 2026-11-30")  # noqa: TRY004
    return value


def _cut(value: object) -> object:
    """Refused here, a cut point is one problem, not two."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number and not isinstance(value, date):
        raise ValueError(f"found {value!r}; accepted is a finite number, or for a date column a date")
    return _day(value)


Day = Annotated[date, BeforeValidator(_day)]
Cut = Annotated[float | date, BeforeValidator(_cut)]


class _Table(BaseModel):
    """Nothing is converted but an integer where a number is due: `"18"` is a text, and `true` is no 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Column(_Table):
    """What every column has. `missing` is the greatest share of empty cells that is accepted; feature code sees NaN there."""

    missing: float = Field(default=0, ge=0, le=1)


class Integer(_Column):
    """A whole-number column and its accepted range, both ends included; at most 2**53, so that JSON carries it exactly."""

    type: Literal["integer"]
    minimum: int = Field(ge=-(2**53), le=2**53)
    maximum: int = Field(ge=-(2**53), le=2**53)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Integer:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Number(_Column):
    """A real-number column and its accepted range, both ends included."""

    type: Literal["number"]
    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Number:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Category(_Column):
    """A text column and the values it may take. Their order is the order that feature code sees as 0, 1, 2, …"""

    type: Literal["category"]
    values: Tuple[str] = Field(min_length=2)

    @model_validator(mode="after")
    def _values_differ(self) -> Category:
        if repeated := sorted({value for value in self.values if self.values.count(value) > 1}):
            raise ValueError(f"value {repeated[0]!r} is listed twice")
        if self.missing and "" in self.values:
            raise ValueError("an empty cell is either the value '' or a missing one: take one of the two away")
        return self

    @property
    def cells(self) -> tuple[str, ...]:
        """How a data set spells the values."""
        return self.values


class Boolean(_Column):
    """A column of two values. `true` and `false` are how a data set and CSV requests spell them; feature code sees 1 and 0."""

    type: Literal["boolean"]
    true: str = Field(default="true", min_length=1)
    false: str = Field(default="false", min_length=1)

    @model_validator(mode="after")
    def _spellings_can_be_told_apart(self) -> Boolean:
        if alike(self.true, self.false):
            raise ValueError(f"true {self.true!r} and false {self.false!r} are one value: both are needed, spelt apart")
        return self

    @property
    def values(self) -> tuple[str, ...]:
        """What people call the values that feature code sees as 0 and 1."""
        return ("false", "true")

    @property
    def cells(self) -> tuple[str, ...]:
        """How a data set spells them."""
        return (self.false, self.true)


class Date(_Column):
    """A column of days and its accepted range, both ends included; feature code sees days since 1970-01-01.

    A date of training data that lies after `Data.time` is refused, unless it is `planned`: known before it comes, such as a due date.
    """

    type: Literal["date"]
    minimum: Day
    maximum: Day
    planned: bool = False

    @model_validator(mode="after")
    def _range_holds_something(self) -> Date:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is later than maximum {self.maximum}")
        return self

    @property
    def days(self) -> tuple[float, float]:
        """The accepted range as feature code sees it."""
        return dates.number(self.minimum), dates.number(self.maximum)


class Text(_Column):
    """A column of free text, of 1 to `maximum_length` characters. `Table.texts` has it; as a number it is its length."""

    type: Literal["text"]
    maximum_length: int = Field(ge=1, le=100_000)


Column = Annotated[Integer | Number | Category | Boolean | Date | Text, Field(discriminator="type")]


class Share(_Table):
    """A share and its accepted range, both ends included."""

    minimum: float = Field(default=0, ge=0, le=1)
    maximum: float = Field(default=1, ge=0, le=1)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Share:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Bounds(_Table):
    """Numbers that are accepted, both ends included."""

    minimum: float = Field(allow_inf_nan=False)
    maximum: float = Field(allow_inf_nan=False)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Bounds:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Data(_Table):
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


Groups = dict[str, Tuple[Cut]]


class Champion(_Table):
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


class Slices(_Table):
    """Parts of the held-out rows that are judged by themselves.

    `by` has a column each: cut points for a number, nothing for a category, whose values are the slices. A slice with fewer than
    `minimum_outcomes` rows of either outcome, of two classes or, in a regression, in all, is reported, not judged. Of classes, those
    with fewer rows in a slice are left out there. R² is that of the slice's own rows.
    """

    by: Groups = Field(min_length=1)
    roc_auc: float = Field(default=0.5, ge=0.5, le=1)
    r2: float = Field(default=0.0, lt=1)
    minimum_outcomes: int = Field(default=50, gt=0)


class Fairness(_Table):
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


class Invariance(_Table):
    """A column that must not matter: over all its values, a row's score may change by at most `maximum_change`, in `share` of the rows."""

    name: str = Field(min_length=3)
    column: str
    maximum_change: float = Field(gt=0)
    share: float = Field(default=1, gt=0, le=1)


class MinimumFunction(_Table):
    """Something the model must have understood: with the cells `higher` a row scores above itself with `lower`, in `share` of the rows."""

    name: str = Field(min_length=3)
    higher: dict[str, Cell] = Field(min_length=1)
    lower: dict[str, Cell] = Field(min_length=1)
    share: float = Field(default=0.95, gt=0, le=1)


class Behaviour(_Table):
    """How the score must answer to its columns. `monotone` holds for every row: more of the column never moves the score the other way.

    Of a multi-class model the score is the probability of the class `outcome`.
    """

    outcome: str | None = None
    monotone: dict[str, Literal["increasing", "decreasing"]] = {}
    invariance: Tuple[Invariance] = ()
    minimum_function: Tuple[MinimumFunction] = ()


class Load(_Table):
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


class Gates(_Table):
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

    @model_validator(mode="after")
    def _what_is_wanted_is_not_suspicious(self) -> Gates:
        for key, title in (("roc_auc", "ROC AUC"), ("r2", "R²")):
            floor, suspicious = getattr(self, key), getattr(self, f"suspicious_{key}")
            if floor is not None and suspicious <= floor < 1:
                above = f"{key} {floor:g}: it is the {title} from which a result is too good to be true"
                raise ValueError(f"suspicious_{key} {suspicious:g} is not above {above}")
        return self


def _number(value: object) -> object:
    """Refused here, a value is one problem, and not one for each type that it might have had."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"found {value!r}; accepted is a number")
    return value


class Range(_Table):
    """Where a hyperparameter is searched: from `minimum` to `maximum`, both included, or among `values`.

    With the `scale` "log" each power of ten is searched as much as any other.
    """

    minimum: Annotated[int | float, BeforeValidator(_number)] | None = None
    maximum: Annotated[int | float, BeforeValidator(_number)] | None = None
    scale: Literal["linear", "log"] = "linear"
    values: Tuple[Plain] = Field(default=(), max_length=30)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Range:
        if self.values:
            if self.minimum is not None or self.maximum is not None or self.scale != "linear":
                raise ValueError("values stand alone: give them, or minimum and maximum")
            if repeated := [value for value in self.values if self.values.count(value) > 1]:
                raise ValueError(f"value {repeated[0]!r} is listed twice")
            return self
        if self.minimum is None or self.maximum is None:
            raise ValueError("give minimum and maximum, or values")
        if self.minimum >= self.maximum:
            raise ValueError(f"minimum {self.minimum} is not smaller than maximum {self.maximum}")
        if self.scale == "log" and self.minimum <= 0:
            raise ValueError(f"minimum {self.minimum}: a log scale is for what is above 0")
        return self

    def problem(self, default: float | str) -> str:
        """What is wrong with this range for a hyperparameter with that default; empty where it fits."""
        kind = {int: "an integer", float: "a number", str: "a text"}[type(default)]
        accepted = (int, float) if isinstance(default, float) else type(default)
        tried = self.values or tuple(end for end in (self.minimum, self.maximum) if end is not None)
        if isinstance(default, str) and not self.values:
            return "it is a text: accepted are values"
        wrong = next((value for value in tried if not isinstance(value, accepted)), None)
        return "" if wrong is None else f"found {wrong!r}; accepted is {kind}, as training.hyperparameters has it"


class Search(_Table):
    """How good hyperparameters are searched for before the model is trained with the best that were found.

    Each of `jobs` trials, `parallel` at a time, learns from the training rows but a `validation` share of each outcome, and is judged on
    that share by `objective`; held-out rows are not touched. `ranges` has the hyperparameters that are searched, the others are as they
    are. The same `seed` has SageMaker try much the same again.
    """

    jobs: int = Field(ge=1, le=750)
    parallel: int = Field(default=1, ge=1, le=10)
    strategy: Literal["bayesian", "random"] = "bayesian"
    objective: str = "roc_auc"
    validation: float = Field(default=0.2, gt=0, lt=0.9)
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    ranges: dict[str, Range] = Field(min_length=1, max_length=30)

    @model_validator(mode="after")
    def _trials_are_as_many_as_run_at_a_time(self) -> Search:
        if self.parallel > self.jobs:
            raise ValueError(f"parallel {self.parallel} is larger than jobs {self.jobs}")
        return self

    @property
    def metric(self) -> str:
        """The name of the objective, as a trial prints it and SageMaker knows it."""
        return f"{VALIDATION}{self.objective}"

    @property
    def maximize(self) -> bool:
        """Whether more of the objective is better."""
        return any(objectives.get(self.objective, False) for objectives in OBJECTIVES.values())


class Training(_Table):
    """How the training job runs. Sizes in GiB, times in minutes. With a `search`, its hyperparameters are those that the search found.

    With `spot` it runs on instances that AWS may take back at any time, goes on from its checkpoints, and has `max_wait_minutes` in all,
    for waiting and for running. `reuse`: a push that changes nothing which training depends on goes on with the version that was trained
    last. `keep_alive_minutes` is how long SageMaker keeps the job's machines warm for the next one, which begins sooner then; they cost
    what they cost at work.
    """

    steps: Literal["one-job", "separate"] = "one-job"
    instance_type: InstanceType
    instance_count: int = Field(default=1, ge=1, le=20)
    spot: bool = False
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    max_wait_minutes: int | None = Field(default=None, ge=1, le=14 * 24 * 60)
    keep_alive_minutes: int = Field(default=0, ge=0, le=60)
    reuse: bool = True
    hyperparameters: dict[str, Plain] = {}
    search: Search | None = None

    @model_validator(mode="after")
    def _search_fits_hyperparameters(self) -> Training:
        for name, range_ in self.search.ranges.items() if self.search else ():
            if name not in self.hyperparameters:
                known = ", ".join(sorted(self.hyperparameters)) or "none"
                raise ValueError(f"search.ranges: there is no hyperparameter {name!r} in training.hyperparameters, which has {known}")
            if problem := range_.problem(self.hyperparameters[name]):
                raise ValueError(f"search.ranges.{name}: {problem}")
        return self

    @model_validator(mode="after")
    def _waiting_includes_running(self) -> Training:
        if self.max_wait_minutes is not None and self.max_wait_minutes < self.max_runtime_minutes:
            counted = f"max_runtime_minutes {self.max_runtime_minutes}: a spot job's time to wait counts its running, too"
            raise ValueError(f"max_wait_minutes {self.max_wait_minutes} is smaller than {counted}")
        return self

    @model_validator(mode="after")
    def _spot_instances_are_not_kept(self) -> Training:
        if self.spot and self.keep_alive_minutes:
            raise ValueError("keep_alive_minutes: SageMaker keeps no spot instances warm: take it out, or set spot = false")
        return self

    @property
    def longest_minutes(self) -> int:
        """What the training job may take in all: `max_runtime_minutes`; of a spot job `max_wait_minutes`, or twice what it may run."""
        if not self.spot:
            return self.max_runtime_minutes
        return self.max_wait_minutes or 2 * self.max_runtime_minutes


class Deployment(_Table):
    """How a new version takes over an endpoint's traffic: all of it at once, or in parts, each watched by the alarms.

    `size_percent` is the part of the instances that moves at a time: a canary's first move, each step of the others. `bake_minutes` is
    how long alarms are watched after each move. Fewer than `minimum_requests` answered by the new version prove nothing.
    """

    policy: Literal["all-at-once", "canary", "linear", "rolling", "shadow"]
    size_percent: int = Field(default=50, ge=1, le=50)
    bake_minutes: int = Field(default=10, ge=0, le=60)
    maximum_minutes: int | None = Field(default=None, ge=10, le=LONGEST)
    minimum_requests: int = Field(default=100, ge=0)

    @model_validator(mode="after")
    def _sagemaker_accepts(self) -> Deployment:
        least = {"linear": 10, "rolling": 5}.get(self.policy, 1)
        if self.size_percent < least:
            raise ValueError(f"a {self.policy} step moves at least {least} percent of the instances: set size_percent to {least} or more")
        if self.in_parts and self.bake_minutes < ALARM_MINUTES:
            raise ValueError(f"alarms go into ALARM after up to {ALARM_MINUTES} minutes: set bake_minutes to {ALARM_MINUTES} or more")
        return self

    @property
    def in_parts(self) -> bool:
        """Whether the old version still serves when the new one begins to."""
        return self.policy != "all-at-once"

    def moves(self, instances: int) -> int:
        """How often traffic moves in a fleet of that size, at most: in steps of that share, or of whole instances, rounded down."""
        if self.policy in ("linear", "rolling"):
            whole = max(1, instances * self.size_percent // 100)
            return max(math.ceil(100 / self.size_percent), math.ceil(instances / whole))
        return 2 if self.in_parts else 1

    def minutes(self, moves: int) -> int:
        """The least that a deployment of so many moves takes. A rolling one starts machines for each, the others a whole fleet at once."""
        if self.policy == "rolling":
            return moves * (STARTING + self.bake_minutes)
        return STARTING + moves * self.bake_minutes + TERMINATION


class Alarms(_Table):
    """Above which values alarms go into ALARM, and take a deployment back. Rates are shares of requests, percents those of one instance.
    Those of GPUs are for instance types that have some.

    `score_shift` is how far the 10th, 50th or 90th percentile of the new version's scores may be from the old one's, beyond the difference
    that evaluation found, where both scored `score_rows` rows a minute: percentiles of fewer rows differ by chance. It is a share of the
    range that scores may have. The score of classes is the mean place among them: 0 is the first, 1 the last.
    """

    server_error_rate: float = Field(default=0.01, ge=0, lt=1)
    client_error_rate: float = Field(default=0.2, ge=0, lt=1)
    model_latency_p99_ms: float = Field(default=500, gt=0, le=60_000)
    overhead_latency_p99_ms: float = Field(default=500, gt=0, le=60_000)
    cpu_percent: float = Field(default=90, gt=0, lt=100)
    memory_percent: float = Field(default=90, gt=0, lt=100)
    gpu_percent: float = Field(default=95, gt=0, lt=100)
    gpu_memory_percent: float = Field(default=95, gt=0, lt=100)
    score_shift: float = Field(default=0.1, gt=0, lt=1)
    score_rows: int = Field(default=100, gt=0)


class OffHours(_Table):
    """When few ask: from `start` to `end` (times of day in `timezone`) scaling stays between `instances` and `maximum_instances`.

    `weekends`: one night from the last start of the working week to the end on Monday.
    """

    start: TimeOfDay
    end: TimeOfDay
    timezone: str = Field(pattern=r"^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")
    weekends: bool = False
    instances: int = Field(ge=1)
    maximum_instances: int = Field(ge=1)

    @model_validator(mode="after")
    def _there_is_such_a_time(self) -> OffHours:
        if self.start == self.end:
            raise ValueError("start and end are the same time of day")
        if self.maximum_instances < self.instances:
            raise ValueError("maximum_instances is smaller than instances")
        return self


class Serving(_Table):
    """One environment's endpoint. It scales where `maximum_instances` is given.

    The scaling targets, for each instance: `invocations_per_instance` requests a minute and `concurrency_per_instance` requests at a time.
    `inference_ami` is SageMaker's name of the machine image, and so of the GPU's driver; without it SageMaker chooses.
    """

    instance_type: InstanceType
    inference_ami: InferenceAmi | None = None
    instances: int = Field(ge=1)
    maximum_instances: int | None = None
    invocations_per_instance: int = Field(default=1000, gt=0)
    concurrency_per_instance: int | None = Field(default=None, gt=0)
    capture_percent: int = Field(default=100, ge=0, le=100)
    deployment: Deployment
    alarms: Alarms = Alarms()
    off_hours: OffHours | None = None

    @model_validator(mode="after")
    def _scaling_fits(self) -> Serving:
        if self.maximum_instances is None:
            for key in ("concurrency_per_instance", "off_hours"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} is for an endpoint that scales: give maximum_instances, too")
        elif self.maximum_instances < self.instances:
            raise ValueError("maximum_instances is smaller than instances")
        elif self.instance_type.startswith(("ml.t2.", "ml.t3.", "ml.t4g.")):
            raise ValueError(f"SageMaker does not scale burstable instances such as {self.instance_type}: take maximum_instances out")
        return self

    @model_validator(mode="after")
    def _machine_image_fits(self) -> Serving:
        kinds = {"gpu": ("ml.g", "ml.p"), "neuron": ("ml.inf", "ml.trn")}
        for kind, families in kinds.items():
            if self.inference_ami and f"-{kind}-" in self.inference_ami and not self.instance_type.startswith(families):
                raise ValueError(f"inference_ami {self.inference_ami!r} is not for {self.instance_type}: leave it out")
        return self

    @model_validator(mode="after")
    def _fleet_has_parts(self) -> Serving:
        policy = self.deployment.policy
        if not self.deployment.in_parts:
            return self
        if self.instances < 2:
            raise ValueError(f"a {policy} shift moves at most half of the instances: instances must be 2 or more")
        if self.off_hours and self.off_hours.instances < 2:
            raise ValueError(f"a {policy} shift moves at most half of the instances: off_hours.instances must be 2 or more")
        if self.instance_type.startswith("ml.inf1."):
            raise ValueError(f"SageMaker moves {self.instance_type} all at once, whatever is asked for: policy must be 'all-at-once'")
        return self

    @model_validator(mode="after")
    def _deployment_can_end(self) -> Serving:
        shift, moves = self.deployment, self._moves
        if (least := shift.minutes(moves)) > (shift.maximum_minutes or LONGEST):
            limit = f"the {LONGEST} that SageMaker gives: lower bake_minutes or raise size_percent"
            if shift.maximum_minutes:
                limit = f"maximum_minutes = {shift.maximum_minutes}: raise it or lower bake_minutes"
            waits = f"{moves} x {shift.bake_minutes} minutes of a {shift.policy} shift"
            raise ValueError(f"{waits}, and machines to start, take {least} minutes at least, more than {limit}")
        return self

    @property
    def deployment_minutes(self) -> int:
        """After how long SageMaker takes a deployment back: `maximum_minutes`, or what it takes at least and 20 minutes."""
        return self.deployment.maximum_minutes or min(self.deployment.minutes(self._moves) + SLACK, LONGEST)

    @property
    def _moves(self) -> int:
        """The most moves that a deployment may have, over every size that the fleet may have scaled to."""
        sizes = [self.instances, self.maximum_instances or self.instances]
        if self.off_hours:
            sizes += [self.off_hours.instances, self.off_hours.maximum_instances]
        enough = min(sizes) + math.ceil(200 / self.deployment.size_percent)  # in larger fleets steps fit better: there are no more moves
        return max(self.deployment.moves(size) for size in range(min(sizes), min(max(sizes), enough) + 1))


Cause = Literal["drift", "schedule", "data"]
Schedule = Annotated[str, Field(pattern=r"^(rate\([1-9]\d* (minutes?|hours?|days?)\)|cron\(\S+ \S+ \S+ \S+ \S+ \S+\))$")]


class Retraining(_Table):
    """What starts the road again without a push, and how often it may.

    `on` names the causes: the drift alarm, a `schedule` in EventBridge's words (UTC), a new data set. The next one must wait
    `cooldown_hours` after the last began, and in any seven days at most `per_week` begin; what was held back is recorded.
    """

    on: Tuple[Cause] = ("drift",)
    schedule: Schedule | None = None
    cooldown_hours: int = Field(default=24, ge=1, le=7 * 24)
    per_week: int = Field(default=2, ge=1, le=50)

    @model_validator(mode="after")
    def _causes_fit(self) -> Retraining:
        if not self.on:
            raise ValueError("on names no cause: leave the table out where nothing begins by itself")
        if ("schedule" in self.on) != (self.schedule is not None):
            raise ValueError("schedule goes with the cause 'schedule' in on: give both or neither")
        if repeated := sorted({cause for cause in self.on if self.on.count(cause) > 1}):
            raise ValueError(f"on: {repeated[0]!r} is listed twice")
        return self


class Monitoring(_Table):
    """How what an endpoint is asked, and what it answers, is watched: every `every_hours`, over the `window_hours` before.

    A column, or the score, has moved when its change is no chance, and large: `false_alarm_rate` is how often at most a window in which
    nothing has changed may say otherwise, over all tests together; `psi` is the least population stability index that counts; `missing` the
    least rise of the share of empty cells, `violations` the greatest share of rows that break the data contract. Fewer than `minimum_rows`
    rows are skipped, which is neither drift nor its absence. `unread` is the greatest share of what was captured, or should have been, that
    may not have been read. Labels that arrive up to `label_days` after the score are joined; from `minimum_labels` of them on, ROC AUC may
    be shown to be at most `roc_auc_loss`, R² `r2_loss`, below that of evaluation, and the calibration error at most `calibration_error`.
    The alarm goes
    into ALARM when `drifted_windows` of the last `of_windows` have drifted. `capture_days` is how long captured requests are kept.
    """

    every_hours: int = Field(default=24, ge=1, le=24)
    window_hours: int = Field(default=24, ge=1, le=7 * 24)
    minimum_rows: int = Field(default=500, ge=50)
    false_alarm_rate: float = Field(default=0.01, gt=0, le=0.2)
    psi: float = Field(default=0.1, gt=0)
    missing: float = Field(default=0.05, gt=0, lt=1)
    violations: float = Field(default=0.01, ge=0, lt=1)
    unread: float = Field(default=0.1, gt=0, lt=1)
    minimum_labels: int = Field(default=200, ge=50)
    roc_auc_loss: float = Field(default=0.05, gt=0, lt=0.5)
    r2_loss: float = Field(default=0.1, gt=0, lt=1)
    calibration_error: float = Field(default=0.1, gt=0, le=1)
    label_days: int = Field(default=7, ge=1, le=90)
    drifted_windows: int = Field(default=1, ge=1, le=7)
    of_windows: int = Field(default=1, ge=1, le=7)
    capture_days: int = Field(default=200, ge=1)
    instance_type: InstanceType = "ml.m5.large"
    instances: int = Field(default=1, ge=1, le=20)
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_minutes: int = Field(default=60, ge=1, le=24 * 60)
    retraining: Retraining | None = None

    @model_validator(mode="after")
    def _windows_fit(self) -> Monitoring:
        if self.drifted_windows > self.of_windows:
            raise ValueError("drifted_windows is larger than of_windows")
        if self.of_windows * self.every_hours > 7 * 24:
            raise ValueError("an alarm looks back seven days at most: of_windows x every_hours must be 168 or less")
        if self.capture_days * 24 < max(self.window_hours, self.label_days * 24):
            raise ValueError("capture_days is shorter than window_hours or label_days: what is not kept cannot be looked at")
        return self


class ModelSpec(_Table):
    """One model, as its `model.toml` states it.

    `task` is what it answers with: the probability of one of two outcomes, that of each of several classes, or a number.
    `framework` is what it is learnt with: one of the runtime's own, or that of the model's `framework.py`. `reasons` says how a score is
    shared out over the columns: left out, exactly where the framework can, else by sampling.
    """

    name: Name
    purpose: str = Field(min_length=10)
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    task: TaskName = "binary"
    framework: Name = "xgboost"
    reasons: Literal["exact", "sampled", "none"] | None = None
    data: Data
    gates: Gates
    training: Training
    serving: dict[str, Serving] = Field(min_length=1)
    monitoring: Monitoring | None = None

    @model_validator(mode="after")
    def _data_are_of_the_task(self) -> ModelSpec:
        if self.data.task != self.task:
            raise ValueError(f"data: the target is that of {self.data.task}, task is {self.task!r}, which needs {TARGETS[self.task]}")
        return self

    @model_validator(mode="after")
    def _gates_are_of_the_task(self) -> ModelSpec:
        headline, gates = HEADLINES[self.task], self.gates
        other = "r2" if headline == "roc_auc" else "roc_auc"
        if getattr(gates, headline) is None or getattr(gates, other) is not None:
            raise ValueError(f"gates: the floor of {self.task} is {headline}: give it, and not {other}")
        for invariance in gates.behaviour.invariance:
            if self.task != "regression" and invariance.maximum_change >= 1:
                raise ValueError(f"gates.behaviour.invariance: maximum_change {invariance.maximum_change:g} is no change of a probability")
        if self.reasons == "exact" and self.task == "multiclass":
            raise ValueError('reasons: found "exact", those of classes are none; accepted are "sampled" and "none"')
        return self

    @model_validator(mode="after")
    def _behaviour_is_of_a_class(self) -> ModelSpec:
        behaviour = self.gates.behaviour
        tested = behaviour.monotone or behaviour.invariance or behaviour.minimum_function
        if self.task == "multiclass" and tested and behaviour.outcome not in self.data.classes:
            raise ValueError(f"gates.behaviour.outcome: found {behaviour.outcome!r}; accepted is one of {', '.join(self.data.classes)}")
        if self.task != "multiclass" and behaviour.outcome is not None:
            raise ValueError(f"gates.behaviour.outcome is a class of a multi-class model: take it out of one for {self.task}")
        return self

    @model_validator(mode="after")
    def _selection_is_of_the_task(self) -> ModelSpec:
        rule = self.gates.fairness
        if rule is None:
            return self
        if self.task == "multiclass":
            if rule.threshold is not None or not rule.selected or not set(rule.selected) < set(self.data.classes):
                raise ValueError("gates.fairness: of classes, give those as selected that are in a person's favour, and no threshold")
        elif rule.selected or rule.threshold is None:
            raise ValueError(f"gates.fairness: of {self.task}, give the threshold from which a score selects, and nothing as selected")
        elif self.task == "binary" and not 0 < rule.threshold < 1:
            raise ValueError(f"gates.fairness.threshold: found {rule.threshold:g}; accepted is a probability between 0 and 1")
        return self

    @model_validator(mode="after")
    def _objective_is_of_the_task(self) -> ModelSpec:
        search, objectives = self.training.search, OBJECTIVES[self.task]
        if search and search.objective not in objectives:
            raise ValueError(f"training.search.objective: found {search.objective!r}; accepted for {self.task} are {', '.join(objectives)}")
        return self

    @model_validator(mode="after")
    def _gates_name_columns(self) -> ModelSpec:
        for where, column in self._named_columns():
            if column not in self.data.columns:
                raise ValueError(f"gates.{where}: there is no column {column!r} in data.columns")
        return self

    @model_validator(mode="after")
    def _groups_fit_columns(self) -> ModelSpec:
        for where, groups in self._groups():
            for column, cuts in groups.items():
                if why := _unfit(cuts, self.data.columns[column]):
                    raise ValueError(f"gates.{where}: {column!r} is {why}")
        return self

    @model_validator(mode="after")
    def _behaviour_fits_columns(self) -> ModelSpec:
        for column in self.gates.behaviour.monotone:
            if (kind := self.data.columns[column].type) in ("category", "text"):
                raise ValueError(f"gates.behaviour.monotone: {column!r} is a {kind}, which has no more or less")
        for invariance in self.gates.behaviour.invariance:
            if self.data.columns[invariance.column].type == "text":
                raise ValueError(f"gates.behaviour.invariance: {invariance.column!r} is a text, whose values nobody can try")
        for function in self.gates.behaviour.minimum_function:
            for name, cell in (*function.higher.items(), *function.lower.items()):
                if not _holds(self.data.columns[name], cell):
                    raise ValueError(f"gates.behaviour.minimum_function: {name!r} does not accept {cell!r}; data.columns says what it does")
        return self

    def _groups(self) -> list[tuple[str, Groups]]:
        gates = self.gates
        slices = [("slices.by", gates.slices.by)] if gates.slices else []
        return slices + ([("fairness.groups", gates.fairness.groups)] if gates.fairness else [])

    def _named_columns(self) -> list[tuple[str, str]]:
        behaviour = self.gates.behaviour
        named = [(where, column) for where, groups in self._groups() for column in groups]
        named += [("behaviour.monotone", column) for column in behaviour.monotone]
        named += [("behaviour.invariance", invariance.column) for invariance in behaviour.invariance]
        for function in behaviour.minimum_function:
            named += [("behaviour.minimum_function", column) for column in (*function.higher, *function.lower)]
        return named

    @property
    def slug(self) -> str:
        """The name as AWS resource names allow it: `lead-scoring`."""
        return self.name.replace("_", "-")

    @property
    def serving_types(self) -> list[str]:
        """The instance types of its endpoints, sorted."""
        return sorted({serving.instance_type for serving in self.serving.values()})

    @property
    def features(self) -> tuple[str, ...]:
        """Column names in the contract's order: the order of a CSV request."""
        return tuple(self.data.columns)


def alike(text: str, outcome: str) -> bool:
    """Whether two texts differ in nothing but capitals and the blanks around them."""
    return text.strip().casefold() == outcome.strip().casefold()


def load(model: str, models: Path | None = None) -> ModelSpec:
    """Read and check one model's `model.toml`, in `MODELS` unless another folder is named.

    Raises:
        SpecError: the file is missing, is not TOML, or a key is wrong; the message names file, key, found and accepted.
    """
    models = models or MODELS
    path = models / model / "model.toml"
    where = path.relative_to(models.parent)
    if not path.is_file():
        raise SpecError(f"{where}: no such file; known models: {', '.join(names(models)) or 'none'}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        if "name" in content:
            raise SpecError(f"{where}: name: found {content['name']!r}; the folder's name is the model's name")
        return ModelSpec.model_validate({"name": model, **content})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SpecError(f"{where}: not valid TOML: {error}") from error
    except ValidationError as error:
        raise SpecError("\n".join(_line(str(where), e) for e in error.errors())) from error


def names(models: Path | None = None) -> list[str]:
    """The models that have a `model.toml`, in alphabetical order."""
    return sorted(p.parent.name for p in (models or MODELS).glob("*/model.toml"))


def load_all(models: Path | None = None) -> list[ModelSpec]:
    """Every model's checked spec, in alphabetical order."""
    return [load(name, models) for name in names(models)]


def _unfit(cuts: tuple[float | date, ...], column: Column) -> str:
    """What a column is, and which cut points it has, where these are none of them."""
    if isinstance(column, Category | Boolean):
        return f"a {column.type}: its values are the groups, accepted is []" if cuts else ""
    if isinstance(column, Text):
        return "a text, which has no groups: name another column"
    kind, example = (date, "a date: accepted are rising dates such as [2025-01-01]") if isinstance(column, Date) else (float, NUMBERS)
    rising = bool(cuts) and all(isinstance(cut, kind) for cut in cuts) and list(cuts) == sorted(set(cuts))
    return "" if rising else example


def _holds(column: Column, cell: bool | int | float | str) -> bool:
    if isinstance(column, Boolean) or isinstance(cell, bool):
        return isinstance(column, Boolean) and isinstance(cell, bool)
    if isinstance(column, Date):
        return isinstance(cell, str) and _in_range(cell, column)
    if isinstance(column, Category | Text) or isinstance(cell, str):
        return isinstance(column, Category) and cell in column.values
    return column.minimum <= cell <= column.maximum and (isinstance(column, Number) or cell == int(cell))


def _in_range(cell: str, column: Date) -> bool:
    low, high = column.days
    try:
        return low <= dates.days(cell) <= high
    except ValueError:
        return False


def _line(where: str, error: object) -> str:
    assert isinstance(error, dict)
    path = error["loc"]
    path = path[:3] + path[4:] if path[:2] == ("data", "columns") else path  # pydantic puts a column's type behind its name
    key = ".".join(str(part) for part in path)  # none where several tables do not fit together: the message then has the key
    accepted = WORDS.get(error["type"]) or re.sub(r"^Value error, ", "", error["msg"])
    found = "" if error["type"] in ("value_error", *WORDS) else f"found {error['input']!r}; "
    return ": ".join(part for part in (where, key, f"{found}{accepted}") if part)
