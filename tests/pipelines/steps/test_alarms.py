"""Which alarms rang, in the order in which they did, and what their metric was."""

from __future__ import annotations

from typing import Any

from pipelines.steps.alarms import metric, names, rang, ringing
from tests.pipelines.steps.fake_production import BEGAN, Production

ERRORS, SHIFT = "config-1-ServerErrors", "config-1-ScoreShift"


def production(**rings: str) -> Production:
    made = Production.serving("arn:package/1")
    made.rings = {f"config-1-{name}": reason for name, reason in rings.items()}
    return made


def test_alarms_come_from_the_stack() -> None:
    assert names(production().outputs) == [ERRORS, SHIFT]
    assert names({"EndpointName": "an older stack"}) == []


def test_only_alarms_that_ring_are_told() -> None:
    found = ringing(production(ServerErrors="Threshold Crossed:\n 2 of 3."), [ERRORS, SHIFT])

    assert [(alarm.name, alarm.reason, alarm.time) for alarm in found] == [(ERRORS, "Threshold Crossed: 2 of 3", "2026-11-21T10:30:00Z")]
    assert ringing(production(ServerErrors="x"), []) == []


def test_what_rang_before_the_deployment_is_not_its_fault() -> None:
    found = rang(production(ScoreShift="apart", ServerErrors="errors"), [ERRORS, SHIFT], since=BEGAN)

    assert [(alarm.name, alarm.time) for alarm in found] == [(SHIFT, "2026-11-21T10:04:00Z"), (ERRORS, "2026-11-21T10:04:00Z")]
    assert rang(production(), [ERRORS, SHIFT], since=BEGAN) == []


def test_the_metric_of_an_alarm() -> None:
    found = metric(production(), ERRORS, since=BEGAN, minute_seconds=60)

    assert found
    assert (found.label, found.threshold, found.values) == ("Invocation5XXErrors", 0.01, [0.0, 0.02, 0.5])
    assert found.times[0] == "2026-11-21T10:00:00Z"
    assert metric(production(), "gone", since=BEGAN, minute_seconds=60) is None


def test_a_computed_metric_is_computed_at_the_pace_of_time() -> None:
    asked: list[dict[str, Any]] = []

    class Asked(Production):
        def get_metric_data(self, **given: Any) -> dict[str, Any]:
            asked.append(given)
            return super().get_metric_data(**given)

    found = metric(Asked.serving("arn:package/1"), SHIFT, since=BEGAN, minute_seconds=2)

    assert found
    assert found.label == "x"
    assert [query["MetricStat"]["Period"] for query in asked[0]["MetricDataQueries"] if "MetricStat" in query] == [2]
