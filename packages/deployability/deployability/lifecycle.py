"""Names and endings: what cannot be created, replaced or created again under its name, and what cannot be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployability.rule import Finding, rule
from deployability.schemas import create_only, name_property
from deployability.template import Properties, Template, items, known, references, shortest, words

FULL = {
    "AWS::S3::Bucket": "a bucket with objects in it",
    "AWS::SageMaker::ModelPackageGroup": "a group with versions in it",
    "AWS::ECR::Repository": "a repository with images in it",
}
LONGEST = {
    "AWS::S3::Bucket": ("BucketName", 63),
    "AWS::SageMaker::Model": ("ModelName", 63),
    "AWS::SageMaker::EndpointConfig": ("EndpointConfigName", 63),
    "AWS::SageMaker::Endpoint": ("EndpointName", 63),
    "AWS::SageMaker::ModelPackageGroup": ("ModelPackageGroupName", 63),
    "AWS::SageMaker::ModelCard": ("ModelCardName", 63),
    "AWS::IAM::Role": ("RoleName", 64),
}


@rule("W9180", "What cannot be deleted while full has its ending decided", absent="DeletionPolicy left out is Delete, EmptyOnDelete false")
def ending_decided(template: Template) -> Iterator[Finding]:
    for kind, what in FULL.items():
        for name, properties in template.of(kind):
            emptied = str(properties.get("EmptyOnDelete", "false")).lower() == "true"
            if template.attribute(name, "DeletionPolicy") is None and not emptied and not template.handled_elsewhere(name):
                yield Finding(
                    name, f"{what} cannot be deleted: deleting the stack fails half-way", "set DeletionPolicy: Retain, or empty it first"
                )


@rule("E9210", "Names are no longer than allowed", absent="without a name CloudFormation makes one that fits")
def short_enough(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        key, most = LONGEST.get(kind, ("", 0))
        least = shortest(words(properties[key])) if key in properties else 0
        if least > most:
            yield Finding(name, f"{key} has at least {least} characters: {most} are allowed", "shorten it, or leave it out", (key,))


@rule(
    "W9022", "What a parameter can replace has no fixed name", absent="without a name CloudFormation makes a new one for each replacement"
)
def replaceable_has_no_fixed_name(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        key = _fixed_name(kind, properties)
        if key is None or kind in ("AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"):  # which E9020 judges
            continue
        for other in sorted(create_only(kind) & set(properties) - {key}):
            changeable = sorted(one for one in set(references(properties[other])) if _can_change(template.parameters.get(one)))
            if changeable:
                wrong = f"{other} can only be changed by replacing it, {changeable[0]} changes it, and its fixed {key} is then taken"
                yield Finding(name, wrong, f"leave {key} out, put {changeable[0]} into it, or write {other} as a constant", (other,))


def _can_change(parameter: dict[str, Any] | None) -> bool:
    return parameter is not None and len(items(parameter.get("AllowedValues"))) != 1


@rule(
    "W9023",
    "What is kept does not block its own second creation",
    absent="DeletionPolicy left out is Delete: a failed creation leaves nothing",
)
def kept_except_on_create(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        key = _fixed_name(kind, properties)
        if key and template.attribute(name, "DeletionPolicy") == "Retain":
            wrong = f"it is kept with its fixed {key} even when its first creation fails: the next attempt finds the name taken"
            yield Finding(name, wrong, "set DeletionPolicy: RetainExceptOnCreate")


def _fixed_name(kind: str, properties: Properties) -> str | None:
    """The property that names a resource, where it is one that stays the same."""
    key = name_property(kind)
    return key if key and key in properties and known(words(properties[key])) else None


# Which property of which resource has to name something that exists already when the resource is made: the properties' own pages.
NAMES = {
    ("AWS::ECS::Service", "Cluster"): "AWS::ECS::Cluster",
    ("AWS::IAM::InstanceProfile", "Roles"): "AWS::IAM::Role",
    ("AWS::IAM::Policy", "Roles"): "AWS::IAM::Role",
    ("AWS::Lambda::EventSourceMapping", "FunctionName"): "AWS::Lambda::Function",
    ("AWS::Lambda::Permission", "FunctionName"): "AWS::Lambda::Function",
    ("AWS::Logs::LogStream", "LogGroupName"): "AWS::Logs::LogGroup",
    ("AWS::Logs::MetricFilter", "LogGroupName"): "AWS::Logs::LogGroup",
    ("AWS::Logs::SubscriptionFilter", "LogGroupName"): "AWS::Logs::LogGroup",
    ("AWS::S3::BucketPolicy", "Bucket"): "AWS::S3::Bucket",
    ("AWS::SageMaker::Endpoint", "EndpointConfigName"): "AWS::SageMaker::EndpointConfig",
    ("AWS::SageMaker::ModelPackage", "ModelPackageGroupName"): "AWS::SageMaker::ModelPackageGroup",
}


@rule("E9025", "What is named in words is waited for", absent="without DependsOn or a reference, CloudFormation makes both at once")
def named_is_waited_for(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        for wanted, key, text in _named(kind, properties):
            for other, target in template.of(wanted):
                named = _fixed_name(wanted, target)
                if named and words(target[named]) == text and other not in template.waits_for(name):
                    wrong = f"{key} says {text!r}, the name of {other} in this template, which may be made later"
                    yield Finding(name, wrong, f"write Ref: {other} there, or add DependsOn: {other}", (key,))


def _named(kind: str, properties: Properties) -> Iterator[tuple[str, str, str]]:
    """(type, property, text) of every resource that a resource names."""
    if kind == "AWS::SageMaker::EndpointConfig":
        for variant in items(properties.get("ProductionVariants")):
            if isinstance(variant, dict) and "ModelName" in variant:
                yield "AWS::SageMaker::Model", "ProductionVariants", words(variant["ModelName"])
    for (user, key), wanted in NAMES.items():
        if user == kind:
            yield from ((wanted, key, words(value)) for value in items(properties.get(key)))
