"""What SageMaker refuses of a deployment, said a second time and in another way: it is played through, machine by machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from moto.core.exceptions import JsonRESTError

from localcloud.core import validation
from stacks.constructs.deployment import guarded

Table = dict[str, Any]  # one environment's table of model.toml, whether or not it is accepted
TO_START, TO_END = 10, 2  # minutes


def deployment_config(table: Table) -> dict[str, Any]:
    """The deployment that a table asks for."""
    shift = table["deployment"]
    return guarded(
        policy=shift["policy"],
        size_percent=shift["size_percent"],
        bake_seconds=60 * shift["bake_minutes"],
        termination_seconds=60 * TO_END,
        timeout_seconds=60 * _limit(table),
        alarms=["alarm"],
    )


def fleets(table: Table) -> range:
    """Every number of instances that may be there when a deployment begins."""
    bounds = _bounds(table)
    least = min(hours["instances"] for hours in bounds)
    return range(least, max(hours.get("maximum_instances") or hours["instances"] for hours in bounds) + 1)


def played(table: Table, instances: int) -> int:
    """How many minutes a deployment takes, whether it moves shares of the traffic or whole machines."""
    size = table["deployment"]["size_percent"]
    return max(_played(table, 100, max(1, size)), _played(table, instances, max(1, math.floor(instances * size / 100))))


def _played(table: Table, old: int, part: int) -> int:
    policy, left = table["deployment"]["policy"], old
    minutes = 0 if policy == "rolling" else TO_START + TO_END
    while left > 0:
        rest = policy == "all-at-once" or (policy in ("canary", "shadow") and left < old)
        left -= left if rest else part
        minutes += table["deployment"]["bake_minutes"] + (TO_START if policy == "rolling" else 0)
    return minutes


def refusals(table: Table) -> list[str]:
    """Why a deployment cannot be, or would not be what is asked for."""
    return [why for why, applies in REASONS.items() if applies(table)]


def _limit(table: Table) -> int:
    return table["deployment"].get("maximum_minutes") or 480


def _bounds(table: Table) -> list[Table]:
    """The working hours' and the off-hours' numbers of instances."""
    return [table] + ([table["off_hours"]] if table.get("off_hours") else [])


def _in_parts(table: Table) -> bool:
    return bool(table["deployment"]["policy"] != "all-at-once")


def _out_of_range(table: Table) -> bool:
    try:
        validation.check("sagemaker", "DeploymentConfig", deployment_config(table))
    except JsonRESTError:
        return True
    return False


def _no_such_step(table: Table) -> bool:
    size, policy = table["deployment"]["size_percent"], table["deployment"]["policy"]
    return not {"linear": 10, "rolling": 5}.get(policy, 1) <= size <= 50


def _endless(table: Table) -> Iterator[bool]:
    return (played(table, instances) > _limit(table) for instances in fleets(table))


def _is(table: Table, family: str) -> bool:
    return bool(table["instance_type"].startswith(f"ml.{family}."))


REASONS: dict[str, Callable[[Table], bool]] = {
    "a number is out of range": _out_of_range,
    "no step of that size": _no_such_step,
    "nothing serves": lambda t: min(hours["instances"] for hours in _bounds(t)) < 1,
    "more at least than at most": lambda t: any(hours["instances"] > (hours.get("maximum_instances") or math.inf) for hours in _bounds(t)),
    "one instance has no parts": lambda t: _in_parts(t) and min(hours["instances"] for hours in _bounds(t)) < 2,
    "two bad minutes of three need three": lambda t: _in_parts(t) and t["deployment"]["bake_minutes"] < 3,
    "it cannot end in time": lambda t: any(_endless(t)),
    "excluded from guardrails": lambda t: _in_parts(t) and _is(t, "inf1"),
    "burstable instances do not scale": lambda t: _is(t, "t2") and bool(t.get("maximum_instances")),
    "a schedule of nothing": lambda t: bool(t.get("off_hours")) and not t.get("maximum_instances"),
}
