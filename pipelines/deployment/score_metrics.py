"""What the versions behind an endpoint say of the rows that they scored: their log, as CloudWatch counts it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from paved_runtime.protocol import SCORED_ROWS, VERSION_DIMENSION, score_percentile
from pipelines.deployment.cloudwatch import CloudWatchClient
from pipelines.deployment.place import Place

PERIODS = (60, 3600, 86400)  # seconds
POINTS = 1440  # that one answer of CloudWatch has at most


@dataclass(frozen=True, kw_only=True)
class ScoreMetrics:
    """The metrics in an endpoint's namespace. Each count is give or take a period's."""

    cloudwatch: CloudWatchClient
    namespace: str

    @classmethod
    def of(cls, place: Place) -> Self:
        """Those of the endpoint there."""
        return cls(cloudwatch=place.cloudwatch, namespace=place.metric_namespace)

    def rows(self, version: str, *, since: datetime) -> int:
        """How many rows a version has scored since then."""
        return sum(round(point["Sum"]) for point in self._points(SCORED_ROWS, version, since, ["Sum"]))

    def percentile(self, percent: int, version: str, *, since: datetime) -> float:
        """A percentile of the scores since then, as the mean of what each line of the log says. Needs a version that has scored."""
        points = self._points(score_percentile(percent), version, since, ["Sum", "SampleCount"])
        return float(sum(point["Sum"] for point in points) / sum(point["SampleCount"] for point in points))

    def _points(self, metric: str, version: str, since: datetime, statistics: list[str]) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        period = next((seconds for seconds in PERIODS if (now - since).total_seconds() < seconds * POINTS), PERIODS[-1])
        points: list[dict[str, Any]] = self.cloudwatch.get_metric_statistics(
            Namespace=self.namespace,
            MetricName=metric,
            Dimensions=[{"Name": VERSION_DIMENSION, "Value": version}],
            StartTime=since,
            EndTime=now,
            Period=period,
            Statistics=statistics,
        )["Datapoints"]
        return points
