"""Every request is judged by AWS's own description of its operation before anything is done: what it must have, and of which form.

Clients look only for what is missing and for types; names, patterns and allowed values are the services' own business. S3's requests take
another way through moto and are not judged here.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from botocore.model import OperationNotFoundError, StructureShape
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import determine_request_protocol
from moto.core.responses import BaseResponse
from moto.core.utils import get_service_model

from localcloud.core.errors import invalid
from localcloud.core.validation import problem

AS_XML = "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>{}</Message></Error></ErrorResponse>"
_call_action = BaseResponse.call_action


def install() -> None:
    """Judge in front of every service."""
    BaseResponse.call_action = call_action  # type: ignore[method-assign]


def call_action(self: Any) -> Any:
    words = refusal(self)
    if words is None:
        return _call_action(self)
    body = AS_XML.format(escape(words)) if _protocol(self) == "query" else invalid(words).description
    return self._transform_response(self.response_headers, (body, {"status": 400}))


def refusal(response: Any) -> str | None:
    """Why AWS would not take the request that moto's `response` object received; None where it would, or nobody describes the operation."""
    action, request = response._get_action(), response.normalized_request
    try:
        operation = get_service_model(response.boto3_service_name).operation_model(action)
    except OperationNotFoundError:
        return None
    if operation.input_shape is None:
        return None
    parts: Any = {"method": request.method, "values": request.values, "headers": request.headers}
    parts |= {"body": request.data, "url_path": request.path, "url_params": response.uri_match}
    members = PROTOCOL_PARSERS[_protocol(response)](operation, map_type=dict).parse(parts)
    return problem({**_empty_body(operation.input_shape), **_there(members, operation.input_shape)}, operation.input_shape, action)


def _there(members: dict[str, Any], shape: StructureShape) -> dict[str, Any]:
    """The members that a request has: moto reads an empty list where a path names none."""
    return {
        name: value for name, value in members.items() if value != [] or shape.members[name].serialization.get("location") != "querystring"
    }


def _empty_body(shape: StructureShape) -> dict[str, bytes]:
    """The member that is a request's whole body: bytes that are none are there all the same."""
    payload = shape.serialization.get("payload")
    return {payload: b""} if payload and shape.members[payload].type_name == "blob" else {}


def _protocol(response: Any) -> str:
    return determine_request_protocol(get_service_model(response.boto3_service_name), response.normalized_request.content_type)
