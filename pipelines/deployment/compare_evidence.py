"""Holds a version's evidence and the decision about it against everything that they bind: all of it must be what was approved.

Digests are made anew from the things themselves, not from what anybody noted about them, and each signature must be of the key that is due.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

import naming
from pipelines.deployment import package, signatures
from pipelines.deployment.errors import DeploymentError, code
from pipelines.deployment.package import TRAINED_AS, Package
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, envelope, pack, publish, statements
from pipelines.evidence.document import DocumentError, Evidence
from pipelines.evidence.envelope import Statement
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One thing that the evidence binds: what the evidence says of it, and what was found."""

    what: str
    expected: str
    found: str

    @property
    def matches(self) -> bool:
        """Whether it is what it was."""
        return self.expected == self.found

    def line(self) -> str:
        """The comparison as a sentence."""
        return f"{self.what} does not match: found {self.found}, expected {self.expected}"


def compare(registry: Registry, model_package_arn: str, *, evidence_sha256: str | None = None) -> list[Comparison]:
    """Compare a model package's evidence with everything it binds. `evidence_sha256` is the digest that was approved, where it is known.

    Raises:
        DeploymentError: there is no evidence.
    """
    uri = pack.evidence_uri(registry.artifacts, model_package_arn)
    content = pack.read(registry.s3, uri)
    if content is None:
        raise DeploymentError(f"{uri} is not there: {model_package_arn} has no evidence: deliver it again with a push")
    signature = _signature("signature", registry.signer, uri, signatures.measured(registry, uri, content))
    try:
        evidence = document.load_evidence(content)
    except DocumentError as error:
        return [signature, Comparison(what="schema", expected="valid", found=str(error))]
    version = package.read(registry.sagemaker, model_package_arn)
    comparisons = [signature, *_origin(registry, evidence, version), *_files(registry, evidence, version)]
    if of_one_key := signatures.predates(registry, uri):
        shown = document.shown_sha256(evidence)
    else:
        shown = document.sha256(content)
        comparisons.append(_attestation(registry, registry.signer, pack.beside(uri, pack.ATTESTATIONS), statements.of_evidence(evidence)))
    comparisons += _approval(registry, evidence, version, shown, of_one_key=of_one_key)
    if evidence_sha256:
        comparisons.append(Comparison(what="approval", expected=evidence_sha256, found=shown))
    return comparisons


def bound(registry: Registry, model_package_arn: str) -> Package:
    """A model package that is what its signed evidence binds, right now: image, archive, and the archive's digest as Train measured it.

    Whoever serves it asks this at the moment of use: between a check and a use, there is time.

    Raises:
        DeploymentError: there is no evidence that is signed, or the registry names something else by now.
    """
    uri = pack.evidence_uri(registry.artifacts, model_package_arn)
    content = pack.read(registry.s3, uri)
    if content is None or not pack.signed(registry.s3, registry.signer, uri, content):
        raise DeploymentError(f"{uri}: there is no evidence with a signature that holds: deliver the model again with a push")
    evidence, version = document.load_evidence(content), package.read(registry.sagemaker, model_package_arn)
    comparisons = [
        Comparison(what="model package", expected=evidence.model_package_arn, found=version.arn),
        Comparison(what="image", expected=evidence.image.uri, found=version.image),
        Comparison(what="model artifact", expected=evidence.artifact.uri, found=version.data),
        *_registered_artifact(evidence, version),
    ]
    if wrong := [comparison.line() for comparison in comparisons if not comparison.matches]:
        raise DeploymentError(f"{version.arn}: {'; '.join(wrong)}: it was changed after its approval: find out by whom, and push again")
    return version


def _registered_artifact(evidence: Evidence, version: Package) -> Iterator[Comparison]:
    """The digest in the registry; packages of 0.1.0 have none."""
    if evidence.artifact.version:
        yield Comparison(
            what="model artifact", expected=evidence.artifact.sha256, found=version.artifact_sha256 or "no digest in the registry"
        )


def _origin(registry: Registry, evidence: Evidence, version: Package) -> Iterator[Comparison]:
    registered = version.metadata
    yield Comparison(what="model package", expected=evidence.model_package_arn, found=version.arn)
    yield Comparison(what="commit", expected=evidence.commit.id, found=registered.get("commit", "nothing in the registry"))
    yield Comparison(what="commit", expected=evidence.trained_commit, found=evidence.evaluation.commit)
    if evidence.training.inputs_sha256:
        found = registered.get(naming.TRAINING_SHA256, "nothing in the registry")
        yield Comparison(what="training inputs", expected=evidence.training.inputs_sha256, found=found)
    if evidence.reuse:
        yield Comparison(what="trained as", expected=evidence.reuse.model_package_arn, found=registered.get(TRAINED_AS, "nothing"))
    yield Comparison(what="data", expected=evidence.data.sha256, found=registered.get("data_sha256", "nothing in the registry"))
    yield Comparison(what="image", expected=evidence.image.uri, found=version.image)
    yield Comparison(what="image", expected=evidence.image.digest, found=_digest(registry.ecr, version.image))
    definition = publish.definition_of(registry.sagemaker, evidence.training.execution_arn)
    yield Comparison(what="pipeline definition", expected=evidence.training.definition_sha256, found=document.sha256(definition.encode()))


def _files(registry: Registry, evidence: Evidence, version: Package) -> Iterator[Comparison]:
    bill = pack.bill_of_materials(registry.artifacts, evidence.image.uri)
    copy = pack.beside(pack.evidence_uri(registry.artifacts, version.arn), pack.SBOM)
    yield Comparison(what="model artifact", expected=evidence.artifact.uri, found=version.data)
    yield from _registered_artifact(evidence, version)
    yield Comparison(what="report", expected=evidence.report.uri, found=pack.report_of(version.data))
    for what, uri, expected, pinned in (
        ("data", evidence.data.uri, evidence.data.sha256, evidence.data.version),
        ("bill of materials", bill, evidence.image.sbom_sha256, None),
        ("bill of materials", copy, evidence.image.sbom_sha256, None),
        ("model artifact", version.data, evidence.artifact.sha256, evidence.artifact.version),
        ("report", evidence.report.uri, evidence.report.sha256, evidence.report.version),
    ):
        measured = pack.measure(registry.s3, uri)
        yield Comparison(what=what, expected=expected, found=measured.sha256 if measured else f"nothing at {uri}")
        if measured and pinned and measured.sha256 == expected:  # swapped and put back it is another version
            yield Comparison(what=what, expected=f"version {pinned}", found=f"version {measured.version}")


def _approval(registry: Registry, evidence: Evidence, version: Package, shown: str, *, of_one_key: bool) -> Iterator[Comparison]:
    """`shown` is the digest of what was shown; `of_one_key`: the evidence is older than the release key, and may hold its approval."""
    uri = pack.approval_uri(registry.artifacts, version.arn)
    held, approval = pack.read(registry.s3, uri), evidence.approval
    if held is None and approval is None:
        yield Comparison(what="approval", expected="Approved", found=f"nothing at {uri}")
    elif held is None and not of_one_key:
        due, place = f"signed with {registry.release_signer.key}", pack.beside(uri, pack.EVIDENCE)
        yield Comparison(what="approval", expected=due, found=f"in {place}, signed with {registry.signer.key}")
    elif held is not None:
        yield _signature("approval", registry.release_signer, uri, pack.signed(registry.s3, registry.release_signer, uri, held))
        try:
            approval = document.load_approval(held)
        except DocumentError as error:
            yield Comparison(what="approval", expected="valid", found=str(error))
            return
        yield Comparison(what="approval", expected=version.arn, found=approval.model_package_arn)
        yield Comparison(what="approval", expected=evidence.commit.id, found=approval.commit)
        said = statements.of_approval(evidence, approval, pack.beside(uri, pack.EVIDENCE))
        yield _attestation(registry, registry.release_signer, pack.beside(uri, pack.APPROVAL_ATTESTATION), said)
    if approval:
        yield Comparison(what="approval", expected=shown, found=approval.evidence_sha256)
        yield Comparison(what="approval", expected=evidence.delivery.execution, found=approval.execution)
        evidence = document.with_approval(evidence, approval)
    yield Comparison(what="approval", expected="Approved", found=version.status)
    yield Comparison(what="approval", expected=document.approval_sentence(evidence), found=version.approval)


def _signature(what: str, signer: Signer, uri: str, holds: bool) -> Comparison:
    return Comparison(what=what, expected="valid", found="valid" if holds else f"none that {signer.key} made for {uri}")


def _attestation(registry: Registry, signer: Signer, uri: str, said: Sequence[Statement]) -> Comparison:
    """Signed statements against what they follow from."""
    expected = f"{len(said)} signed with {signer.key}, as the document beside says"
    content = pack.read(registry.s3, uri)
    if content is None:
        return Comparison(what="attestation", expected=expected, found=f"nothing at {uri}")
    try:
        same = envelope.unseal(signer, content, uri) == list(said)
    except DocumentError as error:
        return Comparison(what="attestation", expected=expected, found=str(error))
    return Comparison(what="attestation", expected=expected, found=expected if same else f"other statements at {uri}")


def _digest(ecr: ECRClient, image_uri: str) -> str:
    """The digest under which the repository has the image."""
    host, _, named = image_uri.partition("/")
    repository, _, digest = named.partition("@")
    try:
        images = ecr.describe_images(registryId=host.partition(".")[0], repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except ClientError as error:
        if code(error) not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        return f"no such image in {repository}"
    return images["imageDetails"][0]["imageDigest"]
