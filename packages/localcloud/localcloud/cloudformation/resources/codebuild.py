"""Projects that builds are made of."""

from __future__ import annotations

from typing import Any

from localcloud.cloudformation.resource_type import Resource, ResourceType
from localcloud.codebuild import projects
from localcloud.core.validation import request

IGNORED = ("Visibility", "ResourceAccessRole")


def _put(r: Resource, old: Resource | None) -> str:
    properties = {name: value for name, value in r.properties.items() if name not in (*IGNORED, "Triggers")}
    project = request("codebuild", "CreateProject", {**properties, "Name": r.name})
    projects.put(r.account, r.region, project, webhook=_webhook(r.properties.get("Triggers", {})))
    return r.name


def _webhook(triggers: dict[str, Any]) -> dict[str, Any] | None:
    if str(triggers.get("Webhook", False)).lower() != "true":
        return None
    return request("codebuild", "CreateWebhook", {name: value for name, value in triggers.items() if name != "Webhook"})


TYPES = (
    ResourceType(
        "AWS::CodeBuild::Project",
        _put,
        lambda r: projects.delete(r.account, r.region, r.id),
        name="Name",
        attributes={"Arn": lambda r: r.arn("codebuild", f"project/{r.id}")},
    ),
)
