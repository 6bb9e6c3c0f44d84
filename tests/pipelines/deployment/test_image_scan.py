"""What ECR's scan found decides whether a build goes on; what its answers look like is held by botocore's own model."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from config import AcceptedVulnerability, Images
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.image_scan import Finding, Scan, finished, record, refused, sentence
from pipelines.deployment.pace import Pace
from tests.support.fakes import Clock

DIGEST = f"sha256:{'a' * 64}"
URI = f"100000000001.dkr.ecr.eu-central-1.amazonaws.com/acme/models@{DIGEST}"
WHEN, TODAY = datetime(2026, 11, 29, 12, tzinfo=UTC), date(2026, 11, 29)
ASKED = {"repositoryName": "acme/models", "imageId": {"imageDigest": DIGEST}}
IMAGES = Images()


def basic(name: str, severity: str, package: str = "openssl") -> dict[str, Any]:
    attributes = [{"key": "package_name", "value": package}, {"key": "package_version", "value": "3.0.1"}]
    return {"name": name, "severity": severity, "attributes": attributes}


def enhanced(name: str, severity: str, **more: Any) -> dict[str, Any]:
    packages = [{"name": package, "version": "1.0"} for package in ("libexpat", "python3")]
    return {"severity": severity, "packageVulnerabilityDetails": {"vulnerabilityId": name, "vulnerablePackages": packages}, **more}


def answer(status: str, *, completed: bool = True, description: str = "", **findings: Any) -> dict[str, Any]:
    content = {**({"imageScanCompletedAt": WHEN} if completed else {}), **findings}
    return {"imageScanStatus": {"status": status, "description": description}, "imageScanFindings": content}


def scanned(*answers: dict[str, Any] | str) -> Scan:
    """The scan that these answers of ECR make, one after the other; a text is an error's code."""
    ecr = boto3.client("ecr", region_name="eu-central-1")
    with Stubber(ecr) as stub:
        for each in answers:
            if isinstance(each, str):
                stub.add_client_error("describe_image_scan_findings", each)
            else:
                stub.add_response("describe_image_scan_findings", each)
        scan = finished(ecr, URI, Pace(poll_seconds=60, clock=Clock()))
        stub.assert_no_pending_responses()
    return scan


def test_a_scan_is_waited_for() -> None:
    scan = scanned(
        "ScanNotFoundException", answer("IN_PROGRESS", completed=False), answer("COMPLETE", findings=[basic("CVE-2026-1", "HIGH")])
    )

    assert scan == Scan(
        completed=WHEN.isoformat(), findings=(Finding(id="CVE-2026-1", severity="HIGH", package="openssl", version="3.0.1"),)
    )


def test_a_continuous_scan_has_ended_once_before_it_counts() -> None:
    closed = enhanced("CVE-2026-3", "CRITICAL", status="CLOSED")
    scan = scanned(
        answer("PENDING", completed=False),
        answer("ACTIVE", completed=False),
        answer("ACTIVE", enhancedFindings=[enhanced("CVE-2026-2", "UNTRIAGED"), closed]),
    )

    assert [(finding.id, finding.package, finding.severity) for finding in scan.findings] == [
        ("CVE-2026-2", "libexpat", "UNTRIAGED"),
        ("CVE-2026-2", "python3", "UNTRIAGED"),
    ]


def test_every_page_is_read() -> None:
    first = {**answer("COMPLETE", findings=[basic("CVE-2026-1", "LOW")]), "nextToken": "more"}

    assert [finding.id for finding in scanned(first, answer("COMPLETE", findings=[basic("CVE-2026-9", "LOW")])).findings] == [
        "CVE-2026-1",
        "CVE-2026-9",
    ]


@pytest.mark.parametrize("status", ["FAILED", "UNSUPPORTED_IMAGE", "SCAN_ELIGIBILITY_EXPIRED", "FINDINGS_UNAVAILABLE"])
def test_an_image_that_was_not_scanned_is_refused(status: str) -> None:
    with pytest.raises(DeploymentError, match=rf"acme/models: ECR's scan: {status}: no such operating system: build on a base"):
        scanned(answer(status, completed=False, description="no such operating system"))


def test_a_scan_that_never_comes_ends_the_wait() -> None:
    with pytest.raises(DeploymentError, match=r"ECR's scan of acme/models@sha256:a+: not finished after 15 minutes"):
        scanned(*["ScanNotFoundException"] * 16)


def found(*severities: str) -> Scan:
    findings = [Finding(id=f"CVE-{number}", severity=severity, package="p", version="1") for number, severity in enumerate(severities)]
    return Scan(completed="", findings=tuple(findings))


@pytest.mark.parametrize(
    ("refused_from", "ids"),
    [("CRITICAL", ["CVE-2"]), ("HIGH", ["CVE-2", "CVE-1"]), ("LOW", ["CVE-2", "CVE-1", "CVE-0"]), (None, [])],
)
def test_what_is_refused_is_the_severity_of_config_and_worse(refused_from: Any, ids: list[str]) -> None:
    scan = found("LOW", "HIGH", "CRITICAL", "UNDEFINED", "UNTRIAGED", "INFORMATIONAL")

    assert [finding.id for finding in refused(scan, replace(IMAGES, refused_from=refused_from), TODAY)] == ids


def accepting(until: str) -> Images:
    return Images(accepted=(AcceptedVulnerability(id="CVE-0", reason="not reachable", until=until),))


@pytest.mark.parametrize(("until", "accepted"), [("2026-11-29", True), ("2026-11-28", False)])
def test_what_is_accepted_is_so_until_its_day_is_over(until: str, *, accepted: bool) -> None:
    images = accepting(until)
    wrong = refused(found("CRITICAL"), images, TODAY)

    assert (wrong == []) == accepted
    if not accepted:
        assert "CVE-0 (CRITICAL, p 1, was accepted until 2026-11-28)" in sentence(wrong, images, TODAY)


def test_a_day_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"config.py: images.accepted: CVE-0: until: found 'soon', accepted is YYYY-MM-DD"):
        refused(found("CRITICAL"), accepting("soon"), TODAY)


def test_a_refusal_names_the_worst_and_says_what_to_do() -> None:
    wrong = refused(found(*["HIGH"] * 6, "CRITICAL"), replace(IMAGES, refused_from="HIGH"), TODAY)
    said = sentence(wrong, IMAGES, TODAY)

    assert said.startswith("ECR's scan found CVE-6 (CRITICAL, p 1), CVE-0 (HIGH, p 1),")
    assert "and 2 more: renew the base (./road base --renew)" in said


def test_the_record_has_counts_and_reasons() -> None:
    recorded = record(found("CRITICAL", "LOW", "LOW"), accepting("2026-12-31"))

    assert list(recorded["counts"].items()) == [("CRITICAL", 1), ("LOW", 2)]
    assert [finding["accepted"] for finding in recorded["findings"]] == ["not reachable (until 2026-12-31)", None, None]
