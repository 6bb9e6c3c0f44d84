"""What tests of several services do with stacks: deploy one, delete one, and read why it failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from localcloud.testing import ACCOUNT, named
from localcloud.testing.accounts import Accounts
from localcloud.testing.waiting import until

Template = dict[str, Any]
numbers = count()


def deploy(
    cloud: Accounts,
    name: str,
    template: Template,
    kind: str = "CREATE",
    *,
    account: str = ACCOUNT,
    tags: Mapping[str, str] | None = None,
    **parameters: str,
) -> str:
    """Create and execute a change set, as the CDK CLI does; returns the status that the stack comes to, or FAILED of a change set.

    `tags` are the stack's.
    """
    cloudformation = cloud.client("cloudformation", account)
    values = [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()]
    change = {"StackName": name, "ChangeSetName": f"change-{next(numbers)}"}
    cloudformation.create_change_set(
        **change,
        ChangeSetType=kind,
        TemplateBody=json.dumps(template),
        Parameters=values,
        Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    if made(cloud, change, account)["Status"] == "FAILED":
        return "FAILED"
    cloudformation.execute_change_set(**change)
    return str(stack(cloud, name, account)["StackStatus"])


def made(cloud: Accounts, change: dict[str, str], account: str = ACCOUNT) -> dict[str, Any]:
    """A change set, once it is made or has failed."""

    def settled() -> dict[str, Any] | None:
        described: dict[str, Any] = cloud.client("cloudformation", account).describe_change_set(**change)
        return described if described["Status"] in ("CREATE_COMPLETE", "FAILED") else None

    return dict(until(settled))


def stack(cloud: Accounts, name: str, account: str = ACCOUNT) -> dict[str, Any]:
    """The stack of that name or id, once nothing is under way."""

    def settled() -> dict[str, Any] | None:
        (described,) = cloud.client("cloudformation", account).describe_stacks(StackName=name)["Stacks"]
        return None if described["StackStatus"].endswith("_IN_PROGRESS") else dict(described)

    return dict(until(settled))


def deleted(cloud: Accounts, name: str, **more: Any) -> dict[str, Any]:
    """Delete a stack; returns it, once it is gone or that has failed."""
    cloudformation = cloud.client("cloudformation")
    identity = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=name, **more)
    return stack(cloud, identity)


def resource(cloud: Accounts, name: str, logical: str) -> str:
    """The name that a resource of a stack has."""
    shown = cloud.client("cloudformation").describe_stack_resource(StackName=name, LogicalResourceId=logical)
    return str(shown["StackResourceDetail"]["PhysicalResourceId"]).rpartition("/")[2]


def reasons(cloud: Accounts, name: str, account: str = ACCOUNT) -> str:
    """Every reason in the events of a stack."""
    events = cloud.client("cloudformation", account).describe_stack_events(StackName=name)["StackEvents"]
    return " ".join(e.get("ResourceStatusReason", "") for e in events)


def refused(**more: Any) -> Template:
    """A resource that nothing is wrong with but that SageMaker does not make it: its model is nowhere."""
    variant = {"ModelName": named("nowhere"), "VariantName": "live", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    properties = {"ProductionVariants": [{**variant, "InitialVariantWeight": 1}]}
    return {"Type": "AWS::SageMaker::EndpointConfig", "Properties": properties, **more}
