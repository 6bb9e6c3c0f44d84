"""When a retraining may begin: never more than the budget, never twice within the cool-down."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paved_runtime.spec import Retraining
from pipelines.deployment.retraining.policy import WEEK, Policy, Started
from pipelines.evidence import document
from tests.support.retraining import HOUR, LIMITS, NOW, POLICY, began, cause


def test_the_first_cause_is_answered() -> None:
    assert POLICY.refusal([cause()], [], None, NOW) is None


@pytest.mark.parametrize(
    ("started", "in_flight", "why"),
    [
        ([began(1, hours_ago=23)], None, "cool-down: retraining 1 began at 2026-11-20T13:00:00Z; the next may at 2026-11-21T13:00:00Z"),
        (
            [began(1, hours_ago=100), began(2, hours_ago=50)],
            None,
            "budget: 2 of 2 a week have begun; the next may at 2026-11-24T08:00:00Z",
        ),
        ([], "e7", "execution e7 of the road has such a cause too, and has not ended"),
        (
            [began(1, hours_ago=100, which=1)],
            None,
            "the same cause was answered before: retraining 1 began at 2026-11-17T08:00:00Z",
        ),
    ],
)
def test_why_nothing_is_started(started: list[Started], in_flight: str | None, why: str) -> None:
    assert POLICY.refusal([cause()], started, in_flight, NOW) == why


def test_what_had_to_wait_is_not_forgotten() -> None:
    """The alarm stays in ALARM: once the cool-down is over, the same transition is still unanswered."""
    assert POLICY.refusal([cause(2)], [began(1, hours_ago=24, which=1)], None, NOW) is None


def test_a_data_set_that_comes_back_is_new_again() -> None:
    put = [began(1, hours_ago=400, kind="data", which="a"), began(2, hours_ago=300, kind="data", which="b")]

    assert POLICY.refusal([cause("a", "data")], put, None, NOW) is None
    assert "the same cause" in str(POLICY.refusal([cause("b", "data")], put, None, NOW))


def test_a_new_cause_beside_an_answered_one_counts() -> None:
    assert POLICY.refusal([cause(1), cause("b", "data")], [began(1, hours_ago=50, which=1)], None, NOW) is None


def test_hours_run_as_fast_as_time_does() -> None:
    fast = Policy(limits=LIMITS, minute_seconds=0.1)  # 24 hours are 144 seconds

    assert fast.refusal([cause(1)], [began(1, hours_ago=143 / 3600)], None, NOW) is not None
    assert fast.refusal([cause(1)], [began(1, hours_ago=145 / 3600)], None, NOW) is None


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 72),  # hours since the one before
        st.sampled_from(["drift", "data", "schedule"]),
        st.integers(0, 6),  # which one
        st.booleans(),  # whether the road has ended by then
    ),
    max_size=60,
)


@given(events=EVENTS, cooldown=st.integers(1, 168), budget=st.integers(1, 5))
def test_no_history_has_more_than_the_budget_or_two_within_the_cool_down(
    events: Sequence[tuple[int, str, int, bool]], cooldown: int, budget: int
) -> None:
    policy = Policy(limits=Retraining(cooldown_hours=cooldown, per_week=budget), minute_seconds=60)
    now, started, under_way, outcomes = NOW, list[Started](), None, Counter[str]()
    for hours, kind, which, ended in events:
        now += hours * HOUR
        under_way = None if ended else under_way
        why = policy.refusal([cause(which, kind)], started, under_way, now)
        outcomes["held" if why else "started"] += 1
        if why is None:
            under_way = f"e{len(started)}"
            time = document.utc(now)
            started.append(Started(number=len(started) + 1, time=time, cause="c", answers={kind: str(which)}, controller="j"))

    times = [retraining.began for retraining in started]
    assert all(later - earlier >= cooldown * HOUR for earlier, later in itertools.pairwise(times))
    assert all(sum(time <= other < time + WEEK for other in times) <= budget for time in times)
    assert outcomes["held"] + outcomes["started"] == len(events)
    for earlier, later in itertools.pairwise(started):
        assert earlier.answers != later.answers
