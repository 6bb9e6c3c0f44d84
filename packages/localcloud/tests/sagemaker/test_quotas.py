"""What an account may have of SageMaker: low until it is raised, and refused in SageMaker's words."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from sagemaker_jobs import ended, processing, training

from localcloud.core.quotas import parsed
from localcloud.sagemaker import endpoints, jobs, pipelines, quotas
from localcloud.servicequotas import api as service_quotas
from localcloud.testing import ACCOUNT, LAB, REGION
from localcloud.testing.endpoints import canary, configured, described, serving, updated
from localcloud.testing.in_process import PLENTY, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("an account's quotas cannot be lowered for a test, nor raised within one")

SERVING = "ml.m7i.large"
EXCEEDED = (
    r"ResourceLimitExceeded.*The account-level service limit '{quota}' is {limit} Instances, with current utilization of {used} Instances"
    r" and a request delta of {delta} Instances\. Please use AWS Service Quotas to request an increase"
)


def exceeded(quota: str, limit: int, used: int, delta: int) -> str:
    return EXCEEDED.format(quota=quota, limit=limit, used=used, delta=delta)


@pytest.fixture
def limits(aws: Aws) -> Iterator[dict[str, int]]:
    """The cloud's quotas, for the length of a test."""
    yield aws.cloud.quotas
    aws.cloud.quotas = dict(PLENTY)


def test_an_endpoint_needs_room_for_both_fleets_while_it_is_updated(aws: Aws, image: str, name: Name, limits: dict[str, int]) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2)
    quota, others = quotas.name(SERVING, quotas.ENDPOINT), endpoints.machines(ACCOUNT, REGION)[SERVING]
    limits[quota] = others + 3
    endpoint = serving(aws, old, name("e"))

    with pytest.raises(ClientError, match=exceeded(quota, others + 3, others + 2, 2)):
        updated(aws, endpoint, new, canary(0))
    assert described(aws, endpoint)["EndpointConfigName"] == old
    batch = {"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}, "WaitIntervalInSeconds": 0}}
    updated(aws, endpoint, new, batch)  # replaces one instance after the other
    assert described(aws, endpoint)["EndpointConfigName"] == new
    with pytest.raises(ClientError, match=exceeded(quota, others + 3, others + 2, 2)):
        aws.client("sagemaker").update_endpoint_weights_and_capacities(
            EndpointName=endpoint, DesiredWeightsAndCapacities=[{"VariantName": "live", "DesiredInstanceCount": 4}]
        )
    with pytest.raises(ClientError, match=exceeded(quota, others + 3, others + 2, 2)):
        aws.client("sagemaker").create_endpoint(EndpointName=name("another"), EndpointConfigName=old)
    assert not endpoints.exists(ACCOUNT, REGION, name("another"))
    assert endpoints.machines(ACCOUNT, REGION)[SERVING] == others + 2


@pytest.mark.parametrize("kind", ["training", "processing"])
def test_jobs_have_quotas_of_their_own(aws: Aws, image: str, name: Name, limits: dict[str, int], kind: str) -> None:
    start = {"training": training, "processing": processing}[kind]
    quota, others = f"ml.m5.large for {kind} job usage", jobs.machines(ACCOUNT, REGION, f"{kind} job usage")["ml.m5.large"]
    limits[quota] = others

    with pytest.raises(ClientError, match=exceeded(quota, others, others, 1)):
        start(aws, image, name("job"))
    limits[quota] = others + 1
    start(aws, image, name("job"))
    assert ended(aws, kind, name("job"))[f"{kind.title()}JobStatus"] == "Completed"
    assert jobs.machines(ACCOUNT, REGION, f"{kind} job usage")["ml.m5.large"] <= others


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ({"MaxAttempts": 20}, "Succeeded"),
        ({"MaxAttempts": 1}, "Failed"),
        ({"ExpireAfterMin": 60}, "Succeeded"),
        ({"ExpireAfterMin": 5}, "Failed"),
    ],
)
def test_a_step_waits_for_a_quota_as_its_retry_policy_says(
    aws: Aws, image: str, name: Name, limits: dict[str, int], ends: dict[str, int], status: str
) -> None:
    """While there is none, the step is begun again and again; once there is, it goes on, unless its attempts or its time are used up."""
    quota, sagemaker = "ml.m5.large for processing job usage", aws.client("sagemaker")
    report = {"S3Uri": f"s3://{LAB}/reports/{name('p')}", "LocalPath": "/opt/ml/processing/report", "S3UploadMode": "EndOfJob"}
    limits[quota] = 0
    step = {
        "Name": "Count",
        "Type": "Processing",
        "Arguments": {
            "AppSpecification": {"ImageUri": image, "ContainerArguments": ["process"]},
            "RoleArn": aws.worker(),
            "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}},
            "ProcessingInputs": [
                {
                    "InputName": "data",
                    "S3Input": {
                        "S3Uri": f"s3://{LAB}/data/v1",
                        "LocalPath": "/opt/ml/processing/input",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": report}]},
        },
        "RetryPolicies": [{"ExceptionType": ["SageMaker.RESOURCE_LIMIT"], "IntervalSeconds": 10, "BackoffRate": 1.0, **ends}],
    }
    definition = json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": [step]})
    sagemaker.create_pipeline(
        PipelineName=name("p"), PipelineDefinition=definition, RoleArn=aws.worker(), ClientRequestToken=uuid.uuid4().hex
    )
    arn = sagemaker.start_pipeline_execution(PipelineName=name("p"), ClientRequestToken=uuid.uuid4().hex)["PipelineExecutionArn"]

    def counted() -> int:
        steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return steps[0]["AttemptCount"] if steps else 0

    until(lambda: counted() > 1)
    if status == "Failed":
        pipelines.wait(arn)
    limits[quota] = 1000
    pipelines.wait(arn)

    assert sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == status
    if status == "Failed":
        assert counted() <= ends.get("MaxAttempts", 30) + 1  # ten seconds each, in five minutes


@pytest.mark.parametrize(
    ("quota", "value"),
    [("ml.m5.large for endpoint usage", 16), ("ml.m5.24xlarge for endpoint usage", 2), ("ml.g5.xlarge for training job usage", 0)],
)
def test_service_quotas_tells_what_holds(aws: Aws, limits: dict[str, int], quota: str, value: int) -> None:
    client = aws.client("service-quotas")
    limits.clear()
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="sagemaker")
    known = {each["QuotaName"]: each for page in pages for each in page["Quotas"]}
    found = known[quota]
    assert (found["Value"], found["Adjustable"]) == (value, True)

    limits.update(parsed(each, service_quotas.names()) for each in ("ml.* for endpoint usage=5", f"{quota}=7"))
    raised, default = (
        call(ServiceCode="sagemaker", QuotaCode=found["QuotaCode"])["Quota"]["Value"]
        for call in (client.get_service_quota, client.get_aws_default_service_quota)
    )
    assert (raised, default) == (7, value)


@pytest.mark.parametrize("wrong", ["ml.m5.large for endpoint usage", "ml.m5.huge for endpoint usage=5", "*=many"])
def test_a_quota_that_nobody_has_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"accepted is NAME=NUMBER|invalid literal"):
        parsed(wrong, service_quotas.names())
