"""What tests of events do: rules with their targets, roles for them, and policies that let them in."""

from __future__ import annotations

import json
from typing import Any

from localcloud.testing import ACCOUNT
from localcloud.testing.accounts import Accounts


def rule(cloud: Accounts, name: str, target: dict[str, Any], account: str = ACCOUNT, *, bus: str = "default", **members: Any) -> None:
    """A rule with one target; `pattern` is an object."""
    events = cloud.client("events", account)
    if "pattern" in members:
        members["EventPattern"] = json.dumps(members.pop("pattern"))
    where = {} if "ScheduleExpression" in members else {"EventBusName": bus}
    events.put_rule(Name=name, **where, **members)
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "t", **target}])


def caller(cloud: Accounts, name: str, action: str, resource: str, account: str = ACCOUNT, service: str = "events") -> str:
    """A role for a rule or a schedule."""
    return cloud.role(
        name, trusts={"Service": f"{service}.amazonaws.com"}, allows=[{"Action": action, "Resource": resource}], account=account
    )


def document(principal: dict[str, Any], action: str | list[str], resource: str, **more: Any) -> str:
    """The policy of a resource that lets a principal do something."""
    statement = {"Sid": "a", "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
