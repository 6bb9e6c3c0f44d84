"""Whether enough was asked of a new version while its alarms kept still: an endpoint that nobody asks proves nothing.

The deployment has ended when this begins, so all of the traffic is the new version's. Too little of it extends the watch, for as long as
a deployment may take; then the answer is that nothing is known, which is no pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_code import spec
from pipelines.evidence import document
from pipelines.evidence.document import Verdict
from pipelines.evidence.setback import Alarm
from pipelines.steps import alarms
from pipelines.steps.readback import Served
from pipelines.steps.step import StepError, polls, progress

GATE = "live check"
NAMESPACE, METRIC, DIMENSION = "PavedRoad", "ScoredRows", "ModelVersion"
UNKNOWN = "none"
PERIODS = (60, 3600, 86400)  # seconds
POINTS = 1440  # that one answer of CloudWatch has at most


class Ringing(Exception):
    """Alarms that ring while the new version is watched."""

    def __init__(self, found: list[Alarm]) -> None:
        super().__init__(found)
        self.alarms = found


@dataclass(frozen=True, kw_only=True)
class Demand:
    """How many rows the version must have scored, and for how many minutes at most that is waited for."""

    rows: int
    minutes: float

    @classmethod
    def of(cls, model: str, environment: str) -> Demand:
        """What a model's `model.toml` demands. Raises StepError."""
        try:
            serving = spec.load(model).serving[environment]
        except spec.SpecError as error:
            raise StepError(str(error)) from error
        return cls(rows=serving.deployment.minimum_requests, minutes=serving.deployment_minutes)


def watch(
    cloudwatch: Any, served: Served, outputs: Mapping[str, str], demand: Demand, *, poll_seconds: float, minute_seconds: float
) -> Verdict:
    """Watch the alarms until enough was scored or time is up. `minute_seconds` is how long one of `model.toml`'s minutes lasts.

    Raises:
        Ringing: an alarm rings.
    """
    version, names = outputs.get("ModelVersion", UNKNOWN), alarms.names(outputs)
    found = -1
    for _ in polls(poll_seconds, minutes=demand.minutes * minute_seconds / 60, waiting_for=None):
        if loud := alarms.ringing(cloudwatch, names):
            raise Ringing(loud)
        if version == UNKNOWN:
            return _verdict(None, UNKNOWN, demand, "the stack does not tell which version it serves: deploy the model once more")
        before, found = found, scored(cloudwatch, served.endpoint, version, since=served.began)
        if found >= demand.rows:
            return _verdict(True, found, demand, "")
        if served.first:
            return _verdict(None, found, demand, "the endpoint is new with this deployment: nobody could ask it before")
        if found != before:
            progress(f"{found} rows scored since {document.utc(served.began)}, {demand.rows} are needed: watching the alarms")
    return _verdict(
        False,
        found,
        demand,
        f"too few to judge: it was watched for {demand.minutes:g} minutes and no alarm rang, which proves nothing:"
        " have it asked and retry the stage, or go back: ./road rollback MODEL",
    )


def scored(cloudwatch: Any, endpoint: str, version: str, *, since: datetime) -> int:
    """How many rows a version says that it has scored since then, give or take a period's."""
    return sum(round(point["Sum"]) for point in points(cloudwatch, endpoint, METRIC, version, since=since, statistics=["Sum"]))


def points(cloudwatch: Any, endpoint: str, metric: str, version: str, *, since: datetime, statistics: list[str]) -> list[dict[str, Any]]:
    """The datapoints of what a version says of its scores, since then, give or take a period's."""
    now = datetime.now(UTC)
    period = next((seconds for seconds in PERIODS if (now - since).total_seconds() < seconds * POINTS), PERIODS[-1])
    found: list[dict[str, Any]] = cloudwatch.get_metric_statistics(
        Namespace=f"{NAMESPACE}/{endpoint}",
        MetricName=metric,
        Dimensions=[{"Name": DIMENSION, "Value": version}],
        StartTime=since,
        EndTime=now,
        Period=period,
        Statistics=statistics,
    )["Datapoints"]
    return found


def _verdict(passed: bool | None, found: int | str, demand: Demand, advice: str) -> Verdict:
    subject = "rows scored by the version since its deployment began"
    return Verdict(gate=GATE, subject=subject, passed=passed, found=found, comparison=">=", threshold=demand.rows, advice=advice)
