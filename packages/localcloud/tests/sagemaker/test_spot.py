"""Spot training: checkpoints go to S3 and come back; a host is taken away without warning, and the job goes on where it was or gives up."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagemaker_jobs import ended, training

from localcloud.core.interruptions import Interruptions
from localcloud.sagemaker import jobs, quotas
from localcloud.sagemaker.training import Training
from localcloud.testing import ACCOUNT, LAB, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.in_process import PLENTY, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

CHECKPOINTS = pytest.mark.aws("checkpoints of training jobs")
TAKEN = pytest.mark.laptop("AWS takes no spot instance away when a test wants it to")
SPOT = {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120}}


def checkpointing(job: str, hosts: int = 1, **more: Any) -> dict[str, Any]:
    """A job whose hosts leave a checkpoint each and hang; where they find theirs, they end."""
    return {
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": hosts, "VolumeSizeInGB": 5},
        "CheckpointConfig": {"S3Uri": f"s3://{LAB}/checkpoints/{job}"},
        "Environment": {"BEHAVIOUR": "checkpoint", "CHECKPOINTS": "/opt/ml/checkpoints"},
        **more,
    }


def stored(aws: Accounts, job: str) -> list[str]:
    """The names of a job's checkpoints in S3."""
    prefix = f"checkpoints/{job}/"
    listed = aws.client("s3").list_objects_v2(Bucket=LAB, Prefix=prefix).get("Contents", [])
    return [each["Key"].removeprefix(prefix) for each in listed]


def left(aws: Accounts, job: str) -> dict[str, Any]:
    """What each host left, by the names of the files."""
    body = aws.client("s3").get_object(Bucket=LAB, Key=f"out/{job}/output/output.tar.gz")["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        return {member.name: json.load(file) for member in tar if (file := tar.extractfile(member))}


def phases(outcome: dict[str, Any]) -> list[str]:
    return [transition["Status"] for transition in outcome["SecondaryStatusTransitions"]]


def running(name: str) -> Training:
    job = jobs.find(ACCOUNT, REGION, "training", name)
    assert isinstance(job, Training)
    return job


@CHECKPOINTS
def test_checkpoints_are_in_s3_while_the_job_runs_and_the_next_job_finds_them(aws: Accounts, image: str, name: Name) -> None:
    where: dict[str, Any] = {"CheckpointConfig": {"S3Uri": f"s3://{LAB}/checkpoints/{name('c')}", "LocalPath": "/opt/ml/mine"}}
    where |= {"Environment": {"BEHAVIOUR": "checkpoint", "CHECKPOINTS": "/opt/ml/mine"}}
    training(aws, image, name("t1"), **checkpointing(name("c"), **where))
    until(lambda: stored(aws, name("c")) == ["algo-1"])
    aws.client("sagemaker").stop_training_job(TrainingJobName=name("t1"))
    assert ended(aws, "training", name("t1"))["TrainingJobStatus"] == "Stopped"

    training(aws, image, name("t2"), **checkpointing(name("c"), **where))
    assert ended(aws, "training", name("t2"))["TrainingJobStatus"] == "Completed"
    assert left(aws, name("t2")) == {"algo-1.json": {"resumed": True, "found": ["algo-1"]}}


@TAKEN
def test_a_job_that_loses_a_host_goes_on_with_its_checkpoints(aws: Aws, image: str, name: Name) -> None:
    training(aws, image, name("t"), **checkpointing(name("t"), hosts=2, **SPOT))
    until(lambda: stored(aws, name("t")) == ["algo-1", "algo-2"])
    assert running(name("t")).take("algo-2")
    outcome = ended(aws, "training", name("t"))

    assert outcome["TrainingJobStatus"] == "Completed", outcome
    attempt = ["Starting", "Downloading", "Training"]
    assert phases(outcome) == [*attempt, "Interrupted", *attempt, "Uploading", "Completed"]
    found = {"resumed": True, "found": ["algo-1", "algo-2"]}
    assert left(aws, name("t")) == {"algo-1.json": found, "algo-2.json": found}
    assert 1 <= outcome["BillableTimeInSeconds"] <= outcome["TrainingTimeInSeconds"]
    assert "localcloud: algo-2 was taken away" in aws.lines("/aws/sagemaker/TrainingJobs", f"{name('t')}/algo-1-")
    assert not running(name("t")).take("algo-1")


@TAKEN
def test_a_job_whose_machines_do_not_come_back_in_time_is_stopped(aws: Aws, image: str, name: Name) -> None:
    limits = {"MaxRuntimeInSeconds": 4, "MaxWaitTimeInSeconds": 4}
    training(aws, image, name("t"), EnableManagedSpotTraining=True, StoppingCondition=limits, Environment={"BEHAVIOUR": "hang"})
    until(lambda: running(name("t")).take("algo-1"))
    outcome = ended(aws, "training", name("t"))

    assert (outcome["TrainingJobStatus"], outcome["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert outcome["TrainingTimeInSeconds"] < 4


@pytest.fixture
def interrupted(aws: Aws) -> Iterator[None]:
    """The cloud takes a host away from each spot job, twice, at once."""
    aws.cloud.interruptions = Interruptions(times=2, seconds=0, seed=7)
    yield
    aws.cloud.interruptions = None


@TAKEN
@pytest.mark.usefixtures("interrupted")
def test_a_cloud_that_is_told_so_interrupts_spot_jobs_and_no_others(aws: Aws, image: str, name: Name) -> None:
    for job, kind in (("spot", SPOT), ("other", {})):
        training(aws, image, name(job), **kind)

    spot, other = (ended(aws, "training", name(job)) for job in ("spot", "other"))
    assert spot["TrainingJobStatus"] == other["TrainingJobStatus"] == "Completed"
    assert phases(spot).count("Interrupted") == 2
    assert "Interrupted" not in phases(other)


@TAKEN
def test_a_seed_draws_the_same_hosts_and_moments() -> None:
    hosts = ["algo-1", "algo-2", "algo-3"]
    clouds = [Interruptions.parsed("2/20.5/7"), Interruptions.parsed("2/20.5/7"), Interruptions.parsed("2/20.5/8")]
    drawn = [[cloud.draw(hosts) for _ in range(5)] for cloud in clouds]

    assert drawn[0] == drawn[1] != drawn[2]
    assert {host for host, _ in drawn[0]} <= set(hosts)
    assert all(0 <= seconds <= 20.5 for _, seconds in drawn[0])
    for text in ("2", "2/20", "2/20/x", "-1/2/3"):
        with pytest.raises(ValueError, match="accepted is TIMES/SECONDS/SEED"):
            Interruptions.parsed(text)


@CHECKPOINTS
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"EnableManagedSpotTraining": True}, "must be present and be greater than or equal to MaxRuntimeInSeconds"),
        (SPOT | {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}}, "must be present and be greater"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}}, "EnableManagedSpotTraining only"),
    ],
)
def test_a_job_waits_for_its_machines_at_least_as_long_as_it_runs(
    aws: Accounts, image: str, name: Name, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError, match=f"ValidationException.*Invalid MaxWaitTimeInSeconds.*{said}"):
        training(aws, image, name("t"), **changes)


@pytest.mark.laptop("an account's quotas cannot be lowered for a test")
def test_spot_instances_have_a_quota_of_their_own(aws: Aws, image: str, name: Name) -> None:
    aws.cloud.quotas["ml.m5.large for spot training job usage"] = jobs.machines(ACCOUNT, REGION, quotas.SPOT)["ml.m5.large"]
    with pytest.raises(ClientError, match=r"ResourceLimitExceeded.*ml\.m5\.large for spot training job usage"):
        training(aws, image, name("t"), **SPOT)
    training(aws, image, name("t"))
    aws.cloud.quotas = dict(PLENTY)
    assert ended(aws, "training", name("t"))["TrainingJobStatus"] == "Completed"
