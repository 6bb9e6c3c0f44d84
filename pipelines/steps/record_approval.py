"""Writes a person's decision into the evidence and the registry: who approved this version, for which commit, and why.

CodePipeline keeps the decision; SageMaker asks the registry, an auditor the evidence. They are joined here and nowhere else, and
only when the approval that was given in this very execution was asked for this very package, commit and evidence.
"""

from __future__ import annotations

import re
from typing import Any

import boto3

from pipelines.evidence import document, pack, publish
from pipelines.evidence.document import Approval, DocumentError, Evidence
from pipelines.evidence.signature import Signer
from pipelines.steps import package
from pipelines.steps.step import StepError, parser, print_report, run


def approval(
    codepipeline: Any, *, pipeline: str, execution: str, action: str, package_arn: str, commit: str, evidence_sha256: str
) -> Approval:
    """The approval that this execution got for this package, commit and evidence.

    Raises:
        StepError: there is none, or it was asked for something else.
    """
    pages = codepipeline.get_paginator("list_action_executions").paginate(pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    given = [
        one
        for page in pages
        for one in page["actionExecutionDetails"]
        if one["actionName"] == action and one["pipelineExecutionId"] == execution and one["status"] == "Succeeded"
    ]
    if not given:
        raise StepError(f"{pipeline}: execution {execution} has no approval {action}: nothing to record: approve it first")
    latest: dict[str, Any] = max(given, key=lambda one: one["lastUpdateTime"])
    asked = latest.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", "")
    if not {package_arn, commit, evidence_sha256} <= set(re.split(r"[\s,]+", asked)):  # whole words: version 1 is not version 12
        raise StepError(
            f"the approval was asked for {asked!r}, not for {package_arn} of commit {commit} with evidence sha256 {evidence_sha256}:"
            " refused: approve this one"
        )
    reason = latest.get("output", {}).get("executionResult", {}).get("externalExecutionSummary") or ""
    return Approval(
        status="Approved",
        by=latest.get("updatedBy") or "unknown",
        time=document.utc(latest["lastUpdateTime"]),
        reason=" ".join(reason.split()) or "none given",
        execution=execution,
        evidence_sha256=evidence_sha256,
    )


def approved(content: bytes, given: Approval, package_arn: str, *, signed: bool) -> Evidence:
    """The evidence with the approval in it. `content` is what lies in the pack, `signed` whether its signature holds.

    Evidence that has an approval already may be unsigned: its signature comes last, and the step may have been killed before.

    Raises:
        StepError: it is not the evidence that was approved.
        DocumentError: it is no evidence.
    """
    evidence = document.load_evidence(content)
    if (found := document.shown_sha256(evidence)) != given.evidence_sha256:
        raise StepError(f"the evidence has sha256 {found}, the approval was given for {given.evidence_sha256}: refused: push again")
    if not signed and evidence.approval is None:
        raise StepError("the evidence's signature does not match: refused: find out who wrote it, and push again")
    if evidence.model_package_arn != package_arn:
        raise StepError(f"the evidence is of {evidence.model_package_arn}, the approval of {package_arn}: refused: push again")
    if evidence.delivery.execution != given.execution:
        raise StepError(
            f"the evidence is of execution {evidence.delivery.execution}, the approval of {given.execution}: refused: push again"
        )
    return evidence.model_copy(update={"approval": given})


def main() -> None:
    """Approve `--model-package-arn` in its evidence and in the registry, if this execution's approval says so."""
    arguments = parser(__doc__)
    for flag in ("--pipeline", "--execution", "--action", "--model-package-arn", "--commit", "--evidence-uri", "--evidence-sha256"):
        arguments.add_argument(flag, required=True)
    arguments.add_argument("--evidence-key", required=True, help="the KMS key that signs")
    arguments.add_argument("--key", required=True, help="the KMS key that encrypts the model card")
    given = arguments.parse_args()
    found = approval(
        boto3.client("codepipeline"),
        pipeline=given.pipeline,
        execution=given.execution,
        action=given.action,
        package_arn=given.model_package_arn,
        commit=given.commit,
        evidence_sha256=given.evidence_sha256,
    )
    signer = Signer(kms=boto3.client("kms"), key=given.evidence_key)
    text = record(
        boto3.client("s3"), boto3.client("sagemaker"), signer, found, given.model_package_arn, uri=given.evidence_uri, key=given.key
    )
    print_report({"model_package_arn": given.model_package_arn, "approval": text, "evidence_sha256": given.evidence_sha256})


def record(s3: Any, sagemaker: Any, signer: Signer, given: Approval, package_arn: str, *, uri: str, key: str) -> str:
    """Write the approval into the evidence at `uri`, then into the registry; the sentence that the registry keeps.

    Raises:
        StepError: the version was rejected, or the evidence is not what was approved; nothing was written then.
    """
    version = package.read(sagemaker, package_arn)
    if version.status == "Rejected":
        raise StepError(f"{version.arn} was rejected in the registry ({version.approval}): an approval does not undo that: push again")
    content = pack.read(s3, uri)
    if content is None:
        raise StepError(f"{uri} is not there: there is no evidence to approve: push again")
    try:
        evidence = approved(content, given, version.arn, signed=pack.signed(s3, signer, uri, content))
        publish.publish(s3, sagemaker, signer, evidence, artifacts=pack.bucket_of(uri), key=key)
    except DocumentError as error:
        raise StepError(f"{error}: nothing was approved: find out who changed that, and push again") from error
    text = document.approval_sentence(evidence)
    if (version.status, version.approval) != ("Approved", text):
        sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus="Approved", ApprovalDescription=text)
    return text


if __name__ == "__main__":
    run(main, "record_approval")
