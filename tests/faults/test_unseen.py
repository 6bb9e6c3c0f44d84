"""What a monitor cannot see, and an endpoint that is gone: the monitoring stack's own alarms, as localcloud evaluates them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from aws_cdk import App
from botocore.exceptions import ClientError

import naming
from localcloud.cloudwatch import alarm_states, alarms, metrics
from localcloud.cloudwatch.metrics import Metric
from localcloud.core import clock
from localcloud.testing import ACCOUNT, LAB, REGION
from localcloud.testing.endpoints import ask, configured, serving
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until
from paved_runtime.monitoring import coverage
from paved_runtime.monitoring.services import Services
from paved_runtime.monitoring.window import Window
from stacks.monitoring import Monitoring
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import CONTEXT, PRODUCTION

pytestmark = pytest.mark.fault("flapping or missing alarm data")

LONG_AGO = 7e8 // 86_400 * 86_400  # seconds since 1970; each test has a month of its own after that
NAMESPACE = naming.metric_namespace(CONFIG, MODEL, PRODUCTION)
VARIANT = {"EndpointName": naming.endpoint(CONFIG, MODEL, PRODUCTION), "VariantName": naming.VARIANT}
States = Callable[[str, str], str]


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The alarms of the monitoring stack in production that see what the monitor tells."""
    app = App(outdir=str(tmp_path_factory.mktemp("monitoring")), context=CONTEXT)
    Monitoring(app, "Monitoring", config=CONFIG, model=reference.model(), environment=PRODUCTION)
    (stack,) = app.synth().stacks
    resources = json.loads(Path(stack.template_full_path).read_text())["Resources"].values()
    alarms = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::CloudWatch::Alarm"]
    return [alarm for alarm in alarms if alarm.get("Namespace") != "AWS/SQS"]


@pytest.fixture
def states(aws: Aws, templates: list[dict[str, Any]]) -> Iterator[States]:
    """`states(kind, periods)`: an alarm's state after each period: `A`, `O`, or `?` where it is not known. A period is `-` without data."""
    cloudwatch = aws.client("cloudwatch")
    with clock.paused():
        for alarm in templates:
            cloudwatch.put_metric_alarm(**{key: value for key, value in alarm.items() if key != "AlarmActions"})

        def after(kind: str, periods: str) -> str:
            alarm = alarms.find(ACCOUNT, REGION, naming.alarm(CONFIG, MODEL, PRODUCTION, kind))
            metric, value, length = MEASURED[kind]
            seen, begin = "", LONG_AGO + 86_400 * 30 * (crc32(f"{kind} {periods}".encode()) % 200)
            for number, period in enumerate(periods, 1):
                at = begin + number * length / aws.cloud.speed
                if period != "-":
                    metrics.record(metric, value(int(period)), at=at - 0.5 * length / aws.cloud.speed)
                alarms.evaluate(alarm, at + 0.01)
                seen += {alarm_states.ALARM: "A", alarm_states.OK: "O"}.get(alarm.state_value, "?")
            return seen

        yield after
        cloudwatch.delete_alarms(AlarmNames=[alarm["AlarmName"] for alarm in templates])


def _metric(namespace: str, name: str, dimensions: dict[str, str]) -> Metric:
    return Metric(ACCOUNT, REGION, namespace, name, frozenset(dimensions.items()))


MEASURED: dict[str, tuple[Metric, Callable[[int], float], float]] = {  # an alarm's metric, its value for a digit, and its period in seconds
    naming.CAPTURE_UNREAD: (_metric(NAMESPACE, "UnreadShare", {}), lambda tenths: tenths / 10, 86_400),
    naming.GONE: (_metric("/aws/sagemaker/Endpoints", "CPUUtilization", VARIANT), float, 60),
}


@pytest.mark.parametrize(
    ("kind", "periods", "after"),
    [
        (naming.CAPTURE_UNREAD, "0", "O"),
        (naming.CAPTURE_UNREAD, "-", "?"),  # not looked yet; MonitorSilent's matter
        (naming.CAPTURE_UNREAD, "1", "O"),  # as much as is accepted
        (naming.CAPTURE_UNREAD, "29-0", "AAAO"),
        (naming.GONE, "0" * 3 + "-" * 18, "O" * 19 + "AA"),  # older minutes stand in for two; an idle endpoint tells its load
        (naming.GONE, "0-" * 12, "O" * 24),
    ],
)
def test_what_is_not_seen_is_an_alarm(states: States, kind: str, periods: str, after: str) -> None:
    assert states(kind, periods) == after


def test_what_an_endpoint_answered_is_held_against_what_was_captured(aws: Aws, image: str, name: Name) -> None:
    """As the monitor's job asks SageMaker and CloudWatch: what was refused is not captured, and not expected to be."""
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{LAB}/unseen",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    endpoint = serving(aws, configured(aws, image, name("c"), capture=capture), name("e"))
    for _ in range(coverage.FEWEST):
        ask(aws, endpoint, "1,2")
    with pytest.raises(ClientError):
        ask(aws, endpoint, "bad")
    services = Services(**{service: aws.client(service) for service in ("s3", "cloudwatch", "sagemaker", "sns")})
    window = Window(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1))
    before = coverage.served(services, endpoint, naming.VARIANT, window)
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    until(lambda: coverage.served(services, endpoint, naming.VARIANT, window).status is None)

    assert before == coverage.Served(status="InService", percent=100, answered=coverage.FEWEST)
    assert coverage.few({"objects": 0}, before)
    assert not coverage.few({"requests": coverage.FEWEST}, before)
