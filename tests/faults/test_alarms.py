"""Alarms that flap, or that have nothing to see: the serving stack's own ones, as localcloud evaluates them, minute by minute.

A minute is `X` when it is bad, `0` when it is good and `-` when nobody has asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32

import pytest

import naming
from localcloud.cloudwatch import alarm_states, alarms, metrics
from localcloud.cloudwatch.metrics import Metric
from localcloud.core import clock
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from paved_runtime.spec import Alarms
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.live_check import Demand, InAlarm, watch
from pipelines.deployment.pace import Pace
from pipelines.deployment.readback import Served
from pipelines.deployment.score_metrics import ScoreMetrics
from pipelines.evidence.document import Verdict
from pipelines.serving_stack import ServingOutputs
from tests.reference import CONFIG, MODEL
from tests.support.layouts import Layout, serving
from tests.support.layouts import production as synthesised

pytestmark = pytest.mark.fault("flapping or missing alarm data")

LONG_AGO = 6e8  # seconds since 1970, at the beginning of a minute
PRODUCTION = CONFIG.environments[-1]
ENDPOINT, NAMESPACE = naming.endpoint(CONFIG, MODEL, PRODUCTION), naming.metric_namespace(CONFIG, MODEL, PRODUCTION)
ROWS = 100
DEMAND = Demand(rows=ROWS, minutes=10)
Went = Callable[[str, str], list[int]]


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
def guards(aws: Aws, layout: Layout, config: str) -> Iterator[list[str]]:
    """The stack's alarms, put as CloudFormation puts them and named as it names them; nobody evaluates them but the test."""
    cloudwatch = aws.client("cloudwatch")
    wanted = [resolved(alarm, config) for alarm in layout.all("serving", "AWS::CloudWatch::Alarm").values()]
    with clock.paused():
        for alarm in wanted:
            cloudwatch.put_metric_alarm(**{key: value for key, value in alarm.items() if key != "AlarmActions"})
        yield [alarm["AlarmName"] for alarm in wanted if alarm["AlarmName"].startswith(config)]
        cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in wanted])


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
def went_into_alarm(aws: Aws, guards: list[str], config: str) -> Went:
    """`went_into_alarm(alarm, minutes)`: after which minutes an alarm is in ALARM, from 1."""
    minute = 60 / aws.cloud.speed

    def measured(name: str, at: float, bad: bool) -> None:
        if name == "ScoreShift":
            for letter, score in ((version(config), 0.9 if bad else 0.5), (f"before-{config}", 0.5)):
                metrics_of_version = {"ScoredRows": ROWS} | {f"ScoreP{percent}": score for percent in (10, 50, 90)}
                for metric, value in metrics_of_version.items():
                    record(NAMESPACE, metric, {"ModelVersion": letter}, value, at)
            return
        metric, value = {"ServerErrors": ("Invocation5XXErrors", float(bad)), "ModelLatency": ("ModelLatency", 1e7 * bad)}[name]
        record("AWS/SageMaker", metric, {"EndpointName": ENDPOINT, "VariantName": "live", "EndpointConfigName": config}, value, at)

    def found(name: str, minutes: str) -> list[int]:
        guard = guards[guards.index(f"{config}-{name}")]
        alarm, loud = alarms.find(ACCOUNT, REGION, guard), []
        for number, seen in enumerate(minutes, 1):
            if seen != "-":
                measured(name, LONG_AGO + (number - 0.5) * minute, seen == "X")
            alarms.evaluate(alarm, LONG_AGO + (number + 0.1) * minute)
            loud += [number] if alarm.state_value == alarm_states.ALARM else []
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
        ("ServerErrors", "------------", []),  # an idle endpoint is no alarm; whether it was asked enough is the live check's question
        ("ServerErrors", "XX-00", [2, 3, 4]),  # and silence does not end it
        ("ModelLatency", "X00X00X", []),
        ("ModelLatency", "0X0X", [4]),
        ("ScoreShift", "0XX0XX0XX", []),  # it must hold as long as a bake allows
        ("ScoreShift", "0XXX0", [4]),
        ("ScoreShift", "XX-X", [4]),
        ("ScoreShift", "-----", []),
    ],
)
def test_so_many_minutes_of_the_last_are_an_alarm_and_not_one(went_into_alarm: Went, alarm: str, minutes: str, after: list[int]) -> None:
    assert went_into_alarm(alarm, minutes) == after


def watched(aws: Aws, config: str, alarms: list[str]) -> Verdict:
    """What the live check makes of a deployment that has ended a minute ago."""
    began = datetime.now(UTC) - timedelta(minutes=1)
    outputs = ServingOutputs(
        endpoint_name=ENDPOINT,
        endpoint_config_name=config,
        model_package="arn",
        model_version=version(config),
        rollback_alarms=",".join(alarms),
        log_group="l",
        capture_bucket="b",
    )
    served = Served(endpoint=ENDPOINT, endpoint_config=config, model="m", instances=2, began=began, first=False)
    score_metrics = ScoreMetrics(cloudwatch=aws.client("cloudwatch"), namespace=NAMESPACE)
    return watch(score_metrics, served, outputs, DEMAND, Pace(poll_seconds=0.02, minute_seconds=0.02))


@pytest.mark.parametrize(("rows", "passed"), [(None, False), (0, False), (ROWS - 1, False), (ROWS, True)])
def test_quiet_alarms_of_a_version_that_was_not_asked_are_no_pass(
    aws: Aws, guards: list[str], config: str, rows: int | None, passed: bool
) -> None:
    """CloudWatch has no datapoint, or too few rows in it: the stage fails as inconclusive."""
    if rows is not None:
        data = {"MetricName": "ScoredRows", "Value": rows, "Dimensions": [{"Name": "ModelVersion", "Value": version(config)}]}
        aws.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=[data])

    verdict = watched(aws, config, guards)

    assert (verdict.passed, verdict.found) == (passed, rows or 0)
    assert passed or "too few to judge" in verdict.line()


def test_an_alarm_that_somebody_removed_is_no_pass(aws: Aws, guards: list[str], config: str) -> None:
    with pytest.raises(DeploymentError, match=rf"^{config}-Gone: no such alarm, though it guards the endpoint"):
        watched(aws, config, [f"{config}-Gone", *guards])


def test_an_alarm_that_flapped_while_it_was_looked_at_counts_once_it_went_into_alarm(
    aws: Aws, guards: list[str], went_into_alarm: Went, config: str
) -> None:
    assert went_into_alarm("ServerErrors", "X0X") == [3]

    with pytest.raises(InAlarm) as caught:
        watched(aws, config, guards)

    assert [(alarm.name, "2 datapoints" in alarm.reason) for alarm in caught.value.alarms] == [(f"{config}-ServerErrors", True)]
