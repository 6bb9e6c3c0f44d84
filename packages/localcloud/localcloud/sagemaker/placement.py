"""Where copies of inference components go: what a copy takes, what an instance has, and how many instances hold all copies.

An instance has the processors, memory and accelerators that EC2 publishes of its type (here as moto has them). How much of that SageMaker
keeps for itself is in no documentation: here it is nothing. A copy goes to the first instance that has room for it, in the order in which
the components came; SageMaker's own order is not documented either.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPES

from localcloud.core.errors import invalid


@dataclass(frozen=True)
class Room:
    """What an instance has, or a copy takes: cores, MB of memory, accelerators."""

    cores: float
    memory: float
    accelerators: float

    def less(self, other: Room) -> Room | None:
        """What is left of it when `other` is taken; None where it does not fit."""
        left = Room(self.cores - other.cores, self.memory - other.memory, self.accelerators - other.accelerators)
        return left if min(left.cores, left.memory, left.accelerators) >= 0 else None


def of_instance(instance_type: str) -> Room:
    """What an instance of a type has. Raises an AWS error for a type that EC2 does not publish."""
    described: Any = INSTANCE_TYPES.get(instance_type.removeprefix("ml."))
    if described is None:
        raise invalid(f"localcloud does not know what an {instance_type} has")
    gpus = described.get("GpuInfo", {}).get("Gpus", [])
    neurons = described.get("InferenceAcceleratorInfo", {}).get("Accelerators", [])
    accelerators = sum(each["Count"] for each in [*gpus, *neurons])
    return Room(described["VCpuInfo"]["DefaultVCpus"], described["MemoryInfo"]["SizeInMiB"], accelerators)


def of_copy(requirements: Mapping[str, Any]) -> Room:
    """What one copy takes, by its ComputeResourceRequirements."""
    cores, accelerators = requirements.get("NumberOfCpuCoresRequired", 0), requirements.get("NumberOfAcceleratorDevicesRequired", 0)
    return Room(float(cores), float(requirements["MinMemoryRequiredInMb"]), float(accelerators))


def needed(copies: Iterable[Room], instance: Room) -> int | None:
    """How many instances hold all copies; None where one does not fit on an instance of its own."""
    left: list[Room] = []
    for copy in copies:
        at = next((n for n, room in enumerate(left) if room.less(copy)), None)
        if at is None:
            left.append(instance)
            at = len(left) - 1
        after = left[at].less(copy)
        if after is None:
            return None
        left[at] = after
    return len(left)


class Reservations:
    """What the copies on one variant's instances take, by whose they are: those of a component, old and new ones apart."""

    def __init__(self) -> None:
        self._of: dict[Hashable, tuple[Room, int]] = {}
        self.lock = threading.RLock()

    def put(self, owner: Hashable, room: Room, count: int) -> None:
        """`owner` has so many copies."""
        with self.lock:
            self._of[owner] = (room, count)
            if not count:
                del self._of[owner]

    def copies(self, *, but: Hashable = None) -> list[Room]:
        """What every copy takes, without those of `but`."""
        with self.lock:
            return [room for owner, (room, count) in self._of.items() if owner is not but for _ in range(count)]


Variant = tuple[str, str, str, str]  # account, region, endpoint, variant
_reservations: dict[Variant, Reservations] = defaultdict(Reservations)


def reservations(account: str, region: str, endpoint: str, variant: str) -> Reservations:
    """What is taken of one variant's instances; it outlives its fleets, as the copies do."""
    return _reservations[account, region, endpoint, variant]


def forget(account: str, region: str, endpoint: str) -> None:
    """An endpoint is deleted: nothing is taken of it."""
    for variant in [key for key in _reservations if key[:3] == (account, region, endpoint)]:
        del _reservations[variant]
