"""ECR's scan of images on push. Nothing is looked for: a scan finds what was put to moto's `/moto-api/static/ecr/scan-finding-results`.

What moto makes up where nothing was put is left out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.ecr.models import ECRBackend

MADE_UP = "CVE-9999-9999"
_moto_describe = ECRBackend.describe_image_scan_findings


def install() -> None:
    """Take the place of moto's answer."""
    ECRBackend.describe_image_scan_findings = _describe  # type: ignore[method-assign]


def _describe(self: ECRBackend, registry_id: str, repository_name: str, image_id: dict[str, Any]) -> dict[str, Any]:
    repository = self._get_repository(repository_name, registry_id)
    image = repository._get_image(image_id.get("imageTag"), image_id.get("imageDigest"))
    if image.last_scan is None and _on_push(repository.image_scanning_configuration):
        image.last_scan = datetime.fromtimestamp(image.image_pushed_at)
    answer: dict[str, Any] = _moto_describe(self, registry_id, repository_name, image_id)
    content = answer.get("imageScanFindings", {})
    if [finding["name"] for finding in content.get("findings", [])] == [MADE_UP]:
        content |= {"findings": [], "findingSeverityCounts": {}}
    return answer


def _on_push(configuration: Any) -> bool:
    """As the API writes it, or as a template does."""
    said = configuration.get("scanOnPush", configuration.get("ScanOnPush", False))
    return said in (True, "true")
