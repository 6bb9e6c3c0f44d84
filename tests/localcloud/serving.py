"""What the tests of endpoints share: models that say who they are, configurations, updates, and a steady load."""

from __future__ import annotations

import io
import json
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from localcloud.sagemaker import wait_endpoint
from tests.localcloud.support import ACCOUNT, REGION, Aws

Name = Callable[[str], str]
Json = dict[str, Any]


def packed(aws: Aws, version: str) -> str:
    """The S3 URI of a model.tar.gz that says which version it is."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        info = tarfile.TarInfo("model.json")
        body = json.dumps({"version": version}).encode()
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    aws.client("s3").put_object(Bucket="lab", Key=f"models/{version}.tar.gz", Body=archive.getvalue())
    return f"s3://lab/models/{version}.tar.gz"


def configured(
    aws: Aws,
    image: str,
    name: str,
    version: str = "one",
    *,
    count: int = 1,
    capture: Json | None = None,
    shadow: Json | None = None,
    **environment: str,
) -> str:
    """An endpoint configuration of that name, with a model of that name; `shadow` is what its shadow variant has of its own."""
    sagemaker = aws.client("sagemaker")
    container = {"Image": image, "ModelDataUrl": packed(aws, version), "Environment": environment}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=aws.role(), PrimaryContainer=container, EnableNetworkIsolation=True)
    variant = {
        "VariantName": "live",
        "ModelName": name,
        "InitialInstanceCount": count,
        "InstanceType": "ml.m7i.large",
        "InitialVariantWeight": 1,
    }
    more: Json = {"DataCaptureConfig": capture} if capture else {}
    more |= {"ShadowProductionVariants": [{**variant, "VariantName": "shadow", **shadow}]} if shadow else {}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
    return name


def serving(aws: Aws, config: str, endpoint: str) -> str:
    aws.client("sagemaker").create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    wait_endpoint(ACCOUNT, REGION, endpoint)
    return endpoint


def updated(aws: Aws, endpoint: str, config: str, policy: Json, *alarms: str, **more: Any) -> None:
    """Begin an update under a policy, guarded by alarms."""
    guarded = policy | ({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": a} for a in alarms]}} if alarms else {})
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=guarded, **more)


def described(aws: Aws, endpoint: str) -> Json:
    wait_endpoint(ACCOUNT, REGION, endpoint)
    found: Json = aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)
    return found


def ask(aws: Aws, endpoint: str, body: str | bytes = "hello", **more: str) -> Json:
    answered = aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv", **more)
    found: Json = json.loads(answered["Body"].read())
    return found | {"variant": answered["InvokedProductionVariant"], "custom": answered.get("CustomAttributes")}


def version(aws: Aws, endpoint: str) -> str:
    return str(ask(aws, endpoint)["model"]["version"])


def canary(wait: int, percent: int = 50) -> Json:
    return routing("CANARY", wait, CanarySize={"Type": "CAPACITY_PERCENT", "Value": percent})


def routing(kind: str, wait: int, **size: Json) -> Json:
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **size},
            "TerminationWaitInSeconds": 0,
        }
    }


def measured(aws: Aws, endpoint: str, metric: str, *, config: str | None = None, variant: str = "live", statistic: str = "Sum") -> float:
    """A metric of all there was; `config` asks for one fleet's."""
    now = datetime.now(UTC)
    names = {"EndpointName": endpoint, "VariantName": variant} | ({"EndpointConfigName": config} if config else {})
    points = aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": k, "Value": v} for k, v in names.items()],
        StartTime=now - timedelta(hours=1),
        EndTime=now + timedelta(hours=1),
        Period=86400,
        Statistics=[statistic],
    )["Datapoints"]
    return float(sum(p[statistic] for p in points))


def until(true: Callable[[], Any], seconds: float = 15) -> Any:
    """What `true` returns once it is true; fails after `seconds`."""
    never, ends = threading.Event(), time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < ends, "it did not happen in time"
        never.wait(0.02)
    return found


@dataclass
class Load:
    """What came of a steady load: answers by version of the model, and failures."""

    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(aws: Aws, endpoint: str, clients: int = 4, body: str = "hello") -> Iterator[Load]:
    """Ask without a pause from several clients while the block runs."""
    found, ended = Load(), threading.Event()

    def run() -> None:
        while not ended.is_set():
            try:
                found.answers.append(str(ask(aws, endpoint, body)["model"]["version"]))
            except ClientError as problem:
                found.failures.append(str(problem))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def alarm(aws: Aws, name: str, endpoint: str, metric: str = "Invocation5XXErrors", **given: Any) -> str:
    """An alarm on one metric of the endpoint's variant, of one minute unless told otherwise; returns its name."""
    kept: Json = {
        "Namespace": "AWS/SageMaker",
        "MetricName": metric,
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": "live"}],
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 0.05,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
    }
    kept |= given
    if "ExtendedStatistic" in given:
        del kept["Statistic"]
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **kept)
    return name
