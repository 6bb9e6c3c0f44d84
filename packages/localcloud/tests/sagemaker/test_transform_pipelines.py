"""Transform steps of pipelines, and executions that are tried again: what has succeeded stays, what has not is run once more."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagemaker_transforms import Json, logged, modelled, request, stored

from localcloud.core.interruptions import Interruptions
from localcloud.testing import LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.in_process import Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

STEP = pytest.mark.aws("Transform steps of pipelines")
RETRY = pytest.mark.aws("RetryPipelineExecution")
LOST = pytest.mark.laptop("AWS takes no machine away when a test wants it to")
AGAIN = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 2}


def score(name: str, *policies: Json, **changes: Any) -> Json:
    """A Transform step of the model that the parameter Model names, whose output is in a folder of the execution."""
    arguments = request(name, "", **changes)
    arguments.pop("TransformJobName")
    folder = [f"s3://{LAB}/runs", {"Get": "Execution.PipelineExecutionId"}, "scored"]
    arguments["ModelName"] = {"Get": "Parameters.Model"}
    arguments["TransformOutput"]["S3OutputPath"] = {"Std:Join": {"On": "/", "Values": folder}}
    return {"Name": "Score", "Type": "Transform", "Arguments": arguments, "RetryPolicies": list(policies)}


def count(aws: Accounts, image: str, step: str, source: Any, *needed: str) -> Json:
    """A Processing step that reads CSV."""
    local = "/opt/ml/processing"
    found = {"S3Uri": source, "LocalPath": f"{local}/input", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    left = {"S3Uri": f"s3://{LAB}/reports/{uuid.uuid4()}", "LocalPath": f"{local}/report", "S3UploadMode": "EndOfJob"}
    arguments = {
        "AppSpecification": {"ImageUri": image, "ContainerArguments": ["process"]},
        "RoleArn": aws.worker(),
        "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}},
        "ProcessingInputs": [{"InputName": "data", "S3Input": found}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": left}]},
    }
    return {"Name": step, "Type": "Processing", "Arguments": arguments, "DependsOn": list(needed)}


def created(aws: Accounts, name: str, *steps: Json) -> None:
    parameters = [{"Name": "Model", "Type": "String", "DefaultValue": "nobody"}]
    definition = json.dumps({"Version": "2020-12-01", "Parameters": parameters, "Steps": steps})
    token = uuid.uuid4().hex
    aws.client("sagemaker").create_pipeline(
        PipelineName=name, PipelineDefinition=definition, RoleArn=aws.worker(), ClientRequestToken=token
    )


def started(aws: Accounts, name: str, model: str) -> str:
    chosen = [{"Name": "Model", "Value": model}]
    answer = aws.client("sagemaker").start_pipeline_execution(PipelineName=name, PipelineParameters=chosen)
    return str(answer["PipelineExecutionArn"])


def retried(aws: Accounts, execution: str, token: str | None = None) -> None:
    answer = aws.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=execution, ClientRequestToken=token or uuid.uuid4().hex)
    assert answer["PipelineExecutionArn"] == execution


def outcome(aws: Accounts, execution: str) -> tuple[Json, dict[str, Json]]:
    """The execution's description and its steps, once it is over."""
    sagemaker = aws.client("sagemaker")
    describe = sagemaker.describe_pipeline_execution
    until(lambda: describe(PipelineExecutionArn=execution)["PipelineExecutionStatus"] in ("Succeeded", "Failed", "Stopped"))
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
    return describe(PipelineExecutionArn=execution), {step["StepName"]: step for step in steps}


def statuses(steps: dict[str, Json]) -> dict[str, str]:
    return {name: step["StepStatus"] for name, step in steps.items()}


def job(step: Json) -> str:
    """The name of a step's job."""
    (about,) = step["Metadata"].values()
    return str(about["Arn"].rpartition("/")[2])


@STEP
def test_a_transform_step_takes_references_and_gives_them(aws: Accounts, image: str, name: Name) -> None:
    model = modelled(aws, image, name("m"))
    source = stored(aws, name("p"), a__csv="1\n22\n")
    scored = {"Get": "Steps.Score.TransformOutput.S3OutputPath"}
    created(aws, name("p"), score(name("p")), count(aws, image, "Count", scored), count(aws, image, "Read", source))
    execution = started(aws, name("p"), model)
    ended, steps = outcome(aws, execution)

    assert ended["PipelineExecutionStatus"] == "Succeeded", steps
    assert statuses(steps) == dict.fromkeys(("Score", "Count", "Read"), "Succeeded")
    described = aws.client("sagemaker").describe_transform_job(TransformJobName=job(steps["Score"]))
    assert steps["Score"]["Metadata"] == {"TransformJob": {"Arn": described["TransformJobArn"]}}
    assert described["ModelName"] == model
    key = f"runs/{execution.rpartition('/')[2]}/scored/a.csv.out"
    assert aws.client("s3").get_object(Bucket=LAB, Key=key)["Body"].read() == b"1\n2\n"


@STEP
def test_a_transform_step_fails_with_its_jobs_reason(aws: Accounts, image: str, name: Name) -> None:
    stored(aws, name("p"), a__csv="bad")
    created(aws, name("p"), score(name("p"), AGAIN))
    ended, steps = outcome(aws, started(aws, name("p"), modelled(aws, image, name("m"))))

    assert ended["PipelineExecutionStatus"] == "Failed"
    assert steps["Score"]["FailureReason"] == "ClientError: See job logs for more information"
    assert steps["Score"]["AttemptCount"] == 1


@pytest.fixture
def losing(aws: Aws) -> Iterator[None]:
    """The next transform job loses a host as soon as its model serves."""
    aws.cloud.host_losses = Interruptions(times=1, seconds=0, seed=7)
    yield
    aws.cloud.host_losses = None


@LOST
@pytest.mark.usefixtures("losing")
def test_a_step_whose_host_is_lost_is_retried_by_its_policy(aws: Aws, image: str, name: Name) -> None:
    stored(aws, name("p"), a__csv="slow")
    created(aws, name("p"), score(name("p"), AGAIN, BatchStrategy="SingleRecord"))
    ended, steps = outcome(aws, started(aws, name("p"), modelled(aws, image, name("m"))))

    assert ended["PipelineExecutionStatus"] == "Succeeded", steps
    assert steps["Score"]["AttemptCount"] == 2


@LOST
@pytest.mark.usefixtures("losing")
def test_an_execution_whose_host_is_lost_goes_on_where_it_was(aws: Aws, image: str, name: Name) -> None:
    source, model = stored(aws, name("p"), a__csv="slow"), modelled(aws, image, name("m"))
    first = count(aws, image, "Prepare", source)
    step = {**score(name("p"), BatchStrategy="SingleRecord"), "DependsOn": ["Prepare"]}
    created(aws, name("p"), first, step, count(aws, image, "Collect", source, "Score"))
    execution = started(aws, name("p"), model)
    ended, before = outcome(aws, execution)
    assert (ended["PipelineExecutionStatus"], statuses(before)) == ("Failed", {"Prepare": "Succeeded", "Score": "Failed"})
    assert before["Score"]["FailureReason"].startswith("InternalServerError: ")
    assert "was taken away" in logged(aws, job(before["Score"]))

    retried(aws, execution)
    ended, after = outcome(aws, execution)
    assert (ended["PipelineExecutionStatus"], ended.get("FailureReason")) == ("Succeeded", None)
    assert statuses(after) == dict.fromkeys(("Prepare", "Score", "Collect"), "Succeeded")
    assert job(after["Prepare"]) == job(before["Prepare"])
    assert job(after["Score"]) != job(before["Score"])
    assert aws.client("sagemaker").describe_transform_job(TransformJobName=job(after["Score"]))["ModelName"] == model


@RETRY
def test_a_stopped_execution_is_retried_with_its_parameters(aws: Accounts, image: str, name: Name) -> None:
    sagemaker, model = aws.client("sagemaker"), modelled(aws, image, name("m"))
    stored(aws, name("p"), a__csv="hang")
    created(aws, name("p"), score(name("p")))
    execution = started(aws, name("p"), model)
    until(lambda: sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"][:1])
    until(lambda: sagemaker.list_transform_jobs(NameContains=execution.rpartition("/")[2])["TransformJobSummaries"])
    with pytest.raises(ClientError, match=r"ValidationException|ConflictException"):
        retried(aws, execution)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)
    ended, steps = outcome(aws, execution)
    assert (ended["PipelineExecutionStatus"], statuses(steps)) == ("Stopped", {"Score": "Stopped"})

    stored(aws, name("p"), a__csv="1\n")
    token = uuid.uuid4().hex
    retried(aws, execution, token)
    assert outcome(aws, execution)[0]["PipelineExecutionStatus"] == "Succeeded"
    retried(aws, execution, token)
    assert outcome(aws, execution)[0]["PipelineExecutionStatus"] == "Succeeded"
    with pytest.raises(ClientError, match=r"ValidationException|ConflictException"):
        retried(aws, execution)


@RETRY
def test_a_condition_that_was_decided_stays_decided(aws: Accounts, image: str, name: Name) -> None:
    """What its branch has not done is done by a retry; the other branch, and what needs it, still is not."""
    decision = {
        "Conditions": [{"Type": "Equals", "LeftValue": {"Get": "Parameters.Model"}, "RightValue": name("m")}],
        "IfSteps": [score(name("p"))],
        "ElseSteps": [{"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}],
    }
    needs = {"Name": "Never", "Type": "Fail", "DependsOn": ["Refuse"], "Arguments": {"ErrorMessage": "never"}}
    created(aws, name("p"), {"Name": "Decide", "Type": "Condition", "Arguments": decision}, needs)
    model = modelled(aws, image, name("m"))
    execution = started(aws, name("p"), model)  # nothing is there to be scored
    ended, steps = outcome(aws, execution)
    assert (ended["PipelineExecutionStatus"], statuses(steps)) == ("Failed", {"Decide": "Succeeded", "Score": "Failed"})

    stored(aws, name("p"), a__csv="1\n")
    retried(aws, execution)
    ended, steps = outcome(aws, execution)
    assert (ended["PipelineExecutionStatus"], statuses(steps)) == ("Succeeded", {"Decide": "Succeeded", "Score": "Succeeded"})
