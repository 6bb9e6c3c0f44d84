"""Inference components: models that share an endpoint, each with copies of its own, updates of its own and a way back of its own."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from moto.core.utils import utcnow

from localcloud.cloudwatch import alarms
from localcloud.core.errors import invalid
from localcloud.core.threads import together
from localcloud.sagemaker import endpoints
from localcloud.sagemaker.component_metrics import ComponentMetrics
from localcloud.sagemaker.copies import Copies
from localcloud.sagemaker.deployment_policies import Policy, of_component
from localcloud.sagemaker.deployments import Deployment
from localcloud.sagemaker.instances import Instance
from localcloud.sagemaker.records import Request
from localcloud.sagemaker.sampling import spread
from localcloud.sagemaker.shared import Shared

STATES = {"Creating": "CREATE_IN_PROGRESS", "Updating": "UPDATE_IN_PROGRESS", "Deleting": "DELETE_IN_PROGRESS"}
_components: dict[tuple[str, str, str], Component] = {}


class NoCapacity(Exception):
    """A request came while there was no copy."""


def shutdown() -> None:
    """Stop every component."""
    together([component.end for component in _components.values()])
    _components.clear()


def create(account: str, region: str, request: Request) -> Component:
    """Make a component and begin to start its copies. Raises an AWS error for what SageMaker would refuse."""
    component = Component(account, region, request)
    _components[account, region, component.name] = component
    component.begin()
    return component


def find(account: str, region: str, name: str) -> Component:
    """The component of that name. Raises an AWS error."""
    if not exists(account, region, name):
        raise invalid(f'Could not find inference component "arn:aws:sagemaker:{region}:{account}:inference-component/{name}".')
    return _components[account, region, name]


def exists(account: str, region: str, name: str) -> bool:
    """Whether there is a component of that name."""
    return (account, region, name) in _components


def every(account: str, region: str) -> list[Component]:
    """The components of an account and region, the latest first."""
    here = [component for (owner, place, _), component in list(_components.items()) if (owner, place) == (account, region)]
    return sorted(here, key=lambda component: component.created, reverse=True)


def delete(account: str, region: str, name: str) -> None:
    """Begin to stop a component, which is forgotten then. Raises an AWS error while something is under way."""
    component = find(account, region, name)
    component.start_deletion()

    def work() -> None:
        component.end()
        _components.pop((account, region, name), None)
        component.gone.set()

    threading.Thread(target=work, daemon=True).start()


def leave(account: str, region: str, endpoint: str) -> None:
    """An endpoint is deleted: its components' copies end. The components stay, as users report of SageMaker, until they are deleted."""
    together([component.end for component in every(account, region) if component.endpoint.name == endpoint])


class Component:
    """One inference component. `settled` while nothing is under way, `gone` once it was deleted and nothing of it runs."""

    def __init__(self, account: str, region: str, request: Request) -> None:
        self.account, self.region, self.name, self.variant = account, region, request["InferenceComponentName"], request["VariantName"]
        self.endpoint = endpoints.find(account, region, request["EndpointName"])
        self._require_host()
        self.specification: dict[str, Any] = request["Specification"]
        self.count = int(request["RuntimeConfig"]["CopyCount"])
        self.arn = f"arn:aws:sagemaker:{region}:{account}:inference-component/{self.name}"
        self.tags: list[dict[str, str]] = request.get("Tags") or []
        self.status = "Creating"
        self.failure: str | None = None
        self.created = self.changed = utcnow()
        self.deployment: dict[str, Any] = {}
        self.live: Copies | None = None
        self.shares: Sequence[tuple[Copies, float]] = []
        self.settled, self.gone = threading.Event(), threading.Event()
        self.settled.set()
        self.metrics = ComponentMetrics(self.name, (account, region, self.endpoint.name, self.variant), lambda: [c for c, _ in self.shares])
        self._move: Deployment | None = None
        self._turns, self._lock = itertools.count(), threading.Lock()

    def begin(self) -> None:
        """Start the first copies."""
        self._start("Creating", self._copies(self.specification, self.count), of_component({}, self.count), {})

    def update(self, specification: dict[str, Any], count: int, config: dict[str, Any]) -> None:
        """Move to another specification, as UpdateInferenceComponent's DeploymentConfig says."""
        self._require_host()
        policy = of_component(config, count)
        if absent := [name for name in policy.alarms if not alarms.find(self.account, self.region, name)]:
            raise invalid(f"Could not find the alarm(s) {', '.join(absent)} of AutoRollbackConfiguration")
        self._start("Updating", self._copies(specification, count), policy, config)

    def rescale(self, count: int) -> None:
        """Change how many copies there are, as UpdateInferenceComponentRuntimeConfig asks."""
        self._begin("Updating")
        threading.Thread(target=self._rescale, args=(count,), daemon=True).start()

    def start_deletion(self) -> None:
        """Raises an AWS error while something is under way."""
        if not self.settled.is_set():
            raise invalid(f"Cannot delete inference component {self.name} while it is in state {STATES[self.status]}")
        self._say("Deleting")

    def end(self) -> None:
        """Stop every copy, and end what is under way."""
        if not self.settled.is_set() and self._move:
            self._move.abandon()
        self.settled.wait()
        self._route([])
        if self.live:
            self.live.retire()
        self.metrics.stop()

    @contextlib.contextmanager
    def serving(self) -> Iterator[Instance | None]:
        """The copy that answers the next request, and is not stopped before the block ends; None where none is healthy.

        Raises:
            NoCapacity: there is no copy.
        """
        with self._lock:
            if not any(copies.running for copies, _ in self.shares):
                raise NoCapacity
            instance = self._choose(spread(next(self._turns)))
        try:
            yield instance
        finally:
            if instance:
                instance.release()

    @property
    def running(self) -> int:
        """How many copies there are just now."""
        return sum(len(copies.running) for copies, _ in self.shares)

    def _choose(self, point: float) -> Instance | None:
        """A copy of the specification whose turn it is, or of the other one where that has none."""
        turn = next((copies for copies, upto in self._upto() if point < upto), None)
        for copies in dict.fromkeys([*([turn] if turn else []), *(copies for copies, _ in self.shares)]):
            for variant in copies.variants.values():
                if instance := variant.take():
                    return instance
        return None

    def _upto(self) -> Iterator[tuple[Copies, float]]:
        yield from zip((copies for copies, _ in self.shares), itertools.accumulate(share for _, share in self.shares), strict=True)

    def _require_host(self) -> None:
        """Raise an AWS error where the endpoint cannot take copies now."""
        if self.endpoint.record.endpoint_status != "InService":
            raise invalid(
                f"Endpoint {self.endpoint.name} is {self.endpoint.record.endpoint_status}: inference components need it InService"
            )
        if not isinstance(self.endpoint.variant(self.variant), Shared):
            raise invalid(
                f"variant {self.variant} of endpoint {self.endpoint.name} has a model of its own: it takes no inference components"
            )

    def _copies(self, specification: dict[str, Any], count: int) -> Copies:
        return Copies(self.endpoint, self.variant, self.name, specification, count)

    def _route(self, shares: Sequence[tuple[Copies, float]]) -> None:
        with self._lock:
            self.shares = shares

    def _begin(self, status: str) -> None:
        with self._lock:
            if not self.settled.is_set() or self.status == "Deleting":
                raise invalid(f'Cannot update inference component "{self.arn}": it is {self.status}.')
            self.settled.clear()
        self._say(status)

    def _say(self, status: str) -> None:
        self.status, self.changed = status, utcnow()

    def _start(self, status: str, copies: Copies, policy: Policy, config: dict[str, Any]) -> None:
        self._begin(status)
        self._move = Deployment(self.live, copies, policy, route=self._route, stage=lambda _stage: None)
        threading.Thread(target=self._deploy, args=(self._move, copies, config), daemon=True).start()

    def _deploy(self, move: Deployment, new: Copies, config: dict[str, Any]) -> None:
        """New copies up and healthy, then the requests, then the old copies down; back to the old ones if not."""
        before = [copies for copies, _ in self.shares]
        failure = move.run()
        if move.stuck:
            return self._settle("Failed", failure)
        if not failure:
            self.live, self.specification, self.count = new, new.specification, new.count
            self.deployment = config if move.old else {}
        self._route([(self.live, 1.0)] if self.live else [])
        together([copies.retire for copies in before if copies is not self.live])
        return self._settle("InService" if self.live else "Failed", failure)

    def _rescale(self, count: int) -> None:
        before, failure = self.count, None
        if self.live:
            self.live.count = count
            failure = self.live.resize(1.0)
            self.live.count = self.count = before if failure else count
        self._settle("InService" if self.live else "Failed", failure)

    def _settle(self, status: str, failure: str | None) -> None:
        self.failure = failure[:1024] if failure else None
        self._say(status)
        self.settled.set()
