"""Models, endpoints, model package groups and pipelines, as SageMaker's own calls make them."""

from __future__ import annotations

import json

from localcloud.cloudformation.resource_type import Put, Resource, ResourceType, delete_by, put_by
from localcloud.core.assumptions import Assumption
from localcloud.core.cloud import cloud
from localcloud.core.errors import error, invalid
from localcloud.core.validation import request
from localcloud.featurestore import groups as feature_groups
from localcloud.sagemaker import components, endpoints, model_packages


def _put_group(r: Resource, old: Resource | None) -> str:
    policy = r.properties.pop("ModelPackageGroupPolicy", None)
    if old is None:
        members = request("sagemaker", "CreateModelPackageGroup", {**r.properties, "ModelPackageGroupName": r.name})
        r.call("sagemaker", "CreateModelPackageGroup", **members)
    if policy is not None:
        text = policy if isinstance(policy, str) else json.dumps(policy)
        model_packages.put_group_policy(r.account, r.region, r.name, text)
    return r.arn("sagemaker", f"model-package-group/{r.name}")


def _put_endpoint(r: Resource, old: Resource | None) -> str:
    """As CloudFormation: done when the endpoint is InService. Where SageMaker went back to the old configuration it is that, too: whether
    CloudFormation sees the difference is assumed.
    """
    operation = "CreateEndpoint" if old is None else "UpdateEndpoint"
    ignored = ("Tags",) if old else ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties")
    properties = {k: v for k, v in r.properties.items() if k not in ignored}
    r.call("sagemaker", operation, **request("sagemaker", operation, {**properties, "EndpointName": r.name}))
    status = endpoints.wait(r.account, r.region, r.name)
    described = r.call("sagemaker", "DescribeEndpoint", EndpointName=r.name)
    taken_back = described["EndpointConfigName"] != r.properties["EndpointConfigName"]
    if status == "InService" and not (taken_back and Assumption.ROLLBACK_FAILS_UPDATE in cloud().assumptions):
        return r.name
    if old is None:
        r.call("sagemaker", "DeleteEndpoint", EndpointName=r.name)
    why = f"endpoint {r.name} is {status} with {described['EndpointConfigName']}: {described.get('FailureReason', 'no reason given')}"
    raise error("NotStabilized", f'Resource handler returned message: "{why}" (HandlerErrorCode: NotStabilized)')


def _delete_endpoint(r: Resource) -> None:
    """Done when nothing of it runs any more: its role, which writes what it captured last, may go next."""
    gone = endpoints.find(r.account, r.region, r.id).gone
    r.call("sagemaker", "DeleteEndpoint", EndpointName=r.id)
    gone.wait()


def _put_component(r: Resource, old: Resource | None) -> str:
    """As CloudFormation: done when the component is InService, which is what it is after a way back, too, as `_put_endpoint` says.

    DeploymentConfig is UpdateInferenceComponent's only. Where nothing but the number of copies changes, it is those that change.
    """
    operation = "CreateInferenceComponent" if old is None else "UpdateInferenceComponent"
    if old and old.properties["EndpointName"] != r.properties["EndpointName"]:
        raise invalid(f"UpdateInferenceComponent has no EndpointName: inference component {r.name} stays where it is")
    ignored = ["DeploymentConfig"] if old is None else ["EndpointName", "EndpointArn", "VariantName", "Tags"]
    if old and old.properties.get("Specification") == r.properties.get("Specification"):
        ignored += ["Specification", "DeploymentConfig"]
    properties = {k: v for k, v in r.properties.items() if k not in ignored}
    r.call("sagemaker", operation, **request("sagemaker", operation, {**properties, "InferenceComponentName": r.name}))
    component = components.find(r.account, r.region, r.name)
    component.settled.wait()
    taken_back = bool(old) and bool(component.failure)
    if component.status == "InService" and not (taken_back and Assumption.ROLLBACK_FAILS_UPDATE in cloud().assumptions):
        return component.arn
    if old is None:
        r.call("sagemaker", "DeleteInferenceComponent", InferenceComponentName=r.name)
        component.gone.wait()
    why = f"inference component {r.name} is {component.status}: {component.failure}"
    raise error("NotStabilized", f'Resource handler returned message: "{why}" (HandlerErrorCode: NotStabilized)')


def _delete_component(r: Resource) -> None:
    """Done when no copy runs any more."""
    name = r.id.rpartition("/")[2]
    component = components.find(r.account, r.region, name)
    component.settled.wait()  # its handler tries again while something is under way
    r.call("sagemaker", "DeleteInferenceComponent", InferenceComponentName=name)
    component.gone.wait()


def _put_pipeline(r: Resource, old: Resource | None) -> str:
    """A definition is its text, or an object with the text: CloudFormation takes both."""
    definition = r.properties["PipelineDefinition"]
    definition = json.loads(definition) if isinstance(definition, str) else definition
    if "PipelineDefinitionBody" not in definition:
        raise invalid(f"localcloud takes the definition of pipeline {r.name} as PipelineDefinitionBody only")
    body = definition["PipelineDefinitionBody"]
    operation = "CreatePipeline" if old is None else "UpdatePipeline"
    ignored = () if old is None else ("Tags",)
    wanted = {k: v for k, v in r.properties.items() if k not in ignored}
    wanted |= {"PipelineDefinition": body if isinstance(body, str) else json.dumps(body), "PipelineName": r.name}
    r.call("sagemaker", operation, **request("sagemaker", operation, wanted))
    return r.name


def _put_once(operation: str, name: str, kind: str) -> Put:
    """A `put` of what has no Update call: only its tags change in its place."""
    create = put_by("sagemaker", operation, name)

    def put(r: Resource, old: Resource | None) -> str:
        if old is None:
            return create(r, None)
        arn, tags = r.arn("sagemaker", f"{kind}/{old.id}"), r.properties.get("Tags", [])
        if gone := {tag["Key"] for tag in old.properties.get("Tags", [])} - {tag["Key"] for tag in tags}:
            r.call("sagemaker", "DeleteTags", ResourceArn=arn, TagKeys=sorted(gone))
        if tags:
            r.call("sagemaker", "AddTags", ResourceArn=arn, Tags=tags)
        return old.id

    return put


def _put_feature_group(r: Resource, old: Resource | None) -> str:
    """As CloudFormation: done when the group takes records; features that are new are added, and all else is create-only."""
    if old is None:
        r.call(
            "sagemaker", "CreateFeatureGroup", **request("sagemaker", "CreateFeatureGroup", {**r.properties, "FeatureGroupName": r.name})
        )
        group = feature_groups.find(r.account, r.region, r.name)
        assert group is not None, "it was created just now"
        group.ready.wait()
        return r.name
    before = {each["FeatureName"] for each in old.properties["FeatureDefinitions"]}
    added = [each for each in r.properties["FeatureDefinitions"] if each["FeatureName"] not in before]
    if added:
        r.call("sagemaker", "UpdateFeatureGroup", FeatureGroupName=old.id, FeatureAdditions=added)
    return old.id


TYPES = (
    ResourceType(
        "AWS::SageMaker::Endpoint",
        _put_endpoint,
        _delete_endpoint,
        name="EndpointName",
        tagged=True,
        attributes={"EndpointName": lambda r: r.id},
    ),
    ResourceType(
        "AWS::SageMaker::EndpointConfig",
        _put_once("CreateEndpointConfig", "EndpointConfigName", "endpoint-config"),
        delete_by("sagemaker", "DeleteEndpointConfig", "EndpointConfigName"),
        name="EndpointConfigName",
        tagged=True,
        attributes={"EndpointConfigName": lambda r: r.id},
    ),
    ResourceType(
        "AWS::SageMaker::FeatureGroup",
        _put_feature_group,
        delete_by("sagemaker", "DeleteFeatureGroup", "FeatureGroupName"),
        name="FeatureGroupName",
        tagged=True,
    ),
    ResourceType(
        "AWS::SageMaker::InferenceComponent",
        _put_component,
        _delete_component,
        name="InferenceComponentName",
        tagged=True,
        attributes={"InferenceComponentArn": lambda r: r.id, "InferenceComponentName": lambda r: r.id.rpartition("/")[2]},
    ),
    ResourceType(
        "AWS::SageMaker::Model",
        _put_once("CreateModel", "ModelName", "model"),
        delete_by("sagemaker", "DeleteModel", "ModelName"),
        name="ModelName",
        tagged=True,
        attributes={"ModelName": lambda r: r.id},
    ),
    ResourceType(
        "AWS::SageMaker::ModelPackageGroup",
        _put_group,
        lambda r: r.call("sagemaker", "DeleteModelPackageGroup", ModelPackageGroupName=r.name),
        name="ModelPackageGroupName",
        attributes={"ModelPackageGroupArn": lambda r: r.id},
    ),
    ResourceType(
        "AWS::SageMaker::Pipeline",
        _put_pipeline,
        delete_by("sagemaker", "DeletePipeline", "PipelineName"),
        name="PipelineName",
    ),
)
