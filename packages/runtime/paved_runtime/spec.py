"""The contract of `model.toml`: the one thing that stacks, pipelines, runtime and cli all read.

A data scientist states facts about a model once, here they are checked once, and every error names the file,
the key, what was found and what is accepted.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationError, model_validator

REQUIRED = {"data.negative": 'this key is required: the target\'s other outcome, spelt as in the data set, such as negative = "no"'}
WORDS = {"missing": "this key is required", "extra_forbidden": "there is no such key; docs/model-toml.md lists them all"}
MODELS = Path(os.environ.get("MODEL_CODE", "model_code"))  # where the program runs: the clone, or an image's WORKDIR
Framework = Literal["keras", "lightgbm", "sklearn", "torch", "xgboost"]  # the runtime's own: paved_runtime.frameworks
FRAMEWORKS: tuple[str, ...] = get_args(Framework)
RESERVED = ("instances", "explain", "describe")  # what a request to the model says beside its rows
Item = TypeVar("Item")
Tuple = Annotated[tuple[Item, ...], Strict(False)]  # TOML has lists; what is in them is as strict as all else
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.(medium|large|\d*xlarge)$")]
TimeOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
LONGEST = 8 * 60  # minutes; SageMaker gives no deployment more
STARTING, SLACK = 10, 20  # minutes in which machines are ready when all goes well, and how much longer they may take
TERMINATION = 2  # minutes that an old fleet stays, to finish what it is answering
ALARM_MINUTES = 3  # an alarm goes into ALARM when two of three are bad


class SpecError(ValueError):
    """A `model.toml` that cannot be used; one line a problem."""


def _plain(value: object) -> object:
    """Refused here, a value is one problem, and not one for each type that it might have had."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"found {value!r}; accepted are an integer, a number or a text")  # noqa: TRY004 - pydantic's way to refuse
    return value


Plain = Annotated[int | float | str, BeforeValidator(_plain)]


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


Column = Annotated[Integer | Number | Category, Field(discriminator="type")]


class Share(_Table):
    """A share and its accepted range, both ends included."""

    minimum: float = Field(default=0, ge=0, le=1)
    maximum: float = Field(default=1, ge=0, le=1)

    @model_validator(mode="after")
    def _range_holds_something(self) -> Share:
        if self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is larger than maximum {self.maximum}")
        return self


class Data(_Table):
    """What the data set must look like.

    `target` says `positive` or `negative` in every row, spelt exactly so; the score is the probability of `positive`.
    `exclude` names columns that are dropped unread; `holdout` is a share of rows, and `seed` chooses which.
    `positive_share` is the label rate. `maximum_column_auc` is the ROC AUC from which a column that predicts the target alone is
    taken for a leak, `maximum_pair_auc` that of two columns together, or of all empty cells, `maximum_missing_auc` that of the empty
    cells of one column; `maximum_missing_ratio` is how many times as often cells may be empty, or filled, for one outcome as for the
    other. `maximum_change` is the population stability index of a column against the champion's training data.
    """

    target: str = Field(min_length=1)
    positive: str
    negative: str
    exclude: Tuple[str] = ()
    minimum_rows: int = Field(gt=0)
    holdout: float = Field(gt=0, lt=0.9)
    seed: int = 0
    maximum_duplicates: float = Field(default=0.05, ge=0, le=1)
    positive_share: Share = Share(minimum=0.001, maximum=0.999)
    maximum_column_auc: float = Field(default=0.95, gt=0.5, le=1)
    maximum_pair_auc: float = Field(default=0.95, gt=0.5, le=1)
    maximum_missing_auc: float = Field(default=0.65, gt=0.5, le=1)
    maximum_missing_ratio: float = Field(default=10, gt=1)
    maximum_change: float = Field(default=1.0, gt=0)
    columns: dict[str, Column] = Field(min_length=1)

    @model_validator(mode="after")
    def _outcomes_can_be_told_apart(self) -> Data:
        for outcome in (self.positive, self.negative):
            if not outcome.strip():
                raise ValueError(
                    f"outcome {outcome!r} is empty: a row whose outcome is not known has none, and does not belong in the data"
                )
        if alike(self.positive, self.negative):
            raise ValueError(f"positive {self.positive!r} and negative {self.negative!r} are one outcome: both are needed, spelt apart")
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
    def _requests_can_name_the_columns(self) -> Data:
        for name in (self.target, *self.exclude, *self.columns):
            if name in RESERVED:
                raise ValueError(f"column {name!r} has a name that requests use for themselves: rename it in the data set and here")
        return self


Groups = dict[str, Tuple[Annotated[float, Field(allow_inf_nan=False)]]]


class Champion(_Table):
    """How far a challenger may fall behind the version in production, on the same held-out rows.

    `margin` bounds the loss of ROC AUC that the one-sided `confidence` bound of a paired bootstrap must exclude; `slice_margin` the loss
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
    `minimum_outcomes` rows of either outcome is reported, not judged.
    """

    by: Groups = Field(min_length=1)
    roc_auc: float = Field(default=0.5, ge=0.5, le=1)
    minimum_outcomes: int = Field(default=50, gt=0)


class Fairness(_Table):
    """What must hold between the groups of people that a score treats.

    A row is selected when its score is at least `threshold`. `groups` is written as `Slices.by` is. Judged are the ratio of each group's
    selection rate to the highest one, and the difference of its true-positive rate to the highest one; groups with fewer than
    `minimum_rows` rows, for the latter with fewer than `minimum_positives` positive ones, are reported, not judged.
    """

    groups: Groups = Field(min_length=1)
    threshold: float = Field(gt=0, lt=1)
    selection_rate_ratio: float = Field(default=0.8, gt=0, le=1)
    equal_opportunity_difference: float = Field(default=0.1, ge=0, lt=1)
    minimum_rows: int = Field(default=200, gt=0)
    minimum_positives: int = Field(default=50, gt=0)


class Invariance(_Table):
    """A column that must not matter: over all its values, a row's score may change by at most `maximum_change`, in `share` of the rows."""

    name: str = Field(min_length=3)
    column: str
    maximum_change: float = Field(gt=0, lt=1)
    share: float = Field(default=1, gt=0, le=1)


class MinimumFunction(_Table):
    """Something the model must have understood: with the cells `higher` a row scores above itself with `lower`, in `share` of the rows."""

    name: str = Field(min_length=3)
    higher: dict[str, Plain] = Field(min_length=1)
    lower: dict[str, Plain] = Field(min_length=1)
    share: float = Field(default=0.95, gt=0, le=1)


class Behaviour(_Table):
    """How the score must answer to its columns. `monotone` holds for every row: more of the column never moves the score the other way."""

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

    `calibration_error` is the expected calibration error over ten bins of equal size. Above `suspicious_roc_auc` a person is asked whether
    that can be.
    """

    roc_auc: float = Field(ge=0.5, le=1)
    suspicious_roc_auc: float = Field(default=0.95, gt=0.5, le=1)
    calibration_error: float = Field(default=0.1, gt=0, le=1)
    champion: Champion = Champion()
    slices: Slices | None = None
    fairness: Fairness | None = None
    behaviour: Behaviour = Behaviour()
    load: Load = Load()

    @model_validator(mode="after")
    def _what_is_wanted_is_not_suspicious(self) -> Gates:
        if self.suspicious_roc_auc <= self.roc_auc < 1:
            above = f"roc_auc {self.roc_auc:g}: it is the ROC AUC from which a result is too good to be true"
            raise ValueError(f"suspicious_roc_auc {self.suspicious_roc_auc:g} is not above {above}")
        return self


class Training(_Table):
    """How the training job runs. Sizes in GiB, times in minutes.

    With `spot` it runs on instances that AWS may take back at any time, goes on from its checkpoints, and has `max_wait_minutes` in all,
    for waiting and for running.
    """

    steps: Literal["one-job", "separate"] = "one-job"
    instance_type: InstanceType
    instance_count: int = Field(default=1, ge=1, le=20)
    spot: bool = False
    volume_gb: int = Field(default=10, ge=1, le=16384)
    max_runtime_minutes: int = Field(default=60, ge=1, le=7 * 24 * 60)
    max_wait_minutes: int | None = Field(default=None, ge=1, le=14 * 24 * 60)
    hyperparameters: dict[str, Plain] = {}

    @model_validator(mode="after")
    def _waiting_includes_running(self) -> Training:
        if self.max_wait_minutes is not None and self.max_wait_minutes < self.max_runtime_minutes:
            counted = f"max_runtime_minutes {self.max_runtime_minutes}: a spot job's time to wait counts its running, too"
            raise ValueError(f"max_wait_minutes {self.max_wait_minutes} is smaller than {counted}")
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

    `score_shift` is how far the 10th, 50th or 90th percentile of the new version's scores may be from the old one's, beyond the difference
    that evaluation found, where both scored `score_rows` rows a minute: percentiles of fewer rows differ by chance.
    """

    server_error_rate: float = Field(default=0.01, ge=0, lt=1)
    client_error_rate: float = Field(default=0.2, ge=0, lt=1)
    model_latency_p99_ms: float = Field(default=500, gt=0, le=60_000)
    overhead_latency_p99_ms: float = Field(default=500, gt=0, le=60_000)
    cpu_percent: float = Field(default=90, gt=0, lt=100)
    memory_percent: float = Field(default=90, gt=0, lt=100)
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
    """

    instance_type: InstanceType
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
    be shown to be at most `roc_auc_loss` below that of evaluation, and the calibration error at most `calibration_error`. The alarm goes
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

    `framework` is what it is learnt with: one of the runtime's own, or that of the model's `framework.py`.
    """

    name: Name
    purpose: str = Field(min_length=10)
    owner: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    framework: Name = "xgboost"
    data: Data
    gates: Gates
    training: Training
    serving: dict[str, Serving] = Field(min_length=1)
    monitoring: Monitoring | None = None

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
                category = isinstance(self.data.columns[column], Category)
                if category and cuts:
                    raise ValueError(f"gates.{where}: {column!r} is a category: its values are the groups, accepted is []")
                if not category and (not cuts or list(cuts) != sorted(set(cuts))):
                    raise ValueError(f"gates.{where}: {column!r} is a number: accepted are rising cut points such as [30, 60]")
        return self

    @model_validator(mode="after")
    def _behaviour_fits_columns(self) -> ModelSpec:
        for column in self.gates.behaviour.monotone:
            if self.data.columns[column].type == "category":
                raise ValueError(f"gates.behaviour.monotone: {column!r} is a category, which has no more or less")
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


def _holds(column: Column, cell: str | int | float) -> bool:
    if isinstance(column, Category) or isinstance(cell, str):
        return isinstance(column, Category) and cell in column.values
    return column.minimum <= cell <= column.maximum and (isinstance(column, Number) or cell == int(cell))


def _line(where: str, error: object) -> str:
    assert isinstance(error, dict)
    path = error["loc"]
    path = path[:3] + path[4:] if path[:2] == ("data", "columns") else path  # pydantic puts a column's type behind its name
    key = ".".join(str(part) for part in path)  # none where several tables do not fit together: the message then has the key
    accepted = REQUIRED.get(key) if error["type"] == "missing" else None
    accepted = accepted or WORDS.get(error["type"]) or re.sub(r"^Value error, ", "", error["msg"])
    found = "" if error["type"] in ("value_error", *WORDS) else f"found {error['input']!r}; "
    return ": ".join(part for part in (where, key, f"{found}{accepted}") if part)
