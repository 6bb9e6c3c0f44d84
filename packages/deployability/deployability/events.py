"""Events: patterns that can never match, and so rules that never fire.

The names and states are those of AWS's own pages: the EventBridge events reference of SageMaker AI, CodePipeline, CodeBuild, CloudWatch,
Amazon S3 and Amazon ECR. What is not in these tables is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deployability.rule import Finding, rule
from deployability.template import Properties, Template, get, items

RULE = "AWS::Events::Rule"
# Every key that the envelope of an event can have: "AWS service event metadata" in the EventBridge user guide.
ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "replay-name", "$or"}
_PIPELINE_STATES = {"STARTED", "SUCCEEDED", "RESUMED", "FAILED", "CANCELED", "SUPERSEDED", "STOPPED", "STOPPING"}
# (source, path of a field, the values it can have) by detail-type; no field where the page lists no values.
EVENTS: dict[str, tuple[str, tuple[str, ...], set[str]]] = {
    "CloudWatch Alarm State Change": ("aws.cloudwatch", ("state", "value"), {"OK", "ALARM", "INSUFFICIENT_DATA"}),
    "CodeBuild Build State Change": ("aws.codebuild", ("build-status",), {"IN_PROGRESS", "SUCCEEDED", "FAILED", "STOPPED"}),
    "CodePipeline Action Execution State Change": ("aws.codepipeline", ("state",), {*_PIPELINE_STATES, "ABANDONED"}),
    "CodePipeline Pipeline Execution State Change": ("aws.codepipeline", ("state",), _PIPELINE_STATES),
    "CodePipeline Stage Execution State Change": ("aws.codepipeline", ("state",), _PIPELINE_STATES),
    "ECR Image Action": ("aws.ecr", ("action-type",), {"PUSH", "DELETE"}),
    "ECR Image Scan": ("aws.ecr", ("scan-status",), {"COMPLETE", "FAILED"}),
    "Object Created": ("aws.s3", (), set()),
    "Object Deleted": ("aws.s3", (), set()),
    **dict.fromkeys(
        (
            f"SageMaker {what} State Change"
            for what in ("Endpoint", "Endpoint Config", "Endpoint Deployment", "Feature Group", "Image", "Model", "Model Card")
        ),
        ("aws.sagemaker", (), set()),
    ),
    "SageMaker Model Building Pipeline Execution Status Change": (
        "aws.sagemaker",
        ("currentPipelineExecutionStatus",),
        {"Executing", "Succeeded", "Failed", "Stopping", "Stopped"},
    ),
    "SageMaker Model Building Pipeline Execution Step Status Change": (
        "aws.sagemaker",
        ("currentStepStatus",),
        {"Starting", "Executing", "Succeeded", "Failed", "Stopping", "Stopped"},
    ),
    "SageMaker Model Package State Change": ("aws.sagemaker", ("ModelApprovalStatus",), {"Approved", "Rejected", "PendingManualApproval"}),
    **{
        f"SageMaker {what} Job State Change": (
            "aws.sagemaker",
            (f"{what}JobStatus",),
            {"InProgress", "Completed", "Failed", "Stopping", "Stopped"},
        )
        for what in ("Training", "Transform", "Processing")
    },
}


@rule("E9250", "An event pattern can match an event", absent="a key that a pattern leaves out matches everything")
def can_match(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(RULE):
        pattern = get(properties, "EventPattern")
        if isinstance(pattern, dict) and not _filled_in(pattern):
            for wrong, do in _never(pattern):
                yield Finding(name, f"its pattern can never match: {wrong}", do, ("EventPattern",))


def _never(pattern: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in sorted(set(map(str, pattern)) - ENVELOPE):
        yield f"no event has a key {key!r}", f"name one of {', '.join(sorted(ENVELOPE - {'$or'}))}"
    if scalar := _scalar(pattern):
        yield f"the value of {scalar} is not a list", f"write it as a list: [{scalar.rpartition('.')[2]}…]"
        return
    kinds, sources = items(pattern.get("detail-type")), items(pattern.get("source"))
    if not kinds or not all(isinstance(one, str) for one in (*kinds, *sources)):
        return
    misspelt = [(one, right) for one in kinds for right in EVENTS if one != right and _plain(one) == _plain(right)]
    if len(misspelt) == len(kinds):
        yield f"AWS writes {misspelt[0][0]!r} as {misspelt[0][1]!r}", "write it so; capitals and blanks count"
    if not all(kind in EVENTS for kind in kinds):
        return
    if sources and not any(EVENTS[kind][0] == source for kind in kinds for source in sources):
        yield f"{kinds[0]!r} comes from {EVENTS[kinds[0]][0]}, not from {sources[0]}", f"name {EVENTS[kinds[0]][0]} as the source"
    if len(set(kinds)) == 1:
        yield from _wrong_detail(kinds[0], pattern.get("detail"))


def _wrong_detail(kind: str, detail: Any) -> Iterator[tuple[str, str]]:
    source, path, values = EVENTS[kind]
    asked = items(get(detail, *path)) if path else []
    if asked and all(isinstance(one, str) for one in asked) and not set(asked) & values:
        yield f"{'.'.join(path)} is never {asked[0]!r}", f"choose from {', '.join(sorted(values))}"
    for other, (its_source, its_path, _) in EVENTS.items():
        if its_source == source and its_path and its_path != path and get(detail, *its_path) is not None:
            yield f"{'.'.join(its_path)} is of {other!r}, not of {kind!r}", f"ask for {other!r}, or for another field"


def _scalar(pattern: dict[str, Any]) -> str:
    """The first key whose value is a bare text or number: EventBridge asks for a list of the values that match."""
    for key, value in pattern.items():
        if isinstance(value, str | int | float | bool):
            return key
        if isinstance(value, dict) and not _filled_in(value) and (below := _scalar(value)):
            return f"{key}.{below}"
    return ""


def _filled_in(value: dict[str, Any]) -> bool:
    return any(key == "Ref" or str(key).startswith("Fn::") for key in value)


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text).lower()


@rule("W9170", "An approved package starts a deployment once", absent="a pattern without ModelApprovalStatus matches every status")
def events_are_filtered(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(RULE):
        pattern = get(properties, "EventPattern")
        changes = "SageMaker Model Package State Change" in items(get(pattern, "detail-type"))
        if changes and get(pattern, "detail", "ModelApprovalStatus") is None and items(properties.get("Targets")):
            wrong = "it fires at every change of a model package, several times for one approval, and for rejections too"
            yield Finding(
                name, wrong, "filter on detail.ModelApprovalStatus, and make the target idempotent by package ARN", ("EventPattern",)
            )


@rule(
    "E9251",
    "A bucket that a rule waits on sends its events",
    absent="EventBridgeConfiguration left out: Amazon S3 sends EventBridge nothing",
)
def bucket_sends(template: Template) -> Iterator[Finding]:
    for _, properties in template.of(RULE):
        pattern = get(properties, "EventPattern")
        if "aws.s3" not in items(get(pattern, "source")) or not set(items(get(pattern, "detail-type"))) & {
            "Object Created",
            "Object Deleted",
        }:
            continue
        for value in items(get(pattern, "detail", "bucket", "name")):
            bucket = template.pointed(value, "AWS::S3::Bucket")
            if bucket and not _sends(bucket[1]) and not template.handled_elsewhere(bucket[0]):
                wrong = "a rule waits for its objects, but it sends no events to EventBridge"
                yield Finding(bucket[0], wrong, "set NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled: true")


def _sends(bucket: Properties) -> bool:
    notified = get(bucket, "NotificationConfiguration")
    return notified is not None and (not isinstance(notified, dict) or "EventBridgeConfiguration" in notified or "Ref" in notified)
