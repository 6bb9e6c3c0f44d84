"""The way back to the last good version: which one that is, and how it comes to serve again.

A person takes it with `road rollback`, the live check when an alarm rings too late for SageMaker. Every part can be done again: whoever was
killed on the way runs the same thing once more. CodePipeline has no part in it: what it could go back to ends with its own next change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.setback import Setback
from pipelines.steps import baseline, check_evidence, package, readback, record_deployment
from pipelines.steps import stack as stacks
from pipelines.steps.check_evidence import Clients
from pipelines.steps.package import Package
from pipelines.steps.readback import Served
from pipelines.steps.stack import Stack
from pipelines.steps.step import StepError

MARK = "rolled_back"
ACTION = "rolled back"
LONGEST_MARK, UNFIT = 256, re.compile(r"[^\w .:/=+@-]", re.ASCII)  # of a value in the registry's metadata
Tell = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Place:
    """One model in one environment. `cloudformation` and `sagemaker` are clients there, `home` those of the toolchain's account.

    `watch` is the stack that watches the endpoint; empty where there is none.
    """

    environment: str
    stack: str
    artifacts: str
    cloudformation: Any
    sagemaker: Any
    home: Clients
    watch: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """From which model package to which one (ARNs)."""

    left: str
    target: str


def plan(
    stack: Stack, ledger: Sequence[LedgerEntry], *, marked: Callable[[str], bool], left: str | None = None, to: int | None = None
) -> Plan:
    """What to go back from, and to: version `to`, or the newest one in the ledger that nobody went back from.

    `ledger` is oldest first; `marked` says whether the registry knows that a package was rolled back. Without `left` it is what the
    stack has. Where that is not what the ledger tells, because a rollback was killed before it was written down, it is that rollback
    that is finished.

    Raises:
        StepError: there is nothing to go back to.
    """
    serves = stack.outputs["ModelPackage"]
    told = ledger[-1].model_package_arn if ledger else serves
    unfinished = left is None and told != serves and stack.parameters.get("Urgent") == "yes"
    left = left or (told if unfinished else serves)
    if to is not None:
        target = f"{left.rpartition('/')[0]}/{to}"
        if target == left:
            raise StepError(f"version {to} is what serves: there is nothing to roll back: name another version")
        return Plan(left=left, target=target)
    if unfinished:
        return Plan(left=left, target=serves)
    abandoned = {left, *(entry.rolled_back_from for entry in ledger)}
    for entry in reversed(ledger):
        if entry.model_package_arn not in abandoned and not marked(entry.model_package_arn):
            return Plan(left=left, target=entry.model_package_arn)
    raise StepError(
        f"{stack.name}: the ledger has no good version before version {number(left)}: nothing to roll back to:"
        " name an approved version with --to, or push a repaired one"
    )


def marked(sagemaker: Any) -> Callable[[str], bool]:
    """Asks the registry whether a package was rolled back."""
    return lambda arn: MARK in package.read(sagemaker, arn).metadata


def check(place: Place, target: str) -> None:
    """Hold the target's evidence against everything that it binds. Raises StepError with all that does not match."""
    compared = check_evidence.compare(place.home, target, place.artifacts)
    if wrong := [one.line() for one in compared if not one.matches]:
        raise StepError(f"{target}: {'; '.join(wrong)}: nothing was changed: find out what changed it, or name another version with --to")


def carry_out(
    place: Place, stack: Stack, chosen: Plan, *, by: str, reason: str, setback: Setback | None = None, poll_seconds: float, tell: Tell
) -> tuple[LedgerEntry, Served]:
    """Have the target serve, then write that down in registry and ledger: what matters first comes first.

    The registry rejects a version that had a `setback`; one that a person leaves stays approved. `tell` opens a context around each
    part, named for a person.

    Raises:
        StepError: the target could not be brought to serve.
    """
    s3, registry = place.home.s3, place.home.sagemaker
    target = package.read(registry, chosen.target)
    with tell(f"bring version {number(chosen.target)} back"):
        values = parameters(s3, target, package.read(registry, chosen.left))
        stack = stacks.update(place.cloudformation, stack, values, poll_seconds=poll_seconds)
    with tell("read back what serves"):
        served = readback.served(place.sagemaker, stack.outputs, target, poll_seconds=poll_seconds)
    if watch := stacks.read(place.cloudformation, place.watch) if place.watch else None:
        with tell(f"have the monitor look at version {number(chosen.target)}"):
            stacks.update(place.cloudformation, watch, baseline.parameters(s3, target.image, target.data), poll_seconds=poll_seconds)
    with tell("tell registry and ledger"):
        now = document.utc(datetime.now(UTC))
        mark(registry, chosen.left, setback or f"{now}: {by}")
        entry = _entry(place, chosen, served, by=by, reason=reason, time=now)
        record_deployment.record(s3, place.home.signer, place.artifacts, entry)
    return entry, served


def parameters(s3: Any, target: Package, left: Package) -> dict[str, str]:
    """The serving stack's parameters for a version that must be back at once."""
    return {
        "ModelPackageArn": target.arn,
        "ImageUri": target.image,
        "ModelDataUrl": target.data,
        "ModelVersion": package.model_version(s3, target.data),
        "PreviousModelVersion": package.model_version(s3, left.data),
        "ShadowModelPackageArn": "",
        **package.expected_shift(s3, target, left.arn),
        "Urgent": "yes",
    }


def mark(sagemaker: Any, arn: str, why: Setback | str) -> None:
    """Have the registry say that a version was rolled back, and reject it if it had a setback; what it says already stays."""
    found, change = package.read(sagemaker, arn), dict[str, Any]()
    if MARK not in found.metadata:
        text = why if isinstance(why, str) else f"{why.time}: {why.alarms[0].name if why.alarms else why.why}"
        change["CustomerMetadataProperties"] = {MARK: UNFIT.sub(" ", text)[:LONGEST_MARK]}
    if isinstance(why, Setback) and found.status != "Rejected":
        sentence = f"Rolled back in {why.environment} by {why.taken_back_by} at {why.time}: {why.why}"
        change |= {"ModelApprovalStatus": "Rejected", "ApprovalDescription": sentence[: document.LONGEST]}
    if change:
        sagemaker.update_model_package(ModelPackageArn=arn, **change)


def number(arn: str) -> str:
    """A model package's version."""
    return pack.group_and_version(arn)[1]


def _entry(place: Place, chosen: Plan, served: Served, *, by: str, reason: str, time: str) -> LedgerEntry:
    """The ledger's words. The endpoint configuration is new with each rollback, so it names this one."""
    uri = pack.evidence_uri(place.artifacts, chosen.target)
    evidence = document.load_evidence(pack.read(place.home.s3, uri) or b"")
    verified: Mapping[str, Any] = {**served.as_json(), "model_package_arn": chosen.target}
    execution = f"rollback-{served.endpoint_config}"
    entry = record_deployment.entry(evidence, verified, environment=place.environment, execution=execution, time=time)
    return entry.model_copy(update={"action": ACTION, "approved_by": by, "reason": reason, "rolled_back_from": chosen.left})
