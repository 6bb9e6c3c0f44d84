"""What tests of several services do with stacks: deploy one, and read why it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from localcloud.testing import ACCOUNT
from localcloud.testing.running import Running
from localcloud.testing.waiting import until

Template = dict[str, Any]


def deploy(
    cloud: Running,
    name: str,
    template: Template,
    kind: str = "CREATE",
    *,
    account: str = ACCOUNT,
    tags: Mapping[str, str] | None = None,
    **parameters: str,
) -> str:
    """Create and execute a change set, as the CDK CLI does; returns the status that the stack comes to. `tags` are the stack's."""
    cloudformation = cloud.client("cloudformation", account)
    values = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
    cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="change",
        ChangeSetType=kind,
        TemplateBody=json.dumps(template),
        Parameters=values,
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.execute_change_set(StackName=name, ChangeSetName="change")

    def settled() -> str | None:
        status: str = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if status.endswith("_IN_PROGRESS") else status

    status: str = until(settled)
    cloudformation.delete_change_set(StackName=name, ChangeSetName="change")
    return status


def reasons(cloud: Running, name: str, account: str = ACCOUNT) -> str:
    """Every reason in the events of a stack."""
    events = cloud.client("cloudformation", account).describe_stack_events(StackName=name)["StackEvents"]
    return " ".join(e.get("ResourceStatusReason", "") for e in events)
