"""Production and shadow variants: instances of one model that share its requests."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import utcnow

from localcloud.core.threads import together
from localcloud.sagemaker.instances import Instance


@dataclass
class Variant:
    """The instances of one production or shadow variant. `count` is how many it is to have once its fleet is whole."""

    name: str
    weight: float
    count: int
    start_instance: Callable[[], Instance]
    uri: str
    role: str
    instances: list[Instance] = field(default_factory=list)
    starting: list[Instance] = field(default_factory=list)
    turn: itertools.count[int] = field(default_factory=itertools.count)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def scale(self, count: int) -> str | None:
        """Have `count` instances; returns why one of the new ones did not start. Removed ones answer what they have begun."""
        added = self.starting = [self.start_instance() for _ in range(count - len(self.instances))]
        for instance in added:
            instance.settled.wait()
        if failures := [i.failure for i in added if i.failure]:
            together([i.stop for i in added])
            return failures[0]
        with self.lock:
            removed = self.instances[count:]
            self.instances, self.starting = [*self.instances, *added][:count], []
        together([i.retire for i in removed])
        return None

    def take(self, most: int | None = None) -> Instance | None:
        """The next instance that is ready, in turn, with a request counted on it. Those that have `most` requests take no more."""
        with self.lock:
            ready = [i for i in self.instances if i.ready.is_set() and (most is None or i.busy < most)]
            return ready[next(self.turn) % len(ready)].take() if ready else None

    def set_up(self, _instance: Instance) -> float | None:
        """The seconds that a request waited for an instance that was taken to start: none here, as what is taken is ready."""
        return None

    def end(self) -> None:
        """Look after its instances no more: they are gone."""

    def describe(self) -> dict[str, Any]:
        """As DescribeEndpoint's ProductionVariantSummary."""
        image = {"SpecifiedImage": self.uri, "ResolvedImage": self.uri, "ResolutionTime": utcnow()}
        return {
            "VariantName": self.name,
            "DeployedImages": [image],
            "CurrentWeight": self.weight,
            "DesiredWeight": self.weight,
            "CurrentInstanceCount": len(self.instances),
            "DesiredInstanceCount": self.count,
        }
