"""Whether AWS's own API would take what a template says: checked against botocore's description of it."""

from __future__ import annotations

from typing import Any

import botocore.session

from localcloud.core import validation

INTRINSICS = {"Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub"}


def plain(value: Any) -> Any:
    """A template's value with a word in the place of everything that CloudFormation fills in."""
    if isinstance(value, dict):
        return "filled-in" if value.keys() & INTRINSICS else {key: plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def accepted(service: str, operation: str, properties: dict[str, Any]) -> dict[str, Any]:
    """`properties` as the input of an operation. Raises what AWS would answer to unknown members, missing ones and values out of range."""
    request = validation.request(service, operation, plain(properties))
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape
    assert shape
    validation.check(service, shape.name, request)
    return request
