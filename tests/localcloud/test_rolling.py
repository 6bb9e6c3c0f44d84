"""A rolling update replaces the fleet in batches, with few instances too many, and starts the old ones again when it goes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.sagemaker import deployments, endpoints, fleets
from tests.localcloud.serving import Json, Name, alarm, configured, described, load, measured, serving, until, updated, version
from tests.localcloud.support import ACCOUNT, REGION, Aws


def batch(count: int, wait: int, **given: Json) -> Json:
    return {"RollingUpdatePolicy": {"MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": count}, "WaitIntervalInSeconds": wait, **given}}


@dataclass
class Shifts:
    """How many instances the new and the old fleet had at each shift of the traffic; `ring` is called at the shift of that number."""

    seen: list[tuple[int, int]] = field(default_factory=list)
    ring: dict[int, Callable[[], object]] = field(default_factory=dict)


@pytest.fixture
def shifts(monkeypatch: pytest.MonkeyPatch) -> Shifts:
    found = Shifts()
    route = endpoints.Endpoint._route

    def spy(self: endpoints.Endpoint, shares: deployments.Shares) -> None:
        route(self, shares)
        if len(shares) == 2:
            new, old = (len(fleet.variants["live"].instances) for fleet, _ in shares)
            found.seen.append((new, old))
            found.ring.get(len(found.seen), lambda: None)()

    monkeypatch.setattr(endpoints.Endpoint, "_route", spy)
    monkeypatch.setattr(fleets, "LEAST_PATIENCE", 5.0)
    return found


def rung(aws: Aws, guard: str) -> None:
    aws.client("cloudwatch").set_alarm_state(AlarmName=guard, StateValue="ALARM", StateReason="by hand")


def test_a_fleet_is_replaced_batch_by_batch(aws: Aws, image: str, name: Name, shifts: Shifts) -> None:
    old, new = configured(aws, image, name("old"), count=3), configured(aws, image, name("new"), "two", count=3)
    endpoint = serving(aws, old, name("e"))
    with load(aws, endpoint, clients=2) as found:
        updated(aws, endpoint, new, batch(1, 30), alarm(aws, name("a"), endpoint))
        after = described(aws, endpoint)

    assert shifts.seen == [(1, 3), (2, 2), (3, 1)]
    assert not found.failures
    assert (after["EndpointConfigName"], after["ProductionVariants"][0]["CurrentInstanceCount"]) == (new, 3)
    assert version(aws, endpoint) == "two"


@pytest.mark.parametrize(
    ("back", "way"), [({}, [(2, 2)]), ({"RollbackMaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": 1}}, [(2, 1), (1, 2)])]
)
def test_going_back_starts_the_old_instances_again(
    aws: Aws, image: str, name: Name, shifts: Shifts, back: Json, way: list[tuple[int, int]]
) -> None:
    old, bad = configured(aws, image, name("old"), count=2), configured(aws, image, name("bad"), "two", count=2)
    endpoint = serving(aws, old, name("e"))
    guard = alarm(aws, name("a"), endpoint, Period=86400)
    shifts.ring[2] = lambda: rung(aws, guard)
    with load(aws, endpoint, clients=2) as found:
        updated(aws, endpoint, bad, batch(1, 10, **back), guard)
        after = described(aws, endpoint)

    assert shifts.seen == [(1, 2), (2, 1), *way]
    assert not found.failures
    assert (after["EndpointStatus"], after["EndpointConfigName"]) == ("InService", old)
    assert after["ProductionVariants"][0]["CurrentInstanceCount"] == 2


def test_a_way_back_that_fails_leaves_a_mix_that_serves(
    aws: Aws, image: str, name: Name, shifts: Shifts, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, bad = configured(aws, image, name("old"), count=3), configured(aws, image, name("bad"), "two", count=3)
    endpoint = serving(aws, old, name("e"))
    guard = alarm(aws, name("a"), endpoint, Period=86400)

    def ring() -> None:
        monkeypatch.setattr(fleets.Fleet, "resize", lambda *_: "no machine is left")
        rung(aws, guard)

    shifts.ring[2] = ring
    updated(aws, endpoint, bad, batch(1, 10), guard)
    stuck = described(aws, endpoint)
    monkeypatch.undo()
    with load(aws, endpoint, clients=2) as found:
        until(lambda: {"one", "two"} <= set(found.answers))

    assert stuck["EndpointStatus"] == "UpdateRollbackFailed"
    assert not found.failures
    updated(aws, endpoint, old, {})
    assert described(aws, endpoint)["EndpointStatus"] == "InService"
    assert version(aws, endpoint) == "one"
    assert measured(aws, endpoint, "Invocation5XXErrors") == 0
    assert len(endpoints.get(ACCOUNT, REGION, endpoint).shares) == 1


@given(count=st.integers(2, 40), data=st.data())
def test_steps_rise_to_the_whole_and_none_is_too_large(count: int, data: st.DataObject) -> None:
    value = data.draw(st.integers(max(1, -(-count // 20)), count // 2))
    steps = deployments.read(batch(value, 0), {"live": count}).steps
    sizes = [b - a for a, b in zip((0.0, *steps), steps, strict=False)]

    assert steps[-1] == 1
    assert all(0 < size <= value / count + 1e-9 for size in sizes)
