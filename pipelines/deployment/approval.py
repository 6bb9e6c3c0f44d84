"""A person's decision, from CodePipeline into evidence and registry: who approved a version, for which commit, and why.

CodePipeline keeps the decision; SageMaker asks the registry, an auditor the evidence. They are joined here and nowhere else, and
only when the approval that was given in this very execution was asked for this very package, commit and evidence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.deployment import package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack, publish
from pipelines.evidence.document import Approval, DocumentError, Evidence

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


def decision(codepipeline: CodePipelineClient, request: Request) -> Approval:
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
    return Approval(
        status="Approved",
        by=latest.get("updatedBy") or "unknown",
        time=document.utc(latest["lastUpdateTime"]),
        reason=" ".join(reason.split()) or "none given",
        execution=request.execution,
        evidence_sha256=request.evidence_sha256,
    )


def approved(content: bytes, approval: Approval, model_package_arn: str, *, signed: bool) -> Evidence:
    """The evidence with the approval in it. `content` is what lies in the pack, `signed` whether its signature holds.

    Evidence that has an approval already may be unsigned: its signature comes last, and the step may have been killed before.

    Raises:
        DeploymentError: it is not the evidence that was approved.
        DocumentError: it is no evidence.
    """
    evidence = document.load_evidence(content)
    if (shown := document.shown_sha256(evidence)) != approval.evidence_sha256:
        why = f"the evidence has sha256 {shown}, the approval was given for {approval.evidence_sha256}"
        raise DeploymentError(f"{why}: refused: push again")
    if not signed and evidence.approval is None:
        raise DeploymentError("the evidence's signature does not match: refused: find out who wrote it, and push again")
    if evidence.model_package_arn != model_package_arn:
        raise DeploymentError(f"the evidence is of {evidence.model_package_arn}, the approval of {model_package_arn}: refused: push again")
    if evidence.delivery.execution != approval.execution:
        raise DeploymentError(
            f"the evidence is of execution {evidence.delivery.execution}, the approval of {approval.execution}: refused: push again"
        )
    return evidence.model_copy(update={"approval": approval})


def record(registry: Registry, approval: Approval, model_package_arn: str, *, uri: str) -> str:
    """Write the approval into the evidence at `uri`, then into the registry; the sentence that the registry keeps.

    Raises:
        DeploymentError: the version was rejected, or the evidence is not what was approved; nothing was written then.
    """
    s3, sagemaker, signer = registry.s3, registry.sagemaker, registry.signer
    version = package.read(sagemaker, model_package_arn)
    if version.status == "Rejected":
        raise DeploymentError(
            f"{version.arn} was rejected in the registry ({version.approval}): an approval does not undo that: push again"
        )
    content = pack.read(s3, uri)
    if content is None:
        raise DeploymentError(f"{uri} is not there: there is no evidence to approve: push again")
    try:
        evidence = approved(content, approval, version.arn, signed=pack.signed(s3, signer, uri, content))
        publish.publish(s3, sagemaker, signer, evidence, artifacts=pack.bucket_of(uri), key=registry.facts.key)
    except DocumentError as error:
        raise DeploymentError(f"{error}: nothing was approved: find out who changed that, and push again") from error
    text = document.approval_sentence(evidence)
    if (version.status, version.approval) != ("Approved", text):
        sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus="Approved", ApprovalDescription=text)
    return text


def _approvals(codepipeline: CodePipelineClient, request: Request) -> Iterator[ActionExecutionDetailTypeDef]:
    pages = codepipeline.get_paginator("list_action_executions").paginate(
        pipelineName=request.pipeline, filter={"pipelineExecutionId": request.execution}
    )
    wanted = (request.action, request.execution, "Succeeded")
    for page in pages:
        for action in page["actionExecutionDetails"]:
            if (action["actionName"], action["pipelineExecutionId"], action["status"]) == wanted:
                yield action
