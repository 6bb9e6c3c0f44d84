"""The fleets behind an endpoint: the variants of one endpoint configuration, each of them several instances."""

from __future__ import annotations

import itertools
import math
import tarfile
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from localcloud.core.cloud import IN_THIS_THREAD, cloud
from localcloud.core.errors import invalid
from localcloud.core.threads import together
from localcloud.ecr import images
from localcloud.sagemaker import on_demand, placement
from localcloud.sagemaker.instances import Instance, Program
from localcloud.sagemaker.models import container
from localcloud.sagemaker.on_demand import OnDemand
from localcloud.sagemaker.records import backend, reason
from localcloud.sagemaker.s3_files import split
from localcloud.sagemaker.sampling import spread
from localcloud.sagemaker.shadow import Shadow
from localcloud.sagemaker.shared import Shared
from localcloud.sagemaker.variants import Variant
from localcloud.sagemaker.volumes import encrypted

PATIENCE = 240.0  # SageMaker's seconds until /ping must have answered, when the variant names none
_numbers = itertools.count(1)


class Fleet:
    """The instances that serve one endpoint configuration. `config` is moto's record of it; `lost` is told of instances that die.

    `counts` and `weights` are kept from the fleet before, where they are given; `sizes` is how many instances each variant is to have.
    """

    account: str
    region: str

    def __init__(self, account: str, region: str, endpoint: str, config: Any, *, counts: dict[str, int], weights: dict[str, float]) -> None:
        self.account, self.region, self.endpoint, self.config = account, region, endpoint, config
        self.capture: dict[str, Any] = config.data_capture_config or {}
        self.asynchronous: dict[str, Any] = config.async_inference_config or {}
        self.lost: Callable[[str], None] = lambda _why: None
        self._weights = weights
        self._shadows: list[dict[str, Any]] = getattr(config, "ShadowProductionVariants", None) or []
        self.sizes = {
            v["VariantName"]: counts.get(v["VariantName"], v.get("InitialInstanceCount", 1))
            for v in [*config.production_variants, *self._shadows]
        }
        self.variants: dict[str, Variant] = {}
        self.shadow: Shadow | None = None
        self._volumes = ExitStack()

    @property
    def name(self) -> str:
        """The endpoint configuration's."""
        return str(self.config.endpoint_config_name)

    @property
    def every(self) -> list[Variant]:
        """All variants, the shadow too."""
        return [*self.variants.values(), *([self.shadow.variant] if self.shadow else [])]

    def machines(self) -> Counter[str]:
        """How many instances there are, by type; before it starts, how many there will be."""
        variants = [*self.config.production_variants, *self._shadows]
        types = {v["VariantName"]: v["InstanceType"] for v in variants if "InstanceType" in v}
        running = {v.name: len(v.instances) + len([i for i in v.starting if not i.settled.is_set()]) or v.count for v in self.every}
        counts = Counter[str]()
        for variant, kind in types.items():
            counts[kind] += running.get(variant, self.sizes[variant])
        return counts

    def concurrency(self) -> int:
        """How many requests at a time its serverless variants may have."""
        return on_demand.concurrency(self.config.production_variants)

    @property
    def shared(self) -> bool:
        """Whether its instances are there for inference components."""
        return any("ModelName" not in declared for declared in self.config.production_variants)

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
                self.shadow = Shadow(variant, *self.variants.values())
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
        for variant in self.every:
            variant.end()
        self._volumes.close()
        if self.shadow:
            self.shadow.end()

    def pick(self, turn: int, target: str | None) -> Variant:
        """The variant that answers the `turn`-th request: `target`, or by weight. Raises an AWS error for an unknown target."""
        if target is not None and target not in self.variants:
            raise invalid(f"Variant {target} does not exist in endpoint {self.endpoint}")
        variants = [self.variants[target]] if target else list(self.variants.values())
        point = spread(turn, power=2) * sum(v.weight for v in variants)
        for variant in variants:
            point -= variant.weight
            if point < 0:
                return variant
        return variants[-1]

    def describe(self, **more: Any) -> dict[str, list[dict[str, Any]]]:
        """DescribeEndpoint's ProductionVariants and ShadowProductionVariants, each with `more`."""
        known = {v.name: v.describe() for v in self.every}
        kinds = {"ProductionVariants": self.config.production_variants, "ShadowProductionVariants": self._shadows}
        return {kind: [{**self._wanted(v), **known.get(v["VariantName"], {}), **more} for v in d] for kind, d in kinds.items() if d}

    def _wanted(self, declared: dict[str, Any]) -> dict[str, Any]:
        """What a variant is to be."""
        name = declared["VariantName"]
        if config := declared.get(on_demand.CONFIG):
            return {"VariantName": name, "DesiredServerlessConfig": config}
        return {"VariantName": name, "CurrentInstanceCount": 0, "DesiredInstanceCount": self.sizes[name]}

    def _shared(self, declared: dict[str, Any]) -> Shared:
        """Instances for inference components, whose copies stay where a fleet takes the place of another."""
        name = declared["VariantName"]
        taken = placement.reservations(self.account, self.region, self.endpoint, name)
        weight = self._weights.get(name, declared.get("InitialVariantWeight", 1.0))
        return Shared(name, weight, self.sizes[name], _no_instance, "", self.config.ExecutionRoleArn, declared=declared, reservations=taken)

    def _variant(self, declared: dict[str, Any]) -> Variant:
        if "ModelName" not in declared:
            return self._shared(declared)
        name, folder = declared["VariantName"], self._folder / declared["VariantName"]
        model = backend(self.account, self.region).describe_model(declared["ModelName"])
        definition = container(model, self.account, self.region)
        role = model.execution_role_arn
        self._volumes.enter_context(encrypted(getattr(self.config, "KmsKeyId", None), role=role, region=self.region))
        program = prepare(
            definition,
            role,
            self.region,
            folder,
            isolated=bool(model.enable_network_isolation),
            patience=declared.get("ContainerStartupHealthCheckTimeoutInSeconds"),
        )
        numbers = itertools.count(1)

        def start_instance() -> Instance:
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
        if config := declared.get(on_demand.CONFIG):
            return OnDemand(name, weight, self.sizes[name], start_instance, program.uri, role, config=config)
        return Variant(name, weight, self.sizes[name], start_instance, program.uri, role)


def _no_instance() -> Instance:
    raise AssertionError("an endpoint of inference components starts copies of theirs, and nothing itself")


def prepare(definition: dict[str, Any], role: str, region: str, folder: Path, *, isolated: bool, patience: float | None) -> Program:
    """What an instance runs, by the definition of its container: image and model fetched as `role`, the model into `folder`.

    `patience` is the variant's ContainerStartupHealthCheckTimeoutInSeconds, if it has one. Raises an AWS error for what cannot be fetched.
    """
    image = images.find(definition["Image"], role_arn=role)
    unpacked = fetch(definition["ModelDataUrl"], role, region, folder) if definition.get("ModelDataUrl") else None
    return Program(
        image=image,
        uri=definition["Image"],
        role=role,
        region=region,
        isolated=isolated,
        environment=definition.get("Environment", {}),
        model=unpacked,
        patience=max((patience or PATIENCE) / cloud().speed, cloud().least_patience),
    )


def fetch(uri: str, role: str, region: str, folder: Path) -> Path:
    """Download a model.tar.gz as the execution role, and unpack it where nothing in it can escape."""
    bucket, key = split(uri)
    archive, unpacked = folder / "model.tar.gz", folder / "model"
    folder.mkdir(parents=True, exist_ok=True)
    cloud().client("s3", role_arn=role, region=region).download_file(bucket, key, str(archive), Config=IN_THIS_THREAD)
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    return unpacked
