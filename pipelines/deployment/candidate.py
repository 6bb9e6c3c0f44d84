"""Gathers everything that a decision about one candidate rests on: each fact from where it was made, and nothing decided.

Wherever two places tell the same fact they must agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import naming
from paved_runtime.protocol import EVALUATION, METADATA
from pipelines.deployment import consistency, ingestions, package, search
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.package import TRAINED_AS
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack, publish
from pipelines.evidence.document import Commit, Data, Delivery, Evaluation, Evidence, File, Image, Staging, Training
from pipelines.evidence.pack import Stored
from pipelines.evidence.publish import inputs_sha256

if TYPE_CHECKING:
    from mypy_boto3_codepipeline import CodePipelineClient
    from mypy_boto3_s3 import S3Client

NO_AUTHOR = "not told by the repository's provider"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model package, and the delivery that made it: the execution of its pipeline, and why there is one; the training pipeline's
    execution; `staging` is the report of verify.
    """

    model_package_arn: str
    execution: str
    cause: str
    training_execution_arn: str
    staging: bytes


def gather(registry: Registry, candidate: Candidate, *, created: str) -> Evidence:
    """The evidence of a candidate, before anybody has decided.

    Raises:
        DeploymentError: something is missing, two places contradict each other, or a gate has failed or not spoken.
        DocumentError: something is not what its schema says.
    """
    model, s3 = registry.model, registry.s3
    pipeline = naming.delivery_pipeline(registry.config, model.name)
    version = package.read(registry.sagemaker, candidate.model_package_arn)
    source = source_variables(registry.codepipeline, pipeline, candidate.execution)
    report, bill = pack.report_of(version.data), pack.bill_of_materials(registry.artifacts, version.image)
    held = {uri: _fetch(s3, uri) for uri in (version.data, report, bill)}
    archive = held[version.data].content
    definition = publish.definition_of(registry.sagemaker, candidate.training_execution_arn)
    inputs = inputs_sha256(definition)
    metadata = pack.json_member(archive, METADATA, version.data)
    evaluation = document.parse(Evaluation, pack.json_member(archive, EVALUATION, version.data), EVALUATION)
    staging = document.parse(Staging, candidate.staging, "staging report")
    stored = pack.measure(s3, version.metadata["data_uri"]) if "data_uri" in version.metadata else None
    trained = package.read(registry.sagemaker, version.metadata[TRAINED_AS]) if TRAINED_AS in version.metadata else None
    searched = search.of_run(registry.sagemaker, candidate.training_execution_arn) if model.training.search else None
    statements = consistency.statements(
        model.name, version, source["CommitId"], evaluation, metadata, archive, held[report].content, staging, stored, definition, trained
    )
    doubts = [
        *consistency.contradictions(statements),
        *consistency.missing_in(definition, commit=evaluation.commit, image=evaluation.image_uri, data=evaluation.data_sha256),
        *consistency.unproven(model, evaluation, staging, batched=model.serving[registry.config.environments[0].name].batch is not None),
        *(search.doubts(searched, evaluation) if model.training.search else []),
    ]
    if doubts:
        raise DeploymentError(f"{version.arn}: {'; '.join(doubts)}: nothing was signed: find out what is wrong, and push again")
    content = {
        "version": 1,
        "model": model.name,
        "purpose": model.purpose,
        "owner": model.owner,
        "model_package_arn": version.arn,
        "created": created,
        "commit": _commit(source),
        "delivery": Delivery(pipeline=pipeline, execution=candidate.execution, cause=candidate.cause),
        "training": Training(
            execution_arn=candidate.training_execution_arn,
            definition_sha256=document.sha256(definition.encode()),
            inputs_sha256=inputs or None,
        ),
        "reuse": {"model_package_arn": trained.arn, "commit": evaluation.commit, "inputs_sha256": inputs} if trained else None,
        "search": searched,
        "data": Data(
            uri=version.metadata["data_uri"],
            sha256=evaluation.data_sha256,
            version=version.metadata.get("data_version"),
            rows=evaluation.rows,
        ),
        "ingestions": ingestions.behind(registry, evaluation),
        "image": _image(version.image, held[bill].content, bill),
        "artifact": _file(version.data, held[version.data]),
        "report": _file(report, held[report]),
        "evaluation": evaluation,
        "staging": staging,
        "approval": None,
    }
    return document.parse(Evidence, content, "evidence.json")


def source_variables(codepipeline: CodePipelineClient, pipeline: str, execution: str) -> dict[str, str]:
    """What the source action of an execution said of its commit: CommitId, CommitMessage, AuthorDate and, with most providers, who.

    Raises:
        DeploymentError: the execution has no source action that succeeded.
    """
    pages = codepipeline.get_paginator("list_action_executions").paginate(pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    for page in pages:
        for action in page["actionExecutionDetails"]:
            variables = action.get("output", {}).get("outputVariables", {})
            if action["actionName"] == naming.SOURCE and action["pipelineExecutionId"] == execution and "CommitId" in variables:
                return dict(variables)
    raise DeploymentError(
        f"{pipeline}: the source of execution {execution} names no commit: give the execution that delivers this candidate"
    )


def _commit(source: Mapping[str, str]) -> Commit:
    return Commit(
        id=source["CommitId"],
        author=source.get("AuthorEmail") or source.get("AuthorDisplayName") or NO_AUTHOR,
        date=source.get("AuthorDate", ""),
        message=source.get("CommitMessage", ""),
    )


def _image(uri: str, bill: bytes, bill_uri: str) -> Image:
    components = document.read_json(bill, bill_uri).get("components", [])
    return Image(uri=uri, digest=uri.rpartition("@")[2], sbom_sha256=document.sha256(bill), components=len(components))


def _file(uri: str, stored: Stored) -> File:
    return File(uri=uri, sha256=stored.sha256, version=stored.version or None)


def _fetch(s3: S3Client, uri: str) -> Stored:
    stored = pack.fetch(s3, uri)
    if stored is None:
        raise DeploymentError(f"{uri} is not there: nothing was signed: retry the stage that writes it")
    return stored
