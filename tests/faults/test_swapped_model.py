"""Another model in the place of the approved one, at each point from the check to the endpoint: it never answers, and it is said why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

import naming
from pipelines.deployment import package, release
from pipelines.deployment import stack as stacks
from pipelines.evidence import pack
from tests.reference import CONFIG, MODEL
from tests.support.fakes import AT_ONCE
from tests.support.production import HOME, SERVING, Production, keys_of, packed

pytestmark = [pytest.mark.fault("corrupt or swapped artifact"), pytest.mark.slow]
TRAINING, TRAIN = naming.training_role(CONFIG, MODEL), naming.stage_project(CONFIG, MODEL, naming.TRAIN)


def another(archive: bytes) -> bytes:
    """A model that is whole, and another."""
    members = pack.members(archive, "metadata.json", "evaluation.json", "golden.json")
    files = {name: json.loads(content) for name, content in members.items()}
    return packed({**files, "model.onnx": {"score": 0.9, "number": 0}})


@contextmanager
def swapped(production: Production, uri: str) -> Iterator[None]:
    """Another model in the place of an archive, by somebody who may write anywhere; afterwards the first is there again."""
    s3, (bucket, _, key) = production.home("s3"), uri.removeprefix("s3://").partition("/")
    version = s3.put_object(Bucket=bucket, Key=key, Body=another(pack.read(s3, uri) or b""))["VersionId"]
    try:
        yield
    finally:
        s3.delete_object(Bucket=bucket, Key=key, VersionId=version)


def data_of(production: Production, arn: str) -> str:
    return package.read(production.home("sagemaker"), arn).data


def test_no_role_of_training_writes_where_a_version_lies(production: Production) -> None:
    """Not the jobs' role, in whose hands every run's own folder is, and that is where all versions lay once."""
    bucket, _, key = data_of(production, production.served()).removeprefix("s3://").partition("/")
    s3 = production.cloud.client("s3", HOME, **keys_of(production.cloud, TRAINING))
    own = f"{naming.RUNS}/another-run/train/output/{naming.MODEL_ARCHIVE}"

    s3.put_object(Bucket=bucket, Key=own, Body=b"its own to write")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"another")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=bucket, Key=key)


def test_an_archive_that_was_swapped_after_the_check_is_not_deployed(production: Production) -> None:
    good, version = production.served(), production.version(score=0.3)
    with swapped(production, data_of(production, version)):
        done = production.run(*production.deploy(version))

    assert done.returncode == 1
    assert "it was changed: find out by whom, and push again" in done.stderr
    assert production.served() == good


def test_a_package_that_was_pointed_elsewhere_after_the_check_is_not_deployed(production: Production) -> None:
    """By the Train stage's role, which may point packages: it does so once, before anybody decides."""
    good, version = production.served(), production.version(score=0.3)
    sagemaker = production.cloud.client("sagemaker", HOME, **keys_of(production.cloud, TRAIN))
    specification = production.registered(version)["InferenceSpecification"]
    (container,) = specification["Containers"]
    other = data_of(production, good)
    sagemaker.update_model_package(
        ModelPackageArn=version,
        InferenceSpecification={**specification, "Containers": [{"Image": container["Image"], "ModelDataUrl": other}]},
        CustomerMetadataProperties={"artifact_sha256": package.read(production.home("sagemaker"), good).artifact_sha256},
    )
    done = production.run(*production.deploy(version))

    assert done.returncode == 1
    assert f"model artifact does not match: found {other}" in done.stderr
    assert "it was changed after its approval" in done.stderr
    assert production.served() == good


def test_an_archive_that_is_swapped_while_it_is_deployed_never_answers(production: Production) -> None:
    """The containers were told which model they are to serve, and take no other: the new fleet never gets traffic."""
    good, version = production.served(), production.version(score=0.3)
    stack = stacks.read(production.away("cloudformation"), SERVING)
    assert stack
    values = release.serving_parameters(production.place, stack, package.read(production.home("sagemaker"), version))
    with production.asked() as asked, swapped(production, data_of(production, version)):
        stacks.update(production.away("cloudformation"), stack, values.values(), replace(AT_ONCE, poll_seconds=0.1))
    served, done = production.served(), production.run(*production.verify(version))

    assert served == good
    assert (asked["failed"], asked["answered"] > 0) == (0, True)
    assert done.returncode == 1
    assert "the deployment was rolled back" in done.stderr
    assert "this endpoint was deployed to serve" in done.stderr
    last: Any = production.ledger[-1]
    assert (last.action, last.model_package_arn) == ("taken back", version)


def test_what_the_endpoint_says_it_serves_is_asked_when_a_hand_has_moved_the_stack(production: Production) -> None:
    """A hand that may change everything in the environment: the version's package under another model's digest. The stage asks, finds
    another model than the approved one, and brings the good version back.
    """
    good, version = production.served(), production.version(score=0.3)
    stack = stacks.read(production.away("cloudformation"), SERVING)
    assert stack
    approved = release.serving_parameters(production.place, stack, package.read(production.home("sagemaker"), version))
    values = replace(approved, model_sha256="")
    with swapped(production, data_of(production, version)):
        stacks.update(production.away("cloudformation"), stack, values.values(), replace(AT_ONCE, poll_seconds=0.1))
    assert production.served() == version
    done = production.run(*production.verify(version, "moved"))

    assert done.returncode == 1
    assert "identity: the model that the endpoint says it serves: found" in done.stderr
    assert "it was rolled back and version" in done.stderr
    assert production.served() == good
    last: Any = production.ledger[-1]
    assert (last.action, last.model_package_arn, last.rolled_back_from) == ("rolled back", good, version)
