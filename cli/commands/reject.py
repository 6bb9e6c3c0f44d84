"""`road reject`: a person's answer to exactly one execution, with the evidence shown first."""

from __future__ import annotations

from cli import approvals, output, target


def reject(
    model: approvals.Road,
    reason: approvals.Reason,
    *,
    execution: approvals.Waiting = None,
    yes: output.Yes = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Reject what waits for you. Shows the evidence, asks, ends exactly that execution and marks its model package."""
    approvals.decide("Rejected", model, reason, execution, yes=yes, json=json, where=where)
