"""An account's quota that SageMaker was asked to exceed, as what a person does about it."""

from __future__ import annotations

import re

# SageMaker's own words of ResourceLimitExceeded
EXCEEDED = re.compile(
    r"account-level service limit '(?P<name>[^']+)' is (?P<limit>[\d.]+) Instances, with current utilization of (?P<used>[\d.]+) Instances"
    r" and a request delta of (?P<delta>[\d.]+) Instances"
)


def advice(reason: str) -> str:
    """Which quota to raise, and to what; empty where a failure has another reason."""
    exceeded = EXCEEDED.search(" ".join(reason.split()))
    if not exceeded:
        return ""
    name, limit, used, delta = (exceeded[group] for group in ("name", "limit", "used", "delta"))
    beside = ", as an endpoint has old and new instances side by side while it is updated" if "endpoint" in name else ""
    return (
        f"the account may have {limit} instances of '{name}', has {used} and needs {delta} more{beside}: have Service Quotas raise it to at"
        f" least {int(float(used) + float(delta))}"
    )
