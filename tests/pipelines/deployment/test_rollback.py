"""Where the way back leads: to the newest version that nobody went back from, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deployment import rollback
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.rollback import MARK, Plan, mark, plan
from pipelines.deployment.stack import Stack
from pipelines.evidence import document
from pipelines.evidence.document import LedgerEntry
from pipelines.serving_stack import NO, YES
from tests.reference import MODEL
from tests.support import sample
from tests.support.fake_production import Production
from tests.support.fakes import Fake
from tests.support.rollback_records import rollback_record

ARN = sample.ARN
RUTH = f"arn:aws:sts::{sample.HOME.id}:assumed-role/ruth"


def entry(version: int, left: int | None = None) -> LedgerEntry:
    """A version came to serve; `left`: by a rollback from that one."""
    known = {
        "version": 1,
        "action": "rolled back" if left else "deployed",
        "model": MODEL,
        "environment": "production",
        "time": "2026-11-21T10:00:00Z",
        "execution": "e",
        "model_package_arn": f"{ARN}/{version}",
        "evidence_sha256": "e1" * 32,
        "commit": sample.COMMIT,
        "data_sha256": sample.DATA,
        "image_uri": sample.content()["image"]["uri"],
        "endpoint": "e",
        "endpoint_config": "c",
        "approved_by": "ruth",
        "reason": "r",
        "rolled_back_from": f"{ARN}/{left}" if left else None,
    }
    return document.parse(LedgerEntry, known, "ledger entry")


def stack(version: int, urgent: str = NO) -> Stack:
    return Production.serving(f"{ARN}/{version}", urgent=urgent).stack


def planned(
    stack: Stack, *ledger: LedgerEntry, marked: Sequence[int] = (), left: int | None = None, to: int | None = None
) -> tuple[int, int]:
    """From which version to which."""
    chosen = plan(stack, ledger, marked=lambda arn: int(rollback.number(arn)) in marked, left=f"{ARN}/{left}" if left else None, to=to)
    assert chosen.left
    return int(rollback.number(chosen.left)), int(rollback.number(chosen.target))


def test_from_what_serves_to_the_one_before() -> None:
    assert planned(stack(2), entry(1), entry(2)) == (2, 1)


def test_good_bad_bad_lands_on_good() -> None:
    """Whoever takes the bad ones back: SageMaker (they never come into the ledger), the live check, or a person."""
    assert planned(stack(3), entry(1)) == (3, 1)
    assert planned(stack(3), entry(1), entry(2), entry(1, left=2), entry(3)) == (3, 1)
    assert planned(stack(3), entry(1), entry(2), entry(3), marked=[2]) == (3, 1)


def test_a_deployment_that_is_not_in_the_ledger_is_what_is_left() -> None:
    assert planned(stack(3), entry(1), entry(2)) == (3, 2)


def test_a_rollback_that_was_killed_before_it_was_written_down_is_finished() -> None:
    assert planned(stack(1, urgent=YES), entry(1), entry(2)) == (2, 1)
    assert planned(stack(1, urgent=YES), entry(1), entry(2), entry(1, left=2), entry(3), left=3) == (3, 1)


def test_a_finished_rollback_can_be_followed_by_another() -> None:
    assert planned(stack(2, urgent=YES), entry(1), entry(2), entry(3), entry(2, left=3)) == (2, 1)


def test_a_person_may_name_any_other_version() -> None:
    assert planned(stack(3), entry(1), entry(3), to=2) == (3, 2)
    assert planned(stack(3), to=2) == (3, 2)
    with pytest.raises(DeploymentError, match="version 3 is what serves: there is nothing to roll back: name another"):
        planned(stack(3), entry(3), to=3)


def test_nothing_to_go_back_to_is_said() -> None:
    for ledger in ([], [entry(1)], [entry(1), entry(2), entry(1, left=2)]):
        with pytest.raises(
            DeploymentError, match="no good version before version 1: nothing to roll back to: name an approved version with --to"
        ):
            planned(stack(1), *ledger)


@given(st.lists(st.booleans(), max_size=40))
def test_however_often_it_is_rolled_back_it_never_lands_on_a_version_that_was_left(steps: list[bool]) -> None:
    """True: a new version comes; False: somebody rolls back."""
    ledger, serves, newest, left = [entry(1)], 1, 1, set[int]()
    for new in steps:
        if new:
            serves = newest = newest + 1
            ledger.append(entry(newest))
            continue
        expected = max(set(range(1, newest + 1)) - left - {serves}, default=None)
        if expected is None:
            with pytest.raises(DeploymentError, match="nothing to roll back to"):
                planned(stack(serves), *ledger)
            return
        assert planned(stack(serves), *ledger) == (serves, expected)
        left.add(serves)
        ledger.append(entry(expected, left=serves))
        serves = expected


class Registry(Fake):
    """One model package that keeps what is written."""

    def __init__(self, status: str = "Approved", **metadata: str) -> None:
        self.package: dict[str, Any] = {"ModelApprovalStatus": status, "ApprovalDescription": "", "CustomerMetadataProperties": metadata}
        container = {"Image": "i", "ModelDataUrl": "s3://b/k"}
        super().__init__(
            describe_model_package=lambda **_: {**self.package, "InferenceSpecification": {"Containers": [container]}},
            update_model_package=lambda ModelPackageArn, **change: self.package.update(change),  # noqa: ARG005, N803
        )


def test_a_version_with_a_record_is_rejected_and_the_alarm_is_named() -> None:
    registry = Registry()
    for _ in range(2):
        mark(registry, ARN, rollback_record())

    assert registry.package["CustomerMetadataProperties"] == {MARK: "2026-11-21T10:05:00Z: config-2-ServerErrors"}
    assert registry.package["ModelApprovalStatus"] == "Rejected"
    assert (
        registry.package["ApprovalDescription"]
        == f"Rolled back in production by SageMaker at 2026-11-21T10:05:00Z: {rollback_record().why}"
    )
    assert len(registry.asked("update_model_package")) == 1


def test_what_a_person_leaves_stays_approved() -> None:
    registry = Registry()
    mark(registry, ARN, f"2026-11-21T10:05:00Z: {RUTH},\n<x>" + "y" * 300)

    assert registry.package["ModelApprovalStatus"] == "Approved"
    (text,) = registry.package["CustomerMetadataProperties"].values()
    assert text.startswith(f"2026-11-21T10:05:00Z: {RUTH}")
    assert len(text) == 256
    assert not set(text) & set(",<>\n")
    assert rollback.marked(registry)(ARN)


def test_what_was_rejected_by_a_person_stays_as_it_is() -> None:
    registry = Registry("Rejected", **{MARK: "before"})
    mark(registry, ARN, rollback_record())

    assert registry.asked("update_model_package") == []


def test_a_plan_is_two_packages() -> None:
    assert plan(stack(2), [entry(1), entry(2)], marked=lambda _: False) == Plan(left=f"{ARN}/2", target=f"{ARN}/1")
