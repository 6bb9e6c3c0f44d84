"""Rules see what becomes of jobs, models, endpoints, pipelines, packages and cards, and call their targets."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from event_rules import document
from sagemaker_jobs import ended, processing, training, until_hanging
from sagemaker_transforms import modelled, stored, transformed

from localcloud.testing import ACCOUNT, LAB, REGION, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import configured, described, routing, serving, updated
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.aws("SageMaker's events")

Json = dict[str, Any]


class Heard:
    """What a rule on all events of a kind has brought to its target, a queue."""

    def __init__(self, aws: Accounts, kind: str) -> None:
        name = named(f"heard-{uuid.uuid4()}")
        self.sqs = aws.client("sqs")
        self.url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
        policy = document({"Service": "events.amazonaws.com"}, "sqs:SendMessage", arn)
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        pattern = {"source": ["aws.sagemaker"], "detail-type": [f"SageMaker {kind}"]}
        aws.client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
        aws.client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        self.events: list[Json] = []

    def of(self, resource: str, count: int) -> list[Json]:
        """The details of the first `count` events about a resource, whose ARN ends so, by the time of the events' states."""

        def about() -> list[Json] | None:
            for message in self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages", []):
                self.events.append(json.loads(message["Body"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            known = [event["detail"] for event in self.events if any(arn.endswith(resource) for arn in event["resources"])]
            return known if len(known) >= count else None

        found: list[Json] = until(about)
        return found


def test_a_training_job_from_its_beginning_to_its_end(aws: Accounts, image: str, name: Name) -> None:
    heard = Heard(aws, "Training Job State Change")
    training(aws, image, name("job"), Tags=[{"Key": "team", "Value": "one"}])
    job = ended(aws, "training", name("job"))

    by = {detail["TrainingJobStatus"]: detail for detail in heard.of(f"training-job/{name('job')}", 2)}
    assert set(by) == {"InProgress", "Completed"}
    done = by["Completed"]
    assert (done["TrainingJobName"], done["TrainingJobArn"]) == (name("job"), job["TrainingJobArn"])
    assert (done["SecondaryStatus"], done["HyperParameters"], done["Tags"]) == ("Completed", {"depth": "3"}, {"team": "one"})
    assert done["TrainingStartTime"] == pytest.approx(job["TrainingStartTime"].timestamp() * 1000, abs=1000)
    assert done["SecondaryStatusTransitions"][-1]["Status"] == "Completed"
    assert "TrainingEndTime" not in by["InProgress"]
    assert "FailureReason" not in done


def test_jobs_that_fail_say_why(aws: Accounts, image: str, name: Name) -> None:
    trained, processed = (Heard(aws, f"{kind} Job State Change") for kind in ("Training", "Processing"))
    training(aws, image, name("job"), Environment={"BEHAVIOUR": "fail"})
    processing(aws, image, name("job"), Environment={"BEHAVIOUR": "fail"})

    for kind, heard in (("Training", trained), ("Processing", processed)):
        why = ended(aws, kind.lower(), name("job"))["FailureReason"]
        (failed,) = (d for d in heard.of(f"{kind.lower()}-job/{name('job')}", 2) if d[f"{kind}JobStatus"] == "Failed")
        assert failed["FailureReason"] == why
        assert failed["RoleArn"] == aws.worker()


def test_a_transform_job_that_fails_says_why(aws: Accounts, image: str, name: Name) -> None:
    heard, model = Heard(aws, "Transform Job State Change"), modelled(aws, image, name("m"))
    stored(aws, name("t"), a__csv="bad")
    why = transformed(aws, name("t"), model, Tags=[{"Key": "team", "Value": "one"}], MaxPayloadInMB=2)["FailureReason"]

    by = {detail["TransformJobStatus"]: detail for detail in heard.of(f"transform-job/{name('t')}", 2)}
    assert set(by) == {"InProgress", "Failed"}
    assert (by["Failed"]["FailureReason"], by["Failed"]["ModelName"]) == (why, model)
    assert (by["Failed"]["MaxPayloadInMB"], by["Failed"]["Tags"]) == (2, {"team": "one"})
    assert by["Failed"]["TransformOutput"]["AssembleWith"] == "Line"


def test_a_job_that_is_stopped_was_stopping(aws: Accounts, image: str, name: Name) -> None:
    heard = Heard(aws, "Training Job State Change")
    training(aws, image, name("job"), Environment={"BEHAVIOUR": "hang"})
    until_hanging(aws, name("job"))
    aws.client("sagemaker").stop_training_job(TrainingJobName=name("job"))
    ended(aws, "training", name("job"))

    assert {d["TrainingJobStatus"] for d in heard.of(name("job"), 3)} == {"InProgress", "Stopping", "Stopped"}


def test_an_endpoint_with_its_model_and_configuration(aws: Accounts, image: str, name: Name) -> None:
    kinds = ("Model State Change", "Endpoint Config State Change", "Endpoint State Change", "Endpoint Deployment State Change")
    model, config, endpoint, deployment = (Heard(aws, kind) for kind in kinds)
    one, two = configured(aws, image, name("one")), configured(aws, image, name("two"), "two")
    serving(aws, one, name("e"))
    updated(aws, name("e"), two, routing("ALL_AT_ONCE", 0))
    described(aws, name("e"))
    aws.client("sagemaker").delete_endpoint(EndpointName=name("e"))
    aws.client("sagemaker").delete_endpoint_config(EndpointConfigName=one)
    aws.client("sagemaker").delete_model(ModelName=one)

    states = endpoint.of(f"endpoint/{name('e')}", 5)
    assert sorted(d["EndpointStatus"] for d in states) == ["CREATING", "DELETING", "IN_SERVICE", "IN_SERVICE", "UPDATING"]
    served = [d for d in states if d["EndpointStatus"] == "IN_SERVICE"]
    assert {d["EndpointConfigName"] for d in served} == {one, two}
    assert served[0]["ProductionVariants"][0]["DesiredInstanceCount"] == 1
    moves = [d["PendingDeploymentSummary"] for d in deployment.of(f"endpoint/{name('e')}", 3)]
    stages = {move["ProductionVariants"][0]["VariantStatus"][0]["Status"] for move in moves}
    assert {"Creating", "ActivatingTraffic", "Baking"} <= stages
    assert {move["EndpointConfigName"] for move in moves} == {two}
    assert [d["ModelName"] for d in model.of(f"model/{one}", 2)] == [one, one]
    assert [d["EndpointConfigName"] for d in config.of(f"endpoint-config/{one}", 2)] == [one, one]


def test_an_endpoint_that_fails_says_why(aws: Accounts, image: str, name: Name) -> None:
    heard = Heard(aws, "Endpoint State Change")
    serving(aws, configured(aws, image, name("bad"), BEHAVIOUR="crash"), name("e"))

    (failed,) = (d for d in heard.of(f"endpoint/{name('e')}", 2) if d["EndpointStatus"] == "FAILED")
    assert failed["FailureReason"] == described(aws, name("e"))["FailureReason"]


def over(aws: Accounts, execution: str) -> None:
    """Return once an execution is."""
    describe = aws.client("sagemaker").describe_pipeline_execution
    until(lambda: describe(PipelineExecutionArn=execution)["PipelineExecutionStatus"] not in ("Executing", "Stopping"))


def started(aws: Accounts, name: str, *steps: Json) -> str:
    """The ARN of an execution of a new pipeline."""
    sagemaker, definition = aws.client("sagemaker"), json.dumps({"Version": "2020-12-01", "Steps": steps})
    sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=aws.worker(), ClientRequestToken="t" * 32)
    arn: str = sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    return arn


def step(aws: Accounts, image: str, name: str, **environment: str) -> Json:
    """A processing step."""
    local = "/opt/ml/processing"
    source = {"S3Uri": f"s3://{LAB}/data/v1", "LocalPath": f"{local}/input/data", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    target = {"S3Uri": f"s3://{LAB}/reports/step", "LocalPath": f"{local}/report", "S3UploadMode": "EndOfJob"}
    request = {
        "AppSpecification": {"ImageUri": image, "ContainerArguments": ["process"]},
        "RoleArn": aws.worker(),
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}},
        "ProcessingInputs": [{"InputName": "data", "S3Input": source}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": target}]},
        "Environment": environment,
    }
    return {"Name": name, "Type": "Processing", "Arguments": request}


def test_an_execution_and_its_steps(aws: Accounts, image: str, name: Name) -> None:
    ran, stepped = (Heard(aws, f"Model Building Pipeline Execution {what}Status Change") for what in ("", "Step "))
    fail = {"Name": "Fail", "Type": "Fail", "Arguments": {"ErrorMessage": "not good enough"}, "DependsOn": ["Count"]}
    arn = started(aws, name("p"), step(aws, image, "Count"), fail)
    over(aws, arn)

    executions = {d["currentPipelineExecutionStatus"]: d for d in ran.of(arn, 2)}
    assert executions["Failed"]["previousPipelineExecutionStatus"] == "Executing"
    assert executions["Failed"]["pipelineArn"] == arn.partition("/execution/")[0]
    assert "executionEndTime" not in executions["Executing"]
    steps = {(d["stepName"], d["currentStepStatus"]): d for d in stepped.of(arn, 6)}
    assert steps["Count", "Succeeded"]["metadata"]["processingJob"]["arn"].startswith("arn:aws:sagemaker")
    assert (steps["Count", "Succeeded"]["stepType"], steps["Count", "Succeeded"]["previousStepStatus"]) == ("Processing", "Executing")
    assert steps["Fail", "Failed"]["failureReason"] == "not good enough"
    assert {("Count", "Starting"), ("Count", "Executing")} <= set(steps)


def test_an_execution_that_is_stopped_stops_its_step(aws: Accounts, image: str, name: Name) -> None:
    ran, stepped = (Heard(aws, f"Model Building Pipeline Execution {what}Status Change") for what in ("", "Step "))
    sagemaker = aws.client("sagemaker")
    arn = started(aws, name("p"), step(aws, image, "Hang", BEHAVIOUR="algo-2 fails"))  # which algo-1 waits for
    until(lambda: sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"][0]["Metadata"])
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    over(aws, arn)

    assert {d["currentPipelineExecutionStatus"] for d in ran.of(arn, 3)} == {"Executing", "Stopping", "Stopped"}
    statuses = {d["currentStepStatus"]: d.get("previousStepStatus") for d in stepped.of(arn, 4)}
    assert statuses == {"Starting": None, "Executing": "Starting", "Stopping": "Executing", "Stopped": "Stopping"}


def test_a_package_and_its_approval(aws: Accounts, name: Name) -> None:
    heard, sagemaker = Heard(aws, "Model Package State Change"), aws.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName=name("g"))
    arn = sagemaker.create_model_package(ModelPackageGroupName=name("g"))["ModelPackageArn"]
    sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good")

    approved = {d["ModelApprovalStatus"]: d for d in heard.of(arn, 2)}
    assert set(approved) == {"PendingManualApproval", "Approved"}
    assert approved["Approved"]["UpdatedModelPackageFields"] == ["ApprovalDescription", "ModelApprovalStatus"]
    assert approved["Approved"]["ModelPackageVersion"] == 1
    assert approved["Approved"]["CreationTime"].endswith("Z")


def test_a_model_card(aws: Accounts, name: Name) -> None:
    heard, sagemaker = Heard(aws, "Model Card State Change"), aws.client("sagemaker")
    sagemaker.create_model_card(ModelCardName=name("c"), Content="{}", ModelCardStatus="Draft")
    sagemaker.update_model_card(ModelCardName=name("c"), Content='{"a": 1}')
    sagemaker.update_model_card(ModelCardName=name("c"), ModelCardStatus="Approved")

    told = {(d["ModelCardVersion"], d["ModelCardStatus"]) for d in heard.of(f"model-card/{name('c')}", 3)}
    assert told == {(1, "Draft"), (2, "Draft"), (2, "Approved")}
