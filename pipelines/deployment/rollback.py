"""The way back to the last good version: which one that is, and how it comes to serve again.

A person takes it with `road rollback`, the live check when an alarm goes into ALARM too late for SageMaker. Every part can be done again:
whoever was killed on the way runs the same thing once more. CodePipeline has no part in it: what it could go back to ends with its own
next change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import naming
from pipelines.deployment import approval, compare_evidence, package, parameters, readback
from pipelines.deployment import ledger as ledgers
from pipelines.deployment import stack as stacks
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace
from pipelines.deployment.parameters import Previous
from pipelines.deployment.place import Place
from pipelines.deployment.readback import Served
from pipelines.deployment.registry import Registry
from pipelines.deployment.stack import Stack
from pipelines.evidence import document, pack
from pipelines.evidence.document import LedgerEntry
from pipelines.evidence.rollback_record import RollbackRecord
from pipelines.serving_stack import YES

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

MARK = "rolled_back"
ACTION = "rolled back"
Progress = Callable[[str], AbstractContextManager[Any]]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """From which model package to which one (ARNs). `left` is None where no version is left: the stack has the target, the endpoint not."""

    left: str | None
    target: str


def plan(
    stack: Stack,
    ledger: Sequence[LedgerEntry],
    *,
    marked: Callable[[str], bool],
    left: str | None = None,
    to: int | None = None,
    serves: bool = True,
) -> Plan:
    """What to go back from, and to: version `to`, or the newest one in the ledger that nobody went back from.

    `ledger` has the versions that served as good ones, oldest first; `marked` says whether the registry knows that a package was rolled
    back. Without `left` it is what the stack has. Where that is not what the ledger tells, because a rollback was killed before it was
    written down, it is that rollback that is finished. `serves`: whether the endpoint serves what the stack has.

    Raises:
        DeploymentError: there is nothing to go back to.
    """
    deployed = stack.serving.model_package
    last = ledger[-1].model_package_arn if ledger else deployed
    unfinished = left is None and last != deployed and urgent(stack)
    left = left or (last if unfinished else deployed)
    if to is not None:
        target = f"{left.rpartition('/')[0]}/{to}"
        if target == deployed and not serves:
            return Plan(left=None, target=target)
        if target == left:
            raise DeploymentError(f"version {to} is what serves: there is nothing to roll back: name another version")
        return Plan(left=left, target=target)
    if unfinished:
        return Plan(left=left, target=deployed)
    if newest := next(ways_back(ledger, marked=marked, left=left), None):
        return Plan(left=left, target=newest)
    raise DeploymentError(
        f"{stack.name}: the ledger has no good version before version {number(left)}: nothing to roll back to:"
        " name an approved version with --to, or push a repaired one"
    )


def ways_back(ledger: Sequence[LedgerEntry], *, marked: Callable[[str], bool], left: str) -> Iterator[str]:
    """The versions (ARNs) that somebody who leaves `left` can go back to without naming one, newest first; arguments as of `plan`."""
    abandoned = {left, *(entry.rolled_back_from for entry in ledger)}
    for arn in dict.fromkeys(entry.model_package_arn for entry in reversed(ledger)):
        if arn not in abandoned and not marked(arn):
            yield arn


def urgent(stack: Stack) -> bool:
    """Whether a serving stack was last deployed by a rollback."""
    return stack.version.urgent == YES


def marked(sagemaker: SageMakerClient) -> Callable[[str], bool]:
    """Asks the registry whether a package was rolled back."""
    return lambda arn: MARK in package.read(sagemaker, arn).metadata


def check(registry: Registry, target: str) -> None:
    """Hold the target's evidence against everything that it binds. Raises DeploymentError with all that does not match."""
    comparisons = compare_evidence.compare(registry, target)
    if wrong := [comparison.line() for comparison in comparisons if not comparison.matches]:
        raise DeploymentError(
            f"{target}: {'; '.join(wrong)}: nothing was changed: find out what changed it, or name another version with --to"
        )


def carry_out(
    place: Place,
    stack: Stack,
    chosen: Plan,
    *,
    by: str,
    reason: str,
    record: RollbackRecord | None = None,
    pace: Pace,
    progress: Progress,
) -> tuple[LedgerEntry, Served]:
    """Have the target serve, then write that down in registry and ledger: what matters first comes first.

    The registry rejects a version of which there is a `record`; one that a person leaves stays approved. `progress` opens a context around
    each part, named for a person.

    Raises:
        DeploymentError: the target could not be brought to serve.
    """
    registry = place.registry
    target = package.read(registry.sagemaker, chosen.target)
    if chosen.left:
        with progress(f"bring version {number(chosen.target)} back"):
            previous = Previous.of(package.read(registry.sagemaker, chosen.left))
            values = parameters.serving(registry.s3, target, previous, urgent=True)
            stack = stacks.update(place.cloudformation, stack, values.values(), pace)
    with progress("read back what serves"):
        served = readback.served(place.sagemaker, stack.serving, target, pace)
    if monitoring := stacks.read(place.cloudformation, place.monitoring_stack):
        with progress(f"have the monitor look at version {number(chosen.target)}"):
            version = parameters.monitoring(registry.s3, target.image, target.data)
            stacks.update(place.cloudformation, monitoring, version.values(), pace)
    if place.batch_stack and (batches := stacks.read(place.cloudformation, place.batch_stack)):
        with progress(f"have batches scored by version {number(chosen.target)}"):
            scores = parameters.batch(registry.s3, target.arn, target.image, target.data)
            stacks.update(place.cloudformation, batches, scores.values(), pace)
    with progress("tell registry and ledger"):
        now = document.utc(datetime.now(UTC))
        if chosen.left:
            mark(registry.sagemaker, chosen.left, record or f"{now}: {by}")
        entry = ledgers.record(registry, _entry(place, chosen, served, by=by, reason=reason, time=now)).entry
    return entry, served


def mark(sagemaker: SageMakerClient, arn: str, why: RollbackRecord | str) -> None:
    """Have the registry say that a version was rolled back, and reject it if there is a record of that; what it says already stays."""
    version, change = package.read(sagemaker, arn), dict[str, Any]()
    if MARK not in version.metadata:
        text = why if isinstance(why, str) else f"{why.time}: {why.alarms[0].name if why.alarms else why.why}"
        change["CustomerMetadataProperties"] = {MARK: naming.metadata_value(text)}
    if isinstance(why, RollbackRecord) and version.status != "Rejected":
        sentence = f"Rolled back in {why.environment} by {why.taken_back_by} at {why.time}: {why.why}"
        change |= {"ModelApprovalStatus": "Rejected", "ApprovalDescription": sentence[: document.LONGEST]}
    if change:
        sagemaker.update_model_package(ModelPackageArn=arn, **change)


def number(arn: str) -> str:
    """A model package's version."""
    return pack.group_and_version(arn)[1]


def _entry(place: Place, chosen: Plan, served: Served, *, by: str, reason: str, time: str) -> LedgerEntry:
    """The ledger's words. What names this one: the endpoint configuration, new with each rollback from a version; elsewhere the time."""
    registry = place.registry
    evidence = approval.evidence_of(registry, chosen.target)
    verified: Mapping[str, Any] = {**served.as_json(), "model_package_arn": chosen.target}
    execution = f"rollback-{served.endpoint_config}" if chosen.left else f"restored-{served.endpoint_config}-{time.replace(':', '')}"
    entry = ledgers.entry(evidence, verified, environment=place.environment.name, execution=execution, time=time)
    return entry.model_copy(update={"action": ACTION, "approved_by": by, "reason": reason, "rolled_back_from": chosen.left})
