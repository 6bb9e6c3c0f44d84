"""Makes a pack from a piece of evidence and from the things it names, and leaves what is there already as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.evidence import card, document, pack, page
from pipelines.evidence.document import DocumentError, Evidence
from pipelines.evidence.signature import Signer

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a pack holds copies of."""

    report: dict[str, Any]
    bill_of_materials: bytes
    definition: str


def sources(s3: S3Client, sagemaker: SageMakerClient, evidence: Evidence, artifacts: str) -> Sources:
    """Fetch what the evidence names.

    Raises:
        DocumentError: one of them is not there or is not what the evidence says.
    """
    archive = _the(s3, evidence.report.uri, evidence.report.sha256)
    bill = _the(s3, pack.bill_of_materials(artifacts, evidence.image.uri), evidence.image.sbom_sha256)
    definition = definition_of(sagemaker, evidence.training.execution_arn)
    _same("pipeline definition", evidence.training.definition_sha256, definition.encode())
    report = pack.json_member(archive, pack.REPORT, evidence.report.uri)
    return Sources(report=report, bill_of_materials=bill, definition=definition)


def publish(s3: S3Client, sagemaker: SageMakerClient, signer: Signer, evidence: Evidence, *, artifacts: str, key: str) -> None:
    """Write the pack and bring the model card in line. `artifacts` is `s3://bucket`, `key` encrypts the card.

    The document comes first, so that its time is settled, and its signature last: a pack that is not complete is not signed.

    Raises:
        DocumentError: what the evidence names is not there or is not what it says; nothing was written then.
    """
    content = document.canonical(evidence)
    evidence = document.load_evidence(content)  # in the order in which everybody else will read it
    bound = sources(s3, sagemaker, evidence, artifacts)
    text = card.content(evidence, bound.report, hyperparameters(bound.definition))
    files = {
        pack.EVIDENCE: content,
        pack.SBOM: bound.bill_of_materials,
        pack.REPORT: (json.dumps(bound.report, indent=1, ensure_ascii=False) + "\n").encode(),
        pack.PUBLIC_KEY: signer.public_key().encode(),
        pack.CARD: (text + "\n").encode(),
        pack.PAGE: page.render(evidence, bound.report).encode(),
    }
    uri = pack.evidence_uri(artifacts, evidence.model_package_arn)
    for name, held in files.items():
        pack.write(s3, pack.beside(uri, name), held)
    card.put(sagemaker, evidence, text, key)
    pack.write_signed(s3, signer, uri, content)


def definition_of(sagemaker: SageMakerClient, execution_arn: str) -> str:
    """The definition that a run of the training pipeline ran, as SageMaker keeps it."""
    return str(sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution_arn)["PipelineDefinition"])


def hyperparameters(definition: str) -> dict[str, Any]:
    """Those of the definition's training step."""
    steps = json.loads(definition).get("Steps", [])
    trained = [step["Arguments"].get("HyperParameters", {}) for step in steps if step.get("Type") == "Training"]
    return dict(trained[0]) if trained else {}


def _the(s3: S3Client, uri: str, sha256: str) -> bytes:
    content = pack.read(s3, uri)
    if content is None:
        raise DocumentError(f"{uri} is not there, but the evidence names it")
    _same(uri, sha256, content)
    return content


def _same(what: str, sha256: str, content: bytes) -> None:
    if (found := document.sha256(content)) != sha256:
        raise DocumentError(f"{what}: found sha256 {found}, the evidence says {sha256}")
