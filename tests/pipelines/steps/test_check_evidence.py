"""What a deployment is let through for: everything that the evidence binds is what it was. What happens otherwise is in tests/faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import boto3
import pytest

from cli.tree import HERE
from pipelines.evidence import document
from pipelines.steps.step import StepError
from tests.pipelines.evidence.world import Altered, World
from tests.pipelines.steps.fakes import refusal

BOUND = {
    "signature",
    "model package",
    "commit",
    "data",
    "image",
    "bill of materials",
    "pipeline definition",
    "model artifact",
    "report",
    "approval",
}
STACK = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"ModelPackage": {"Value": ""}}}


def run(world: World, url: str, *which: str) -> subprocess.CompletedProcess[str]:
    """The step as a stage runs it."""
    command = [
        sys.executable,
        "-m",
        "pipelines.steps.check_evidence",
        *which,
        "--artifacts",
        world.artifacts,
        "--evidence-key",
        world.signer.key,
    ]
    environment = {**os.environ, "AWS_ENDPOINT_URL": url, "PYTHONPATH": str(HERE)}
    return subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)


def test_all_that_is_bound_is_compared_and_matches(approved: World) -> None:
    compared = approved.compare(evidence_sha256=document.shown_sha256(approved.evidence))

    assert {one.what for one in compared} == BOUND
    assert [one.line() for one in compared if not one.matches] == []


def test_a_stage_is_told_what_matched(approved: World, evidence_server: str) -> None:
    ran = run(approved, evidence_server, "--model-package-arn", approved.arn)

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {"model_package_arn": approved.arn, "matches": sorted(BOUND)}
    assert f"model artifact       {approved.evidence.artifact.sha256}" in ran.stderr.splitlines()


def test_all_that_does_not_match_is_told_in_one_line(approved: World, evidence_server: str) -> None:
    with approved.holding(approved.model_data, b"other"), approved.holding(approved.evidence.data.uri, None):
        ran = run(approved, evidence_server, "--model-package-arn", approved.arn, "--evidence-sha256", "ab" * 32)

    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (1, "", 1)
    assert ran.stderr.startswith(
        f"check_evidence: {approved.arn}: data does not match: found nothing at {approved.evidence.data.uri}, expected "
    )
    assert f"model artifact does not match: found {document.sha256(b'other')}, expected {approved.evidence.artifact.sha256}" in ran.stderr
    assert f"approval does not match: found {document.shown_sha256(approved.evidence)}, expected {'ab' * 32}" in ran.stderr
    assert "report does not match" not in ran.stderr
    assert ran.stderr.endswith("nothing was deployed: find out what changed it, and push again\n")


def test_what_a_stack_serves_is_checked(approved: World, evidence_server: str) -> None:
    template = {**STACK, "Outputs": {"ModelPackage": {"Value": approved.arn}}}
    where = ["--account", "123456789012", "--region", "eu-west-1", "--role", "verifier"]
    absent = run(approved, evidence_server, "--stack", "Serving", *where)
    boto3.client("cloudformation", endpoint_url=evidence_server).create_stack(StackName="Serving", TemplateBody=json.dumps(template))
    there = run(approved, evidence_server, "--stack", "Serving", *where)

    assert (absent.returncode, json.loads(absent.stdout)) == (0, {"model_package_arn": None})
    assert absent.stderr == "Serving is not deployed yet: there is no evidence to check\n"
    assert (there.returncode, json.loads(there.stdout)["model_package_arn"]) == (0, approved.arn), there.stderr


def test_a_candidate_without_evidence(staged: World) -> None:
    with pytest.raises(StepError, match=r"evidence.json is not there: arn:.* has no evidence: deliver it again with a push"):
        staged.compare()


def test_a_question_that_aws_refuses_is_no_match(approved: World) -> None:
    def refused(**_: object) -> None:
        raise refusal("AccessDeniedException", "not authorized")

    with pytest.raises(Exception, match="not authorized"):
        approved.compare(ecr=Altered(approved.ecr, describe_images=refused))
