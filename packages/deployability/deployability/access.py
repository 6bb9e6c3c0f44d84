"""Access: permissions that arrive too late, or that a service needs and nobody notices the lack of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from deployability.policy import allows, documents, lets_in, principals, statements
from deployability.rule import Finding, rule
from deployability.template import Properties, Template, get, items, words

KEY, ROLE = "AWS::KMS::Key", "AWS::IAM::Role"
POLICIES = ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")


@rule("W9042", "Whoever updates a guarded endpoint may read its alarms")
def may_read_alarms(template: Template) -> Iterator[Finding]:
    for name, properties in template.of(ROLE, *POLICIES):
        granted = list(statements(properties))
        updates = any(allows(statement, "sagemaker:UpdateEndpoint") for statement in granted)
        if updates and not any(allows(statement, "cloudwatch:DescribeAlarms") for statement in granted):
            wrong = "it may update endpoints but not read alarms: SageMaker refuses an update with rollback alarms from such a caller"
            yield Finding(name, wrong, "allow cloudwatch:DescribeAlarms as well")


@rule("E9070", "A model waits for its role's policies")
def waits_for_policy(template: Template) -> Iterator[Finding]:
    for model, properties in template.of("AWS::SageMaker::Model"):
        role = template.pointed(properties.get("ExecutionRoleArn"), ROLE)
        waits_for = items(template.attribute(model, "DependsOn"))
        for policy, content in template.of(*POLICIES):
            attached = [template.pointed(one, ROLE) for one in (*items(content.get("Roles")), content.get("RoleName"))]
            if role and role in attached and policy not in waits_for:
                wrong = f"its role {role[0]} gets what it may do from {policy}, which may come later: creating the model then fails"
                yield Finding(model, wrong, f"add DependsOn: {policy}, or write the policy into the role")


@rule("E9080", "A log group's key lets the log service in")
def logs_may_use_key(template: Template) -> Iterator[Finding]:
    for name, properties in template.of("AWS::Logs::LogGroup"):
        key = template.pointed(properties.get("KmsKeyId"), KEY)
        if key and not lets_in(key[1].get("KeyPolicy"), "logs", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"):
            wrong = f"the policy of {key[0]} does not let logs.<region>.amazonaws.com encrypt: creating the log group fails"
            yield Finding(
                name, wrong, "allow it kms:Encrypt*, kms:Decrypt*, kms:ReEncrypt*, kms:GenerateDataKey*, kms:Describe*", ("KmsKeyId",)
            )


@rule("E9081", "Alarms reach an encrypted topic")
def alarms_reach_topic(template: Template) -> Iterator[Finding]:
    told = [action for _, alarm in template.of("AWS::CloudWatch::Alarm") for key in _ACTIONS for action in items(alarm.get(key))]
    yield from _unheard(template, told, "cloudwatch", "CloudWatch may not use its key: every alarm for it is dropped without a word")


@rule("E9082", "Events reach an encrypted topic")
def events_reach_topic(template: Template) -> Iterator[Finding]:
    told = [get(target, "Arn") for _, each in template.of("AWS::Events::Rule") for target in items(each.get("Targets"))]
    yield from _unheard(template, told, "events", "EventBridge may not use its key: every event for it is dropped without a word")


_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def _unheard(template: Template, published: Sequence[Any], service: str, wrong: str) -> Iterator[Finding]:
    """The topics among what a service publishes to whose key does not let it in."""
    told = {found[0] for value in published if (found := template.pointed(value, "AWS::SNS::Topic"))}
    for name, properties in template.of("AWS::SNS::Topic"):
        if name not in told or "KmsMasterKeyId" not in properties:
            continue
        key = template.pointed(properties["KmsMasterKeyId"], KEY)
        aws_managed = "alias/aws/sns" in words(properties["KmsMasterKeyId"])
        if aws_managed or (key and not lets_in(key[1].get("KeyPolicy"), service, "kms:Decrypt", "kms:GenerateDataKey")):
            advice = f"use a key of your own that lets {service}.amazonaws.com decrypt and generate data keys"
            yield Finding(name, wrong, advice, ("KmsMasterKeyId",))


@rule("W9100", "SageMaker may pull from a shared image repository")
def sagemaker_may_pull(template: Template) -> Iterator[Finding]:
    for name, properties in template.of("AWS::ECR::Repository"):
        policy = properties.get("RepositoryPolicyText")
        shared = any(allows(statement, "ecr:BatchGetImage") for statement in statements(policy))
        if shared and not lets_in(policy, "sagemaker", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
            wrong = "its policy lets accounts pull, but not sagemaker.amazonaws.com: an endpoint of another account cannot get the image"
            yield Finding(name, wrong, "allow sagemaker.amazonaws.com the same", ("RepositoryPolicyText",))


@rule("E9120", "No policy names a principal twice")
def principals_once(template: Template) -> Iterator[Finding]:
    for name, _, properties in template:
        for statement in statements(properties):
            named = Counter(_account_or(principal) for principal in principals(statement) if "${" not in principal)
            twice = sorted(principal for principal, count in named.items() if count > 1)
            if twice:
                wrong = f"a statement names {twice[0]} twice, as when two environments share an account: the policy is refused"
                yield Finding(name, wrong, "name each principal once")


def _account_or(principal: str) -> str:
    parts = principal.split(":")
    return parts[4] if principal.startswith("arn:") and parts[-1] == "root" and len(parts) == 6 else principal


@rule("E9121", "Who may write to a bucket from another account may use its key")
def writers_may_use_key(template: Template) -> Iterator[Finding]:
    for _, properties in template.of("AWS::S3::BucketPolicy"):
        bucket = template.pointed(properties.get("Bucket"), "AWS::S3::Bucket")
        key = _bucket_key(template, bucket[1]) if bucket else None
        if key is None:
            continue
        writers = {p for s in statements(properties) if allows(s, "s3:PutObject") for p in principals(s) if ":iam::" in p}
        for writer in sorted(writers):
            allowed = [s for s in statements(key[1].get("KeyPolicy")) if writer in principals(s)]
            lacking = [action for action in _WRITING if not any(allows(s, action) for s in allowed)]
            if lacking:
                wrong = (
                    f"{writer} may write to {bucket[0] if bucket else ''}, which it encrypts, without {', '.join(lacking)}: its writes fail"
                )
                yield Finding(key[0], wrong, f"allow it {', '.join(_WRITING)}", ("KeyPolicy",))


_WRITING = ("kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")


def _bucket_key(template: Template, bucket: Properties) -> tuple[str, Properties] | None:
    for one in items(get(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration")):
        if found := template.pointed(get(one, "ServerSideEncryptionByDefault", "KMSMasterKeyID"), KEY):
            return found
    return None


@rule("E9140", "Both names of a connection's permission are granted")
def both_connection_actions(template: Template) -> Iterator[Finding]:
    actions = ("codeconnections:UseConnection", "codestar-connections:UseConnection")
    for name, _, properties in template:
        for document in documents(properties):
            granted = [action for action in actions if any(allows(statement, action) for statement in statements(document))]
            if len(granted) == 1:
                (missing,) = set(actions) - set(granted)
                wrong = f"it allows {granted[0]} without {missing}: which one AWS asks for depends on the connection's age and the service"
                yield Finding(name, wrong, "allow both")
