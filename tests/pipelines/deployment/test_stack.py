"""A stack as CloudFormation has it, and how it comes to other parameters."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.stack import WAYS_OUT, Stack, read, ready, settled, template, update
from tests.support.fakes import AT_ONCE, Fake, refusal

STACK = Stack(name="Serving", status="UPDATE_COMPLETE", outputs={}, parameters={"Version": "1", "Urgent": "no"})


def described(status: str = "UPDATE_COMPLETE", **parameters: str) -> dict[str, Any]:
    shown = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    outputs = [{"OutputKey": "EndpointName", "OutputValue": "e"}]
    return {"Stacks": [{"StackStatus": status, "Outputs": outputs, "Parameters": shown}]}


def event(resource: str, status: str, reason: str = "") -> dict[str, Any]:
    why = {"ResourceStatusReason": reason} if reason else {}
    return {"LogicalResourceId": resource, "ResourceStatus": status, "Timestamp": datetime.now(UTC), **why}


def in_turn(*answers: Any) -> Any:
    left: Iterator[Any] = iter(answers)
    return lambda **_: next(left)


def test_a_stack_is_what_it_says() -> None:
    stack = read(Fake(describe_stacks=lambda **_: described(Urgent="no")), "Serving")

    assert stack == Stack(name="Serving", status="UPDATE_COMPLETE", outputs={"EndpointName": "e"}, parameters={"Urgent": "no"})


@pytest.mark.parametrize(
    ("answer", "outputs"),
    [
        ({"StackStatus": "UPDATE_ROLLBACK_COMPLETE"}, {}),
        ({"StackStatus": "REVIEW_IN_PROGRESS"}, None),
        ({"StackStatus": "ROLLBACK_COMPLETE"}, None),
    ],
)
def test_a_stack_of_which_nothing_was_made_is_not_there(answer: dict[str, str], outputs: dict[str, str] | None) -> None:
    stack = read(Fake(describe_stacks=lambda **_: {"Stacks": [answer]}), "Serving")

    assert (stack and stack.outputs) == outputs


def refusing(code: str, message: str) -> Fake:
    def refuse(**_: Any) -> None:
        raise refusal(code, message)

    return Fake(describe_stacks=refuse)


def test_a_refusal_is_not_taken_for_absence() -> None:
    assert read(refusing("ValidationError", "Stack with id Serving does not exist"), "Serving") is None
    with pytest.raises(Exception, match="AccessDenied"):
        read(refusing("AccessDenied", "no"), "Serving")


def test_another_stack_serves_nothing() -> None:
    with pytest.raises(DeploymentError, match="Serving: its outputs are not those of a serving stack: deploy it again"):
        STACK.serving  # noqa: B018  # reading it is what fails


@pytest.mark.parametrize("body", ['{"Resources": {}}', {"Resources": {}}])
def test_a_template_is_what_was_handed_in(body: Any) -> None:
    cloudformation = Fake(describe_stacks=lambda **_: described(), get_template=lambda **_: {"TemplateBody": body})

    assert template(cloudformation, "Serving") == {"Resources": {}}
    assert cloudformation.asked("get_template") == [{"StackName": "Serving", "TemplateStage": "Original"}]
    assert template(refusing("ValidationError", "Stack with id Serving does not exist"), "Serving") is None


def test_what_a_killed_deployment_left_is_waited_for() -> None:
    going = described("UPDATE_IN_PROGRESS")
    cloudformation = Fake(describe_stacks=in_turn(going, described("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), described()))

    stack = settled(cloudformation, "Serving", AT_ONCE)

    assert stack
    assert (stack.status, len(cloudformation.calls)) == ("UPDATE_COMPLETE", 3)


def test_an_update_gives_what_the_template_knows_and_keeps_the_rest() -> None:
    cloudformation = Fake(update_stack=lambda **_: {}, describe_stacks=lambda **_: described(Version="2", Urgent="no"))

    update(cloudformation, STACK, {"Version": "2", "Unknown": "x"}, AT_ONCE)

    (asked,) = cloudformation.asked("update_stack")
    assert asked["UsePreviousTemplate"] is True
    assert asked["Parameters"] == [
        {"ParameterKey": "Version", "ParameterValue": "2"},
        {"ParameterKey": "Urgent", "UsePreviousValue": True},
    ]


def test_an_update_that_was_made_before_is_none() -> None:
    def nothing(**_: Any) -> None:
        raise refusal("ValidationError", "No updates are to be performed.")

    cloudformation = Fake(update_stack=nothing, describe_stacks=lambda **_: described(Version="2", Urgent="no"))

    assert update(cloudformation, STACK, {"Version": "2"}, AT_ONCE).parameters["Version"] == "2"


def test_an_update_that_goes_back_says_which_resource_failed_first() -> None:
    events = [
        event("Serving", "UPDATE_ROLLBACK_COMPLETE"),
        event("Other", "UPDATE_FAILED", "Resource update cancelled"),
        event("Endpoint", "UPDATE_FAILED", "the container exited"),
        event("Serving", "UPDATE_IN_PROGRESS"),
        event("Older", "UPDATE_FAILED", "another time"),
    ]
    cloudformation = Fake(
        update_stack=lambda **_: {},
        describe_stacks=lambda **_: described("UPDATE_ROLLBACK_COMPLETE", Version="1", Urgent="no"),
        describe_stack_events=lambda **_: {"StackEvents": events},
    )

    with pytest.raises(DeploymentError, match="Serving did not change: Endpoint: the container exited: correct that"):
        update(cloudformation, STACK, {"Version": "2"}, AT_ONCE)


def test_what_is_waited_for_is_told(caplog: pytest.LogCaptureFixture) -> None:
    going = described("UPDATE_IN_PROGRESS")
    going["Stacks"][0]["LastUpdatedTime"] = datetime(2026, 11, 21, 10, tzinfo=UTC)
    back = described("UPDATE_ROLLBACK_IN_PROGRESS")
    with caplog.at_level(logging.INFO, "pipelines"):
        settled(Fake(describe_stacks=in_turn(going, going, back, described())), "Serving", AT_ONCE)

    assert caplog.messages == [
        "Serving is UPDATE_IN_PROGRESS since 2026-11-21T10:00:00Z: its end is waited for",
        "Serving is UPDATE_ROLLBACK_IN_PROGRESS: its end is waited for",
    ]


STUCK = [
    event("Serving", "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Endpoint]"),
    event("Endpoint", "UPDATE_FAILED", "Could not find endpoint"),
    event("Serving", "UPDATE_ROLLBACK_IN_PROGRESS"),
    event("Alarm", "UPDATE_FAILED", "Resource update cancelled"),
    event("Model", "CREATE_FAILED", "no such model data"),
    event("Serving", "UPDATE_IN_PROGRESS"),
    event("Older", "UPDATE_FAILED", "another time"),
]
WAYS = {
    "UPDATE_ROLLBACK_FAILED": "put right what stops it, or leave it out: aws cloudformation continue-update-rollback --stack-name Serving"
    " --resources-to-skip Endpoint",
    "UPDATE_FAILED": "aws cloudformation rollback-stack --stack-name Serving",
    "DELETE_FAILED": "aws cloudformation delete-stack --stack-name Serving --retain-resources Endpoint",
    "ROLLBACK_FAILED": "it was never whole: aws cloudformation delete-stack --stack-name Serving",
    "CREATE_FAILED": "it was never whole: aws cloudformation delete-stack --stack-name Serving",
}


def stuck(status: str, events: list[dict[str, Any]]) -> Fake:
    return Fake(
        describe_stacks=lambda **_: described(status, Version="1", Urgent="no"),
        describe_stack_events=lambda **_: {"StackEvents": events},
        update_stack=lambda **_: {},
    )


@pytest.mark.parametrize("status", WAYS_OUT)
def test_a_stack_that_takes_no_update_says_what_failed_first_and_the_way_out(status: str) -> None:
    """Told before anything is asked of it, and where an update ends so."""
    line = f"Serving is {status}: Model: no such model data: {WAYS[status]}, then run this again"
    cloudformation = stuck(status, STUCK)

    with pytest.raises(DeploymentError) as before:
        ready(cloudformation, "Serving", AT_ONCE)
    with pytest.raises(DeploymentError) as after:
        update(cloudformation, STACK, {"Version": "2"}, AT_ONCE)

    assert [str(before.value), str(after.value)] == [line, line]


def test_a_stack_of_which_nothing_is_told_is_named_too() -> None:
    with pytest.raises(DeploymentError, match=r"CloudFormation gives no reason: .* --resources-to-skip LOGICAL-ID, then"):
        ready(stuck("UPDATE_ROLLBACK_FAILED", []), "Serving", AT_ONCE)


@pytest.mark.parametrize("status", ["UPDATE_COMPLETE", "CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_a_stack_that_takes_updates_is_ready(status: str) -> None:
    stack = ready(stuck(status, STUCK), "Serving", AT_ONCE)

    assert stack
    assert stack.status == status
