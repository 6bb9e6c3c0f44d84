"""CloudFormation's properties become requests of AWS's APIs, and what AWS's descriptions forbid is refused."""

from __future__ import annotations

from typing import Any

import pytest
from moto.core.exceptions import JsonRESTError

from localcloud.core import validation

pytestmark = pytest.mark.laptop("requests are judged by functions")


def test_properties_get_the_names_and_the_types_of_the_api() -> None:
    properties = {"Name": "p", "Artifacts": {"Type": "NO_ARTIFACTS"}, "TimeoutInMinutes": "5", "BadgeEnabled": "true"}

    assert validation.request("codebuild", "CreateProject", properties) == {
        "name": "p",
        "artifacts": {"type": "NO_ARTIFACTS"},
        "timeoutInMinutes": 5,
        "badgeEnabled": True,
    }


def test_a_property_that_the_api_does_not_know_is_named() -> None:
    with pytest.raises(JsonRESTError, match=r"CreateProject\.artifacts has no member Colour"):
        validation.request("codebuild", "CreateProject", {"Artifacts": {"Colour": "red"}})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"Type": "ALL"}, "Value ALL at .* must be one of ALL_AT_ONCE, CANARY, LINEAR"),
        ({"WaitIntervalInSeconds": 3601}, "Value 3601 at .* must be between 0 and 3600"),
        ({"CanarySize": {"Type": "CAPACITY_PERCENT"}}, "CanarySize.Value is needed"),
    ],
)
def test_what_is_outside_a_shape_is_refused(change: dict[str, Any], problem: str | None) -> None:
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": 60, **change}
    if problem is None:
        validation.check("sagemaker", "TrafficRoutingConfig", routing)
    else:
        with pytest.raises(JsonRESTError, match=problem):
            validation.check("sagemaker", "TrafficRoutingConfig", routing)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"configuration": {"ProjectName": ""}}, r"Value 0 at 'ActionDeclaration.configuration.ProjectName' must be between 1 and 1000"),
        ({"configuration": {"": "x"}}, "Value 0 at 'ActionDeclaration.configuration' must be between 1 and 50"),
        ({"colour": "red"}, "ActionDeclaration has no member colour"),
    ],
)
def test_maps_and_members_are_judged(change: dict[str, Any], problem: str | None) -> None:
    kind = {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"}
    action = {"name": "a", "actionTypeId": kind, "configuration": {"ProjectName": "p"}, **change}
    if problem is None:
        validation.check("codepipeline", "ActionDeclaration", action)
    else:
        with pytest.raises(JsonRESTError, match=problem):
            validation.check("codepipeline", "ActionDeclaration", action)
