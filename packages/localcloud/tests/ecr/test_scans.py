"""What a scan on push finds is what a test has put there, and nothing otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ecr.models import ecr_backends

from localcloud.testing import ACCOUNT, REGION
from localcloud.testing.accounts import Accounts
from localcloud.testing.names import Name
from localcloud.testing.waiting import until

SCAN = pytest.mark.aws("ECR's scan refuses an image")


def pushed(aws: Accounts, repository: str, *, scanned: bool) -> dict[str, Any]:
    """How ECR calls the image of `localcloud.testing` in a new repository."""
    aws.client("ecr").create_repository(repositoryName=repository, imageScanningConfiguration={"scanOnPush": scanned})
    return {"repositoryName": repository, "imageId": {"imageDigest": aws.image(repository).partition("@")[2]}}


@SCAN
def test_a_push_is_scanned(aws: Accounts, name: Name) -> None:
    ecr, image = aws.client("ecr"), pushed(aws, name("scanned"), scanned=True)

    def scanned() -> dict[str, Any] | None:
        try:
            answer: dict[str, Any] = ecr.describe_image_scan_findings(**image)
        except ecr.exceptions.ScanNotFoundException:
            return None  # it has not begun
        return answer if answer["imageScanStatus"]["status"] != "IN_PROGRESS" else None

    answer = until(scanned)
    assert answer["imageScanStatus"]["status"] == "COMPLETE"
    assert answer["imageScanFindings"]["imageScanCompletedAt"]


@pytest.mark.laptop("localcloud looks for nothing")
def test_nothing_is_made_up(aws: Accounts, name: Name) -> None:
    image = pushed(aws, name("clean"), scanned=True)

    assert aws.client("ecr").describe_image_scan_findings(**image)["imageScanFindings"]["findings"] == []


@pytest.mark.laptop("what is found is put into localcloud")
def test_what_was_put_is_found(aws: Accounts, name: Name) -> None:
    image = pushed(aws, name("vulnerable"), scanned=True)
    found = {"findings": [{"name": "CVE-2026-1", "severity": "CRITICAL"}]}
    ecr_backends[ACCOUNT][REGION].scan_finding_results.append(
        {"repositoryName": name("vulnerable"), "imageId": {}, "imageScanStatus": {"status": "COMPLETE"}, "imageScanFindings": found}
    )
    answer = aws.client("ecr").describe_image_scan_findings(**image)

    assert [finding["name"] for finding in answer["imageScanFindings"]["findings"]] == ["CVE-2026-1"]


@SCAN
def test_where_pushes_are_not_scanned_there_is_no_scan(aws: Accounts, name: Name) -> None:
    image = pushed(aws, name("unscanned"), scanned=False)

    with pytest.raises(ClientError, match="ScanNotFoundException"):
        aws.client("ecr").describe_image_scan_findings(**image)
