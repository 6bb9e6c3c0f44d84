"""What deployments left behind is deleted, and every way back still leads where it did: with the endpoint, and without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import naming
from pipelines import tags
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.production import AWAY, ENVIRONMENT, HOME, REGION, Production

pytestmark = [pytest.mark.fault("rollback after bad versions"), pytest.mark.slow]
GOES, STAYS, DELETED = "goes", "stays", "deleted"
KEEP = 2


def clean(production: Production, *more: str) -> dict[str, Any]:
    """What `road clean` answers."""
    done = production.road("clean", MODEL, "--environment", ENVIRONMENT.name, "--keep", str(KEEP), "--json", *more)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def states(answer: dict[str, Any], kind: str = "endpoint configuration") -> list[str]:
    """Of each thing of a kind, oldest first."""
    return [row["state"] for row in answer["retained"] if row["kind"] == kind]


def back(production: Production, reason: str, *more: str) -> str:
    """To which version `road rollback` goes back."""
    done = production.road("rollback", MODEL, "--reason", reason, "--yes", "--json", *more)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["model_package_arn"])


def number(arn: str) -> str:
    return arn.rpartition("/")[2]


def names(production: Production) -> set[str]:
    """The endpoint configurations and models that there are."""
    sagemaker = production.away("sagemaker")
    configurations = {each["EndpointConfigName"] for each in sagemaker.list_endpoint_configs()["EndpointConfigs"]}
    return configurations | {each["ModelName"] for each in sagemaker.list_models()["Models"]}


def policy(statement: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def leave_behind(production: Production, name: str) -> None:
    """Make a configuration that looks like one that an update has replaced long ago."""
    sagemaker = production.away("sagemaker")
    (model, *_) = (each["ModelName"] for each in sagemaker.list_models()["Models"])
    variant = {"VariantName": naming.VARIANT, "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    whose = [{"Key": key, "Value": value} for key, value in tags.of(CONFIG, reference.model(), ENVIRONMENT).items()]
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=whose)


def test_what_goes_is_needed_by_no_way_back(production: Production) -> None:
    versions = [production.served()]
    for delivery in ("second", "third", "fourth", "fifth"):
        versions.append(production.version(score=0.3))
        production.deliver(versions[-1], delivery)
    oldest, first, *_, serving = versions
    before = names(production)

    assert states(clean(production)) == [STAYS] * 5, "made today"
    shown = clean(production, "--older-than", "0")
    expected = [GOES, GOES, STAYS, STAYS, STAYS]  # what serves, and two to go back to
    assert (states(shown), states(shown, "model")) == (expected, expected)
    assert names(production) == before
    done = clean(production, "--older-than", "0", "--yes")
    assert [row["name"] for row in done["retained"] if row["state"] == DELETED] == [
        row["name"] for row in shown["retained"] if row["state"] == GOES
    ]
    assert len(before - names(production)) == 4
    again = clean(production, "--older-than", "0", "--yes")
    assert (states(again), states(again, "model")) == ([STAYS] * 3, [STAYS] * 3)
    assert production.served() == serving

    assert back(production, "wrong") == production.served() == versions[3]
    assert back(production, "wrong, too") == production.served() == versions[2]
    assert back(production, "so was this", "--to", number(oldest)) == production.served() == oldest
    assert back(production, "to the one before", "--to", number(first)) == production.served() == first


def test_without_its_endpoint_a_version_that_was_kept_comes_back_and_from_there_any_other(production: Production) -> None:
    versions = [production.served()]
    for delivery in ("kept", "last"):
        versions.append(production.version(score=0.3))
        production.deliver(versions[-1], delivery)
    forgotten = production.ledger[0].model_package_arn
    clean(production, "--older-than", "0", "--yes")
    production.away("sagemaker").delete_endpoint(EndpointName=production.endpoint)

    refused = production.road("rollback", MODEL, "--reason", "it is gone", "--yes", "--to", number(forgotten))
    assert (refused.returncode, "a version that has one" in refused.stderr.splitlines()[-1]) == (1, True), refused.stderr
    assert back(production, "it is gone", "--to", number(versions[1])) == production.served() == versions[1]
    assert back(production, "further back", "--to", number(forgotten)) == production.served() == forgotten
    production.deliver(production.version(score=0.3), "good")


def test_on_an_account_who_may_not_delete_is_told_and_a_role_that_may_is_taken(production: Production) -> None:
    """Credentials of the toolchain's account look with CDK's lookup role; none of the bootstrap's roles deletes models."""
    arguments, before = ("clean", MODEL, "--environment", ENVIRONMENT.name, "--older-than", "0"), names(production)
    leave_behind(production, "left-behind")

    refused = production.road_on_aws(*arguments, "--yes")
    assert (refused.returncode, f"role of account {AWAY} that may with --role" in refused.stderr.splitlines()[-1]) == (1, True), (
        refused.stderr
    )
    assert names(production) == before | {"left-behind"}
    iam = production.away("iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{HOME}:root"}}
    may = {"Effect": "Allow", "Action": ["sagemaker:DeleteEndpointConfig", "sagemaker:DeleteModel"], "Resource": "*"}
    iam.create_role(RoleName="cleaner", AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName="cleaner", PolicyName="may", PolicyDocument=policy(may))
    done = production.road_on_aws(*arguments, "--yes", "--role", "cleaner", "--json")

    assert done.returncode == 0, done.stderr
    deleted = {row["name"] for row in json.loads(done.stdout)["retained"] if row["state"] == DELETED}
    assert "left-behind" in deleted
    assert names(production) == (before | {"left-behind"}) - deleted


def test_what_remains_of_a_model_that_is_gone_is_told_with_its_command(production: Production) -> None:
    def remains() -> list[dict[str, str]]:
        done = production.road("clean", "--json")
        assert done.returncode == 0, done.stderr
        abandoned: list[dict[str, str]] = json.loads(done.stdout)["remains"]
        return abandoned

    assert remains() == []
    stack = naming.registry_stack(CONFIG, "old_model")
    template = {"Resources": {"Kept": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "1"}}}}
    production.home("cloudformation").create_stack(StackName=stack, TemplateBody=json.dumps(template))
    production.home("s3").create_bucket(
        Bucket=naming.data_bucket(CONFIG, "old_model"), CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    (one,) = remains()
    assert (one["kind"], one["name"], one["account"]) == ("stack", stack, HOME)
    production.home("cloudformation").delete_stack(StackName=stack)
    (left,) = remains()
    assert (left["kind"], left["name"]) == ("bucket", naming.data_bucket(CONFIG, "old_model"))
    production.home("s3").delete_bucket(Bucket=left["name"])
    assert remains() == []


def test_while_a_deployment_is_under_way_everything_stays(production: Production) -> None:
    version = production.version(score=0.3)
    with production.asked(), production.step(*production.deploy(version)) as step:
        seen = False
        while step.poll() is None and not seen:
            rows = clean(production, "--older-than", "0", "--yes")["retained"]
            assert {row["state"] for row in rows} <= {STAYS, DELETED}
            seen = any("IN_PROGRESS" in (row["needed"] or "") for row in rows)
        step.communicate()
    assert seen
    assert production.served() == version
