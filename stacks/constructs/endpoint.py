"""A SageMaker endpoint that moves to a new version behind alarms.

Model and endpoint configuration get generated names: SageMaker replaces them, never changes them, and a fixed name would
collide with the version that still serves. Replaced ones stay, so that a deployment SageMaker rolls back has a place to return to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws_cdk import Aws, CfnCondition, CfnDeletionPolicy, Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from stacks.constructs.vpc_config import VpcConfig

STARTUP_SECONDS = 300  # for the container's first good /ping; without a limit a broken container hangs for an hour


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """A version that gets a copy of every request, and whose answers nobody gets. It is there while `condition` holds."""

    variant: str
    container: Mapping[str, Any]
    condition: CfnCondition


@dataclass(frozen=True, kw_only=True)
class Instances:
    """Machines that wait for requests, so many at first.

    `encrypt_volume`: false for instance types whose disk SageMaker cannot encrypt with a customer's key.
    `retain_count`: keep the number of instances that scaling has reached when the version changes.
    `vpc`: where models run, in an account that has a network of its own. `isolated`: their containers reach nothing either way.
    """

    instance_type: str
    inference_ami: str | None
    count: int
    encrypt_volume: bool
    retain_count: bool
    isolated: bool
    vpc: VpcConfig | None


@dataclass(frozen=True, kw_only=True)
class OnDemand:
    """Containers that SageMaker starts when somebody asks. It isolates none of them from the network, and puts none into one of ours."""

    memory_mb: int
    maximum_concurrency: int
    provisioned_concurrency: int | None


@dataclass(frozen=True, kw_only=True)
class Capture:
    """Below `uri`, `percent` of the requests and answers are kept."""

    uri: str
    percent: int


class Endpoint(Construct):
    """One endpoint with one variant, and perhaps a shadow. `container` is a SageMaker container definition, `runs_on` where it runs.

    Without `capture` SageMaker is asked for none. `queue` is the AsyncInferenceConfig of one whose requests wait.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        endpoint_name: str,
        variant: str,
        container: Mapping[str, Any],
        shadow: Shadow | None,
        role: iam.IRole,
        runs_on: Instances | OnDemand,
        key: kms.IKey,
        capture: Capture | None,
        queue: Mapping[str, Any] | None,
    ) -> None:
        super().__init__(scope, name)
        self._role, self._runs_on = role, runs_on
        self.model = self._model("Model", container)
        self.config = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            kms_key_id=key.key_arn if isinstance(runs_on, OnDemand) or runs_on.encrypt_volume else None,
            production_variants=[self._variant(variant, self.model)],
            shadow_production_variants=self._shadow(shadow) if shadow else None,
            data_capture_config=self._capture(capture, key) if capture else None,
            async_inference_config=dict(queue) if queue else None,
        )
        outlives_replacement(self.config)
        self.endpoint = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=endpoint_name,
            endpoint_config_name=self.config.attr_endpoint_config_name,
            **_retained(runs_on),
        )

    def move_by(self, deployment: Mapping[str, Any], *, when: CfnCondition, otherwise: Mapping[str, Any]) -> None:
        """How new versions take over: two DeploymentConfigs in CloudFormation's spelling, and which of them it is.

        The model names it, too, so that another way to take over makes another endpoint configuration: UpdateEndpoint's page asks for a
        new one, and a change of the policy alone would name the one that serves.
        """
        self.endpoint.deployment_config = Fn.condition_if(when.logical_id, deployment, otherwise)
        named = Fn.condition_if(when.logical_id, _digest(deployment), _digest(otherwise))
        self.model.add_property_override("PrimaryContainer.Environment.DEPLOYMENT_POLICY", named)

    def _model(self, name: str, container: Mapping[str, Any]) -> sagemaker.CfnModel:
        model = sagemaker.CfnModel(
            self,
            name,
            execution_role_arn=self._role.role_arn,
            primary_container=dict(container),
            enable_network_isolation=self._runs_on.isolated if isinstance(self._runs_on, Instances) else None,
            vpc_config=self._runs_on.vpc.sagemaker if isinstance(self._runs_on, Instances) and self._runs_on.vpc else None,
        )
        outlives_replacement(model)
        return model

    def _variant(self, name: str, model: sagemaker.CfnModel) -> dict[str, Any]:
        return {
            "variantName": name,
            "modelName": model.attr_model_name,
            **_place(self._runs_on),
            "initialVariantWeight": 1,  # a shadow's is the share of the requests that is copied
            **({"containerStartupHealthCheckTimeoutInSeconds": STARTUP_SECONDS} if isinstance(self._runs_on, Instances) else {}),
        }

    def _shadow(self, shadow: Shadow) -> Any:
        model = self._model("ShadowModel", shadow.container)
        model.cfn_options.condition = shadow.condition
        model.cfn_options.deletion_policy = CfnDeletionPolicy.RETAIN  # it goes when the condition does: a rollback may still need it
        declared = {f"{key[0].upper()}{key[1:]}": value for key, value in self._variant(shadow.variant, model).items()}
        return Fn.condition_if(shadow.condition.logical_id, [declared], Aws.NO_VALUE)

    @staticmethod
    def _capture(capture: Capture, key: kms.IKey) -> dict[str, Any]:
        return {
            "enableCapture": capture.percent > 0,
            "initialSamplingPercentage": capture.percent,
            "destinationS3Uri": capture.uri,
            "kmsKeyId": key.key_arn,
            "captureOptions": [{"captureMode": "Input"}, {"captureMode": "Output"}],
            "captureContentTypeHeader": {"csvContentTypes": ["text/csv"], "jsonContentTypes": ["application/json"]},
        }


def _place(runs_on: Instances | OnDemand) -> dict[str, Any]:
    """The part of a variant that says where it runs."""
    if isinstance(runs_on, OnDemand):
        kept = {"provisionedConcurrency": runs_on.provisioned_concurrency} if runs_on.provisioned_concurrency else {}
        return {"serverlessConfig": {"memorySizeInMb": runs_on.memory_mb, "maxConcurrency": runs_on.maximum_concurrency, **kept}}
    ami = {"inferenceAmiVersion": runs_on.inference_ami} if runs_on.inference_ami else {}
    return {"instanceType": runs_on.instance_type, "initialInstanceCount": runs_on.count, **ami}


def _retained(runs_on: Instances | OnDemand) -> dict[str, Any]:
    """What an update keeps of how the endpoint is; a serverless one has nothing but its configuration."""
    if isinstance(runs_on, OnDemand):
        return {}
    new = ["DataCaptureConfig"] if runs_on.retain_count else ["DataCaptureConfig", "DesiredInstanceCount"]
    return {
        "retain_all_variant_properties": True,
        "exclude_retained_variant_properties": [{"variantPropertyType": kind} for kind in new],
    }


def _digest(deployment: Mapping[str, Any]) -> str:
    """What tells two DeploymentConfigs apart. Alarms are counted: their names come from the endpoint configuration."""
    counted = {**deployment, "AutoRollbackConfiguration": len(deployment.get("AutoRollbackConfiguration", {}).get("Alarms", []))}
    return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]


def outlives_replacement(resource: sagemaker.CfnModel | sagemaker.CfnEndpointConfig) -> None:
    """Have CloudFormation keep what an update replaces, and delete the last one with the stack."""
    resource.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
    resource.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
