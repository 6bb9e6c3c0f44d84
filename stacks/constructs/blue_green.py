"""How a new version takes over: SageMaker's blue/green policies, within the limits that SageMaker has."""

from __future__ import annotations

import math
from typing import Any

PROVISIONING_SECONDS = 1800  # starting the new fleet and stopping the old one
TERMINATION_SECONDS = 120  # the old fleet stays this long, to finish what it is answering
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 600, 28800


def blue_green(*, policy: str, size_percent: int, bake_seconds: int) -> dict[str, Any]:
    """A blue/green update policy, for `policy` one of all-at-once, canary, linear.

    Traffic moves all at once, or first `size_percent` of the capacity and then the rest, or in steps of `size_percent`;
    after each move the alarms are watched for `bake_seconds`. The whole may take as long as its waits and half an hour more.

    Raises:
        ValueError: the waits together are longer than SageMaker allows a deployment to take.
    """
    size = {"type": "CAPACITY_PERCENT", "value": size_percent}
    shapes: dict[str, tuple[int, dict[str, Any]]] = {
        "all-at-once": (1, {"type": "ALL_AT_ONCE"}),
        "canary": (2, {"type": "CANARY", "canarySize": size}),
        "linear": (math.ceil(100 / size_percent), {"type": "LINEAR", "linearStepSize": size}),
    }
    moves, shape = shapes[policy]
    timeout = moves * bake_seconds + TERMINATION_SECONDS + PROVISIONING_SECONDS
    if timeout > LONGEST_TIMEOUT:
        raise ValueError(
            f"{moves} {policy} moves of {bake_seconds // 60} minutes take longer than the 8 hours SageMaker allows:"
            " lower bake_minutes or raise size_percent"
        )
    return {
        "trafficRoutingConfiguration": {**shape, "waitIntervalInSeconds": bake_seconds},
        "terminationWaitInSeconds": TERMINATION_SECONDS,
        "maximumExecutionTimeoutInSeconds": max(timeout, SHORTEST_TIMEOUT),
    }
