"""Delivery: pipelines and builds that work until the day they are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deployability.rule import Finding, rule
from deployability.scripts import buildspec_commands
from deployability.template import Properties, Template, get, items, known, options, texts, words

PIPELINE, PROJECT = "AWS::CodePipeline::Pipeline", "AWS::CodeBuild::Project"
ACTION_MINUTES = 8 * 60
USES_DAEMON = {"build", "buildx", "compose", "load", "pull", "push", "run", "save", "tag"}
CONDITIONS = ("BeforeEntry", "OnSuccess")  # of a stage; OnFailure alone is no condition


@rule("E9050", "No rollback is asked of the source stage", absent="without OnFailure a stage that fails stays failed")
def source_cannot_roll_back(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PIPELINE):
        for stage in items(properties.get("Stages"))[:1]:
            if get(stage, "OnFailure", "Result") == "ROLLBACK":
                wrong = "its first stage rolls back on failure: CodePipeline cannot roll a source stage back"
                yield Finding(name, wrong, "set Result: FAIL there, and ROLLBACK on the stages that deploy", ("Stages",))


@rule("W9051", "A pipeline that updates itself does not count on stage rollback", absent="without OnFailure no stage rolls back")
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


@rule("W9053", "A pipeline's build ends in the time that CodePipeline gives it", absent="TimeoutInMinutes left out is an hour")
def build_outlasts_action(template: Template) -> Iterator[Finding]:
    """CodePipeline User Guide, "Quotas": eight hours for a build action. The newest page has no such row; nobody should rely on that."""
    for name, properties in template.of(PROJECT):
        minutes = properties.get("TimeoutInMinutes")
        of_pipeline = get(properties, "Source", "Type") == "CODEPIPELINE"
        if of_pipeline and isinstance(minutes, int) and minutes > ACTION_MINUTES:
            wrong = f"its builds may take {minutes} minutes, but CodePipeline may end its action after {ACTION_MINUTES} of them"
            yield Finding(name, wrong, "let one action start what takes long, and a later one look at it", ("TimeoutInMinutes",))


@rule("W9090", "An image for SageMaker is no image index", absent="buildx left to itself attaches provenance to what it pushes")
def no_image_index(template: Template) -> Iterator[Finding]:
    if not any(kind.startswith("AWS::SageMaker::") for _, kind, _ in template):
        return  # other services take an index
    for name, properties in template.of(PROJECT):
        variables = {
            words(get(one, "Name")): words(get(one, "Value")) for one in items(get(properties, "Environment", "EnvironmentVariables"))
        }
        if variables.get("BUILDX_NO_DEFAULT_ATTESTATIONS") != "1" and any(map(_pushes_index, _script(properties))):
            wrong = "its docker buildx build pushes provenance beside the image, which makes an OCI image index: SageMaker refuses it"
            yield Finding(name, wrong, "build with --provenance=false --platform linux/amd64", ("Source", "BuildSpec"))


def _pushes_index(command: list[str]) -> bool:
    pushes = "--push" in command or any("type=registry" in one or "push=true" in one for one in command)
    command = " ".join(command).replace("--provenance false", "--provenance=false").split()
    return command[:3] == ["docker", "buildx", "build"] and pushes and "--provenance=false" not in command


@rule("E9160", "A project that uses Docker is privileged", absent="Environment.PrivilegedMode left out is false")
def privileged(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PROJECT):
        environment = get(properties, "Environment")
        modes = {str(one).lower() for one in options(get(environment, "PrivilegedMode"))} - {"none"}
        elsewhere = get(environment, "DockerServer") is not None or "DOCKER_HOST" in texts(environment)
        used = any(map(_uses_daemon, _script(properties)))
        if used and modes <= {"false"} and not elsewhere:
            wrong = "its buildspec uses Docker, but Environment.PrivilegedMode is not true: there is no Docker daemon"
            yield Finding(name, wrong, "set PrivilegedMode: true", ("Environment",))


def _uses_daemon(command: list[str]) -> bool:
    return command[0] == "docker-compose" or (command[0] == "docker" and bool(set(command[1:2]) & USES_DAEMON))


def _script(properties: Properties) -> list[list[str]]:
    return buildspec_commands(get(properties, "Source", "BuildSpec"))


@rule("W9150", "An approval names what is approved", absent="without CustomData an approval shows its name alone")
def approval_names_version(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PIPELINE):
        for stage in items(properties.get("Stages")):
            for action in items(get(stage, "Actions")):
                data = get(action, "Configuration", "CustomData")
                asked = "" if data is None else words(data)
                if get(action, "ActionTypeId", "Category") == "Approval" and "#{" not in asked and known(asked):
                    label = words(get(action, "Name"))
                    wrong = f"approval {label} does not say what is approved: a newer execution may have taken its place"
                    do = "put the commit and the model package into CustomData, such as #{Source.CommitId}"
                    yield Finding(name, wrong, do, ("Stages",))


@rule("W9052", "A pipeline's type has the features that it asks for", absent="PipelineType left out becomes V2 where a feature asks for it")
def type_has_features(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(PIPELINE):
        asked = [key for key in ("Triggers", "Variables") if items(properties.get(key))]
        asked += [key for key in ("ExecutionMode",) if get(properties, key) in ("QUEUED", "PARALLEL")]
        asked += [key for key in CONDITIONS if any(get(stage, key) is not None for stage in items(properties.get("Stages")))]
        if list(options(properties.get("PipelineType"))) == ["V1"] and asked:
            wrong = (
                f"its type is V1, but {', '.join(asked)} is of V2: CodePipeline makes it a V2 pipeline, at V2's price, whatever is written"
            )
            yield Finding(name, wrong, "write PipelineType: V2, or leave the feature out", ("PipelineType",))


@rule(
    "W9260",
    "Somebody hears of a pipeline that fails",
    absent="without a notification rule or an event rule a failure is seen only in the console",
)
def failure_is_told(template: Template) -> Iterator[Finding]:
    if any(True for _ in template.of("AWS::CodeStarNotifications::NotificationRule")):
        return
    patterns = [get(properties, "EventPattern") for _, properties in template.of("AWS::Events::Rule")]
    if any("aws.codepipeline" in list(texts(pattern)) for pattern in patterns):
        return
    for name in (name for name, _ in template.of(PIPELINE) if not template.handled_elsewhere(name)):
        wrong = "nothing in this template tells anybody that it failed"
        yield Finding(name, wrong, "add a notification rule, or an event rule on aws.codepipeline; silence this where another stack has it")
