"""Whether enough was asked of a new version while its alarms kept still: an endpoint that nobody asks proves nothing.

The deployment has ended when this begins, so all of the traffic is the new version's. Too little of it extends the watch, for as long as
a deployment may take; then the answer is that nothing is known, which is no pass.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Self

from paved_runtime.spec import Serving
from pipelines.deployment import alarms
from pipelines.deployment.pace import Pace
from pipelines.deployment.readback import Served
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.evidence import document
from pipelines.evidence.document import Verdict
from pipelines.evidence.rollback_record import Alarm
from pipelines.serving_stack import NO_VERSION, ServingOutputs

GATE = "live check"
log = logging.getLogger(__name__)


class InAlarm(Exception):
    """Alarms that are in ALARM while the new version is watched."""

    def __init__(self, alarms: list[Alarm]) -> None:
        super().__init__(alarms)
        self.alarms = alarms


@dataclass(frozen=True, kw_only=True)
class Demand:
    """How many rows the version must have scored, and for how many minutes at most that is waited for.

    `idle`: whether it is no fault that nobody asks at all, as where requests wait and there may be no instance.
    """

    rows: int
    minutes: float
    idle: bool = False

    @classmethod
    def of(cls, serving: Serving) -> Self:
        """What `model.toml` demands in an environment."""
        return cls(rows=serving.deployment.minimum_requests, minutes=serving.deployment_minutes, idle=serving.scales_to_zero)


def watch(metrics: ScoreMetrics, served: Served, outputs: ServingOutputs, demand: Demand, pace: Pace) -> Verdict:
    """Watch the alarms until enough was scored or time is up.

    Raises:
        InAlarm: an alarm is in ALARM.
    """
    version, rows = outputs.model_version, -1
    for _ in pace.watch(demand.minutes):
        if loud := alarms.in_alarm(metrics.cloudwatch, outputs.alarms):
            raise InAlarm(loud)
        if version == NO_VERSION:
            advice = "the stack does not tell which version it serves: deploy the model once more"
            return _verdict(None, NO_VERSION, demand, advice)
        before, rows = rows, metrics.rows(version, since=served.began)
        if rows >= demand.rows:
            return _verdict(True, rows, demand, "")
        if served.first:
            return _verdict(None, rows, demand, "the endpoint is new with this deployment: nobody could ask it before")
        if rows != before:
            log.info("%d rows scored since %s, %d are needed: watching the alarms", rows, document.utc(served.began), demand.rows)
    if demand.idle and not rows:
        return _verdict(
            None, rows, demand, f"nobody asked in {demand.minutes:g} minutes: nothing is known of it under its callers' requests"
        )
    advice = (
        f"too few to judge: it was watched for {demand.minutes:g} minutes and no alarm went into ALARM, which proves nothing:"
        " have it asked and retry the stage, or go back: ./road rollback MODEL"
    )
    return _verdict(False, rows, demand, advice)


def _verdict(passed: bool | None, rows: int | str, demand: Demand, advice: str) -> Verdict:
    subject = "rows scored by the version since its deployment began"
    return Verdict(gate=GATE, subject=subject, passed=passed, found=rows, comparison=">=", threshold=demand.rows, advice=advice)
