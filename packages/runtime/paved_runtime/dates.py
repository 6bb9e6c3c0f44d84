"""A date as the number that stands for it: whole days since 1 January 1970, as numpy and most others count them."""

from __future__ import annotations

import re
from datetime import date

TEXT = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)  # of the forms of ISO 8601, the one that everybody reads alike
EPOCH = date(1970, 1, 1).toordinal()


def days(text: str) -> float:
    """The day of an ISO 8601 date. Raises ValueError: it is no date, or written in another way.

    >>> days("1970-01-02"), days("2026-11-30")
    (1.0, 20787.0)
    """
    if not TEXT.fullmatch(text):
        raise ValueError(f"{text!r} is no date such as 2026-11-30")
    return number(date.fromisoformat(text))


def number(day: date) -> float:
    """The day that a date is."""
    return float(day.toordinal() - EPOCH)


def written(day: float) -> str:
    """The ISO 8601 date of a day."""
    return date.fromordinal(round(day) + EPOCH).isoformat()
