"""The CloudFormation resource types that moto lacks, each as the API call that CloudFormation itself would make."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import boto3
from botocore import xform_name
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

from localcloud import codebuild, codepipeline
from localcloud.cloud import cloud
from localcloud.errors import error
from localcloud.sagemaker import endpoint_gone, put_group_policy, wait_endpoint
from localcloud.shapes import request

Properties = dict[str, Any]
SCALED = ("ResourceId", "ScalableDimension", "ServiceNamespace")  # what names a scalable target


@dataclass
class Resource:
    """One physical resource of a stack."""

    account: str
    region: str
    name: str
    properties: Properties
    id: str = ""

    def call(self, service: str, operation: str, **given: Any) -> dict[str, Any]:
        """Call an AWS API in the stack's account, as CloudFormation's execution role (an administrator) would."""
        answer: dict[str, Any] = getattr(client(service, self.account, self.region), xform_name(operation))(**given)
        return answer

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{rest}"


@dataclass(frozen=True)
class Type:
    """How one resource type is made. `put` creates or updates and returns the physical id; `fixed`: any change replaces."""

    kind: str
    put: Callable[[Resource, Resource | None], str]
    delete: Callable[[Resource], Any]
    name: str = ""
    attributes: Mapping[str, Callable[[Resource], Any]] = field(default_factory=dict)
    fixed: bool = False


@cache
def client(service: str, account: str, region: str) -> Any:
    """A client with the account's administrator keys."""
    keys = cloud().administrator(account)
    make: Any = boto3.client
    return make(
        service,
        region_name=region,
        endpoint_url=cloud().url,
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


def _api(service: str, operation: str, name: str, *, drop: tuple[str, ...] = ()) -> Callable[[Resource, Resource | None], str]:
    """A `put` that hands the properties to one API call, under the resource's name."""

    def put(r: Resource, old: Resource | None) -> str:
        given = {k: v for k, v in r.properties.items() if k not in drop}
        r.call(service, operation, **request(service, operation, {**given, name: r.name}))
        return r.name

    return put


def _bucket_policy(r: Resource, old: Resource | None) -> str:
    r.call("s3", "PutBucketPolicy", Bucket=r.properties["Bucket"], Policy=json.dumps(r.properties["PolicyDocument"]))
    return str(r.properties["Bucket"])


def _topic_policy(r: Resource, old: Resource | None) -> str:
    for topic in r.properties["Topics"]:
        policy = json.dumps(r.properties["PolicyDocument"])
        r.call("sns", "SetTopicAttributes", TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    return r.name


def _subscription(r: Resource, old: Resource | None) -> str:
    given = {k: r.properties[k] for k in ("TopicArn", "Protocol", "Endpoint")}
    return str(r.call("sns", "Subscribe", **given, ReturnSubscriptionArn=True)["SubscriptionArn"])


def _group(r: Resource, old: Resource | None) -> str:
    policy = r.properties.pop("ModelPackageGroupPolicy", None)
    if old is None:
        given = request("sagemaker", "CreateModelPackageGroup", {**r.properties, "ModelPackageGroupName": r.name})
        r.call("sagemaker", "CreateModelPackageGroup", **given)
    if policy is not None:
        text = policy if isinstance(policy, str) else json.dumps(policy)
        put_group_policy(r.account, r.region, r.name, text)
    return r.arn("sagemaker", f"model-package-group/{r.name}")


def _endpoint(r: Resource, old: Resource | None) -> str:
    """As CloudFormation: done when the endpoint is InService, even where SageMaker went back to the old configuration."""
    operation = "CreateEndpoint" if old is None else "UpdateEndpoint"
    drop = ("Tags",) if old else ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties")
    given = {k: v for k, v in r.properties.items() if k not in drop}
    r.call("sagemaker", operation, **request("sagemaker", operation, {**given, "EndpointName": r.name}))
    status = wait_endpoint(r.account, r.region, r.name)
    if status != "InService":
        reason = r.call("sagemaker", "DescribeEndpoint", EndpointName=r.name).get("FailureReason", "no reason given")
        if old is None:
            r.call("sagemaker", "DeleteEndpoint", EndpointName=r.name)
        raise error("NotStabilized", f"endpoint {r.name} is {status}: {reason}")
    return r.name


def _endpoint_gone(r: Resource) -> None:
    """Done when nothing of it runs any more: its role, which writes what it captured last, may go next."""
    gone = endpoint_gone(r.account, r.region, r.id)
    r.call("sagemaker", "DeleteEndpoint", EndpointName=r.id)
    gone.wait()


def _project(r: Resource, old: Resource | None) -> str:
    known = {k: v for k, v in r.properties.items() if k not in ("Triggers", "Visibility", "ResourceAccessRole")}
    codebuild.put_project(r.account, r.region, request("codebuild", "CreateProject", {**known, "Name": r.name}))
    return r.name


def _pipeline(r: Resource, old: Resource | None) -> str:
    given = {k: v for k, v in r.properties.items() if k not in ("RestartExecutionOnUpdate", "Tags")}
    codepipeline.put_pipeline(r.account, r.region, request("codepipeline", "CreatePipeline", {**given, "Name": r.name}, member="pipeline"))
    return r.name


def _target(r: Resource, old: Resource | None) -> str:
    given = {k: v for k, v in r.properties.items() if k not in ("RoleARN", "ScheduledActions")}
    r.call("application-autoscaling", "RegisterScalableTarget", **request("application-autoscaling", "RegisterScalableTarget", given))
    r.id = "|".join(str(r.properties[k]) for k in SCALED)
    actions = {a["ScheduledActionName"]: a for a in r.properties.get("ScheduledActions", [])}
    for action in actions.values():
        wanted = request("application-autoscaling", "PutScheduledAction", {**action, **_dimension(r)})
        r.call("application-autoscaling", "PutScheduledAction", **wanted)
    for action in old.properties.get("ScheduledActions", []) if old else []:
        if (name := action["ScheduledActionName"]) not in actions:
            r.call("application-autoscaling", "DeleteScheduledAction", ScheduledActionName=name, **_dimension(r))
    return r.id


def _policy(r: Resource, old: Resource | None) -> str:
    given = {k: v for k, v in r.properties.items() if k != "ScalingTargetId"}
    wanted = request("application-autoscaling", "PutScalingPolicy", {**given, **_scaled(r)})
    return str(r.call("application-autoscaling", "PutScalingPolicy", **wanted)["PolicyARN"])


def _policy_gone(r: Resource) -> None:
    r.call("application-autoscaling", "DeleteScalingPolicy", PolicyName=r.properties["PolicyName"], **_scaled(r))


def _scaled(r: Resource) -> Properties:
    """What a scaling policy is about: its ScalingTargetId says, or its own properties."""
    named = {k: r.properties[k] for k in SCALED if k in r.properties}
    return named or dict(zip(SCALED, r.properties["ScalingTargetId"].split("|"), strict=True))


def _metric_filter(r: Resource, old: Resource | None) -> str:
    made = [
        {**m, "Dimensions": {d["Key"]: d["Value"] for d in m["Dimensions"]}} if "Dimensions" in m else m
        for m in r.properties["MetricTransformations"]
    ]
    wanted = {**r.properties, "FilterName": r.name, "MetricTransformations": made}
    r.call("logs", "PutMetricFilter", **request("logs", "PutMetricFilter", wanted))
    return r.name


def _dimension(r: Resource) -> Properties:
    return dict(zip(SCALED, r.id.split("|"), strict=True))


def _by_name(service: str, operation: str, name: str) -> Callable[[Resource], Any]:
    return lambda r: r.call(service, operation, **{name: r.id})


def _nothing(r: Resource) -> None:
    """Goes away with the resource it belongs to."""


TYPES = (
    Type(
        "AWS::ApplicationAutoScaling::ScalableTarget",
        _target,
        lambda r: r.call("application-autoscaling", "DeregisterScalableTarget", **_dimension(r)),
    ),
    Type("AWS::ApplicationAutoScaling::ScalingPolicy", _policy, _policy_gone),
    Type(
        "AWS::CloudWatch::Alarm",
        _api("cloudwatch", "PutMetricAlarm", "AlarmName"),
        lambda r: r.call("cloudwatch", "DeleteAlarms", AlarmNames=[r.id]),
        name="AlarmName",
        attributes={"Arn": lambda r: r.arn("cloudwatch", f"alarm:{r.id}")},
    ),
    Type(
        "AWS::CloudWatch::CompositeAlarm",
        _api("cloudwatch", "PutCompositeAlarm", "AlarmName"),
        lambda r: r.call("cloudwatch", "DeleteAlarms", AlarmNames=[r.id]),
        name="AlarmName",
        attributes={"Arn": lambda r: r.arn("cloudwatch", f"alarm:{r.id}")},
    ),
    Type(
        "AWS::CodeBuild::Project",
        _project,
        lambda r: codebuild.delete_project(r.account, r.region, r.id),
        name="Name",
        attributes={"Arn": lambda r: r.arn("codebuild", f"project/{r.id}")},
    ),
    *(
        Type(
            f"AWS::{service}::Connection",
            lambda r, old: old.id if old else r.arn("codeconnections", f"connection/{uuid.uuid4()}"),
            _nothing,
            name="ConnectionName",
            attributes={"ConnectionArn": lambda r: r.id, "ConnectionStatus": lambda r: "AVAILABLE"},
        )
        for service in ("CodeConnections", "CodeStarConnections")
    ),
    Type(
        "AWS::CodePipeline::Pipeline",
        _pipeline,
        lambda r: codepipeline.delete_pipeline(r.account, r.region, r.id),
        name="Name",
        attributes={"Version": lambda r: str(codepipeline.pipeline(r.account, r.region, r.id).version)},
    ),
    Type(
        "AWS::Logs::MetricFilter",
        _metric_filter,
        lambda r: r.call("logs", "DeleteMetricFilter", logGroupName=r.properties["LogGroupName"], filterName=r.id),
        name="FilterName",
    ),
    Type("AWS::S3::BucketPolicy", _bucket_policy, lambda r: r.call("s3", "DeleteBucketPolicy", Bucket=r.id)),
    Type("AWS::SNS::Subscription", _subscription, lambda r: r.call("sns", "Unsubscribe", SubscriptionArn=r.id), fixed=True),
    Type("AWS::SNS::TopicPolicy", _topic_policy, _nothing),
    Type(
        "AWS::SageMaker::Endpoint",
        _endpoint,
        _endpoint_gone,
        name="EndpointName",
        attributes={"EndpointName": lambda r: r.id},
    ),
    Type(
        "AWS::SageMaker::EndpointConfig",
        _api("sagemaker", "CreateEndpointConfig", "EndpointConfigName"),
        _by_name("sagemaker", "DeleteEndpointConfig", "EndpointConfigName"),
        name="EndpointConfigName",
        attributes={"EndpointConfigName": lambda r: r.id},
        fixed=True,
    ),
    Type(
        "AWS::SageMaker::Model",
        _api("sagemaker", "CreateModel", "ModelName"),
        _by_name("sagemaker", "DeleteModel", "ModelName"),
        name="ModelName",
        attributes={"ModelName": lambda r: r.id},
        fixed=True,
    ),
    Type(
        "AWS::SageMaker::ModelPackageGroup",
        _group,
        lambda r: r.call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName=r.name),
        name="ModelPackageGroupName",
        attributes={"ModelPackageGroupArn": lambda r: r.id},
    ),
)


class Adapter(CloudFormationModel):
    """moto's form of a resource type; `install` makes one subclass a type."""

    of: ClassVar[Type]

    def __init__(self, resource: Resource) -> None:
        self.resource = resource

    @property
    def replaces(self) -> bool:
        """Whether another physical id is another resource: also where the template gives it a name, and now another one."""
        return self.of.fixed or self.of.name in self.resource.properties

    @property
    def physical_resource_id(self) -> str:
        return self.resource.id

    def is_created(self) -> bool:
        return True

    def get_cfn_attribute(self, attribute: str) -> Any:
        if attribute not in self.of.attributes:
            raise error("ValidationError", f"localcloud knows no attribute {attribute} of {self.of.kind}")
        return self.of.attributes[attribute](self.resource)

    def delete(self, account_id: str, region_name: str) -> None:
        self.of.delete(self.resource)

    @staticmethod
    def cloudformation_type() -> str:
        return "localcloud::Adapter"

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr in cls.of.attributes

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> Adapter:
        return cls._put(resource_name, cloudformation_json, account_id, region_name, None)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, account_id: str, region_name: str
    ) -> Adapter:
        old = original_resource.resource
        named = cls.of.name in cloudformation_json["Properties"]
        name = new_resource_name if cls.of.fixed or named else old.name
        replaced = cls.of.fixed or (named and name != old.name)
        return cls._put(name, cloudformation_json, account_id, region_name, None if replaced else old)

    @classmethod
    def _put(cls, name: str, cloudformation_json: Any, account: str, region: str, old: Resource | None) -> Adapter:
        properties = dict(cloudformation_json["Properties"])
        resource = Resource(account, region, name if cls.of.name in properties else _short(name), properties)
        resource.id = cls.of.put(resource, old)
        return cls(resource)


def _short(name: str) -> str:
    """At most 63 characters, as CloudFormation shortens the names it makes up."""
    return name if len(name) <= 63 else f"{name[:50]}-{name[-12:]}"


def install() -> None:
    """Make these types known to moto's template parser."""
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()
    register(TYPES)
    parsing.resource_name_property_from_type = parsing.get_name_type_map().get  # type: ignore[assignment]


def register(types: Iterable[Type]) -> None:
    """Add resource types."""
    parsing.get_model_map().update({kind.kind: type(kind.kind.replace("::", ""), (Adapter,), {"of": kind}) for kind in types})
    parsing.get_name_type_map().update({kind.kind: kind.name for kind in types})
