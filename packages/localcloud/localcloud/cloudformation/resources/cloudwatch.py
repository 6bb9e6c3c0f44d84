"""Alarms, by the calls that refuse what cannot be evaluated."""

from __future__ import annotations

from localcloud.cloudformation.resource_type import ResourceType, put_by

TYPES = tuple(
    ResourceType(
        f"AWS::CloudWatch::{kind}",
        put_by("cloudwatch", operation, "AlarmName"),
        lambda r: r.call("cloudwatch", "DeleteAlarms", AlarmNames=[r.id]),
        name="AlarmName",
        attributes={"Arn": lambda r: r.arn("cloudwatch", f"alarm:{r.id}")},
    )
    for kind, operation in (("Alarm", "PutMetricAlarm"), ("CompositeAlarm", "PutCompositeAlarm"))
)
