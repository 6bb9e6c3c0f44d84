"""Asynchronous endpoints: requests wait, their answers are objects, topics are told, and the fleet goes to zero and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from answers import answer
from botocore.exceptions import ClientError
from moto.core.exceptions import JsonRESTError

from localcloud.cloudwatch import metrics
from localcloud.core.assumptions import Assumption
from localcloud.sagemaker import async_invocations
from localcloud.testing import ACCOUNT, LAB, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, ask, canary, configured, described, measured, serving, updated
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

asynchronous = pytest.mark.aws("asynchronous endpoints")
laptop = pytest.mark.laptop


def queue(topic: str | None = None, concurrency: int = 2, **output: Any) -> Json:
    """An AsyncInferenceConfig."""
    told = {"NotificationConfig": {"SuccessTopic": topic, "ErrorTopic": topic}} if topic else {}
    places = {"S3OutputPath": f"s3://{LAB}/answers", "S3FailurePath": f"s3://{LAB}/failures", **output}
    return {"ClientConfig": {"MaxConcurrentInvocationsPerInstance": concurrency}, "OutputConfig": {**places, **told}}


def put(aws: Accounts, name: Name, endpoint: str, body: str = "hello", **more: Any) -> Json:
    """Have a body answered, some time."""
    aws.client("s3").put_object(Bucket=LAB, Key=name("in"), Body=body.encode())
    request = {"InputLocation": f"s3://{LAB}/{name('in')}", "ContentType": "text/csv", **more}
    sent: Json = aws.client("sagemaker-runtime").invoke_endpoint_async(EndpointName=endpoint, **request)
    return sent


def content(aws: Accounts, uri: str) -> bytes | None:
    """What lies there, if anything does."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        return bytes(aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None


def answered(aws: Accounts, sent: Json, where: str = "OutputLocation") -> Json:
    body: Json = json.loads(until(partial(content, aws, sent[where])))
    return body


@pytest.fixture
def told(aws: Accounts, name: Name) -> tuple[str, str]:
    """A topic, and the queue to which it tells what it is told."""
    topic = aws.client("sns").create_topic(Name=name("t"))["TopicArn"]
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName=name("q"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    lets = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [{**lets, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic, url


def notice(aws: Accounts, url: str) -> Json:
    """The next thing that a queue is told."""
    sqs = aws.client("sqs")
    (message,) = until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    body: Json = json.loads(message["Body"])
    return body


@asynchronous
def test_an_answer_is_an_object_and_a_topic_is_told(aws: Accounts, image: str, name: Name, told: tuple[str, str]) -> None:
    topic, url = told
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue(topic)), name("e"))

    sent = put(aws, name, endpoint, InferenceId="row-7", Accept="application/json")
    said = answered(aws, sent)
    about = notice(aws, url)

    assert sent["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert sent["InferenceId"] == "row-7"
    assert (said["said"], said["type"]) == ("hello", "text/csv")
    assert (about["invocationStatus"], about["inferenceId"], about["eventName"]) == ("Completed", "row-7", "InferenceResult")
    assert about["requestParameters"]["inputLocation"] == f"s3://{LAB}/{name('in')}"
    assert about["responseParameters"] == {"contentType": "application/json", "outputLocation": sent["OutputLocation"]}
    assert content(aws, sent["FailureLocation"]) is None


@asynchronous
def test_a_small_request_comes_with_the_call(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue()), name("e"))
    runtime = aws.client("sagemaker-runtime")

    sent = runtime.invoke_endpoint_async(EndpointName=endpoint, Body=b"row", ContentType="text/csv")

    assert answered(aws, sent)["said"] == "row"
    assert answer(runtime.invoke_endpoint_async, EndpointName=endpoint) == "ValidationError"


@asynchronous
def test_of_many_requests_at_a_time_none_is_lost(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue(concurrency=8)), name("e"))
    invoke = aws.client("sagemaker-runtime").invoke_endpoint_async

    sent = [invoke(EndpointName=endpoint, Body=str(number).encode(), ContentType="text/csv") for number in range(40)]

    assert [answered(aws, each)["said"] for each in sent] == [str(number) for number in range(40)]


@asynchronous
def test_what_a_container_refuses_is_a_failure_with_its_object_and_notice(
    aws: Accounts, image: str, name: Name, told: tuple[str, str]
) -> None:
    topic, url = told
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue(topic)), name("e"))

    sent = put(aws, name, endpoint, "bad", InferenceId="bad-1")
    failure = until(partial(content, aws, sent["FailureLocation"]))
    about = notice(aws, url)

    assert b"row 1" in failure
    assert (about["invocationStatus"], about["inferenceId"]) == ("Failed", "bad-1")
    assert "Received client error (422)" in about["failureReason"]
    assert content(aws, sent["OutputLocation"]) is None
    until(lambda: measured(aws, endpoint, "Invocation4XXErrors") == 1)
    until(lambda: measured(aws, endpoint, "InvocationFailures") == 1)
    until(lambda: measured(aws, endpoint, "InvocationsProcessed") == 1)
    assert measured(aws, endpoint, "Invocations") == 0


@pytest.fixture
def assumed(aws: Aws) -> Iterator[set[Assumption]]:
    """What the cloud assumes, for the length of a test."""
    yield aws.cloud.assumptions
    aws.cloud.assumptions.clear()


@laptop("what is assumed")
def test_the_object_of_a_failure_holds_the_containers_answer_or_sagemakers_words(
    aws: Aws, image: str, name: Name, assumed: set[Assumption]
) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue()), name("e"))

    plain = until(partial(content, aws, put(aws, name, endpoint, "bad")["FailureLocation"]))
    assumed.add(Assumption.FAILURE_IS_MESSAGE)
    worded = until(partial(content, aws, put(aws, name, endpoint, "bad")["FailureLocation"]))

    assert plain == b'{"error": "row 1"}'
    assert worded == b'Received client error (422) from primary with message "{"error": "row 1"}"'


@asynchronous
def test_a_request_that_is_not_there_and_one_that_takes_too_long_fail(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue()), name("e"))
    runtime = aws.client("sagemaker-runtime")

    absent = runtime.invoke_endpoint_async(EndpointName=endpoint, InputLocation=f"s3://{LAB}/{name('absent')}")
    slow = put(aws, name, endpoint, f"hold {name('never')}", InvocationTimeoutSeconds=1)

    assert b"could not be read" in until(partial(content, aws, absent["FailureLocation"]))
    assert b"timed out" in until(partial(content, aws, slow["FailureLocation"]))
    until(lambda: measured(aws, endpoint, "RequestDownloadFailures") == 1)
    until(lambda: measured(aws, endpoint, "Invocation5XXErrors") == 1)


@laptop("instances are held up by a file of this machine")
def test_an_instance_has_so_many_requests_at_a_time_and_the_others_wait_in_their_order(
    aws: Aws, image: str, name: Name, tmp_path: Path
) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue(concurrency=2)), name("e"))
    gates = [tmp_path / str(number) for number in range(3)]

    sent = [put(aws, partial(_numbered, name, at), endpoint, f"hold {gate}") for at, gate in enumerate(gates)]
    last = put(aws, name, endpoint, "last", RequestTTLSeconds=60)
    until(lambda: gauge(aws, endpoint, "ApproximateBacklogSize") == 4)
    assert gauge(aws, endpoint, "ApproximateBacklogSizePerInstance") == 4
    until(lambda: (gauge(aws, endpoint, "ApproximateAgeOfOldestRequest") or 0) > 60)
    for gate in gates:
        gate.touch()

    assert [answered(aws, each)["said"] for each in sent] == [f"hold {gate}" for gate in gates]
    assert b"RequestTTLSeconds" in until(partial(content, aws, last["FailureLocation"]))
    until(lambda: measured(aws, endpoint, "ExpiredRequests") == 1)


def _numbered(name: Name, number: int, kind: str) -> str:
    return f"{name(kind)}-{number}"


def gauge(aws: Accounts, endpoint: str, metric: str) -> float | None:
    """The newest value of a metric of the endpoint as a whole."""
    points = metrics.points(metrics.Metric(ACCOUNT, REGION, "AWS/SageMaker", metric, frozenset({("EndpointName", endpoint)})))
    return points[-1].low if points else None


@asynchronous
def test_an_asynchronous_endpoint_is_asked_in_no_other_way_and_has_no_capture(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue()), name("e"))
    capture = {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{LAB}/captured",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }

    with pytest.raises(ClientError, match="ValidationError"):
        ask(aws, endpoint)
    with pytest.raises(ClientError, match="ValidationException"):
        configured(aws, image, name("captured"), queue=queue(), capture=capture)
    with pytest.raises(ClientError, match="ValidationException"):
        configured(aws, image, name("shadowed"), queue=queue(), shadow={"InitialVariantWeight": 1})


@asynchronous
def test_a_canary_takes_an_asynchronous_endpoint_over(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), count=2, queue=queue()), name("e"))
    updated(aws, endpoint, configured(aws, image, name("new"), "two", count=2, queue=queue()), canary(0))
    described(aws, endpoint)

    assert answered(aws, put(aws, name, endpoint))["model"]["version"] == "two"


@asynchronous
def test_a_new_version_begins_with_instances_where_the_old_one_has_none(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), count=2, queue=queue()), name("e"))
    none = [{"VariantName": "live", "DesiredInstanceCount": 0}]
    aws.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=none)
    assert described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 0
    waiting = put(aws, name, endpoint)

    retained = {"RetainAllVariantProperties": True, "ExcludeRetainedVariantProperties": [{"VariantPropertyType": "DesiredInstanceCount"}]}
    updated(aws, endpoint, configured(aws, image, name("new"), "two", count=2, queue=queue()), canary(0), **retained)

    assert described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert answered(aws, waiting)["model"]["version"] == "two"


@asynchronous
@pytest.mark.slow
def test_a_fleet_goes_to_zero_and_comes_back_for_the_first_request(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), queue=queue()), name("e"))
    client, cloudwatch = aws.client("application-autoscaling"), aws.client("cloudwatch")
    variant = {
        "ServiceNamespace": "sagemaker",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        "ResourceId": f"endpoint/{endpoint}/variant/live",
    }
    client.register_scalable_target(**variant, MinCapacity=0, MaxCapacity=2)
    about = {"Namespace": "AWS/SageMaker", "Dimensions": [{"Name": "EndpointName", "Value": endpoint}]}
    backlog = {"MetricName": "ApproximateBacklogSizePerInstance", "Statistic": "Average", **about}
    tracking = {"TargetValue": 5, "CustomizedMetricSpecification": backlog, "ScaleInCooldown": 60}
    kinds = {"PolicyType": "TargetTrackingScaling", "TargetTrackingScalingPolicyConfiguration": tracking}
    client.put_scaling_policy(**variant, PolicyName="backlog", **kinds)
    steps = {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]}
    wake = client.put_scaling_policy(**variant, PolicyName="wake", PolicyType="StepScaling", StepScalingPolicyConfiguration=steps)
    cloudwatch.put_metric_alarm(
        AlarmName=name("waits"),
        **about,
        MetricName="HasBacklogWithoutCapacity",
        Statistic="Maximum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        AlarmActions=[wake["PolicyARN"]],
    )

    until(lambda: described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 0)
    said = answered(aws, put(aws, name, endpoint))

    assert said["model"]["version"] == "one"
    assert described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 1
    (first, *_) = client.describe_scaling_activities(**variant)["ScalingActivities"]
    assert name("waits") in first["Cause"]


@laptop("requests that no client of AWS's would send")
@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"RequestTTLSeconds": "59", "InputLocation": "s3://b/k"}, "between 60 and 21600"),
        ({"InvocationTimeoutSeconds": "3601", "InputLocation": "s3://b/k"}, "between 1 and 3600"),
        ({"RequestTTLSeconds": "soon", "InputLocation": "s3://b/k"}, "no number of seconds"),
        ({"InputLocation": "file:///etc/passwd"}, "is not an S3 URI"),
        ({"InputLocation": "s3://b/k", "Filename": "out"}, "localcloud cannot honour Filename"),
        ({}, "give InputLocation or Body, and not both"),
    ],
)
def test_a_request_that_is_wrong_is_refused_before_it_waits(headers: dict[str, str], said: str) -> None:
    with pytest.raises(JsonRESTError, match=said):
        async_invocations.read({f"X-Amzn-SageMaker-{name}": value for name, value in headers.items()}, b"", queue()["OutputConfig"])


@laptop("the words are localcloud's")
def test_callers_that_wait_are_not_left_without_an_instance(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    none = [{"VariantName": "live", "DesiredInstanceCount": 0}]

    with pytest.raises(ClientError, match="cannot have 0 instances: callers wait for it"):
        aws.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=none)
    with pytest.raises(ClientError, match="asked in another way than before"):
        updated(aws, endpoint, configured(aws, image, name("queued"), queue=queue()), {})
