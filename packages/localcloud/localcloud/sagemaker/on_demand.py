"""Serverless variants: containers that start when somebody asks and end when nobody has for a while, each for one request at a time.

How long an idle container stays is in no documentation; here it is `IDLE` seconds of SageMaker's time. That a container which takes more
than its memory is ended is what Lambda, on which these endpoints stand, does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.utils import utcnow

from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid
from localcloud.core.process_trees import memory
from localcloud.core.threads import together
from localcloud.ecr.images import account_of
from localcloud.sagemaker.instances import Instance
from localcloud.sagemaker.models import container
from localcloud.sagemaker.variants import Variant

IDLE = 300.0
LEAST, LOOKED_AT_EVERY = 1.0, 0.5  # seconds, whatever the clock does
LARGEST = 4 * 1024 * 1024  # bytes of a request (SageMaker guide, "Deploy models with Amazon SageMaker Serverless Inference")
CONFIG = "ServerlessConfig"
FOREIGN = (  # what users are told
    "The container image URI is not a prebuilt SageMaker algorithm or deep learning image, or the bring-your-own container image URI does"
    " not reside in an Amazon ECR repository within the same AWS account creating the endpoint."
)


class Throttled(Exception):
    """More requests at a time than the variant may have."""


def check(request: Mapping[str, Any], find_model: Callable[[str], Any], account: str, region: str) -> None:
    """Raise an AWS error for what SageMaker does not have with serverless variants (its guide, "Feature exclusions")."""
    variants = [*request["ProductionVariants"], *(request.get("ShadowProductionVariants") or [])]
    serverless = [variant for variant in variants if variant.get(CONFIG)]
    if not serverless:
        return
    if len(variants) > 1:
        raise invalid("a serverless endpoint has one production variant, and no shadow: found more")
    if (request.get("DataCaptureConfig") or {}).get("EnableCapture"):
        raise invalid("DataCaptureConfig is not supported for serverless endpoints")
    if request.get("AsyncInferenceConfig"):
        raise invalid("AsyncInferenceConfig is not supported for serverless endpoints")
    (variant,) = serverless
    name, config = variant["VariantName"], variant[CONFIG]
    if given := [key for key in ("InstanceType", "InitialInstanceCount", "InferenceAmiVersion") if variant.get(key)]:
        raise invalid(f"variant {name} has ServerlessConfig and {', '.join(given)}: only one of them can be given")
    if config.get("ProvisionedConcurrency", 0) > config["MaxConcurrency"]:
        raise invalid(f"variant {name}: ProvisionedConcurrency is more than MaxConcurrency")
    model = find_model(variant["ModelName"])
    if getattr(model, "vpc_config", None):
        raise invalid(f"model {variant['ModelName']}: VpcConfig is not supported for serverless endpoints")
    if model.enable_network_isolation:
        raise invalid(f"model {variant['ModelName']}: EnableNetworkIsolation is not supported for serverless endpoints")
    if account_of(container(model, account, region)["Image"]) != account:
        raise invalid(FOREIGN)


def concurrency(variants: list[dict[str, Any]]) -> int:
    """How many requests at a time the variants may have that are serverless."""
    return sum(variant[CONFIG]["MaxConcurrency"] for variant in variants if variant.get(CONFIG))


@dataclass
class OnDemand(Variant):
    """The containers of one serverless variant, whose `config` is its ServerlessConfig.

    `scale` starts those that are kept ready, and one at the least, which shows that the container can start.
    """

    config: Mapping[str, Any] = field(default_factory=dict)
    idle_since: dict[Instance, float] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        threading.Thread(target=self._keep, daemon=True).start()

    @property
    def kept(self) -> int:
        """How many containers are ready whether somebody asks or not."""
        return int(self.config.get("ProvisionedConcurrency", 0))

    @property
    def busy(self) -> float:
        """The share of its requests at a time that it has."""
        with self.lock:
            return sum(i.busy for i in (*self.instances, *self.starting)) / int(self.config["MaxConcurrency"])

    def scale(self, count: int) -> str | None:
        """Start what is kept ready, one container at the least; with a `count` of 0 there is to be none."""
        return super().scale(count and max(self.kept, 1))

    def take(self, most: int | None = None) -> Instance:
        """A container that is free, with a request counted on it; where none is, one that starts. Raises Throttled."""
        with self.lock:
            every = [*self.instances, *self.starting]
            free = next((i for i in self.instances if i.ready.is_set() and not i.busy), None)
            if free:
                self.idle_since[free] = time.monotonic()
                return free.take()
            if sum(1 for i in every if i.busy) >= int(self.config["MaxConcurrency"]):
                raise Throttled
            instance = self.start_instance().take()
            self.starting.append(instance)
            return instance

    def set_up(self, instance: Instance) -> float | None:
        """Wait until a container that was taken has started; the seconds that this took, None where it had before.

        Raises:
            OSError: it does not start.
        """
        if instance not in self.starting:
            return None
        began = time.monotonic()
        instance.settled.wait()
        with self.lock:
            self.starting.remove(instance)
            if not instance.failure:
                self.instances.append(instance)
        if instance.failure:
            raise OSError(instance.failure)
        return time.monotonic() - began

    def end(self) -> None:
        """Look after its containers no more: they are gone."""
        self.ended.set()

    def used(self, instance: Instance) -> dict[str, float]:
        """MemoryUtilization, the percent of its memory that a container has."""
        pid = instance.pid
        return {"MemoryUtilization": 100 * memory(pid) / self._memory} if pid else {}

    def describe(self) -> dict[str, Any]:
        """As DescribeEndpoint's ProductionVariantSummary."""
        image = {"SpecifiedImage": self.uri, "ResolvedImage": self.uri, "ResolutionTime": utcnow()}
        configs = {f"{state}ServerlessConfig": dict(self.config) for state in ("Current", "Desired")}
        return {"VariantName": self.name, "DeployedImages": [image], "CurrentWeight": self.weight, "DesiredWeight": self.weight, **configs}

    @property
    def _memory(self) -> int:
        return int(self.config["MemorySizeInMB"]) * 1024 * 1024

    def _keep(self) -> None:
        """End containers that nobody has asked for a while, and those that take more memory than they have."""
        while not self.ended.wait(LOOKED_AT_EVERY):
            for instance in [*self.instances, *self.starting]:
                if (pid := instance.pid) and memory(pid) > self._memory:
                    instance.crash(f"the container took more than the {self.config['MemorySizeInMB']} MB of its endpoint")
            together([instance.retire for instance in self._unneeded()])

    def _unneeded(self) -> list[Instance]:
        now, patience = time.monotonic(), max(IDLE / cloud().speed, LEAST)
        with self.lock:
            for instance in self.instances:
                if instance.busy or not instance.ready.is_set():
                    self.idle_since[instance] = now
            idle = [i for i in self.instances if now - self.idle_since.setdefault(i, now) >= patience]
            gone = idle[: max(len(self.instances) - self.kept, 0)]
            self.instances = [i for i in self.instances if i not in gone]
            for instance in gone:
                del self.idle_since[instance]
        return gone
