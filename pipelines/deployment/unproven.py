"""Approved versions that no road approved: SageMaker asks the registry alone, so who may write there can approve what was never proven.

They are deployed nowhere: every stage holds a version's evidence against what it binds. This is for people who look.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import naming
from pipelines.deployment import approval, package
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack
from pipelines.evidence.document import DocumentError


@dataclass(frozen=True, kw_only=True)
class Unproven:
    """An approved version (its ARN), and what it lacks."""

    model_package_arn: str
    why: str

    def line(self) -> str:
        """For a person."""
        version = pack.group_and_version(self.model_package_arn)[1]
        return f"version {version} is approved in the registry though {self.why}: find out who approved it, and reject it: {self._reject()}"

    def _reject(self) -> str:
        return f"aws sagemaker update-model-package --model-package-arn {self.model_package_arn} --model-approval-status Rejected"


def unproven(registry: Registry, *, newest: int | None = None) -> list[Unproven]:
    """The approved versions of the model's group whose evidence is not there or says something else, newest first.

    Of `newest` approved ones only, where that is given. What the evidence binds is not looked at: `road evidence --verify` does that.
    """
    pages = registry.sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=naming.model_package_group(registry.config, registry.model.name),
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
    )
    arns = (summary["ModelPackageArn"] for page in pages for summary in page["ModelPackageSummaryList"])
    return [Unproven(model_package_arn=arn, why=why) for arn in islice(arns, newest) if (why := _lacks(registry, arn))]


def _lacks(registry: Registry, arn: str) -> str:
    """What is wrong with an approved version; empty where its evidence says what the registry does."""
    if pack.read(registry.s3, pack.evidence_uri(registry.artifacts, arn)) is None:
        return "it has no evidence"
    try:
        evidence = approval.evidence_of(registry, arn)
    except (DeploymentError, DocumentError) as error:
        return f"its evidence is none ({error})"
    if evidence.model_package_arn != arn:
        return f"its evidence is of {evidence.model_package_arn}"
    if evidence.approval is None:
        return "its evidence has no approval"
    if document.approval_sentence(evidence) != package.read(registry.sagemaker, arn).approval:
        return "its evidence has another approval"
    return ""
