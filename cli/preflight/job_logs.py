"""How long an account keeps the logs of SageMaker's jobs: for ever where nobody says otherwise, for SageMaker makes their groups."""

from __future__ import annotations

from collections.abc import Iterator

from cli.job_logs import GROUPS
from cli.preflight.finding import Finding, Visit

SUBJECT = "job logs"


def check(visit: Visit) -> Iterator[Finding]:
    """Whether each group has an end; that it has none is wrong where `config.py` says how long, and else somebody's decision."""
    days = visit.config.job_log_days
    for group in GROUPS:
        known = visit.clients("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        kept = next((each.get("retentionInDays", 0) for each in known if each["logGroupName"] == group), None)
        if kept:
            yield visit.right(SUBJECT, f"{group} are kept for {kept} days")
            continue
        state = f"{group} are kept for ever" if kept == 0 else f"{group} are not there yet: the first job makes them, to keep all for ever"
        if days:
            yield visit.wrong(SUBJECT, state, f"AWS_PROFILE=… ./road bootstrap {visit.account.id} has them kept for {days} days")
        else:
            yield visit.unknown(SUBJECT, state, "set job_log_days in config.py and bootstrap again, where your firm has no rule of its own")
