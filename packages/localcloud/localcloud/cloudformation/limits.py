"""How large a template may be, and how much may be in it: "CloudFormation quotas" in its user guide."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import Stack
from moto.cloudformation.responses import CloudFormationResponse

BODY, TEMPLATE = 51_200, 1_000_000  # bytes of a template in a request, and in a bucket
ENTRIES = {"Mappings": 200, "Outputs": 200, "Parameters": 200, "Resources": 500}
DESCRIPTION, VALUE = 1024, 4096  # bytes; of a parameter's value
NAME = 255  # characters of a logical id
OPERATIONS = ("create_change_set", "create_stack", "get_template_summary", "update_stack", "validate_template")


def install() -> None:
    """Look at what comes with every call that brings a template."""
    for operation in OPERATIONS:
        setattr(CloudFormationResponse, operation, _measured(getattr(CloudFormationResponse, operation)))


def _measured(answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def measured(self: Any) -> Any:
        if body := self._get_param("TemplateBody"):
            require_body(body)
        elif url := self._get_param("TemplateURL"):
            require_template(self._get_stack_from_s3_url(url))
        for parameter in self._get_param("Parameters") or []:
            if _bytes(parameter.get("ParameterValue", "")) > VALUE:
                raise ValidationError(message=f"Parameter {parameter['ParameterKey']} value length is greater than {VALUE}")
        return answer(self)

    return measured


def require_body(text: str) -> None:
    """Raise CloudFormation's error where a template is too large for a request, or there is too much in it."""
    if _bytes(text) > BODY:
        where = "at 'templateBody' failed to satisfy constraint"
        raise ValidationError(message=f"1 validation error detected: Value {where}: Member must have length less than or equal to {BODY}")
    require_template(text)


def require_template(text: str) -> None:
    """Raise CloudFormation's error where a template is too large, or there is too much in it."""
    if _bytes(text) > TEMPLATE:
        raise ValidationError(message=f"Template may not exceed {TEMPLATE} bytes in size.")
    template = json.loads(text) if text.lstrip().startswith("{") else Stack.parse_template(text)
    if _bytes(str(template.get("Description", ""))) > DESCRIPTION:
        raise ValidationError(message=f"Template format error: 'Description' length is greater than {DESCRIPTION}.")
    for section, most in ENTRIES.items():
        entries = template.get(section) or {}
        if len(entries) > most:
            what = f"Number of {section.lower()}, {len(entries)}, is greater than maximum allowed, {most}"
            raise ValidationError(message=f"Template format error: {what}")
        if long := next((name for name in entries if len(name) > NAME), None):
            raise ValidationError(message=f"Template format error: {section} name {long} is longer than {NAME} characters.")


def _bytes(text: str) -> int:
    return len(text.encode())
