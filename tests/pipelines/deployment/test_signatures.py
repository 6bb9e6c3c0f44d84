"""Which key a document must be signed with, now and in the time of the one key; and what S3 and KMS say of that time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.deployment import approval, ledger, signatures
from pipelines.deployment.registry import Registry
from pipelines.evidence import document
from tests.support.fakes import Altered
from tests.support.ledger import PRODUCTION, write_entry
from tests.support.world import World


def later(world: World, **changed: Any) -> Registry:
    """The registry when the release key is an hour younger than all that there is."""
    young = {"KeyMetadata": {"CreationDate": datetime.now(UTC) + timedelta(hours=1)}}
    return world.registry(kms=Altered(world.signer.kms, describe_key=lambda **_: young), **changed)


def test_a_decision_is_signed_with_the_release_key_and_a_measurement_with_the_evidence_key(staged: World) -> None:
    registry = staged.registry()
    released, measured = (write_entry(staged, "2026-11-20T09:00:00Z", signer=key) for key in (staged.releaser, staged.signer))

    assert released == measured
    assert not signatures.decided(registry, measured, staged.read(measured))
    assert signatures.measured(registry, measured, staged.read(measured))


def test_what_the_evidence_key_signed_before_there_was_a_release_key_stays_good(staged: World) -> None:
    write_entry(staged, "2026-11-20T09:00:00Z", signer=staged.signer)

    assert [entry.model_package_arn for entry in ledger.entries(later(staged), PRODUCTION.name)] == [staged.arn]


def test_an_approval_in_the_evidence_counts_only_if_it_was_there_before_the_release_key(approved: World) -> None:
    """As 0.1.0 wrote it: in the evidence, under the one key, and nothing beside it."""
    decision = document.with_approval(approved.evidence, approved.approval).approval
    with (
        approved.holding(approved.approval_uri, None),
        approved.holding(f"{approved.approval_uri}.sig", None),
        approved.signed(approved.signer, approval=decision),
    ):
        old = later(approved)
        wrong = [comparison for comparison in approved.compare(kms=old.signer.kms) if not comparison.matches]
        assert wrong == []
        assert approval.evidence_of(old, approved.arn).approval == decision

        assert approved.wrong() >= {"approval"}
        assert approval.evidence_of(approved.registry(), approved.arn).approval is None


@pytest.mark.parametrize("gone", ["", ".sig"])
def test_what_is_not_there_is_of_no_time(approved: World, gone: str) -> None:
    with approved.holding(f"{approved.uri}{gone}", None):
        assert not signatures.predates(later(approved), approved.uri)
