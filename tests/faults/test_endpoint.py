"""A hand in production: the endpoint is deleted or moved beside the road. Whoever is asked about it says so and names the way back."""

from __future__ import annotations

import json
from typing import Any

import pytest

import naming
from pipelines.deployment import ledger, package
from pipelines.deployment import stack as stacks
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.serving_stack import NO, YES
from tests.reference import CONFIG, MODEL
from tests.support.production import ENVIRONMENT, SERVING, Production

pytestmark = [pytest.mark.fault("endpoint changed by hand"), pytest.mark.slow]


def number(arn: str) -> str:
    return arn.rpartition("/")[2]


def back(production: Production, reason: str, arn: str) -> dict[str, Any]:
    """What `road rollback --to` answers."""
    done = production.road("rollback", MODEL, "--reason", reason, "--to", number(arn), "--yes", "--json")
    assert done.returncode == 0, done.stderr
    entry: dict[str, Any] = json.loads(done.stdout)
    return entry


def standing(production: Production) -> dict[str, Any]:
    """What `road status` says of production's endpoint."""
    done = production.road("status", MODEL, "--json")
    assert done.returncode == 0, done.stderr
    (road,) = json.loads(done.stdout)
    about: dict[str, Any] = road["endpoints"][ENVIRONMENT.name]
    return about


def config(production: Production) -> str:
    """The endpoint configuration that serves."""
    return str(production.away("sagemaker").describe_endpoint(EndpointName=production.endpoint)["EndpointConfigName"])


def move(production: Production, endpoint_config: str) -> None:
    """Move the endpoint as a person with a console does."""
    sagemaker = production.away("sagemaker")
    sagemaker.update_endpoint(EndpointName=production.endpoint, EndpointConfigName=endpoint_config)
    sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=production.endpoint, WaiterConfig={"Delay": 0.2, "MaxAttempts": 300})


def put_a_model(production: Production, arn: str) -> None:
    """Serve a model that no road made: a version's own files, from a place of one's choice."""
    s3, sagemaker = production.home("s3"), production.away("sagemaker")
    bucket, _, key = package.read(production.home("sagemaker"), arn).data.removeprefix("s3://").partition("/")
    copied = f"{naming.RUNS}/by-hand/train/output/{naming.MODEL_ARCHIVE}"
    s3.copy_object(Bucket=bucket, Key=copied, CopySource={"Bucket": bucket, "Key": key})
    role = f"arn:aws:iam::{ENVIRONMENT.account.id}:role/{naming.execution_role(CONFIG, MODEL, ENVIRONMENT)}"
    container = {"Image": production.image, "ModelDataUrl": f"s3://{bucket}/{copied}"}
    sagemaker.create_model(ModelName="by-hand", ExecutionRoleArn=role, PrimaryContainer=container)
    variant = {"VariantName": naming.VARIANT, "ModelName": "by-hand", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=[variant])
    move(production, "by-hand")


def test_a_deleted_endpoint_is_named_by_whoever_is_asked_and_comes_back(production: Production) -> None:
    good, next_one = production.served(), production.version(score=0.3)
    before = config(production)
    production.away("sagemaker").delete_endpoint(EndpointName=production.endpoint)

    way = f"./road rollback {MODEL} --environment {ENVIRONMENT.name} --to {number(good)} --reason …"
    line = f"endpoint {production.endpoint} is gone, though {SERVING} has it: nothing answers: {way}"
    asked = [
        production.road("rollback", MODEL, "--reason", "what is this", "--yes"),
        production.road("monitor", MODEL, "--no-open"),
        production.run(*production.verify(good)),
        production.run(*production.deploy(next_one)),
    ]
    assert [(done.returncode, line in done.stderr.splitlines()[-1]) for done in asked] == [(1, True)] * 4, [d.stderr for d in asked]
    about = standing(production)
    assert (about["state"], about["lines"], about["serves"]) == ("gone", [line], None)

    entry = back(production, "somebody deleted it", good)
    assert (production.served(), config(production)) == (good, before)
    assert (entry["model_package_arn"], entry["rolled_back_from"]) == (good, None)
    newest = ledger.newest(production.registry, ENVIRONMENT.name)
    assert newest
    assert newest.reason == "somebody deleted it"
    assert (standing(production)["state"], standing(production)["serves"]) == ("in line", good)
    production.deliver(next_one, "after-the-deletion")
    assert production.served() == next_one


def test_a_deleted_endpoint_comes_back_with_another_version_than_its_stack_has(production: Production) -> None:
    good, wrong = production.served(), production.version(score=0.3)
    production.deliver(wrong, "wrong-and-deleted")
    production.away("sagemaker").delete_endpoint(EndpointName=production.endpoint)

    entry = back(production, "deleted, and wrong before that", good)

    assert (entry["model_package_arn"], entry["rolled_back_from"]) == (good, wrong)
    assert production.served() == production.deployed.model_package_arn == good
    assert standing(production)["state"] == "in line"


def test_a_model_that_no_version_made_is_named_and_makes_way(production: Production) -> None:
    good = production.served()
    before = config(production)
    put_a_model(production, good)

    about = standing(production)
    what = f"endpoint {production.endpoint} serves a model that no registered version made ({production.image} with "
    assert (about["state"], about["serves"], about["lines"][0].startswith(what)) == ("changed", None, True)
    unnamed = production.road("rollback", MODEL, "--reason", "what is this", "--yes")
    assert (unnamed.returncode, what in unnamed.stderr.splitlines()[-1]) == (1, True)

    with production.asked() as asked:
        back(production, "a stranger's model", good)
    assert (production.served(), config(production)) == (good, before)
    assert (asked["failed"], asked["answered"] > 0) == (0, True)


def test_an_older_version_put_there_by_hand_is_told_from_what_the_stack_has(production: Production) -> None:
    old, older_config = production.served(), config(production)
    new = production.version(score=0.3)
    production.deliver(new, "newer")
    move(production, older_config)

    about = standing(production)
    said = f"endpoint {production.endpoint} serves version {number(old)} with {older_config}, {SERVING} says version {number(new)} with "
    assert (about["state"], about["serves"], about["lines"][0].startswith(said)) == ("changed", old, True)

    back(production, "the newer one was right", new)
    assert production.served() == new
    assert standing(production)["state"] == "in line"


def test_a_stack_that_failed_to_go_back_is_named_and_the_command_that_is_named_works(production: Production) -> None:
    """Somebody updates the stack beside the road, once the endpoint is gone: CloudFormation can move it neither on nor back."""
    good, cloudformation = production.served(), production.away("cloudformation")
    production.away("sagemaker").delete_endpoint(EndpointName=production.endpoint)
    stack = stacks.read(cloudformation, SERVING)
    assert stack
    hurry = YES if stack.version.urgent == NO else NO
    with pytest.raises(DeploymentError) as failure:
        stacks.update(cloudformation, stack, {"Urgent": hurry}, Pace(poll_seconds=0.1))

    line = str(failure.value)
    assert line.startswith(f"{SERVING} is UPDATE_ROLLBACK_FAILED: ")
    command = line.partition("leave it out: ")[2].removesuffix(", then run this again").split()
    assert command[:5] == ["aws", "cloudformation", "continue-update-rollback", "--stack-name", SERVING]
    refused = [
        production.road("rollback", MODEL, "--reason", "deleted", "--to", number(good), "--yes"),
        production.run(*production.deploy(good)),
    ]
    assert [(done.returncode, line in done.stderr.splitlines()[-1]) for done in refused] == [(1, True)] * 2, [d.stderr for d in refused]
    assert [said.split(" is ")[0] for said in standing(production)["lines"]] == [SERVING, f"endpoint {production.endpoint}"]

    cloudformation.continue_update_rollback(StackName=SERVING, ResourcesToSkip=command[6:])
    stacks.ready(cloudformation, SERVING, Pace(poll_seconds=0.1))
    back(production, "deleted, and then updated", good)
    assert production.served() == good
    assert standing(production)["state"] == "in line"
