"""How a new version takes over, as SageMaker reads it: behind alarms, or, when the old one must be back at once, in one move.

In CloudFormation's spelling, because which of the two it is depends on a condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def guarded(
    *, policy: str, size_percent: int, bake_seconds: int, termination_seconds: int, timeout_seconds: int, alarms: Sequence[str]
) -> dict[str, Any]:
    """A DeploymentConfig: after each move `alarms` (names) are watched for `bake_seconds`, and any of them brings the old version back.

    Traffic moves at once (`all-at-once`), first `size_percent` of the capacity and then the rest (`canary`, and what follows a `shadow`),
    in steps of `size_percent` to a whole new fleet (`linear`), or to machines that replace the old ones step by step (`rolling`).
    """
    size = {"Type": "CAPACITY_PERCENT", "Value": size_percent}
    times: dict[str, Any] = {"MaximumExecutionTimeoutInSeconds": timeout_seconds}
    rollback = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm} for alarm in alarms]}}
    if policy == "rolling":
        return {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": bake_seconds, **times}, **rollback}
    canary: dict[str, Any] = {"Type": "CANARY", "CanarySize": size}
    linear: dict[str, Any] = {"Type": "LINEAR", "LinearStepSize": size}
    routings = {"all-at-once": {"Type": "ALL_AT_ONCE"}, "canary": canary, "shadow": canary, "linear": linear}
    routing = {**routings[policy], "WaitIntervalInSeconds": bake_seconds}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing, "TerminationWaitInSeconds": termination_seconds, **times},
        **rollback,
    }


def urgent_in_batches(*, timeout_seconds: int) -> dict[str, Any]:
    """The same of an inference component, which SageMaker updates in batches only: two halves, one right after the other."""
    size = {"Type": "CAPACITY_PERCENT", "Value": 50}
    policy = {"MaximumBatchSize": size, "WaitIntervalInSeconds": 0, "MaximumExecutionTimeoutInSeconds": timeout_seconds}
    return {"RollingUpdatePolicy": policy}


def urgent(*, termination_seconds: int, timeout_seconds: int) -> dict[str, Any]:
    """A DeploymentConfig that moves everything at once and asks no alarm: they are in ALARM because of the version that is left."""
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0},
            "TerminationWaitInSeconds": termination_seconds,
            "MaximumExecutionTimeoutInSeconds": timeout_seconds,
        }
    }
