"""Makes a pack from a piece of evidence and from the things it names, and leaves what is there already as it is.

What was measured is published first, signed with the evidence key, and is never written again once somebody has decided. The decision is
published beside it, signed with the release key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import naming
from pipelines.evidence import card, document, envelope, pack, page, statements
from pipelines.evidence.document import ApprovalRecord, DocumentError, Evidence
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


@dataclass(frozen=True, kw_only=True)
class Press:
    """What publishes a model's packs: clients, `s3://bucket`, the keys that sign, and the one (an ARN) that encrypts model cards."""

    s3: S3Client
    sagemaker: SageMakerClient
    artifacts: str
    evidence_key: Signer
    release_key: Signer
    card_key: str

    def publish(self, evidence: Evidence, approval: ApprovalRecord | None = None) -> None:
        """Write the pack and bring the model card in line. `approval` is what was decided about this evidence before.

        The document comes first, so that its time is settled, and its signature last: a pack that is not complete is not signed.

        Raises:
            DocumentError: what the evidence names is not there or is not what it says; nothing was written then.
        """
        content = document.canonical(evidence)
        evidence = document.load_evidence(content)  # in the order in which everybody else will read it
        bound = sources(self.s3, self.sagemaker, evidence, self.artifacts)
        self._write(
            evidence,
            {
                pack.EVIDENCE: content,
                pack.SBOM: bound.bill_of_materials,
                pack.REPORT: (json.dumps(bound.report, indent=1, ensure_ascii=False) + "\n").encode(),
                pack.PUBLIC_KEY: self.evidence_key.public_key().encode(),
                pack.RELEASE_KEY: self.release_key.public_key().encode(),
            },
        )
        uri = pack.evidence_uri(self.artifacts, evidence.model_package_arn)
        envelope.keep(self.s3, self.evidence_key, pack.beside(uri, pack.ATTESTATIONS), statements.of_evidence(evidence))
        self._tell(document.with_approval(evidence, approval) if approval else evidence, bound)
        pack.write_signed(self.s3, self.evidence_key, uri, content)

    def decide(self, evidence: Evidence, approval: ApprovalRecord) -> None:
        """Write the decision beside the evidence, which stays as it is, and have page and model card tell it. The signature comes last.

        Raises:
            DocumentError: like `publish`.
        """
        bound = sources(self.s3, self.sagemaker, evidence, self.artifacts)
        content, uri = document.canonical(approval), pack.approval_uri(self.artifacts, evidence.model_package_arn)
        said = statements.of_approval(evidence, approval, pack.beside(uri, pack.EVIDENCE))
        self._write(evidence, {pack.APPROVAL: content})
        envelope.keep(self.s3, self.release_key, pack.beside(uri, pack.APPROVAL_ATTESTATION), said)
        self._tell(document.with_approval(evidence, approval), bound)
        pack.write_signed(self.s3, self.release_key, uri, content)

    def _tell(self, evidence: Evidence, bound: Sources) -> None:
        """Page and model card, for people. The package's own card follows with the decision: who measures writes no package."""
        used = evidence.evaluation.hyperparameters or hyperparameters(bound.definition)  # older evidence says none
        text = card.content(evidence, bound.report, used)
        self._write(evidence, {pack.CARD: (text + "\n").encode(), pack.PAGE: page.render(evidence, bound.report).encode()})
        card.put(self.sagemaker, evidence, text, self.card_key)
        if evidence.approval:
            card.put_on_package(self.sagemaker, evidence, text)

    def _write(self, evidence: Evidence, files: Mapping[str, bytes]) -> None:
        for name, held in files.items():
            pack.write(self.s3, f"{pack.folder(self.artifacts, evidence.model_package_arn)}/{name}", held)


def definition_of(sagemaker: SageMakerClient, execution_arn: str) -> str:
    """The definition that a run of the training pipeline ran, as SageMaker keeps it."""
    return str(sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution_arn)["PipelineDefinition"])


def hyperparameters(definition: str) -> dict[str, Any]:
    """Those of the definition's training step."""
    steps = json.loads(definition).get("Steps", [])
    trained = [step["Arguments"].get("HyperParameters", {}) for step in steps if step.get("Type") == "Training"]
    return dict(trained[0]) if trained else {}


def inputs_sha256(definition: str) -> str:
    """The digest of all that training depends on, as the definition registers it; empty where it was not known."""
    branches = (step["Arguments"]["IfSteps"] for step in json.loads(definition).get("Steps", []) if step.get("Type") == "Condition")
    registered = [step["Arguments"] for branch in branches for step in branch if step.get("Type") == "RegisterModel"]
    return str(registered[0]["CustomerMetadataProperties"].get(naming.TRAINING_SHA256, "")) if registered else ""


def _the(s3: S3Client, uri: str, sha256: str) -> bytes:
    content = pack.read(s3, uri)
    if content is None:
        raise DocumentError(f"{uri} is not there, but the evidence names it")
    _same(uri, sha256, content)
    return content


def _same(what: str, sha256: str, content: bytes) -> None:
    if (found := document.sha256(content)) != sha256:
        raise DocumentError(f"{what}: found sha256 {found}, the evidence says {sha256}")
