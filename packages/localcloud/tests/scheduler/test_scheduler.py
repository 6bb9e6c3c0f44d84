"""Schedules start pipelines at their times, as the role that they name; what cannot be kept is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from event_rules import caller

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.pipelines import executions, of_approvals
from localcloud.testing.waiting import until


def schedule(cloud: Accounts, name: str, expression: str, role: str, target: str, **more: Any) -> None:
    wanted = {"ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": {"Arn": target, "RoleArn": role}}
    cloud.client("scheduler").create_schedule(Name=name, **{**wanted, **more})


@pytest.mark.aws("EventBridge Scheduler")
def test_schedules_start_pipelines_at_their_times_while_they_are_enabled(cloud: Accounts, name: Name) -> None:
    scheduled, often, once = name("scheduled"), name("often"), name("once")
    target = of_approvals(cloud, scheduled, mode="QUEUED")
    role = caller(cloud, scheduled, "codepipeline:StartPipelineExecution", target, service="scheduler")
    when = f"at({datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M:%S})"

    schedule(cloud, name("never"), "rate(1 minutes)", role, target, State="DISABLED")
    schedule(cloud, once, when, role, target)
    schedule(cloud, often, "rate(365 days)", role, target)

    until(lambda: len(executions(cloud, scheduled)) == 2)
    by = {e["trigger"]["triggerDetail"].rpartition("/")[2] for e in executions(cloud, scheduled)}
    assert by == {often, once}
    cloud.client("scheduler").delete_schedule(Name=often)


@pytest.mark.aws("EventBridge Scheduler")
@pytest.mark.parametrize(("service", "expression"), [("events", "rate(1 hours)"), ("scheduler", "rate(5 weeks)")])
def test_schedules_that_cannot_be_kept_are_refused(cloud: Accounts, name: Name, service: str, expression: str) -> None:
    """Its role is not for the scheduler; there is no such time."""
    target = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{name('pipeline')}"
    role = caller(cloud, name("role"), "codepipeline:StartPipelineExecution", target, service=service)

    with pytest.raises(ClientError, match="ValidationException"):
        schedule(cloud, name("odd"), expression, role, target)


@pytest.mark.laptop("the words are localcloud's, and what it does not do")
def test_schedules_are_refused_by_name(cloud: Accounts) -> None:
    target = of_approvals(cloud, "unscheduled", mode="QUEUED")
    role = caller(cloud, "unscheduled", "codepipeline:StartPipelineExecution", target, service="scheduler")
    untrusted = caller(cloud, "untrusted", "codepipeline:StartPipelineExecution", target)
    for arn, with_role, more, why in (
        (f"arn:aws:sqs:{REGION}:{ACCOUNT}:seen", role, {}, "no schedules for"),
        (target, untrusted, {}, "must allow AWS EventBridge Scheduler to assume the role"),
        (target, role, {"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5}}, "must be OFF"),
        (target, role, {"ScheduleExpression": "rate(5 weeks)"}, "rate"),
    ):
        with pytest.raises(ClientError, match=why):
            schedule(cloud, "odd", "rate(1 hours)", with_role, arn, **more)
    schedule(cloud, "past", "at(2020-01-01T00:00:00)", role, target)
    assert executions(cloud, "unscheduled") == []
