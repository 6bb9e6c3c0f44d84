"""Delivery: pipelines and builds that work until the day they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployability.rule import Finding, rule
from deployability.template import Properties, Template, get, items, texts, words

PIPELINE, PROJECT = "AWS::CodePipeline::Pipeline", "AWS::CodeBuild::Project"
ACTION_MINUTES = 8 * 60
BUILDS = re.compile(r"\bdocker\s+(buildx\s+)?build\b")
USES_DOCKER = re.compile(r"\bdocker\s+(buildx|build|run|push|load|compose)\b")


@rule("E9050", "No rollback is asked of the source stage")
def source_cannot_roll_back(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PIPELINE):
        for stage in items(properties.get("Stages"))[:1]:
            if get(stage, "OnFailure", "Result") == "ROLLBACK":
                wrong = "its first stage rolls back on failure: CodePipeline cannot roll a source stage back"
                yield Finding(name, wrong, "set Result: FAIL there, and ROLLBACK on the stages that deploy", ("Stages",))


@rule("W9051", "A pipeline that updates itself does not count on stage rollback")
def self_mutation_erases_targets(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PIPELINE):
        stages = items(properties.get("Stages"))
        rolls_back = [words(get(stage, "Name")) for stage in stages if get(stage, "OnFailure", "Result") == "ROLLBACK"]
        updates = [
            words(get(stage, "Name"))
            for stage in stages
            if re.fullmatch(r"(?i)(self.?mutat.*|update.?pipeline.*)", words(get(stage, "Name")))
        ]
        if rolls_back and updates:
            wrong = f"stage {updates[0]} changes the pipeline, after which stage {rolls_back[0]} has nothing to roll back to"
            yield Finding(name, wrong, "keep a rollback of your own, from the model registry", ("Stages",))


@rule("W9052", "A pipeline's build ends in the time that CodePipeline gives it")
def build_outlasts_action(template: Template) -> Iterator[Finding]:
    """CodePipeline User Guide, "Quotas": eight hours for a build action. The newest page has no such row; nobody should rely on that."""
    for name, properties in template.of(PROJECT):
        minutes = properties.get("TimeoutInMinutes")
        of_pipeline = get(properties, "Source", "Type") == "CODEPIPELINE"
        if of_pipeline and isinstance(minutes, int) and minutes > ACTION_MINUTES:
            wrong = f"its builds may take {minutes} minutes, but CodePipeline may end its action after {ACTION_MINUTES} of them"
            yield Finding(name, wrong, "let one action start what takes long, and a later one look at it", ("TimeoutInMinutes",))


@rule("W9090", "An image for SageMaker is no image index")
def no_image_index(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PROJECT):
        script = _buildspec(properties)
        if BUILDS.search(script) and "--provenance=false" not in script and "BUILDX_NO_DEFAULT_ATTESTATIONS=1" not in script:
            wrong = "its docker build attaches provenance, which makes an OCI image index: SageMaker refuses such an image"
            yield Finding(name, wrong, "build with --provenance=false --platform linux/amd64", ("Source", "BuildSpec"))


@rule("E9160", "A project that uses Docker is privileged")
def privileged(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PROJECT):
        mode = get(properties, "Environment", "PrivilegedMode")
        lambda_or_off = mode is None or str(mode).lower() == "false"
        if USES_DOCKER.search(_buildspec(properties)) and lambda_or_off:
            wrong = "its buildspec uses Docker, but Environment.PrivilegedMode is not true: there is no Docker daemon"
            yield Finding(name, wrong, "set PrivilegedMode: true", ("Environment",))


def _buildspec(properties: Properties) -> str:
    return "\n".join(texts(get(properties, "Source", "BuildSpec")))


@rule("W9150", "An approval names what is approved")
def approval_names_version(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PIPELINE):
        for stage in items(properties.get("Stages")):
            for action in items(get(stage, "Actions")):
                asked = "".join(texts(get(action, "Configuration", "CustomData")))
                if get(action, "ActionTypeId", "Category") == "Approval" and "#{" not in asked:
                    wrong = (
                        f"approval {words(get(action, 'Name'))} does not say what is approved: a newer execution may have taken its place"
                    )
                    yield Finding(
                        name, wrong, "put the commit and the model package into CustomData, such as #{Source.CommitId}", ("Stages",)
                    )


@rule("W9170", "An approved package starts a deployment once")
def events_are_filtered(template: Template) -> Iterator[Finding]:
    for name, properties in template.of("AWS::Events::Rule"):
        pattern = properties.get("EventPattern")
        changes = "SageMaker Model Package State Change" in list(texts(pattern))
        if changes and get(pattern, "detail", "ModelApprovalStatus") is None and items(properties.get("Targets")):
            wrong = "it fires at every change of a model package, several times for one approval, and for rejections too"
            yield Finding(
                name, wrong, "filter on detail.ModelApprovalStatus, and make the target idempotent by package ARN", ("EventPattern",)
            )
