"""Alarms that flap, or that have nothing to see: the serving stack's own ones, as localcloud evaluates them, minute by minute.

A minute is `X` when it is bad, `0` when it is good and `-` when nobody has asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import pytest

from localcloud import alarms, metrics
from localcloud.metrics import Metric
from model_code.spec import Alarms
from pipelines.steps.live_check import Demand, Ringing, watch
from pipelines.steps.readback import Served
from pipelines.steps.step import StepError
from tests.localcloud.serving import Name
from tests.localcloud.support import ACCOUNT, REGION, Aws
from tests.stacks.conftest import Layout, serving
from tests.stacks.conftest import production as synthesised

pytestmark = pytest.mark.fault("flapping or missing alarm data")

LONG_AGO = 6e8  # seconds since 1970, at the beginning of a minute
ENDPOINT, ROWS = "paved-road-lead-scoring-production", 100
DEMAND = Demand(rows=ROWS, minutes=10)
Rings = Callable[[str, str], list[int]]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A canary that bakes for four minutes, so a shift of scores must hold for three."""
    canary = serving("canary", instances=2, alarms=Alarms(score_rows=ROWS), deployment={"bake_minutes": 4})
    return synthesised(tmp_path_factory.mktemp("serving"), serving=canary)


@pytest.fixture
def config(name: Name) -> str:
    """An endpoint configuration that nothing was measured of."""
    return name("config")


@pytest.fixture
def guards(aws: Aws, layout: Layout, config: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The stack's alarms, put as CloudFormation puts them and named as it names them; nobody evaluates them but the test."""
    monkeypatch.setattr(alarms, "_evaluated_again", lambda *_: None)
    found = [resolved(one, config) for one in layout.all("serving", "AWS::CloudWatch::Alarm").values()]
    for alarm in found:
        aws.client("cloudwatch").put_metric_alarm(**{key: value for key, value in alarm.items() if key != "AlarmActions"})
    names = [alarm["AlarmName"] for alarm in found if alarm["AlarmName"].startswith(config)]
    yield names
    aws.client("cloudwatch").delete_alarms(AlarmNames=names)


def resolved(template: Any, config: str) -> Any:
    """A part of a template, as CloudFormation resolves it."""
    match template:
        case {"Fn::GetAtt": _}:
            return config
        case {"Fn::Join": [between, parts]}:
            return between.join(resolved(part, config) for part in parts)
        case {"Ref": str(parameter)}:
            return {"ModelVersion": version(config), "PreviousModelVersion": f"before-{config}"}.get(parameter, "+0.000000")
        case dict():
            return {key: resolved(value, config) for key, value in template.items()}
        case list():
            return [resolved(value, config) for value in template]
        case _:
            return template


def version(config: str) -> str:
    return f"{crc32(config.encode()):012x}"


@pytest.fixture
def rings(aws: Aws, guards: list[str], config: str) -> Rings:
    """`rings(alarm, minutes)`: after which minutes an alarm rings, from 1."""
    minute = 60 / aws.cloud.speed

    def told(name: str, at: float, bad: bool) -> None:
        if name == "ScoreShift":
            for letter, score in ((version(config), 0.9 if bad else 0.5), (f"before-{config}", 0.5)):
                measured = {"ScoredRows": ROWS} | {f"ScoreP{percent}": score for percent in (10, 50, 90)}
                for metric, value in measured.items():
                    record(f"PavedRoad/{ENDPOINT}", metric, {"ModelVersion": letter}, value, at)
            return
        metric, value = {"ServerErrors": ("Invocation5XXErrors", float(bad)), "ModelLatency": ("ModelLatency", 1e7 * bad)}[name]
        record("AWS/SageMaker", metric, {"EndpointName": ENDPOINT, "VariantName": "live", "EndpointConfigName": config}, value, at)

    def found(name: str, minutes: str) -> list[int]:
        guard = guards[guards.index(f"{config}-{name}")]
        alarm, loud = alarms.find(ACCOUNT, REGION, guard), []
        for number, seen in enumerate(minutes, 1):
            if seen != "-":
                told(name, LONG_AGO + (number - 0.5) * minute, seen == "X")
            alarms.evaluate(alarm, LONG_AGO + (number + 0.1) * minute)
            loud += [number] if alarm.state_value == alarms.ALARM else []
        return loud

    return found


def record(namespace: str, metric: str, dimensions: dict[str, str], value: float, at: float) -> None:
    metrics.record(Metric(ACCOUNT, REGION, namespace, metric, frozenset(dimensions.items())), value, at=at)


@pytest.mark.parametrize(
    ("alarm", "minutes", "after"),
    [
        ("ServerErrors", "00X000X000X0", []),  # one bad minute is bad luck
        ("ServerErrors", "0X0X0X", [4, 6]),  # every other one is not
        ("ServerErrors", "0XX0000", [3, 4]),
        ("ServerErrors", "X---X--", [5]),  # hardly anybody asks, and whoever does gets an error
        ("ServerErrors", "------------", []),  # an idle endpoint does not ring; whether it was asked enough is the live check's question
        ("ServerErrors", "XX-00", [2, 3, 4]),  # and silence does not calm what rang
        ("ModelLatency", "X00X00X", []),
        ("ModelLatency", "0X0X", [4]),
        ("ScoreShift", "0XX0XX0XX", []),  # it must hold as long as a bake allows
        ("ScoreShift", "0XXX0", [4]),
        ("ScoreShift", "XX-X", [4]),
        ("ScoreShift", "-----", []),
    ],
)
def test_an_alarm_rings_for_so_many_minutes_of_the_last_and_not_for_one(rings: Rings, alarm: str, minutes: str, after: list[int]) -> None:
    assert rings(alarm, minutes) == after


def served(config: str) -> Served:
    """A deployment that has ended a minute ago."""
    began = datetime.now(UTC) - timedelta(minutes=1)
    return Served(endpoint=ENDPOINT, endpoint_config=config, model="m", instances=2, began=began, first=False)


@pytest.mark.parametrize(("rows", "passed"), [(None, False), (0, False), (ROWS - 1, False), (ROWS, True)])
def test_quiet_alarms_of_a_version_that_was_not_asked_are_no_pass(
    aws: Aws, guards: list[str], config: str, rows: int | None, passed: bool
) -> None:
    """CloudWatch has no datapoint, or too few rows in it: the stage fails as inconclusive."""
    outputs = {"ModelVersion": version(config), "RollbackAlarms": ",".join(guards)}
    if rows is not None:
        data = {"MetricName": "ScoredRows", "Value": rows, "Dimensions": [{"Name": "ModelVersion", "Value": version(config)}]}
        aws.client("cloudwatch").put_metric_data(Namespace=f"PavedRoad/{ENDPOINT}", MetricData=[data])

    verdict = watch(aws.client("cloudwatch"), served(config), outputs, DEMAND, poll_seconds=0.02, minute_seconds=0.02)

    assert (verdict.passed, verdict.found) == (passed, rows or 0)
    assert passed or "too few to judge" in verdict.line()


def test_an_alarm_that_somebody_removed_is_no_pass(aws: Aws, guards: list[str], config: str) -> None:
    outputs = {"ModelVersion": version(config), "RollbackAlarms": f"{config}-Gone,{','.join(guards)}"}

    with pytest.raises(StepError, match=rf"^{config}-Gone: no such alarm, though it guards the endpoint"):
        watch(aws.client("cloudwatch"), served(config), outputs, DEMAND, poll_seconds=0.02, minute_seconds=0.02)


def test_an_alarm_that_flapped_while_it_was_looked_at_counts_once_it_rings(aws: Aws, guards: list[str], rings: Rings, config: str) -> None:
    assert rings("ServerErrors", "X0X") == [3]
    outputs = {"ModelVersion": version(config), "RollbackAlarms": ",".join(guards)}

    with pytest.raises(Ringing) as caught:
        watch(aws.client("cloudwatch"), served(config), outputs, DEMAND, poll_seconds=0.02, minute_seconds=0.02)

    assert [(alarm.name, "2 datapoints" in alarm.reason) for alarm in caught.value.alarms] == [(f"{config}-ServerErrors", True)]
