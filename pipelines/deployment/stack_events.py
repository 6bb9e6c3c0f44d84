"""What a stack's events tell of what was asked of it last: what that made, what failed, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

BEGINNINGS = ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS")  # of what somebody asked for
GOES_BACK = "UPDATE_ROLLBACK_IN_PROGRESS"
MADE = ("CREATE_COMPLETE", "UPDATE_COMPLETE")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What was asked of a stack last, until it began to go back. `id` is its own: that of its first event, at `began`."""

    id: str
    began: datetime
    events: Sequence[StackEventTypeDef]

    def made(self, kind: str) -> list[str]:
        """The physical resources of a type that it made or changed, by name."""
        made = {event["PhysicalResourceId"] for event in self.events if event["ResourceType"] == kind and event["ResourceStatus"] in MADE}
        return sorted(made)

    def failure(self, kind: str) -> str | None:
        """Why a resource of a type failed; None where none did."""
        reasons = [
            " ".join(event.get("ResourceStatusReason", "no reason given").split())
            for event in self.events
            if event["ResourceType"] == kind and event["ResourceStatus"].endswith("_FAILED")
        ]
        return reasons[0] if reasons else None


def last_attempt(cloudformation: CloudFormationClient, name: str) -> Attempt | None:
    """What was asked of the stack last; None where its events do not reach back to that."""
    events = list(_events(cloudformation, name))[::-1]
    if not events or not _begins(events[0], name):
        return None
    back = next((number for number, event in enumerate(events) if _goes_back(event, name)), len(events))
    return Attempt(id=events[0]["EventId"], began=events[0]["Timestamp"], events=events[:back])


def reason(cloudformation: CloudFormationClient, name: str) -> str:
    """Why what was asked for last failed: its first resource that did."""
    failed = [event for event in _events(cloudformation, name) if _has_failed(event, name)]
    if not failed:
        return "CloudFormation gives no reason"
    return f"{failed[-1]['LogicalResourceId']}: {failed[-1].get('ResourceStatusReason', 'no reason given')}"


def last_failures(cloudformation: CloudFormationClient, name: str) -> list[str]:
    """The resources that failed since the stack last began to go back, or since what was asked for last began."""
    failed = list[str]()
    for event in _events(cloudformation, name):
        if _goes_back(event, name):
            break
        if _has_failed(event, name):
            failed.append(event["LogicalResourceId"])
    return sorted(set(failed))


def _events(cloudformation: CloudFormationClient, name: str) -> Iterator[StackEventTypeDef]:
    """Those of what was asked for last, newest first."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=name):
        for event in page["StackEvents"]:
            yield event
            if _begins(event, name):
                return


def _begins(event: StackEventTypeDef, stack: str) -> bool:
    return event["LogicalResourceId"] == stack and event["ResourceStatus"] in BEGINNINGS


def _goes_back(event: StackEventTypeDef, stack: str) -> bool:
    return (event["LogicalResourceId"], event["ResourceStatus"]) == (stack, GOES_BACK)


def _has_failed(event: StackEventTypeDef, stack: str) -> bool:
    return event["ResourceStatus"].endswith("_FAILED") and event["LogicalResourceId"] != stack
