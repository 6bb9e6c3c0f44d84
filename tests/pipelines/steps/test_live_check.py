"""When a new version has shown enough: neither silence nor too few requests are a pass, and an alarm ends the watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_code import spec
from pipelines.evidence.document import Verdict
from pipelines.steps import step
from pipelines.steps.live_check import Demand, Ringing, scored, watch
from pipelines.steps.readback import Served
from pipelines.steps.step import StepError
from tests.pipelines.steps.fake_production import BEGAN, ENDPOINT, Production
from tests.pipelines.steps.fakes import Clock, Fake

SERVED = Served(endpoint=ENDPOINT, endpoint_config="config-1", model="m", instances=2, began=BEGAN, first=False)
NEW = Served(endpoint=ENDPOINT, endpoint_config="config-1", model="m", instances=2, began=BEGAN, first=True)
DEMAND = Demand(rows=100, minutes=30)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(step, "time", made)
    return made


def watched(production: Production, served: Served = SERVED, demand: Demand = DEMAND, minute_seconds: float = 60) -> Verdict:
    return watch(production, served, production.outputs, demand, poll_seconds=15, minute_seconds=minute_seconds)


def production(*scored: int, **parameters: str) -> Production:
    made = Production.serving("arn:package/1", **parameters)
    made.scored = list(scored)
    return made


def test_enough_is_enough_at_once(clock: Clock) -> None:
    verdict = watched(production(100))

    assert (verdict.passed, verdict.found, verdict.threshold, clock.monotonic()) == (True, 100, 100, 0)


def test_too_little_extends_the_watch_until_there_is_enough(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = watched(production(0, 0, 99, 140))

    assert (verdict.passed, verdict.found, clock.monotonic()) == (True, 140, 45)
    assert capsys.readouterr().err.splitlines() == [
        "0 rows scored since 2026-11-21T10:00:00Z, 100 are needed: watching the alarms",
        "99 rows scored since 2026-11-21T10:00:00Z, 100 are needed: watching the alarms",
    ]


@pytest.mark.parametrize(("minute_seconds", "waited"), [(60, 1800), (1, 30)])
def test_when_time_is_up_nothing_is_known_which_is_no_pass(clock: Clock, minute_seconds: float, waited: float) -> None:
    verdict = watched(production(99), minute_seconds=minute_seconds)

    assert (verdict.passed, verdict.found) == (False, 99)
    assert waited <= clock.monotonic() <= waited + 15
    assert "too few to judge: it was watched for 30 minutes and no alarm rang, which proves nothing" in verdict.line()
    assert "retry the stage, or go back: ./road rollback MODEL" in verdict.line()


def test_an_alarm_ends_the_watch_even_if_enough_was_scored() -> None:
    loud = production(1000)
    loud.rings = {"config-1-ServerErrors": "Threshold Crossed"}

    with pytest.raises(Ringing) as caught:
        watched(loud)
    assert [alarm.name for alarm in caught.value.alarms] == ["config-1-ServerErrors"]


def test_nobody_can_have_asked_an_endpoint_that_is_new() -> None:
    verdict = watched(production(0), NEW)

    assert (verdict.passed, verdict.found) == (None, 0)
    assert "new with this deployment" in verdict.advice


def test_a_stack_that_does_not_know_its_version_is_said() -> None:
    verdict = watched(production(0, ModelVersion="none"))

    assert (verdict.passed, verdict.found) == (None, "none")
    assert "deploy the model once more" in verdict.advice


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20), st.integers(0, 200))
def test_a_pass_always_has_the_rows_that_were_demanded(counts: list[int], rows: int) -> None:
    verdict = watched(production(*sorted(counts)), demand=Demand(rows=rows, minutes=60))

    assert verdict.passed is (max(counts) >= rows)
    assert isinstance(verdict.found, int)
    assert (verdict.found >= rows) is verdict.passed


@pytest.mark.parametrize(("age", "period"), [(timedelta(minutes=5), 60), (timedelta(days=2), 3600), (timedelta(days=90), 86400)])
def test_rows_are_counted_in_periods_that_one_answer_can_hold(age: timedelta, period: int) -> None:
    asked: dict[str, Any] = {}
    cloudwatch = Fake(get_metric_statistics=lambda **given: asked.update(given) or {"Datapoints": [{"Sum": 40.0}, {"Sum": 2.0}]})

    assert scored(cloudwatch, ENDPOINT, "0123456789ab", since=datetime.now(UTC) - age) == 42
    assert asked["Period"] == period
    assert (asked["EndTime"] - asked["StartTime"]).total_seconds() / period <= 1440
    assert (asked["Namespace"], asked["Dimensions"]) == (f"PavedRoad/{ENDPOINT}", [{"Name": "ModelVersion", "Value": "0123456789ab"}])


def test_the_demand_is_the_models() -> None:
    serving = spec.load("lead_scoring").serving["production"]

    assert Demand.of("lead_scoring", "production") == Demand(rows=serving.deployment.minimum_requests, minutes=serving.deployment_minutes)
    with pytest.raises(StepError, match=r"model_code/nobody/model\.toml"):
        Demand.of("nobody", "production")
