"""What began by itself, and what was held back, as status tells it."""

from __future__ import annotations

from typing import Any

from cli.retrainings import Retrainings
from cli.roads import Road
from pipelines.deployment.retraining.policy import Started
from tests.reference import MODEL

CAUSE = "drift: alarm a is in ALARM"


def retrainings(**content: Any) -> Retrainings:
    return Retrainings(**{"started": [], "held_back": [], "per_week": 2, **content})


def test_what_began_by_itself_and_what_was_held_back_is_told() -> None:
    start = Started(number=3, time="2026-11-21T10:00:00Z", cause=CAUSE, answers={}, controller="c", execution="e")
    held = {"time": "2026-11-21T11:00:00Z", "cause": "data: abc", "reason": "cool-down: until tomorrow"}
    known = retrainings(started=[start], held_back=[held])

    assert known.view().plain.splitlines() == [
        f"  retraining: 1 of 2 a week began, last at 2026-11-21T10:00:00Z: {CAUSE}",
        "  held back: 1, last at 2026-11-21T11:00:00Z: data: abc: cool-down: until tomorrow",
    ]
    assert Road(model=MODEL, executions=[], retrainings=known).as_dict()["retraining"]["held_back"] == [held]


def test_nothing_is_said_where_nothing_began() -> None:
    assert retrainings().view().plain == ""
    assert "retraining" not in Road(model=MODEL, executions=[]).as_dict()
