"""When a new version has shown enough: neither silence nor too few requests are a pass, and an alarm ends the watch."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deployment.live_check import Demand, InAlarm, watch
from pipelines.deployment.pace import Pace
from pipelines.deployment.readback import Served
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.evidence.document import Verdict
from tests import reference
from tests.support.fake_production import BEGAN, ENDPOINT, ENVIRONMENT, Production
from tests.support.fakes import Clock

SERVED = Served(endpoint=ENDPOINT, endpoint_config="config-1", model="m", instances=2, began=BEGAN, first=False)
NEW = Served(endpoint=ENDPOINT, endpoint_config="config-1", model="m", instances=2, began=BEGAN, first=True)
DEMAND = Demand(rows=100, minutes=30)


def watched(
    production: Production, served: Served = SERVED, demand: Demand = DEMAND, minute_seconds: float = 60, clock: Clock | None = None
) -> Verdict:
    metrics = ScoreMetrics(cloudwatch=production, namespace="n")
    pace = Pace(poll_seconds=15, minute_seconds=minute_seconds, clock=clock or Clock())
    return watch(metrics, served, production.outputs, demand, pace)


def production(*scored: int, **changes: str) -> Production:
    made = Production.serving("arn:package/1", **changes)
    made.scored = list(scored)
    return made


def test_enough_is_enough_at_once() -> None:
    clock = Clock()
    verdict = watched(production(100), clock=clock)

    assert (verdict.passed, verdict.found, verdict.threshold, clock.monotonic()) == (True, 100, 100, 0)


def test_too_little_extends_the_watch_until_there_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "pipelines")
    clock = Clock()
    verdict = watched(production(0, 0, 99, 140), clock=clock)

    assert (verdict.passed, verdict.found, clock.monotonic()) == (True, 140, 45)
    assert caplog.messages == [
        "0 rows scored since 2026-11-21T10:00:00Z, 100 are needed: watching the alarms",
        "99 rows scored since 2026-11-21T10:00:00Z, 100 are needed: watching the alarms",
    ]


@pytest.mark.parametrize(("minute_seconds", "waited"), [(60, 1800), (1, 30)])
def test_when_time_is_up_nothing_is_known_which_is_no_pass(minute_seconds: float, waited: float) -> None:
    clock = Clock()
    verdict = watched(production(99), minute_seconds=minute_seconds, clock=clock)

    assert (verdict.passed, verdict.found) == (False, 99)
    assert waited <= clock.monotonic() <= waited + 15
    assert "too few to judge: it was watched for 30 minutes and no alarm went into ALARM, which proves nothing" in verdict.line()
    assert "retry the stage, or go back: ./road rollback MODEL" in verdict.line()


@pytest.mark.parametrize(("scored", "passed"), [(0, None), (3, False), (100, True)])
def test_that_nobody_asked_is_no_failure_where_there_may_be_no_instance(scored: int, passed: bool | None) -> None:
    verdict = watched(production(scored), demand=Demand(rows=100, minutes=30, idle=True))

    assert (verdict.passed, verdict.found) == (passed, scored)
    assert ("nobody asked in 30 minutes: nothing is known" in verdict.advice) is (scored == 0)


def test_an_alarm_ends_the_watch_even_if_enough_was_scored() -> None:
    alarmed = production(1000)
    alarmed.loud = {"config-1-ServerErrors": "Threshold Crossed"}

    with pytest.raises(InAlarm) as caught:
        watched(alarmed)
    assert [alarm.name for alarm in caught.value.alarms] == ["config-1-ServerErrors"]


def test_nobody_can_have_asked_an_endpoint_that_is_new() -> None:
    verdict = watched(production(0), NEW)

    assert (verdict.passed, verdict.found) == (None, 0)
    assert "new with this deployment" in verdict.advice


def test_a_stack_that_does_not_know_its_version_is_said() -> None:
    verdict = watched(production(0, model_version="none"))

    assert (verdict.passed, verdict.found) == (None, "none")
    assert "deploy the model once more" in verdict.advice


@given(st.lists(st.integers(0, 300), min_size=1, max_size=20), st.integers(0, 200))
def test_a_pass_always_has_the_rows_that_were_demanded(counts: list[int], rows: int) -> None:
    verdict = watched(production(*sorted(counts)), demand=Demand(rows=rows, minutes=60))

    assert verdict.passed is (max(counts) >= rows)
    assert isinstance(verdict.found, int)
    assert (verdict.found >= rows) is verdict.passed


def test_the_demand_is_the_models() -> None:
    serving = reference.model().serving[ENVIRONMENT.name]

    assert Demand.of(serving) == Demand(rows=serving.deployment.minimum_requests, minutes=serving.deployment_minutes)
