"""Metric filters, which moto lacks, and log groups, whose retention moto does not update."""

from __future__ import annotations

from typing import Any

from moto.logs.models import LogGroup

from localcloud.cloudformation.resource_type import Resource, ResourceType, complete
from localcloud.core.validation import request


def install() -> None:
    """Complete moto's type."""
    complete(LogGroup, updated=_update_group)


def _update_group(original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str) -> Any:
    original_resource.set_retention_policy(cloudformation_json["Properties"].get("RetentionInDays"))
    return original_resource


def _put_filter(r: Resource, old: Resource | None) -> str:
    transformations = [
        {**t, "Dimensions": {d["Key"]: d["Value"] for d in t["Dimensions"]}} if "Dimensions" in t else t
        for t in r.properties["MetricTransformations"]
    ]
    wanted = {**r.properties, "FilterName": r.name, "MetricTransformations": transformations}
    r.call("logs", "PutMetricFilter", **request("logs", "PutMetricFilter", wanted))
    return r.name


TYPES = (
    ResourceType(
        "AWS::Logs::MetricFilter",
        _put_filter,
        lambda r: r.call("logs", "DeleteMetricFilter", logGroupName=r.properties["LogGroupName"], filterName=r.id),
        name="FilterName",
    ),
)
