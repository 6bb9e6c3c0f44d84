"""A rolling update replaces the fleet in batches, with few instances too many, and starts the old ones again when it goes back."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.sagemaker import endpoints
from localcloud.sagemaker.deployment_policies import read
from localcloud.sagemaker.deployments import Deployment
from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.endpoints import Json, alarm, configured, described, load, measured, serving, updated, version
from localcloud.testing.in_process import HOUR, Aws
from localcloud.testing.names import Name
from localcloud.testing.waiting import until


def batch(count: int, wait: int, **members: Json) -> Json:
    return {
        "RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": count}, "WaitIntervalInSeconds": wait, **members}
    }


@dataclass
class Machines:
    """A fleet of so many instances that are numbers only; `refuses` says from when on none can be had any more."""

    size: int
    running: int = 0
    refuses: Callable[[], bool] = lambda: False
    account: str = ACCOUNT
    region: str = REGION
    variants: Json = field(default_factory=dict)
    lost: Callable[[str], None] = lambda _why: None

    def resize(self, part: float) -> str | None:
        wanted = math.ceil(self.size * part - 1e-9)
        if wanted > self.running and self.refuses():
            return "no machine is left"
        self.running = wanted
        return None

    start = resize

    def retire(self) -> None:
        self.running = 0

    def give_up(self) -> None:
        """Nothing takes time to start."""


@dataclass
class Update:
    """A rolling update between fleets of numbers. `shifts`: how many instances the new and the old fleet had at each shift of traffic."""

    old: Machines
    new: Machines
    policy: Json
    abort_at: int = 0
    shifts: list[tuple[int, int]] = field(default_factory=list)

    def run(self) -> Deployment:
        policy = read(self.policy, {"live": self.new.size})
        deployment = Deployment(self.old, self.new, policy, route=self._shift, stage=lambda _: None)  # type: ignore[arg-type]
        self._abort = deployment.abort
        deployment.run()
        return deployment

    def _shift(self, _shares: object) -> None:
        self.shifts.append((self.new.running, self.old.running))
        if len(self.shifts) == self.abort_at:
            self._abort("an alarm")


@pytest.mark.laptop("a deployment between numbers")
@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize(
    ("members", "way"), [({}, [(2, 2)]), ({"RollbackMaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}}, [(2, 1), (1, 2)])]
)
def test_going_back_starts_the_old_instances_again(members: Json, way: list[tuple[int, int]]) -> None:
    update = Update(Machines(2, 2), Machines(2), batch(1, 0, **members), abort_at=2)
    deployment = update.run()

    assert update.shifts == [(1, 2), (2, 1), *way]
    assert (deployment.why, deployment.stuck) == ("an alarm", False)
    assert (update.old.running, update.new.running) == (2, 0)


@pytest.mark.laptop("a deployment between numbers")
@pytest.mark.usefixtures("aws")
def test_a_way_back_without_machines_is_stuck() -> None:
    update = Update(Machines(3, 3), Machines(3), batch(1, 0), abort_at=2)
    update.old.refuses = lambda: True
    deployment = update.run()

    assert update.shifts == [(1, 3), (2, 2)]
    assert deployment.stuck
    assert (update.old.running, update.new.running) == (2, 2)


def sizes(endpoint: str) -> list[int]:
    """How many instances the fleets have that share the traffic, the new one first."""
    return [len(fleet.variants["live"].instances) for fleet, _ in endpoints.find(ACCOUNT, REGION, endpoint).shares]


def has_sizes(endpoint: str, expected: list[int]) -> bool:
    return sizes(endpoint) == expected


@pytest.mark.laptop("looks at the instances of both fleets, and an hour passes when the test says so")
def test_a_fleet_is_replaced_batch_by_batch(aws: Aws, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), count=3), configured(aws, image, name("new"), "two", count=3)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2) as traffic:
        updated(aws, endpoint, new, batch(1, HOUR), alarm(aws, name("a"), endpoint))
        for expected in ([1, 3], [2, 2], [3, 1]):
            until(partial(has_sizes, endpoint, expected))
            aws.cloud.pass_an_hour()
        after = described(aws, endpoint)

    assert not traffic.failures
    assert (after["EndpointConfigName"], after["ProductionVariants"][0]["CurrentInstanceCount"]) == (new, 3)
    assert version(aws, endpoint) == "two"


@pytest.mark.aws("deployments: all at once, canary, linear, rolling")
def test_a_rolling_update_loses_nothing(aws: Accounts, image: str, name: Name) -> None:
    old, new = configured(aws, image, name("old"), count=2), configured(aws, image, name("new"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2) as traffic:
        updated(aws, endpoint, new, batch(1, 60), alarm(aws, name("a"), endpoint))
        after = described(aws, endpoint)

    assert not traffic.failures
    assert (after["EndpointConfigName"], after["ProductionVariants"][0]["CurrentInstanceCount"]) == (new, 2)
    assert version(aws, endpoint) == "two"


@pytest.mark.laptop("looks at the instances of both fleets, and an hour passes when the test says so")
def test_an_alarm_brings_the_old_instances_back(aws: Aws, image: str, name: Name) -> None:
    old, bad = configured(aws, image, name("old"), count=2), configured(aws, image, name("bad"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    guard = alarm(aws, name("a"), endpoint, Period=86400)
    with load(aws, endpoint, clients=2) as traffic:
        updated(aws, endpoint, bad, batch(1, HOUR), guard)
        until(lambda: sizes(endpoint) == [1, 2])
        aws.cloud.pass_an_hour()
        until(lambda: sizes(endpoint) == [2, 1])
        go_into_alarm(aws, guard)
        after = described(aws, endpoint)

    assert not traffic.failures
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", old)
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 2


def go_into_alarm(aws: Aws, guard: str) -> None:
    aws.client("cloudwatch").set_alarm_state(AlarmName=guard, StateValue="ALARM", StateReason="by hand")


@pytest.mark.laptop("looks at the instances of both fleets, and an hour passes when the test says so")
def test_a_way_back_that_fails_leaves_a_mix_that_serves(aws: Aws, image: str, name: Name) -> None:
    """The old fleet's model is lost, so no more instances of it can be started."""
    old, bad = configured(aws, image, name("old"), count=3), configured(aws, image, name("bad"), "two", count=3)
    endpoint = serving(aws, old, name("e"))
    guard = alarm(aws, name("a"), endpoint, Period=86400)
    updated(aws, endpoint, bad, batch(1, HOUR), guard)
    until(lambda: sizes(endpoint) == [1, 3])
    aws.cloud.pass_an_hour()
    until(lambda: sizes(endpoint) == [2, 2])
    old_fleet = endpoints.find(ACCOUNT, REGION, endpoint).shares[1][0]
    model = old_fleet.variants["live"].instances[0].program.model
    assert model
    shutil.move(model, model.with_name("lost"))
    go_into_alarm(aws, guard)
    stuck = described(aws, endpoint)
    with load(aws, endpoint, clients=2) as traffic:
        until(lambda: {"one", "two"} <= set(traffic.answers))

    assert stuck["EndpointStatus"] == "UpdateRollbackFailed"
    assert not traffic.failures
    updated(aws, endpoint, old, {})
    assert described(aws, endpoint)["EndpointStatus"] == "InService"
    assert version(aws, endpoint) == "one"
    assert measured(aws, endpoint, "Invocation5XXErrors") == 0
    assert len(endpoints.find(ACCOUNT, REGION, endpoint).shares) == 1


@pytest.mark.laptop("a function of localcloud, for many policies")
@given(count=st.integers(2, 40), data=st.data())
def test_steps_rise_to_the_whole_and_none_is_too_large(count: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(max(1, -(-count // 20)), count // 2))
    steps = read(batch(value, 0), {"live": count}).steps
    rises = [b - a for a, b in zip((0.0, *steps), steps, strict=False)]

    assert steps[-1] == 1
    assert all(0 < rise <= value / count + 1e-9 for rise in rises)
