"""Endpoints serve, are updated blue/green, go back when the new fleet fails, and leave metrics and captured requests."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from answers import answer
from botocore.exceptions import ClientError
from sagemaker_jobs import logged

from localcloud.sagemaker import deployment_policies, endpoints
from localcloud.testing import ACCOUNT, LAB, OTHER, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, ask, canary, configured, described, measured, packed, routing, serving, version
from localcloud.testing.in_process import HOUR, Aws
from localcloud.testing.marks import across
from localcloud.testing.names import Name
from localcloud.testing.waiting import until


@pytest.mark.aws("Staging and Production: serving stack, live endpoint")
def test_an_endpoint_answers_with_its_model(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), count=2), name("e"))
    answers: list[Json] = []

    def both_answered() -> bool:
        answers.append(ask(aws, endpoint, b"\xff\x00", CustomAttributes="trace=1"))
        return len({each["instance"] for each in answers}) == 2

    until(both_answered)
    description = described(aws, endpoint)

    assert description["EndpointStatus"] == "InService"
    assert description["ProductionVariants"][0]["CurrentInstanceCount"] == 2
    assert description["ProductionVariants"][0]["DeployedImages"][0]["ResolvedImage"] == image
    assert {a["model"]["version"] for a in answers} == {"one"}
    assert (answers[0]["said"], answers[0]["type"], answers[0]["variant"], answers[0]["custom"]) == ("ÿ\x00", "text/csv", "live", "trace=1")
    until(lambda: "serving" in logged(aws, f"/aws/sagemaker/Endpoints/{endpoint}"))


@pytest.mark.aws("Staging and Production: serving stack, live endpoint")
@pytest.mark.parametrize(("body", "status", "side"), [("bad", 422, "client"), ("boom", 500, "server"), ("die", 0, "server")])
def test_what_a_container_refuses_is_a_model_error(aws: Accounts, image: str, name: Name, body: str, status: int, side: str) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match=rf"Received {side} error \({status}\) from primary") as raised:
        ask(aws, endpoint, body)

    response: Json = dict(raised.value.response)

    assert response["Error"]["Code"] == "ModelError"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert response["OriginalStatusCode"] == status
    assert status == 0 or response["OriginalMessage"] == '{"error": "row 1"}'


@pytest.mark.laptop("looks at instances as they start")
def test_a_dead_instance_is_started_again(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c"), count=2), name("e"))
    instances = endpoints.find(ACCOUNT, REGION, endpoint).variant("live").instances
    first = {ask(aws, endpoint)["instance"] for _ in range(2)}
    with pytest.raises(ClientError, match="from primary"):
        ask(aws, endpoint, "die")
    until(lambda: not all(i.ready.is_set() for i in instances))
    assert ask(aws, endpoint)["instance"] in first
    until(lambda: all(i.ready.is_set() for i in instances))
    again = {ask(aws, endpoint)["instance"] for _ in range(2)}

    assert len(again) == 2
    assert again != first


@pytest.mark.laptop("the words are localcloud's, and its patience is short")
@pytest.mark.parametrize(("behaviour", "why"), [("crash", "its process ended"), ("sick", "/ping did not answer 200 in 2 s")])
def test_a_container_that_cannot_serve_fails_the_endpoint_with_its_last_lines(
    aws: Aws, image: str, name: Name, behaviour: str, why: str
) -> None:
    config = configured(aws, image, name("c"), BEHAVIOUR=behaviour)
    with aws.cloud.impatient() if behaviour == "sick" else nullcontext():
        failed = described(aws, serving(aws, config, name("e")))

    assert failed["EndpointStatus"] == "Failed"
    lines = logged(aws, f"/aws/sagemaker/Endpoints/{name('e')}")
    assert behaviour != "crash" or lines == ["cannot read the model"]
    assert failed["FailureReason"].endswith(f"{why}; its last lines: {' | '.join(lines) or 'none'}")
    with pytest.raises(ClientError, match="does not serve"):
        ask(aws, name("e"))


@pytest.mark.aws("a container that cannot start stops in Staging")
def test_a_container_that_cannot_start_fails_the_endpoint(aws: Accounts, image: str, name: Name) -> None:
    failed = described(aws, serving(aws, configured(aws, image, name("c"), BEHAVIOUR="crash"), name("e")))

    assert failed["EndpointStatus"] == "Failed"
    assert failed["FailureReason"]
    until(lambda: "cannot read the model" in logged(aws, f"/aws/sagemaker/Endpoints/{name('e')}"))
    with pytest.raises(ClientError, match="ValidationError"):
        ask(aws, name("e"))


@pytest.mark.aws("a container that cannot start stops in Staging")
def test_a_failed_update_leaves_the_old_fleet_serving(aws: Accounts, image: str, name: Name) -> None:
    good, bad = configured(aws, image, name("good")), configured(aws, image, name("bad"), "two", BEHAVIOUR="crash")
    endpoint = serving(aws, good, name("e"))
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=bad)
    after = described(aws, endpoint)

    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", good)
    assert version(aws, endpoint) == "one"


@pytest.mark.laptop("the words are localcloud's")
def test_a_failed_update_says_why(aws: Aws, image: str, name: Name) -> None:
    good, bad = configured(aws, image, name("good")), configured(aws, image, name("bad"), "two", BEHAVIOUR="crash")
    endpoint = serving(aws, good, name("e"))
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=bad)

    assert "cannot read the model" in described(aws, endpoint)["FailureReason"]


@pytest.mark.laptop("an hour passes when the test says so")
def test_a_canary_takes_its_share_first_and_then_everything(aws: Aws, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), "one", count=2), configured(aws, image, name("new"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=new, DeploymentConfig=canary(HOUR, percent=30))
    live = endpoints.find(ACCOUNT, REGION, endpoint)
    until(lambda: len(live.shares) == 2)
    during = [version(aws, endpoint) for _ in range(20)]
    with pytest.raises(ClientError, match="Cannot update in-progress endpoint"):
        aws.client("sagemaker").update_endpoint(EndpointName=endpoint, EndpointConfigName=old)
    aws.cloud.pass_an_hour()
    until(lambda: [share for _, share in live.shares] == [1.0, 0.0])
    aws.cloud.pass_an_hour()
    after = described(aws, endpoint)

    assert 4 <= during.count("two") <= 8
    assert {version(aws, endpoint) for _ in range(10)} == {"two"}
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", new)
    assert after["LastDeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"


@pytest.mark.laptop("a function of localcloud")
def test_traffic_moves_in_the_steps_of_its_policy() -> None:
    def shares(policy: Json, size: int = 4) -> list[float]:
        return [round(s, 2) for s in deployment_policies.read(policy, {"live": size}).steps]

    assert shares(routing("ALL_AT_ONCE", 60)) == [1]
    assert shares(routing("CANARY", 60, CanarySize={"Type": "INSTANCE_COUNT", "Value": 1})) == [0.25, 1]
    assert shares(routing("LINEAR", 60, LinearStepSize={"Type": "CAPACITY_PERCENT", "Value": 40})) == [0.4, 0.8, 1]


@pytest.mark.aws("deployments: all at once, canary, linear, rolling")
def test_an_update_keeps_counts_and_weights_when_asked(aws: Accounts, image: str, name: Name) -> None:
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


@pytest.mark.aws("data capture")
def test_requests_are_captured_and_measured(aws: Accounts, image: str, name: Name) -> None:
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{LAB}/capture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
    endpoint = serving(aws, configured(aws, image, name("c"), capture=capture), name("e"))
    ask(aws, endpoint, "1,2", InferenceId="lead-7")
    with pytest.raises(ClientError):
        ask(aws, endpoint, "bad")
    assert described(aws, endpoint)["DataCaptureConfig"]["CaptureStatus"] == "Started"
    until(lambda: captured(aws, "capture"))
    ((key, event),) = captured(aws, "capture")

    assert re.match(rf"capture/{endpoint}/live/\d{{4}}/\d\d/\d\d/\d\d/", key)
    assert event["captureData"]["endpointInput"] == {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"}
    assert json.loads(event["captureData"]["endpointOutput"]["data"])["model"] == {"version": "one"}
    assert event["eventMetadata"]["inferenceId"] == "lead-7"
    until(lambda: measured(aws, endpoint, "Invocations") == 2)
    until(lambda: measured(aws, endpoint, "Invocation4XXErrors") == 1)
    until(lambda: measured(aws, endpoint, "ModelLatency") > 0)
    assert measured(aws, endpoint, "Invocation5XXErrors") == 0


def captured(aws: Accounts, prefix: str) -> list[tuple[str, Json]]:
    """The key of its object with each line that was captured."""
    s3 = aws.client("s3")
    keys = [o["Key"] for o in s3.list_objects_v2(Bucket=LAB, Prefix=f"{prefix}/").get("Contents", [])]
    return [(key, json.loads(x)) for key in keys for x in s3.get_object(Bucket=LAB, Key=key)["Body"].read().splitlines()]


@pytest.mark.aws("data capture")
def test_what_was_captured_is_complete_when_the_endpoint_is_gone(aws: Accounts, image: str, name: Name) -> None:
    where = "kept/capture/0123456789ab"
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{LAB}/{where}",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
    }
    endpoint = serving(aws, configured(aws, image, name("c"), capture=capture), name("e"))
    for number in range(20):
        ask(aws, endpoint, "1,2", InferenceId=f"lead-{number}", CustomAttributes="by=test")

    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)

    until(lambda: answer(aws.client("sagemaker").describe_endpoint, EndpointName=endpoint) != "done")
    until(lambda: len(captured(aws, where)) == 20)
    now, kept = datetime.now(UTC), captured(aws, where)
    hours = "|".join(f"{t:%Y/%m/%d/%H}" for t in (now, now - timedelta(hours=1)))
    assert all(re.fullmatch(rf"{where}/{endpoint}/live/({hours})/\d\d-\d\d-\d{{3}}-[0-9a-f-]{{36}}\.jsonl", key) for key, _ in kept)
    lines = [line for _, line in kept]
    assert sorted(x["eventMetadata"]["inferenceId"] for x in lines) == sorted(f"lead-{number}" for number in range(20))
    assert lines[0].keys() == {"captureData", "eventMetadata", "eventVersion"}
    assert lines[0]["captureData"].keys() == {"endpointInput", "endpointOutput"}
    assert lines[0]["eventMetadata"].keys() == {"eventId", "inferenceId", "customAttributes", "inferenceTime"}
    request = {"observedContentType": "text/csv", "mode": "INPUT", "data": base64.b64encode(b"1,2").decode(), "encoding": "BASE64"}
    assert lines[0]["captureData"]["endpointInput"] == request


@pytest.mark.aws("Staging and Production: serving stack, live endpoint")
def test_callers_faults_are_validation_errors(aws: Accounts, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match=rf"ValidationError.*Endpoint {name('nowhere')} of account {ACCOUNT} not found"):
        ask(aws, name("nowhere"))
    with pytest.raises(ClientError, match="ValidationError"):
        ask(aws, endpoint, TargetVariant="other")
    with pytest.raises(ClientError, match=r"ValidationException.*already existing endpoint"):
        serving(aws, name("c"), endpoint)


@pytest.mark.laptop("the words are localcloud's, and what it does not do")
def test_what_an_endpoint_is_asked_in_vain_is_named(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    with pytest.raises(ClientError, match="exceeds the limit of 6291456 bytes"):
        ask(aws, endpoint, b"x" * 6_291_457)
    with pytest.raises(ClientError, match="Variant other does not exist"):
        ask(aws, endpoint, TargetVariant="other")
    with pytest.raises(ClientError, match="cannot honour Target-Model"):
        ask(aws, endpoint, TargetModel="other")
    with pytest.raises(ClientError, match="has no AsyncInferenceConfig: it takes InvokeEndpoint only"):
        aws.client("sagemaker-runtime").invoke_endpoint_async(EndpointName=endpoint, InputLocation=f"s3://{LAB}/x")


@pytest.mark.laptop("what localcloud does not do")
@pytest.mark.parametrize(
    ("variant", "config", "said"),
    [
        ({"InstanceType": "ml.none.large"}, {}, "instanceType"),
        (
            {"InstanceType": "ml.m5.large"},
            {"ExplainerConfig": {"ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {}}}}},
            "ExplainerConfig",
        ),
    ],
)
def test_configurations_that_cannot_be_honoured_are_refused(aws: Aws, name: Name, variant: Json, config: Json, said: str) -> None:
    with pytest.raises(ClientError, match=said):
        aws.client("sagemaker").create_endpoint_config(
            EndpointConfigName=name("c"), ProductionVariants=[{"VariantName": "live", "ModelName": "m", **variant}], **config
        )


def packaged(aws: Accounts, image: str, group: str) -> str:
    """The ARN of a package of that image in a new group."""
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    inference = {
        "Containers": [{"Image": image, "ModelDataUrl": packed(aws, "one")}],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    made = aws.client("sagemaker").create_model_package(ModelPackageGroupName=group, InferenceSpecification=inference)
    return str(made["ModelPackageArn"])


@pytest.mark.aws("SageMaker refuses an unapproved package in production")
def test_only_an_approved_package_becomes_a_model(aws: Accounts, image: str, name: Name) -> None:
    sagemaker, arn = aws.client("sagemaker"), packaged(aws, image, name("g"))
    request = {"ModelName": name("m"), "PrimaryContainer": {"ModelPackageName": arn}, "ExecutionRoleArn": aws.worker()}
    assert answer(sagemaker.create_model, **request) == "ValidationException"

    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    sagemaker.create_model(**request)

    assert sagemaker.describe_model(ModelName=name("m"))["PrimaryContainer"]["ModelPackageName"] == arn


def let_in(aws: Accounts, group: str) -> None:
    """Let the other account make models of a group's packages."""
    here = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
    allow = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": ["sagemaker:DescribeModelPackage", "sagemaker:CreateModel"],
        "Resource": f"{here}:model-package/{group}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    aws.client("sagemaker").put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)


@pytest.mark.aws("SageMaker refuses an unapproved package in production")
@across
def test_another_account_makes_models_of_a_package_only_where_its_group_lets_it(aws: Accounts, image: str, name: Name) -> None:
    arn, elsewhere = packaged(aws, image, name("g")), aws.client("sagemaker", OTHER)
    aws.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    request = {"ModelName": name("m"), "PrimaryContainer": {"ModelPackageName": arn}, "ExecutionRoleArn": aws.worker(OTHER)}
    assert answer(elsewhere.create_model, **request) == "AccessDeniedException"

    let_in(aws, name("g"))

    until(lambda: answer(elsewhere.create_model, **request) == "done")


@pytest.mark.laptop("the words are localcloud's")
def test_a_model_whose_image_the_other_account_may_not_pull_is_named(aws: Aws, image: str, name: Name) -> None:
    arn, elsewhere = packaged(aws, image, name("g")), aws.client("sagemaker", OTHER)
    request = {"ModelName": name("m"), "PrimaryContainer": {"ModelPackageName": arn}}
    with pytest.raises(ClientError, match="ModelApprovalStatus is PendingManualApproval, not Approved"):
        aws.client("sagemaker").create_model(ExecutionRoleArn=aws.worker(), **request)
    aws.client("sagemaker").update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    with pytest.raises(ClientError, match="no resource-based policy allows it"):
        elsewhere.create_model(ExecutionRoleArn=aws.worker(OTHER), **request)
    let_in(aws, name("g"))
    elsewhere.create_model(ExecutionRoleArn=aws.worker(OTHER), **request)
    variant = {"VariantName": "live", "ModelName": name("m"), "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
    elsewhere.create_endpoint_config(EndpointConfigName=name("c"), ProductionVariants=[variant])
    elsewhere.create_endpoint(EndpointName=name("e"), EndpointConfigName=name("c"))
    assert endpoints.wait(OTHER, REGION, name("e")) == "Failed"
    reason = elsewhere.describe_endpoint(EndpointName=name("e"))["FailureReason"]
    assert f"does not let arn:aws:iam::{OTHER}:role/worker pull" in reason


@pytest.mark.laptop("looks at processes")
def test_a_deleted_endpoint_leaves_no_process(aws: Aws, image: str, name: Name) -> None:
    endpoint = serving(aws, configured(aws, image, name("c")), name("e"))
    held = endpoints.find(ACCOUNT, REGION, endpoint)
    pid = held.variant("live").instances[0].pid
    assert pid
    aws.client("sagemaker").delete_endpoint(EndpointName=endpoint)
    held.delete()

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ClientError, match="Could not find endpoint"):
        aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)


@pytest.mark.aws("an endpoint or its configuration deleted or changed by hand")
def test_an_endpoint_that_was_deleted_by_hand_is_told_apart_from_one_that_fails(aws: Accounts, image: str, name: Name) -> None:
    """In SageMaker's words, by every call that names it."""
    endpoint, sagemaker = serving(aws, configured(aws, image, name("c")), name("e")), aws.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=endpoint)
    until(lambda: answer(sagemaker.describe_endpoint, EndpointName=endpoint) != "done")
    missing = f'Could not find endpoint "arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{endpoint}"'

    for call in (
        sagemaker.describe_endpoint,
        sagemaker.delete_endpoint,
        functools.partial(sagemaker.update_endpoint, EndpointConfigName=name("c")),
    ):
        with pytest.raises(ClientError) as caught:
            call(EndpointName=endpoint)
        assert caught.value.response["Error"] == {"Code": "ValidationException", "Message": f"{missing}."}
    with pytest.raises(ClientError, match=rf"\(ValidationError\).*Endpoint {endpoint} of account {ACCOUNT} not found"):
        ask(aws, endpoint)


@pytest.mark.aws("an endpoint or its configuration deleted or changed by hand")
def test_an_endpoint_serves_on_when_its_configuration_was_deleted(aws: Accounts, image: str, name: Name) -> None:
    """It cannot be updated any more. Its model may go too: what runs has it."""
    sagemaker, old, new = aws.client("sagemaker"), configured(aws, image, name("old")), configured(aws, image, name("new"), "two")
    endpoint = serving(aws, old, name("e"))
    sagemaker.delete_endpoint_config(EndpointConfigName=old)
    sagemaker.delete_model(ModelName=old)

    assert version(aws, endpoint) == "one"
    assert described(aws, endpoint)["EndpointConfigName"] == old
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint-config/{old}"
    for call in (sagemaker.describe_endpoint_config, sagemaker.delete_endpoint_config):
        with pytest.raises(ClientError, match=f'Could not find endpoint configuration "{arn}"'):
            call(EndpointConfigName=old)
    with pytest.raises(ClientError, match="Could not find endpoint configuration"):
        sagemaker.update_endpoint(EndpointName=endpoint, EndpointConfigName=new)


@pytest.mark.laptop("looks at localcloud's endpoint, whose patience is an hour")
def test_deleting_an_endpoint_does_not_wait_for_one_that_cannot_start(aws: Aws, image: str, name: Name) -> None:
    """It would have an hour to become healthy, which is longer than this test may take."""
    config = configured(aws, image, name("c"), BEHAVIOUR="sick", patience=3600)
    with aws.cloud.impatient(3600.0):
        aws.client("sagemaker").create_endpoint(EndpointName=name("e"), EndpointConfigName=config)
        group = f"/aws/sagemaker/Endpoints/{name('e')}"
        until(lambda: logged(aws, group))
    endpoint = endpoints.find(ACCOUNT, REGION, name("e"))
    endpoint.delete()

    assert endpoint.record.endpoint_status == "Failed"
