"""How an endpoint stands to its stack: what is wrong is one line, with the way back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.deployment import standing
from pipelines.deployment.place import Place
from pipelines.deployment.registry import Registry
from pipelines.deployment.standing import Standing
from tests.reference import CONFIG, MODEL, model
from tests.support import sample
from tests.support.facts import FACTS
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, STACK, Production
from tests.support.fakes import Altered, Fake, clients, refusal

ARN = sample.ARN
SERVES, BEFORE = f"{ARN}/2", f"{ARN}/1"
BACK = f"./road rollback {MODEL} --environment {ENVIRONMENT.name} --to 2 --reason …"
GO_ON = (
    f"./road rollback {MODEL} --environment {ENVIRONMENT.name} --reason … goes on with the last good version, --to VERSION with that one"
)


@pytest.fixture
def production() -> Production:
    """The second version serves, after the first."""
    made = Production.serving(SERVES)
    made.configs, made.serves = {"config-1": BEFORE, "config-2": SERVES}, "config-2"
    return made


def look(production: Any, packages: dict[str, tuple[str, str]] | None = None) -> Standing:
    """`packages` maps versions to image and model data."""

    def describe(*, ModelPackageName: str) -> dict[str, Any]:  # noqa: N803
        image, data = (packages or {})[ModelPackageName]
        containers = [{"Image": image, "ModelDataUrl": data}]
        return {"InferenceSpecification": {"Containers": containers}, "ModelApprovalStatus": "Approved"}

    listed = {"ModelPackageSummaryList": [{"ModelPackageArn": arn} for arn in packages or {}]}
    registry = Fake(describe_model_package=describe, list_model_packages=lambda **_: listed)
    there = clients({"cloudformation": production, "sagemaker": production})
    home = Registry(config=CONFIG, model=model(), facts=FACTS, clients=clients({"sagemaker": registry}))
    return standing.look(Place(registry=home, environment=ENVIRONMENT, deployer=there, verifier=there))


def test_what_serves_as_its_stack_says_is_in_line(production: Production) -> None:
    now = look(production)

    assert (now.state, now.lines, now.serves) == ("in line", (), SERVES)
    assert now.as_dict() == {
        "state": "in line",
        "lines": [],
        "stack": STACK,
        "stack_status": "UPDATE_COMPLETE",
        "endpoint": ENDPOINT,
        "endpoint_status": "InService",
        "endpoint_config": "config-2",
        "serves": SERVES,
    }


def test_an_endpoint_that_is_mixed(production: Production) -> None:
    """No single version answers, so none can be gone back from."""
    production.endpoint_status, production.failure = "UpdateRollbackFailed", "no machine is left"
    now = look(production)

    assert (now.state, now.serves) == ("mixed", None)
    assert now.lines == (
        f"endpoint {ENDPOINT} is mixed (UpdateRollbackFailed): no machine is left: the old and the new version answer side by side:"
        f" ./road rollback {MODEL} --environment {ENVIRONMENT.name} --to VERSION --reason … has one of them answer alone",
    )


def test_nothing_is_said_of_what_is_not_deployed(production: Production) -> None:
    production.status = "ROLLBACK_COMPLETE"

    assert look(production) == Standing(state="not deployed")


def test_an_endpoint_that_is_gone(production: Production) -> None:
    production.gone = True
    now = look(production)

    assert (now.state, now.serves, now.live) == ("gone", None, None)
    assert now.lines == (f"endpoint {ENDPOINT} is gone, though {STACK} has it: nothing answers: {BACK}",)


def test_a_model_that_no_version_made(production: Production) -> None:
    stranger = ARN.replace("model-package/", "model-package/other-")
    production.foreign, production.serves = {"by-hand": f"{stranger}/1"}, "by-hand"
    now = look(production)

    assert (now.state, now.serves) == ("changed", None)
    assert now.lines == (
        f"endpoint {ENDPOINT} serves a model that no registered version made ({stranger}/1) with by-hand, {STACK} says version 2 with"
        f" config-2: changed by hand, or taken back by SageMaker: {BACK}",
    )


def test_another_version_than_the_stacks(production: Production) -> None:
    production.serves, production.failure = "config-1", "an alarm went into ALARM"
    now = look(production)

    assert (now.state, now.serves) == ("changed", BEFORE)
    assert now.lines == (
        f"endpoint {ENDPOINT} serves version 1 with config-1, {STACK} says version 2 with config-2: an alarm went into ALARM:"
        f" changed by hand, or taken back by SageMaker: {GO_ON}",
    )


def test_another_configuration_of_the_same_version(production: Production) -> None:
    production.foreign, production.serves = {"by-hand": SERVES}, "by-hand"

    assert look(production).state == "changed"


def test_a_model_of_a_packages_parts_is_known_by_them(production: Production) -> None:
    parts = {SERVES: ("image-2", "s3://b/2"), BEFORE: ("image-1", "s3://b/1")}
    for image, data, state, serves in (
        ("image-2", "s3://b/2", "in line", SERVES),
        ("image-1", "s3://b/1", "changed", BEFORE),
        ("image-1", "s3://b/2", "changed", None),
    ):
        container = {"PrimaryContainer": {"Image": image, "ModelDataUrl": data}}
        now = look(Altered(production, describe_model=lambda container=container, **_: container), parts)
        assert (now.state, now.serves) == (state, serves)


@pytest.mark.parametrize(
    ("stack", "endpoint", "state", "line"),
    [
        ("UPDATE_IN_PROGRESS", "Updating", "under way", f"endpoint {ENDPOINT} is Updating: {STACK} is UPDATE_IN_PROGRESS"),
        ("UPDATE_IN_PROGRESS", "InService", "under way", f"endpoint {ENDPOINT} is InService: {STACK} is UPDATE_IN_PROGRESS"),
        (
            "UPDATE_COMPLETE",
            "Updating",
            "under way",
            f"endpoint {ENDPOINT} is Updating: nothing is under way with {STACK}: somebody else has begun that",
        ),
        (
            "UPDATE_COMPLETE",
            "Failed",
            "failed",
            f"endpoint {ENDPOINT} is Failed: no capacity: delete what is left of it: aws sagemaker delete-endpoint"
            f" --endpoint-name {ENDPOINT}, then {BACK}",
        ),
        ("UPDATE_COMPLETE", "OutOfService", "changed", f"endpoint {ENDPOINT} is OutOfService: no capacity: {BACK}"),
    ],
)
def test_what_does_not_serve_as_it_should_is_said(production: Production, stack: str, endpoint: str, state: str, line: str) -> None:
    production.status, production.endpoint_status, production.failure = stack, endpoint, "no capacity"
    now = look(production)

    assert (now.state, now.lines) == (state, (line,))


def test_an_endpoint_whose_configuration_was_deleted_can_only_be_deleted(production: Production) -> None:
    production.serves = "deleted"
    now = look(production)

    assert now.state == "failed"
    assert now.lines == (
        f"endpoint {ENDPOINT}: what it serves cannot be told: its configuration deleted was deleted: SageMaker does not update it any more,"
        f" so aws sagemaker delete-endpoint --endpoint-name {ENDPOINT}, then {BACK}",
    )


def test_an_endpoint_whose_model_was_deleted_can_be_moved(production: Production) -> None:
    def absent(**_: Any) -> None:
        raise refusal("ValidationException", "Could not find model")

    now = look(Altered(production, describe_model=absent))

    assert (now.state, now.serves) == ("changed", None)
    assert now.lines[0].endswith(f"model config-2 of its configuration config-2 was deleted: {BACK}")


def test_a_stack_that_takes_no_update_is_told_before_its_endpoint(production: Production) -> None:
    failed = {"LogicalResourceId": "Live", "ResourceStatus": "UPDATE_FAILED", "ResourceStatusReason": "Could not find endpoint"}
    production.status, production.gone, production.events = "UPDATE_ROLLBACK_FAILED", True, [failed]
    now = look(production)

    assert now.state == "gone"
    assert [line.partition(":")[0] for line in now.lines] == [
        f"{STACK} is UPDATE_ROLLBACK_FAILED",
        f"endpoint {ENDPOINT} is gone, though {STACK} has it",
    ]


def test_a_first_deployment_is_under_way(production: Production) -> None:
    now = look(Altered(production, describe_stacks=lambda **_: {"Stacks": [{"StackStatus": "CREATE_IN_PROGRESS"}]}))

    assert (now.state, now.lines) == ("under way", (f"{STACK} is CREATE_IN_PROGRESS",))
    assert replace(now, lines=()).as_dict()["endpoint"] is None
