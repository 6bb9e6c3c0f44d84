"""Connections to a repository, under both of their names. One is available at once: nobody has to authorise it here."""

from __future__ import annotations

import uuid

from localcloud.cloudformation.resource_type import ResourceType, goes_with_its_owner

TYPES = tuple(
    ResourceType(
        f"AWS::{service}::Connection",
        lambda r, old: old.id if old else r.arn("codeconnections", f"connection/{uuid.uuid4()}"),
        goes_with_its_owner,
        name="ConnectionName",
        attributes={"ConnectionArn": lambda r: r.id, "ConnectionStatus": lambda r: "AVAILABLE"},
    )
    for service in ("CodeConnections", "CodeStarConnections")
)
