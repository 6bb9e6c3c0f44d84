"""Endpoints serve, are updated blue/green, go back when the new fleet fails, and leave metrics and captured requests."""

from __future__ import annotations

import base64
import json
import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from localcloud.sagemaker import deployments, endpoints, fleets, put_group_policy, wait_endpoint
from tests.localcloud.serving import Json, Name, ask, configured, described, measured, packed, routing, serving, until, version
from tests.localcloud.support import ACCOUNT, OTHER_ACCOUNT, REGION, Aws


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "LEAST_PATIENCE", 3.0)


def test_an_endpoint_answers_with_its_model(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), count=2), name("e"))
    answers = [ask(aws, endpoint, b"\xff\x00", CustomAttributes="trace=1") for _ in range(4)]
    found = described(aws, endpoint)

    assert found["EndpointStatus"] == "InService"
    assert found["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert found["ProductionVariants"][0]["DeployedImages"][0]["ResolvedImage"] == image
    assert {a["model"]["version"] for a in answers} == {"one"}
    assert len({a["pid"] for a in answers}) == 2
    assert (answers[0]["said"], answers[0]["type"], answers[0]["variant"], answers[0]["custom"]) == ("ÿ\x00", "text/csv", "live", "trace=1")
    assert "serving" in aws.lines(f"/aws/sagemaker/Endpoints/{endpoint}")


@pytest.mark.parametrize(("body", "status", "side"), [("bad", 422, "client"), ("boom", 500, "server"), ("die", 0, "server")])
def test_what_a_container_refuses_is_a_model_error(aws: Aws, image: str, name: Name, body: str, status: int, side: str) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match=rf"Received {side} error \({status}\) from primary") as raised:
        ask(aws, endpoint, body)

    response: Json = dict(raised.value.response)

    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert status == 0 or response["OriginalMessage"] == '{"error": "row 1"}'


def test_a_dead_instance_is_started_again(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), count=2), name("e"))
    instances = endpoints.get(ACCOUNT, REGION, endpoint).variant("live").instances
    first = {ask(aws, endpoint)["pid"] for _ in range(2)}
    with pytest.raises(ClientError, match="from primary"):
        ask(aws, endpoint, "die")
    until(lambda: not all(i.ready.is_set() for i in instances))
    assert ask(aws, endpoint)["pid"] in first
    until(lambda: all(i.ready.is_set() for i in instances))
    again = {ask(aws, endpoint)["pid"] for _ in range(2)}

    assert len(again) == 2
    assert again != first


@pytest.mark.parametrize(("behaviour", "said"), [("crash", "cannot read the model"), ("sick", "/ping did not answer 200")])
def test_a_container_that_cannot_serve_fails_the_endpoint(aws: Aws, image: str, name: Name, behaviour: str, said: str) -> None:
    found = described(aws, serving(aws, configured(aws, image, name("c"), BEHAVIOUR=behaviour), name("e")))

    assert found["EndpointStatus"] == "Failed"
    assert said in found["FailureReason"]
    with pytest.raises(ClientError, match="does not serve"):
        ask(aws, name("e"))


def test_a_failed_update_leaves_the_old_fleet_serving(aws: Aws, image: str, name: Name) -> None:
    good, bad = configured(aws, image, name("good")), configured(aws, image, name("bad"), "two", BEHAVIOUR="crash")
    endpoint = serving(aws, good, name("e"))
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=bad)
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=good)
    found = described(aws, endpoint)

    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", good)
    assert "cannot read the model" in found["FailureReason"]
    assert version(aws, endpoint) == "one"


def test_a_canary_takes_its_share_first_and_then_everything(aws: Aws, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), "one", count=2), configured(aws, image, name("new"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    policy = routing("CANARY", 200, CanarySize={"Type": "CAPACITY_PERCENT", "Value": 30})
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=policy)
    live = endpoints.get(ACCOUNT, REGION, endpoint)
    for _ in range(200):
        if len(live.shares) == 2:
            break
        live.settled.wait(0.02)
    during = [version(aws, endpoint) for _ in range(20)]
    found = described(aws, endpoint)

    assert 4 <= during.count("two") <= 8
    assert {version(aws, endpoint) for _ in range(10)} == {"two"}
    assert (found["EndpointStatus"], found["EndpointConfigName"]) == ("InService", new)
    assert found["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"


def test_traffic_moves_in_the_steps_of_its_policy() -> None:
    def shares(policy: Json, size: int = 4) -> list[float]:
        return [round(s, 2) for s in deployments.read(policy, {"live": size}).steps]

    assert shares(routing("ALL_AT_ONCE", 60)) == [1]
    assert shares(routing("CANARY", 60, CanarySize={"Type": "INSTANCE_COUNT", "Value": 1})) == [0.25, 1]
    assert shares(routing("LINEAR", 60, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 40})) == [0.4, 0.8, 1]


def test_an_update_keeps_counts_and_weights_when_asked(aws: Aws, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old")), configured(aws, image, name("new"), "two")
    endpoint = serving(aws, old, name("e"))
    wanted = [{"VariantName": "live", "DesiredInstanceCount": 2, "DesiredWeight": 5.0}]
    aws.client("sagemaker").update_endpoint_weights_and_capacities(EndpointName=endpoint, DesiredWeightsAndCapacities=wanted)
    assert described(aws, endpoint)["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    aws.client("sagemaker").update_endpoint(
        EndpointName=endpoint, EndpointConfigName=new, RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded
    )
    (variant,) = described(aws, endpoint)["ProductionVariants"]

    assert (variant["CurrentInstanceCount"], variant["CurrentWeight"]) == (2, 1.0)


def test_requests_are_captured_and_measured(aws: Aws, image: str, name: Name) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://lab/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
    endpoint = serving(aws, configured(aws, image, name("c"), capture=capture), name("e"))
    ask(aws, endpoint, "1,2", InferenceId="lead-7")
    with pytest.raises(ClientError):
        ask(aws, endpoint, "bad")
    assert described(aws, endpoint)["DataCaptureConfig"]["CaptureStatus"] == "Started"
    endpoints.get(ACCOUNT, REGION, endpoint).telemetry.stop()
    listed = aws.client("s3").list_objects_v2(Bucket="lab", Prefix=f"capture/{endpoint}/live/")["Contents"]
    (line,) = aws.client("s3").get_object(Bucket="lab", Key=listed[0]["Key"])["Body"].read().decode().splitlines()
    event = json.loads(line)

    assert listed[0]["Key"].startswith(f"capture/{endpoint}/live/{datetime.now(UTC):%Y/%m/%d/}")
    assert event["captureData"]["endpointInput"] == {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"}
    assert json.loads(event["captureData"]["endpointOutput"]["data"])["model"] == {"version": "one"}
    assert event["eventMetadata"]["inferenceId"] == "lead-7"
    assert measured(aws, endpoint, "Invocations") == 2
    assert measured(aws, endpoint, "Invocation4XXErrors") == 1
    assert measured(aws, endpoint, "Invocation5XXErrors") == 0
    assert measured(aws, endpoint, "ModelLatency") > 0


def test_what_was_captured_is_complete_when_the_endpoint_is_gone(aws: Aws, image: str, name: Name) -> None:
    where = "kept/capture/0123456789ab"
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://lab/{where}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    endpoint = serving(aws, configured(aws, image, name("c"), capture=capture), name("e"))
    for number in range(20):
        ask(aws, endpoint, "1,2", InferenceId=f"lead-{number}", CustomAttributes="by=test")
    gone = endpoints.get(ACCOUNT, REGION, endpoint).gone

    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)

    assert gone.wait(10)
    s3, now = aws.client("s3"), datetime.now(UTC)
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket="lab", Prefix=where)["Contents"]]
    hours = "|".join(f"{t:%Y/%m/%d/%H}" for t in (now, now - timedelta(hours=1)))
    assert all(re.fullmatch(rf"{where}/{endpoint}/live/({hours})/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", key) for key in listed)
    lines = [json.loads(x) for key in listed for x in s3.get_object(Bucket="lab", Key=key)["Body"].read().splitlines()]
    assert sorted(x["eventMetadata"]["inferenceId"] for x in lines) == sorted(f"lead-{number}" for number in range(20))
    assert lines[0].keys() == {"captureData", "eventMetadata", "eventVersion"}
    assert lines[0]["captureData"].keys() == {"endpointInput", "endpointOutput"}
    assert lines[0]["eventMetadata"].keys() == {"eventId", "inferenceId", "customAttributes", "inferenceTime"}
    given = {"observedContentType": "text/csv", "mode": "INPUT", "data": base64.b64encode(b"1,2").decode(), "encoding": "BASE64"}
    assert lines[0]["captureData"]["endpointInput"] == given


def test_callers_faults_are_validation_errors(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match=r"ValidationError.*Could not find endpoint"):
        ask(aws, "nowhere")
    with pytest.raises(ClientError, match="exceeds the limit of 6291456 bytes"):
        ask(aws, endpoint, b"x" * 6_291_457)
    with pytest.raises(ClientError, match="Variant other does not exist"):
        ask(aws, endpoint, TargetVariant="other")
    with pytest.raises(ClientError, match="cannot honour Target-Model"):
        ask(aws, endpoint, TargetModel="other")
    with pytest.raises(ClientError, match="localcloud does not do InvokeEndpointAsync"):
        aws.client("sagemaker-runtime").invoke_endpoint_async(EndpointName=endpoint, InputLocation="s3://lab/x")
    with pytest.raises(ClientError, match="already existing endpoint"):
        serving(aws, name("c"), endpoint)


@pytest.mark.parametrize(
    ("variant", "config", "said"),
    [
        ({"InstanceType": "ml.none.large"}, {}, "instanceType"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}, {}, "cannot honour ServerlessConfig"),
        ({"InstanceType": "ml.m5.large"}, {"AsyncInferenceConfig": {"OutputConfig": {}}}, "cannot honour AsyncInferenceConfig"),
    ],
)
def test_configurations_that_cannot_be_honoured_are_refused(aws: Aws, name: Name, variant: Json, config: Json, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        aws.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name("c"), ProductionVariants=[{"VariantName": "live", "ModelName": "m", **variant}], **config
        )


def test_only_an_approved_package_becomes_a_model_even_in_another_account(aws: Aws, image: str, name: Name) -> None:
    group, sagemaker = name("g"), aws.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    inference = {
        "Containers": [{"Image": image, "ModelDataUrl": packed(aws, "one")}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arn = sagemaker.create_model_package(ModelPackageGroupName=group, InferenceSpecification=inference)["ModelPackageArn"]
    request = {"ModelName": name("m"), "PrimaryContainer": {"ModelPackageName": arn}}
    with pytest.raises(ClientError, match="ModelApprovalStatus is PendingManualApproval, not Approved"):
        sagemaker.create_model(ExecutionRoleArn=aws.role(), **request)
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.create_model(ExecutionRoleArn=aws.role(), **request)
    assert sagemaker.describe_model(ModelName=name("m"))["PrimaryContainer"]["ModelPackageName"] == arn

    elsewhere = aws.client("sagemaker", OTHER_ACCOUNT)
    with pytest.raises(ClientError, match="no resource-based policy allows it"):
        elsewhere.create_model(ExecutionRoleArn=aws.role(OTHER_ACCOUNT), **request)
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"},
        "Action": ["sagemaker:CreateModel"],
        "Resource": "*",
    }
    put_group_policy(ACCOUNT, REGION, group, json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    elsewhere.create_model(ExecutionRoleArn=aws.role(OTHER_ACCOUNT), **request)
    variant = {"VariantName": "live", "ModelName": name("m"), "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    elsewhere.create_endpoint_config(EndpointConfigName=name("c"), ProductionVariants=[variant])
    elsewhere.create_endpoint(EndpointName=name("e"), EndpointConfigName=name("c"))
    assert wait_endpoint(OTHER_ACCOUNT, REGION, name("e")) == "Failed"
    reason = elsewhere.describe_endpoint(EndpointName=name("e"))["FailureReason"]
    assert f"does not let arn:aws:iam::{OTHER_ACCOUNT}:role/worker pull" in reason


def test_a_deleted_endpoint_leaves_no_process(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    pid = ask(aws, endpoint)["pid"]
    held = endpoints.get(ACCOUNT, REGION, endpoint)
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    held.delete()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)


def test_deleting_an_endpoint_does_not_wait_for_one_that_cannot_start(
    aws: Aws, image: str, name: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleets, "LEAST_PATIENCE", 60.0)
    config = configured(aws, image, name("c"), BEHAVIOUR="sick")
    aws.client("sagemaker").create_endpoint(EndpointName=name("e"), EndpointConfigName=config)
    endpoint = endpoints.get(ACCOUNT, REGION, name("e"))
    for _ in range(200):
        if endpoint._move and any(i._last_lines for v in endpoint._move.new.variants.values() for i in v.starting):
            break
        endpoint.settled.wait(0.02)
    endpoint.delete()

    assert endpoint.record.endpoint_status == "Failed"
