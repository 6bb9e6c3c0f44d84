"""What ECR's scan found, as the stage asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from tests.reference import MODEL
from tests.support.facts import FACTS, put_facts
from tests.support.moto_server import Clients
from tests.support.programs import run_step
from tests.support.scans import REPOSITORY, finding, put_scan
from tests.support.world import MANIFEST


@pytest.fixture
def image(client: Clients) -> Any:
    ecr = client("ecr")
    uri = ecr.create_repository(repositoryName=REPOSITORY)["repository"]["repositoryUri"]
    put_facts(client("ssm"), replace(FACTS, image_repository=uri))
    pushed = ecr.put_image(repositoryName=REPOSITORY, imageManifest=json.dumps(MANIFEST), imageTag="c0ffee")["image"]["imageId"]
    ecr.start_image_scan(repositoryName=REPOSITORY, imageId={"imageDigest": pushed["imageDigest"]})
    return f"{uri}@{pushed['imageDigest']}"


@pytest.mark.parametrize(("severity", "code"), [("HIGH", 0), ("CRITICAL", 1)])
def test_what_was_found_is_reported_and_a_critical_one_refused(
    server: str, image: str, tree: Path, tmp_path: Path, severity: str, code: int
) -> None:
    put_scan(server, DEFAULT_ACCOUNT_ID, finding("CVE-2026-1", severity))
    report = tmp_path / "scan.json"
    ran = run_step(tree, "scan_image", "--model", MODEL, "--image-uri", image, "--report", str(report), url=server)

    assert ran.returncode == code, ran.stderr
    assert [(each["id"], each["severity"]) for each in json.loads(report.read_text())["findings"]] == [("CVE-2026-1", severity)]
    if code:
        assert ran.stderr.startswith("scan_image: ECR's scan found CVE-2026-1 (CRITICAL")
