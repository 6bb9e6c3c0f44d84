"""`road approve`: a person's answer to exactly one execution, with the evidence shown first."""

from __future__ import annotations

from cli import approvals, output, target


def approve(
    model: approvals.Road,
    reason: approvals.Reason,
    *,
    execution: approvals.Waiting = None,
    yes: output.Yes = False,
    json: output.Json = False,
    where: target.Wanted = None,
) -> None:
    """Approve what waits for you. Shows the evidence, asks, and lets exactly that execution go on."""
    approvals.decide("Approved", model, reason, execution, yes=yes, json=json, where=where)
