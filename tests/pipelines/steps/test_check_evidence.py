"""What stands between an approval and a deployment, as a stage runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import naming
from pipelines.evidence import document
from pipelines.serving_stack import ServingOutputs
from tests.reference import CONFIG, MODEL
from tests.support.moto_server import client_at
from tests.support.programs import run_step
from tests.support.world import BOUND, World

PRODUCTION = CONFIG.environments[-1]
PLACE = ("--model", MODEL, "--environment", PRODUCTION.name)


def run(world: World, tree: Path, url: str, *which: str) -> subprocess.CompletedProcess[str]:
    world.write_facts()
    return run_step(tree, "check_evidence", *PLACE, *which, url=url)


def test_a_stage_is_told_what_matched(approved: World, tree: Path, evidence_server: str) -> None:
    ran = run(approved, tree, evidence_server, "--model-package-arn", approved.arn)

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"model_package_arn": approved.arn, "matches": sorted(BOUND)}
    assert f"model artifact       {approved.evidence.artifact.sha256}" in ran.stderr.splitlines()


def test_all_that_does_not_match_is_told_in_one_line(approved: World, tree: Path, evidence_server: str) -> None:
    with approved.holding(approved.model_data, b"other"), approved.holding(approved.evidence.data.uri, None):
        ran = run(approved, tree, evidence_server, "--model-package-arn", approved.arn, "--evidence-sha256", "ab" * 32)

    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith(
        f"check_evidence: {approved.arn}: data does not match: found nothing at {approved.evidence.data.uri}, expected "
    )
    assert f"model artifact does not match: found {document.sha256(b'other')}, expected {approved.evidence.artifact.sha256}" in ran.stderr
    assert f"approval does not match: found {document.shown_sha256(approved.evidence)}, expected {'ab' * 32}" in ran.stderr
    assert "report does not match" not in ran.stderr
    assert ran.stderr.endswith("nothing was deployed: find out what changed it, and push again\n")


def test_what_a_stack_serves_is_checked(approved: World, tree: Path, evidence_server: str) -> None:
    outputs = ServingOutputs(
        endpoint_name="e", endpoint_config_name="c", model_package=approved.arn, rollback_alarms="a", log_group="l", capture_bucket="b"
    )
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.values().items()},
    }
    stack = naming.serving_stack(CONFIG, MODEL, PRODUCTION)
    absent = run(approved, tree, evidence_server)
    client_at(evidence_server, "cloudformation", PRODUCTION.account).create_stack(StackName=stack, TemplateBody=json.dumps(template))
    there = run(approved, tree, evidence_server)

    assert (absent.returncode, json.loads(absent.stdout)) == (0, {"model_package_arn": None})
    assert absent.stderr == f"{stack} is not deployed yet: there is no evidence to check\n"
    assert (there.returncode, json.loads(there.stdout)["model_package_arn"]) == (0, approved.arn), there.stderr
