"""A deployment is written into the ledger, as a stage does it."""

from __future__ import annotations

import json
from pathlib import Path

from pipelines.evidence import document
from tests.reference import CONFIG, MODEL
from tests.support.ledger import VERIFIED
from tests.support.programs import run_step
from tests.support.world import ADA, EXECUTION, World


def test_only_signed_evidence_is_recorded(approved: World, tree: Path, evidence_server: str, tmp_path: Path) -> None:
    approved.write_facts()
    verified = tmp_path / "verified.json"
    verified.write_text(json.dumps({**VERIFIED, "model_package_arn": approved.arn, "gates": []}))
    about = ["--model", MODEL, "--environment", CONFIG.environments[-1].name, "--execution", EXECUTION, "--model-package-arn", approved.arn]
    ran = run_step(tree, "record_deployment", *about, "--verified", str(verified), url=evidence_server)
    assert ran.returncode == 0, ran.stderr
    with approved.holding(f"{approved.uri}.sig", b"bm90aGluZw=="):
        refused = run_step(tree, "record_deployment", *about, "--verified", str(verified), url=evidence_server)

    assert document.load_entry(approved.read(json.loads(ran.stdout)["entry"])).approved_by == ADA
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (1, "", 1)
    assert "there is no evidence with a signature that holds" in refused.stderr
