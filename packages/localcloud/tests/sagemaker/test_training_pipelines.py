"""Pipelines run their definition: steps in order, conditions both ways, registration, failures and stops."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.sagemaker.expressions import Unresolved, evaluate, follow, holds
from localcloud.testing import LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

Json = dict[str, Any]
RUNS = pytest.mark.aws("Train: the SageMaker Pipeline's definition")
VERSIONS = pytest.mark.aws("a training run is of the pipeline version that was written for it")


def get(reference: str) -> Json:
    return {"Get": reference}


def train(aws: Accounts, image: str, source: Any, **hyperparameters: str) -> Json:
    return {
        "Name": "Train",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": image,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "auc", "Regex": "metric auc=([0-9.]+)"}],
            },
            "RoleArn": aws.worker(),
            "HyperParameters": hyperparameters,
            "InputDataConfig": [{"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}}],
            "OutputDataConfig": {
                "S3OutputPath": {"Std:Join": {"On": "/", "Values": [f"s3://{LAB}/runs", get("Execution.PipelineExecutionId")]}}
            },
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "Environment": {"BEHAVIOUR": get("Parameters.Behaviour")},
        },
    }


def count(aws: Accounts, image: str) -> Json:
    target = {"Std:Join": {"On": "/", "Values": [f"s3://{LAB}/reports", get("Execution.PipelineExecutionId")]}}
    local = "/opt/ml/processing"
    return {
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
                        "S3Uri": f"s3://{LAB}/data/v1/",
                        "LocalPath": f"{local}/input",
                        "S3DataType": "S3Prefix",
                        "S3InputMode": "File",
                    },
                }
            ],
            "ProcessingOutputConfig": {
                "Outputs": [
                    {"OutputName": "report", "S3Output": {"S3Uri": target, "LocalPath": f"{local}/report", "S3UploadMode": "EndOfJob"}}
                ]
            },
        },
        "PropertyFiles": [{"PropertyFileName": "Report", "OutputName": "report", "FilePath": "report.json"}],
    }


def gate(image: str, group: str) -> Json:
    auc = get("Steps.Train.FinalMetricDataList['auc'].Value")
    rows = {"Std:JsonGet": {"PropertyFile": get("Steps.Count.PropertyFiles.Report"), "Path": "metrics.rows.value"}}
    package = {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "PendingManualApproval",
        "CustomerMetadataProperties": {"rows": {"Std:Join": {"On": "", "Values": [rows]}}},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": f"s3://{LAB}/x.json"}}},
        "InferenceSpecification": {
            "Containers": [{"Image": image, "ModelDataUrl": get("Steps.Train.ModelArtifacts.S3ModelArtifacts")}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    message = {"Std:Join": {"On": " ", "Values": ["auc", auc, "is under", get("Parameters.Floor")]}}
    return {
        "Name": "Gate",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {"Type": "GreaterThanOrEqualTo", "LeftValue": auc, "RightValue": get("Parameters.Floor")},
                {"Type": "Equals", "LeftValue": rows, "RightValue": 3},
            ],
            "IfSteps": [{"Name": "Register", "Type": "RegisterModel", "Arguments": package}],
            "ElseSteps": [{"Name": "Refuse", "Type": "Fail", "Arguments": {"ErrorMessage": message}}],
        },
    }


def create(aws: Accounts, name: str, steps: list[Json]) -> None:
    definition = {
        "Version": "2020-12-01",
        "Parameters": [
            {"Name": "Floor", "Type": "Float", "DefaultValue": 0.8},
            {"Name": "Behaviour", "Type": "String", "DefaultValue": "well"},
        ],
        "Steps": steps,
    }
    aws.client("sagemaker").create_pipeline(
        PipelineName=name, PipelineDefinition=json.dumps(definition), ClientRequestToken=str(uuid.uuid4()), RoleArn=aws.worker()
    )


def over(aws: Accounts, arn: str) -> None:
    """Return once an execution has ended."""
    describe = aws.client("sagemaker").describe_pipeline_execution
    until(lambda: describe(PipelineExecutionArn=arn)["PipelineExecutionStatus"] in ("Succeeded", "Failed", "Stopped"))


def run(aws: Accounts, name: str, **parameters: str) -> tuple[Json, dict[str, Json]]:
    """The execution's description and its steps by name, once it is over."""
    values = [{"Name": k, "Value": v} for k, v in parameters.items()]
    arn = aws.client("sagemaker").start_pipeline_execution(PipelineName=name, PipelineParameters=values)["PipelineExecutionArn"]
    return outcome(aws, arn)


def outcome(aws: Accounts, arn: str) -> tuple[Json, dict[str, Json]]:
    """The same of an execution."""
    over(aws, arn)
    steps = aws.client("sagemaker").list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
    return aws.client("sagemaker").describe_pipeline_execution(PipelineExecutionArn=arn), {s["StepName"]: s for s in steps}


@RUNS
def test_a_model_over_the_gate_is_registered_with_all_that_it_names(aws: Accounts, image: str, name: Name) -> None:
    group = name("g")
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    create(aws, name("p"), [train(aws, image, f"s3://{LAB}/data/v1/"), count(aws, image), gate(image, group)])
    execution, steps = run(aws, name("p"))

    assert execution["PipelineExecutionStatus"] == "Succeeded", execution
    assert {n: s["StepStatus"] for n, s in steps.items()} == dict.fromkeys(("Train", "Count", "Gate", "Register"), "Succeeded")
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}
    assert "training-job/pipelines-" in steps["Train"]["Metadata"]["TrainingJob"]["Arn"]
    package = aws.client("sagemaker").describe_model_package(ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"])
    assert package["CustomerMetadataProperties"] == {"rows": "3"}
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"] == f"s3://{LAB}/x.json"
    assert package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"].endswith("/output/model.tar.gz")


@RUNS
def test_a_model_under_the_gate_fails_with_both_numbers(aws: Accounts, image: str, name: Name) -> None:
    create(aws, name("p"), [train(aws, image, f"s3://{LAB}/data/v1/", auc="0.7"), count(aws, image), gate(image, name("none"))])
    execution, steps = run(aws, name("p"), Floor="0.75")

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert steps["Refuse"]["FailureReason"] == "auc 0.7 is under 0.75"
    assert steps["Refuse"]["Metadata"] == {"Fail": {"ErrorMessage": "auc 0.7 is under 0.75"}}
    assert steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "False"}}
    assert "Register" not in steps


@RUNS
def test_a_failed_job_ends_the_execution_before_the_steps_that_need_it(aws: Accounts, image: str, name: Name) -> None:
    create(aws, name("p"), [train(aws, image, f"s3://{LAB}/data/v1/"), count(aws, image), gate(image, name("none"))])
    execution, steps = run(aws, name("p"), Behaviour="fail")

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed."
    assert "found 'x', exit code: 7" in steps["Train"]["FailureReason"]
    assert "Gate" not in steps


@pytest.mark.laptop("what localcloud does not do, and its words")
@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"Name": "Query", "Type": "EMR", "Arguments": {}}, "does not run step Query of type EMR"),
        ({"Name": "End", "Type": "Fail", "DependsOn": ["Ghost"], "Arguments": {"ErrorMessage": "x"}}, "steps that it does not have: Ghost"),
    ],
)
def test_a_definition_that_cannot_be_run_is_named(aws: Accounts, name: Name, step: Json, said: str) -> None:
    create(aws, name("p"), [step])
    execution, _ = run(aws, name("p"))

    assert execution["PipelineExecutionStatus"] == "Failed"
    assert said in execution["FailureReason"]


@RUNS
def test_a_stopped_execution_stops_its_job(aws: Accounts, image: str, name: Name) -> None:
    create(aws, name("p"), [train(aws, image, f"s3://{LAB}/data/v1/")])
    behaviour = [{"Name": "Behaviour", "Value": "hang"}]
    token = str(uuid.uuid4())
    start = aws.client("sagemaker").start_pipeline_execution
    arn = start(PipelineName=name("p"), PipelineParameters=behaviour, ClientRequestToken=token)["PipelineExecutionArn"]
    assert start(PipelineName=name("p"), PipelineParameters=behaviour, ClientRequestToken=token)["PipelineExecutionArn"] == arn
    aws.client("sagemaker").stop_pipeline_execution(PipelineExecutionArn=arn)
    execution, steps = outcome(aws, arn)

    assert execution["PipelineExecutionStatus"] == "Stopped"
    assert {s["StepStatus"] for s in steps.values()} <= {"Stopped"}


STOP = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "first"}}


@RUNS
@pytest.mark.parametrize("parameters", [{"Floor": "high"}, {"Ceiling": "1"}])
def test_a_wrong_parameter_starts_nothing(aws: Accounts, name: Name, parameters: dict[str, str]) -> None:
    """One of another type, and one that nobody knows."""
    create(aws, name("p"), [STOP])
    with pytest.raises(ClientError, match="ValidationException"):
        run(aws, name("p"), **parameters)
    assert aws.client("sagemaker").list_pipeline_executions(PipelineName=name("p"))["PipelineExecutionSummaries"] == []


@RUNS
@pytest.mark.parametrize(
    ("condition", "met"),
    [
        ({"Type": "Equals", "LeftValue": "a", "RightValue": "a"}, True),
        ({"Type": "GreaterThan", "LeftValue": 1, "RightValue": 1}, False),
        ({"Type": "LessThan", "LeftValue": 1, "RightValue": 2}, True),
        ({"Type": "LessThanOrEqualTo", "LeftValue": 2, "RightValue": 2}, True),
        ({"Type": "In", "QueryValue": "b", "Values": ["a", "b"]}, True),
        ({"Type": "Not", "Expression": {"Type": "In", "QueryValue": "b", "Values": ["a", "b"]}}, False),
        (
            {
                "Type": "Or",
                "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 2}, {"Type": "LessThan", "LeftValue": 1, "RightValue": 2}],
            },
            True,
        ),
    ],
)
def test_conditions(aws: Accounts, name: Name, condition: Json, met: bool) -> None:
    """One that is not met leads to what fails."""
    decision = {"Conditions": [condition], "IfSteps": [], "ElseSteps": [STOP]}
    create(aws, name("p"), [{"Name": "Decide", "Type": "Condition", "Arguments": decision}])
    execution, steps = run(aws, name("p"))

    assert steps["Decide"]["Metadata"] == {"Condition": {"Outcome": str(met)}}
    assert execution["PipelineExecutionStatus"] == ("Succeeded" if met else "Failed")


def nothing(*_: str) -> None:
    raise AssertionError("nothing to look up")


@pytest.mark.laptop("a function of localcloud")
def test_expressions_that_lead_nowhere_say_where_they_end() -> None:
    with pytest.raises(Unresolved, match=r"step Train has no A\.B: B is not there"):
        follow({"A": {}}, "A.B", "step Train")
    with pytest.raises(Unresolved, match="Std:Uuid"):
        evaluate({"Std:Uuid": {}}, nothing, nothing)
    with pytest.raises(Unresolved, match="cannot compare"):
        holds({"Type": "LessThan", "LeftValue": 1, "RightValue": "2"}, nothing, nothing)


@VERSIONS
def test_an_execution_keeps_the_definition_that_it_ran(aws: Accounts, name: Name) -> None:
    sagemaker = aws.client("sagemaker")
    create(aws, name("p"), [STOP])
    ran = sagemaker.describe_pipeline(PipelineName=name("p"))["PipelineDefinition"]
    arn = sagemaker.start_pipeline_execution(PipelineName=name("p"))["PipelineExecutionArn"]
    over(aws, arn)

    updated = sagemaker.update_pipeline(PipelineName=name("p"), PipelineDefinition=ran.replace("first", "second"))

    assert updated["PipelineVersionId"] == 2
    assert sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)["PipelineDefinition"] == ran
    assert "second" in sagemaker.describe_pipeline(PipelineName=name("p"))["PipelineDefinition"]


@VERSIONS
def test_an_execution_runs_the_version_that_it_names(aws: Accounts, name: Name) -> None:
    sagemaker = aws.client("sagemaker")
    create(aws, name("p"), [STOP])
    first = sagemaker.describe_pipeline(PipelineName=name("p"))["PipelineDefinition"]
    sagemaker.update_pipeline(PipelineName=name("p"), PipelineDefinition=first.replace("first", "second"))

    arn = sagemaker.start_pipeline_execution(PipelineName=name("p"), PipelineVersionId=1)["PipelineExecutionArn"]
    over(aws, arn)

    assert sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)["PipelineDefinition"] == first
    assert sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"][0]["FailureReason"] == "first"
    with pytest.raises(ClientError, match=r"ResourceNotFound|ValidationException"):
        sagemaker.start_pipeline_execution(PipelineName=name("p"), PipelineVersionId=3)
