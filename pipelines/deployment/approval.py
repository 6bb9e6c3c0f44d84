"""A person's decision, from CodePipeline into a document beside the evidence, and into the registry: who approved a version, and why.

CodePipeline keeps the decision; SageMaker asks the registry, an auditor the pack. They are joined here and nowhere else, and
only when the approval that was given in this very execution was asked for this very package, commit and evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.deployment import package, signatures
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import ApprovalRecord, DocumentError, Evidence

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_codepipeline.type_defs import ActionExecutionDetailTypeDef


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a person was asked: the action of an execution of a pipeline, and what the decision is about."""

    pipeline: str
    execution: str
    action: str
    model_package_arn: str
    commit: str
    evidence_sha256: str


def decision(codepipeline: CodePipelineClient, request: Request) -> ApprovalRecord:
    """The approval that this execution got for this package, commit and evidence.

    Raises:
        DeploymentError: there is none, or it was asked for something else.
    """
    approvals = list(_approvals(codepipeline, request))
    if not approvals:
        raise DeploymentError(
            f"{request.pipeline}: execution {request.execution} has no approval {request.action}: nothing to record: approve it first"
        )
    latest = max(approvals, key=lambda approval: approval["lastUpdateTime"])
    asked = latest.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", "")
    about = {request.model_package_arn, request.commit, request.evidence_sha256}
    if not about <= set(re.split(r"[\s,]+", asked)):  # whole words: version 1 is not version 12
        raise DeploymentError(
            f"the approval was asked for {asked!r}, not for {request.model_package_arn} of commit {request.commit}"
            f" with evidence sha256 {request.evidence_sha256}: refused: approve this one"
        )
    reason = latest.get("output", {}).get("executionResult", {}).get("externalExecutionSummary") or ""
    return ApprovalRecord(
        version=1,
        model_package_arn=request.model_package_arn,
        commit=request.commit,
        status="Approved",
        by=latest.get("updatedBy") or "unknown",
        time=document.utc(latest["lastUpdateTime"]),
        reason=" ".join(reason.split()) or "none given",
        execution=request.execution,
        evidence_sha256=request.evidence_sha256,
    )


def checked(content: bytes, approval: ApprovalRecord, *, signed: bool) -> Evidence:
    """The evidence that the approval is for. `content` is what lies in the pack, `signed` whether the evidence key signed it.

    Raises:
        DeploymentError: it is not the evidence that was approved.
        DocumentError: it is no evidence.
    """
    evidence = document.load_evidence(content)
    if (shown := document.sha256(content)) != approval.evidence_sha256:
        why = f"the evidence has sha256 {shown}, the approval was given for {approval.evidence_sha256}"
        raise DeploymentError(f"{why}: refused: push again")
    if not signed:
        raise DeploymentError("the evidence's signature does not match: refused: find out who wrote it, and push again")
    if evidence.model_package_arn != approval.model_package_arn:
        raise DeploymentError(
            f"the evidence is of {evidence.model_package_arn}, the approval of {approval.model_package_arn}: refused: push again"
        )
    if evidence.delivery.execution != approval.execution:
        raise DeploymentError(
            f"the evidence is of execution {evidence.delivery.execution}, the approval of {approval.execution}: refused: push again"
        )
    return evidence


def record(registry: Registry, approval: ApprovalRecord) -> str:
    """Write the approval beside the evidence, then into the registry; the sentence that the registry keeps.

    Raises:
        DeploymentError: the version was rejected, or the evidence is not what was approved; nothing was written then.
    """
    sagemaker, uri = registry.sagemaker, pack.evidence_uri(registry.artifacts, approval.model_package_arn)
    version = package.read(sagemaker, approval.model_package_arn)
    if version.status == "Rejected":
        raise DeploymentError(
            f"{version.arn} was rejected in the registry ({version.approval}): an approval does not undo that: push again"
        )
    content = pack.read(registry.s3, uri)
    if content is None:
        raise DeploymentError(f"{uri} is not there: there is no evidence to approve: push again")
    try:
        evidence = checked(content, approval, signed=signatures.measured(registry, uri, content))
        registry.press.decide(evidence, approval)
    except DocumentError as error:
        raise DeploymentError(f"{error}: nothing was approved: find out who changed that, and push again") from error
    text = document.approval_sentence(document.with_approval(evidence, approval))
    if (version.status, version.approval) != ("Approved", text):
        sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus="Approved", ApprovalDescription=text)
    return text


def standing(registry: Registry, model_package_arn: str) -> ApprovalRecord | None:
    """The decision beside a model package's evidence; None where there is none that the release key signed.

    Raises:
        DocumentError: what is signed is no decision.
    """
    uri = pack.approval_uri(registry.artifacts, model_package_arn)
    content = pack.read(registry.s3, uri)
    if content is None or not pack.signed(registry.s3, registry.release_signer, uri, content):
        return None
    return document.load_approval(content)


def evidence_of(registry: Registry, model_package_arn: str) -> Evidence:
    """A model package's evidence and the decision about exactly this evidence as one, each under the key that is due; without one, alone.

    Raises:
        DeploymentError: there is no evidence that holds.
        DocumentError: what is signed is not what its schema says.
    """
    uri = pack.evidence_uri(registry.artifacts, model_package_arn)
    content = pack.read(registry.s3, uri)
    if content is None or not signatures.measured(registry, uri, content):
        raise DeploymentError(f"{uri}: there is no evidence with a signature that holds: deliver the model again with a push")
    evidence, approval = document.load_evidence(content), standing(registry, model_package_arn)
    if approval and (approval.model_package_arn, approval.evidence_sha256) == (model_package_arn, document.sha256(content)):
        return document.with_approval(evidence, approval)
    return evidence if signatures.predates(registry, uri) else document.without_approval(evidence)


def _approvals(codepipeline: CodePipelineClient, request: Request) -> Iterator[ActionExecutionDetailTypeDef]:
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=request.pipeline, filter={"pipelineExecutionId": request.execution}
    )
    wanted = (request.action, request.execution, "Succeeded")
    for page in pages:
        for action in page["actionExecutionDetails"]:
            if (action["actionName"], action["pipelineExecutionId"], action["status"]) == wanted:
                yield action
