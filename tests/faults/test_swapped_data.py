"""The data set is overwritten after it was stored, and put back before anybody looks again: on the whole road, with localcloud's S3."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support.fork import Fork

pytestmark = [pytest.mark.fault("data swapped after they were stored"), pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fork]:
    """A clone whose stacks stand, and a data set that is stored."""
    with Fork.up(tmp_path_factory.mktemp("fork")) as made:
        yield made


def pointer(fork: Fork) -> dict[str, Any]:
    """What is to be trained on."""
    value = fork.client("ssm").get_parameter(Name=naming.parameter(CONFIG, MODEL, "data"))["Parameter"]["Value"]
    content: dict[str, Any] = json.loads(value)
    return content


@contextmanager
def swapped(fork: Fork) -> Iterator[None]:
    """Nine rows in ten of the data set, in its place, by somebody who may write the bucket; then its own bytes again."""
    s3, (bucket, _, key) = fork.client("s3"), pointer(fork)["uri"].removeprefix("s3://").partition("/")
    original = (fork.home / ".road/data.csv").read_bytes()
    lines = original.splitlines(keepends=True)
    s3.put_object(Bucket=bucket, Key=key, Body=b"".join(line for number, line in enumerate(lines) if number % 10 or not number))
    yield
    s3.put_object(Bucket=bucket, Key=key, Body=original)


def test_data_that_were_swapped_for_the_time_of_training_are_not_trained_on(fork: Fork) -> None:
    stored = pointer(fork)["sha256"]
    with swapped(fork):
        _, execution = fork.push("a first version")
        fork.stop_others()
        ended = fork.wait(execution, naming.TRAIN, "Failed")
    log = fork.road("logs", MODEL, "--stage", naming.TRAIN).stdout

    assert f"expected sha256 {stored}, found sha256" in log
    assert "the object was changed after it was stored: find out by whom, and store the data set again" in log
    assert ended["status"] == "Failed"
    group = naming.model_package_group(CONFIG, MODEL)
    assert fork.client("sagemaker").list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"] == []


def test_stored_once_more_the_same_bytes_are_trained_on(fork: Fork) -> None:
    """The pointer names the version of the object that is there now: the one that was put back is another."""
    before = pointer(fork)
    fork.road("data", "put", MODEL, str(Path(fork.home) / ".road/data.csv"))
    now = pointer(fork)

    assert now["sha256"] == before["sha256"]
    assert now["version"] != before["version"]
