"""Stands between an approval and a deployment: everything that the evidence binds is looked at again, and must be what was approved.

Digests are made anew from the things themselves, not from what anybody noted about them. What does not match is named, all of it.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from pipelines.evidence import document, pack, publish
from pipelines.evidence.document import DocumentError, Evidence
from pipelines.evidence.signature import Signer
from pipelines.steps import environment, package
from pipelines.steps.package import Package
from pipelines.steps.step import StepError, code, parser, print_report, progress, run


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


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The parts of AWS that hold the things themselves."""

    s3: Any
    sagemaker: Any
    ecr: Any
    signer: Signer


def compare(aws: Clients, model_package_arn: str, artifacts: str, *, evidence_sha256: str | None = None) -> list[Comparison]:
    """Compare a model package's evidence with everything it binds. `evidence_sha256` is the digest that was approved, where it is known.

    Raises:
        StepError: there is no evidence.
    """
    uri = pack.evidence_uri(artifacts, model_package_arn)
    content = pack.read(aws.s3, uri)
    if content is None:
        raise StepError(f"{uri} is not there: {model_package_arn} has no evidence: deliver it again with a push")
    signed = "valid" if pack.signed(aws.s3, aws.signer, uri, content) else f"none that {aws.signer.key} made for {uri}"
    signature = Comparison(what="signature", expected="valid", found=signed)
    try:
        evidence = document.load_evidence(content)
    except DocumentError as error:
        return [signature, Comparison(what="schema", expected="valid", found=str(error))]
    version = package.read(aws.sagemaker, model_package_arn)
    found = [signature, *_origin(aws, evidence, version), *_files(aws, evidence, version, artifacts), *_approval(evidence, version)]
    if evidence_sha256:
        found.append(Comparison(what="approval", expected=evidence_sha256, found=document.shown_sha256(evidence)))
    return found


def _origin(aws: Clients, evidence: Evidence, version: Package) -> Iterator[Comparison]:
    registered = version.metadata
    yield Comparison(what="model package", expected=evidence.model_package_arn, found=version.arn)
    yield Comparison(what="commit", expected=evidence.commit.id, found=registered.get("commit", "nothing in the registry"))
    yield Comparison(what="commit", expected=evidence.commit.id, found=evidence.evaluation.commit)
    yield Comparison(what="data", expected=evidence.data.sha256, found=registered.get("data_sha256", "nothing in the registry"))
    yield Comparison(what="image", expected=evidence.image.uri, found=version.image)
    yield Comparison(what="image", expected=evidence.image.digest, found=_digest(aws.ecr, version.image))
    definition = publish.definition_of(aws.sagemaker, evidence.training.execution_arn)
    yield Comparison(what="pipeline definition", expected=evidence.training.definition_sha256, found=document.sha256(definition.encode()))


def _files(aws: Clients, evidence: Evidence, version: Package, artifacts: str) -> Iterator[Comparison]:
    bill = pack.bill_of_materials(artifacts, evidence.image.uri)
    copy = pack.beside(pack.evidence_uri(artifacts, version.arn), pack.SBOM)
    yield Comparison(what="model artifact", expected=evidence.artifact.uri, found=version.data)
    yield Comparison(what="report", expected=evidence.report.uri, found=pack.report_of(version.data))
    for what, uri, expected in (
        ("data", evidence.data.uri, evidence.data.sha256),
        ("bill of materials", bill, evidence.image.sbom_sha256),
        ("bill of materials", copy, evidence.image.sbom_sha256),
        ("model artifact", version.data, evidence.artifact.sha256),
        ("report", evidence.report.uri, evidence.report.sha256),
    ):
        yield Comparison(what=what, expected=expected, found=pack.sha256(aws.s3, uri) or f"nothing at {uri}")


def _approval(evidence: Evidence, version: Package) -> Iterator[Comparison]:
    given = evidence.approval
    if given is None:
        yield Comparison(what="approval", expected="Approved", found="none in the evidence")
    else:
        yield Comparison(what="approval", expected=document.shown_sha256(evidence), found=given.evidence_sha256)
        yield Comparison(what="approval", expected=evidence.delivery.execution, found=given.execution)
    yield Comparison(what="approval", expected="Approved", found=version.status)
    yield Comparison(what="approval", expected=document.approval_sentence(evidence), found=version.approval)


def _digest(ecr: Any, image_uri: str) -> str:
    """The digest under which the registry has the image."""
    host, _, named = image_uri.partition("/")
    repository, _, digest = named.partition("@")
    try:
        found = ecr.describe_images(registryId=host.partition(".")[0], repositoryName=repository, imageIds=[{"imageDigest": digest}])
    except ClientError as error:
        if code(error) not in ("ImageNotFoundException", "RepositoryNotFoundException"):
            raise
        return f"no such image in {repository}"
    return str(found["imageDetails"][0]["imageDigest"])


def main() -> None:
    """Compare the evidence of a model package, or of the one that a stack serves, with everything it binds."""
    arguments = parser(__doc__)
    which = arguments.add_mutually_exclusive_group(required=True)
    which.add_argument("--model-package-arn")
    which.add_argument("--stack", help="a serving stack; needs --account, --region and --role; one that is not there is no failure")
    environment.add_arguments(arguments, required=False)
    arguments.add_argument("--artifacts", required=True, help="s3://bucket")
    arguments.add_argument("--evidence-key", required=True, help="the KMS key that signed")
    arguments.add_argument("--evidence-sha256", help="the digest that was approved")
    given = arguments.parse_args()
    arn = given.model_package_arn or _served(given)
    if arn is None:
        progress(f"{given.stack} is not deployed yet: there is no evidence to check")
        print_report({"model_package_arn": None})
        return
    signer = Signer(kms=boto3.client("kms"), key=given.evidence_key)
    aws = Clients(s3=boto3.client("s3"), sagemaker=boto3.client("sagemaker"), ecr=boto3.client("ecr"), signer=signer)
    found = compare(aws, arn, given.artifacts, evidence_sha256=given.evidence_sha256)
    if wrong := [one.line() for one in found if not one.matches]:
        raise StepError(f"{arn}: {'; '.join(wrong)}: nothing was deployed: find out what changed it, and push again")
    for one in found:
        progress(f"{one.what:<20} {one.found}")
    print_report({"model_package_arn": arn, "matches": sorted({one.what for one in found})})


def _served(given: Namespace) -> str | None:
    """The model package that the stack was deployed with; None when there is no stack."""
    if not environment.deployed(given, given.stack):
        return None
    outputs = environment.stack_outputs(environment.verifier(given), given.stack)
    return outputs["ModelPackage"] if outputs else None


if __name__ == "__main__":
    run(main, "check_evidence")
