"""Endpoints that serve: models from the registry, blue/green updates with canaries, and the old fleet when the new one fails."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Iterator, Set
from typing import Any

import botocore.session
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.models import FakeEndpointConfig

from localcloud.cloud import cloud
from localcloud.errors import invalid
from localcloud.sagemaker.fleets import GOLDEN, Fleet, Variant, container
from localcloud.sagemaker.records import Request, answer, assumable, backend, keep, refuse
from localcloud.sagemaker.telemetry import Telemetry

RETAINED = {"DesiredInstanceCount", "DesiredWeight"}
_endpoints: dict[tuple[str, str, str], Endpoint] = {}


def install() -> None:
    """Answer SageMaker's model and endpoint calls from fleets that run."""
    setattr(FakeEndpointConfig, "validate_instance_type", _instance_type)  # noqa: B010  its own list of types is years old
    answer(
        (create_model, create_endpoint_config, create_endpoint, update_endpoint, delete_endpoint, update_endpoint_weights_and_capacities)
    )


def shutdown() -> None:
    """Stop every endpoint."""
    threads = [threading.Thread(target=e.delete) for e in _endpoints.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _endpoints.clear()


def get(account: str, region: str, name: str) -> Endpoint:
    """The endpoint of that name. Raises an AWS error."""
    if (account, region, name) not in _endpoints:
        raise invalid(f'Could not find endpoint "arn:aws:sagemaker:{region}:{account}:endpoint/{name}".')
    return _endpoints[account, region, name]


def wait_endpoint(account: str, region: str, name: str) -> str:
    """The endpoint's status once no creation or update is under way."""
    endpoint = get(account, region, name)
    endpoint.settled.wait()
    return str(endpoint.record.endpoint_status)


@functools.cache
def _instance_types() -> frozenset[str]:
    return frozenset(botocore.session.Session().get_service_model("sagemaker").shape_for("ProductionVariantInstanceType").enum)  # type: ignore[attr-defined]


def _instance_type(_self: Any, instance_type: str) -> None:
    if instance_type not in _instance_types():
        raise invalid(f"Value '{instance_type}' at 'instanceType' failed to satisfy constraint: Member must satisfy enum value set")


class Endpoint:
    """One endpoint. `record` is moto's, and what DescribeEndpoint answers from; `settled` while nothing is under way."""

    def __init__(self, account: str, region: str, request: Request) -> None:
        self.account, self.region, self.name = account, region, request["EndpointName"]
        _policy(request.get("DeploymentConfig"))
        self.record = keep(backend(account, region).create_endpoint, request)
        self.deployment: dict[str, Any] = request.get("DeploymentConfig") or {}
        self.settled, self.deleted = threading.Event(), threading.Event()
        self.telemetry = Telemetry(account, region, self.name)
        self._live: Fleet | None = None
        self._coming: Fleet | None = None
        self._incoming: tuple[Fleet, float] | None = None
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self.settled.set()
        self.record.production_variants, self.record.data_capture_config = None, None
        self._start("Creating", self._fleet(request["EndpointConfigName"]), {})

    def update(self, request: Request) -> None:
        """Move to another configuration as UpdateEndpoint's request says."""
        deployment = self.deployment if request.get("RetainDeploymentConfig") else request.get("DeploymentConfig") or {}
        _policy(deployment)
        excluded = {p["VariantPropertyType"] for p in request.get("ExcludeRetainedVariantProperties", [])}
        retained = RETAINED - excluded if request.get("RetainAllVariantProperties") else set()
        fleet = self._fleet(request["EndpointConfigName"], retained)
        self._start("Updating", fleet, deployment)

    def delete(self) -> None:
        """Stop serving, and end what is under way."""
        self.deleted.set()
        if not self.settled.is_set() and self._coming:
            self._coming.stop()
        self.settled.wait()
        if self._live:
            self._live.stop()
        self.telemetry.stop()

    def rescale(self, wanted: list[dict[str, Any]]) -> None:
        """Change weights and instance counts of the live fleet, as UpdateEndpointWeightsAndCapacities asks."""
        fleet = self._live
        if fleet is None or (unknown := {w["VariantName"] for w in wanted} - set(fleet.variants)):
            raise invalid(f"The variant name(s) {sorted(unknown) if fleet else 'given'} are not present within endpoint {self.name}")
        self._begin("Updating")
        threading.Thread(target=self._rescale, args=(fleet, wanted), daemon=True).start()

    def route(self, target: str | None) -> tuple[Fleet, Variant]:
        """Who answers the next request. Raises an AWS error when nobody serves or the variant is unknown."""
        turn, incoming = next(self._turns), self._incoming
        fleet = incoming[0] if incoming and turn * GOLDEN % 1 < incoming[1] else self._live
        if fleet is None:
            raise invalid(f"Endpoint {self.name} of account {self.account} is {self.record.endpoint_status}: it does not serve")
        return fleet, fleet.pick(turn, target)

    def _fleet(self, config_name: str, retained: Set[str] = frozenset()) -> Fleet:
        held = backend(self.account, self.region)
        held.describe_endpoint_config(config_name)
        live = self._live.variants if self._live else {}
        counts = {n: len(v.instances) for n, v in live.items()} if "DesiredInstanceCount" in retained else {}
        weights = {n: v.weight for n, v in live.items()} if "DesiredWeight" in retained else {}
        return Fleet(self.account, self.region, self.name, held.endpoint_configs[config_name], counts=counts, weights=weights)

    def _begin(self, status: str) -> None:
        with self._lock:
            if not self.settled.is_set():
                raise invalid(f'Cannot update in-progress endpoint "{self.record.arn}".')
            self.settled.clear()
            self._say(status)

    def _say(self, status: str) -> None:
        self.record.endpoint_status, self.record.last_modified_time = status, utcnow()

    def _start(self, status: str, fleet: Fleet, deployment: dict[str, Any]) -> None:
        self._begin(status)
        self._coming = fleet
        threading.Thread(target=self._deploy, args=(fleet, deployment), daemon=True).start()

    def _deploy(self, fleet: Fleet, deployment: dict[str, Any]) -> None:
        """Blue/green: the new fleet up and healthy, then the traffic, then the old fleet down; back to the old one if not."""
        old = self._live
        failure = fleet.start() or (self._shift(fleet, deployment) if old else None)
        if failure or self.deleted.is_set():
            self._incoming = None
            fleet.stop()
            self._settle("InService" if old else "Failed", failure)
            return
        self._live, self._incoming = fleet, None
        self.record.endpoint_config_name = self.record.EndpointConfigName = fleet.config.endpoint_config_name
        if old:
            self.record.last_deployment_config = self.deployment = deployment
            self.deleted.wait(_blue_green(deployment).get("TerminationWaitInSeconds", 0) / cloud().speed)
            old.stop()
        self._settle("InService", None)

    def _settle(self, status: str, failure: str | None) -> None:
        if self._live:
            self.record.production_variants = self._live.describe()
            self.record.data_capture_config = _capture(self._live.capture)
        self.record.failure_reason = failure[:1024] if failure else None
        self._say(status)
        self.settled.set()

    def _shift(self, fleet: Fleet, deployment: dict[str, Any]) -> str | None:
        """Move the traffic to `fleet` step by step; returns why it must go back."""
        for share, seconds in _steps(_blue_green(deployment), fleet.size):
            self._incoming = fleet, share
            if why := self._bake(seconds):
                return why
        return None

    def _bake(self, seconds: float) -> str | None:
        """Let a step stand for its time; returns why it must be taken back. (Alarms of AutoRollbackConfiguration: judge them here.)"""
        return "the endpoint was deleted" if self.deleted.wait(seconds / cloud().speed) else None

    def _rescale(self, fleet: Fleet, wanted: list[dict[str, Any]]) -> None:
        failure = None
        for change in wanted:
            variant = fleet.variants[change["VariantName"]]
            variant.weight = change.get("DesiredWeight", variant.weight)
            failure = failure or variant.scale(change.get("DesiredInstanceCount", len(variant.instances)))
        self._settle("InService", failure)


def _blue_green(deployment: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = deployment.get("BlueGreenUpdatePolicy") or {}
    return found


def _policy(deployment: dict[str, Any] | None) -> None:
    """Raise an AWS error for a DeploymentConfig that SageMaker or localcloud would not take."""
    refuse(deployment or {}, ("RollingUpdatePolicy",), "DeploymentConfig")
    routing = _blue_green(deployment or {}).get("TrafficRoutingConfiguration", {})
    for member in ("CanarySize", "LinearStepSize"):
        size = routing.get(member, {})
        if size.get("Type") == "CAPACITY_PERCENT" and not (1 if member == "CanarySize" else 10) <= size["Value"] <= 50:
            raise invalid(f"{member} of {size['Value']} percent: at most 50 percent of the capacity can move in one step")


def _steps(policy: dict[str, Any], size: int) -> Iterator[tuple[float, float]]:
    """(share of the traffic, seconds it bakes) of each step."""
    routing = policy.get("TrafficRoutingConfiguration") or {"Type": "ALL_AT_ONCE"}
    wait = float(routing.get("WaitIntervalInSeconds", 0))
    if routing["Type"] == "CANARY":
        yield _share(routing["CanarySize"], size), wait
    if routing["Type"] == "LINEAR":
        step = _share(routing["LinearStepSize"], size)
        yield from ((step * n, wait) for n in range(1, int(1 / step) + 1) if step * n < 1)
    yield 1.0, wait


def _share(capacity: dict[str, Any], size: int) -> float:
    return float(capacity["Value"] / (100 if capacity["Type"] == "CAPACITY_PERCENT" else size))


def _capture(config: dict[str, Any]) -> dict[str, Any] | None:
    """As DescribeEndpoint's DataCaptureConfigSummary."""
    if not config:
        return None
    enabled = config.get("EnableCapture", False)
    shown = {k: v for k, v in config.items() if k in ("DestinationS3Uri", "KmsKeyId")}
    shown |= {"EnableCapture": enabled, "CaptureStatus": "Started" if enabled else "Stopped"}
    return shown | {"CurrentSamplingPercentage": config["InitialSamplingPercentage"]}


def _unused(held: dict[str, Any], name: str, what: str) -> None:
    if name in held:
        raise invalid(f"Cannot create already existing {what} {name}.")


def create_model(self: Any) -> ActionResult:
    request, held = self._get_params(), self.sagemaker_backend
    _unused(held._models, request["ModelName"], "model")
    refuse(request, ("InferenceExecutionConfig",), "CreateModel")
    declared = [request["PrimaryContainer"]] if request.get("PrimaryContainer") else request.get("Containers", [])
    if len(declared) != 1:
        raise invalid(f"localcloud serves models of one container, not of {len(declared)}")
    refuse(declared[0], ("ModelDataSource", "AdditionalModelDataSources", "MultiModelConfig"), "a model's container")
    assumable(request.get("ExecutionRoleArn"))
    record = keep(held.create_model, request)
    record.enable_network_isolation = record.EnableNetworkIsolation = request.get("EnableNetworkIsolation", False)
    try:
        container(record, self.current_account, self.region)
    except Exception:
        del held._models[request["ModelName"]]
        raise
    return ActionResult(record.response_create)


def create_endpoint_config(self: Any) -> ActionResult:
    request, held = self._get_params(), self.sagemaker_backend
    _unused(held.endpoint_configs, request["EndpointConfigName"], "endpoint configuration")
    refuse(request, ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants"), "CreateEndpointConfig")
    for variant in request["ProductionVariants"]:
        refuse(variant, ("ServerlessConfig", "InstancePools"), f"variant {variant['VariantName']}")
        if "ModelName" not in variant:
            raise invalid(f"variant {variant['VariantName']} names no model: localcloud does not do inference components")
    return ActionResult(keep(held.create_endpoint_config, request).response_create)


def create_endpoint(self: Any) -> ActionResult:
    request = self._get_params()
    _unused(self.sagemaker_backend.endpoints, request["EndpointName"], "endpoint")
    self.sagemaker_backend.describe_endpoint_config(request["EndpointConfigName"])
    endpoint = Endpoint(self.current_account, self.region, request)
    _endpoints[self.current_account, self.region, endpoint.name] = endpoint
    return ActionResult({"EndpointArn": endpoint.record.arn})


def update_endpoint(self: Any) -> ActionResult:
    endpoint = get(self.current_account, self.region, self._get_param("EndpointName"))
    endpoint.update(self._get_params())
    return ActionResult({"EndpointArn": endpoint.record.arn})


def update_endpoint_weights_and_capacities(self: Any) -> ActionResult:
    endpoint = get(self.current_account, self.region, self._get_param("EndpointName"))
    endpoint.rescale(self._get_param("DesiredWeightsAndCapacities"))
    return ActionResult({"EndpointArn": endpoint.record.arn})


def delete_endpoint(self: Any) -> ActionResult:
    endpoint = get(self.current_account, self.region, self._get_param("EndpointName"))
    del _endpoints[self.current_account, self.region, endpoint.name]
    self.sagemaker_backend.delete_endpoint(endpoint.name)
    threading.Thread(target=endpoint.delete, daemon=True).start()
    return EmptyResult()
