"""An endpoint whose requests wait: what its stack has that others have not, and what it must not have."""

from __future__ import annotations

from typing import Any

import pytest

import naming
from cli.deployability import findings
from paved_runtime.spec import ModelSpec, Serving
from pipelines.serving_stack import ServingOutputs
from stacks import layout as checked
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.layouts import PRODUCTION, Layout, synth
from tests.support.layouts import STAGING as FIRST

pytestmark = pytest.mark.laptop("templates alone")

STAGING, LAST = naming.serving_stack(CONFIG, MODEL, FIRST), naming.serving_stack(CONFIG, MODEL, PRODUCTION)
ALARM, POLICY = "AWS::CloudWatch::Alarm", "AWS::ApplicationAutoScaling::ScalingPolicy"


def table(**changes: Any) -> Serving:
    canary = {"policy": "canary", "size_percent": 50}
    base = {"instance_type": "ml.m5.large", "instances": 2, "maximum_instances": 6, "deployment": canary, "asynchronous": {}}
    return Serving.model_validate(base | changes)


def queued(**tables: Serving) -> ModelSpec:
    return reference.model().model_copy(update={"monitoring": None, "serving": tables})


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Staging tells of everything and keeps its instances; production goes to zero."""
    everything = table(maximum_instances=None, asynchronous={"notices": "all", "concurrency": 2, "result_days": 7, "payload_mb": 100})
    return synth(CONFIG, [queued(staging=everything, production=table())], tmp_path_factory.mktemp("asynchronous"))


def test_requests_and_answers_lie_in_a_bucket_of_their_own(layout: Layout) -> None:
    config = layout.only(STAGING, "AWS::SageMaker::EndpointConfig")
    output = config["AsyncInferenceConfig"]["OutputConfig"]
    bucket = output["S3OutputPath"]["Fn::Join"][1][1]["Ref"]

    assert config["AsyncInferenceConfig"]["ClientConfig"] == {"MaxConcurrentInvocationsPerInstance": 2}
    assert (output["S3OutputPath"]["Fn::Join"][1][2], output["S3FailurePath"]["Fn::Join"][1][2]) == ("/answers", "/failures")
    assert "DataCaptureConfig" not in config
    rules = layout.templates[STAGING]["Resources"][bucket]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule} == dict.fromkeys(
        ("requests/", "answers/", "failures/"), 7
    )
    assert layout.templates[STAGING]["Outputs"]["QueueBucket"]["Value"] == {"Ref": bucket}
    assert layout.templates[STAGING]["Outputs"].keys() == ServingOutputs.declared().keys()


def test_a_container_is_told_how_large_requests_may_be(layout: Layout) -> None:
    assert layout.only(STAGING, "AWS::SageMaker::Model")["PrimaryContainer"]["Environment"]["REQUEST_MB"] == "100"


def test_callers_are_told_where_requests_go(layout: Layout) -> None:
    told = {parameter["Name"] for parameter in layout.all(STAGING, "AWS::SSM::Parameter").values()}

    assert {naming.environment_parameter(CONFIG, MODEL, FIRST, fact) for fact in ("queue-bucket", "answers-topic")} <= told


def test_nothing_breaks_a_deployability_rule(layout: Layout) -> None:
    broken = {stack: findings(layout.folder / f"{stack}.template.json") for stack in layout.templates}

    assert {stack: rules for stack, rules in broken.items() if rules} == {}


@pytest.mark.parametrize(("stack", "topics"), [(STAGING, {"ErrorTopic", "SuccessTopic"}), (LAST, {"ErrorTopic"})])
def test_a_topic_is_told_of_what_is_asked_for(layout: Layout, stack: str, topics: set[str]) -> None:
    output = layout.only(stack, "AWS::SageMaker::EndpointConfig")["AsyncInferenceConfig"]["OutputConfig"]

    assert set(output["NotificationConfig"]) == topics


def test_who_is_not_to_be_told_has_no_topic(layout: Layout) -> None:
    silent = synth(CONFIG, [queued(staging=table(asynchronous={"notices": "none"}), production=table())], layout.folder.parent / "silent")

    assert "NotificationConfig" not in silent.only(STAGING, "AWS::SageMaker::EndpointConfig")["AsyncInferenceConfig"]["OutputConfig"]
    assert "sns:Publish" not in flat(execution(silent))


def execution(layout: Layout) -> list[dict[str, Any]]:
    return layout.statements(STAGING, naming.execution_role(CONFIG, MODEL, FIRST))


def test_the_endpoint_reads_requests_and_writes_answers_and_no_more(layout: Layout) -> None:
    reads = [s["Resource"] for s in execution(layout) if s["Action"] == "s3:GetObject"]
    writes = [s["Resource"] for s in execution(layout) if s["Action"] == ["s3:AbortMultipartUpload", "s3:PutObject"]]

    assert [last_of(each) for each in reads[0] if "QueueStore" in str(each)] == ["/requests/*"]
    assert [[last_of(each) for each in resources] for resources in writes] == [["/answers/*", "/failures/*"]]
    assert "sns:Publish" in flat(execution(layout))


def last_of(joined: dict[str, Any]) -> str:
    return str(joined["Fn::Join"][1][-1])


def test_the_verifier_asks_by_the_queue_alone(layout: Layout) -> None:
    actions = flat(layout.statements(LAST, naming.verifier_role(CONFIG, MODEL, PRODUCTION)))

    assert "sagemaker:InvokeEndpointAsync" in actions
    assert "sagemaker:InvokeEndpoint" not in actions
    assert {"s3:PutObject", "s3:GetObject", "s3:ListBucket", "kms:Decrypt", "kms:GenerateDataKey"} <= actions


def flat(statements: list[dict[str, Any]]) -> set[str]:
    return {action for s in statements for action in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])}


def test_a_fleet_goes_to_zero_and_a_request_brings_it_back(layout: Layout) -> None:
    target, policies = layout.only(LAST, "AWS::ApplicationAutoScaling::ScalableTarget"), layout.all(LAST, POLICY)
    by_name = {policy["PolicyName"]: policy for policy in policies.values()}
    (wake,) = (name for name, policy in policies.items() if policy["PolicyName"] == "wake")
    alarms = [alarm for alarm in layout.all(LAST, ALARM).values() if alarm["AlarmActions"] == [{"Ref": wake}]]
    excluded = layout.only(LAST, "AWS::SageMaker::Endpoint")["ExcludeRetainedVariantProperties"]

    assert (target["MinCapacity"], target["MaxCapacity"]) == (0, 6)
    tracked = by_name["backlog-per-instance"]["TargetTrackingScalingPolicyConfiguration"]
    assert tracked["CustomizedMetricSpecification"]["MetricName"] == "ApproximateBacklogSizePerInstance"
    assert "PredefinedMetricSpecification" not in tracked
    assert [(alarm["MetricName"], alarm["Threshold"]) for alarm in alarms] == [("HasBacklogWithoutCapacity", 1)]
    assert "DesiredInstanceCount" in {each["VariantPropertyType"] for each in excluded}, "a new version would start with no instance"


def test_alarms_are_those_of_a_queue(layout: Layout) -> None:
    watched = {alarm.get("MetricName") for alarm in layout.all(LAST, ALARM).values()}
    guards = layout.only(LAST, "AWS::SageMaker::Endpoint")["DeploymentConfig"]["Fn::If"][1]["AutoRollbackConfiguration"]["Alarms"]
    names = {alarm["AlarmName"] for alarm in layout.all(LAST, ALARM).values() if isinstance(alarm.get("AlarmName"), str)}

    assert "ApproximateAgeOfOldestRequest" in watched
    assert not {"OverheadLatency", "Invocations"} & watched
    assert not [guard for guard in guards if "QueueAlarms" in str(guard)], "what waits does not blame the version"
    endpoint = naming.endpoint(CONFIG, MODEL, PRODUCTION)
    assert {f"{endpoint}-OldestRequest", f"{endpoint}-LostRequests"} <= names


def test_an_endpoint_that_may_have_no_instance_is_not_missed(layout: Layout) -> None:
    gone = {environment: naming.alarm(CONFIG, MODEL, environment, naming.GONE) for environment in CONFIG.environments}
    stacks = {environment: naming.monitoring_stack(CONFIG, MODEL, environment) for environment in CONFIG.environments}
    missed = {e.name: gone[e] in {a.get("AlarmName") for a in layout.all(stacks[e], ALARM).values()} for e in CONFIG.environments}

    assert missed == {"staging": True, "production": False}


def test_what_is_not_captured_is_not_monitored() -> None:
    model = queued(staging=table(), production=table()).model_copy(update={"monitoring": reference.model().monitoring})

    with pytest.raises(ValueError, match=r"monitoring: found it with serving\.production\.asynchronous, of which SageMaker captures"):
        checked.check(CONFIG, [model])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"deployment": {"policy": "shadow"}}, "SageMaker has no shadow of an asynchronous endpoint"),
        ({"instance_type": "ml.inf1.xlarge", "deployment": {"policy": "all-at-once"}}, "no asynchronous endpoint on ml.inf1.xlarge"),
        ({"concurrency_per_instance": 4}, "scales by what waits"),
        ({"invocations_per_instance": 50}, "scales by what waits"),
        ({"alarms": {"overhead_latency_p99_ms": 100}}, "measures no overhead"),
        ({"capture_percent": 50}, "captures nothing of an asynchronous endpoint"),
    ],
)
def test_what_sagemaker_does_not_have_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        table(**changes)
