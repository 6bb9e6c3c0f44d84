"""Variants that name no model: instances on which the copies of inference components share cores and memory.

With ManagedInstanceScaling there are as many as the copies need, within its bounds. More are there at once; fewer, once `IDLE` seconds have
gone by ("After 10 additional minutes of inactivity", AWS's post on scaling to zero). What instances cost in time to start is not shown.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.core import clock
from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid
from localcloud.sagemaker.placement import Reservations, Room, needed, of_instance
from localcloud.sagemaker.variants import Variant

SCALING = "ManagedInstanceScaling"
IDLE = 600.0
NO_ROOM = "There is not enough hardware resources on the instances for this endpoint to create a copy of the inference component."


def check(request: Mapping[str, Any]) -> None:
    """Raise an AWS error for what an endpoint configuration of inference components cannot have, or localcloud does not know of it."""
    variants = request["ProductionVariants"]
    without = [variant for variant in variants if "ModelName" not in variant]
    if not without:
        return
    name = without[0]["VariantName"]
    if len(variants) > 1 or request.get("ShadowProductionVariants"):
        raise invalid(f"variant {name} names no model: localcloud takes it as the only variant of its endpoint")
    if without[0].get("ServerlessConfig"):
        raise invalid(f"variant {name} names no model: a serverless variant needs one")
    if not request.get("ExecutionRoleArn"):
        raise invalid(f"ExecutionRoleArn is needed: variant {name} names no model")
    if request.get("AsyncInferenceConfig"):
        raise invalid(f"variant {name} names no model: localcloud does not queue requests to inference components")
    if request.get("DataCaptureConfig"):
        raise invalid(f"variant {name} names no model: what DataCaptureConfig does there is in no documentation, and not in localcloud")
    scaling = without[0].get(SCALING, {})
    if scaling.get("MinInstanceCount", 0) > scaling.get("MaxInstanceCount", scaling.get("MinInstanceCount", 0)):
        raise invalid(f"{SCALING} of variant {name}: MinInstanceCount is more than MaxInstanceCount")
    of_instance(without[0]["InstanceType"])


@dataclass
class Shared(Variant):
    """The instances of one such variant, as the endpoint configuration `declares` it. `count` is how many there are now."""

    declared: Mapping[str, Any] = field(default_factory=dict)
    reservations: Reservations = field(default_factory=Reservations)
    ended: bool = False

    def __post_init__(self) -> None:
        self.instance = of_instance(self.kind)
        held = needed(self.reservations.copies(), self.instance)
        if held is None or held > self._most:
            raise invalid(NO_ROOM)
        self.count = max(self.count, held, self._least)
        self._shrink_later()

    @property
    def kind(self) -> str:
        """The instance type."""
        return str(self.declared["InstanceType"])

    @property
    def _managed(self) -> Mapping[str, Any] | None:
        scaling: Mapping[str, Any] = self.declared.get(SCALING, {})
        return scaling if scaling.get("Status") == "ENABLED" else None

    @property
    def _least(self) -> int:
        return int(self._managed.get("MinInstanceCount", 1)) if self._managed is not None else self.count

    @property
    def _most(self) -> int:
        return int(self._managed.get("MaxInstanceCount", max(self.count, 1))) if self._managed is not None else self.count

    def more(self, owner: Hashable, room: Room, count: int) -> int:
        """How many more instances it takes for `owner` to have `count` copies. Raises an AWS error where they cannot be had."""
        wanted = needed([*self.reservations.copies(but=owner), *[room] * count], self.instance)
        if wanted is None or wanted > self._most:
            raise invalid(NO_ROOM)
        return max(wanted - self.count, 0)

    def hold(self, owner: Hashable, room: Room, count: int) -> None:
        """Let `owner` have `count` copies, on more instances where that takes more."""
        more = self.more(owner, room, count)
        self.reservations.put(owner, room, count)
        self.count += more
        self._shrink_later()

    def scale(self, _count: int) -> str | None:
        """Nothing starts before there are copies."""
        return None

    def end(self) -> None:
        """Its instances are gone."""
        self.ended = True
        clock.drop(self._key)

    def describe(self) -> dict[str, Any]:
        """As DescribeEndpoint's ProductionVariantSummary."""
        counts = {"CurrentInstanceCount": self.count, "DesiredInstanceCount": self.count}
        weights = {"CurrentWeight": self.weight, "DesiredWeight": self.weight}
        return {"VariantName": self.name, **weights, **counts, **{k: v for k, v in self.declared.items() if k == SCALING}}

    @property
    def _key(self) -> tuple[str, int]:
        return ("shared", id(self))

    def _shrink_later(self) -> None:
        if self._managed is not None and not self.ended:
            clock.at(self._key, time.time() + IDLE / cloud().speed, self._shrink)

    def _shrink(self) -> None:
        with self.reservations.lock:
            self.count = max(self._least, needed(self.reservations.copies(), self.instance) or 0)
