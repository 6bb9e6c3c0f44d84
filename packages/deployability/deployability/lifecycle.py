"""Names and endings: what is too long to be created, and what cannot be deleted."""

from __future__ import annotations

from collections.abc import Iterator

from deployability.rule import Finding, rule
from deployability.template import Template, shortest, words

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


@rule("W9180", "What cannot be deleted while full has its ending decided")
def ending_decided(template: Template) -> Iterator[Finding]:
    for kind, what in FULL.items():
        for name, properties in template.of(kind):
            emptied = str(properties.get("EmptyOnDelete", "false")).lower() == "true"
            if template.attribute(name, "DeletionPolicy") is None and not emptied:
                yield Finding(
                    name, f"{what} cannot be deleted: deleting the stack fails half-way", "set DeletionPolicy: Retain, or empty it first"
                )


@rule("E9210", "Names are no longer than allowed")
def short_enough(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        key, most = LONGEST.get(kind, ("", 0))
        least = shortest(words(properties[key])) if key in properties else 0
        if least > most:
            yield Finding(name, f"{key} has at least {least} characters: {most} are allowed", "shorten it, or leave it out", (key,))
