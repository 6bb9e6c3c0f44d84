"""What tests of endpoints do: models that say who they are, configurations, updates, and a steady load."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from localcloud.testing import LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.waiting import until

Json = dict[str, Any]
UNDER_WAY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")


def packed(aws: Accounts, version: str) -> str:
    """The S3 URI of a model.tar.gz that says which version it is."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        info = tarfile.TarInfo("model.json")
        body = json.dumps({"version": version}).encode()
        info.size = len(body)
        tar.addfile(info, io.BytesIO(body))
    aws.client("s3").put_object(Bucket=LAB, Key=f"models/{version}.tar.gz", Body=archive.getvalue())
    return f"s3://{LAB}/models/{version}.tar.gz"


def configured(
    aws: Accounts,
    image: str,
    name: str,
    version: str = "one",
    *,
    count: int = 1,
    capture: Json | None = None,
    shadow: Json | None = None,
    patience: int | None = None,
    key: str | None = None,
    role: str | None = None,
    serverless: Json | None = None,
    queue: Json | None = None,
    **environment: str,
) -> str:
    """An endpoint configuration of that name, with a model of that name; `shadow` is what its shadow variant has of its own.

    `patience` is the variant's ContainerStartupHealthCheckTimeoutInSeconds, `key` that of the volumes, `role` the model's.
    `serverless` is the variant's ServerlessConfig, `queue` the AsyncInferenceConfig.
    """
    sagemaker = aws.client("sagemaker")
    container = {"Image": image, "ModelDataUrl": packed(aws, version), "Environment": environment}
    role = role or aws.worker()
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container, EnableNetworkIsolation=not serverless)
    variant = {
        "VariantName": "live",
        "ModelName": name,
        **({"ServerlessConfig": serverless} if serverless else {"InitialInstanceCount": count, "InstanceType": "ml.m7i.large"}),
        "InitialVariantWeight": 1,
        **({"ContainerStartupHealthCheckTimeoutInSeconds": patience} if patience else {}),
    }
    more: Json = {"DataCaptureConfig": capture} if capture else {}
    more |= {"KmsKeyId": key} if key else {}
    more |= {"AsyncInferenceConfig": queue} if queue else {}
    more |= {"ShadowProductionVariants": [{**variant, "VariantName": "shadow", **shadow}]} if shadow else {}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], **more)
    return name


def serving(aws: Accounts, config: str, endpoint: str) -> str:
    """Create an endpoint and wait until it serves, or has failed; returns its name."""
    aws.client("sagemaker").create_endpoint(EndpointName=endpoint, EndpointConfigName=config)
    described(aws, endpoint)
    return endpoint


def updated(aws: Accounts, endpoint: str, config: str, policy: Json, *alarms: str, **more: Any) -> None:
    """Begin an update under a policy, guarded by alarms."""
    guarded = policy | ({"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": a} for a in alarms]}} if alarms else {})
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=config, DeploymentConfig=guarded, **more)


def described(aws: Accounts, endpoint: str) -> Json:
    """The endpoint, once nothing is under way."""
    sagemaker = aws.client("sagemaker")

    def settled() -> Json | None:
        description: Json = sagemaker.describe_endpoint(EndpointName=endpoint)
        return None if description["EndpointStatus"] in UNDER_WAY else description

    description: Json = until(settled)
    return description


def ask(aws: Accounts, endpoint: str, body: str | bytes = "hello", **more: str) -> Json:
    """Invoke the endpoint; returns what its container says, and which variant it was."""
    answer = aws.client("sagemaker-runtime").invoke_endpoint(EndpointName=endpoint, Body=body, ContentType="text/csv", **more)
    content: Json = json.loads(answer["Body"].read())
    return content | {"variant": answer["InvokedProductionVariant"], "custom": answer.get("CustomAttributes")}


def version(aws: Accounts, endpoint: str) -> str:
    """The version of the model that answers."""
    return str(ask(aws, endpoint)["model"]["version"])


def canary(wait: int, percent: int = 50) -> Json:
    """A DeploymentConfig that bakes a canary for `wait` seconds."""
    return routing("CANARY", wait, CanarySize={"Type": "CAPACITY_PERCENT", "Value": percent})


def routing(kind: str, wait: int, **size: Json) -> Json:
    """A blue/green DeploymentConfig."""
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **size},
            "TerminationWaitInSeconds": 0,
        }
    }


def measured(
    aws: Accounts, endpoint: str, metric: str, *, config: str | None = None, variant: str = "live", statistic: str = "Sum"
) -> float:
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


@dataclass
class Load:
    """What came of a steady load: answers by version of the model, and failures."""

    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@contextmanager
def load(aws: Accounts, endpoint: str, clients: int = 4, body: str = "hello") -> Iterator[Load]:
    """Ask without a pause from several clients while the block runs."""
    outcome, ended = Load(), threading.Event()

    def run() -> None:
        while not ended.is_set():
            try:
                outcome.answers.append(str(ask(aws, endpoint, body)["model"]["version"]))
            except ClientError as problem:
                outcome.failures.append(str(problem))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcome
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def alarm(aws: Accounts, name: str, endpoint: str, metric: str = "Invocation5XXErrors", **members: Any) -> str:
    """An alarm on one metric of the endpoint's variant, of one minute where `members` says nothing else; returns its name."""
    wanted: Json = {
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
    wanted |= members
    if "ExtendedStatistic" in members:
        del wanted["Statistic"]
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **wanted)
    return name
