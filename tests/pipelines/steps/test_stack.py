"""A stack as CloudFormation has it, and how it comes to other parameters."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.steps.stack import Stack, read, settled, update
from pipelines.steps.step import StepError
from tests.pipelines.steps.fakes import Fake, refusal

STACK = Stack(name="Serving", status="UPDATE_COMPLETE", outputs={}, parameters={"Version": "1", "Urgent": "no"})


def described(status: str = "UPDATE_COMPLETE", **parameters: str) -> dict[str, Any]:
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    outputs = [{"OutputKey": "EndpointName", "OutputValue": "e"}]
    return {"Stacks": [{"StackStatus": status, "Outputs": outputs, "Parameters": given}]}


def event(resource: str, status: str, reason: str = "") -> dict[str, Any]:
    said = {"ResourceStatusReason": reason} if reason else {}
    return {"LogicalResourceId": resource, "ResourceStatus": status, "Timestamp": datetime.now(UTC), **said}


def in_turn(*answers: Any) -> Any:
    left: Iterator[Any] = iter(answers)
    return lambda **_: next(left)


def test_a_stack_is_what_it_says() -> None:
    found = read(Fake(describe_stacks=lambda **_: described(Urgent="no")), "Serving")

    assert found == Stack(name="Serving", status="UPDATE_COMPLETE", outputs={"EndpointName": "e"}, parameters={"Urgent": "no"})


def test_what_a_killed_deployment_left_is_waited_for() -> None:
    going = described("UPDATE_IN_PROGRESS")
    cloudformation = Fake(describe_stacks=in_turn(going, described("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), described()))

    found = settled(cloudformation, "Serving", poll_seconds=0)

    assert found
    assert (found.status, len(cloudformation.calls)) == ("UPDATE_COMPLETE", 3)


def test_an_update_gives_what_the_template_knows_and_keeps_the_rest() -> None:
    cloudformation = Fake(update_stack=lambda **_: {}, describe_stacks=lambda **_: described(Version="2", Urgent="no"))

    update(cloudformation, STACK, {"Version": "2", "Unknown": "x"}, poll_seconds=0)

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

    assert update(cloudformation, STACK, {"Version": "2"}, poll_seconds=0).parameters["Version"] == "2"


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

    with pytest.raises(StepError, match="Serving did not change: Endpoint: the container exited: correct that"):
        update(cloudformation, STACK, {"Version": "2"}, poll_seconds=0)
