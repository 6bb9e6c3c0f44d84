"""What ECR's scan found in an image, and whether a model may be trained in it.

A repository's images are scanned when they are pushed: by ECR (basic), or by Amazon Inspector where the registry is set so (enhanced).
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from config import AcceptedVulnerability, Images
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.pace import Pace

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import DescribeImageScanFindingsResponseTypeDef

SEVERITIES = ("UNDEFINED", "UNTRIAGED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL")
WAITED_FOR = ("IN_PROGRESS", "PENDING")
MINUTES = 15
SHOWN = 5  # findings that a refusal names


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A vulnerability, such as `CVE-2026-1234`, in a package of the image. `severity` is one of SEVERITIES."""

    id: str
    severity: str
    package: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A finished scan. `completed` is when, in ISO 8601."""

    completed: str
    findings: tuple[Finding, ...]

    def counts(self) -> dict[str, int]:
        """Findings by severity, the worst first."""
        counted = Counter(finding.severity for finding in self.findings)
        return {severity: counted[severity] for severity in reversed(SEVERITIES) if counted[severity]}


def finished(ecr: ECRClient, image_uri: str, pace: Pace) -> Scan:
    """The scan of an image (`host/repository@sha256:…`), once it has ended.

    Raises:
        DeploymentError: ECR cannot scan this image, the scan failed, or there is none in time.
    """
    name, _, digest = image_uri.partition("/")[2].partition("@")
    for _ in pace.polls(minutes=MINUTES, waiting_for=f"ECR's scan of {name}@{digest}"):
        try:
            pages = list(ecr.get_paginator("describe_image_scan_findings").paginate(repositoryName=name, imageId={"imageDigest": digest}))
        except ecr.exceptions.ScanNotFoundException:
            continue  # not begun, or the registry scans no such repository
        if scan := _read(pages, name):
            return scan
    raise AssertionError("polls end by raising")


def refused(scan: Scan, images: Images, today: date) -> list[Finding]:
    """The findings that end a build, the worst first.

    Raises:
        ValueError: an accepted vulnerability's day is none.
    """
    if images.refused_from is None:
        return []
    worse = SEVERITIES[SEVERITIES.index(images.refused_from) :]
    known = {each.id for each in images.accepted if today <= _until(each)}
    wrong = [finding for finding in scan.findings if finding.severity in worse and finding.id not in known]
    return sorted(wrong, key=lambda finding: (-SEVERITIES.index(finding.severity), finding.id, finding.package))


def sentence(findings: list[Finding], images: Images, today: date) -> str:
    """Why a build ends, and what can be done."""
    over = {each.id: each.until for each in images.accepted if today > _until(each)}
    named = [
        f"{finding.id} ({finding.severity}, {finding.package} {finding.version}{_expired(over.get(finding.id))})"
        for finding in findings[:SHOWN]
    ]
    more = f" and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    return (
        f"ECR's scan found {', '.join(named)}{more}: renew the base (./road base --renew) or the lock (./road lock), "
        "or accept it for a time in config.py: images.accepted"
    )


def record(scan: Scan, images: Images) -> dict[str, Any]:
    """The scan as the bill of materials takes it: what was found, and why what is accepted is."""
    reasons = {each.id: f"{each.reason} (until {each.until})" for each in images.accepted}
    return {
        "completed": scan.completed,
        "counts": scan.counts(),
        "refused_from": images.refused_from,
        "findings": [{**asdict(finding), "accepted": reasons.get(finding.id)} for finding in scan.findings],
    }


def _read(pages: list[DescribeImageScanFindingsResponseTypeDef], name: str) -> Scan | None:
    """The scan that ECR's answer describes; None while it is under way. A continuous one (`ACTIVE`) has ended once at least."""
    status = pages[0]["imageScanStatus"]
    completed = pages[0].get("imageScanFindings", {}).get("imageScanCompletedAt")
    if status["status"] in WAITED_FOR or (status["status"] == "ACTIVE" and not completed):
        return None
    if status["status"] not in ("ACTIVE", "COMPLETE"):
        why = f"{status['status']}: {status.get('description') or 'ECR says no more'}"
        raise DeploymentError(f"{name}: ECR's scan: {why}: build on a base that ECR can scan, or run the step again")
    found = {finding for page in pages for finding in _findings(page)}
    ordered = sorted(found, key=lambda finding: (finding.id, finding.package, finding.version))
    return Scan(completed=completed.isoformat() if completed else "", findings=tuple(ordered))


def _findings(page: DescribeImageScanFindingsResponseTypeDef) -> Iterator[Finding]:
    content = page.get("imageScanFindings", {})
    for basic in content.get("findings", []):
        about = {each["key"]: each.get("value", "") for each in basic.get("attributes", [])}
        package, version = about.get("package_name", ""), about.get("package_version", "")
        yield Finding(id=basic["name"], severity=_severity(basic.get("severity")), package=package, version=version)
    for enhanced in content.get("enhancedFindings", []):
        if enhanced.get("status", "ACTIVE") == "CLOSED":
            continue
        details = enhanced.get("packageVulnerabilityDetails", {})
        name = details.get("vulnerabilityId") or enhanced.get("title", "")
        for each in details.get("vulnerablePackages") or [{}]:
            severity = _severity(enhanced.get("severity"))
            yield Finding(id=name, severity=severity, package=each.get("name", ""), version=each.get("version", ""))


def _severity(said: str | None) -> str:
    """Inspector says UNTRIAGED where it has not judged yet, and ECR UNDEFINED where its source has not."""
    return said if said in SEVERITIES else "UNDEFINED"


def _until(accepted: AcceptedVulnerability) -> date:
    try:
        return date.fromisoformat(accepted.until)
    except ValueError as error:
        raise ValueError(f"config.py: images.accepted: {accepted.id}: until: found {accepted.until!r}, accepted is YYYY-MM-DD") from error


def _expired(until: str | None) -> str:
    return f", was accepted until {until}" if until else ""
