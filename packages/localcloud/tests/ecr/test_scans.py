"""What a scan on push finds is what a test has put there, and nothing otherwise."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from moto.ecr.models import ecr_backends

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.in_process import Aws

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "layers": []})


def pushed(aws: Aws, repository: str, *, scanned: bool) -> dict[str, str]:
    ecr = aws.client("ecr")
    ecr.create_repository(repositoryName=repository, imageScanningConfiguration={"scanOnPush": scanned})
    digest = ecr.put_image(repositoryName=repository, imageManifest=MANIFEST, imageTag="1")["image"]["imageId"]["imageDigest"]
    return {"imageDigest": digest}


def test_a_push_is_scanned_and_nothing_is_made_up(aws: Aws) -> None:
    image = pushed(aws, "team/scanned", scanned=True)
    answer = aws.client("ecr").describe_image_scan_findings(repositoryName="team/scanned", imageId=image)

    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert answer["imageScanFindings"]["findings"] == []
    assert answer["imageScanFindings"]["imageScanCompletedAt"]


def test_what_was_put_is_found(aws: Aws) -> None:
    image = pushed(aws, "team/vulnerable", scanned=True)
    found = {"findings": [{"name": "CVE-2026-1", "severity": "CRITICAL"}]}
    ecr_backends[ACCOUNT][REGION].scan_finding_results.append(
        {"repositoryName": "team/vulnerable", "imageId": {}, "imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": found}
    )
    answer = aws.client("ecr").describe_image_scan_findings(repositoryName="team/vulnerable", imageId=image)

    assert [finding["name"] for finding in answer["imageScanFindings"]["findings"]] == ["CVE-2026-1"]


def test_where_pushes_are_not_scanned_there_is_no_scan(aws: Aws) -> None:
    image = pushed(aws, "team/unscanned", scanned=False)

    with pytest.raises(ClientError, match="ScanNotFoundException"):
        aws.client("ecr").describe_image_scan_findings(repositoryName="team/unscanned", imageId=image)
