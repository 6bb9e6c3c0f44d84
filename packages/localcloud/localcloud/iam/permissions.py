"""The permissions that a request requires, beyond what it asks for: AWS's services use other services on the caller's behalf.

Each comes with the condition keys whose values are known here. A key that is not among them depends on facts that exist only in AWS.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from localcloud.iam.conditions import Context


@dataclass(frozen=True, kw_only=True)
class Permission:
    """One permission. `resource` is an ARN, or None where the request does not tell which."""

    action: str
    resource: str | None
    context: Context = field(default_factory=dict)


def required(response: Any, action: str, resource: str | None) -> Iterator[Permission]:
    """What a request to do `action` on `resource` must be allowed, as moto's `response` object received it; KMS and S3 have their own."""
    if action in ("sagemaker:CreateModelPackage", "sagemaker:UpdateModelPackage"):
        yield Permission(action=action, resource=resource, context=_of_package(response))
    elif action in PLACED:
        yield Permission(action=action, resource=resource, context=of_place(response._get_params()))
    elif action == "events:PutEvents":
        yield from _events(response, action)
    elif action == "sagemaker:BatchGetRecord":
        yield from _records(response, action)
    else:
        yield Permission(action=action, resource=resource)
        if action in ("sagemaker:CreateEndpoint", "sagemaker:UpdateEndpoint", "sagemaker:UpdateInferenceComponent"):
            yield from _alarms(response)
        if action in ("sagemaker:CreateInferenceComponent", "sagemaker:InvokeEndpoint"):
            yield from _component(response, action)


PLACED = (
    *("sagemaker:CreateHyperParameterTuningJob", "sagemaker:CreateModel", "sagemaker:CreateProcessingJob", "sagemaker:CreateTrainingJob"),
)


def of_place(request: dict[str, Any]) -> Context:
    """The condition keys of where a job or model runs, by its request. What a request does not say is absent, not false.

    Names and kinds are those of the service authorization reference ("Actions, resources, and condition keys for Amazon SageMaker AI").
    """
    network = request.get("NetworkConfig") or request.get("TrainingJobDefinition", request)
    vpc = network.get("VpcConfig") or {}
    flags = {
        "sagemaker:InterContainerTrafficEncryption": network.get("EnableInterContainerTrafficEncryption"),
        "sagemaker:NetworkIsolation": network.get("EnableNetworkIsolation"),
    }
    return {
        "sagemaker:VpcSecurityGroupIds": vpc.get("SecurityGroupIds", []),
        "sagemaker:VpcSubnets": vpc.get("Subnets", []),
        **{key: [] if value is None else [str(value).lower()] for key, value in flags.items()},
    }


def _of_package(response: Any) -> Context:
    status = response._get_param("ModelApprovalStatus")
    metadata = response._get_param("CustomerMetadataProperties") or {}
    return {
        "sagemaker:ModelApprovalStatus": [status] if status else [],
        "sagemaker:CustomerMetadataPropertiesToRemove": response._get_param("CustomerMetadataPropertiesToRemove") or [],
        **{f"sagemaker:CustomerMetadataProperties/{key}": [value] for key, value in metadata.items()},
    }


def _events(response: Any, action: str) -> Iterator[Permission]:
    here = f"arn:{response.partition}:events:{response.region}:{response.current_account}"
    for entry in response._get_param("Entries"):
        name = entry.get("EventBusName") or "default"
        context = {"events:source": [entry.get("Source", "")], "events:detail-type": [entry.get("DetailType", "")]}
        yield Permission(action=action, resource=name if name.startswith("arn:") else f"{here}:event-bus/{name}", context=context)


def feature_group(here: str, name: str) -> str:
    """The ARN of a feature group in a place, by its name or by that ARN."""
    return name if name.startswith("arn:") else f"{here}:feature-group/{name.lower()}"


def _records(response: Any, action: str) -> Iterator[Permission]:
    """Each group is asked about by itself."""
    here = f"arn:{response.partition}:sagemaker:{response.region}:{response.current_account}"
    for wanted in json.loads(response.body or "{}").get("Identifiers", []):
        yield Permission(action=action, resource=feature_group(here, wanted["FeatureGroupName"]))


def _component(response: Any, action: str) -> Iterator[Permission]:
    """Who makes or asks an inference component is asked about the endpoint and the component ("Actions defined by Amazon SageMaker AI")."""
    here = f"arn:{response.partition}:sagemaker:{response.region}:{response.current_account}"
    if action == "sagemaker:CreateInferenceComponent":
        yield Permission(action=action, resource=f"{here}:endpoint/{response._get_param('EndpointName')}")
    elif name := response.headers.get("X-Amzn-SageMaker-Inference-Component"):
        yield Permission(action=action, resource=f"{here}:inference-component/{name}")


def _alarms(response: Any) -> Iterator[Permission]:
    """SageMaker looks at the alarms that guard a deployment with the caller's permissions."""
    guards = (response._get_param("DeploymentConfig") or {}).get("AutoRollbackConfiguration", {})
    here = f"arn:{response.partition}:cloudwatch:{response.region}:{response.current_account}"
    for alarm in guards.get("Alarms", []):
        yield Permission(action="cloudwatch:DescribeAlarms", resource=f"{here}:alarm:{alarm['AlarmName']}")
