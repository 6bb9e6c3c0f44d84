"""What an account may have: each quota under the name that Service Quotas gives it, with what the cloud was told of it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from localcloud.core.cloud import cloud


def value(quota: str, default: int) -> int:
    """A quota's value: the last one of the cloud's whose pattern matches, else the default."""
    raised = [number for pattern, number in cloud().quotas.items() if fnmatch.fnmatchcase(quota, pattern)]
    return raised[-1] if raised else default


def parsed(assignment: str, names: Iterable[str]) -> tuple[str, int]:
    """`NAME=NUMBER`, where the name may be a pattern of these names. Raises ValueError."""
    pattern, between, number = assignment.rpartition("=")
    if not between or not fnmatch.filter(names, pattern):
        raise ValueError(f"{assignment}: accepted is NAME=NUMBER, such as 'ml.m5.large for endpoint usage=4'")
    return pattern, int(number)
