"""Training and processing jobs run: what goes in, what comes out, and every way they end."""

from __future__ import annotations

import io
import json
import tarfile
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagemaker_jobs import ended, processing, training, until_hanging

from localcloud.testing import ACCOUNT, LAB
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name

JOBS = pytest.mark.aws("jobs: what goes in, what comes out, and every way they end")
LEFT = pytest.mark.aws("a failed training job's outputs in S3")


@JOBS
def test_a_training_job_leaves_a_model_metrics_and_a_log(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    training(aws, image, job, Environment={"EXTRA": "1"})
    outcome = ended(aws, "training", job)

    assert outcome["TrainingJobStatus"] == outcome["SecondaryStatus"] == "Completed"
    assert [(m["MetricName"], m["Value"]) for m in outcome["FinalMetricDataList"]] == [("auc", 0.9)]
    assert [t["Status"] for t in outcome["SecondaryStatusTransitions"]] == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert outcome["Environment"] == {"EXTRA": "1"}
    assert outcome["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{LAB}/out/{job}/output/model.tar.gz"
    body = aws.client("s3").get_object(Bucket=LAB, Key=f"out/{job}/output/model.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        member = tar.extractfile("model.json")
        assert member is not None
        assert json.load(member) == {"rows": 3, "depth": "3"}
    assert "metric auc=0.9" in aws.lines("/aws/sagemaker/TrainingJobs", f"{job}/algo-1-")


@JOBS
def test_a_failing_job_says_what_its_container_wrote(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    training(aws, image, job, Environment={"BEHAVIOUR": "fail"})
    outcome = ended(aws, "training", job)

    assert outcome["TrainingJobStatus"] == "Failed"
    assert outcome["FailureReason"] == "AlgorithmError: row 3, column 'age': found 'x', exit code: 7"


@LEFT
def test_what_a_failing_job_left_is_uploaded_all_the_same(aws: Accounts, image: str, name: Name) -> None:
    """SageMaker exports model and output of failed training jobs too."""
    job = name("t")
    training(aws, image, job, Environment={"BEHAVIOUR": "fail"})
    ended(aws, "training", job)
    body = aws.client("s3").get_object(Bucket=LAB, Key=f"out/{job}/output/output.tar.gz")["Body"].read()

    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.getnames() == ["violations.json"]


@JOBS
def test_an_input_that_is_not_there_fails_the_job(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{LAB}/nowhere/"}}
    training(aws, image, job, InputDataConfig=[{"ChannelName": "data", "DataSource": source}])

    assert f"no S3 objects found under S3 URL s3://{LAB}/nowhere/" in ended(aws, "training", job)["FailureReason"]


@JOBS
def test_a_job_can_be_stopped_and_keeps_its_model(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    training(aws, image, job, Environment={"BEHAVIOUR": "hang"})
    until_hanging(aws, job)
    aws.client("sagemaker").stop_training_job(TrainingJobName=job)
    outcome = ended(aws, "training", job)

    assert outcome["TrainingJobStatus"] == outcome["SecondaryStatus"] == "Stopped"
    assert outcome["ModelArtifacts"]["S3ModelArtifacts"].endswith("model.tar.gz")
    with pytest.raises(ClientError, match="is in status Stopped"):
        aws.client("sagemaker").stop_training_job(TrainingJobName=job)


@JOBS
def test_a_job_that_takes_too_long_is_stopped(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    training(aws, image, job, Environment={"BEHAVIOUR": "hang"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    outcome = ended(aws, "training", job)

    assert (outcome["TrainingJobStatus"], outcome["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


@JOBS
def test_a_processing_job_reads_and_writes_s3(aws: Accounts, image: str, name: Name) -> None:
    job = name("p")
    processing(aws, image, job)
    outcome = ended(aws, "processing", job)

    assert outcome["ProcessingJobStatus"] == "Completed"
    report = aws.client("s3").get_object(Bucket=LAB, Key=f"reports/{job}/report.json")["Body"].read()
    assert json.loads(report) == {"metrics": {"rows": {"value": 3}}}


@JOBS
def test_a_failing_processing_job_leaves_its_exit_message(aws: Accounts, image: str, name: Name) -> None:
    job = name("p")
    processing(aws, image, job, Environment={"BEHAVIOUR": "fail"})
    outcome = ended(aws, "processing", job)

    assert outcome["ProcessingJobStatus"] == "Failed"
    assert outcome["ExitMessage"] == "too few rows"
    assert outcome["FailureReason"] == "AlgorithmError: too few rows, exit code: 3"


def on_two(share: str = "FullyReplicated", **more: str) -> dict[str, Any]:
    """A processing job on two instances, whose objects are for both, or shared between them."""
    source = {"S3Uri": f"s3://{LAB}/shared", "LocalPath": "/opt/ml/processing/input/data", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    return {
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5}},
        "ProcessingInputs": [{"InputName": "data", "S3Input": {**source, "S3DataDistributionType": share}}],
        "Environment": more,
    }


@JOBS
@pytest.mark.parametrize("share", ["ShardedByS3Key", "FullyReplicated"])
def test_instances_of_a_processing_job_share_their_input(aws: Accounts, image: str, name: Name, share: str) -> None:
    for number in range(3):
        aws.client("s3").put_object(Bucket=LAB, Key=f"shared/{number}.csv", Body=b"1")
    job = name("p")
    processing(aws, image, job, **on_two(share, BEHAVIOUR="share"))

    assert ended(aws, "processing", job)["ProcessingJobStatus"] == "Completed"
    s3 = aws.client("s3")
    inputs = [json.loads(s3.get_object(Bucket=LAB, Key=f"reports/{job}/algo-{n}.json")["Body"].read()) for n in (1, 2)]
    every = ["0.csv", "1.csv", "2.csv"]
    assert inputs == ([["0.csv", "2.csv"], ["1.csv"]] if share == "ShardedByS3Key" else [every, every])


@JOBS
def test_an_instance_that_fails_ends_the_others(aws: Accounts, image: str, name: Name) -> None:
    aws.client("s3").put_object(Bucket=LAB, Key="shared/0.csv", Body=b"1")
    job = name("p")
    processing(aws, image, job, **on_two(BEHAVIOUR="algo-2 fails"))

    outcome = ended(aws, "processing", job)
    assert outcome["ProcessingJobStatus"] == "Failed"
    assert outcome["FailureReason"] == "AlgorithmError: too few rows, exit code: 3"


def trained_on_two(share: str = "FullyReplicated", **more: str) -> dict[str, Any]:
    """A training job on two instances, whose objects are for both, or shared between them."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{LAB}/shared", "S3DataDistributionType": share}
    return {
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 5},
        "InputDataConfig": [{"ChannelName": "data", "DataSource": {"S3DataSource": source}}],
        "Environment": more,
    }


def unpacked(aws: Accounts, job: str, archive: str) -> dict[str, Any]:
    """The JSON files that a training job left, by their names in the archive."""
    body = aws.client("s3").get_object(Bucket=LAB, Key=f"out/{job}/output/{archive}")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name: json.load(file) for member in tar if (file := tar.extractfile(member))}


@JOBS
@pytest.mark.parametrize("share", ["ShardedByS3Key", "FullyReplicated"])
def test_instances_of_a_training_job_share_their_channels_and_leave_one_archive(aws: Accounts, image: str, name: Name, share: str) -> None:
    for number in range(3):
        aws.client("s3").put_object(Bucket=LAB, Key=f"shared/{number}.csv", Body=b"1")
    job = name("t")
    training(aws, image, job, **trained_on_two(share, BEHAVIOUR="share"))

    assert ended(aws, "training", job)["TrainingJobStatus"] == "Completed"
    every = ["0.csv", "1.csv", "2.csv"]
    parts = [["0.csv", "2.csv"], ["1.csv"]] if share == "ShardedByS3Key" else [every, every]
    assert unpacked(aws, job, "output.tar.gz") == {"algo-1.json": parts[0], "algo-2.json": parts[1]}
    assert unpacked(aws, job, "model.tar.gz") == {"model.json": {"rows": len(parts[0]), "depth": "3"}}
    assert aws.lines("/aws/sagemaker/TrainingJobs", f"{job}/algo-2-") == ["metric auc=0.5", "metric auc=0.9"]


@JOBS
def test_an_instance_that_fails_ends_the_others_and_gives_the_reason(aws: Accounts, image: str, name: Name) -> None:
    aws.client("s3").put_object(Bucket=LAB, Key="shared/0.csv", Body=b"1")
    job = name("t")
    training(aws, image, job, **trained_on_two(BEHAVIOUR="algo-2 fails"))

    outcome = ended(aws, "training", job)
    assert outcome["TrainingJobStatus"] == "Failed"
    assert outcome["FailureReason"] == "AlgorithmError: algo-2: too few rows, exit code: 3"


@pytest.mark.laptop("SageMaker's guide says that names must not clash, and not what becomes of those that do")
def test_two_hosts_that_leave_one_name_fail_the_job(aws: Accounts, image: str, name: Name) -> None:
    aws.client("s3").put_object(Bucket=LAB, Key="shared/0.csv", Body=b"1")
    job = name("t")
    training(aws, image, job, **trained_on_two(BEHAVIOUR="clash"))

    assert "algo-1 and algo-2 both left model/model.json" in ended(aws, "training", job)["FailureReason"]


@JOBS
def test_a_role_that_is_nobodys_is_refused(aws: Accounts, image: str, name: Name) -> None:
    with pytest.raises(ClientError, match=r"ValidationException.*Could not assume role"):
        training(aws, image, name("t"), RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name('nobody')}")


@pytest.mark.laptop("localcloud runs images by digest only")
def test_an_image_named_by_tag_is_refused(aws: Accounts, image: str, name: Name) -> None:
    job = name("t")
    tagged = image.partition("@")[0] + ":test"
    training(aws, tagged, job, AlgorithmSpecification={"TrainingImage": tagged, "TrainingInputMode": "File"})

    assert "not named by digest" in ended(aws, "training", job)["FailureReason"]


@pytest.mark.laptop("what localcloud does not do")
@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("stop_auto_ml_job", {"AutoMLJobName": "x"}),
        (
            "create_notebook_instance",
            {"NotebookInstanceName": "x", "InstanceType": "ml.t3.medium", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/worker"},
        ),
        ("delete_monitoring_schedule", {"MonitoringScheduleName": "x"}),
    ],
)
def test_work_that_nobody_would_do_is_refused_by_name(aws: Accounts, operation: str, arguments: dict[str, Any]) -> None:
    title = {"stop_auto_ml_job": "StopAutoMLJob"}.get(operation, operation.title().replace("_", ""))
    with pytest.raises(ClientError, match=f"localcloud does not do {title}"):
        getattr(aws.client("sagemaker"), operation)(**arguments)
