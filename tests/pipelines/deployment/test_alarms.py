"""Which alarms went into ALARM, in the order in which they did, and what their metric was."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.deployment.alarms import in_alarm, metric, went_into_alarm
from pipelines.deployment.errors import DeploymentError
from tests.support.fake_production import BEGAN, Production

ERRORS, SHIFT = "config-1-ServerErrors", "config-1-ScoreShift"


def production(**reasons: str) -> Production:
    made = Production.serving("arn:package/1")
    made.loud = {f"config-1-{name}": reason for name, reason in reasons.items()}
    return made


def test_alarms_come_from_the_stack() -> None:
    assert production().stack.serving.alarms == [ERRORS, SHIFT]


def test_only_those_that_are_in_alarm_are_told() -> None:
    alarms = in_alarm(production(ServerErrors="Threshold Crossed:\n 2 of 3."), [ERRORS, SHIFT])

    assert [(alarm.name, alarm.reason, alarm.time) for alarm in alarms] == [(ERRORS, "Threshold Crossed: 2 of 3", "2026-11-21T10:30:00Z")]
    assert in_alarm(production(ServerErrors="x"), []) == []


def test_an_alarm_that_somebody_removed_is_no_silence() -> None:
    with pytest.raises(DeploymentError, match="gone: no such alarm, though it guards the endpoint: somebody has removed it"):
        in_alarm(production(), [ERRORS, "gone"])


def test_what_was_in_alarm_before_the_deployment_is_not_its_fault() -> None:
    alarms = went_into_alarm(production(ScoreShift="apart", ServerErrors="errors"), [ERRORS, SHIFT], since=BEGAN)

    assert [(alarm.name, alarm.time) for alarm in alarms] == [(SHIFT, "2026-11-21T10:04:00Z"), (ERRORS, "2026-11-21T10:04:00Z")]
    assert went_into_alarm(production(), [ERRORS, SHIFT], since=BEGAN) == []


def test_the_metric_of_an_alarm() -> None:
    errors = metric(production(), ERRORS, since=BEGAN, minute_seconds=60)

    assert errors
    assert (errors.label, errors.threshold, errors.values) == ("Invocation5XXErrors", 0.01, [0.0, 0.02, 0.5])
    assert errors.times[0] == "2026-11-21T10:00:00Z"
    assert metric(production(), "gone", since=BEGAN, minute_seconds=60) is None


def test_a_computed_metric_is_computed_at_the_pace_of_time() -> None:
    asked: list[dict[str, Any]] = []

    class Asked(Production):
        def get_metric_data(self, **request: Any) -> dict[str, Any]:
            asked.append(request)
            return super().get_metric_data(**request)

    shift = metric(Asked.serving("arn:package/1"), SHIFT, since=BEGAN, minute_seconds=2)

    assert shift
    assert shift.label == "x"
    assert [query["MetricStat"]["Period"] for query in asked[0]["MetricDataQueries"] if "MetricStat" in query] == [2]
