"""Pipelines that run."""

from __future__ import annotations

from typing import Any

from localcloud.cloudformation.resource_type import Resource, ResourceType
from localcloud.codepipeline import pipelines
from localcloud.core.validation import request

NOT_THE_DEFINITIONS = ("RestartExecutionOnUpdate", "Tags")


def _put(r: Resource, old: Resource | None) -> str:
    definition = _definition(r)
    if old is None:
        r.call("codepipeline", "CreatePipeline", pipeline=definition)
    elif definition != _definition(old):
        r.call("codepipeline", "UpdatePipeline", pipeline=definition)
        if str(r.properties.get("RestartExecutionOnUpdate", False)).lower() == "true":
            r.call("codepipeline", "StartPipelineExecution", name=r.name)
    return r.name


def _definition(r: Resource) -> dict[str, Any]:
    properties = {name: value for name, value in r.properties.items() if name not in NOT_THE_DEFINITIONS}
    return request("codepipeline", "CreatePipeline", {**properties, "Name": r.name}, member="pipeline")


TYPES = (
    ResourceType(
        "AWS::CodePipeline::Pipeline",
        _put,
        lambda r: pipelines.delete(r.account, r.region, r.id),
        name="Name",
        attributes={"Version": lambda r: str(pipelines.find(r.account, r.region, r.id).version)},
    ),
)
