"""A production into which a version has just been deployed that does not hold, and everything that is told of it.

Fixtures, to be imported by a conftest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pipelines.deployment import ledger, package, rollback
from pipelines.deployment import stack as stacks
from pipelines.deployment.guard import Guard
from pipelines.deployment.live_check import Demand
from pipelines.deployment.place import Place
from pipelines.evidence import pack, rollback_record
from pipelines.evidence.rollback_record import RollbackRecord
from tests.support.fake_production import ENDPOINT, ENVIRONMENT, Production
from tests.support.fakes import AT_ONCE, Fake, clients
from tests.support.ledger import wipe
from tests.support.world import World, deliver

ROLE = "arn:aws:sts::123456789012:assumed-role/deploy-production/build"
ERRORS = {"config-2-ServerErrors": "Threshold Crossed: 2 out of 3 were above", "config-2-ScoreShift": "apart"}


@dataclass
class Scene:
    """A production into which `bad` has just been deployed, after `good`, which is in the ledger."""

    good: World
    bad: World
    production: Production

    def place(self, **changed: Any) -> Place:
        """Where it happens; clients may be replaced: s3, registry, cloudformation, and endpoint, which changes SageMaker there."""
        home = {"s3": changed.get("s3", self.good.s3), "sagemaker": changed.get("registry", self.good.sagemaker)}
        there = {"cloudformation": self.production, "sagemaker": self.production, "cloudwatch": self.production}
        caller = Fake(get_caller_identity=lambda: {"Arn": ROLE})
        return Place(
            registry=self.good.registry(**home, sts=caller),
            environment=ENVIRONMENT,
            deployer=clients(
                there
                | {"cloudformation": changed.get("cloudformation", self.production), "sagemaker": changed.get("endpoint", self.production)}
            ),
            verifier=clients(there),
        )

    def guard(self, *, writes: bool = True, version: World | None = None, **changed: Any) -> Guard:
        """What looks after the bad version, or another."""
        read = package.read(self.good.sagemaker, (version or self.bad).arn)
        return Guard(place=self.place(**changed), version=read, writes=writes, pace=AT_ONCE)

    def step(self, guard: Guard) -> None:
        """What verify does until the golden requests: raises what the step fails with."""
        stack = self.production.stack
        guard.watch(guard.in_service(stack), stack, Demand(rows=100, minutes=0))

    @property
    def registered(self) -> dict[str, Any]:
        """What the registry says of the bad version."""
        description: dict[str, Any] = self.good.sagemaker.describe_model_package(ModelPackageName=self.bad.arn)
        return description

    @property
    def record(self) -> RollbackRecord | None:
        """What is kept of why the bad version was taken back."""
        return rollback_record.read(self.good.s3, self.good.releaser, self.good.artifacts, self.bad.arn)

    @property
    def ledger(self) -> list[tuple[str, str]]:
        """Action and version of each entry."""
        entries = ledger.entries(self.good.registry(), ENVIRONMENT.name)
        return [(entry.action, "good" if entry.model_package_arn == self.good.arn else "bad") for entry in entries]

    @property
    def outcome(self) -> tuple[Any, ...]:
        """Everything that must be the same, however often it was begun."""
        record, registered = self.record, self.registered
        mark = registered["CustomerMetadataProperties"].get(rollback.MARK, "").partition(": ")[2]
        why = (record.taken_back_by, record.alarms, record.endpoint_config) if record else None
        return self.production.answers, why, registered["ModelApprovalStatus"], mark, self.ledger

    def clean(self) -> None:
        """As if nothing had happened yet."""
        for prefix in ("ledger/", pack.folder("", self.bad.arn).lstrip("/")):
            wipe(self.good.s3, self.good.artifacts, prefix)
        self.good.sagemaker.update_model_package(
            ModelPackageArn=self.bad.arn,
            ModelApprovalStatus="Approved",
            ApprovalDescription="fine",
            CustomerMetadataPropertiesToRemove=[rollback.MARK],
        )
        self.production = Production.serving(self.good.arn)
        self.deliver("first", "2026-11-20T10:00:00Z", "config-1")

    def deliver(self, execution: str, time: str, config: str) -> None:
        """Write into the ledger that the good version was deployed."""
        served = {"endpoint": ENDPOINT, "endpoint_config": config, "model_package_arn": self.good.arn}
        entry = ledger.entry(self.good.evidence, served, environment=ENVIRONMENT.name, execution=execution, time=time)
        ledger.record(self.good.registry(), entry)

    def deploy(self, *, goes_back: bool = False) -> None:
        """Deploy the bad version."""
        self.production.goes_back = goes_back
        values = {"ModelPackageArn": self.bad.arn, "ModelVersion": "b" * 12}
        stacks.update(self.production, self.production.stack, values, AT_ONCE)
        self.production.goes_back = False


@pytest.fixture(scope="module")
def worlds(evidence_server: str) -> tuple[World, World]:
    """A version that was proven and approved, and one that was registered."""
    good, bad = deliver(evidence_server), deliver(evidence_server)
    good.prove()
    good.approve()
    return good, bad


@pytest.fixture
def scene(worlds: tuple[World, World]) -> Scene:
    """The scene before the bad version is deployed."""
    made = Scene(*worlds, production=Production.serving(worlds[0].arn))
    made.clean()
    return made
