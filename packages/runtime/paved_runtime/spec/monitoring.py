"""`[monitoring]`: how what an endpoint is asked and answers is watched, and what trains the model again."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from paved_runtime.spec.values import InstanceType, Schedule, Section, Tuple

Cause = Literal["drift", "schedule", "data"]


class Retraining(Section):
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


class Monitoring(Section):
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
