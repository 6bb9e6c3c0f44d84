"""What ECR's scan found, as the stage asks for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

import naming
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS, put_facts
from tests.support.moto_server import Clients
from tests.support.programs import run_step
from tests.support.world import MANIFEST

REPOSITORY = naming.image_repository(CONFIG, MODEL)


def put_findings(server: str, name: str, severity: str) -> None:
    """Have the next scan find something."""
    found = {"findings": [{"name": name, "severity": severity}], "imageScanCompletedAt": 1764417600}
    result = {"repositoryName": REPOSITORY, "imageId": {}, "imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": found}
    body = json.dumps({"results": [result], "region": CONFIG.toolchain.region}).encode()
    request = Request(f"{server}/moto-api/static/ecr/scan-finding-results", body, {"Content-Type": "application/json"})  # noqa: S310 - the test's own server
    with urlopen(request) as answer:  # noqa: S310 - likewise
        assert answer.status == 201


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
    put_findings(server, "CVE-2026-1", severity)
    report = tmp_path / "scan.json"
    ran = run_step(tree, "scan_image", "--model", MODEL, "--image-uri", image, "--report", str(report), url=server)

    assert ran.returncode == code, ran.stderr
    assert [(each["id"], each["severity"]) for each in json.loads(report.read_text())["findings"]] == [("CVE-2026-1", severity)]
    if code:
        assert ran.stderr.startswith("scan_image: ECR's scan found CVE-2026-1 (CRITICAL")
