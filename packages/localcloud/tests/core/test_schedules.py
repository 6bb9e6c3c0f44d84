"""When at(…), rate(…) and cron(…) are due."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from localcloud.core.schedules import next_after, zone

pytestmark = pytest.mark.laptop("expressions are read by functions")
AT = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("at(2026-11-20T18:31:00)", "2026-11-20 18:31"),
        ("at(2026-11-20T18:30:00)", None),
        ("rate(90 minutes)", "2026-11-20 20:00"),
        ("rate(1 day)", "2026-11-21 18:30"),
        ("cron(0 20 * * ? *)", "2026-11-20 20:00"),
        ("cron(30 18 * * ? *)", "2026-11-21 18:30"),
        ("cron(0 6 ? * MON-FRI *)", "2026-11-23 06:00"),
        ("cron(0/20 8-9,18 * * ? *)", "2026-11-20 18:40"),
        ("cron(15 0 29 2 ? *)", "2028-02-29 00:15"),
        ("cron(0 0 1 JAN ? 2027)", "2027-01-01 00:00"),
        ("cron(0 0 1 1 ? 2026)", None),
    ],
)
def test_schedules(schedule: str, expected: str | None) -> None:
    when = next_after(schedule, AT)

    assert (f"{when:%Y-%m-%d %H:%M}" if when else None) == expected


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("cron(0 20 * * ? *)", "2026-11-20 19:00"),  # winter in Berlin
        ("cron(0 20 * JUL ? *)", "2027-07-01 18:00"),  # and summer
        ("at(2026-11-20T20:00:00)", "2026-11-20 19:00"),
    ],
)
def test_schedules_of_another_time_zone(schedule: str, expected: str) -> None:
    when = next_after(schedule, AT.astimezone(zone("Europe/Berlin")))

    assert when
    assert f"{when.astimezone(UTC):%Y-%m-%d %H:%M}" == expected


@pytest.mark.parametrize(
    "schedule", ["every day", "rate(0 minutes)", "at(tomorrow)", "cron(0 20 * *)", "cron(0 20 L * ? *)", "cron(61 0 * * ? *)"]
)
def test_schedules_that_cannot_be_read_are_refused(schedule: str) -> None:
    with pytest.raises(Exception, match="schedule"):
        next_after(schedule, AT)
