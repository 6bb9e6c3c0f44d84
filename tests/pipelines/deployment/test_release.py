"""With which parameters a version is deployed, and which version the monitor looks at: what really serves, whatever the stack says."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import naming
from paved_runtime.spec import Batch, Deployment, Serverless, Serving
from pipelines.deployment import parameters, release
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import Package
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.stack import read, update
from pipelines.serving_stack import NO, NO_VERSION, YES, BatchParameters, MonitoringParameters, ServingParameters
from tests import reference
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, STACK, Production
from tests.support.fakes import AT_ONCE, Altered, Fake, Paginator, archive, clients, refusal
from tests.support.networks import EXISTING, MANAGED, with_networks
from tests.support.sample import ARN

MONITORING = naming.monitoring_stack(CONFIG, MODEL, ENVIRONMENT)
Json = dict[str, Any]


def model(number: int) -> bytes:
    return f"model {number}".encode()


def name(number: int) -> str:
    return digest(number)[:12]


def digest(number: int) -> str:
    return hashlib.sha256(model(number) + b"{}").hexdigest()


def package(number: int, status: str = "Approved") -> Package:
    return Package(arn=f"{ARN}/{number}", image=f"i@{number}", data=f"s3://b/{number}/model.tar.gz", status=status, approval="")


def stored(champion: Json | None = None) -> Fake:
    """S3 with a version under each number; all were compared with the same champion."""

    def get_object(*, Key: str, **_: Any) -> Json:  # noqa: N803  # boto3's name
        return {"Body": io.BytesIO(archive(model=model(int(Key.split("/")[0])), metadata={}, evaluation={"champion": champion}))}

    return Fake(get_object=get_object)


S3 = stored()
REGISTERED = Fake(
    describe_model_package=lambda ModelPackageName: {  # noqa: N803
        "InferenceSpecification": {
            "Containers": [{"Image": f"i@{ModelPackageName[-1]}", "ModelDataUrl": f"s3://b/{ModelPackageName[-1]}/model.tar.gz"}]
        },
        "ModelApprovalStatus": "Approved",
    }
)


def place(production: Any, s3: Any = S3) -> Place:
    registry = Registry(config=CONFIG, model=reference.model(), facts=FACTS, clients=clients({"s3": s3, "sagemaker": REGISTERED}))
    there = clients({"cloudformation": production, "sagemaker": production})
    return Place(registry=registry, environment=ENVIRONMENT, deployer=there, verifier=there)


def values(production: Production | None, number: int, s3: Any = S3) -> ServingParameters:
    stack = production.stack if production else None
    return release.serving_parameters(place(production, s3), stack, package(number))


def of_version(number: int, previous: str = NO_VERSION, **shift: str) -> ServingParameters:
    made = {"model_package_arn": f"{ARN}/{number}", "image_uri": f"i@{number}", "model_data_url": f"s3://b/{number}/model.tar.gz"}
    still = {f"expected_shift_p{percent}": "+0.000000" for percent in (10, 50, 90)}
    named = {"model_version": name(number), "model_sha256": digest(number), "previous_model_version": previous}
    return ServingParameters(**{**made, **named, **still, **shift})


class Staging(Production):
    """Serves a package's parts."""

    def describe_model(self, **_: Any) -> Json:
        """The first version's."""
        return {"PrimaryContainer": {"Image": "i@1", "ModelDataUrl": "s3://b/1/model.tar.gz"}}


def test_the_first_version_is_compared_with_none() -> None:
    assert values(None, 1) == of_version(1)


def test_a_new_version_is_compared_with_the_one_that_serves_and_ends_a_hurry() -> None:
    assert values(Production.serving(f"{ARN}/1", urgent=YES), 2) == of_version(2, previous=name(1))


def serverless(production: Production) -> Place:
    """Where model.toml asks for a serverless endpoint."""
    there = place(production)
    table = Serving(serverless=Serverless(memory_mb=2048, maximum_concurrency=5), deployment=Deployment(policy="all-at-once"))
    model = there.model.model_copy(update={"serving": {**there.model.serving, ENVIRONMENT.name: table}})
    return replace(there, registry=replace(there.registry, model=model))


def test_an_endpoint_with_instances_cannot_become_serverless(tmp_path: Path) -> None:
    with pytest.raises(
        DeploymentError, match=rf"^endpoint {ENDPOINT} has instances, .* delete-stack --stack-name {STACK}; .* run this again"
    ):
        release.deploy(serverless(Production.serving(f"{ARN}/1")), package(2), tmp_path, AT_ONCE)
    with pytest.raises(DeploymentError, match=rf"^endpoint {ENDPOINT} has instances"):
        release.redeploy(serverless(Production.serving(f"{ARN}/1")), tmp_path, AT_ONCE)


def test_after_a_silent_rollback_the_stack_is_not_believed() -> None:
    assert values(rolled_back(), 3).previous_model_version == name(1)


def rolled_back() -> Production:
    """SageMaker took the second version back, and CloudFormation does not know."""
    production = Production.serving(f"{ARN}/1")
    production.configs["config-2"] = production.parameters["ModelPackageArn"] = f"{ARN}/2"  # and config-1 serves on
    return production


@pytest.mark.parametrize(
    ("compared", "expected"),
    [
        (1, {"expected_shift_p10": "+0.012000", "expected_shift_p50": "+0.000000", "expected_shift_p90": "-0.113457"}),
        (7, {}),
    ],
)
def test_the_shift_that_was_approved_is_expected_of_that_pair_alone(compared: int, expected: dict[str, str]) -> None:
    champion = {"model_package_arn": f"{ARN}/{compared}", "score_shift": {"p10": 0.012, "p50": 1e-9, "p90": -0.11345678}}

    assert values(Production.serving(f"{ARN}/1"), 2, stored(champion)) == of_version(2, previous=name(1), **expected)


def test_run_again_it_says_what_it_said() -> None:
    known = {"previous_model_version": name(1), "expected_shift_p50": "+0.012000"}
    production = Production.serving(f"{ARN}/2", model_version=name(2), model_sha256=digest(2), **known)

    assert values(production, 2) == replace(production.version, image_uri="i@2", model_data_url="s3://b/2/model.tar.gz")


def test_staging_serves_a_packages_parts() -> None:
    assert values(Staging.serving(f"{ARN}/1"), 2).previous_model_version == name(1)


def test_a_package_without_a_model_is_not_deployed() -> None:
    empty = Fake(get_object=lambda **_: {"Body": io.BytesIO(archive(schema={}))})

    with pytest.raises(DeploymentError, match=r"s3://b/2/model\.tar\.gz holds no metadata\.json: "):
        values(None, 2, empty)


@pytest.mark.parametrize("status", ["PendingManualApproval", "Rejected"])
def test_production_takes_no_version_that_nobody_approved(status: str, tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match=f"is {status}: this environment takes approved versions only"):
        release.deploy(place(Production.serving(f"{ARN}/1")), package(2, status), tmp_path, AT_ONCE)


def monitored(number: int) -> MonitoringParameters:
    return MonitoringParameters(image_uri=f"i@{number}", model_data_url=f"s3://b/{number}/model.tar.gz", model_version=name(number))


@pytest.mark.parametrize(
    ("production", "number"),
    [(Production.serving(f"{ARN}/2"), 2), (rolled_back(), 1), (Staging.serving(f"{ARN}/1"), 1)],
    ids=["what was deployed", "after a silent rollback", "a package's parts"],
)
def test_the_monitor_looks_at_the_version_that_answers(production: Production, number: int) -> None:
    assert release.monitoring_parameters(place(production), ENDPOINT) == monitored(number)


@pytest.fixture
def assembly(programs: Path) -> Path:
    """An assembly whose monitoring stack looks at a version."""
    left_out = {"ImageUri", "ModelDataUrl", "ShadowModelPackageArn"}
    templates = {STACK: ServingParameters.declared().keys() - left_out, MONITORING: {*MonitoringParameters.declared(), "Key"}}
    (programs / "manifest.json").write_text("{}")
    for stack, names in templates.items():
        (programs / f"{stack}.template.json").write_text(json.dumps({"Parameters": {name: {} for name in names}}))
    return programs


def deployed(assembly: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """What CDK was asked for: stacks, and values of their parameters."""
    for called in (assembly / "cdk.log").read_text().split("deploy\n")[1:]:
        words = called.split(f"--app\n{assembly}\n")[1].splitlines()
        given = [word for flag, word in itertools.pairwise(words) if flag == "--parameters"]
        values = dict(word.partition(":")[2].split("=", 1) for word in given)
        yield [word for word in words if word != "--parameters" and word not in given], values


def test_what_is_deployed_first_is_then_monitored(assembly: Path) -> None:
    production = Production.serving(f"{ARN}/1")

    stacks = release.deploy(place(production), package(2), assembly, AT_ONCE)
    serving, monitoring = deployed(assembly)

    assert stacks == [STACK, MONITORING]
    assert serving[0] == [STACK]
    assert serving[1].items() <= of_version(2, previous=name(1)).values().items()
    assert {"ModelPackageArn", "Urgent"} <= serving[1].keys()
    assert "ImageUri" not in serving[1]
    assert monitoring == ([MONITORING], monitored(1).values()), "a fake CDK changes nothing, so the first version answers on"


def test_where_nothing_is_monitored_both_are_deployed_at_once(assembly: Path) -> None:
    (assembly / f"{MONITORING}.template.json").write_text(json.dumps({"Parameters": {"BootstrapVersion": {}}}))

    release.deploy(place(Production.serving(f"{ARN}/1")), package(2), assembly, AT_ONCE)

    assert [stacks for stacks, _ in deployed(assembly)] == [[STACK, MONITORING]]


def batched(production: Any) -> Place:
    """A place whose model has batches there."""
    model = reference.model()
    table = model.serving[ENVIRONMENT.name].model_copy(update={"batch": Batch(instance_type="ml.m5.large")})
    there = place(production)
    return replace(there, registry=replace(there.registry, model=model.model_copy(update={"serving": {ENVIRONMENT.name: table}})))


@pytest.mark.parametrize(
    ("production", "number", "arn"),
    [
        (Production.serving(f"{ARN}/2"), 2, f"{ARN}/2"),
        (rolled_back(), 1, f"{ARN}/1"),
        (Staging.serving(f"{ARN}/1"), 1, f"{ARN}/1"),
        (Staging.serving(f"{ARN}/2"), 1, NO_VERSION),
    ],
    ids=["what was deployed", "after a silent rollback", "a package's parts", "parts of another version than the stack's"],
)
def test_batches_are_scored_by_the_version_that_answers(production: Production, number: int, arn: str) -> None:
    assert release.batch_parameters(batched(production), production.stack) == scores(number, arn)


def scores(number: int, arn: str) -> BatchParameters:
    made_of = {"image_uri": f"i@{number}", "model_data_url": f"s3://b/{number}/model.tar.gz"}
    return BatchParameters(model_package_arn=arn, **made_of, model_version=name(number), model_sha256=digest(number))


@pytest.mark.parametrize("monitored", [True, False])
def test_where_files_are_scored_their_stack_comes_last(assembly: Path, monitored: bool) -> None:
    there = batched(Production.serving(f"{ARN}/1"))
    stack, names = str(there.batch_stack), [] if not monitored else list(MonitoringParameters.declared())
    for each, known in ((stack, list(BatchParameters.declared())), (MONITORING, names)):
        (assembly / f"{each}.template.json").write_text(json.dumps({"Parameters": {name: {} for name in known}}))

    assert release.redeploy(there, assembly, AT_ONCE) == [STACK, MONITORING, stack]
    *_, last = deployed(assembly)
    assert last == ([stack], scores(1, f"{ARN}/1").values())


def test_a_managed_network_comes_first_and_only_where_it_does_not_stand_so_already(assembly: Path) -> None:
    config, template = with_networks("three", EXISTING, MANAGED), {"Resources": {"Network": {"Type": "AWS::EC2::VPC"}}}
    there = config.environments[-1]
    network = naming.network_stack(config, there.account)
    (assembly / f"{network}.template.json").write_text(json.dumps(template))
    production = Production.serving(f"{ARN}/1")

    def deploy_where(standing: Json | None) -> list[list[str]]:
        def describe_stacks(*, StackName: str, **_: Any) -> Json:  # noqa: N803
            return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]} if StackName == network and standing else original(StackName=StackName)

        original = production.describe_stacks
        altered = Altered(production, describe_stacks=describe_stacks, get_template=lambda **_: {"TemplateBody": standing})
        (assembly / "cdk.log").unlink(missing_ok=True)
        moved = place(altered)
        registry = replace(moved.registry, config=config)
        release.redeploy(replace(moved, registry=registry, environment=there), assembly, AT_ONCE)
        return [stacks for stacks, _ in deployed(assembly)]

    others = [[STACK], [MONITORING]]
    assert deploy_where(None) == [[network], *others]
    assert deploy_where({"Resources": {}}) == [[network], *others]
    assert deploy_where(template) == others


def test_new_infrastructure_keeps_the_version_and_ends_a_hurry(assembly: Path) -> None:
    production = Production.serving(f"{ARN}/1", urgent=YES, previous_model_version=name(2))

    assert release.redeploy(place(production), assembly, AT_ONCE) == [STACK, MONITORING]
    (_, values), _ = deployed(assembly)
    assert values == {**production.parameters, "Urgent": NO}


def test_where_nothing_serves_nothing_is_redeployed(assembly: Path) -> None:
    def absent(**_: Any) -> None:
        raise refusal("ValidationError", "Stack does not exist")

    assert release.redeploy(place(Fake(describe_stacks=absent)), assembly, AT_ONCE) == []
    assert not (assembly / "cdk.log").exists()


def test_where_nothing_serves_yet_what_models_will_stand_on_comes(assembly: Path) -> None:
    def absent(**_: Any) -> None:
        raise refusal("ValidationError", "Stack does not exist")

    config = with_networks("three", EXISTING, MANAGED)
    network = naming.network_stack(config, config.environments[-1].account)
    (assembly / f"{network}.template.json").write_text("{}")
    empty = place(Fake(describe_stacks=absent))
    there = replace(empty, registry=replace(empty.registry, config=config), environment=config.environments[-1])

    assert release.redeploy(there, assembly, AT_ONCE) == [network]
    assert [stacks for stacks, _ in deployed(assembly)] == [[network]]


def stuck(status: str, stack: str = STACK) -> Any:
    """Production with a stack that takes no update: the serving stack, or the monitoring stack."""
    production = Production.serving(f"{ARN}/1")
    if stack == STACK:
        production.status = status
        return production
    other = {"Stacks": [{"StackStatus": status}]}
    read = production.describe_stacks
    return Altered(
        production,
        describe_stacks=lambda StackName: other if StackName == stack else read(StackName=StackName),  # noqa: N803
        get_paginator=lambda _: Paginator(lambda _: {"StackEvents": []}),
    )


@pytest.mark.parametrize("stack", [STACK, MONITORING])
def test_a_stack_that_takes_no_update_stops_everything_before_cdk_is_asked(stack: str, assembly: Path) -> None:
    there, way = place(stuck("UPDATE_ROLLBACK_FAILED", stack)), f"{stack} is UPDATE_ROLLBACK_FAILED: .* --stack-name {stack}"
    with pytest.raises(DeploymentError, match=way):
        release.deploy(there, package(2), assembly, AT_ONCE)
    with pytest.raises(DeploymentError, match=way):
        release.redeploy(there, assembly, AT_ONCE)
    assert not (assembly / "cdk.log").exists()


def test_an_endpoint_that_is_gone_does_too(assembly: Path) -> None:
    """CloudFormation would fail to move it, and then fail to go back."""
    production = Production.serving(f"{ARN}/1")
    production.gone = True
    way = rf"endpoint {ENDPOINT} is gone, .*: \./road rollback {MODEL} --environment {ENVIRONMENT.name} --to 1 --reason …, then run this"
    with pytest.raises(DeploymentError, match=way):
        release.deploy(place(production), package(2), assembly, AT_ONCE)
    with pytest.raises(DeploymentError, match=way):
        release.redeploy(place(production), assembly, AT_ONCE)
    assert not (assembly / "cdk.log").exists()


@pytest.mark.parametrize("known", [monitored(2).values(), {**monitored(2).values(), "Key": "/a/parameter"}])
def test_a_monitoring_stack_is_moved_and_keeps_the_rest(known: dict[str, str]) -> None:
    """As a rollback does it: the template stays, and so do the parameters that are read from SSM."""
    has = dict(known)

    def describe(**_: Any) -> Json:
        shown = [{"ParameterKey": name, "ParameterValue": value} for name, value in has.items()]
        return {"Stacks": [{"StackStatus": "UPDATE_COMPLETE", "Parameters": shown}]}

    def change(*, Parameters: list[Json], **_: Any) -> None:  # noqa: N803
        new = {each["ParameterKey"]: each["ParameterValue"] for each in Parameters if not each.get("UsePreviousValue")}
        if has == {**has, **new}:
            raise refusal("ValidationError", "No updates are to be performed.")
        has.update(new)

    cloudformation = Fake(describe_stacks=describe, update_stack=change)
    for _ in range(2):
        stack = read(cloudformation, MONITORING)
        assert stack
        update(cloudformation, stack, parameters.monitoring(S3, "i@1", "s3://b/1/model.tar.gz").values(), AT_ONCE)

    assert has == {**known, **monitored(1).values()}
