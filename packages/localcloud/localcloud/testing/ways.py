"""How each thing that tests make on accounts is taken away: by botocore's own models where Create has its Delete, else as is said here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localcloud.testing.journal import Entry

Json = dict[str, Any]
Remove = Callable[[Any, Entry], None]
LEAST_DAYS = 7  # until a key is deleted, by the API reference of KMS


@dataclass(frozen=True)
class Way:
    """How to take away what an operation makes. `by_response`: what it is called by was not chosen by the caller."""

    remove: Remove
    by_response: bool = False


def way(model: Any) -> Way | None:
    """The way for a botocore operation; none where it makes nothing, or nothing that is known."""
    special = SPECIAL.get(f"{model.service_model.service_name}:{model.name}")
    return special or _pair(model)


def _pair(model: Any) -> Way | None:
    """CreateX and DeleteX: what DeleteX requires is in what CreateX was asked, or in what it answered."""
    noun = model.name.removeprefix("Create")
    service, delete = model.service_model, f"Delete{noun}"
    if noun == model.name or delete not in service.operation_names:
        return None
    shape = service.operation_model(delete).input_shape
    required = [name for name in shape.required_members if name not in _tokens(shape)]
    asked, answered = _members(model.input_shape), _members(model.output_shape)
    if not required:
        return None  # it can be called by one of several, and the model does not say which
    if all(_lower(name) in asked for name in required):
        return Way(_deleting(delete, required))
    if all(_lower(name) in asked | answered for name in required):
        return Way(_deleting(delete, required), by_response=True)
    return None


def _deleting(operation: str, required: list[str]) -> Remove:
    def remove(client: Any, entry: Entry) -> None:
        content = {**entry.request, **entry.response}
        arguments = {name: _find(content, name) for name in required}
        _call(client, operation, **arguments)

    return remove


def _call(client: Any, operation: str, **arguments: Any) -> Json:
    method = next(name for name, api in client.meta.method_to_api_mapping.items() if api == operation)
    answer: Json = getattr(client, method)(**arguments)
    return answer


def _tokens(shape: Any) -> set[str]:
    return {name for name, member in shape.members.items() if member.metadata.get("idempotencyToken")}


def _members(shape: Any, depth: int = 2) -> set[str]:
    """The names of a structure's members, those of its structures too."""
    if shape is None or shape.type_name != "structure" or not depth:
        return set()
    return {_lower(name) for name in shape.members} | {inner for member in shape.members.values() for inner in _members(member, depth - 1)}


def _find(content: Json, name: str) -> Any:
    """A member of that name, the outermost first."""
    layer = [content]
    while layer:
        for each in layer:
            for key, value in each.items():
                if _lower(key) == _lower(name):
                    return value
        layer = [value for each in layer for value in each.values() if isinstance(value, dict)]
    raise KeyError(name)


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _by(operation: str, **members: str) -> Way:
    """A call whose parameters are members of what was asked."""

    def remove(client: Any, entry: Entry) -> None:
        _call(client, operation, **{name: _find(entry.request, member) for name, member in members.items()})

    return Way(remove)


def _with(operation: str, member: str, **more: Any) -> Way:
    """A call with a parameter that was asked for by the same name, and constants."""

    def remove(client: Any, entry: Entry) -> None:
        _call(client, operation, **{member: _find(entry.request, member)}, **more)

    return Way(remove)


def _answered(operation: str, parameter: str, member: str, **more: Any) -> Way:
    """A call with a parameter that AWS answered, and constants."""

    def remove(client: Any, entry: Entry) -> None:
        _call(client, operation, **{parameter: _find(entry.response, member)}, **more)

    return Way(remove, by_response=True)


def _bucket(client: Any, entry: Entry) -> None:
    bucket = entry.request["Bucket"]
    client.delete_bucket_policy(Bucket=bucket)  # it may forbid what follows
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            where = {"Bucket": bucket, "Key": version["Key"], "VersionId": version["VersionId"]}
            try:
                client.delete_object(**where)
            except ClientError:  # locked: the hold is lifted, and what governance keeps may be bypassed
                client.put_object_legal_hold(**where, LegalHold={"Status": "OFF"})
                client.delete_object(**where, BypassGovernanceRetention=True)
    client.delete_bucket(Bucket=bucket)


def _role(client: Any, entry: Entry) -> None:
    role = entry.request["RoleName"]
    for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
        client.delete_role_policy(RoleName=role, PolicyName=name)
    for policy in client.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
        client.detach_role_policy(RoleName=role, PolicyArn=policy["PolicyArn"])
    client.delete_role(RoleName=role)


def _rule(client: Any, entry: Entry) -> None:
    where = {"EventBusName": entry.request["EventBusName"]} if "EventBusName" in entry.request else {}
    targets = [target["Id"] for target in client.list_targets_by_rule(Rule=entry.request["Name"], **where)["Targets"]]
    if targets:
        client.remove_targets(Rule=entry.request["Name"], Ids=targets, **where)
    client.delete_rule(Name=entry.request["Name"], **where)


def _bus(client: Any, entry: Entry) -> None:
    """With its rules."""
    bus = entry.request["Name"]
    for rule in client.list_rules(EventBusName=bus)["Rules"]:
        _rule(client, Entry(entry.account, entry.service, "PutRule", {"Name": rule["Name"], "EventBusName": bus}, {}))
    client.delete_event_bus(Name=bus)


def _alarm(client: Any, entry: Entry) -> None:
    client.delete_alarms(AlarmNames=[entry.request["AlarmName"]])


def _group(client: Any, entry: Entry) -> None:
    """With the versions that pipelines registered in it."""
    group = entry.request["ModelPackageGroupName"]
    for page in client.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group):
        for package in page["ModelPackageSummaryList"]:
            client.delete_model_package(ModelPackageName=package["ModelPackageArn"])
    client.delete_model_package_group(ModelPackageGroupName=group)


def _stack(client: Any, entry: Entry) -> None:
    """What it could not delete, or was to retain, is looked for by name."""
    stack = entry.request["StackName"]
    client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    client.delete_stack(StackName=stack)
    client.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"MaxAttempts": 1})  # it is looked at again


SPECIAL = {
    "application-autoscaling:RegisterScalableTarget": _by(
        "DeregisterScalableTarget",
        ServiceNamespace="ServiceNamespace",
        ResourceId="ResourceId",
        ScalableDimension="ScalableDimension",
    ),
    "cloudformation:CreateChangeSet": Way(_stack),
    "cloudformation:CreateStack": Way(_stack),
    "cloudwatch:PutCompositeAlarm": Way(_alarm),
    "cloudwatch:PutMetricAlarm": Way(_alarm),
    "codebuild:StartBuild": _answered("StopBuild", "id", "id"),
    "codepipeline:StartPipelineExecution": Way(lambda client, entry: None),  # ends with its pipeline
    "ec2:CreateSecurityGroup": _answered("DeleteSecurityGroup", "GroupId", "GroupId"),
    "ecr:CreateRepository": _with("DeleteRepository", "repositoryName", force=True),
    "ecr:StartImageScan": Way(lambda client, entry: None),  # ends by itself
    "events:CreateEventBus": Way(_bus),
    "events:PutRule": Way(_rule),
    "iam:CreatePolicy": _answered("DeletePolicy", "PolicyArn", "Arn"),
    "iam:CreateRole": Way(_role),
    "kms:CreateGrant": Way(lambda client, entry: None),  # goes with its key
    "kms:CreateKey": _answered("ScheduleKeyDeletion", "KeyId", "KeyId", PendingWindowInDays=LEAST_DAYS),
    "logs:CreateLogStream": Way(lambda client, entry: None),  # goes with its group
    "logs:PutResourcePolicy": _with("DeleteResourcePolicy", "policyName"),
    "s3:CopyObject": Way(lambda client, entry: None),  # goes with its bucket
    "s3:CreateBucket": Way(_bucket),
    "s3:CreateMultipartUpload": Way(lambda client, entry: None),  # goes with its bucket
    "sagemaker:CreateHyperParameterTuningJob": _with("StopHyperParameterTuningJob", "HyperParameterTuningJobName"),
    "sagemaker:CreateModelPackage": _answered("DeleteModelPackage", "ModelPackageName", "ModelPackageArn"),
    "sagemaker:CreateModelPackageGroup": Way(_group),
    "sagemaker:CreateProcessingJob": _with("StopProcessingJob", "ProcessingJobName"),
    "sagemaker:CreateTrainingJob": _with("StopTrainingJob", "TrainingJobName"),
    "sagemaker:CreateTransformJob": _with("StopTransformJob", "TransformJobName"),
    "sagemaker:StartPipelineExecution": _answered("StopPipelineExecution", "PipelineExecutionArn", "PipelineExecutionArn"),
    "secretsmanager:CreateSecret": _answered("DeleteSecret", "SecretId", "ARN", ForceDeleteWithoutRecovery=True),
    "ssm:PutParameter": _with("DeleteParameter", "Name"),
}
