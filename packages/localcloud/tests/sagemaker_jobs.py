"""What tests of SageMaker do with jobs: start one, and wait until it has ended or hangs."""

from __future__ import annotations

from typing import Any

from localcloud.testing import LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.waiting import until

ENDS = ("Completed", "Failed", "Stopped")


def training(aws: Accounts, image: str, name: str, **changes: Any) -> None:
    """Start a training job of the image of `localcloud.testing`; `changes` replace members of the request."""
    request = {
        "TrainingJobName": name,
        "RoleArn": aws.worker(),
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "ContainerArguments": ["train"],
            "MetricDefinitions": [{"Name": "auc", "Regex": "metric auc=([0-9.]+)"}],
        },
        "HyperParameters": {"depth": "3"},
        "InputDataConfig": [
            {
                "ChannelName": "data",
                "DataSource": {
                    "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{LAB}/data/v1/", "S3DataDistributionType": "FullyReplicated"}
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{LAB}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }
    aws.client("sagemaker").create_training_job(**request)


def processing(aws: Accounts, image: str, name: str, **changes: Any) -> None:
    """Start a processing job of the same image."""
    source = {"S3Uri": f"s3://{LAB}/data/v1", "LocalPath": "/opt/ml/processing/input/data", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    target = {"S3Uri": f"s3://{LAB}/reports/{name}", "LocalPath": "/opt/ml/processing/report", "S3UploadMode": "EndOfJob"}
    request = {
        "ProcessingJobName": name,
        "RoleArn": aws.worker(),
        "AppSpecification": {"ImageUri": image, "ContainerArguments": ["process"]},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}},
        "ProcessingInputs": [{"InputName": "data", "S3Input": source}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "report", "S3Output": target}]},
    }
    aws.client("sagemaker").create_processing_job(**{**request, **changes})


def ended(aws: Accounts, kind: str, name: str) -> dict[str, Any]:
    """The job, once it has ended."""
    describe = getattr(aws.client("sagemaker"), f"describe_{kind}_job")

    def description() -> dict[str, Any] | None:
        job: dict[str, Any] = describe(**{f"{kind.title()}JobName": name})
        return job if job[f"{kind.title()}JobStatus"] in ENDS else None

    job: dict[str, Any] = until(description)
    return job


def until_hanging(aws: Accounts, name: str) -> None:
    """Return once the program of a training job that behaves as `hang` has come to where it hangs."""
    until(lambda: "hanging" in logged(aws, "/aws/sagemaker/TrainingJobs", name))


def logged(aws: Accounts, group: str, prefix: str = "") -> list[str]:
    """What a group holds, which need not be there yet."""
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return aws.lines(group, prefix) if groups else []
