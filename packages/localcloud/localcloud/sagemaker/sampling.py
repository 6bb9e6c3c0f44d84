"""Shares of traffic that are kept evenly, however few requests there are."""

from __future__ import annotations

GOLDEN = 0.6180339887498949


def spread(number: int, *, power: int = 1) -> float:
    """A point from 0 to 1: those of successive numbers lie evenly. Another `power` makes choices that do not depend on the first."""
    return number * GOLDEN**power % 1
