"""What SageMaker tells of machines that are kept warm between two training jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sagemaker_jobs import ended, training

from localcloud.sagemaker import quotas
from localcloud.testing.in_process import PLENTY, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

pytestmark = pytest.mark.laptop("the quota of warm pools is zero in an account that has not asked for another")
TYPE = "ml.c5.9xlarge"  # no other test's


@pytest.fixture
def limits(aws: Aws) -> Iterator[dict[str, int]]:
    """The cloud's quotas, for the length of a test."""
    yield aws.cloud.quotas
    aws.cloud.quotas = dict(PLENTY)


def warm(seconds: int, **more: Any) -> dict[str, Any]:
    machines = {"InstanceCount": 1, "InstanceType": TYPE, "VolumeSizeInGB": 5, **more}
    return {"ResourceConfig": {**machines, **({"KeepAlivePeriodInSeconds": seconds} if seconds else {})}}


def told(aws: Aws, job: str) -> dict[str, Any]:
    description: dict[str, Any] = aws.client("sagemaker").describe_training_job(TrainingJobName=job)
    return dict(description.get("WarmPoolStatus", {}))


def test_machines_are_kept_and_taken_over(aws: Aws, image: str, name: Name) -> None:
    training(aws, image, name("first"), **warm(3600, VolumeSizeInGB=21))
    assert ended(aws, "training", name("first"))["WarmPoolStatus"]["Status"] == "Available"
    training(aws, image, name("other"), **warm(3600, VolumeSizeInGB=22))
    ended(aws, "training", name("other"))
    assert told(aws, name("first"))["Status"] == "Available"
    training(aws, image, name("second"), **warm(0, VolumeSizeInGB=21))
    ended(aws, "training", name("second"))

    assert (told(aws, name("first"))["Status"], told(aws, name("first"))["ReusedByJob"]) == ("Reused", name("second"))
    assert told(aws, name("second")) == {}


def test_after_its_time_a_pool_is_gone(aws: Aws, image: str, name: Name) -> None:
    training(aws, image, name("t"), **warm(1, VolumeSizeInGB=23))
    ended(aws, "training", name("t"))

    assert until(lambda: told(aws, name("t"))["Status"] == "Terminated")
    assert told(aws, name("t"))["ResourceRetainedBillableTimeInSeconds"] == 1


def test_a_job_that_asks_for_no_pool_tells_of_none(aws: Aws, image: str, name: Name) -> None:
    training(aws, image, name("t"), **warm(0, VolumeSizeInGB=24))

    assert "WarmPoolStatus" not in ended(aws, "training", name("t"))


@pytest.mark.parametrize(
    ("seconds", "more", "said"),
    [
        (600, {"EnableManagedSpotTraining": True}, "cannot be used with EnableManagedSpotTraining"),
        (3601, {}, "at most 3600 is accepted"),
    ],
)
def test_what_sagemaker_keeps_warm_for_nobody(aws: Aws, image: str, name: Name, seconds: int, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        training(aws, image, name("t"), **warm(seconds), **more)


def test_a_new_account_has_none(aws: Aws, image: str, name: Name, limits: dict[str, int]) -> None:
    """Its quota, which is another than that of training jobs, must be raised first."""
    quota = quotas.name(TYPE, quotas.WARM)
    del limits["*"]

    assert (quota, quotas.value(quota)) == (f"{TYPE} for training warm pool usage", 0)
    limits[quotas.name(TYPE, quotas.TRAINING)] = 9
    with pytest.raises(ClientError, match=rf"service limit '{quota}' is 0 Instances"):
        training(aws, image, name("t"), **warm(60, VolumeSizeInGB=25))
    with pytest.raises(ClientError, match="Could not find training job"):
        aws.client("sagemaker").describe_training_job(TrainingJobName=name("t"))
