"""When a schedule is due, at(…), rate(…) or cron(…) in the time zone that it names, and what follows it.

A schedule's clock starts when it is put, and runs as fast as everything else here: what is due in eight hours is due in eight hours
divided by the cloud's speed.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Hashable, Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from localcloud.core import clock
from localcloud.core.cloud import cloud
from localcloud.core.errors import invalid

UNITS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
FIELDS = ((0, 59, ()), (0, 23, ()), (1, 31, ()), (1, 12, MONTHS), (1, 7, DAYS), (1970, 2199, ()))
AHEAD = 366 * 5  # days that are looked through for the next match
AGAIN = 0.2  # seconds until what could not be done is tried again


def zone(name: str | None) -> tzinfo:
    """The time zone of a schedule's Timezone. Raises an AWS error for one that does not exist."""
    try:
        return ZoneInfo(name) if name and name != "UTC" else UTC
    except (ZoneInfoNotFoundError, ValueError) as problem:
        raise invalid(f"Timezone {name} is not known") from problem


def follow(
    key: Hashable,
    schedule: str,
    act: Callable[[datetime], bool | None],
    *,
    timezone: str | None = None,
    start: float | None = None,
    end: float | None = None,
    at_once: bool = False,
) -> None:
    """Call `act` with each time of `schedule` (of its own clock) from `start` to `end`; one that returns False is called again soon.

    `at_once`: a rate begins with its first time, not a period later. Raises an AWS error for a schedule that cannot be read.
    """
    local, put = zone(timezone), time.time()
    next_after(schedule, datetime.fromtimestamp(put, local))

    def due(at: float) -> None:
        if act(datetime.fromtimestamp(at, local)) is False:
            clock.at(key, time.time() + AGAIN, lambda: due(at))
        else:
            following = next_after(schedule, datetime.fromtimestamp(max(at, start or 0), local))
            plan(following.timestamp() if following else math.inf)

    def plan(at: float) -> None:
        if at <= (end or math.inf) and at < math.inf:
            clock.at(key, put + (at - put) / cloud().speed, lambda: due(at))

    clock.drop(key)
    begin = max(put, start or 0)
    first = next_after(schedule, datetime.fromtimestamp(begin, local))
    if at_once and schedule.startswith("rate"):
        plan(begin)
    elif first:
        plan(first.timestamp())


def next_after(schedule: str, after: datetime) -> datetime | None:
    """The first time of `schedule`, on the clocks of `after`'s zone, after it, or None. Raises an AWS error for one that cannot be read."""
    match = re.fullmatch(r"(at|rate|cron)\((.+)\)", schedule.strip())
    if not match:
        raise invalid(f"schedule {schedule} is not at(…), rate(…) or cron(…)")
    kind, inner = match[1], match[2].strip()
    if kind == "rate":
        rate = re.fullmatch(r"([1-9]\d*)\s+(minute|hour|day)s?", inner)
        if not rate:
            raise invalid(f"schedule {schedule} is not like rate(5 minutes)")
        return after + timedelta(seconds=int(rate[1]) * UNITS[rate[2]])
    if kind == "at":
        try:
            when = datetime.strptime(inner, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=after.tzinfo)
        except ValueError as problem:
            raise invalid(f"schedule {schedule} is not like at(2026-11-30T08:00:00)") from problem
        return when if when > after else None
    return next((when for when in _times(schedule, inner, after) if when > after), None)


def _times(schedule: str, inner: str, after: datetime) -> Iterator[datetime]:
    parts = inner.split()
    if len(parts) != len(FIELDS):
        raise invalid(f"schedule {schedule} has {len(parts)} fields, not minutes, hours, day of month, month, day of week, year")
    minutes, hours, days, months, weekdays, years = (_field(part, *limits, schedule) for part, limits in zip(parts, FIELDS, strict=True))
    for ahead in range(AHEAD):
        day: date = after.date() + timedelta(days=ahead)
        if day.day in days and day.month in months and day.isoweekday() % 7 + 1 in weekdays and day.year in years:
            yield from (datetime(day.year, day.month, day.day, h, m, tzinfo=after.tzinfo) for h in sorted(hours) for m in sorted(minutes))


def _field(text: str, least: int, most: int, names: tuple[str, ...], schedule: str) -> set[int]:
    """The values that one field of a cron expression stands for."""
    for number, name in enumerate(names, 1):
        text = text.replace(name, str(number))
    values: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|\?|\d+)(?:-(\d+))?(?:/(\d+))?", part)
        if not match:
            raise invalid(f"localcloud does not know {part} in schedule {schedule}")
        every = match[1] in "*?"
        first = least if every else int(match[1])
        last = most if every or (match[3] and not match[2]) else int(match[2] or first)
        if not least <= first <= last <= most:
            raise invalid(f"{part} in schedule {schedule} is not between {least} and {most}")
        values.update(range(first, last + 1, int(match[3] or 1)))
    return values
