"""Compares a version in the shadow with the one that serves: errors, latency and scores, with the limits that `model.toml` has for alarms.

Too few requests prove nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from paved_runtime.spec import Serving
from pipelines.deployment.pace import Pace
from pipelines.deployment.readback import Served
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.evidence.document import Verdict

GATE = "shadow"
DAY = 86400
ADVICE = "nobody got these answers: correct the model and push"
SERVER_ERRORS, CLIENT_ERRORS = "Invocation5XXErrors", "Invocation4XXErrors"
Json = dict[str, Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A shadow beside what serves. `variant` is its name; `new` and `old` are how the containers of the two versions name themselves.

    `expected` is how far each percentile of their scores lay apart in evaluation, new minus old; `span` is the width of the scores' range,
    of which limits are shares.
    """

    metrics: ScoreMetrics
    live: Served
    variant: str
    new: str
    old: str
    expected: Mapping[int, float]
    span: float

    def scored(self) -> int:
        """How many rows both versions have scored, give or take a minute's."""
        return min(self.metrics.rows(version, since=self.live.began) for version in (self.new, self.old))

    def apart(self, percent: int) -> float:
        """How much further than expected a percentile of the scores lies from the live version's."""
        new, old = (self.metrics.percentile(percent, version, since=self.live.began) for version in (self.new, self.old))
        return abs(new - old - self.expected[percent])

    def answered(self, metric: str) -> tuple[int, float]:
        """How many requests the shadow had, and a metric's share of them."""
        points = self._of_shadow(metric, Statistics=["Sum", "SampleCount"])
        requests = round(sum(point["SampleCount"] for point in points))
        return requests, sum(point["Sum"] for point in points) / requests if requests else 0.0

    def latency(self) -> float:
        """What the model takes for all but one in a hundred of the shadow's requests, in milliseconds."""
        points = self._of_shadow("ModelLatency", ExtendedStatistics=["p99"])
        return max((float(point["ExtendedStatistics"]["p99"]) for point in points), default=0.0) / 1000

    def _of_shadow(self, metric: str, **statistics: list[str]) -> list[Json]:
        """The configuration is new with the shadow, so these are all of its requests."""
        names = {"EndpointName": self.live.endpoint, "VariantName": self.variant, "EndpointConfigName": self.live.endpoint_config}
        points: list[Json] = self.metrics.cloudwatch.get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value} for name, value in names.items()],
            StartTime=self.live.began - timedelta(minutes=1),
            EndTime=datetime.now(UTC),
            Period=DAY,
            **statistics,
        )["Datapoints"]
        return points


def compared(trial: Trial, serving: Serving, pace: Pace) -> list[Verdict]:
    """Wait until enough was asked, for as long as a deployment may take, and judge. A shadow that only fails never scores a row, so its
    errors are judged as soon as it had as many requests.
    """
    needed, before, rows = max(serving.deployment.minimum_requests, serving.alarms.score_rows), -1, 0
    for _ in pace.watch(serving.deployment_minutes):
        rows, (requests, _) = trial.scored(), trial.answered(SERVER_ERRORS)
        answers = list(_answers(trial, serving)) if requests >= needed or rows >= needed else []
        if any(verdict.passed is False for verdict in answers):
            return answers
        if rows >= needed:
            return [_enough(rows, needed), *answers, *_scores(trial, serving)]
        if rows != before:
            log.info("%d rows scored by both versions, %d are needed", rows, needed)
        before = rows
    return [_enough(rows, needed)]


def differs(verdicts: list[Verdict]) -> bool:
    """Whether the version is known to be unlike the live one, not only unknown."""
    return any(verdict.passed is False and verdict.comparison == "<=" for verdict in verdicts)


def _answers(trial: Trial, serving: Serving) -> Iterator[Verdict]:
    limits = serving.alarms
    for subject, metric, limit in (
        ("share of requests that fail (5xx)", SERVER_ERRORS, limits.server_error_rate),
        ("share of requests that are refused (4xx)", CLIENT_ERRORS, limits.client_error_rate),
    ):
        yield _at_most(subject, trial.answered(metric)[1], limit)
    yield _at_most("p99 of the model's latency in ms", trial.latency(), limits.model_latency_p99_ms)


def _scores(trial: Trial, serving: Serving) -> Iterator[Verdict]:
    for percent in trial.expected:
        subject = f"{percent}th percentile of scores, from the live version's, beyond what evaluation found"
        yield _at_most(subject, trial.apart(percent), serving.alarms.score_shift * trial.span)


def _at_most(subject: str, value: float, limit: float) -> Verdict:
    value = round(value, 6)
    advice = "" if value <= limit else ADVICE
    return Verdict(gate=GATE, subject=subject, passed=value <= limit, found=value, comparison="<=", threshold=limit, advice=advice)


def _enough(rows: int, needed: int) -> Verdict:
    advice = "too few to judge, which proves nothing: the shadow stays: have the endpoint asked and retry the stage"
    return Verdict(
        gate=GATE,
        subject="rows scored by both versions",
        passed=rows >= needed,
        found=rows,
        comparison=">=",
        threshold=needed,
        advice="" if rows >= needed else advice,
    )
