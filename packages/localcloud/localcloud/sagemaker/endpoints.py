"""Endpoints that serve: guarded updates, and the old fleet when the new one fails."""

from __future__ import annotations

import contextlib
import itertools
import math
import threading
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from datetime import datetime
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.core.utils import utcnow

from localcloud.cloudwatch import alarms
from localcloud.core.assumptions import Assumption
from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid
from localcloud.core.threads import together
from localcloud.sagemaker import quotas, state_changes
from localcloud.sagemaker.deployment_policies import Policy, read
from localcloud.sagemaker.deployments import Deployment
from localcloud.sagemaker.fleets import Fleet
from localcloud.sagemaker.instances import Instance
from localcloud.sagemaker.queue import CONCURRENCY, Queue
from localcloud.sagemaker.records import Request, backend, keep
from localcloud.sagemaker.sampling import spread
from localcloud.sagemaker.telemetry import Telemetry
from localcloud.sagemaker.variants import Variant

RETAINED = {"DesiredInstanceCount", "DesiredWeight"}
_endpoints: dict[tuple[str, str, str], Endpoint] = {}


def shutdown() -> None:
    """Stop every endpoint."""
    together([endpoint.delete for endpoint in _endpoints.values()])
    _endpoints.clear()


def create(account: str, region: str, request: Request) -> Endpoint:
    """Make an endpoint and begin to start it. Raises an AWS error for what SageMaker would refuse."""
    endpoint = _endpoints[account, region, request["EndpointName"]] = Endpoint(account, region, request)
    return endpoint


def find(account: str, region: str, name: str) -> Endpoint:
    """The endpoint of that name. Raises an AWS error."""
    if not exists(account, region, name):
        raise invalid(f'Could not find endpoint "arn:aws:sagemaker:{region}:{account}:endpoint/{name}".')
    return _endpoints[account, region, name]


def exists(account: str, region: str, name: str) -> bool:
    """Whether there is an endpoint of that name, in whatever state."""
    return (account, region, name) in _endpoints


def delete(account: str, region: str, name: str) -> None:
    """Forget an endpoint, and begin to stop it. Raises an AWS error."""
    endpoint = find(account, region, name)
    del _endpoints[account, region, name]
    state_changes.endpoint(endpoint.record, "Deleting")
    threading.Thread(target=endpoint.delete, daemon=True).start()


def wait(account: str, region: str, name: str) -> str:
    """The endpoint's status once no creation or update is under way."""
    endpoint = find(account, region, name)
    endpoint.settled.wait()
    return str(endpoint.record.endpoint_status)


def machines(account: str, region: str) -> Counter[str]:
    """How many instances the endpoints of an account and region have, by type, those that start and end among them."""
    return sum((fleet.machines() for fleet in _held(account, region)), Counter[str]())


def concurrency(account: str, region: str) -> int:
    """How many requests at a time the serverless endpoints of an account and region may have, those that are replaced among them."""
    return sum(fleet.concurrency() for fleet in _held(account, region))


def _held(account: str, region: str) -> list[Fleet]:
    here = [endpoint for (owner, place, _), endpoint in list(_endpoints.items()) if (owner, place) == (account, region)]
    return [fleet for endpoint in here for fleet in endpoint.held]


class Endpoint:
    """One endpoint. `record` is moto's, and what DescribeEndpoint answers from; `settled` while nothing is under way.

    `shares` are the fleets that serve, with their parts of the traffic, `held` all that have instances; `gone` is set once it was deleted
    and nothing of it is left.
    """

    def __init__(self, account: str, region: str, request: Request) -> None:
        self.account, self.region, self.name = account, region, request["EndpointName"]
        self.live: Fleet | None = None
        fleet = self._fleet(request["EndpointConfigName"])
        policy = self._policy(request.get("DeploymentConfig") or {}, fleet)
        quotas.require(quotas.ENDPOINT, machines(account, region), fleet.machines())
        quotas.require_concurrency(concurrency(account, region), fleet.concurrency())
        self.record = keep(backend(account, region).create_endpoint, request)
        self.deployment: dict[str, Any] = request.get("DeploymentConfig") or {}
        self.queue = Queue(self)
        self.settled, self.deleted, self.gone = threading.Event(), threading.Event(), threading.Event()
        self.shares: Sequence[tuple[Fleet, float]] = []
        self.held: list[Fleet] = []
        self.telemetry = Telemetry(account, region, self.name, lambda: [fleet for fleet, _ in self.shares], self._gauges)
        self._move: Deployment | None = None
        self._turns = itertools.count()
        self._lock = threading.Lock()
        self.settled.set()
        self.record.production_variants, self.record.data_capture_config = None, None
        self._start("Creating", fleet, policy, self.deployment)

    def update(self, request: Request) -> None:
        """Move to another configuration as UpdateEndpoint's request says."""
        backend(self.account, self.region).describe_endpoint_config(self.record.endpoint_config_name)  # SageMaker needs the old one too
        whole = self.record.endpoint_status == "InService"
        same = whole and request["EndpointConfigName"] == self.record.endpoint_config_name
        if same and Assumption.SERVED_CONFIG_REFUSED in cloud().assumptions:
            raise invalid(f"To update endpoint {self.name}, create a new EndpointConfig: it has {request['EndpointConfigName']} already")
        config = self.deployment if request.get("RetainDeploymentConfig") else request.get("DeploymentConfig") or {}
        excluded = {p["VariantPropertyType"] for p in request.get("ExcludeRetainedVariantProperties", [])}
        retained = RETAINED - excluded if request.get("RetainAllVariantProperties") else set()
        fleet = self._fleet(request["EndpointConfigName"], retained)
        if self.live and bool(fleet.asynchronous) != bool(self.asynchronous):
            raise invalid(f"localcloud cannot have endpoint {self.name} asked in another way than before: delete it first")
        if self.live and fleet.shared != self.shared:
            raise invalid(f"localcloud cannot move endpoint {self.name} between models and inference components: delete it first")
        policy = self._policy(config, fleet)
        part = policy.steps[0] if policy.rolling else 1.0
        beside = {kind: math.ceil(count * part) for kind, count in fleet.machines().items()}
        quotas.require(quotas.ENDPOINT, machines(self.account, self.region), beside)
        quotas.require_concurrency(concurrency(self.account, self.region), fleet.concurrency())
        self._start("Updating", fleet, policy, config)

    def delete(self) -> None:
        """Stop serving, and end what is under way."""
        self.deleted.set()
        if not self.settled.is_set() and self._move:
            self._move.abandon()
        self.settled.wait()
        self.queue.stop()
        together([fleet.stop for fleet, _ in self.shares])
        self.telemetry.stop()
        self.gone.set()

    def rescale(self, wanted: list[dict[str, Any]]) -> None:
        """Change weights and instance counts of the live fleet, as UpdateEndpointWeightsAndCapacities asks."""
        changes = [(self.variant(w["VariantName"]), w) for w in wanted]
        if self.live and self.live.concurrency():
            raise invalid("localcloud does not change serverless variants but by another endpoint configuration")
        if self.shared:
            raise invalid(f"localcloud changes the instances of endpoint {self.name} by its copies and its configuration only")
        types = {v["VariantName"]: v["InstanceType"] for v in self.live.config.production_variants} if self.live else {}
        more = Counter[str]()
        for variant, change in changes:
            if change.get("DesiredInstanceCount") == 0 and not self.asynchronous:
                raise invalid(f"variant {variant.name} of endpoint {self.name} cannot have 0 instances: callers wait for it")
            more[types[variant.name]] += change.get("DesiredInstanceCount", variant.count) - variant.count
        quotas.require(quotas.ENDPOINT, machines(self.account, self.region), more)
        self._begin("Updating")
        threading.Thread(target=self._rescale, args=(changes,), daemon=True).start()

    def variant(self, name: str) -> Variant:
        """The variant of the live fleet. Raises an AWS error when there is none of that name."""
        variant = next((v for v in self.live.every if v.name == name), None) if self.live else None
        if variant is None:
            raise invalid(f"The variant name(s) {name} are not present within endpoint {self.name}")
        return variant

    @contextlib.contextmanager
    def serving(self, target: str | None) -> Iterator[tuple[Fleet, Variant, Instance | None]]:
        """Who answers the next request, and is not stopped before the block ends; no instance where none is healthy.

        Raises an AWS error when nobody serves or the variant is unknown.
        """
        with self._lock:
            turn = next(self._turns)
            fleet = self._choose(spread(turn))
            if fleet is None:
                raise invalid(f"Endpoint {self.name} of account {self.account} is {self.record.endpoint_status}: it does not serve")
            variant = fleet.pick(turn, target)
            instance = variant.take()
        try:
            yield fleet, variant, instance
        finally:
            if instance:
                instance.release()

    @property
    def asynchronous(self) -> dict[str, Any]:
        """The AsyncInferenceConfig of the configuration that serves; empty where callers wait."""
        return self.live.asynchronous if self.live else {}

    def look(self) -> None:
        """Let the record tell how many instances there are for inference components: as many as those need just now."""
        if self.live and self.shared and self.settled.is_set():
            self.record.production_variants = self.live.describe()["ProductionVariants"]

    @property
    def shared(self) -> bool:
        """Whether it serves inference components, and so no model of its own."""
        return bool(self.live and self.live.shared)

    def free(self) -> tuple[Fleet, Variant, Instance] | None:
        """Who answers the next request that waits: an instance that has fewer than it may, of a fleet whose turn it is or of another. None
        where there is no such.
        """
        with self._lock:
            turn = next(self._turns)
            chosen = self._choose(spread(turn))
            for fleet in dict.fromkeys(filter(None, [chosen, *(fleet for fleet, _ in self.shares)])):
                most = fleet.asynchronous.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", CONCURRENCY)
                variant = fleet.pick(turn, None)
                if instance := variant.take(most):
                    return fleet, variant, instance
        return None

    def _gauges(self) -> dict[str, float]:
        if not self.asynchronous:
            return {}
        return self.queue.gauges(sum(len(variant.instances) for fleet, _ in self.shares for variant in fleet.every))

    def _choose(self, point: float) -> Fleet | None:
        for fleet, share in self.shares:
            point -= share
            if point < 0:
                return fleet
        return self.live

    def _route(self, shares: Sequence[tuple[Fleet, float]]) -> None:
        with self._lock:
            self.shares = shares

    def _fleet(self, config_name: str, retained: Set[str] = frozenset()) -> Fleet:
        held = backend(self.account, self.region)
        held.describe_endpoint_config(config_name)
        live = self.live.every if self.live else []
        counts = {v.name: v.count for v in live} if "DesiredInstanceCount" in retained else {}
        weights = {v.name: v.weight for v in live} if "DesiredWeight" in retained else {}
        return Fleet(self.account, self.region, self.name, held.endpoint_configs[config_name], counts=counts, weights=weights)

    def _policy(self, config: dict[str, Any], new: Fleet) -> Policy:
        """How to deploy. Raises an AWS error for what SageMaker refuses: sizes, times, alarms, other variants than before."""
        policy = read(config, {v["VariantName"]: new.sizes[v["VariantName"]] for v in new.config.production_variants})
        if absent := [name for name in policy.alarms if not alarms.find(self.account, self.region, name)]:
            raise invalid(f"Could not find the alarm(s) {', '.join(absent)} of AutoRollbackConfiguration")
        if self.live is None:
            return policy
        before, after = ({v["VariantName"]: v for v in f.config.production_variants} for f in (self.live, new))
        if new.concurrency() and not self.live.concurrency():
            raise invalid(f"Cannot update endpoint {self.name} from instances to serverless: create another endpoint")
        if config and set(before) != set(after):
            raise invalid(f"a guarded deployment keeps the variants' names: found {sorted(after)}, the endpoint has {sorted(before)}")
        scaled = applicationautoscaling_backends[self.account][self.region].targets.get("sagemaker:variant:DesiredInstanceCount", {})
        for name, old in before.items():
            changed = after.get(name, {}).get("InstanceType") != old.get("InstanceType")
            if changed and f"endpoint/{self.name}/variant/{name}" in scaled:
                raise invalid(
                    f"variant {name} is scaled automatically: deregister its scalable target before you remove it or change its type"
                )
        return policy

    def _begin(self, status: str) -> None:
        with self._lock:
            if not self.settled.is_set():
                raise invalid(f'Cannot update in-progress endpoint "{self.record.arn}".')
            self.settled.clear()
            self._say(status)

    def _say(self, status: str) -> None:
        self.record.endpoint_status, self.record.last_modified_time = status, utcnow()
        state_changes.endpoint(self.record, status)

    def _start(self, status: str, fleet: Fleet, policy: Policy, config: dict[str, Any]) -> None:
        self._begin(status)
        self.held = [*(held for held, _ in self.shares), fleet]
        began = utcnow()
        self._move = Deployment(self.live, fleet, policy, route=self._route, stage=lambda stage: self._show(fleet, stage, began))
        threading.Thread(target=self._deploy, args=(self._move, fleet, config), daemon=True).start()

    def _show(self, fleet: Fleet, stage: str, began: datetime) -> None:
        """Let DescribeEndpoint tell how far the deployment is."""
        if stage == "Deleting" and self.live:
            self._say("RollingBack")
        shown = fleet.describe(VariantStatus=[{"Status": stage, "StartTime": utcnow()}])
        self.record.pending_deployment_summary = pending = {"EndpointConfigName": fleet.name, "StartTime": began, **shown}
        if self.live:
            state_changes.endpoint(self.record, self.record.endpoint_status, pending)

    def _deploy(self, move: Deployment, fleet: Fleet, config: dict[str, Any]) -> None:
        """Blue/green or rolling: the new fleet up and healthy, then the traffic, then the old fleet down; back to the old one if not."""
        before = [fleet for fleet, _ in self.shares]
        failure = move.run()
        if move.stuck:
            return self._settle("UpdateRollbackFailed", failure)
        if not failure:
            self.live = fleet
            self.record.endpoint_config_name = self.record.EndpointConfigName = fleet.name
        self._route([(self.live, 1.0)] if self.live else [])
        if not failure and move.old:
            self.record.last_deployment_config = self.deployment = config
            cloud().wait(self.deleted, move.policy.termination)
        together([served.retire for served in before if served is not self.live])
        return self._settle("InService" if self.live else "Failed", failure)

    def _settle(self, status: str, failure: str | None) -> None:
        self.record.pending_deployment_summary = None
        self.held = [fleet for fleet, _ in self.shares]
        if self.live:
            shown = self.live.describe()
            self.record.production_variants = shown["ProductionVariants"]
            self.record.shadow_production_variants = shown.get("ShadowProductionVariants")
            self.record.data_capture_config = _capture(self.live.capture)
            self.record.async_inference_config = self.asynchronous or None
        self.record.failure_reason = failure[:1024] if failure else None
        self._say(status)
        self.settled.set()

    def _rescale(self, changes: list[tuple[Variant, dict[str, Any]]]) -> None:
        failure = None
        for variant, change in changes:
            variant.weight = change.get("DesiredWeight", variant.weight)
            failure = failure or variant.scale(change.get("DesiredInstanceCount", variant.count))
            variant.count = len(variant.instances)
        self._settle("InService", failure)


def _capture(config: dict[str, Any]) -> dict[str, Any] | None:
    """As DescribeEndpoint's DataCaptureConfigSummary."""
    if not config:
        return None
    enabled = config.get("EnableCapture", False)
    shown = {k: v for k, v in config.items() if k in ("DestinationS3Uri", "KmsKeyId")}
    shown |= {"EnableCapture": enabled, "CaptureStatus": "Started" if enabled else "Stopped"}
    return shown | {"CurrentSamplingPercentage": config["InitialSamplingPercentage"]}
