"""The ledger: one signed entry a deployment, however often the step runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.tree import HERE
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError, LedgerEntry
from pipelines.steps.record_deployment import entry, record
from pipelines.steps.step import StepError
from tests.pipelines.evidence import sample
from tests.pipelines.evidence.world import ADA, EXECUTION, Killed, World, mortal

VERIFIED = {"endpoint": "paved-road-lead-scoring-production", "endpoint_config": "LiveConfig-1", "model_package_arn": f"{sample.ARN}/7"}


def made(**changes: Any) -> LedgerEntry:
    given = {"environment": "production", "execution": "e-1", "time": "2026-11-21T10:00:00Z", **changes}
    return entry(sample.approved(), VERIFIED, **given)


def test_an_entry_says_what_serves_and_who_let_it_in() -> None:
    evidence = sample.approved()
    assert evidence.approval

    assert made().model_dump() == {
        "version": 1,
        "action": "deployed",
        "model": "lead_scoring",
        "environment": "production",
        "time": "2026-11-21T10:00:00Z",
        "execution": "e-1",
        "model_package_arn": evidence.model_package_arn,
        "evidence_sha256": document.shown_sha256(evidence),
        "commit": sample.COMMIT,
        "data_sha256": sample.DATA,
        "image_uri": evidence.image.uri,
        "endpoint": "paved-road-lead-scoring-production",
        "endpoint_config": "LiveConfig-1",
        "approved_by": evidence.approval.by,
        "reason": evidence.approval.reason,
        "rolled_back_from": None,
    }


def test_an_environment_without_approval_has_no_approver() -> None:
    found = entry(sample.evidence(), VERIFIED, environment="staging", execution="e", time="2026-11-21T10:00:00Z")

    assert (found.approved_by, found.reason) == ("", "")


def test_what_verify_did_not_see_is_not_recorded() -> None:
    with pytest.raises(StepError, match="verify looked at None, the evidence is of arn:"):
        entry(sample.approved(), {"endpoint": None}, environment="production", execution="e", time="2026-11-21T10:00:00Z")
    with pytest.raises(DocumentError, match="ledger entry: endpoint_config: found 'None'"):
        entry(
            sample.approved(), {**VERIFIED, "endpoint_config": None}, environment="production", execution="e", time="2026-11-21T10:00:00Z"
        )


def test_an_execution_is_recorded_once(staged: World) -> None:
    first = record(staged.s3, staged.signer, staged.artifacts, made())
    again = record(staged.s3, staged.signer, staged.artifacts, made(time="2026-11-21T11:00:00Z"))
    other = record(staged.s3, staged.signer, staged.artifacts, made(execution="e-2", time="2026-11-21T12:00:00Z"))
    elsewhere = record(staged.s3, staged.signer, staged.artifacts, made(environment="canada"))

    assert again == first
    assert list(pack.ledger_entries(staged.s3, staged.artifacts, "production")) == [first, other]
    assert document.load_entry(staged.read(first)).time == "2026-11-21T10:00:00Z"
    assert elsewhere.startswith(f"{staged.artifacts}/ledger/canada/")
    assert all(pack.signed(staged.s3, staged.signer, uri, staged.read(uri)) for uri in (first, other, elsewhere))


def test_an_execution_that_deployed_something_else_later_is_recorded_again(staged: World) -> None:
    record(staged.s3, staged.signer, staged.artifacts, made())
    retried = entry(
        sample.approved(),
        {**VERIFIED, "endpoint_config": "LiveConfig-2"},
        environment="production",
        execution="e-1",
        time="2026-11-21T11:00:00Z",
    )
    newest = record(staged.s3, staged.signer, staged.artifacts, retried)

    assert list(pack.ledger_entries(staged.s3, staged.artifacts, "production"))[-1] == newest
    assert document.load_entry(staged.read(newest)).endpoint_config == "LiveConfig-2"


def test_killed_before_the_signature_it_signs_what_it_wrote(staged: World) -> None:
    with pytest.raises(Killed):
        record(mortal(staged.s3, writes=1), staged.signer, staged.artifacts, made())
    uri = record(staged.s3, staged.signer, staged.artifacts, made(time="2026-11-21T11:00:00Z"))

    assert list(pack.ledger_entries(staged.s3, staged.artifacts, "production")) == [uri]
    assert pack.signed(staged.s3, staged.signer, uri, staged.read(uri))


def test_as_a_stage_runs_it(approved: World, evidence_server: str, tmp_path: Path) -> None:
    verified = tmp_path / "verified.json"
    verified.write_text(json.dumps({**VERIFIED, "model_package_arn": approved.arn, "gates": []}))
    command = [sys.executable, "-m", "pipelines.steps.record_deployment", "--environment", "production", "--execution", EXECUTION]
    command += ["--model-package-arn", approved.arn, "--verified", str(verified)]
    command += ["--artifacts", approved.artifacts, "--evidence-key", approved.signer.key]
    environment = {**os.environ, "AWS_ENDPOINT_URL": evidence_server, "PYTHONPATH": str(HERE)}
    ran = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    uri = json.loads(ran.stdout)["entry"]
    with approved.holding(f"{approved.uri}.sig", b"bm90aGluZw=="):
        refused = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)

    assert document.load_entry(approved.read(uri)).approved_by == ADA
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)
    assert "there is no evidence with a signature that holds: nothing was recorded" in refused.stderr
