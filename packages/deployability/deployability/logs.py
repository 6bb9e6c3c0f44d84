"""Logs: buckets that logs are sent to and that refuse them, silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deployability.policy import lets_in
from deployability.rule import Finding, rule
from deployability.template import Properties, Template, get, items, options, references

BUCKET, POLICY = "AWS::S3::Bucket", "AWS::S3::BucketPolicy"


@rule(
    "W9220",
    "A bucket that access logs go to takes them",
    absent="without a policy or the ACL LogDeliveryWrite nobody may deliver; without encryption of its own SSE-S3",
)
def takes_access_logs(template: Template) -> Iterator[Finding]:
    """What "Enabling Amazon S3 server access logging" asks of a destination bucket; without it the logs are lost, silently."""
    for source, properties in template.of(BUCKET):
        logging = get(properties, "LoggingConfiguration")
        if not isinstance(logging, dict):
            continue
        target = template.pointed(logging["DestinationBucketName"], BUCKET) if "DestinationBucketName" in logging else (source, properties)
        for wrong, do in _refuses(template, *target) if target and "Ref" not in logging else ():
            yield Finding(target[0] if target else source, f"the access logs of {source} go to it, but {wrong}", do)


def _refuses(template: Template, name: str, bucket: Properties) -> Iterator[tuple[str, str]]:
    retention = get(bucket, "ObjectLockConfiguration", "Rule", "DefaultRetention")
    if retention is not None:
        yield "its Object Lock has a default retention, under which none are delivered", "leave the default retention out"
    algorithms = [get(one, "ServerSideEncryptionByDefault", "SSEAlgorithm") for one in _encryption(bucket)]
    if algorithms and all(algorithm in ("aws:kms", "aws:kms:dsse") for algorithm in algorithms):
        yield "it encrypts with a KMS key: access logs are delivered under SSE-S3 only", "set SSEAlgorithm: AES256"
    policies = [p.get("PolicyDocument") for _, p in template.of(POLICY) if template.pointed(p.get("Bucket"), BUCKET) == (name, bucket)]
    by_acl = any(acl not in (None, "Private", "BucketOwnerFullControl") for acl in options(bucket.get("AccessControl")))
    delivers = any(lets_in(document, "logging", "s3:PutObject") for document in policies)
    elsewhere = not policies and (name in set(references(template.outputs)) or template.handled_elsewhere(name))
    if not (by_acl or delivers or elsewhere):
        yield "neither its policy lets logging.s3.amazonaws.com put objects, nor its ACL", "allow it s3:PutObject in the bucket's policy"


def _encryption(bucket: Properties) -> list[Any]:
    return items(get(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration"))


@rule(
    "E9221",
    "A key lets flow logs into an encrypted bucket",
    absent="LogDestinationType left out is cloud-watch-logs; a bucket without a key needs none",
)
def flow_logs_may_use_key(template: Template) -> Iterator[Finding]:
    """What "Publish flow logs to Amazon S3" asks of the key of a bucket under SSE-KMS."""
    for name, properties in template.of("AWS::EC2::FlowLog"):
        bucket = template.pointed(get(properties, "LogDestination"), BUCKET) if get(properties, "LogDestinationType") == "s3" else None
        for one in _encryption(bucket[1]) if bucket else []:
            key = template.pointed(get(one, "ServerSideEncryptionByDefault", "KMSMasterKeyID"), "AWS::KMS::Key")
            if bucket and key and not lets_in(key[1].get("KeyPolicy"), "delivery", "kms:GenerateDataKey"):
                wrong = f"the key of {bucket[0]} does not let delivery.logs.amazonaws.com in: no flow log arrives"
                yield Finding(key[0], f"{name} writes to {bucket[0]}, and {wrong}", "allow it kms:GenerateDataKey*", ("KeyPolicy",))
