"""The fleets behind an endpoint: the variants of one endpoint configuration, each of them several instances."""

from __future__ import annotations

import itertools
import math
import tarfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moto.core.utils import utcnow

from localcloud import images
from localcloud.cloud import cloud
from localcloud.errors import invalid
from localcloud.sagemaker import packages
from localcloud.sagemaker.instances import Instance, Program
from localcloud.sagemaker.mirror import GOLDEN, Mirror
from localcloud.sagemaker.records import backend, reason, split

PATIENCE = 240.0  # SageMaker's seconds until /ping must have answered, when the variant names none
LEAST_PATIENCE = 20.0  # real seconds: a program does not start faster because the clock does
_numbers = itertools.count(1)


@dataclass
class Variant:
    """The instances of one production or shadow variant. `count` is how many it is to have once its fleet is whole."""

    name: str
    weight: float
    count: int
    start_one: Callable[[], Instance]
    uri: str
    role: str
    instances: list[Instance] = field(default_factory=list)
    starting: list[Instance] = field(default_factory=list)
    turn: itertools.count[int] = field(default_factory=itertools.count)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def scale(self, count: int) -> str | None:
        """Have `count` instances; returns why one of the new ones did not start. Removed ones answer what they have begun."""
        added = self.starting = [self.start_one() for _ in range(count - len(self.instances))]
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

    def take(self) -> Instance | None:
        """The next instance that is ready, in turn, with a request counted on it."""
        with self.lock:
            ready = [i for i in self.instances if i.ready.is_set()]
            return ready[next(self.turn) % len(ready)].take() if ready else None

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


class Fleet:
    """The instances that serve one endpoint configuration. `config` is moto's record of it; `lost` is told of instances that die.

    `counts` and `weights` are kept from the fleet before, where they are given; `sizes` is how many instances each variant is to have.
    """

    def __init__(self, account: str, region: str, endpoint: str, config: Any, *, counts: dict[str, int], weights: dict[str, float]) -> None:
        self.account, self.region, self.endpoint, self.config = account, region, endpoint, config
        self.capture: dict[str, Any] = config.data_capture_config or {}
        self.lost: Callable[[str], None] = lambda _why: None
        self._weights = weights
        self._shadows: list[dict[str, Any]] = getattr(config, "ShadowProductionVariants", None) or []
        self.sizes = {
            v["VariantName"]: counts.get(v["VariantName"], v.get("InitialInstanceCount", 1))
            for v in [*config.production_variants, *self._shadows]
        }
        self.variants: dict[str, Variant] = {}
        self.mirror: Mirror | None = None

    @property
    def name(self) -> str:
        """The endpoint configuration's."""
        return str(self.config.endpoint_config_name)

    @property
    def every(self) -> list[Variant]:
        """All variants, the shadow too."""
        return [*self.variants.values(), *([self.mirror.variant] if self.mirror else [])]

    def start(self, part: float = 1.0) -> str | None:
        """Start every instance, or the first `part` of each variant; returns why the fleet cannot serve, once that is known."""
        self._folder = cloud().folder("endpoints", self.account, self.region, self.endpoint, f"fleet-{next(_numbers)}")
        for declared in [*self.config.production_variants, *self._shadows]:
            name = declared["VariantName"]
            try:
                variant = self._variant(declared)
            except Exception as problem:  # becomes the endpoint's FailureReason, as SageMaker does with what it cannot fetch
                return f"The container for production variant {name} could not be prepared: {reason(problem)}"
            if declared in self._shadows:
                self.mirror = Mirror(variant, *self.variants.values())
            else:
                self.variants[name] = variant
        return self.resize(part)

    def resize(self, part: float) -> str | None:
        """Have `part` of every variant's instances, rounded up; returns why one of the new ones did not start."""
        for variant in self.every:
            if failure := variant.scale(math.ceil(variant.count * part - 1e-9)):
                return f"The container for production variant {variant.name} did not pass the ping health check: {failure}"
        return None

    def give_up(self) -> None:
        """Stop what is only starting."""
        together([i.stop for v in self.every for i in v.starting if not i.settled.is_set()])

    def retire(self) -> None:
        """Answer what was begun, then stop every instance."""
        together([i.retire for v in self.every for i in (*v.instances, *v.starting)])
        self._end()

    def stop(self) -> None:
        """Stop every instance now, also those that are only starting."""
        together([i.stop for v in self.every for i in (*v.instances, *v.starting)])
        self._end()

    def _end(self) -> None:
        if self.mirror:
            self.mirror.end()

    def pick(self, turn: int, target: str | None) -> Variant:
        """The variant that answers the `turn`-th request: `target`, or by weight. Raises an AWS error for an unknown target."""
        if target is not None and target not in self.variants:
            raise invalid(f"Variant {target} does not exist in endpoint {self.endpoint}")
        variants = [self.variants[target]] if target else list(self.variants.values())
        point = turn * GOLDEN * GOLDEN % 1 * sum(v.weight for v in variants)
        for variant in variants:
            point -= variant.weight
            if point < 0:
                return variant
        return variants[-1]

    def describe(self, **more: Any) -> dict[str, list[dict[str, Any]]]:
        """DescribeEndpoint's ProductionVariants and ShadowProductionVariants, each with `more`."""
        known = {v.name: v.describe() for v in self.every}
        kinds = {"ProductionVariants": self.config.production_variants, "ShadowProductionVariants": self._shadows}
        sizes = {n: {"VariantName": n, "CurrentInstanceCount": 0, "DesiredInstanceCount": size} for n, size in self.sizes.items()}
        return {kind: [{**sizes[v["VariantName"]], **known.get(v["VariantName"], {}), **more} for v in d] for kind, d in kinds.items() if d}

    def _variant(self, declared: dict[str, Any]) -> Variant:
        name, folder = declared["VariantName"], self._folder / declared["VariantName"]
        model = backend(self.account, self.region).describe_model(declared["ModelName"])
        found = container(model, self.account, self.region)
        role = model.execution_role_arn
        image = images.find(found["Image"], role_arn=role)
        unpacked = _fetch(found["ModelDataUrl"], role, self.region, folder) if found.get("ModelDataUrl") else None
        patience = declared.get("ContainerStartupHealthCheckTimeoutInSeconds", PATIENCE) / cloud().speed
        program = Program(
            image=image,
            uri=found["Image"],
            role=role,
            region=self.region,
            isolated=bool(model.enable_network_isolation),
            environment=found.get("Environment", {}),
            model=unpacked,
            patience=max(patience, LEAST_PATIENCE),
        )
        numbers = itertools.count(1)

        def start_one() -> Instance:
            number = next(numbers)
            stream = f"{name}/{self._folder.name}-i-{number}"
            group = f"/aws/sagemaker/Endpoints/{self.endpoint}"
            log = cloud().log
            return Instance(
                program,
                folder / f"instance-{number}",
                lambda line: log(account=self.account, region=self.region, group=group, stream=stream, line=line),
                lambda why: None if declared in self._shadows else self.lost(f"instance {number} of variant {name} is gone: {why}"),
            )

        weight = self._weights.get(name, declared.get("InitialVariantWeight", 1.0))
        return Variant(name, weight, self.sizes[name], start_one, found["Image"], role)


def container(model: Any, account: str, region: str) -> dict[str, Any]:
    """The one container of a model, with image and data taken from its package when it names one.

    Raises an AWS error when the package is not there, not shared with the account, or not approved.
    """
    declared: dict[str, Any] = model.primary_container or model.containers[0]
    name = declared.get("ModelPackageName")
    if not name:
        return declared
    package = packages.find(name, account=account, region=region, action="sagemaker:CreateModel")
    if package.model_package_version and package.model_approval_status != "Approved":
        raise invalid(
            f"Model package {package.arn} cannot be deployed: its ModelApprovalStatus is {package.model_approval_status}, not Approved."
        )
    inner: dict[str, Any] = package.inference_specification["Containers"][0]
    return {**inner, "Environment": {**inner.get("Environment", {}), **declared.get("Environment", {})}}


def _fetch(uri: str, role: str, region: str, folder: Path) -> Path:
    """Download a model.tar.gz as the execution role, and unpack it where nothing in it can escape."""
    bucket, key = split(uri)
    archive, unpacked = folder / "model.tar.gz", folder / "model"
    folder.mkdir(parents=True, exist_ok=True)
    cloud().client("s3", role_arn=role, region=region).download_file(bucket, key, str(archive))
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked


def together(calls: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
