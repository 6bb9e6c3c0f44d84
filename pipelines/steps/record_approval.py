"""Writes a person's decision into the registry: who approved this version, for which commit, and why.

CodePipeline keeps the decision; SageMaker asks the registry. The two are joined here and nowhere else, and only when the
approval that was given in this very execution was asked for this very package.
"""

from __future__ import annotations

import re
from typing import Any

import boto3

from pipelines.steps import package
from pipelines.steps.step import StepError, parser, print_report, run

LONGEST = 1024  # characters of an approval's description


def approval(codepipeline: Any, *, pipeline: str, execution: str, action: str, package_arn: str, commit: str) -> dict[str, Any]:
    """The approval that this execution got for this package.

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
    if not {package_arn, commit} <= set(re.split(r"[\s,]+", asked)):  # whole words: version 1 is not version 12
        raise StepError(f"the approval was asked for {asked!r}, not for {package_arn} of commit {commit}: refused: approve this one")
    return latest


def description(found: dict[str, Any], *, commit: str) -> str:
    """The approval in a sentence, as long as the registry allows."""
    result = found.get("output", {}).get("executionResult", {})
    reason = result.get("externalExecutionSummary") or "none given"
    who = found.get("updatedBy") or "unknown"
    return f"Approved by {who} for commit {commit} in execution {found['pipelineExecutionId']}. Reason: {reason}"[:LONGEST]


def main() -> None:
    """Approve `--model-package-arn` in the registry, if this execution's approval says so."""
    arguments = parser(__doc__)
    for flag in ("--pipeline", "--execution", "--action", "--model-package-arn", "--commit"):
        arguments.add_argument(flag, required=True)
    given = arguments.parse_args()
    found = approval(
        boto3.client("codepipeline"),
        pipeline=given.pipeline,
        execution=given.execution,
        action=given.action,
        package_arn=given.model_package_arn,
        commit=given.commit,
    )
    sagemaker: Any = boto3.client("sagemaker")
    version = package.read(sagemaker, given.model_package_arn)
    text = description(found, commit=given.commit)
    if version.status == "Rejected":
        raise StepError(f"{version.arn} was rejected in the registry ({version.approval}): an approval does not undo that: push again")
    if (version.status, version.approval) != ("Approved", text):
        sagemaker.update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus="Approved", ApprovalDescription=text)
    print_report({"model_package_arn": version.arn, "approval": text})


if __name__ == "__main__":
    run(main, "record_approval")
