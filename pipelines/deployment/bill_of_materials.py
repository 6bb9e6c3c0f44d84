"""What is in an image: its bill of materials, CycloneDX 1.6, made of the model's lock.

The same image and scan always give the same bytes, and evidence binds them; what is stored already is never overwritten. The
packages of the base image's operating system are not in the lock, and the bill says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from botocore.exceptions import ClientError
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.impact_analysis import ImpactAnalysisState
from cyclonedx.model.vulnerability import (
    BomTarget,
    Vulnerability,
    VulnerabilityAnalysis,
    VulnerabilityRating,
    VulnerabilitySeverity,
)
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.markers import Marker

from pipelines.deployment.errors import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PLATFORM = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "sys_platform": "linux",
}
SEVERITIES = {
    "INFORMATIONAL": VulnerabilitySeverity.INFO,
    "LOW": VulnerabilitySeverity.LOW,
    "MEDIUM": VulnerabilitySeverity.MEDIUM,
    "HIGH": VulnerabilitySeverity.HIGH,
    "CRITICAL": VulnerabilitySeverity.CRITICAL,
}
NOT_RECORDED = "not recorded by the build"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: *; *([^\\\n]+?))?(?: *\\)?$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One package of a lock. `hashes` are the SHA-256 of the files that may be installed for it, `marker` says where it is."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def pinned(lock: str) -> Iterator[Requirement]:
    """The packages of a pip-style lock with hashes.

    Raises:
        ValueError: one has no hash, or there is none at all.
    """
    lines = list(PINNED.finditer(lock))
    if not lines:
        raise ValueError("the lock pins no package")
    ends = [line.start() for line in lines[1:]] + [len(lock)]
    for line, end in zip(lines, ends, strict=True):
        hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})", lock[line.end() : end])
        if not hashes:
            raise ValueError(f"{line[1]} has no hash in the lock")
        yield Requirement(name=line[1], version=line[2], marker=line[3] or "", hashes=tuple(hashes))


def bill(image_uri: str, lock: str, base: str, scan: Mapping[str, Any], *, project: str) -> bytes:
    """The bill of materials of an image (`…@sha256:…`) that was built on `base`, as JSON; with what its scan found.

    What CycloneDX has no field for is said under the name of `project`. `base` is empty where nobody knows it, `scan` where nobody asked.

    Raises:
        ValueError: the lock cannot be read.
    """
    repository, _, digest = image_uri.partition("@")
    image = Component(
        type=ComponentType.CONTAINER,
        name=repository,
        version=digest,
        bom_ref=image_uri,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))],
        properties=[
            Property(name=f"{project}:base-image", value=base or NOT_RECORDED),
            Property(name=f"{project}:base-image-pinned", value="by digest" if "@sha256:" in base else "no"),
            Property(name=f"{project}:scan-completed", value=scan.get("completed") or NOT_RECORDED),
            Property(name=f"{project}:scan-refused-from", value=scan.get("refused_from") or "no scan was asked for"),
            Property(name=f"{project}:not-listed", value="Python itself and the operating-system packages of the base image"),
        ],
    )
    made = Bom(
        serial_number=uuid5(NAMESPACE_URL, image_uri),
        metadata=BomMetaData(component=image),
        components=[_component(requirement) for requirement in pinned(lock) if _installed(requirement.marker, base)],
        vulnerabilities=[_vulnerability(finding, image) for finding in scan.get("findings", ())],
    )
    made.register_dependency(image, made.components)
    document = json.loads(JsonV1Dot6(made).output_as_string())
    del document["metadata"]["timestamp"]  # the same image, the same bytes
    text = json.dumps(document, sort_keys=True, indent=1) + "\n"
    if problem := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise AssertionError(f"CycloneDX refuses the bill of materials: {str(problem)[:500]}")
    return text.encode()


def store(s3: S3Client, uri: str, content: bytes) -> bool:
    """Store a bill where there is none yet; whether there was none."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="application/json", IfNoneMatch="*")
    except ClientError as error:
        if code(error) != "PreconditionFailed":
            raise
        return False
    return True


def _component(requirement: Requirement) -> Component:
    return Component(
        name=requirement.name,
        version=requirement.version,
        bom_ref=f"{requirement.name}=={requirement.version}",
        purl=PackageURL("pypi", name=requirement.name, version=requirement.version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in requirement.hashes],
    )


def _vulnerability(finding: Mapping[str, Any], image: Component) -> Vulnerability:
    accepted = finding["accepted"]
    return Vulnerability(
        bom_ref=f"{finding['id']} {finding['package']} {finding['version']}",
        id=finding["id"],
        detail=f"{finding['package']} {finding['version']}",
        ratings=[VulnerabilityRating(severity=SEVERITIES.get(finding["severity"], VulnerabilitySeverity.UNKNOWN))],
        analysis=VulnerabilityAnalysis(state=ImpactAnalysisState.IN_TRIAGE, detail=accepted) if accepted else None,
        affects=[BomTarget(ref=str(image.bom_ref.value))],
    )


def _installed(marker: str, base: str) -> bool:
    """Whether pip installs a package with this marker in an image on `base`. One that cannot be told is listed."""
    python = re.search(r"python:(\d+\.\d+)", base)
    if not marker or ("python" in marker and not python):
        return True
    version = python[1] if python else ""
    return Marker(marker).evaluate({**PLATFORM, "python_version": version, "python_full_version": f"{version}.0"})
