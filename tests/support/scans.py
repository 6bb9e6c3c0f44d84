"""What ECR's next scan finds, where the server is moto's."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

import naming
from tests.reference import CONFIG, MODEL

PATH = "/moto-api/static/ecr/scan-finding-results"
REPOSITORY = naming.image_repository(CONFIG, MODEL)


def finding(name: str, severity: str, package: str = "", version: str = "") -> dict[str, Any]:
    """A vulnerability as ECR's own scan tells of it."""
    attributes = [{"key": "package_name", "value": package}, {"key": "package_version", "value": version}]
    return {"name": name, "severity": severity, "attributes": attributes if package else []}


def put_scan(url: str, account: str, *findings: dict[str, Any], digest: str = "", status: str = "COMPLETE") -> None:
    """Have the scan of the model's image `digest`, or of any without one, end so, in an account of the server at `url`."""
    image = {"imageDigest": digest} if digest else {}
    content = {"findings": list(findings), "imageScanCompletedAt": 1764417600}
    result = {"repositoryName": REPOSITORY, "imageId": image, "imageScanStatus": {"status": status}, "imageScanFindings": content}
    body = json.dumps({"account_id": account, "results": [result], "region": CONFIG.toolchain.region}).encode()
    request = Request(f"{url}{PATH}", body, {"Content-Type": "application/json"})  # noqa: S310 - the test's own server
    with urlopen(request) as answer:  # noqa: S310 - likewise
        assert answer.status == 201
