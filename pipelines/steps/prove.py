"""Writes down, signs and publishes everything that a decision about one candidate rests on.

Each fact is taken from where it was made, and wherever two places tell the same fact they must agree. Run again, it gives the same
document with the same digest, so that what a person was asked to approve stays what it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from model_code.spec import Behaviour, ModelSpec, load
from pipelines.evidence import document, pack, publish
from pipelines.evidence.document import Commit, Data, Delivery, DocumentError, Evaluation, Evidence, File, Image, Staging, Training
from pipelines.evidence.signature import Signer
from pipelines.steps import package
from pipelines.steps.package import Package
from pipelines.steps.step import StepError, parser, print_exports, progress, run

SOURCE = "Source"
# Gates that every candidate must have passed; others may report only, or are not declared in model.toml.
JUDGED = {"data contract", "floor", "calibration", "reason codes"}
JUDGED |= {"golden requests", "schema", "parity", "latency", "error rate", "memory"}
NO_AUTHOR = "not told by the repository's provider"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is to be proven: a model package, and the delivery that made it. `staging` is the report of verify, `artifacts` is `s3://bucket`."""

    model: ModelSpec
    model_package_arn: str
    pipeline: str
    execution: str
    cause: str
    training_execution_arn: str
    staging: bytes
    artifacts: str


@dataclass(frozen=True, kw_only=True)
class Clients:
    """The parts of AWS that know the facts."""

    s3: Any
    sagemaker: Any
    codepipeline: Any


def prove(aws: Clients, signer: Signer, candidate: Candidate, *, key: str) -> Evidence:
    """Gather, settle and publish the evidence of one candidate. `key` encrypts its model card.

    Raises:
        StepError: something is missing, malformed or contradictory; nothing was signed then.
    """
    uri = pack.evidence_uri(candidate.artifacts, candidate.model_package_arn)
    try:
        new = gather(aws, candidate, created=document.utc(datetime.now(UTC)))
        content = pack.read(aws.s3, uri)
        existing = document.load_evidence(content) if content else None
        signed = content is not None and pack.signed(aws.s3, signer, uri, content)
        evidence = settled(existing, new, signed=signed)
        publish.publish(aws.s3, aws.sagemaker, signer, evidence, artifacts=candidate.artifacts, key=key)
    except DocumentError as error:
        raise StepError(f"{error}: nothing was signed: correct what wrote that, and push again") from error
    return evidence


def gather(aws: Clients, candidate: Candidate, *, created: str) -> Evidence:
    """Everything known of the candidate, nothing decided.

    Raises:
        StepError: something is missing, two places contradict each other, or a gate has failed or not spoken.
        DocumentError: something is not what its schema says.
    """
    version = package.read(aws.sagemaker, candidate.model_package_arn)
    source = source_variables(aws.codepipeline, candidate.pipeline, candidate.execution)
    report, bill = pack.report_of(version.data), pack.bill_of_materials(candidate.artifacts, version.image)
    held = {uri: _found(aws.s3, uri) for uri in (version.data, report, bill)}
    definition = publish.definition_of(aws.sagemaker, candidate.training_execution_arn)
    trained = pack.json_member(held[version.data], "metadata.json", version.data)
    evaluation = document.parse(Evaluation, pack.json_member(held[version.data], "evaluation.json", version.data), "evaluation.json")
    staging = document.parse(Staging, candidate.staging, "staging report")
    stored = pack.sha256(aws.s3, version.metadata["data_uri"]) if "data_uri" in version.metadata else None
    doubts = [
        *contradictions(_told(candidate, version, source, evaluation, trained, staging, stored)),
        *_not_in(definition, commit=evaluation.commit, image=evaluation.image_uri, data=evaluation.data_sha256),
        *unproven(candidate.model, evaluation, staging),
    ]
    if doubts:
        raise StepError(f"{version.arn}: {'; '.join(doubts)}: nothing was signed: find out what is wrong, and push again")
    content = {
        "version": 1,
        "model": candidate.model.name,
        "purpose": candidate.model.purpose,
        "owner": candidate.model.owner,
        "model_package_arn": version.arn,
        "created": created,
        "commit": _commit(source),
        "delivery": Delivery(pipeline=candidate.pipeline, execution=candidate.execution, cause=candidate.cause),
        "training": Training(execution_arn=candidate.training_execution_arn, definition_sha256=document.sha256(definition.encode())),
        "data": Data(uri=version.metadata["data_uri"], sha256=evaluation.data_sha256, rows=evaluation.rows),
        "image": _image(version.image, held[bill], bill),
        "artifact": File(uri=version.data, sha256=document.sha256(held[version.data])),
        "report": File(uri=report, sha256=document.sha256(held[report])),
        "evaluation": evaluation,
        "staging": staging,
        "approval": None,
    }
    return document.parse(Evidence, content, "evidence.json")


def unproven(model: ModelSpec, evaluation: Evaluation, staging: Staging) -> list[str]:
    """What the gates do not say for the candidate: those that failed, and those that are due and have said nothing."""
    verdicts = (*evaluation.gates, *staging.gates)
    failed = [one.line() for one in verdicts if one.passed is False]
    if evaluation.gates_failed:
        failed.append(f"gates_failed: evaluation.json says {evaluation.gates_failed}, accepted is 0")
    passed, spoken = ({one.gate for one in verdicts if one.passed}, {one.gate for one in verdicts})
    gates = model.gates
    declared = {"slices": gates.slices, "fairness": gates.fairness, "behaviour": gates.behaviour != Behaviour()}
    silent = [*(JUDGED - passed), *({"champion", *(name for name, there in declared.items() if there)} - spoken)]
    return failed + [f"{gate}: no verdict: the image runs another version of the runtime" for gate in sorted(set(silent))]


def settled(existing: Evidence | None, new: Evidence, *, signed: bool) -> Evidence:
    """The evidence to publish: what is there when it says the same, with its time and, when the signature holds, its approval.

    Raises:
        StepError: what is there was approved and says something else.
    """
    if existing is None:
        return new
    if document.without_approval(existing) == new.model_copy(update={"created": existing.created}):
        return existing if signed else document.without_approval(existing)
    if existing.approval and signed:
        raise StepError(
            f"{existing.model_package_arn}: other evidence of it was approved by {existing.approval.by} at {existing.approval.time}:"
            " an approval is for what was shown: push again for a new candidate"
        )
    return new


def contradictions(told: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Facts about which those who tell them differ; a sentence each, with everyone's value. `told` maps fact → who → what.

    >>> contradictions({"commit": {"registry": "a1", "evaluation.json": "b2"}, "image": {"registry": "i", "evaluation.json": "i"}})
    ['commit: registry says a1, evaluation.json says b2']
    """
    return [
        f"{fact}: " + ", ".join(f"{who} says {what or 'nothing'}" for who, what in said.items())
        for fact, said in told.items()
        if len(set(map(str, said.values()))) > 1
    ]


def source_variables(codepipeline: Any, pipeline: str, execution: str) -> dict[str, str]:
    """What the source action of an execution said of its commit: CommitId, CommitMessage, AuthorDate and, with most providers, who.

    Raises:
        StepError: the execution has no source action that succeeded.
    """
    pages = codepipeline.get_paginator("list_action_executions").paginate(pipelineName=pipeline, filter={"pipelineExecutionId": execution})
    for page in pages:
        for action in page["actionExecutionDetails"]:
            found = action.get("output", {}).get("outputVariables", {})
            if action["actionName"] == SOURCE and action["pipelineExecutionId"] == execution and "CommitId" in found:
                return dict(found)
    raise StepError(f"{pipeline}: the source of execution {execution} names no commit: give the execution that delivers this candidate")


def _commit(source: Mapping[str, str]) -> Commit:
    return Commit(
        id=source["CommitId"],
        author=source.get("AuthorEmail") or source.get("AuthorDisplayName") or NO_AUTHOR,
        date=source.get("AuthorDate", ""),
        message=source.get("CommitMessage", ""),
    )


def _told(
    candidate: Candidate,
    version: Package,
    source: Mapping[str, str],
    evaluation: Evaluation,
    metadata: Mapping[str, Any],
    staging: Staging,
    stored: str | None,
) -> dict[str, dict[str, Any]]:
    registry, trained, evaluated = "the registry", "metadata.json", "evaluation.json"
    registered = version.metadata
    return {
        "model": {"the command": candidate.model.name, trained: metadata.get("model"), evaluated: evaluation.model},
        "model package": {"the command": version.arn, "the staging report": staging.model_package_arn},
        "commit": {
            "the source revision": source["CommitId"],
            registry: registered.get("commit"),
            trained: metadata.get("commit"),
            evaluated: evaluation.commit,
        },
        "image": {
            "the model package": version.image,
            registry: registered.get("image_uri"),
            trained: metadata.get("image_uri"),
            evaluated: evaluation.image_uri,
        },
        "data": {
            registry: registered.get("data_sha256"),
            trained: metadata.get("data_sha256"),
            evaluated: evaluation.data_sha256,
            f"the file at {registered.get('data_uri')}": stored,
        },
    }


def _not_in(definition: str, **facts: str) -> list[str]:
    return [
        f"{fact}: evaluation.json says {value}, the pipeline definition does not"
        for fact, value in facts.items()
        if value not in definition
    ]


def _image(uri: str, bill: bytes, bill_uri: str) -> Image:
    components = document.read_json(bill, bill_uri).get("components", [])
    return Image(uri=uri, digest=uri.rpartition("@")[2], sbom_sha256=document.sha256(bill), components=len(components))


def _found(s3: Any, uri: str) -> bytes:
    content = pack.read(s3, uri)
    if content is None:
        raise StepError(f"{uri} is not there: nothing was signed: retry the stage that writes it")
    return content


def main() -> None:
    """Publish the evidence of one candidate; print EVIDENCE_URI and EVIDENCE_SHA256 as shell variables."""
    arguments = parser(__doc__)
    for flag in ("--model", "--pipeline", "--execution", "--model-package-arn", "--training-execution-arn", "--cause"):
        arguments.add_argument(flag, required=True)
    arguments.add_argument("--staging", required=True, type=Path, help="the report that verify wrote")
    arguments.add_argument("--artifacts", required=True, help="s3://bucket")
    arguments.add_argument("--evidence-key", required=True, help="the KMS key that signs")
    arguments.add_argument("--key", required=True, help="the KMS key that encrypts the model card")
    given = vars(arguments.parse_args())
    signer, key = Signer(kms=boto3.client("kms"), key=given.pop("evidence_key")), given.pop("key")
    aws = Clients(s3=boto3.client("s3"), sagemaker=boto3.client("sagemaker"), codepipeline=boto3.client("codepipeline"))
    model, staging = load(given.pop("model")), given.pop("staging").read_bytes()
    evidence = prove(aws, signer, Candidate(model=model, staging=staging, **given), key=key)
    uri = pack.evidence_uri(given["artifacts"], evidence.model_package_arn)
    progress(f"evidence of {evidence.model_package_arn}: {uri}")
    print_exports({"EVIDENCE_URI": uri, "EVIDENCE_SHA256": document.shown_sha256(evidence)})


if __name__ == "__main__":
    run(main, "prove")
