"""What a DeploymentConfig asks for, as numbers, and what SageMaker refuses of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localcloud.core.errors import invalid
from localcloud.core.validation import check

# kind → member of the policy that holds the size of a step, and the least and most part of the instances that it may be
SIZES = {"CANARY": ("CanarySize", 0.0, 0.5), "LINEAR": ("LinearStepSize", 0.1, 0.5), "ROLLING": ("MaximumBatchSize", 0.05, 0.5)}


@dataclass(frozen=True)
class Policy:
    """A DeploymentConfig as numbers. `steps` are the shares of the new fleet, the last one 1; times are SageMaker's seconds."""

    steps: tuple[float, ...]
    wait: float
    termination: float
    maximum: float | None
    rolling: bool
    back: float
    alarms: tuple[str, ...]


def read(config: Mapping[str, Any], counts: Mapping[str, int]) -> Policy:
    """What a DeploymentConfig asks of a fleet with `counts` instances a variant. Raises an AWS error where SageMaker refuses it."""
    check("sagemaker", "DeploymentConfig", config)
    rolling, blue_green = config.get("RollingUpdatePolicy"), config.get("BlueGreenUpdatePolicy") or {}
    if rolling and blue_green:
        raise invalid("DeploymentConfig: only one of BlueGreenUpdatePolicy and RollingUpdatePolicy can be given")
    if rolling and len(counts) > 1:
        raise invalid("DeploymentConfig: an endpoint of several variants cannot be updated by RollingUpdatePolicy")
    whole = rolling or blue_green
    routing = rolling or blue_green.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    kind = "ROLLING" if rolling else routing["Type"]
    steps = _steps(kind, routing, min(counts.values()))
    wait, termination = float(routing["WaitIntervalInSeconds"]), float(whole.get("TerminationWaitInSeconds", 0))
    maximum = whole.get("MaximumExecutionTimeoutInSeconds")
    if maximum is not None and maximum <= (waits := wait * len(steps) + termination):
        raise invalid(f"MaximumExecutionTimeoutInSeconds of {maximum} must be greater than the {waits:g} seconds of all waits together")
    back = _part(routing["RollbackMaximumBatchSize"], min(counts.values())) if routing.get("RollbackMaximumBatchSize") else 1.0
    names = tuple(a["AlarmName"] for a in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    return Policy(steps, wait, termination, maximum, bool(rolling), back, names)


def of_component(config: Mapping[str, Any], copies: int) -> Policy:
    """What an InferenceComponentDeploymentConfig asks of so many copies; empty is all at once. Raises an AWS error where it is refused.

    A batch is 5 to 50 % of the copies ("InferenceComponentRollingUpdatePolicy"). Of one copy, half is that copy.
    """
    if not config:
        return Policy((1.0,), 0.0, 0.0, None, rolling=False, back=1.0, alarms=())
    check("sagemaker", "InferenceComponentDeploymentConfig", config)
    rolling, (_, least, most) = config["RollingUpdatePolicy"], SIZES["ROLLING"]
    size, count = rolling["MaximumBatchSize"], max(copies, 1)
    step = _part(size, count)
    if not least <= step <= most:
        raise invalid(f"MaximumBatchSize is {step:.0%} of {copies} copies: {least:.0%} to {most:.0%} are accepted")
    steps, wait = _even(step), float(rolling["WaitIntervalInSeconds"])
    maximum = rolling.get("MaximumExecutionTimeoutInSeconds")
    if maximum is not None and maximum <= wait * len(steps):
        raise invalid(f"MaximumExecutionTimeoutInSeconds of {maximum} must be greater than the {wait * len(steps):g} seconds of all waits")
    back = _part(rolling["RollbackMaximumBatchSize"], count) if rolling.get("RollbackMaximumBatchSize") else 1.0
    names = tuple(a["AlarmName"] for a in config.get("AutoRollbackConfiguration", {}).get("Alarms", []))
    return Policy(steps, wait, 0.0, maximum, rolling=True, back=back, alarms=names)


def _steps(kind: str, routing: Mapping[str, Any], count: int) -> tuple[float, ...]:
    if kind == "ALL_AT_ONCE":
        return (1.0,)
    member, least, most = SIZES[kind]
    if member not in routing:
        raise invalid(f"{member} is needed by {kind}")
    step = _part(routing[member], count)
    if count < 2 or not least <= step <= most:
        accepted = f"{least:.0%} to {most:.0%}" if least else f"up to {most:.0%}"
        raise invalid(f"{member} is {step:.0%} of {count} instance(s): {kind} accepts {accepted} of at least 2 instances")
    if kind == "CANARY":
        return (step, 1.0)
    return _even(step)


def _even(step: float) -> tuple[float, ...]:
    return (*(step * n for n in range(1, int(1 / step) + 1) if step * n < 1 - 1e-9), 1.0)


def _part(size: Mapping[str, Any], count: int) -> float:
    return float(size["Value"] / (100 if size["Type"] == "CAPACITY_PERCENT" else count))
