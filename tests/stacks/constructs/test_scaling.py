"""Scaling by traffic and by the clock: what the template asks of Application Auto Scaling, and when nights really are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from paved_runtime.spec import OffHours
from stacks.constructs.scaling import nights
from tests.support.api_requests import accepted
from tests.support.layouts import Layout, production, serving

pytestmark = pytest.mark.laptop("templates alone")

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
DAY = 24 * 60
OFF = OffHours(start="20:00", end="06:00", timezone="Europe/Berlin", weekends=True, instances=2, maximum_instances=3)


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    table = serving("canary", instances=3, maximum_instances=8, invocations_per_instance=700, concurrency_per_instance=4, off_hours=OFF)
    return production(tmp_path_factory.mktemp("scaled"), scaled=table)


def policies(layout: Layout) -> dict[str, dict[str, Any]]:
    return {policy["PolicyName"]: dict(policy) for _, policy in layout.every("AWS::ApplicationAutoScaling::ScalingPolicy")}


def target(layout: Layout) -> dict[str, Any]:
    ((_, properties),) = layout.every("AWS::ApplicationAutoScaling::ScalableTarget")
    return properties


def test_both_targets_are_tracked(scaled: Layout) -> None:
    tracked = {name: policy["TargetTrackingScalingPolicyConfiguration"] for name, policy in policies(scaled).items()}

    metrics = {name: target["PredefinedMetricSpecification"]["PredefinedMetricType"] for name, target in tracked.items()}
    assert {name: (metrics[name], target["TargetValue"]) for name, target in tracked.items()} == {
        "invocations-per-instance": ("SageMakerVariantInvocationsPerInstance", 700),
        "concurrency-per-instance": ("SageMakerVariantConcurrentRequestsPerModelHighResolution", 4),
    }


def test_without_a_concurrency_requests_a_minute_are_tracked_alone(three: Layout) -> None:
    assert set(policies(three)) == {"invocations-per-instance"}


def test_application_auto_scaling_would_take_them(scaled: Layout) -> None:
    scalable = dict(target(scaled))
    actions = scalable.pop("ScheduledActions")
    named = {key: scalable[key] for key in ("ServiceNamespace", "ResourceId", "ScalableDimension")}

    accepted("application-autoscaling", "RegisterScalableTarget", scalable)
    for action in actions:
        accepted("application-autoscaling", "PutScheduledAction", {**action, **named})
    for policy in policies(scaled).values():
        del policy["ScalingTargetId"]
        accepted("application-autoscaling", "PutScalingPolicy", {**policy, **named})


def test_nights_have_bounds_of_their_own(scaled: Layout) -> None:
    assert target(scaled)["ScheduledActions"] == [
        {
            "ScheduledActionName": "off-hours",
            "Schedule": "cron(0 20 ? * MON-FRI *)",
            "Timezone": "Europe/Berlin",
            "ScalableTargetAction": {"MinCapacity": 2, "MaxCapacity": 3},
        },
        {
            "ScheduledActionName": "working-hours",
            "Schedule": "cron(0 6 ? * MON-FRI *)",
            "Timezone": "Europe/Berlin",
            "ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 8},
        },
    ]


def test_an_endpoint_without_nights_has_no_schedule(three: Layout) -> None:
    assert "ScheduledActions" not in target(three)


def minutes(cron: str) -> list[int]:
    """When a cron expression fires, in minutes since Monday 0:00."""
    parts = re.fullmatch(r"cron\((\d+) (\d+) \? \* (\*|(\w{3})-(\w{3})) \*\)", cron)
    assert parts
    minute, hour = int(parts[1]), int(parts[2])
    days = range(7) if parts[3] == "*" else range(DAYS.index(parts[4]), DAYS.index(parts[5]) + 1)
    return [DAY * day + 60 * hour + minute for day in days]


def asleep(begin: list[int], end: list[int], at: int) -> bool:
    """Whether the last thing that was fired before a minute of the week, or in it, began a night."""
    week = 7 * DAY
    return min((at - minute) % week for minute in begin) < min((at - minute) % week for minute in end)


def clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@given(st.integers(0, DAY - 1), st.integers(0, DAY - 1), st.integers(0, 7 * DAY - 1))
@example(20 * 60, 6 * 60, 5 * DAY)
def test_a_night_is_from_its_start_to_its_end(start: int, end: int, at: int) -> None:
    if start == end:
        return
    begin, stop = (minutes(cron) for cron in nights(clock(start), clock(end), weekends=False))
    time = at % DAY

    assert asleep(begin, stop, at) == ((start <= time < end) if start < end else (time >= start or time < end))


@given(st.integers(0, DAY - 1), st.integers(0, DAY - 1), st.integers(0, 7 * DAY - 1))
@example(20 * 60, 6 * 60, 5 * DAY + 12 * 60)
@example(0, 6 * 60, 5 * DAY + 12 * 60)
def test_a_weekend_is_one_night_and_the_week_is_as_ever(start: int, end: int, at: int) -> None:
    if start == end:
        return
    begin, stop = (minutes(cron) for cron in nights(clock(start), clock(end), weekends=True))
    weekend = (4 * DAY + start if start > end else 5 * DAY + start), 7 * DAY + end  # from Friday or Saturday to Monday
    time = at % DAY
    usual = (start <= time < end) if start < end else (time >= start or time < end)
    resting = weekend[0] <= at or at + 7 * DAY < weekend[1]

    assert asleep(begin, stop, at) == (resting or usual)
