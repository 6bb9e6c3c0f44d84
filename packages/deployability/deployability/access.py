"""Access: permissions that arrive too late, or that a service needs and nobody notices the lack of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from deployability.policy import allows, lets_in, principals, readable, statements
from deployability.roles import POLICIES, ROLE, assumed_by, attached, permissions
from deployability.rule import Finding, rule
from deployability.template import Properties, Template, get, items, known, words

KEY = "AWS::KMS::Key"
# What SageMaker checks with the role when a model is made: the API reference of CreateModel, and its answer when it is refused.
FETCHES = ("s3:GetObject", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability")


@rule("W9042", "Whoever updates a guarded endpoint may read its alarms", absent="what no policy of the role allows is denied")
def may_read_alarms(template: Template) -> Iterator[Finding]:
    guarded = any(get(p, "DeploymentConfig", "AutoRollbackConfiguration", "Alarms") for _, p in template.of("AWS::SageMaker::Endpoint"))
    for role, properties in template.of(ROLE):
        if not guarded and "cloudformation" not in (assumed_by(properties) or ()):
            continue  # nothing shows that it is the one who updates a guarded endpoint
        granted = permissions(template, role)
        if granted.surely("sagemaker:UpdateEndpoint") and not granted.may("cloudwatch:DescribeAlarms"):
            wrong = "it may update endpoints but not read alarms: SageMaker refuses an update with rollback alarms from such a caller"
            yield Finding(role, wrong, "allow cloudwatch:DescribeAlarms as well")


@rule("E9043", "A role can be assumed by the service that it is given to", absent="a service that the trust policy does not name may not")
def can_be_assumed(template: Template) -> Iterator[Finding]:
    for name, kind, properties in template:
        service, *paths = ASSUMED_BY.get(kind, ("",))
        for key, value in ((path[0], value) for path in paths for value in _values(properties, *path)):
            role = template.pointed(value, ROLE)
            trusted = assumed_by(role[1]) if role else None
            if role and trusted is not None and service not in trusted:
                named = ", ".join(sorted(trusted)) or "no service"
                wrong = f"{service}.amazonaws.com cannot assume {role[0]}: its trust policy names {named}"
                yield Finding(name, wrong, f"let {service}.amazonaws.com take sts:AssumeRole in {role[0]}", (key,))


# Which service takes a role on, and where it is named: the properties' own pages in the CloudFormation template reference.
ASSUMED_BY: dict[str, tuple[Any, ...]] = {
    "AWS::ApiGateway::Account": ("apigateway", ("CloudWatchRoleArn",)),
    "AWS::CloudTrail::Trail": ("cloudtrail", ("CloudWatchLogsRoleArn",)),
    "AWS::CodeBuild::Project": ("codebuild", ("ServiceRole",)),
    "AWS::CodeDeploy::DeploymentGroup": ("codedeploy", ("ServiceRoleArn",)),
    "AWS::CodePipeline::Pipeline": ("codepipeline", ("RoleArn",)),
    "AWS::EC2::FlowLog": ("vpc-flow-logs", ("DeliverLogsPermissionArn",)),
    "AWS::ECS::TaskDefinition": ("ecs-tasks", ("TaskRoleArn",), ("ExecutionRoleArn",)),
    "AWS::Events::Rule": ("events", ("RoleArn",), ("Targets", "RoleArn")),
    "AWS::Glue::Crawler": ("glue", ("Role",)),
    "AWS::Glue::Job": ("glue", ("Role",)),
    "AWS::KinesisFirehose::DeliveryStream": ("firehose", ("ExtendedS3DestinationConfiguration", "RoleARN")),
    "AWS::Lambda::Function": ("lambda", ("Role",)),
    "AWS::Pipes::Pipe": ("pipes", ("RoleArn",)),
    "AWS::SageMaker::Domain": ("sagemaker", ("DefaultUserSettings", "ExecutionRole"), ("DefaultSpaceSettings", "ExecutionRole")),
    "AWS::SageMaker::FeatureGroup": ("sagemaker", ("RoleArn",)),
    "AWS::SageMaker::Model": ("sagemaker", ("ExecutionRoleArn",)),
    "AWS::SageMaker::NotebookInstance": ("sagemaker", ("RoleArn",)),
    "AWS::SageMaker::Pipeline": ("sagemaker", ("RoleArn",)),
    "AWS::SageMaker::UserProfile": ("sagemaker", ("UserSettings", "ExecutionRole")),
    "AWS::Scheduler::Schedule": ("scheduler", ("Target", "RoleArn")),
    "AWS::StepFunctions::StateMachine": ("states", ("RoleArn",)),
}


def _values(value: Any, *path: str) -> Iterator[Any]:
    """Everything at a path of keys, under all conditions, through lists."""
    for one in items(value):
        if not path:
            yield one
        elif isinstance(one, dict):
            yield from _values(one.get(path[0]), *path[1:])


@rule("E9070", "A model waits for its role's policies", absent="without DependsOn or a reference, CloudFormation makes both at once")
def waits_for_policy(template: Template) -> Iterator[Finding]:
    for model, properties in template.of("AWS::SageMaker::Model"):
        role = template.pointed(properties.get("ExecutionRoleArn"), ROLE)
        before = template.waits_for(model)
        for policy in attached(template, role[0]) if role else ():
            others = permissions(template, role[0], without=policy) if role else None
            brought = [action for action in FETCHES if any(allows(s, action) for s in statements(dict(template.of(*POLICIES))[policy]))]
            if role and others and policy not in before and not all(others.may(action) for action in brought):
                wrong = f"its role {role[0]} gets what it may do from {policy}, which may come later: creating the model then fails"
                yield Finding(model, wrong, f"add DependsOn: {policy}, or write the policy into the role")


@rule(
    "E9080",
    "A log group's key lets the log service in",
    absent="without KmsKeyId the log service's own key is used; a key's own default policy lets no service in",
)
def logs_may_use_key(template: Template) -> Iterator[Finding]:
    for name, properties in template.of("AWS::Logs::LogGroup"):
        key = template.pointed(properties.get("KmsKeyId"), KEY)
        if key and not lets_in(key[1].get("KeyPolicy"), "logs", "kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey"):
            wrong = f"the policy of {key[0]} does not let logs.<region>.amazonaws.com encrypt: creating the log group fails"
            yield Finding(
                name, wrong, "allow it kms:Encrypt*, kms:Decrypt*, kms:ReEncrypt*, kms:GenerateDataKey*, kms:Describe*", ("KmsKeyId",)
            )


@rule("E9081", "Alarms reach an encrypted topic", absent="without KmsMasterKeyId a topic is not encrypted, and alarms reach it")
def alarms_reach_topic(template: Template) -> Iterator[Finding]:
    told = [action for _, alarm in template.of("AWS::CloudWatch::Alarm") for key in _ACTIONS for action in items(alarm.get(key))]
    yield from _unheard(template, told, "cloudwatch", "CloudWatch may not use its key: every alarm for it is dropped without a word")


@rule("E9082", "Events reach an encrypted topic", absent="without KmsMasterKeyId a topic is not encrypted, and events reach it")
def events_reach_topic(template: Template) -> Iterator[Finding]:
    told = [get(target, "Arn") for _, each in template.of("AWS::Events::Rule") for target in items(each.get("Targets"))]
    yield from _unheard(template, told, "events", "EventBridge may not use its key: every event for it is dropped without a word")


_ACTIONS = ("AlarmActions", "OKActions", "InsufficientDataActions")


def _unheard(template: Template, published: Sequence[Any], service: str, wrong: str) -> Iterator[Finding]:
    """The topics among what a service publishes to whose key does not let it in."""
    notified = {topic[0] for value in published if (topic := template.pointed(value, "AWS::SNS::Topic"))}
    for name, properties in template.of("AWS::SNS::Topic"):
        if name not in notified or "KmsMasterKeyId" not in properties:
            continue
        key = template.pointed(properties["KmsMasterKeyId"], KEY, "AWS::KMS::Alias")
        if key and "TargetKeyId" in key[1]:
            key = template.pointed(key[1]["TargetKeyId"], KEY)
        aws_managed = "alias/aws/sns" in words(properties["KmsMasterKeyId"])
        if aws_managed or (key and not lets_in(key[1].get("KeyPolicy"), service, "kms:Decrypt", "kms:GenerateDataKey")):
            advice = f"use a key of your own that lets {service}.amazonaws.com decrypt and generate data keys"
            yield Finding(name, wrong, advice, ("KmsMasterKeyId",))


@rule(
    "W9100",
    "SageMaker may pull from a shared image repository",
    absent="without a policy only the repository's own account pulls: nothing is shared",
)
def sagemaker_may_pull(template: Template) -> Iterator[Finding]:
    if not any(kind.startswith("AWS::SageMaker::") for _, kind, _ in template):
        return  # images of other services
    for name, properties in template.of("AWS::ECR::Repository"):
        policy = properties.get("RepositoryPolicyText")
        pullers = {p for s in statements(policy) if allows(s, "ecr:BatchGetImage") for p in principals(s) if known(p)}
        shared = any("${AWS::AccountId}" not in puller and not puller.endswith(".amazonaws.com") for puller in pullers)
        if shared and not lets_in(policy, "sagemaker", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"):
            wrong = "its policy lets accounts pull, but not sagemaker.amazonaws.com: an endpoint of another account cannot get the image"
            yield Finding(name, wrong, "allow sagemaker.amazonaws.com the same", ("RepositoryPolicyText",))


@rule("E9120", "No policy names a principal twice", absent="a policy without principals names nobody")
def principals_once(template: Template) -> Iterator[Finding]:
    for name, _, properties in template:
        for statement in statements(properties):
            if "Fn::If" in str(statement.get("Principal")):
                continue  # which of them are there together, only the conditions tell
            named = Counter(_account_or(principal) for principal in principals(statement) if "${" not in principal)
            twice = sorted(principal for principal, count in named.items() if count > 1)
            if twice:
                wrong = f"a statement names {twice[0]} twice, as when two environments share an account: the policy is refused"
                yield Finding(name, wrong, "name each principal once")


def _account_or(principal: str) -> str:
    parts = principal.split(":")
    return parts[4] if principal.startswith("arn:") and parts[-1] == "root" and len(parts) == 6 else principal


@rule(
    "E9121",
    "Who may write to a bucket from another account may use its key",
    absent="without a key of its own, a bucket's writers need none",
)
def writers_may_use_key(template: Template) -> Iterator[Finding]:
    for _, properties in template.of("AWS::S3::BucketPolicy"):
        bucket = template.pointed(properties.get("Bucket"), "AWS::S3::Bucket")
        key = _bucket_key(template, bucket[1]) if bucket else None
        if bucket is None or key is None or not readable(key[1].get("KeyPolicy")):
            continue
        granted = list(statements(key[1].get("KeyPolicy")))
        anybody = [s for s in granted if any(p == "*" or not known(p) for p in principals(s))]
        writers = {p for s in statements(properties) if allows(s, "s3:PutObject") for p in principals(s) if ":iam::" in p and known(p)}
        for writer in sorted(writer for writer in writers if "${AWS::AccountId}" not in writer):
            allowed = [*anybody, *(s for s in granted if {writer, _root(writer)} & set(principals(s)))]
            lacking = [action for action in _WRITING if not any(allows(s, action) for s in allowed)]
            if lacking:
                wrong = f"{writer} may write to {bucket[0]}, which it encrypts, without {', '.join(lacking)}: its writes fail"
                yield Finding(key[0], wrong, f"allow it {', '.join(_WRITING)}", ("KeyPolicy",))


def _root(arn: str) -> str:
    return f"{arn.rpartition(':')[0]}:root"


_WRITING = ("kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo")


def _bucket_key(template: Template, bucket: Properties) -> tuple[str, Properties] | None:
    for one in items(get(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration")):
        if found := template.pointed(get(one, "ServerSideEncryptionByDefault", "KMSMasterKeyID"), KEY):
            return found
    return None


@rule("E9140", "A connection's permission has the connection's own prefix", absent="a statement on every resource may mean either")
def connection_prefix(template: Template) -> Iterator[Finding]:
    for name, _, properties in template:
        for statement in statements(properties):
            for wanted, other in (_PREFIXES, _PREFIXES[::-1]):
                connections = {_prefix(template, one) for one in items(statement.get("Resource"))}
                granted = allows(statement, f"{other}:UseConnection")
                if connections == {wanted} and granted and not _grants(template, f"{wanted}:UseConnection"):
                    wrong = f"it allows {other}:UseConnection on a connection of {wanted}, where AWS asks for {wanted}:UseConnection"
                    yield Finding(name, wrong, f"allow {wanted}:UseConnection as well")


_PREFIXES = ("codeconnections", "codestar-connections")
_TYPES = {"AWS::CodeConnections::Connection": "codeconnections", "AWS::CodeStarConnections::Connection": "codestar-connections"}


def _grants(template: Template, action: str) -> bool:
    return any(allows(statement, action) for _, _, properties in template for statement in statements(properties))


def _prefix(template: Template, resource: Any) -> str:
    """Which of its two names a connection's ARN has, where that can be told."""
    kinds = [_TYPES[kind] for kind in _TYPES if template.pointed(resource, kind)]
    arn = words(resource).split(":")
    return kinds[0] if kinds else arn[2] if len(arn) > 5 and arn[2] in _PREFIXES else ""
