"""The copies of an inference component: containers of one specification, on the instances of a variant that others share."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from moto.core.exceptions import JsonRESTError

from localcloud.core.cloud import cloud
from localcloud.core.threads import together
from localcloud.sagemaker import endpoints, quotas
from localcloud.sagemaker.fleets import prepare
from localcloud.sagemaker.instances import Instance, Program
from localcloud.sagemaker.models import container
from localcloud.sagemaker.placement import Room, of_copy
from localcloud.sagemaker.records import backend, reason
from localcloud.sagemaker.shared import NO_ROOM, Shared
from localcloud.sagemaker.variants import Variant
from localcloud.sagemaker.volumes import encrypted

_numbers = itertools.count(1)
_placing = threading.Lock()


class Copies:
    """`count` copies of one `specification`. `lost` is told of those that die.

    They run as the role and in the isolation of the endpoint's configuration, which is where an endpoint of components has both
    (CreateEndpointConfig: ExecutionRoleArn, EnableNetworkIsolation).
    """

    account: str
    region: str

    def __init__(self, endpoint: endpoints.Endpoint, variant: str, component: str, specification: dict[str, Any], count: int) -> None:
        self.account, self.region, self.endpoint, self.name = endpoint.account, endpoint.region, endpoint, variant
        self.component, self.specification, self.count = component, specification, count
        self.room: Room = of_copy(specification["ComputeResourceRequirements"])
        self.lost: Callable[[str], None] = lambda _why: None
        self.variants: dict[str, Variant] = {}
        self._folder = cloud().folder("components", self.account, self.region, component, f"copies-{next(_numbers)}")
        self._volumes = ExitStack()

    @property
    def running(self) -> list[Instance]:
        """The copies that have started."""
        return [instance for variant in self.variants.values() for instance in variant.instances]

    @property
    def image(self) -> str:
        """The URI of what they run; empty before it is known."""
        return next((variant.uri for variant in self.variants.values()), "")

    def start(self, part: float = 1.0) -> str | None:
        """Start the first `part` of them; returns why they cannot serve."""
        try:
            program = self._program()
        except Exception as problem:  # becomes the component's FailureReason, as SageMaker does with what it cannot fetch
            return f"The container of inference component {self.component} could not be prepared: {reason(problem)}"
        numbers = itertools.count(1)
        self.variants = {
            self.name: Variant(self.name, 1.0, self.count, lambda: self._copy(program, next(numbers)), program.uri, program.role)
        }
        return self.resize(part)

    def resize(self, part: float) -> str | None:
        """Have `part` of them, rounded up; returns why one of the new ones did not start."""
        count, variant = math.ceil(self.count * part - 1e-9), self.variants[self.name]
        if why := self._hold(max(count, len(variant.instances))):
            return why
        failure = variant.scale(count)
        self._hold(len(variant.instances))
        return f"A copy of inference component {self.component} did not pass the ping health check: {failure}" if failure else None

    def give_up(self) -> None:
        """Stop what is only starting."""
        together([i.stop for v in self.variants.values() for i in v.starting if not i.settled.is_set()])

    def retire(self) -> None:
        """Answer what was begun, then stop every copy."""
        together([i.retire for v in self.variants.values() for i in (*v.instances, *v.starting)])
        self._end()

    def stop(self) -> None:
        """Stop every copy now."""
        together([i.stop for v in self.variants.values() for i in (*v.instances, *v.starting)])
        self._end()

    def _end(self) -> None:
        for variant in self.variants.values():
            variant.instances = []
        self._volumes.close()
        self._hold(0)

    def _hold(self, count: int) -> str | None:
        """Take the room of so many copies; returns why there is none."""
        live = self.endpoint.live
        host = live.variants.get(self.name) if live else None
        if not isinstance(host, Shared):
            return NO_ROOM
        try:
            with _placing:
                more = host.more(self, self.room, count)
                quotas.require(quotas.ENDPOINT, endpoints.machines(self.account, self.region), {host.kind: more})
                host.hold(self, self.room, count)
        except JsonRESTError as problem:
            return str(problem.message)
        return None

    def _program(self) -> Program:
        config: Any = backend(self.account, self.region).endpoint_configs[self.endpoint.record.endpoint_config_name]
        role = config.ExecutionRoleArn
        self._volumes.enter_context(encrypted(config.kms_key_id, role=role, region=self.region))
        patience = self.specification.get("StartupParameters", {}).get("ContainerStartupHealthCheckTimeoutInSeconds")
        isolated = bool(getattr(config, "EnableNetworkIsolation", False))
        return prepare(self._definition(), role, self.region, self._folder, isolated=isolated, patience=patience)

    def _definition(self) -> dict[str, Any]:
        """What a model's container is, of the model that is named or of the container itself."""
        if name := self.specification.get("ModelName"):
            return container(backend(self.account, self.region).describe_model(name), self.account, self.region)
        declared = self.specification["Container"]
        data = {"ModelDataUrl": declared["ArtifactUrl"]} if declared.get("ArtifactUrl") else {}
        return {"Image": declared["Image"], "Environment": declared.get("Environment", {}), **data}

    def _copy(self, program: Program, number: int) -> Instance:
        group, stream = f"/aws/sagemaker/InferenceComponents/{self.component}", f"{self.name}/{self._folder.name}-{number}"
        log = cloud().log
        return Instance(
            program,
            self._folder / f"copy-{number}",
            lambda line: log(account=self.account, region=self.region, group=group, stream=stream, line=line),
            lambda why: self.lost(f"copy {number} of inference component {self.component} is gone: {why}"),
        )
