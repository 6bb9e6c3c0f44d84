"""What `#{namespace.variable}` stands for in an execution, and the variables that a pipeline lets whoever starts it choose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.core.errors import error
from localcloud.core.validation import check

REFERENCE = re.compile(r"#\{([^}]+)\}")


class NoValue(Exception):
    """A variable that does not exist: nothing has set it, or the stage that would have was skipped."""


def resolve(text: str, namespaces: Mapping[str, Mapping[str, str]]) -> str:
    """`text` with the values of its variables, which are by namespace and name. Raises NoValue."""

    def value(reference: re.Match[str]) -> str:
        namespace, _, name = reference[1].partition(".")
        try:
            return namespaces[namespace][name]
        except KeyError:
            raise NoValue(f"variable {reference[0]} has no value") from None

    return REFERENCE.sub(value, text)


def declared(definition: Mapping[str, Any], chosen: Mapping[str, str]) -> dict[str, str]:
    """The variables of an execution that starts with those `chosen`. Raises an AWS error for what the pipeline does not declare or take."""
    defaults = {v["name"]: v.get("defaultValue") for v in definition.get("variables", [])}
    if unknown := set(chosen) - set(defaults):
        raise error("ValidationException", f"pipeline {definition['name']} has no variable {', '.join(sorted(unknown))}")
    for name, value in chosen.items():
        check("codepipeline", "PipelineVariableName", name)
        check("codepipeline", "PipelineVariableValue", value)
    return {name: value for name, value in {**defaults, **chosen}.items() if value is not None}
